"""Between the 16 kHz of I2S and the 8 kHz of G.711: a half-band FIR of 47 taps, both ways.

Flat to 3.4 kHz within 0.02 dB, 57 dB down from 4.6 kHz on (what would fold below 3.4 kHz), -6 dB at 4 kHz; 1.44 ms of
delay. Every second tap of a half-band filter is zero and the rest is symmetric, so a sample costs 12 products. The taps
(Q15, equiripple; they sum to exactly 1) stand in the code: a constant is cheaper than a load. Products and sums are
meant modulo 2^32; the true sum fits, as the taps' magnitudes add up to 54,672 (x 32,768 < 2^31). Samples come in offset
binary, as the taps sum to a power of two: what they make of the offset is the one that the result is to have.
"""

import micropython


@micropython.viper
def decimate(words: ptr16, samples: ptr16, n: int):
    """2 n samples at 16 kHz in offset binary, with 46 older ones before them, to n signed samples at 8 kHz."""
    while n:
        x = (
            (words[22] + words[24]) * 10397
            - (words[20] + words[26]) * 3347
            + (words[18] + words[28]) * 1876
            - (words[16] + words[30]) * 1208
            + (words[14] + words[32]) * 816
            - (words[12] + words[34]) * 556
            + (words[10] + words[36]) * 375
            - (words[8] + words[38]) * 246
            + (words[6] + words[40]) * 155
            - (words[4] + words[42]) * 92
            + (words[2] + words[44]) * 49
            - (words[0] + words[46]) * 27
            + ((words[23] + 1) << 14)
        )
        x = (x >> 15) & 0x1FFFF
        if x >> 16:
            x = 65535 if x < 98304 else 0
        samples[0] = x ^ 32768
        words = ptr16(uint(words) + 4)
        samples = ptr16(uint(samples) + 2)
        n -= 1


@micropython.viper
def interpolate(words: ptr16, samples: ptr16, at: int, n: int):
    """n samples at 8 kHz in offset binary, with 23 older ones before them, to 2 n signed ones at 16 kHz, samples[at..]."""
    samples = ptr16(uint(samples) + uint(at << 1))
    while n:
        x = (
            (words[11] + words[12]) * 10397
            - (words[10] + words[13]) * 3347
            + (words[9] + words[14]) * 1876
            - (words[8] + words[15]) * 1208
            + (words[7] + words[16]) * 816
            - (words[6] + words[17]) * 556
            + (words[5] + words[18]) * 375
            - (words[4] + words[19]) * 246
            + (words[3] + words[20]) * 155
            - (words[2] + words[21]) * 92
            + (words[1] + words[22]) * 49
            - (words[0] + words[23]) * 27
        )
        x = ((x + 8192) >> 14) & 0x3FFFF
        if x >> 16:
            x = 65535 if x < 163840 else 0
        samples[0] = x ^ 32768
        samples[1] = words[12] ^ 32768
        words = ptr16(uint(words) + 2)
        samples = ptr16(uint(samples) + 4)
        n -= 1


@micropython.viper
def turn(source: ptr16, at: int, samples: ptr16, to: int, n: int):
    """n (a multiple of 4) samples from source[at] on, signed ones to offset binary or back, to samples[to..]."""
    source = ptr16(uint(source) + uint(at << 1))
    samples = ptr16(uint(samples) + uint(to << 1))
    while n:
        samples[0] = source[0] ^ 32768
        samples[1] = source[1] ^ 32768
        samples[2] = source[2] ^ 32768
        samples[3] = source[3] ^ 32768
        source = ptr16(uint(source) + 8)
        samples = ptr16(uint(samples) + 8)
        n -= 4


@micropython.viper
def copy(samples: ptr16, to: int, source: ptr16, at: int, n: int):
    """n (any, 0 too) 16-bit samples from source[at] to samples[to]; within one array only towards its beginning."""
    samples = ptr16(uint(samples) + uint(to << 1))
    source = ptr16(uint(source) + uint(at << 1))
    while n > 3:
        samples[0] = source[0]
        samples[1] = source[1]
        samples[2] = source[2]
        samples[3] = source[3]
        samples = ptr16(uint(samples) + 8)
        source = ptr16(uint(source) + 8)
        n -= 4
    while n:
        samples[0] = source[0]
        samples = ptr16(uint(samples) + 2)
        source = ptr16(uint(source) + 2)
        n -= 1


@micropython.viper
def fill(samples: ptr16, at: int, n: int, value: int):
    """n 16-bit samples from samples[at] on become value."""
    samples = ptr16(uint(samples) + uint(at << 1))
    while n > 3:
        samples[0] = value
        samples[1] = value
        samples[2] = value
        samples[3] = value
        samples = ptr16(uint(samples) + 8)
        n -= 4
    while n:
        samples[0] = value
        samples = ptr16(uint(samples) + 2)
        n -= 1
