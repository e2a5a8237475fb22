"""G.711: PCMU and PCMA, one byte a sample (ITU-T G.711; RFC 3551 4.5.14).

Bit for bit what CPython's `audioop` makes of every input. A table answers each sample with one look-up, which is the
fewest instructions a sample; the tables are small because only quiet samples need fine cells:

    encoding, 1 KiB   cells of 8 (mu-law) or 16 (A-law) near zero, cells of 128 elsewhere
    decoding, 0.5 KiB 256 samples

tables.py makes them, once a call.
"""

import micropython


@micropython.viper
def encode_ulaw(samples: ptr16, codes: ptr8, table: ptr8, n: int):
    """n (even) 16-bit samples to n mu-law bytes."""
    while n:
        x = samples[0]
        if x >> 15:
            if x >> 11 == 31:
                codes[0] = table[(x - 57344) >> 3]
            else:
                codes[0] = table[(x + 504) >> 7]
        else:
            x += 132
            if x >> 11:
                codes[0] = table[x >> 7]
            else:
                codes[0] = table[(x + 4096) >> 3]
        x = samples[1]
        if x >> 15:
            if x >> 11 == 31:
                codes[1] = table[(x - 57344) >> 3]
            else:
                codes[1] = table[(x + 504) >> 7]
        else:
            x += 132
            if x >> 11:
                codes[1] = table[x >> 7]
            else:
                codes[1] = table[(x + 4096) >> 3]
        samples = ptr16(uint(samples) + 4)
        codes = ptr8(uint(codes) + 2)
        n -= 2


@micropython.viper
def encode_alaw(samples: ptr16, codes: ptr8, table: ptr8, n: int):
    """n (even) 16-bit samples to n A-law bytes."""
    while n:
        x = (samples[0] + 2048) & 0xFFFF
        if x >> 12:
            codes[0] = table[x >> 7]
        else:
            codes[0] = table[(x + 8192) >> 4]
        x = (samples[1] + 2048) & 0xFFFF
        if x >> 12:
            codes[1] = table[x >> 7]
        else:
            codes[1] = table[(x + 8192) >> 4]
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
