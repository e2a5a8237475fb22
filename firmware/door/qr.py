"""QR codes for a terminal: ISO/IEC 18004:2015, bytes only, versions 1 to 6. Loaded for the moment by lend().

A row of modules is an integer, bit 0 for its first, 1 for dark; a column too, for it is judged as a row is. What goes on for
more than a moment is done in pieces, between which others have their turn."""

from micropython import const

# For each version: bytes of error correction in a block; then how many blocks (table 9).
_LOW = const(b"\x07\x0a\x0f\x14\x1a\x12\x01\x01\x01\x01\x01\x02")
_MEDIUM = const(b"\x0a\x10\x1a\x12\x18\x10\x01\x01\x01\x02\x02\x04")
_VERSIONS = const(6)
_FINDER = const(b"\x7f\x41\x5d\x5d\x5d\x41\x7f")
_ALIGNMENT = const(b"\x1f\x11\x15\x11\x1f")
_QUIET = const(4)  # modules all around that are light (6.3.8)
# White on black, whatever the terminal's own colours: of its 256 those two that no theme changes. Light modules are what is
# drawn, so that a terminal without colours shows it right if it is a dark one.
_COLOURS = const("\x1b[38;5;231;48;5;16m%s\x1b[0m")
# U+2588, U+2580 and U+2584 in UTF-8, behind _BLOCK: all of it is light, the upper half, the lower
_BLOCKS = const(b"\x88\x80\x84")
_BLOCK = const(b"\xe2\x96")


def lines(data):
    """The code of `data` (bytes) as lines of half blocks, 29 to 49 characters beside their colours, and None where others may
    have their turn. ValueError if there are more than 134 bytes."""
    rows = None
    for rows in table(data):
        yield None
    size = len(rows) + 2 * _QUIET
    for y in range(-_QUIET, size - _QUIET, 2):
        upper = rows[y] << _QUIET if 0 <= y < len(rows) else 0
        # The rows are odd in number: the lower half of the last line stays as the ground is.
        lower = rows[y + 1] << _QUIET if 0 <= y + 1 < len(rows) else -(y + 1 + _QUIET == size)
        line = bytearray()
        for x in range(size):
            block = (upper >> x & 1) * 2 + (lower >> x & 1)
            if block == 3:
                line.append(32)
            else:
                line.extend(_BLOCK)
                line.append(_BLOCKS[block])
        yield _COLOURS % line.decode()


def table(data):
    """Yields None after each piece of the work, at last the rows, a list of integers. Level M where the smallest version has
    room for it, else L. ValueError as above."""
    n = len(data) + 2
    for version in range(1, _VERSIONS + 1):
        size = 17 + 4 * version
        # Table 1: all but the patterns and the format; of versions from 2 on an alignment pattern
        total = ((16 * version + 128) * version + 64 - (25 if version > 1 else 0)) // 8
        level, table = (0, _MEDIUM) if n <= total - _MEDIUM[version - 1] * _MEDIUM[version - 1 + _VERSIONS] else (1, _LOW)
        extra, blocks = table[version - 1], table[version - 1 + _VERSIONS]
        if n <= total - extra * blocks:
            break
    else:
        raise ValueError("a QR code of more than 134 bytes is not made here")
    words = None
    for words in _codewords(data, total - extra * blocks, extra, blocks):
        yield None
    rows, free = _patterns(size)
    columns = rows[:]  # the patterns look the same from both sides
    for _ in _place(rows, columns, free, words):
        yield None
    best = least = None
    for mask in range(8):
        points = None
        for points in _penalty(rows, columns, free, mask):
            yield None
        if least is None or points < least:
            best, least = mask, points
    covers = _pattern(best, False)
    rows = [rows[y] ^ covers[y % 12] & free[y] for y in range(size)]
    _format(rows, level << 3 | best)
    yield rows


def _codewords(data, room, check_bytes, block_count):
    """Yields None after each piece of the work, at last `data` in `room` bytes, in `block_count` blocks with `check_bytes` of
    error correction each, in the order in which they are placed (7.4 to 7.6)."""
    words = bytearray()
    half = len(data)
    words.append(0x40 | half >> 4)
    for byte in data:
        words.append((half & 15) << 4 | byte >> 4)
        half = byte
    words.append((half & 15) << 4)
    pad = 0xEC
    while len(words) < room:
        words.append(pad)
        pad ^= 0xEC ^ 0x11
    powers = bytearray(255)  # of 2, modulo x^8 + x^4 + x^3 + x^2 + 1
    logs = bytearray(256)
    x = 1
    for i in range(255):
        powers[i] = x
        logs[x] = i
        x = x << 1 ^ (0x11D if x & 0x80 else 0)
    divisor = bytearray(check_bytes)  # (x - 1)(x - 2)(x - 4)..., without its first coefficient
    divisor[-1] = 1
    for i in range(check_bytes):
        for j in range(check_bytes):
            if divisor[j]:
                divisor[j] = powers[(logs[divisor[j]] + i) % 255]
            if j + 1 < check_bytes:
                divisor[j] ^= divisor[j + 1]
        if not i & 7:
            yield None
    size = room // block_count
    out = bytearray(room + check_bytes * block_count)
    rest = bytearray(check_bytes + 1)
    for block in range(block_count):
        for j in range(check_bytes):
            rest[j] = 0
        for k in range(size):
            byte = words[block * size + k]
            out[k * block_count + block] = byte
            byte ^= rest[0]
            if not k & 7:
                yield None
            for j in range(check_bytes):
                rest[j] = rest[j + 1] ^ (powers[(logs[divisor[j]] + logs[byte]) % 255] if byte else 0)
        for k in range(check_bytes):
            out[room + k * block_count + block] = rest[k]
    yield out


def _patterns(size):
    """-> (rows with the patterns, rows with 1 where data goes)."""
    rows = [0] * size
    free = [(1 << size) - 65] * size  # 6.3.5: column 6 is a timing pattern
    for i in range(9):
        free[i] &= (1 << size - 8) - 512
        if i < 8:
            free[-1 - i] &= -512
    free[6] = 0
    for i in range(8, size - 8, 2):
        rows[6] |= 1 << i
        rows[i] |= 64
    for i in range(7):
        rows[i] |= _FINDER[i] | _FINDER[i] << size - 7
        rows[size - 7 + i] |= _FINDER[i]
    if size > 21:
        for i in range(5):
            rows[size - 9 + i] |= _ALIGNMENT[i] << size - 9
            free[size - 9 + i] &= ~(31 << size - 9)
    return rows, free


def _place(rows, columns, free, words):
    """A generator: puts the bits in pairs of columns from the right, up and down (7.7.3)."""
    n = 0
    size = len(rows)
    for x in range(size - 1, 0, -2):
        x -= x < 7  # the timing pattern
        for i in range(size):
            y = i if x + 1 & 2 else size - 1 - i
            for at in (x, x - 1):
                if free[y] >> at & 1:
                    if n < 8 * len(words) and words[n >> 3] << (n & 7) & 128:
                        rows[y] |= 1 << at
                        columns[at] |= 1 << y
                    n += 1
        yield


def _pattern(mask, across):
    """A mask (table 10): 12 rows of it, after which it begins again, 48 modules each; or `across`, its columns."""
    rows = []
    for y in range(12):
        bits = 0
        for x in range(12):
            i, j = (x, y) if across else (y, x)
            if mask < 4:
                light = i + j & 1 if mask == 0 else i & 1 if mask == 1 else j % 3 if mask == 2 else (i + j) % 3
            elif mask == 4:
                light = i // 2 + j // 3 & 1
            else:
                light = i * j % 3 + (i + j if mask == 7 else i * j) % 2
                light &= 3 if mask == 5 else 1
            if not light:
                bits |= 0x1001001001 << x
        rows.append(bits)
    return rows


def _penalty(rows, columns, free, mask):
    """Yields None after each piece of the work, at last the points of a mask (7.8.3.1, table 11)."""
    size = len(rows)
    every = (1 << size - 1) - 1
    points = dark = 0
    for lines in (rows, columns):
        covers = _pattern(mask, lines is columns)
        before = 0
        for y in range(size):
            line = lines[y] ^ covers[y % 12] & free[y]
            # 1 where a module is as the next one
            same = ~(line ^ line >> 1) & every
            five = same & same >> 1 & same >> 2 & same >> 3
            if five:
                points += _ones(five) + 2 * _ones(five & ~(five >> 1))
            if lines is rows:
                dark += _ones(line)
                before = ~(before ^ line)
                if y:
                    points += 3 * _ones(before & before >> 1 & same)
                before = line
            if not y & 7:
                yield None
            # What is dark and light as a finder pattern is, if it has a light margin on one side
            finder = line & ~line >> 1 & line >> 2 & line >> 3 & line >> 4 & ~line >> 5 & line >> 6
            while finder:
                at = len(bin(finder & -finder)) - 3
                finder &= -16 << at
                if not line << 4 >> at & 15 or not line >> at + 7 & 15:
                    points += 40
                    finder &= -128 << at
    yield points + abs(2 * dark - size * size) * 10 // (size * size) * 10


def _ones(bits):
    return bin(bits).count("1")


def _format(rows, bits):
    """Level and mask with their error correction, twice (7.9, figure 25), and the module that is always dark."""
    rest = bits << 10
    for i in range(14, 9, -1):
        if rest >> i & 1:
            rest ^= 0x537 << i - 10
    bits = (bits << 10 | rest) ^ 0x5412
    for i in range(15):
        if bits >> i & 1:
            if i < 8:
                rows[i + (i > 5)] |= 1 << 8
                rows[8] |= 1 << len(rows) - 1 - i
            else:
                rows[8] |= 1 << 14 - i + (i == 8)
                rows[i - 15] |= 1 << 8
    rows[-8] |= 1 << 8
