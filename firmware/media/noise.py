"""Comfort noise as RFC 3389 describes it: a level, and the shape of its spectrum by reflection coefficients."""

import micropython
from micropython import const

_SEED = const(45)  # of the state, see jitter.py
_AMPLITUDE = const(46)  # of the white noise before its spectrum is shaped
_ORDER = const(47)
_COEFFICIENTS = const(48)  # seven of them, Q14, and seven delays
_DELAYS = const(56)
_MOST = const(7)


@micropython.viper
def learn(s: ptr32, packet: ptr8, at: int, n: int):
    """Take a payload of n bytes: -dBov, then a byte a reflection coefficient (RFC 3389 3). More than seven are not heard."""
    level = packet[at] & 127
    # Evenly spread noise has 1 / sqrt(3) of its peak; six decibels are a shift.
    amplitude = 56756 >> level // 6
    level %= 6
    while level:
        amplitude = amplitude * 29205 >> 15
        level -= 1
    if amplitude > 32767:
        amplitude = 32767
    if n > _MOST + 1:
        n = _MOST + 1
    i = 0
    while i < n - 1:
        k = (packet[at + 1 + i] - 127) * 128
        if k > 16000:
            k = 16000
        s[_COEFFICIENTS + i] = k + 16384
        # What a stage adds in power is taken off before: the square root of 1 - k * k.
        rest = 16384 - (k * k >> 14)
        root = 16384
        steps = 0
        while steps < 12:
            root = (root + rest * 16384 // root) >> 1
            steps += 1
        amplitude = amplitude * root >> 14
        i += 1
    s[_ORDER] = i
    while i < _MOST:
        s[_COEFFICIENTS + i] = 16384
        i += 1
    s[_AMPLITUDE] = amplitude


@micropython.viper
def fill(s: ptr32, pcm: ptr16, at: int, n: int):
    """n samples of it to pcm[at..], in offset binary."""
    pcm = ptr16(uint(pcm) + uint(at << 1))
    seed = int(s[_SEED])
    amplitude = int(s[_AMPLITUDE])
    order = int(s[_ORDER])
    while n:
        seed = (seed * 20077 + 12345) & 0xFFFFFF
        x = (((seed >> 8) & 0xFFFF) - 32768) * amplitude >> 15
        i = order - 1
        while i >= 0:
            # The lattice's stages from the last to the first (delays and coefficients are kept without a sign)
            k = int(s[_COEFFICIENTS + i]) - 16384
            back = int(s[_DELAYS + i]) - 65536
            x -= k * back >> 14
            back += k * x >> 14
            if i + 1 < order:
                s[_DELAYS + 1 + i] = back + 65536
            i -= 1
        if x > 32767:
            x = 32767
        if x < -32768:
            x = -32768
        s[_DELAYS] = x + 65536
        pcm[0] = x + 32768
        pcm = ptr16(uint(pcm) + 2)
        n -= 1
    s[_SEED] = seed
