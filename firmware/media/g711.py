"""G.711: PCMU and PCMA, one byte a sample (ITU-T G.711; RFC 3551 4.5.14).

Bit for bit what CPython's `audioop` makes of every input. A table answers each sample with one look-up, which is the
fewest instructions a sample; the tables are small because only quiet samples need fine cells:

    encoding, 0.5 KiB magnitudes: cells of 128, then those of 8 (mu-law) or 16 (A-law) near zero; a sign is a bit of the code
    decoding, 0.5 KiB 256 samples

tables.py makes them, once a call.
"""

import micropython


@micropython.viper
def encode_ulaw(samples: ptr16, codes: ptr8, table: ptr8, n: int):
    """n (even) 16-bit samples to n mu-law bytes."""
    while n:
        x = samples[0]
        sign = x >> 8 & 128
        x = 65671 - x if sign else x + 132
        codes[0] = table[x >> 7 if x >> 11 else (x >> 3) + 256] ^ sign
        x = samples[1]
        sign = x >> 8 & 128
        x = 65671 - x if sign else x + 132
        codes[1] = table[x >> 7 if x >> 11 else (x >> 3) + 256] ^ sign
        samples = ptr16(uint(samples) + 4)
        codes = ptr8(uint(codes) + 2)
        n -= 2


@micropython.viper
def encode_alaw(samples: ptr16, codes: ptr8, table: ptr8, n: int):
    """n (even) 16-bit samples to n A-law bytes."""
    while n:
        x = samples[0]
        sign = x >> 8 & 128
        if sign:
            x = 65535 - x
        codes[0] = table[x >> 7 if x >> 11 else (x >> 4) + 256] ^ sign
        x = samples[1]
        sign = x >> 8 & 128
        if sign:
            x = 65535 - x
        codes[1] = table[x >> 7 if x >> 11 else (x >> 4) + 256] ^ sign
        samples = ptr16(uint(samples) + 4)
        codes = ptr8(uint(codes) + 2)
        n -= 2


@micropython.viper
def decode(codes: ptr8, at: int, samples: ptr16, to: int, table: ptr16, n: int):
    """n (a multiple of 4) bytes from codes[at] on to n samples, in offset binary as the table is, from samples[to] on."""
    codes = ptr8(uint(codes) + uint(at))
    samples = ptr16(uint(samples) + uint(to << 1))
    while n:
        samples[0] = table[codes[0]]
        samples[1] = table[codes[1]]
        samples[2] = table[codes[2]]
        samples[3] = table[codes[3]]
        codes = ptr8(uint(codes) + 4)
        samples = ptr16(uint(samples) + 8)
        n -= 4
