"""The serial console: a live Python prompt that runs beside the call.

Ctrl-C ends the line that runs; on an empty line it leaves for the plain REPL of MicroPython, where mpremote and Ctrl-D
work as on any board. While a person edits, Ctrl-C is a key like others (kbd_intr(-1)); it interrupts only while a
line of theirs runs, so that it cannot hit the call. What is done with a whole line is in enter.py, there only
for the moment."""

import asyncio
import gc
import micropython
import select
import sys

from lend import lend
from micropython import const

from .line import Line

# What a key asks for, as in line.py.
_ENTER = const(1)
_INTERRUPT = const(2)
_END = const(3)
_RAW = const(4)
_TAB = const(5)

_AHEAD = const(2048)  # bytes typed or pasted while a line runs
_LEAVING = const(b"\x01\x03\x04")  # Ctrl-A, Ctrl-C, Ctrl-D
_LINES = const(40)  # lines for people that wait to be printed
_SPARE = const(1024)  # bytes kept to tell of a full heap
_ENOUGH = const(4096)  # bytes that must be free in one piece after that: more than a SIP message or a file here takes
_PAUSE_MS = const(10)  # an asyncio.Event would wake it, for 1 KB of heap
_CHUNK = const(64)  # bytes written at once, and
_CHUNK_MS = const(5)  # the time they take at 115200 baud


class Lines:
    """Text for people, line by line: the console prints it without holding the call; repr() gives all at once. None is no line, but
    says that the next one takes its time."""

    is_passing = True  # not kept as _, for that would keep the code and the call that it comes from

    def __init__(self, lines):
        self._lines = lines

    def __iter__(self):
        return iter((self._lines,) if isinstance(self._lines, str) else self._lines)

    def __repr__(self):
        return "\n".join(filter(None, self))

    __str__ = __repr__


class Console:
    """`await run()` returns when the person leaves: "repl", "restart", or the SystemExit that a line raised."""

    def __init__(self, namespace, config, banner=""):
        self.names = namespace
        self.config = config  # for the names of keys, and which are secret
        self.banner = banner
        self.line = Line(sys.stdout.write)
        self.block = ""  # the lines above the one being edited
        self.ahead = bytearray()  # typed, not yet looked at
        self.lost = 0
        self._lines = []  # for people, not yet printed
        self._dropped = 0
        self.task = None  # the awaited line that runs
        self.left = None
        self._first = tuple(namespace)  # names that are not the person's own
        self._spare = bytes(_SPARE)

    # --- For the door.

    def say(self, text):
        """Prints a line above the prompt, soon. Never waits; when nobody can keep up the oldest are dropped."""
        if len(self._lines) >= _LINES:
            self._lines.pop(0)
            self._dropped += 1
        self._lines.append(text)

    async def run(self):
        micropython.kbd_intr(-1)
        listener = asyncio.create_task(self._listen())
        try:
            await self.write(self.banner)
            self.banner = ""
            self.line.begin("door>>> ")
            while self.left is None:
                task = self.task
                if self._lines:
                    if task is None:
                        self.line.hide()
                    await self.flush()
                    if task is None:
                        self.line.redraw()
                elif self.ahead if task is None else task.done():
                    await self._key()
                else:
                    await asyncio.sleep_ms(_PAUSE_MS)
        finally:
            listener.cancel()
            micropython.kbd_intr(3)
        await self.flush()
        return self.left

    # --- Output.

    async def write(self, text):
        for i in range(0, len(text), _CHUNK):
            sys.stdout.write(text[i : i + _CHUNK])
            if i + _CHUNK < len(text):
                await asyncio.sleep_ms(_CHUNK_MS)

    async def flush(self):
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            await self.write("(%d lines were too many and are lost)\n" % dropped)
        while self._lines:
            await self.write(self._lines.pop(0) + "\n")

    # --- Input.

    def _listen(self):
        """A task; takes what is typed."""
        stdin = sys.stdin.buffer
        poller = select.poll()
        poller.register(stdin, select.POLLIN)
        while True:
            try:
                yield asyncio.core._io_queue.queue_read(stdin)
                while poller.poll(0):
                    data = stdin.read(1)
                    if not data:  # the far end is gone
                        break
                    if data == b"\x03" and self.task:
                        self.task.cancel()
                        self.ahead = bytearray()
                    elif len(self.ahead) < _AHEAD:
                        self.ahead.extend(data)
                    else:
                        self.lost += 1
                    if self._is_enough():
                        break
                while self._is_enough():
                    yield from asyncio.sleep_ms(5)
            except MemoryError:
                gc.collect()
                yield from asyncio.sleep_ms(100)

    def _is_enough(self):
        """What is pasted faster than it runs waits in the serial line's own buffer; and so does what follows a key
        that may leave, for it is then meant for the plain REPL."""
        ahead = self.ahead
        return not self.task and ahead and (len(ahead) >= _AHEAD // 2 or ahead[-1] in _LEAVING)

    async def _key(self):
        """Takes a key, or what an awaited line has given."""
        event = _ENTER
        try:
            if self.task is None:
                c = self.ahead[0]
                self.ahead = self.ahead[1:]
                event = self.line.key(c)
            if event == _ENTER:
                await lend("door.enter").enter(self)
            elif event == _TAB:
                lend("door.tab").tab(self)
        except MemoryError:
            self.task = None
            self.make_room()
            self.say("Not enough memory for that line.")
            self.line.begin("door>>> ")
        if event == _INTERRUPT and (self.line.text or self.block):
            self.block = ""
            self.line.write("\n")
            self.line.begin("door>>> ")
        elif event == _INTERRUPT or event in (_END, _RAW) and not self.block:
            self.line.write("\n")
            self.left = "restart" if event == _END else "repl"

    def make_room(self):
        """After a MemoryError. When what the person made fills the heap, it is let go: the door comes first."""
        self._spare = None
        gc.collect()
        try:
            bytearray(_ENOUGH)
        except MemoryError:
            own = [n for n in self.names if n not in self._first]
            for name in own:
                del self.names[name]
            gc.collect()
            if own:
                self.say("The memory was full: the names that were made here are gone.")
        try:
            self._spare = bytes(_SPARE)
        except MemoryError:
            pass  # there is none for the next time, unless somebody lets go
