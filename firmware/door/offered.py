"""An address at which a phone may fetch its account, while it is open: in the heap for as long as that, and so it is short.
What is done with whoever comes is in provision.py."""

import asyncio
import gc
from time import ticks_add, ticks_diff, ticks_ms

from lend import lend
from micropython import const

_OPEN_MS = const(600000)
_LOOK_MS = const(100)


async def offer(door, offered):
    """A task, with what it is in door._offered: the socket, the path and the account. Until that was fetched, ten minutes are over,
    or it is offered no more."""
    ready = lend("sip.sockets").ready(offered[0])
    ends = ticks_add(ticks_ms(), _OPEN_MS)
    words = "Nobody has fetched the account of %s in ten minutes: its address is closed."
    while door._offered is offered and ticks_diff(ends, ticks_ms()) > 0:
        came = False
        for _ in ready(0):
            came = True
        if came:
            try:
                if await lend("door.provision").take(door, offered):
                    words = "%s has fetched its account: that address is closed."
                    break
            except MemoryError:  # who waits there is looked at again
                gc.collect()
        await asyncio.sleep_ms(_LOOK_MS)
    if door._offered is offered:
        lend("door.provision").end(door)
        door.say(words % offered[2][3])
