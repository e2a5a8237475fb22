"""Silence is not sent (RFC 3551 4.1): what goes in its place. Imported when the configuration wants it."""

from micropython import const

from .resample import copy

_ALIVE = const(125)  # frames: something goes every 2.5 s, for NATs on the way and the patience of the other side
_PACE = const(10)  # frames between two words on how loud it is
# of the state of level.frame
_HANG = const(10)
_NOISE = const(14)
_FULL = const(26773000)  # 64 times the mean magnitude, as there, of noise whose effective value is 32768


class Quiet:
    """frame() for each frame of 20 ms, before it is sent. Where the other side takes comfort noise (RFC 3389), silence begins
    with a packet that says how loud it is, and others follow when that changes by 2 dB, or after 2.5 s; elsewhere a frame as
    it is goes every 2.5 s."""

    def __init__(self):
        self.packet = bytearray(13)  # what is to be sent in place of a frame, if its payload type is not 0
        self._frames = 0  # of this pause
        self._last = 0  # of them, when something was sent
        self._told = 0

    def frame(self, sound, state, noise):
        """`sound`: the packet that this frame would be, with its header; `state`: that of level.frame; `noise`: the payload type of
        comfort noise, -1 for none. -> True: do not send it."""
        self.packet[1] = 0
        if state[_HANG]:
            self._frames = 0
            return False
        self._frames += 1
        since = self._frames - self._last
        if self._frames > 1 and since < _ALIVE and (noise < 0 or since < _PACE or not self._is_other(state[_NOISE])):
            return True
        self._last = self._frames
        if noise < 0:
            return self._frames == 1
        self._told = state[_NOISE]
        copy(self.packet, 0, sound, 0, 6)
        self.packet[1] = noise
        self.packet[12] = minus_dbov(self._told)
        return True

    def _is_other(self, noise):
        return noise * 4 > self._told * 5 or noise * 5 < self._told * 4


def minus_dbov(magnitude):
    """-> how far below the largest (a square wave's, RFC 3389 3) noise of this mean magnitude times 16 is, 0 to 127 dB"""
    x = max(magnitude, 1) << 6
    steps = 0
    while x < _FULL:  # 1.023 dB each
        x += x >> 3
        steps += 1
    return min(steps * 1023 // 1000, 127)
