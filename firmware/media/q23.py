"""The frequencies of keys (ITU-T Q.23), as inband.hear() wants them. Lent for the moment."""

import math
from array import array

from micropython import const

_BIAS = const(0x100000)  # of inband.py, as all places are
_WORDS = const(118)
_VECTORS = const(18)
_TONES = const(66)


def detector():
    """-> array("i"), what inband.hear() begins with."""
    state = array("i", bytes(4 * _WORDS))
    for at in range(_VECTORS, _TONES):
        state[at] = _BIAS
    at = _TONES
    for hz in (697, 770, 852, 941, 1209, 1336, 1477, 1633):
        turn = 2 * math.pi * hz / 8000  # a sample
        state[at] = _BIAS + round(4096 * math.cos(40 * turn))
        state[at + 1] = _BIAS + round(4096 * math.sin(40 * turn))
        state[at + 2] = round(256 * math.tan(40 * turn * 0.021))
        state[at + 3] = _BIAS + round(32768 * math.cos(turn * (3 if hz < 1000 else 2)))
        at += 4
    return state
