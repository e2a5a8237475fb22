"""Level: the microphone's 32 bits to 16, DC away; the speaker's volume. Both saturate, neither wraps. And a sine.

Samples on their way are 16 bits in offset binary, 0 to 65535 with 32768 for silence: a load of 16 bits knows no sign.
What fits decibels to these kernels is in levels.py.
"""

import micropython


@micropython.viper
def condition(raw: ptr32, samples: ptr16, at: int, n: int, state: ptr32):
    """n raw 32-bit samples, less their mean, times factor >> shift, saturated to 16 bits, to samples[at..].

    state, array("i"): 512 times the mean, which follows with 5 Hz at 16 kHz (1 << 28 for none); then factor and shift of
    `microphone_gain`. The upper 20 bits count: 120 dB, more than any MEMS microphone has.
    """
    samples = ptr16(uint(samples) + uint(at << 1))
    mean = int(state[0])
    factor = int(state[1])
    shift = int(state[2])
    half = 1 << (shift - 1)
    while n:
        # Offset binary, and so is the mean: 32-bit loads carry no sign on 64-bit machines.
        x = (((raw[0] >> 12) & 0xFFFFF) ^ 0x80000) - (mean >> 9)
        mean += x
        x = ((x * factor + half) >> shift) + 32768
        if x >> 16:
            x = 65535 if x > 0 else 0
        samples[0] = x
        raw = ptr32(uint(raw) + 4)
        samples = ptr16(uint(samples) + 2)
        n -= 1
    state[0] = mean


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
