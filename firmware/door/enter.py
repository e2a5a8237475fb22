"""What the console does with a line when Enter is pressed. Loaded for the moment by lend(), and there as long as the line
runs."""

import asyncio
import gc
import micropython
from time import ticks_diff, ticks_ms

from lend import lend
from micropython import const

from .config import Mistake
from .console import Lines

_HOLD_MS = const(20)  # a packet's time: who holds the loop longer is heard in the call


class Enter:
    """One line, or the end of a block: `await run()` takes it, runs it if it is whole, and shows the next prompt."""

    def __init__(self, console):
        self.console = console
        self.held_ms = 0

    async def run(self):
        console = self.console
        text = console.line.text
        if text and not [k for k in console.config.secrets.split(" ") if k in text]:
            lend("door.keys").remember(console.line, text)  # what Up shows again must not be a password
        source = console.block + text
        if not source.strip() or source.strip()[0] == "#" and "\n" not in source:
            console.block = ""
        elif lend("door.python").is_complete(source):
            console.block = ""
            await self.exec(source)
        else:
            console.block = source + "\n"
        if console.left is None:
            console.line.begin("door... " if console.block else "door>>> ")

    async def exec(self, source):
        console = self.console
        try:
            value = self.begin(source)
            if console.task is not None:
                value = await self._finish()
            await self.show(value)
        except SystemExit as e:  # machine.soft_reset(), sys.exit()
            console.left = e
            return
        except Mistake as e:
            await console.write("%s\n" % e)
        except KeyboardInterrupt:
            console.line.write("KeyboardInterrupt\n")
        except BaseException as e:
            if isinstance(e, MemoryError):
                console.make_room()
            for text in lend("door.fault").traceback(e).split("\n"):
                if not [own for own in ("console", "enter", "python") if '"door.%s"' % own in text]:
                    await console.write(text + "\n")
        if self.held_ms > _HOLD_MS:
            await console.write("(that line held the intercom for %d ms)\n" % self.held_ms)
        if console.lost:
            lost, console.lost = console.lost, 0
            await console.write("(%d characters typed meanwhile are lost)\n" % lost)

    def begin(self, source):
        """Compiles and runs a line. One with `await` becomes a task, which runs on beside everything else."""
        start = ticks_ms()
        micropython.kbd_intr(3)
        try:
            function, is_awaited = lend("door.python").compiled(source, self.console.names)
            gc.collect()  # what compiled it makes room, so that what the line begins does not lie scattered about
            if not is_awaited:
                return function()
        finally:
            self.hold(start)
        self.console.task = asyncio.create_task(self._stepped(function()))

    def hold(self, start):
        """A part of the line has run, since then."""
        micropython.kbd_intr(-1)
        self.held_ms = max(self.held_ms, ticks_diff(ticks_ms(), start))

    async def _finish(self):
        """Waits for the task, printing what the door says meanwhile. -> its value, or raises what it raised."""
        console = self.console
        task = console.task
        try:
            while not task.done():
                await console.flush()
                await asyncio.sleep_ms(10)
            is_ok, value = await task
        except asyncio.CancelledError:
            is_ok, value = False, KeyboardInterrupt()
        finally:
            console.task = None
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

    async def show(self, value):
        if value is None:
            return
        console = self.console
        if isinstance(value, Lines):
            for text in value:
                await console.write(text + "\n")
        else:
            if not getattr(value, "is_passing", False):
                console.names["_"] = value
            start = ticks_ms()
            text = repr(value)
            self.hold(start)
            await console.write(text + "\n")


class _Steps:
    def __init__(self, enter, coroutine):
        self.enter = enter
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
                self.enter.hold(start)
            try:
                yield step
            except BaseException as e:
                error = e
