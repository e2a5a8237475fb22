"""What the console does with a line when Enter is pressed, and when a line that it awaited has ended. Loaded for the moment by
lend(): while a line is awaited only steps.py is there."""

import asyncio
import micropython
from time import ticks_diff, ticks_ms

from lend import lend, sweep
from micropython import const

from .config import Mistake
from .console import Lines

_TURN_MS = const(2)
_HOLD_MS = const(20)  # a packet's time: who holds the loop longer is heard in the call


async def enter(console):
    """Takes a line, or the end of a block, runs it if it is whole, and shows the next prompt. A line with `await` is then the
    console's task; when it is done this is called again."""
    if console.task is not None:
        task, console.task = console.task, None
        try:
            outcome = await task
        except asyncio.CancelledError:
            outcome = False, asyncio.CancelledError(), 0
        await _tell(console, *outcome)
    else:
        text = console.line.text
        if text and not [k for k in console.config.secrets.split(" ") if k in text]:
            lend("door.keys").remember(console.line, text)  # what Up shows again must not be a password
        source = console.block + text
        console.block = ""
        if not source.strip() or source.strip()[0] == "#" and "\n" not in source:
            pass
        elif lend("door.python").is_complete(source):
            outcome = _run(console, source)
            if outcome:
                await _tell(console, *outcome)
        else:
            console.block = source + "\n"
    if console.left is None and console.task is None:
        console.line.begin("door... " if console.block else "door>>> ")


def _run(console, source):
    """Compiles and runs a line. One with `await` becomes a task, which runs on beside everything else: -> None, else what
    steps.stepped() gives."""
    start = ticks_ms()
    function = None
    is_ok = is_awaited = False
    micropython.kbd_intr(3)
    try:
        function, is_awaited = lend("door.python").compiled(source, console.names)
        sweep()  # what compiled it makes room, so that what the line begins does not lie scattered about
        value = function()
        is_ok = True
    except BaseException as e:
        value = e
        if isinstance(e, MemoryError):
            console.make_room()  # at once, for what tells of it
    finally:
        micropython.kbd_intr(-1)
    held_ms = ticks_diff(ticks_ms(), start)
    if not is_ok or not is_awaited:
        return is_ok, value, held_ms
    console.task = asyncio.create_task(lend("door.steps").stepped(value, held_ms))


async def _tell(console, is_ok, value, held_ms):
    """What a line gave, or raised."""
    if is_ok:
        try:
            held_ms = max(held_ms, await _show(console, value))
        except BaseException as e:
            is_ok, value = False, e
    if not is_ok:
        if isinstance(value, SystemExit):  # machine.soft_reset(), sys.exit()
            console.left = value
            return
        if isinstance(value, Mistake):
            await console.write("%s\n" % value)
        elif isinstance(value, (KeyboardInterrupt, asyncio.CancelledError)):
            console.line.write("KeyboardInterrupt\n")
        else:
            if isinstance(value, MemoryError):
                console.make_room()
            for text in lend("door.fault").traceback(value).split("\n"):
                if not [own for own in ("console", "enter", "steps", "python") if '"door.%s"' % own in text]:
                    await console.write(text + "\n")
    if held_ms > _HOLD_MS:
        await console.write("(that line held the intercom for %d ms)\n" % held_ms)
    if console.lost:
        lost, console.lost = console.lost, 0
        await console.write("(%d characters typed meanwhile are lost)\n" % lost)


async def _show(console, value):
    """-> for how many ms that held everything."""
    held_ms = 0
    if isinstance(value, Lines):
        for text in value:
            if text is not None:
                await console.write(text + "\n")
            await asyncio.sleep_ms(_TURN_MS)  # what is read slowly, or takes its time to be made, holds up nobody
    elif value is not None:
        if not getattr(value, "is_passing", False):
            console.names["_"] = value
        start = ticks_ms()
        text = repr(value)
        held_ms = ticks_diff(ticks_ms(), start)
        await console.write(text + "\n")
    return held_ms
