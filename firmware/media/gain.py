"""Level: the microphone's 32 bits to 16, DC away; the speaker's volume. Both saturate, neither wraps."""

import micropython
from micropython import const

MIDDLE = const(1 << 28)  # state[0] of `condition` to begin with


def microphone_gain(gain_db):
    """-> (factor, shift) for `condition`: 0 dB hands over the upper 16 of the 32 bits. -60 to 48 dB, else ValueError."""
    if not -60 <= gain_db <= 48:
        raise ValueError("microphone gain: %s dB is not between -60 and 48" % gain_db)
    factor = 10 ** (gain_db / 20) / 16  # of 20 bits to 16
    shift = 0
    while factor < 512:  # keep ten significant bits: 20 + 1 + 10 stay within 32
        factor *= 2
        shift += 1
    return min(int(factor + 0.5), 1023), shift


def volume_gain(volume_db):
    """-> factor for `volume`, 4096 for 0 dB. -60 to 18 dB, else ValueError."""
    if not -60 <= volume_db <= 18:
        raise ValueError("speaker volume: %s dB is not between -60 and 18" % volume_db)
    return int(4096 * 10 ** (volume_db / 20) + 0.5)


@micropython.viper
def condition(raw: ptr32, words: ptr32, at: int, n: int, state: ptr32):
    """n raw 32-bit samples, less their mean, times factor >> shift, saturated to 16 bits, to words[at..].

    state, array("i"): 512 times the mean, which follows with 5 Hz at 16 kHz (MIDDLE for none); then factor and shift of
    `microphone_gain`. The upper 20 bits count: 120 dB, more than any MEMS microphone has.
    """
    words = ptr32(uint(words) + uint(at << 2))
    mean = int(state[0])
    factor = int(state[1])
    shift = int(state[2])
    half = 1 << (shift - 1)
    while n:
        # Offset binary, and so is the mean: 32-bit loads carry no sign on 64-bit machines.
        x = (((raw[0] >> 12) & 0xFFFFF) ^ 0x80000) - (mean >> 9)
        mean += x
        x = (x * factor + half) >> shift
        if (x + 32768) >> 16:
            x = 32767 if x > 0 else -32768
        words[0] = x
        raw = ptr32(uint(raw) + 4)
        words = ptr32(uint(words) + 4)
        n -= 1
    state[0] = mean


@micropython.viper
def volume(words: ptr32, at: int, n: int, factor: int):
    """n words of 16-bit range from words[at] on, times factor / 4096 (factor up to 2^15), saturated, in place."""
    words = ptr32(uint(words) + uint(at << 2))
    while n:
        # Right whether the load was signed or not: bits 12 to 31 of the product are the same.
        x = ((words[0] * factor >> 12) + 32768) & 0xFFFFF
        if x >> 16:
            x = 65535 if x < 0x80000 else 0
        words[0] = x - 32768
        words = ptr32(uint(words) + 4)
        n -= 1


@micropython.viper
def move(words: ptr32, to: int, at: int, n: int):
    """n words from words[at] to words[to]; to < at when they overlap."""
    target = ptr32(uint(words) + uint(to << 2))
    source = ptr32(uint(words) + uint(at << 2))
    while n > 3:
        target[0] = source[0]
        target[1] = source[1]
        target[2] = source[2]
        target[3] = source[3]
        target = ptr32(uint(target) + 16)
        source = ptr32(uint(source) + 16)
        n -= 4
    while n:
        target[0] = source[0]
        target = ptr32(uint(target) + 4)
        source = ptr32(uint(source) + 4)
        n -= 1


@micropython.viper
def clear(words: ptr32, at: int, n: int):
    """n words (a multiple of 4) from words[at] on become 0."""
    words = ptr32(uint(words) + uint(at << 2))
    while n:
        words[0] = 0
        words[1] = 0
        words[2] = 0
        words[3] = 0
        words = ptr32(uint(words) + 16)
        n -= 4
