"""G.711: PCMU and PCMA, one byte a sample (ITU-T G.711; RFC 3551 4.5.14).

Bit for bit what CPython's `audioop` makes of every input. A table answers each sample with one look-up, which is the
fewest instructions a sample; the tables are small because only quiet samples need fine cells:

    encoding, 1 KiB   cells of 8 (mu-law) or 16 (A-law) near zero, cells of 128 elsewhere
    decoding, 1 KiB   256 words, signed, 16-bit range, 32 bits wide as the kernels of resample.py like them

A table is made once a call, by `encoding_table` and `decoding_table`.
"""

import micropython
from micropython import const

PCMU = const(0)  # the payload types are the names, RFC 3551 table 4
PCMA = const(8)
SILENCE = (0xFF, 0xD5)  # what silence looks like on the wire: PCMU, PCMA

TABLE_BYTES = const(1024)


def _segment(magnitude, first):
    # The G.711 segment: how often `first` doubles before it exceeds the magnitude.
    segment = 0
    while magnitude >= first and segment < 8:
        first <<= 1
        segment += 1
    return segment


def ulaw(sample):
    """The mu-law byte of one 16-bit sample."""
    magnitude = sample >> 2
    mask = 0xFF
    if magnitude < 0:
        magnitude = -magnitude
        mask = 0x7F
    magnitude = min(magnitude, 8159) + 33
    segment = _segment(magnitude, 64)
    if segment > 7:
        return 0x7F ^ mask
    return (segment << 4 | (magnitude >> (segment + 1)) & 15) ^ mask


def alaw(sample):
    """The A-law byte of one 16-bit sample."""
    magnitude = sample >> 3
    mask = 0xD5
    if magnitude < 0:
        magnitude = -magnitude - 1
        mask = 0x55
    segment = _segment(magnitude, 32)
    return (segment << 4 | (magnitude >> (segment or 1)) & 15) ^ mask


def unulaw(code):
    """The 16-bit sample of one mu-law byte."""
    code ^= 0xFF
    sample = (((code & 15) << 3) + 132 << (code >> 4 & 7)) - 132
    return -sample if code & 0x80 else sample


def unalaw(code):
    """The 16-bit sample of one A-law byte."""
    code ^= 0x55
    segment = code >> 4 & 7
    sample = ((code & 15) << 4) + 8
    if segment:
        sample = sample + 256 << (segment - 1)
    return sample if code & 0x80 else -sample


def encoding_table(payload_type, table=None):
    """The table `encoder(payload_type)` wants; into `table` (TABLE_BYTES long) if one is given."""
    if table is None:
        table = bytearray(TABLE_BYTES)
    # Each cell is asked for its lowest sample, with the sums of the kernels undone.
    if payload_type == PCMU:
        # The bias of 33 << 2 shifts the cells of positive samples by 132; those of negative ones are off by -8.
        for cell in range(16, 258):
            table[cell] = ulaw((cell << 7) - 132)
        for cell in range(259, 500):
            table[cell] = ulaw(max((cell << 7) - 504 - 65536, -32768))
        for cell in range(528, 768):
            table[cell] = ulaw(max((cell << 3) - 4228, 0))
        for cell in range(768, 1024):
            table[cell] = ulaw((cell - 768 << 3) - 2048)
    else:
        # Ones' complement has no such steps: one row of cells from -32768 to 32767, one from -2048 to 2047.
        for cell in range(512):
            table[cell] = alaw(((cell << 7) + 30720 & 0xFFFF) - 32768)
        for cell in range(512, 768):
            table[cell] = alaw((cell - 512 << 4) - 2048)
    return table


def decoding_table(payload_type, table):
    """Fill `table`, array("i") of 256, for `decode`."""
    one = unulaw if payload_type == PCMU else unalaw
    for code in range(256):
        table[code] = one(code)
    return table


def encoder(payload_type):
    """The kernel that goes with `encoding_table(payload_type)`."""
    return encode_ulaw if payload_type == PCMU else encode_alaw


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
def decode(codes: ptr8, at: int, samples: ptr32, to: int, table: ptr32, n: int):
    """n (a multiple of 4) bytes from codes[at] on to n 32-bit words from samples[to] on, by the table's law."""
    codes = ptr8(uint(codes) + uint(at))
    samples = ptr32(uint(samples) + uint(to << 2))
    while n:
        samples[0] = table[codes[0]]
        samples[1] = table[codes[1]]
        samples[2] = table[codes[2]]
        samples[3] = table[codes[3]]
        codes = ptr8(uint(codes) + 4)
        samples = ptr32(uint(samples) + 16)
        n -= 4
