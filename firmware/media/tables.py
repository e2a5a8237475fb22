"""The tables of G.711, made when a call agrees on its codec. Lent for that moment; the kernels that use them are in g711.py."""

from array import array

from . import g711
from .resample import fill


def encoder(payload_type):
    """The kernel that goes with `encoding_table(payload_type)`."""
    return g711.encode_alaw if payload_type else g711.encode_ulaw


def _magnitude(x, least):
    # The code of a magnitude without its sign: three bits of segment, four within. A-law's segments 0 and 1 have the same
    # step, so its least is 1.
    segment = 0
    while x >> segment + 8:
        segment += 1
    return min(segment << 4 | x >> max(segment, least) + 3 & 15, 127)


def encoding_table(payload_type, table=None):
    """The table `encoder(payload_type)` wants, payload type 0 PCMU or 8 PCMA; into `table` (512 bytes) if one is given."""
    if table is None:
        table = bytearray(512)
    # The codes of what is not negative. A-law is ones' complement; mu-law has a bias of 33 << 2 = 132, and what is negative is
    # rounded the other way, 3 more: its largest is one cell further, which the fine cells below the bias leave free.
    invert = 0xD5 if payload_type else 0xFF
    for cell in range(256):
        table[cell] = _magnitude(cell << 7, payload_type >> 3) ^ invert
    for cell in range(256):
        table[256 + cell] = _magnitude(cell << (4 if payload_type else 3), payload_type >> 3) ^ invert
    if not payload_type:
        table[256] = table[257] = 0x80
    return table


def decoding_table(payload_type, table=None):
    """The table `decode` wants: 256 samples in offset binary; into `table` (512 bytes) if one is given."""
    if table is None:
        table = array("H", bytes(512))
    for code in range(256):
        if payload_type:
            bits = code ^ 0xD5
            segment = bits >> 4 & 7
            x = ((bits & 15) << 4) + 8
            if segment:
                x = x + 256 << segment - 1
        else:
            bits = code ^ 0xFF
            x = (((bits & 15) << 3) + 132 << (bits >> 4 & 7)) - 132
        fill(table, code, 1, 32768 - x if bits & 128 else 32768 + x)
    return table
