"""The air between the virtual board's loudspeaker and its microphone: what is played comes back so much later and softer.

Loaded only when tools/virtual_board.py is given --echo: "DELAY_FRAMES FACTOR FILE", the factor of 32768, the file the loudspeaker's.
"""

import micropython
import os
import time

_delay, _factor, _path = os.getenv("VIRTUAL_BOARD_ECHO").split(" ", 2)
_delay = int(_delay)
_factor = int(_factor)
_played = open(_path, "rb")
_piece = bytearray(512)


@micropython.viper
def _mix(heard: ptr32, played: ptr16, n: int, factor: int):
    while n:
        heard[0] = int(heard[0]) + ((((int(played[0]) ^ 32768) - 32768) * factor) << 1)
        heard = ptr32(uint(heard) + 4)
        played = ptr16(uint(played) + 2)
        n -= 1


def add(rx, tx, rate_hz, buf, at, n):
    """To n bytes from buf[at] on, which are rx's next, what tx played when they were heard."""
    import uctypes

    place = uctypes.addressof(buf) + at
    frame = rx._pos + time.ticks_diff(rx._t0, tx._t0) * rate_hz // 1000000 - _delay
    n >>= 2
    if frame < 0:
        return
    _played.seek(tx._base + 2 * frame)
    while n:
        got = _played.readinto(_piece, min(512, 2 * n)) >> 1
        if not got:
            return
        _mix(uctypes.bytearray_at(place, 4 * got), _piece, got, _factor)
        place += 4 * got
        n -= got
