"""A transform of 384 real samples in 16 bits, for the echo canceller: radix 3 and 4, in place, nothing allocated.

A block is array("H") of 384 words: 192 complex numbers (real, imaginary) of two samples each, with 16384 added, magnitudes up to
8192. `forward` leaves their spectrum, divided by 256, where `order` says; `inverse` makes samples of that, times 3/4. `split` takes
the spectrum of the 384 samples out of it, `join` puts one in: array("H") of 386 words with 16384 added, first what is at 0 and
at 4 kHz, which is real, then in pairs bin k and bin 192 - k for k from 1 to 96. turn: a turn in 384 steps, sine times 16384, the
same added.

What is busiest in a kernel is its first three arguments, as these have registers: some are there for that alone.
"""

import math
from array import array

import micropython


def turn():
    """-> the table of sines."""
    return array("H", [16384 + int(16384 * math.sin(i * math.pi / 192) + 16384.5) - 16384 for i in range(384)])


def order():
    """-> 192 bytes: where bin k lies."""
    return bytes([k % 3 << 6 | (k // 3 & 3) << 4 | k // 3 & 12 | k // 48 for k in range(192)])


@micropython.viper
def forward(a: ptr16, x: int, y: int, turn: ptr16):
    """a: the block; x, y: anything."""
    block = ptr16(a)
    bias = 1 << 29  # more is no small int
    bias += bias + 32768
    # Three parts of 64
    j = 0
    while j < 64:
        i = j + j
        s1 = int(turn[i]) - 16384
        c1 = int(turn[i + 96]) - 16384
        s2 = int(turn[i + i]) - 16384
        c2 = int(turn[i + i + 96]) - 16384
        x = int(a[128])
        y = int(a[256])
        pr = x + y
        qr = x - y
        x = int(a[129])
        y = int(a[257])
        pi = x + y
        qi = x - y
        x = int(a[0])
        mr = x - (pr >> 1)
        a[0] = (x + pr + 16386) >> 2
        x = int(a[1])
        mi = x - (pi >> 1)
        a[1] = (x + pi + 16386) >> 2
        qr = qr * 14189 >> 14
        qi = qi * 14189 >> 14
        x = mr + qi
        y = mi - qr
        a[128] = (x * c1 + y * s1 + bias) >> 16
        a[129] = (y * c1 - x * s1 + bias) >> 16
        x = mr - qi
        y = mi + qr
        a[256] = (x * c2 + y * s2 + bias) >> 16
        a[257] = (y * c2 - x * s2 + bias) >> 16
        a = ptr16(uint(a) + 4)
        j += 1
    # Each by fours
    j = 0
    while j < 16:
        i = j * 6
        s1 = int(turn[i]) - 16384
        c1 = int(turn[i + 96]) - 16384
        s2 = int(turn[i + i]) - 16384
        c2 = int(turn[i + i + 96]) - 16384
        i += i + i
        s3 = int(turn[i]) - 16384
        c3 = int(turn[i + 96]) - 16384
        a = ptr16(uint(block) + uint(j << 2))
        k = 3
        while k:
            x = int(a[0])
            y = int(a[64])
            pr = x + y
            mr = x - y
            x = int(a[1])
            y = int(a[65])
            pi = x + y
            mi = x - y
            x = int(a[32])
            y = int(a[96])
            qr = x + y
            nr = x - y
            x = int(a[33])
            y = int(a[97])
            qi = x + y
            ni = x - y
            a[0] = (pr + qr + 2) >> 2
            a[1] = (pi + qi + 2) >> 2
            x = mr + ni
            y = mi - nr
            a[32] = (x * c1 + y * s1 + bias) >> 16
            a[33] = (y * c1 - x * s1 + bias) >> 16
            x = pr - qr
            y = pi - qi
            a[64] = (x * c2 + y * s2 + bias) >> 16
            a[65] = (y * c2 - x * s2 + bias) >> 16
            x = mr - ni
            y = mi + nr
            a[96] = (x * c3 + y * s3 + bias) >> 16
            a[97] = (y * c3 - x * s3 + bias) >> 16
            a = ptr16(uint(a) + 256)
            k -= 1
        j += 1
    j = 0
    while j < 4:
        i = j * 24
        s1 = int(turn[i]) - 16384
        c1 = int(turn[i + 96]) - 16384
        s2 = int(turn[i + i]) - 16384
        c2 = int(turn[i + i + 96]) - 16384
        i += i + i
        s3 = int(turn[i]) - 16384
        c3 = int(turn[i + 96]) - 16384
        a = ptr16(uint(block) + uint(j << 2))
        k = 12
        while k:
            x = int(a[0])
            y = int(a[16])
            pr = x + y
            mr = x - y
            x = int(a[1])
            y = int(a[17])
            pi = x + y
            mi = x - y
            x = int(a[8])
            y = int(a[24])
            qr = x + y
            nr = x - y
            x = int(a[9])
            y = int(a[25])
            qi = x + y
            ni = x - y
            a[0] = (pr + qr + 2) >> 2
            a[1] = (pi + qi + 2) >> 2
            x = mr + ni
            y = mi - nr
            a[8] = (x * c1 + y * s1 + bias) >> 16
            a[9] = (y * c1 - x * s1 + bias) >> 16
            x = pr - qr
            y = pi - qi
            a[16] = (x * c2 + y * s2 + bias) >> 16
            a[17] = (y * c2 - x * s2 + bias) >> 16
            x = mr - ni
            y = mi + nr
            a[24] = (x * c3 + y * s3 + bias) >> 16
            a[25] = (y * c3 - x * s3 + bias) >> 16
            a = ptr16(uint(a) + 64)
            k -= 1
        j += 1
    a = ptr16(block)
    k = 48
    while k:
        x = int(a[0])
        y = int(a[4])
        pr = x + y + 2
        mr = x - y + 65538
        x = int(a[1])
        y = int(a[5])
        pi = x + y + 2
        mi = x - y + 65538
        x = int(a[2])
        y = int(a[6])
        qr = x + y
        nr = x - y
        x = int(a[3])
        y = int(a[7])
        qi = x + y
        ni = x - y
        a[0] = (pr + qr) >> 2
        a[1] = (pi + qi) >> 2
        a[2] = (mr + ni) >> 2
        a[3] = (mi - nr) >> 2
        a[4] = (pr - qr + 65536) >> 2
        a[5] = (pi - qi + 65536) >> 2
        a[6] = (mr - ni) >> 2
        a[7] = (mi + nr) >> 2
        a = ptr16(uint(a) + 16)
        k -= 1


@micropython.viper
def inverse(a: ptr16, x: int, y: int, turn: ptr16):
    """a: the block, whose samples must fit; x, y: anything."""
    block = ptr16(a)
    k = 48
    while k:
        x = int(a[0])
        y = int(a[4])
        pr = x + y - 16384
        mr = x - y + 16384
        x = int(a[1])
        y = int(a[5])
        pi = x + y - 16384
        mi = x - y + 16384
        x = int(a[2])
        y = int(a[6])
        qr = x + y - 32768
        nr = x - y
        x = int(a[3])
        y = int(a[7])
        qi = x + y - 32768
        ni = x - y
        a[0] = pr + qr
        a[1] = pi + qi
        a[2] = mr - ni
        a[3] = mi + nr
        a[4] = pr - qr
        a[5] = pi - qi
        a[6] = mr + ni
        a[7] = mi - nr
        a = ptr16(uint(a) + 16)
        k -= 1
    j = 0
    while j < 4:
        # What 16384 in each number adds to a product goes with the rounding.
        i = j * 24
        s1 = int(turn[i]) - 16384
        c1 = int(turn[i + 96]) - 16384
        m1 = 8192 - (c1 - s1 << 14)
        n1 = 8192 - (c1 + s1 << 14)
        s2 = int(turn[i + i]) - 16384
        c2 = int(turn[i + i + 96]) - 16384
        m2 = 8192 - (c2 - s2 << 14)
        n2 = 8192 - (c2 + s2 << 14)
        i += i + i
        s3 = int(turn[i]) - 16384
        c3 = int(turn[i + 96]) - 16384
        m3 = 8192 - (c3 - s3 << 14)
        n3 = 8192 - (c3 + s3 << 14)
        a = ptr16(uint(block) + uint(j << 2))
        k = 12
        while k:
            x = int(a[16])
            y = int(a[17])
            nr = (x * c2 - y * s2 + m2) >> 14
            ni = (y * c2 + x * s2 + n2) >> 14
            x = int(a[0])
            pr = x + nr
            mr = x - nr
            x = int(a[1])
            pi = x + ni
            mi = x - ni
            x = int(a[8])
            y = int(a[9])
            qr = (x * c1 - y * s1 + m1) >> 14
            qi = (y * c1 + x * s1 + n1) >> 14
            x = int(a[24])
            y = int(a[25])
            nr = (x * c3 - y * s3 + m3) >> 14
            ni = (y * c3 + x * s3 + n3) >> 14
            x = qr - nr
            y = qi - ni
            qr += nr
            qi += ni
            a[0] = pr + qr
            a[1] = pi + qi
            a[8] = mr - y
            a[9] = mi + x
            a[16] = pr - qr
            a[17] = pi - qi
            a[24] = mr + y
            a[25] = mi - x
            a = ptr16(uint(a) + 64)
            k -= 1
        j += 1
    j = 0
    while j < 16:
        # What 16384 in each number adds to a product goes with the rounding.
        i = j * 6
        s1 = int(turn[i]) - 16384
        c1 = int(turn[i + 96]) - 16384
        m1 = 8192 - (c1 - s1 << 14)
        n1 = 8192 - (c1 + s1 << 14)
        s2 = int(turn[i + i]) - 16384
        c2 = int(turn[i + i + 96]) - 16384
        m2 = 8192 - (c2 - s2 << 14)
        n2 = 8192 - (c2 + s2 << 14)
        i += i + i
        s3 = int(turn[i]) - 16384
        c3 = int(turn[i + 96]) - 16384
        m3 = 8192 - (c3 - s3 << 14)
        n3 = 8192 - (c3 + s3 << 14)
        a = ptr16(uint(block) + uint(j << 2))
        k = 3
        while k:
            x = int(a[64])
            y = int(a[65])
            nr = (x * c2 - y * s2 + m2) >> 14
            ni = (y * c2 + x * s2 + n2) >> 14
            x = int(a[0])
            pr = x + nr
            mr = x - nr
            x = int(a[1])
            pi = x + ni
            mi = x - ni
            x = int(a[32])
            y = int(a[33])
            qr = (x * c1 - y * s1 + m1) >> 14
            qi = (y * c1 + x * s1 + n1) >> 14
            x = int(a[96])
            y = int(a[97])
            nr = (x * c3 - y * s3 + m3) >> 14
            ni = (y * c3 + x * s3 + n3) >> 14
            x = qr - nr
            y = qi - ni
            qr += nr
            qi += ni
            a[0] = pr + qr
            a[1] = pi + qi
            a[32] = mr - y
            a[33] = mi + x
            a[64] = pr - qr
            a[65] = pi - qi
            a[96] = mr + y
            a[97] = mi - x
            a = ptr16(uint(a) + 256)
            k -= 1
        j += 1
    a = ptr16(block)
    j = 0
    while j < 64:
        i = j + j
        s1 = int(turn[i]) - 16384
        c1 = int(turn[i + 96]) - 16384
        s2 = int(turn[i + i]) - 16384
        c2 = int(turn[i + i + 96]) - 16384
        x = int(a[128]) - 16384
        y = int(a[129]) - 16384
        pr = (x * c1 - y * s1 + 8192) >> 14
        pi = (y * c1 + x * s1 + 8192) >> 14
        x = int(a[256]) - 16384
        y = int(a[257]) - 16384
        qr = (x * c2 - y * s2 + 8192) >> 14
        qi = (y * c2 + x * s2 + 8192) >> 14
        x = (pr - qr) * 14189 >> 14
        y = (pi - qi) * 14189 >> 14
        pr += qr
        pi += qi
        mr = int(a[0]) - (pr >> 1)
        mi = int(a[1]) - (pi >> 1)
        a[0] = int(a[0]) + pr
        a[1] = int(a[1]) + pi
        a[128] = mr - y
        a[129] = mi + x
        a[256] = mr + y
        a[257] = mi - x
        a = ptr16(uint(a) + 4)
        j += 1


@micropython.viper
def split(bins: ptr16, x: int, y: int, block: ptr16, turn: ptr16, order: ptr8):
    """The spectrum of 384 real samples out of what `forward` left in block, to bins. x, y: anything."""
    x = int(block[0])
    y = int(block[1])
    bins[0] = x + y - 16384
    bins[1] = x - y + 16384
    bins = ptr16(uint(bins) + 4)
    k = 1
    while k < 97:
        s = int(turn[k]) - 16384
        c = int(turn[k + 96]) - 16384
        a = ptr16(uint(block) + uint(int(order[k]) << 2))
        b = ptr16(uint(block) + uint(int(order[192 - k]) << 2))
        x = int(a[0])
        y = int(b[0])
        pr = x + y
        qr = x - y
        x = int(a[1])
        y = int(b[1])
        pi = x - y
        qi = x + y - 32768
        x = (c * qi - s * qr + 8192) >> 14
        y = (c * qr + s * qi + 8192) >> 14
        bins[0] = (pr + x) >> 1
        bins[1] = (pi - y + 32768) >> 1
        bins[2] = (pr - x) >> 1
        bins[3] = (32768 - pi - y) >> 1
        bins = ptr16(uint(bins) + 8)
        k += 1


@micropython.viper
def join(bins: ptr16, x: int, y: int, block: ptr16, turn: ptr16, order: ptr8):
    """A spectrum as `split` gives it into block, for `inverse`. x, y: anything."""
    x = int(bins[0])
    y = int(bins[1])
    block[0] = (x + y) >> 1
    block[1] = (x - y + 32768) >> 1
    bins = ptr16(uint(bins) + 4)
    k = 1
    while k < 97:
        s = int(turn[k]) - 16384
        c = int(turn[k + 96]) - 16384
        a = ptr16(uint(block) + uint(int(order[k]) << 2))
        b = ptr16(uint(block) + uint(int(order[192 - k]) << 2))
        x = int(bins[0])
        y = int(bins[2])
        pr = x + y
        qr = x - y
        x = int(bins[1])
        y = int(bins[3])
        pi = x - y
        qi = x + y - 32768
        x = (c * qi + s * qr + 8192) >> 14
        y = (c * qr - s * qi + 8192) >> 14
        a[0] = (pr - x) >> 1
        a[1] = (pi + y + 32768) >> 1
        b[0] = (pr + x) >> 1
        b[1] = (y - pi + 32768) >> 1
        bins = ptr16(uint(bins) + 8)
        k += 1
