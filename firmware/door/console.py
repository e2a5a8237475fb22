"""The serial console: a live Python prompt that runs beside the call.

Ctrl-C ends the line that runs; on an empty line it leaves for the plain REPL of MicroPython, where mpremote and Ctrl-D
work as on any board. While a person edits, Ctrl-C is a key like others (kbd_intr(-1)); it interrupts only while a
line of theirs runs, so that it cannot hit the call."""

import asyncio
import gc
import micropython
import select
import sys
from asyncio import core
from io import StringIO
from time import ticks_diff, ticks_ms

from lend import lend
from micropython import const

from .config import Mistake
from .line import END, ENTER, INTERRUPT, RAW, TAB, Line

PROMPT = "door>>> "
MORE = "door... "

_HOLD_MS = const(20)  # a packet's time: who holds the loop longer is heard in the call
_AHEAD = const(2048)  # bytes typed or pasted while a line runs
_LEAVING = (b"\x01", b"\x03", b"\x04")  # Ctrl-A, Ctrl-C, Ctrl-D
_LINES = const(40)  # lines for people that wait to be printed
_SPARE = const(1024)  # bytes kept to tell of a full heap
_ENOUGH = const(8192)  # bytes that must be free in one piece after that
_CHUNK = const(64)  # bytes written at once, and
_CHUNK_MS = const(5)  # the time they take at 115200 baud


class Lines:
    """Text for people, line by line: the console prints it without holding the call, and so does repr()."""

    def __init__(self, lines):
        self._lines = lines

    def __iter__(self):
        return iter((self._lines,) if isinstance(self._lines, str) else self._lines)

    def __repr__(self):
        return "\n".join(self)

    __str__ = __repr__


def _readable(stream):
    yield core._io_queue.queue_read(stream)


class Console:
    """`await run()` returns when the person leaves: "repl", "restart", or the SystemExit that a line raised."""

    def __init__(self, namespace, config, banner=""):
        self._names = namespace
        self._config = config  # for the names of keys, and which are secret
        self._banner = banner
        self._line = Line(sys.stdout.write)
        self._block = ""  # the lines above the one being edited
        self._ahead = bytearray()  # typed, not yet looked at
        self._lost = 0
        self._lines = []  # for people, not yet printed
        self._dropped = 0
        self._wake = asyncio.Event()
        self._task = None  # the awaited line that runs
        self._held_ms = 0
        self._left = None
        self._first = tuple(namespace)  # names that are not the person's own
        self._spare = bytes(_SPARE)

    # --- For the door.

    def say(self, text):
        """Prints a line above the prompt, soon. Never waits; when nobody can keep up the oldest are dropped."""
        if len(self._lines) >= _LINES:
            self._lines.pop(0)
            self._dropped += 1
        self._lines.append(text)
        self._wake.set()

    async def run(self):
        micropython.kbd_intr(-1)
        listener = asyncio.create_task(self._listen())
        try:
            await self._write(self._banner)
            self._line.begin(PROMPT)
            while self._left is None:
                if self._lines:
                    self._line.hide()
                    await self._flush()
                    self._line.redraw()
                elif self._ahead:
                    c = self._ahead[0]
                    self._ahead = self._ahead[1:]
                    await self._key(c)
                else:
                    self._wake.clear()
                    await self._wake.wait()
        finally:
            listener.cancel()
            micropython.kbd_intr(3)
        await self._flush()
        return self._left

    # --- Output.

    async def _write(self, text):
        for i in range(0, len(text), _CHUNK):
            sys.stdout.write(text[i : i + _CHUNK])
            if i + _CHUNK < len(text):
                await asyncio.sleep_ms(_CHUNK_MS)

    async def _flush(self):
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            await self._write("(%d lines were too many and are lost)\n" % dropped)
        while self._lines:
            await self._write(self._lines.pop(0) + "\n")

    # --- Input.

    async def _listen(self):
        stdin = sys.stdin.buffer
        poller = select.poll()
        poller.register(stdin, select.POLLIN)
        while True:
            try:
                await _readable(stdin)
                self._take(stdin, poller)
                self._wake.set()
                # What is pasted faster than it runs waits in the serial line's own buffer; and so does what follows a
                # key that may leave, for it is then meant for the plain REPL.
                while not self._task and (len(self._ahead) >= _AHEAD // 2 or self._ahead[-1:] in _LEAVING):
                    await asyncio.sleep_ms(5)
            except MemoryError:
                gc.collect()
                await asyncio.sleep_ms(100)

    def _take(self, stdin, poller):
        """What has been typed so far."""
        while poller.poll(0):
            data = stdin.read(1)
            if not data:  # the far end is gone
                return
            if data == b"\x03" and self._task:
                self._task.cancel()
                self._ahead = bytearray()
            elif len(self._ahead) < _AHEAD:
                self._ahead.extend(data)
            else:
                self._lost += 1
            if not self._task and (len(self._ahead) >= _AHEAD // 2 or data in _LEAVING):
                return

    async def _key(self, c):
        event = self._line.key(c)
        if event == ENTER:
            text = self._line.text
            if text:
                self._remember(text)
            source = self._block + text
            if not source.strip() or source.strip()[0] == "#" and "\n" not in source:
                self._block = ""
            elif lend("door.python").is_complete(source):
                self._block = ""
                await self._execute(source)
            else:
                self._block = source + "\n"
            if self._left is None:
                self._line.begin(MORE if self._block else PROMPT)
        elif event == INTERRUPT:
            if self._line.text or self._block:
                self._block = ""
                self._line.write("\n")
                self._line.begin(PROMPT)
            else:
                self._line.write("\n")
                self._left = "repl"
        elif event == RAW or event == END:
            if self._block:
                return
            self._line.write("\n")
            self._left = "restart" if event == END else "repl"
        elif event == TAB:
            self._tab()

    def _remember(self, text):
        for key in self._config.secrets:
            if key in text:
                return  # what Up shows again must not be a password
        self._line.remember(text)

    def _tab(self):
        line = self._line
        before = line.text[: line.at]
        if not before.strip():
            line.insert("    ")
            return
        try:
            typed, names = lend("door.python").complete(before, self._names, self._config.keys())
        except Exception:  # an attribute that objects to being looked at
            return
        if not names:
            return
        common = names[0]
        for name in names[1:]:
            while not name.startswith(common):
                common = common[:-1]
        if len(common) > len(typed):
            line.insert(common[len(typed) :])
        elif len(names) > 1:
            line.hide()
            line.write("  ".join(names[:60]) + "\n")
            line.redraw()

    # --- Running what was typed.

    async def _execute(self, source):
        self._held_ms = 0
        try:
            value = self._begin(source)
            if self._task is not None:
                value = await self._finish()
            await self._show(value)
        except SystemExit as e:  # machine.soft_reset(), sys.exit()
            self._left = e
            return
        except Mistake as e:
            await self._write("%s\n" % e)
        except KeyboardInterrupt:
            self._line.write("KeyboardInterrupt\n")
        except BaseException as e:
            if isinstance(e, MemoryError):
                await self._make_room()
            await self._trace(e)
        if self._held_ms > _HOLD_MS:
            await self._write("(that line held the intercom for %d ms)\n" % self._held_ms)
        if self._lost:
            lost, self._lost = self._lost, 0
            await self._write("(%d characters typed meanwhile are lost)\n" % lost)

    async def _make_room(self):
        """After a MemoryError. When what the person made fills the heap, it is let go: the door comes first."""
        self._spare = None
        micropython.kbd_intr(-1)
        gc.collect()
        try:
            bytearray(_ENOUGH)
        except MemoryError:
            own = [n for n in self._names if n not in self._first]
            for name in own:
                del self._names[name]
            gc.collect()
            if own:
                await self._write("The memory was full: the names that were made here are gone.\n")
        self._spare = bytes(_SPARE)

    def _begin(self, source):
        """Compiles and runs a line. One with `await` becomes `_task`, which runs on beside everything else."""
        start = ticks_ms()
        micropython.kbd_intr(3)
        try:
            function, is_awaited = lend("door.python").compiled(source, self._names)
            if not is_awaited:
                return function()
        finally:
            micropython.kbd_intr(-1)
            self._hold(start)
        self._task = asyncio.create_task(self._stepped(function()))

    def _hold(self, start):
        self._held_ms = max(self._held_ms, ticks_diff(ticks_ms(), start))

    async def _finish(self):
        """Waits for the task, printing what the door says meanwhile. -> its value, or raises what it raised."""
        task = self._task
        try:
            while not task.done():
                await self._flush()
                if task.done():
                    break
                self._wake.clear()
                await self._wake.wait()
            is_ok, value = await task
        except asyncio.CancelledError:
            is_ok, value = False, KeyboardInterrupt()
        finally:
            self._task = None
        if not is_ok:
            raise value
        return value

    async def _stepped(self, coroutine):
        """Runs it step by step: each is timed, and only within one can Ctrl-C interrupt. -> (True, value) or
        (False, exception)."""
        try:
            return True, await _Steps(self, coroutine)
        except asyncio.CancelledError:
            return False, KeyboardInterrupt()
        except BaseException as e:
            return False, e
        finally:
            self._wake.set()

    async def _trace(self, error):
        """A traceback, without the console's own frames."""
        text = StringIO()
        sys.print_exception(error, text)
        for line in text.getvalue().rstrip().split("\n"):
            if "door/console" not in line and "door/python" not in line:
                await self._write(line + "\n")

    async def _show(self, value):
        if value is None:
            return
        self._names["_"] = value
        if isinstance(value, Lines):
            for text in value:
                await self._write(text + "\n")
        else:
            start = ticks_ms()
            text = repr(value)
            self._hold(start)
            await self._write(text + "\n")


class _Steps:
    def __init__(self, console, coroutine):
        self.console = console
        self.coroutine = coroutine

    def __iter__(self):
        coroutine = self.coroutine
        error = None
        while True:
            start = ticks_ms()
            micropython.kbd_intr(3)
            try:
                if error is None:
                    step = coroutine.send(None)
                else:
                    step = coroutine.throw(error)
                error = None
            except StopIteration as e:
                return e.value
            finally:
                micropython.kbd_intr(-1)
                self.console._hold(start)
            try:
                yield step
            except BaseException as e:
                error = e
