"""G.711: PCMU and PCMA, one byte a sample (ITU-T G.711; RFC 3551 4.5.14).

Bit for bit what CPython's `audioop` makes of every input. A table answers each sample with one look-up, which is the
fewest instructions a sample; the tables are small because only quiet samples need fine cells:

    encoding, 1 KiB   cells of 8 (mu-law) or 16 (A-law) near zero, cells of 128 elsewhere
    decoding, 0.5 KiB 256 samples

A table is made once a call, by `encoding_table` and `decoding_table`.
"""

from array import array

import micropython
from micropython import const

PCMU = const(0)  # the payload types are the names, RFC 3551 table 4
PCMA = const(8)
SILENCE = (0xFF, 0xD5)  # what silence looks like on the wire: PCMU, PCMA

TABLE_BYTES = const(1024)


@micropython.viper
def ulaw(sample: int) -> int:
    """The mu-law byte of one 16-bit sample."""
    magnitude = sample >> 2
    mask = 0xFF
    if magnitude < 0:
        magnitude = 0 - magnitude
        mask = 0x7F
    magnitude += 33
    if magnitude > 8191:
        magnitude = 8191
    segment = 0
    while magnitude >> (segment + 6):
        segment += 1
    return (segment << 4 | (magnitude >> (segment + 1)) & 15) ^ mask


@micropython.viper
def alaw(sample: int) -> int:
    """The A-law byte of one 16-bit sample."""
    magnitude = sample >> 3
    mask = 0xD5
    if magnitude < 0:
        magnitude = -1 - magnitude
        mask = 0x55
    segment = 0
    while magnitude >> (segment + 5):
        segment += 1
    step = segment if segment else 1
    return (segment << 4 | (magnitude >> step) & 15) ^ mask


@micropython.viper
def _encode_cells(table: ptr8, law: int):
    # Each cell is asked for its lowest sample, with the sums of the kernels undone. Mu-law: the bias of 33 << 2 shifts the
    # cells of positive samples by 132; those of negative ones are off by -8. A-law is ones' complement and has no such
    # steps: one row of cells from -32768 to 32767, and one from -2048 to 2047.
    cell = 0
    while cell < 1024:
        if law:
            x = ((((cell << 7) + 30720) & 0xFFFF) if cell < 512 else (cell << 4) + 22528) - 32768
            table[cell] = int(alaw(x))
        else:
            if cell < 258:
                x = (cell << 7) - 132
            elif cell < 512:
                x = (cell << 7) - 66040
            elif cell < 768:
                x = (cell << 3) - 4228
                if x < 0:
                    x = 0
            else:
                x = (cell << 3) - 8192
            table[cell] = int(ulaw(x))
        cell += 1


@micropython.viper
def _decode_cells(table: ptr16, law: int):
    code = 0
    while code < 256:
        if law:
            bits = code ^ 0x55
            segment = (bits >> 4) & 7
            x = ((bits & 15) << 4) + 8
            if segment:
                x = (x + 256) << (segment - 1)
            sign = 128 - (bits & 128)
        else:
            bits = code ^ 0xFF
            x = ((((bits & 15) << 3) + 132) << ((bits >> 4) & 7)) - 132
            sign = bits & 128
        table[code] = 0 - x if sign else x
        code += 1


def encoding_table(payload_type, table=None):
    """The table `encoder(payload_type)` wants; into `table` (TABLE_BYTES long) if one is given."""
    if table is None:
        table = bytearray(TABLE_BYTES)
    _encode_cells(table, payload_type)
    return table


def decoding_table(payload_type, table=None):
    """The table `decode` wants; into `table`, array("h") of 256, if one is given."""
    if table is None:
        table = array("h", bytes(512))
    _decode_cells(table, payload_type)
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
def decode(codes: ptr8, at: int, samples: ptr32, to: int, table: ptr16, n: int):
    """n (a multiple of 4) bytes from codes[at] on to n 32-bit words from samples[to] on, by the table's law."""
    codes = ptr8(uint(codes) + uint(at))
    samples = ptr32(uint(samples) + uint(to << 2))
    while n:
        samples[0] = (table[codes[0]] ^ 0x8000) - 0x8000
        samples[1] = (table[codes[1]] ^ 0x8000) - 0x8000
        samples[2] = (table[codes[2]] ^ 0x8000) - 0x8000
        samples[3] = (table[codes[3]] ^ 0x8000) - 0x8000
        codes = ptr8(uint(codes) + 4)
        samples = ptr32(uint(samples) + 16)
        n -= 4
