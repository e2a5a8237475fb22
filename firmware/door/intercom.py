"""The door: one button, one target, one relay, and the person at the serial line who types `door.`

Everything that a configuration may need is imported when it is needed, the big sound buffers first. Each task is
fenced: what goes wrong in one is printed, and it is started again."""

import asyncio
import gc
import sys
from io import StringIO
from time import ticks_add, ticks_diff, ticks_ms

from lend import lend
from micropython import const

from .access import Keypad, may_call
from .config import Config, Mistake
from .console import Lines
from .light import CALLING, IDLE, TALKING, TROUBLE, Light

VERSION = "0.1"

_BEAT_MS = const(20)
_WATCHDOG_MS = const(20000)
_TONE_MS = const(4000)  # how long the visitor hears that nobody comes
_SILENCE_MS = const(3000)
_REPORTS = const(5)  # of one kind in a call

class Calling:
    """What door.call() gives: `await` it until the call is answered or has ended."""

    def __init__(self, door, call):
        self._door = door
        self._call = call

    def __repr__(self):
        return self._call.words()

    def __iter__(self):
        return self._wait()

    async def _wait(self):
        call = self._call
        while call.state not in ("up", "ended"):
            await asyncio.sleep_ms(_BEAT_MS)
        return Lines(call.words())


class Door:
    """The intercom. Public methods are the commands of the console; `run()` is the whole device."""

    def __init__(self, path="config.json"):
        import wiring
        from board.pins import Button, Output
        from board.system import Watchdog

        self.config = Config(path).load()
        self._wiring = wiring
        self._relay = Output(wiring.RELAY)
        self._relay.rest()
        self._light = Light(Output(wiring.LIGHT))
        self._buttons = []
        for i, spec in enumerate(wiring.BUTTONS):
            self._buttons.append(Button(spec, lambda i=i: self._pressed(i)))
        self._watchdog = Watchdog
        self._console = None
        self._network = None
        self._agent = None
        self._registration = None
        self._trouble = ""  # why there is no registration, when that is not the registrar's word
        self._stream = None
        self._sound = None  # the task that plays it
        self._call = None
        self._last = ""  # how the last call ended
        self._keypad = Keypad()
        self._relay_until = 0
        self._sound_until = 0
        self._closing = False  # a tone tells the visitor that the call failed
        self._deadline = 0  # when nobody answers, or the talk is too long; in force if _limit
        self._limit = 0
        self._silent = False
        self._reports = 0
        self._refused = ""  # who was told of last
        self._refused_s = 0  # and when another may be
        self._renew = 0  # 1: register again, 2: connect again; at _renew_at
        self._renew_at = 0
        self._said = ""
        self._up_s = 0
        self._faults = 0

    # --- What a person types.

    def status(self):
        """How the door is, in sentences."""
        return Lines(lend("door.words").status(self))

    def show(self, key=None):
        """The configuration: all of it, a group ("sip") or one key. Secrets are not shown."""
        lines = self.config.lines(key)
        return Lines([next(lines)] + list(lines))  # a wrong key is told here, not while it is printed

    def set(self, key, value):
        """Checks, sets and saves one value; None makes it the default again. Mistake, in words, if it is wrong."""
        changed = self.config.set(key, value)
        text = "%s = %s." % (key, self.config.text(key))
        return Lines(text + (lend("door.setup").apply(self, key) if changed else " It was so before."))

    def call(self, target=None):
        """Calls a target, "101" or "sip:101@192.0.2.10", or the button's. Mistake, in words, if that cannot be."""
        if self._call is not None:
            raise Mistake("there is a call already: %s door.hangup() ends it." % self._call.words())
        target = target or self.config.get("button.1.target")
        if not target:
            raise Mistake('the button has nobody to call: door.set("button.1.target", "sip:101@192.0.2.10")')
        if self._agent is None:
            raise Mistake("not ready for a call yet; the network: %s" % lend("door.words").network_words(self))
        port = self._start_sound()
        try:
            call = self._agent.call(target, self._agent.host, port, self._on_event)
        except ValueError as e:
            self._stop_sound()
            raise Mistake(str(e))
        if call.state != "ended":
            self._call = call
            self._limits(self.config.get("call.ring_s"))
        return Calling(self, call)

    def hangup(self):
        """Ends the call, whatever its state, or the tone after a failed one."""
        call = self._call
        if call is None:
            self._stop_sound()
            return Lines("There is no call.")
        call.hangup()
        if self._call is call:  # it did not say so itself
            self._over(call)
        self._stop_sound()

    def open(self):
        """Opens the door for door.open_s seconds."""
        open_s = self.config.get("door.open_s")
        self._relay_until = ticks_add(ticks_ms(), open_s * 1000)
        self._relay.on()
        return Lines("The door is open for %d s." % open_s)

    def press(self, n=0):
        """What a press of button `n` does: call, or answer a call that rings here."""
        call = self._call
        if call is not None:
            if call.incoming and call.state == "incoming":
                return self._answer(call)
            return Lines("Nothing to do: %s" % call.words())
        try:
            return self.call(self.config.get("button.%d.target" % (n + 1)) or None)
        except Mistake:
            self._fail_tone("error")
            raise

    # --- The device.

    async def run(self, namespace):
        """The whole device, until the person at the console leaves: -> "repl", "restart" or a SystemExit.

        Calls have been ended, the relay is at rest and the watchdog feeds itself when it returns."""
        from .console import Console

        watchdog = self._watchdog = self._watchdog(_WATCHDOG_MS)
        namespace["help"] = _help
        text = "\nsipdoor %s on %s. This is Python, beside the calls; help(door) says what there is.\n"
        self._console = Console(namespace, self.config, text % (VERSION, self._wiring.NAME))
        for words in self.config.words:
            self.say(words)
        gc.threshold(max(8192, gc.mem_free() // 4))
        tasks = [asyncio.create_task(self._keep(run)) for run in (self._beat, self._connect)]
        try:
            return await self._keep(self._console.run)
        finally:
            try:
                await self._stop(tasks)
            finally:
                self.rest()
                watchdog.hand_over()

    def rest(self):
        """Relay and light at rest, at once; for every way out."""
        self._relay.rest()
        self._light.rest()

    def say(self, text):
        """A line for whoever sits at the console."""
        if self._console:
            self._console.say(text)
        else:
            print(text)

    async def _keep(self, run):
        """Runs a task for years: what it did not foresee is reported, and it begins again, after ever longer pauses
        if it must."""
        pause_ms = 250
        while True:
            start_s = self._up_s
            try:
                return await run()
            except Exception as e:
                self._relay.rest()
                self._fault(e)
            pause_ms = 250 if self._up_s - start_s > 60 else min(pause_ms * 2, 64000)
            await asyncio.sleep_ms(pause_ms)

    def _fault(self, error):
        """Reports an exception that nobody expected; this itself never raises."""
        self._faults += 1
        if isinstance(error, MemoryError):
            gc.collect()
        try:
            text = StringIO()
            sys.print_exception(error, text)
            self.say(text.getvalue().rstrip())
        except MemoryError:
            pass

    async def _stop(self, tasks):
        for task in tasks:
            task.cancel()
        agent, self._agent = self._agent, None
        self._call = None
        if agent:
            await agent.stop()
        self._stop_sound()
        await asyncio.sleep_ms(2 * _BEAT_MS)  # what was cancelled ends

    async def _connect(self):
        """Sound, network, user agent, registration; and all but the first again when the network comes back."""
        if self._stream is None:  # its buffers are the largest there are: now, while the heap is whole
            from board.audio import Audio
            from board.net import pack, unpack
            from media.stream import Stream

            self._stream = Stream(Audio(self._wiring), pack, unpack)
        if self._network is None:
            from board.net import Network

            self._network = Network(self._wiring, self.config.get("net.hostname"))
        network = self._network
        while True:
            self._renew = 0
            if self._wiring.NETWORK == "wifi" and not self.config.get("wifi.ssid"):
                self._tell(lend("door.words").network_words(self))
                while not self._renew:
                    await asyncio.sleep_ms(200)
                continue
            await network.up(self.config.get("wifi.ssid"), self.config.get("wifi.password"))
            if network.is_up():
                if self._agent:
                    self._tell(network.words())
                    self._again()
                await self._online(network)
            if not network.is_up():
                self._tell(network.words())

    def _again(self):
        """The network is back, or the address is another: registers at once."""
        if self._registration:
            self._registration.start()

    async def _online(self, network):
        """While the network lasts."""
        while network.is_up():
            host = network.address()
            agent = self._agent
            moved = agent is None or agent.port != self.config.get("sip.port")
            if moved and self._call is None:
                await lend("door.setup").start_agent(self, host)
            elif agent and agent.host != host and host:
                self.say("The address is now %s." % host)
                agent.host = host
                self._again()
            if self._renew and ticks_diff(ticks_ms(), self._renew_at) >= 0:
                if self._renew > 1:
                    return
                await lend("door.setup").register(self)
            await asyncio.sleep_ms(200)

    def _on_registration(self, registration):
        if registration is self._registration:
            self._tell(registration.words(), "registered" if registration.is_registered else None)

    def _tell(self, words, key=None):
        """Says it unless it was said last: a retry each minute for a year is no news."""
        key = key or words
        if key != self._said:
            self._said = key
            self.say(words)

    # --- Twenty milliseconds of everything that is not sound.

    async def _beat(self):
        second = ticks_ms()
        while True:
            now = ticks_ms()
            for button in self._buttons:
                button.poll(now)
            if self._relay.is_on and ticks_diff(now, self._relay_until) >= 0:
                self._relay.rest()
            self._light.tick(self._pattern(), now)
            if self._call is not None:
                self._watch_call(now)
            elif self._closing and ticks_diff(now, self._sound_until) >= 0:
                self._stop_sound()
            if ticks_diff(now, second) >= 1000:
                second = ticks_add(second, 1000)
                self._up_s += 1
                self._keypad.tick(now)
            self._watchdog.feed()
            await asyncio.sleep_ms(_BEAT_MS)

    def _pattern(self):
        call = self._call
        if call is not None:
            return TALKING if call.state == "up" else CALLING
        registration = self._registration
        if self._agent is None or self._trouble or (registration is not None and not registration.is_registered):
            return TROUBLE
        return IDLE

    def _watch_call(self, now):
        call = self._call
        if self._limit and ticks_diff(now, self._deadline) >= 0:
            self._limit = 0
            if call.state == "up":
                self.say("The call reached call.max_s and is ended.")
                call.hangup()
            elif call.incoming:
                self.say("Nobody answered here.")
                call.reject(480)
            else:
                self.say("Nobody answered within call.ring_s, %d s." % self.config.get("call.ring_s"))
                call.hangup()
                self._fail_tone("busy")
            return
        if call.state != "up":
            return
        digit = self._stream.next_digit()
        while digit >= 0:
            self._on_digit(digit, now)
            digit = self._stream.next_digit()
        media = call.media
        if media is None or not media.receive:
            return
        silent_ms = self._stream.silence_ms()
        if silent_ms < 0:
            silent_ms = call.since_ms()
        if silent_ms >= _SILENCE_MS and not self._silent:
            self._silent = True
            if self._reports < _REPORTS:
                self._reports += 1
                text = "No sound received from %s for 3 s: is its microphone off, or does a firewall stop UDP to port %d of %s?"
                self.say(text % (media.host, self._port, self._agent.host))
        elif silent_ms < 1000 and self._silent:
            self._silent = False
            if self._reports < _REPORTS:
                self.say("Sound from %s is there again." % media.host)

    def _on_digit(self, digit, now):
        outcome = self._keypad.press(digit, self.config.get("door.code"), now)
        if outcome == "open":
            self.open()
            self.say("The right code: the door is open for %d s." % self.config.get("door.open_s"))
        elif outcome == "unset":
            self._tell('A key was pressed, but no code is set: door.set("door.code", "...") lets calls open the door.')
        elif outcome == "wrong":
            self.say("A wrong code.")
        elif outcome == "locked":
            self.say("A third wrong code: keys are not heard for 30 s.")

    # --- Calls.

    def _pressed(self, n):
        try:
            self.say("The button: %s" % self.press(n))
        except Mistake as e:
            self.say("The button: %s" % e)
        except Exception as e:
            self._fault(e)

    def _admit(self, host, message):
        """Before an INVITE costs anything: None, or (status, reason)."""
        get = self.config.get
        server = host if self._registration and self._registration.is_server(host) else ""
        peers = get("call.peers")
        if not may_call(host, server, peers):
            how = "door.set('call.peers', '%s')" % (peers + "," + host if peers else host)
            if host != self._refused and self._up_s >= self._refused_s:  # a flood of them is one line in ten seconds
                self._refused = host
                self._refused_s = self._up_s + 10
                self.say("Refused a call from %s, which is neither sip.server nor listed: %s lets it in." % (host, how))
            return 403, ("This address is not listed at the door: %s" % how).encode()
        if get("call.incoming") == "reject":
            return 403, b"This door takes no calls: call.incoming is reject"
        if self._call is not None:
            return 486, b"Busy Here"
        return None

    def _on_call(self, call):
        """A call that was admitted: it is answered or rings here."""
        self._call = call
        call.on_event = self._on_event
        self.say(call.words())
        call.ring()
        try:
            if self.config.get("call.incoming") == "answer":
                self._answer(call)
            else:
                self._limits(self.config.get("call.ring_s"))
                self._start_sound()
                self._stream.tone("ringback")
        except Exception as e:
            self._call = None
            if isinstance(e, Mistake):
                self.say(str(e))
            else:
                self._fault(e)
            call.reject(500)
            self._stop_sound()

    def _answer(self, call):
        call.answer(self._agent.host, self._start_sound())
        return Lines(call.words())

    def _on_event(self, call, event):
        """From the user agent. Only the call that we are in matters; a failed one's last words come late."""
        if self._call is None and event == "ended":
            self._last = call.words()
            return
        if self._call is not None and call is not self._call:
            return
        if event == "ringing":
            self._stream.tone("ringback")
        elif event == "media":
            media = call.media
            self._stream.send_to(media.host, media.port, media.payload, media.events, media.send, media.receive)
        elif event == "up":
            self._keypad.start()
            self._stream.tone(None)
            self._limits(self.config.get("call.max_s"))
            self._silent = False
            self._reports = 0
        elif event == "ended":
            self._over(call)
            return
        if event != "media":
            self.say(call.words())

    def _over(self, call):
        self._call = None
        self._limit = 0
        self._last = call.words()
        self.say(self._last)
        if self._sound is not None and call.media is not None:
            self.say(self._stream.status())
        if not call.incoming and 400 <= call.status < 700 and call.status != 487:
            self._fail_tone("busy" if call.status in (486, 600, 603) else "error")
        else:
            self._stop_sound()

    def _limits(self, limit_s):
        self._limit = limit_s
        self._deadline = ticks_add(ticks_ms(), limit_s * 1000)

    # --- Sound.

    _port = 0

    def _start_sound(self):
        """Opens a port for sound and starts playing. -> the port. Mistake, in words."""
        if self._sound is not None and not self._closing:
            return self._port
        self._stop_sound()
        if self._stream is None:
            raise Mistake("the sound is not ready yet: try again in a moment")
        get = self.config.get
        try:
            self._port = self._stream.open(self._agent.host, get("rtp.first_port"), get("rtp.last_port"))
        except OSError as e:
            raise Mistake("%s; see door.show('rtp')" % e)
        self._sound = asyncio.create_task(self._play())
        return self._port

    async def _play(self):
        for _ in range(3):
            try:
                return await self._stream.run()
            except Exception as e:
                self._fault(e)

    def _fail_tone(self, name):
        """Tells the visitor that nobody comes, for a while."""
        try:
            self._stop_sound()  # no more is sent to who was called
            self._start_sound()
            self._stream.tone(name)
        except Exception as e:
            if not isinstance(e, (Mistake, AttributeError)):
                self._fault(e)
            return
        self._closing = True
        self._sound_until = ticks_add(ticks_ms(), _TONE_MS)

    def _stop_sound(self):
        self._closing = False
        sound, self._sound = self._sound, None
        if sound is not None:
            self._stream.close()
            sound.cancel()
            gc.collect()


def _help(*things):
    """help(door) lists its commands; help() too, and with anything else it is MicroPython's own."""
    import builtins

    if not things or isinstance(things[0], Door):
        return Lines(lend("door.words").HELP.split("\n"))
    return builtins.help(*things)
