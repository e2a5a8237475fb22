"""The tables of G.711, made when a call agrees on its codec. Lent for that moment; the kernels that use them are in g711.py."""

from array import array

from . import g711


def encoder(payload_type):
    """The kernel that goes with `encoding_table(payload_type)`."""
    return g711.encode_alaw if payload_type else g711.encode_ulaw


def silence(payload_type):
    """The byte for silence."""
    return 0xD5 if payload_type else 0xFF


def _magnitude(x, least):
    # The code of a magnitude without its sign: three bits of segment, four within. A-law's segments 0 and 1 have the same
    # step, so its least is 1.
    segment = 0
    while x >> segment + 8:
        segment += 1
    return min(segment << 4 | x >> max(segment, least) + 3 & 15, 127)


def encoding_table(payload_type, table=None):
    """The table `encoder(payload_type)` wants, payload type 0 PCMU or 8 PCMA; into `table` (1 KiB) if one is given."""
    if table is None:
        table = bytearray(1024)
    # Cells of negative samples mirror those of positive ones. A-law is ones' complement: one row of coarse cells from
    # -32768 to 32767 and one of fine ones from -2048 to 2047, both turned round. Mu-law has a bias of 33 << 2 = 132, and
    # its negative cells are off by -8: four rows, coarse and fine, positive and negative.
    if payload_type:
        for cell in range(128):
            code = _magnitude(cell << 4, 1)
            table[640 + cell] = code ^ 0xD5
            table[639 - cell] = code ^ 0x55
        for cell in range(16, 256):
            code = _magnitude(cell << 7, 1)
            table[16 + cell] = code ^ 0xD5
            table[527 - cell] = code ^ 0x55
        return table
    for cell in range(16, 273):
        code = _magnitude(cell << 3, 0)
        if cell < 256:
            table[512 + cell] = code ^ 0xFF
        if cell > 16:
            table[1040 - cell] = code ^ 0x7F
    for cell in range(16, 258):
        code = _magnitude(cell << 7, 0)
        table[cell] = code ^ 0xFF
        table[516 - cell] = code ^ 0x7F
    return table


def decoding_table(payload_type, table=None):
    """The table `decode` wants: 256 samples in offset binary; into `table`, array("H"), if one is given."""
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
        table[code] = 32768 - x if bits & 128 else 32768 + x
    return table
