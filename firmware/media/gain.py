"""Level: the microphone's 32 bits to 16, without hum; the speaker's volume. All saturate, none wraps. And a sine.

Samples on their way are 16 bits in offset binary, 0 to 65535 with 32768 for silence: a load of 16 bits knows no sign.
What fits decibels to these kernels is in levels.py.
"""

import micropython


@micropython.viper
def condition(raw: ptr32, samples: ptr16, at: int, n: int, state: ptr32):
    """n raw 32-bit samples at 16 kHz through a high-pass, times factor >> shift, saturated to 16 bits, to samples[at..].

    The high-pass is a state-variable filter of second order: 3 dB down at 118 Hz, 12.7 dB at 60 Hz and 15.9 at 50, all of a
    DC offset; within 0.2 dB above 200 Hz. Its gain of 0.28 dB is taken back by `microphone_gain`.

    state, array("i"): the low-pass output (3 << 28 at first), factor and shift of `microphone_gain`, the band-pass output
    (1 << 29 at first). 29 bits count, the upper 20 of them in what comes out: 120 dB, more than any MEMS microphone has.
    """
    samples = ptr16(uint(samples) + uint(at << 1))
    # 32-bit loads carry no sign on 64-bit machines: x is in offset binary, the low-pass settles at its middle, and what
    # may be below 0 is kept 1 << 29 higher than it is.
    low = int(state[0]) - 0x20000000
    factor = int(state[1])
    shift = int(state[2])
    band = int(state[3]) - 0x20000000
    half = (1 << shift) >> 1
    while n:
        # No product and no sum reaches 32 bits: the responses' magnitudes add up to 1.3, 1.5 and 2.6 times 2^28.
        low += (band >> 7) * 5
        x = (((raw[0] >> 3) & 0x1FFFFFFF) ^ 0x10000000) - low - band
        band += x >> 4
        x = ((((x + 256) >> 9) * factor + half) >> shift) + 32768
        if x >> 16:
            x = 65535 if x > 0 else 0
        samples[0] = x
        raw = ptr32(uint(raw) + 4)
        samples = ptr16(uint(samples) + 2)
        n -= 1
    state[0] = low + 0x20000000
    state[3] = band + 0x20000000


@micropython.viper
def volume(samples: ptr16, at: int, n: int, factor: int):
    """n samples from samples[at] on, times factor / 4096 (factor up to 2^15), saturated, in place."""
    samples = ptr16(uint(samples) + uint(at << 1))
    while n:
        x = ((samples[0] - 32768) * factor >> 12) + 32768
        if x >> 16:
            x = 65535 if x > 0 else 0
        samples[0] = x
        samples = ptr16(uint(samples) + 2)
        n -= 1


@micropython.viper
def sine(samples: ptr16, at: int, n: int, phase: int, step: int, level: int, slide: int) -> int:
    """n samples of a sine to samples[at..], loudness from level (up to 32767) by slide a sample; -> the next phase.

    A turn is 65536. A parabola, bent once: third harmonic 60 dB down, no table.
    """
    samples = ptr16(uint(samples) + uint(at << 1))
    while n:
        x = phase & 32767
        x = x * (32768 - x) >> 13
        x = x * (25395 + (7373 * x >> 15)) >> 15
        x = x * level >> 15
        samples[0] = 32768 - x if phase & 32768 else 32768 + x
        samples = ptr16(uint(samples) + 2)
        phase = (phase + step) & 65535
        level += slide
        n -= 1
    return phase


@micropython.viper
def mix(how: int, samples: ptr16, at: int, n: int, source: ptr16):
    """n samples of source over those from samples[at] on, saturated.

    how: 1 where samples are signed, not in offset binary, plus 2 where source is; plus 4 k to make what is in samples 2^k
    times quieter.
    """
    samples = ptr16(uint(samples) + uint(at << 1))
    sign = (how & 1) << 15
    other = (how & 2) << 14
    how >>= 2
    while n:
        x = (((samples[0] ^ sign) - 32768) >> how) + (source[0] ^ other)
        if x >> 16:
            x = 65535 if x > 0 else 0
        samples[0] = x ^ sign
        samples = ptr16(uint(samples) + 2)
        source = ptr16(uint(source) + 2)
        n -= 1
