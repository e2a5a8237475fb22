"""What a door has from its start, and how it ends. Loaded for the moment by lend()."""

import asyncio
import gc
import sys

from lend import is_roomy, lend
from micropython import const

_WATCHDOG_MS = const(20000)
_OFTEN = 16384 if sys.maxsize >> 31 else 8192  # bytes; where pointers have 32 bits, half


def prepare(door):
    """Its state, with relay and light at rest and the buttons heard."""
    import wiring
    from board.pins import Button, Output

    door._wiring = wiring
    door._relay = Output(wiring.RELAY)
    door._light = Output(wiring.LIGHT)
    door._console = None
    door._network = None
    door._agent = None
    door._registration = None
    door._trouble = ""  # why there is no registration, when that is not the registrar's word
    door._stream = None
    door._sound = None  # the task that plays it
    door._port = 0  # of the sound
    door._call = None
    door._offered = None  # the address at which a phone may fetch its account; see offered.py
    door._last = ""  # how the last call ended
    door._keys = {}  # what keypad.py knows
    door._relay_until = 0
    door._closing = False  # a tone tells the visitor that the call failed
    door._deadline = 0  # when that ends, or nobody has answered, or the talk is too long; that is in force if _limit
    door._limit = 0
    door._silent = False
    door._reports = 0  # of silence in this call
    door._refused = ""  # who was refused last
    door._refusal = b""  # and with what words
    door._refused_s = 0  # and when the console may be told of another
    door._renew = 0  # 1: register again, 2: connect again; at _renew_at
    door._renew_at = 0
    door._moved = False  # sip.port is another
    door._said = ""
    door._up_s = 0
    door._faults = 0
    door._buttons = []
    for i, spec in enumerate(wiring.BUTTONS):
        door._buttons.append(Button(spec, door._pressed, i))


def begin(door, namespace):
    """Watchdog and console, with the prompt's names."""
    from .console import Console

    door._feed = lend("board.system").watchdog(_WATCHDOG_MS)
    door._console = Console(namespace, door.config, lend("door.words").banner(door))
    for words in door.config.words:
        door.say(words)
    # Often on a small heap: what stays then fills the holes low down, and large pieces remain; but not several times for each
    # file that is lent, which sweeps by itself. Seldom on megabytes of PSRAM, where a collection takes a tenth of a second:
    # a call collects when it ends, and hardly one is so long that it must.
    gc.threshold(gc.mem_free() // 2 if is_roomy else max(_OFTEN, gc.mem_free() // 16))


async def stop(door, tasks):
    """The way out: calls have ended when it returns."""
    for task in tasks:
        task.cancel()
    agent, door._agent = door._agent, None
    door._call = None
    if door._offered:
        lend("door.provision").end(door)
    if agent:
        if agent.house and agent.house.owner.saving:
            lend("door.bindings").save(agent.house)
        await agent.stop()
    door._stop_sound()
    await asyncio.sleep_ms(40)  # what was cancelled ends
