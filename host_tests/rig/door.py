"""The door itself: the real firmware on the virtual board, at an address of its own, read and commanded over its console.

    with Door(folder, {"sip.server": "127.0.100.3", ...}) as door:
        door.expect("Registered at")        what it says by itself, line by line
        door.status()                       what it answers
        door.press()
"""
import json
import os
import re
import select
import shutil
import sys
import threading
import time

from tools.virtual_board import VirtualBoard

from . import addresses
from .process import RigError, Stopped

HEAP = "96wK"
_SHOW_LOGS = "pytest" in sys.modules        # which shows it only with a test that fails


# For a door that takes dozens of calls a minute with all that phones and PBXs do in them, over TCP and TLS too: what a
# stream and a changed call load then may not fit beside it in 96wK. Dozens of plain calls over UDP a minute, many begun at
# the prompt, and all that is no SIP hold in 96wK: test_call_sipp.py, test_bad_input.py.
BURST_HEAP = "112wK"


class Door(Stopped):
    """`settings` is its config.json; `mic` a WAV file it hears (from when its microphone starts, with a call), else silence.
    `dns` is the name server of its network, if it has one. `speaker` is the path of the WAV file its loudspeaker plays into,
    complete after stop(), or of a pipe that is there already; `echo`: "DELAY_MS,GAIN_DB" from it to the microphone. `files` are
    copied to its flash: {name there: path}."""

    user = "door"

    def __init__(self, folder, settings=None, mic=None, heap=None, wrap=None, wait=True, files=None, dns=None,
                 speaker=None, echo=None):
        self.folder = str(folder)
        self.address = addresses.take()
        self.speaker = speaker or os.path.join(self.folder, "speaker.wav")
        self._text = ""
        self._at = 0                        # expect() has dealt with the text before this
        self._new = threading.Condition()
        self._marks = 0
        self._pressed = 0                   # when its button was
        self._reader = None
        os.makedirs(self.folder, exist_ok=True)
        with open(os.path.join(self.folder, "config.json"), "w") as f:
            json.dump({"schema": 1, **(settings or {})}, f)
        for name, path in (files or {}).items():
            shutil.copy(path, os.path.join(self.folder, name))
        self.board = VirtualBoard(self.folder, self.address, mic=mic or "silence", speaker=self.speaker,
                                  heap=heap or HEAP, wrap=wrap, dns=dns, echo=echo)
        try:
            self.board.start()
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
            if wait:
                self.expect("Listening for calls")
        except BaseException:
            self.stop()
            raise

    @property
    def uri(self):
        """Where it is called directly."""
        return "sip:%s@%s" % (self.user, self.address)

    # --- The console.

    def _read(self):
        """A thread: everything that comes over the serial line, without the codes that move a terminal's cursor."""
        fd = self.board.fd()
        held = ""
        while True:
            try:
                if not select.select([fd], [], [], 0.2)[0]:
                    if self.board.process is None:
                        return
                    continue
                data = os.read(fd, 65536)
            except (OSError, ValueError):
                return
            if not data:
                return
            text = held + data.decode("utf-8", "replace")
            cut = text.rfind("\x1b", -8)        # a code that is not whole yet
            held = ""
            if cut >= 0 and not re.match(r"\x1b\[[0-9;]*[A-Za-z]", text[cut:]):
                text, held = text[:cut], text[cut:]
            text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\r", "", text)
            with self._new:
                self._text += text
                self._new.notify_all()

    def _until(self, found, timeout_s, words):
        """Wait until found(text) is not None -> it."""
        end = time.monotonic() + timeout_s
        with self._new:
            while True:
                result = found(self._text)
                if result is not None:
                    return result
                left = end - time.monotonic()
                if left <= 0:
                    raise RigError("the door: not in %g s: %s\n%s" % (timeout_s, words, self._text[-3000:]))
                self._new.wait(left)

    def expect(self, *words, timeout_s=15):
        """Wait until it says one of these, after what earlier calls of this waited for -> the whole line."""
        def found(text):
            hits = [(text.find(word, self._at), word) for word in words]
            hits = [hit for hit in hits if hit[0] >= 0]
            if not hits:
                return None
            at, _ = min(hits)
            end = text.find("\n", at)
            if end < 0:
                return None
            line = text[text.rfind("\n", 0, at) + 1:end]
            self._at = end
            return line
        return self._until(found, timeout_s, "says " + " or ".join(repr(word) for word in words))

    def forget(self):
        """What expect() waits for next is yet to come."""
        with self._new:
            self._at = len(self._text)

    def said(self):
        """Everything it printed so far."""
        with self._new:
            return self._text

    def console(self, line, timeout_s=15):
        """Type a line at its prompt -> what was printed until it was done (and what it said meanwhile)."""
        self.board._drain()                 # what its pins did: unread for a minute, the board would stop telling
        self._marks += 1
        mark = "#%d;" % self._marks         # a comment: its echo comes after all that the line prints
        with self._new:
            start = len(self._text)
        self.board.write_serial(("%s\r%s\r" % (line, mark)).encode())

        def found(text):
            end = text.find(mark + "\n", start)
            return None if end < 0 else text[start:end]
        out = self._until(found, timeout_s, "the line %r to end" % line)
        out = out.partition(line + "\n")[2] or out
        return out.rpartition("\n")[0]

    def status(self):
        return self.console("door.status()")

    def wait_status(self, *words, timeout_s=15):
        """Until door.status() has one of these words -> the status."""
        end = time.monotonic() + timeout_s
        while True:
            status = self.status()
            if any(word in status for word in words):
                return status
            if time.monotonic() > end:
                raise RigError("door.status() has no %r after %g s:\n%s\n--\n%s" % (words, timeout_s, status, self.said()[-3000:]))
            time.sleep(0.05)

    def wait_no_call(self, timeout_s=10):
        return self.wait_status("No call.", timeout_s=timeout_s)

    def wait_sound(self, timeout_s=10):
        """Until it plays what the peer sends: whoever presses keys before that may not be heard."""
        end = time.monotonic() + timeout_s
        while not re.search(r"received [1-9]", self.status()):
            if time.monotonic() > end:
                raise RigError("the door receives no sound:\n" + self.said()[-3000:])
            time.sleep(0.05)

    def packets(self):
        """RTP packets of its call so far -> (sent, received)."""
        found = re.search(r"sent (\d+), received (\d+)", self.status())
        return (int(found.group(1)), int(found.group(2))) if found else (0, 0)

    def wait_flow(self, sends=True, receives=True, timeout_s=10):
        """Until sound flows again, from now on: a quarter of a second of it; where it shall not, none in as long."""
        sent, received = self.packets()
        end = time.monotonic() + timeout_s
        more = (0, 0)
        while time.monotonic() < end:
            time.sleep(0.25)
            now = self.packets()
            more = now[0] - sent, now[1] - received
            if (more[0] >= 10) == sends and (more[1] >= 10) == receives and all(n >= 10 or n <= 1 for n in more):
                return
            sent, received = now
        raise RigError("the door: %d packets sent, %d received in the last quarter of a second; sends should be %s, receives %s\n%s"
                       % (*more, sends, receives, self.said()[-800:]))

    def settle(self):
        """The call is over, or is now: a test that failed leaves none to the next one."""
        try:
            self.wait_no_call(5)
        except RigError:
            self.console("door.hangup()")
            raise

    def set(self, key, value):
        return self.console("door.set(%r, %r)" % (key, value))

    def call(self, target, timeout_s=15):
        """Call and wait until it is answered or has ended -> what it said about it."""
        return self.console("await door.call(%r)" % target, timeout_s)

    def start_call(self, target):
        return self.console("door.call(%r)" % target)

    def hangup(self):
        return self.console("door.hangup()")

    def hold(self):
        return self.console("door.hold()")

    def resume(self):
        return self.console("door.resume()")

    def transfer(self, target):
        return self.console("door.transfer(%r)" % target)

    def leave(self):
        """Ctrl-C on an empty line: the plain MicroPython REPL."""
        self.forget()
        self.board.write_serial(b"\x03")
        self.expect("plain MicroPython REPL")

    def enter(self):
        """Ctrl-D there: the door starts again."""
        self.forget()
        self.board.write_serial(b"\x04")
        self.expect("Listening for calls")

    # --- Fingers and wires.

    def press(self, n=0):
        """-> time.monotonic() of the press. As people do, not again before the door can have seen that the last one is over (the
        contact closed for 100 ms, and open for 50): it would be taken for a bounce."""
        time.sleep(max(0, self._pressed + 0.4 - time.monotonic()))
        self._pressed = self.board.press(n)
        return self._pressed

    def relay(self):
        return self.board.pin("relay")

    def wait_relay(self, level, timeout_s=10):
        """-> time.monotonic() of when it took this level."""
        return self.board.wait_pin("relay", level, timeout_s)

    def relay_count(self):
        """How often the relay has been switched on since the start."""
        self.board.wait_pin("relay", self.board.pin("relay"), 5)
        return sum(1 for event in self.board.events if event.get("pin") == "relay" and event.get("level") == 1)

    def stop(self):
        """Power off."""
        try:
            self.board.stop(quiet=True)
        finally:
            if self._reader:
                self._reader.join(2)
                self._reader = None
                if _SHOW_LOGS:
                    print("--- the door's console\n" + self._text[-4000:])
            addresses.give_back(self.address)
