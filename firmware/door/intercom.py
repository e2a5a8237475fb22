"""The door: one button, one target, one relay, and the person at the serial line who types `door.`

What is here lasts: the state, the beat, and the way to each piece of code that is loaded for its moment. Each task is
fenced: what goes wrong in one is printed, and it is started again."""

import asyncio
import gc
from time import gmtime, ticks_add, ticks_diff, ticks_ms

from lend import lend
from micropython import const

from .access import may_call
from .config import Config, Mistake
from .console import Lines

_BEAT_MS = const(20)
_SILENCE_MS = const(3000)

# What the light shows: from the right, a bit for each 128 ms of 3 s.
_IDLE = const(0x000001)  # a short flash: ready
_TROUBLE = const(0x005005)  # two flashes, each 1.5 s: no network, or not registered
_CALLING = const(0x555555)  # fast: somebody is rung
_TALKING = const(0xFFFFFF)  # steady: the call is up


class Door:
    """The intercom. `names` are the commands of the console; `run()` is the whole device."""

    _held = False  # the other side has put us on hold
    _holds = False  # and we it
    _patience_ms = 0  # how long the other side may be quiet; 0: for ever
    _merger = None  # of the keys that the other side presses in this call
    _messages_s = 0  # until when, since the start, there were too many texts already
    _clock_s = -1  # when the time is asked for next, in seconds since the start; -1: nobody has needed it

    def __init__(self, path="config.json"):
        self.config = Config(path).load()
        lend("door.start").prepare(self)

    # --- What a person types.

    # Each command, and the file of it; Tab offers them. What a command does is said there.
    names = "status:words show:listed set: call:calls hangup:calls hold:talk resume:talk transfer:talk keys:dial " \
        "audio_test:ear press:calls play:prompts trace:trace phones:phones add_phone:phones remove_phone:phones open:"

    def __getattr__(self, name):
        at = (" " + self.names).find(" %s:" % name)
        if at < 0:
            raise AttributeError("a door has no %s" % name)
        file = self.names[at + len(name) + 1 :].split(" ", 1)[0]
        return lambda *given, **named: getattr(lend("door." + file), name)(self, *given, **named)

    def set(self, key, value):
        """Checks, sets and saves one value; None makes it the default again. Mistake, in words, if it is wrong."""
        try:
            changed = self.config.set(key, value)  # with the rules and the file's code in the heap, and nothing else
        except MemoryError:
            if self._agent:
                self._agent.make_room()  # what is kept of calls that are over lies in between
            changed = self.config.set(key, value)
        return Lines(lend("door.listed").words(self, key, changed))

    def open(self):
        """Opens the door for door.open_s seconds."""
        open_s = self.config.get("door.open_s")
        self._relay_until = ticks_add(ticks_ms(), open_s * 1000)
        self._relay.put(True)
        if self._sound is not None:
            lend("door.prompts").prompt(self, "open", 3)
        return Lines("The door is open for %d s." % open_s)

    # --- The device.

    async def run(self, namespace):
        """The whole device, until the person at the console leaves: -> "repl", "restart" or a SystemExit.

        Calls have been ended, the relay is at rest and the watchdog feeds itself when it returns."""
        namespace["help"] = _help
        lend("door.start").begin(self, namespace)
        tasks = [asyncio.create_task(self._keep(run)) for run in (self._beat, self._connect)]
        try:
            return await self._keep(self._console.run)
        finally:
            try:
                await lend("door.start").stop(self, tasks)
            finally:
                self.rest()
                lend("board.system").hand_over()

    def rest(self):
        """Relay and light at rest, at once; for every way out."""
        self._relay.put(False)
        self._light.put(False)

    def say(self, text):
        """A line for whoever sits at the console."""
        if self._console:
            self._console.say(text)
        else:
            print(text)

    def _tell(self, words, key=None):
        """Says it unless it was said last: a retry each minute for a year is no news."""
        key = key or words
        if key != self._said:
            self._said = key
            self.say(words)

    async def _keep(self, run):
        """Runs a task for years: what it did not foresee is reported, and it begins again, after ever longer pauses
        if it must."""
        pause_ms = 250
        while True:
            start_s = self._up_s
            try:
                return await run()
            except Exception as e:
                self._relay.put(False)
                self._fault(e)
            pause_ms = 250 if self._up_s - start_s > 60 else min(pause_ms * 2, 64000)
            await asyncio.sleep_ms(pause_ms)

    def _fault(self, error):
        """Reports an exception that nobody expected; this itself never raises."""
        self._faults += 1
        try:
            if isinstance(error, MemoryError):
                gc.collect()
            self.say(lend("door.fault").traceback(error))
        except MemoryError:
            pass

    async def _connect(self):
        """Sound, network, user agent, registration; and all but the first again when the network comes back."""
        while True:
            await lend("door.setup").connect(self)
            while not self._is_due():
                await asyncio.sleep_ms(200)

    def _is_due(self):
        """True if the network or the configuration is no longer what we are connected with."""
        agent = self._agent
        if agent is None or agent.host != self._network.address() or self._moved and self._call is None:
            return True
        if 0 <= self._clock_s <= self._up_s:
            return True
        return self._renew and ticks_diff(ticks_ms(), self._renew_at) >= 0

    def _knows_time(self):
        """For TLS, whose certificates have dates: False as long as the clock was never set, which this begins."""
        if gmtime()[0] > 2025:  # less, and nobody has set it since the board was switched on
            return True
        if self._clock_s < 0:
            self._clock_s = self._up_s
        return False

    def _on_registration(self, registration):
        if registration is self._registration:
            self._tell(registration.words(), "registered" if registration.is_registered else None)

    # --- Twenty milliseconds of everything that is not sound.

    async def _beat(self):
        second = ticks_ms()
        while True:
            now = ticks_ms()
            for button in self._buttons:
                button.poll(now)
            if self._relay.is_on and ticks_diff(now, self._relay_until) >= 0:
                self._relay.put(False)
            call = self._call
            registration = self._registration
            if call is not None:
                shown = _TALKING if call.state == "up" else _CALLING
                self._watch_call(call, now)
            else:
                well = self._agent and not self._trouble and (registration is None or registration.is_registered)
                shown = _IDLE if well else _TROUBLE
                if self._closing and ticks_diff(now, self._deadline) >= 0:
                    self._stop_sound()
            is_lit = shown >> now % 3072 // 128 & 1
            if is_lit != self._light.is_on:
                self._light.put(is_lit)
            if ticks_diff(now, second) >= 1000:
                second = ticks_add(second, 1000)
                self._up_s += 1
            self._feed()
            await asyncio.sleep_ms(_BEAT_MS)

    def _watch_call(self, call, now):
        if self._limit and ticks_diff(now, self._deadline) >= 0:
            limit, self._limit = self._limit, 0
            lend("door.over").limit(self, call, limit)
        elif call.state == "up":
            while True:
                digit = self._stream.next_digit()
                if digit < 0:
                    break
                lend("door.keypad").pressed(self, digit >> 4, digit & 15)
            if self._merger is not None and self._merger.wait:
                for digit in self._merger.take(now):
                    lend("door.keypad").key(self, digit)
            if call.media is not None and call.media.receive:
                if self._patience_ms and not self._held and self._patience_ms <= self._stream.quiet_ms():
                    if self._patience_ms <= call.since_ms():  # how quiet it was while it rang does not count
                        lend("door.over").dead(self, call)
                silent_ms = self._stream.silence_ms()
                if silent_ms < 0:
                    silent_ms = call.since_ms()
                if silent_ms >= _SILENCE_MS if not self._silent else silent_ms < 1000:
                    lend("door.over").silence(self, call.media)

    # --- Calls.

    def _pressed(self, n):
        """Button n was pressed: a call that rings here is answered, else one begins."""
        call = self._call
        try:
            if call is not None and call.state == "incoming":
                words = lend("door.incoming").answer(self, call)
            else:
                words = lend("door.calls").press(self, n)
            self.say("The button: %s" % words)
        except Mistake as e:
            self.say("The button: %s" % e)
        except Exception as e:
            self._fault(e)

    def _admit(self, host, message):
        """Before an INVITE costs anything: None, or (status, reason)."""
        get = self.config.get
        server = host if self._registration and self._registration.is_server(host) else ""
        house = self._agent.house
        if house and house.guest is message:
            server = host  # it has shown a password of the house
        if not may_call(host, server, get("call.peers"), self._agent.host):
            if host != self._refused:  # a flood from one address loads this once
                self._refusal = lend("door.incoming").refuse(self, host)
                self._refused = host
            return 403, self._refusal
        if get("call.incoming") == "reject":
            return 403, b"This door takes no calls: call.incoming is reject"
        if self._call is not None:
            return 486, b"Busy Here"
        return None

    def _on_call(self, call):
        """A call that was admitted: it is answered or rings here."""
        lend("door.incoming").incoming(self, call)

    def _told(self, *what):
        """What is rare from the user agent: a call in another's place (old, new), a text (sender, text, call), an INFO
        (call, kind, body)."""
        return lend("door.talk").told(self, what)

    def _on_event(self, call, event):
        """From the user agent. Only the call that we are in matters; a failed one's last words come late."""
        if event == "transfer":
            self.say(call.news)
            return
        if call is not self._call:
            if event == "ended" and self._call is None:
                self._last = call.words()
            return
        if event == "ended":
            lend("door.over").over(self, call)
            return
        if event == "media":
            media = call.media
            send = media.send and not call.on_hold  # whom we hold does not hear the visitor
            self._stream.send_to(media.host, media.port, media.payload, media.events, send, media.receive, media)
            if media.held != self._held or call.on_hold != self._holds:
                lend("door.talk").held(self, call)
            return
        if event == "ringing":
            self._stream.tone("ringback")
        elif event == "up":
            self._stream.tone(None)
            self._limits("call.max_s")
            self._patience_ms = self.config.get("rtp.timeout_s") * 1000
            if self.config.get("sound.welcome"):
                lend("door.prompts").prompt(self, "welcome", 2)
            self._silent = False
            self._reports = 0
            while self._stream.next_digit() >= 0:
                pass  # keys count in a call, not before it
            house = self._agent.house
            if house and house.met and not call.incoming:
                try:
                    lend("door.whom").name(house, call)
                except MemoryError:
                    pass  # then it is called by what was called
        self.say(call.words())

    def _limits(self, key):
        """The call ends after so many seconds, as this key of the configuration says; 0: no limit. over.limit() is asked then,
        or 10 s before, when it tells so in a call."""
        limit = self._limit = self.config.get(key)
        self._deadline = ticks_add(ticks_ms(), (limit - 10 if limit > 10 and key == "call.max_s" else limit) * 1000)

    def _stop_sound(self):
        self._closing = False
        sound, self._sound = self._sound, None
        if sound is not None:
            self._stream.close()
            sound.cancel()
            gc.collect()


def _help(*things):
    """help(door) lists its commands; help() too, and with anything else it is MicroPython's own."""
    return lend("door.help").help(*things)
