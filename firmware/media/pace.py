"""Whether this machine has the time and the room for a wideband call. Lent for the moment, once."""

import gc
from time import ticks_diff, ticks_us

from micropython import const

from . import resample

# What a tick of such a call takes, in decimations of 20 ms, whose cost is known (of instructions: 32,000 to 560,000); and how
# much of the 20 ms it may take, so that the rest of the door has its turn.
_TICK = const(18)
_MOST_US = const(12000)
_ROOM = const(40000)  # bytes free between calls: what a bare ESP32 has left is for the calls themselves


def is_enough(stream):
    """True if it has. `stream` is one that is not open: its buffers are used."""
    gc.collect()
    if gc.mem_free() < _ROOM:
        return False
    least_us = _MOST_US
    for _ in range(5):  # the best: interrupts come in between
        start = ticks_us()
        resample.decimate(stream._mic, stream._scratch, 160)
        least_us = min(least_us, ticks_diff(ticks_us(), start))
    return least_us * _TICK <= _MOST_US
