"""Keys of the peer, as tones in its sound: what ITU-T Q.23 sends and Q.24 asks of a receiver.

Sound is taken in pieces of 5 ms. Of each, correlation with the eight frequencies gives eight vectors; three pieces, weighted 1,
2, 1 and turned to one clock, look at 15 ms, anew every 5 ms. They show a key if the strongest of each group together hold nearly
all the energy there is, and each stands still between one look and the next: it turns with the deviation of its frequency, of
which 2.1 % pass. Five such looks, of which 91 % of the energy is the pair's, one tone at most 6.5 dB above or 9.5 dB below the
other, and no harmonics: that is a key. Speech and music have theirs elsewhere too, or do not stand still.
"""

import micropython
from micropython import const

# The detector's state, array("i"). A load of 32 bits has no sign on a 64-bit machine: what may be negative has _BIAS on top.
#   0 the key of the newest look, its code and 1; 0: none   1 how many looks in a row   2 how many without the key that is held
#   3 the key that is held, likewise   4 where the newest of the three pieces' vectors are: 0, 64 or 128
#   5, 6 energy of the newest piece and the one before, in squares of 11-bit samples
#   8 to 13 of the look before: the lower tone and its vector, the higher one and its
#   14, 15, 16 in the looks that are counted: energy of the lower tone, the higher one, and in all
#   18 to 65 three times eight vectors   66 to 97 eight tones of four words: cosine and sine (Q12) of their turn in 5 ms, tangent
#   (Q8) of the turn with 2.1 %, twice the cosine (Q14) of a sample's turn of the second harmonic, the third of the lower group
#   98 to 117 a piece at 8 kHz, of sound that comes at 16 (all that is not 0 at first is in q23.py)
_BIAS = const(0x100000)

# A tone of amplitude A (of 1024, -3 dBov) has 20 A^2 of a piece's energy, 120 A^2 of a look's, and is a vector of 16.02 A.
_FAINT = const(1000)  # energy of a look in which nothing is looked for
_LEAST = const(16423)  # square of the vector of the weakest tone: -39 dBm0
_LOOK = const(41)  # times a 32nd of the energy: 60 % of it must be the pair's in each look,
_MEAN = const(62)  # 91 % in the mean
_STEADY = const(3)  # eighths of its energy that a tone must keep from look to look
_SEEN = const(5)  # looks that make a key
_GONE = const(8)  # looks without it that end one: a gap of 40 ms does, a packet of 20 ms that is lost does not
_TRIED = const(12)  # looks after which what was no key will be none


@micropython.viper
def hear(samples: ptr16, at: int, n: int, state: ptr32) -> int:
    """The next 20 ms of sound: n samples (160 at 8 kHz, 320 at 16 kHz) from samples[at] on, array("H"), offset binary. -> the
    code (0 to 15) of the key that was just recognized, -1 for none. `state`: of q23.detector()."""
    samples = ptr16(uint(samples) + uint(at << 1))
    wide = n - 160
    behind = first = samples
    shift = 2 if wide else 1
    step = uint(1 << shift)
    pressed = -1
    pieces = 4
    while pieces:
        pieces -= 1
        if wide:
            samples = ptr16(uint(state) + 392)
            n = 40
            while n:
                samples[0] = (behind[0] + behind[1]) >> 1
                samples = ptr16(uint(samples) + 2)
                behind = ptr16(uint(behind) + 4)
                n -= 1
            samples = ptr16(uint(samples) - 80)
        k = int(state[4])
        mid = ptr32(uint(state) + uint(72 + k))
        k = k - 64 if k else 128
        old = ptr32(uint(state) + uint(72 + k))
        k = k - 64 if k else 128
        state[4] = k
        now = ptr32(uint(state) + uint(72 + k))
        energy = 0
        # Around the middle of the piece cosines are even and sines odd, and two neighbours count as one.
        x = samples[20] >> 3
        y = samples[21] >> 3
        u = samples[19] >> 3
        v = samples[18] >> 3
        energy += x * x + y * y + u * u + v * v
        x += y
        u += v
        p0 = x + u - 16384
        m0 = x - u
        x = samples[22] >> 3
        y = samples[23] >> 3
        u = samples[17] >> 3
        v = samples[16] >> 3
        energy += x * x + y * y + u * u + v * v
        x += y
        u += v
        p1 = x + u - 16384
        m1 = x - u
        x = samples[24] >> 3
        y = samples[25] >> 3
        u = samples[15] >> 3
        v = samples[14] >> 3
        energy += x * x + y * y + u * u + v * v
        x += y
        u += v
        p2 = x + u - 16384
        m2 = x - u
        x = samples[26] >> 3
        y = samples[27] >> 3
        u = samples[13] >> 3
        v = samples[12] >> 3
        energy += x * x + y * y + u * u + v * v
        x += y
        u += v
        p3 = x + u - 16384
        m3 = x - u
        x = samples[28] >> 3
        y = samples[29] >> 3
        u = samples[11] >> 3
        v = samples[10] >> 3
        energy += x * x + y * y + u * u + v * v
        x += y
        u += v
        p4 = x + u - 16384
        m4 = x - u
        x = samples[30] >> 3
        y = samples[31] >> 3
        u = samples[9] >> 3
        v = samples[8] >> 3
        energy += x * x + y * y + u * u + v * v
        x += y
        u += v
        p5 = x + u - 16384
        m5 = x - u
        x = samples[32] >> 3
        y = samples[33] >> 3
        u = samples[7] >> 3
        v = samples[6] >> 3
        energy += x * x + y * y + u * u + v * v
        x += y
        u += v
        p6 = x + u - 16384
        m6 = x - u
        x = samples[34] >> 3
        y = samples[35] >> 3
        u = samples[5] >> 3
        v = samples[4] >> 3
        energy += x * x + y * y + u * u + v * v
        x += y
        u += v
        p7 = x + u - 16384
        m7 = x - u
        x = samples[36] >> 3
        y = samples[37] >> 3
        u = samples[3] >> 3
        v = samples[2] >> 3
        energy += x * x + y * y + u * u + v * v
        x += y
        u += v
        p8 = x + u - 16384
        m8 = x - u
        x = samples[38] >> 3
        y = samples[39] >> 3
        u = samples[1] >> 3
        v = samples[0] >> 3
        energy += x * x + y * y + u * u + v * v
        x += y
        u += v
        p9 = x + u - 16384
        m9 = x - u
        # 697, 770, 852, 941, 1209, 1336, 1477 and 1633 Hz, each larger by what two samples' sum lacks of it.
        x = (
            p0 * 1455 - p1 * 122 - p2 * 1566 - p3 * 1314 + p4 * 363 + p5 * 1646 + p6 * 1146 - p7 * 596 - p8 * 1692
            - p9 * 954
        )
        now[0] = (x >> 15) + _BIAS
        x = (
            m0 * 887 + m1 * 1699 + m2 * 670 - m3 * 1085 - m4 * 1665 - m5 * 441 + m6 * 1261 + m7 * 1596 + m8 * 202
            - m9 * 1411
        )
        now[1] = (x >> 15) + _BIAS
        x = (
            p0 * 1414 - p1 * 414 - p2 * 1706 - p3 * 792 + p4 * 1146 + p5 * 1603 - p6 * 13 - p7 * 1612 - p8 * 1126
            + p9 * 816
        )
        now[2] = (x >> 15) + _BIAS
        x = (
            m0 * 977 + m1 * 1668 + m2 * 202 - m3 * 1525 - m4 * 1280 + m5 * 620 + m6 * 1718 + m7 * 595 - m8 * 1298
            - m9 * 1512
        )
        now[3] = (x >> 15) + _BIAS
        x = (
            p0 * 1362 - p1 * 734 - p2 * 1701 - p3 * 49 + p4 * 1678 + p5 * 822 - p6 * 1299 - p7 * 1421 + p8 * 644
            + p9 * 1718
        )
        now[4] = (x >> 15) + _BIAS
        x = (
            m0 * 1077 + m1 * 1574 - m2 * 352 - m3 * 1736 - m4 * 448 + m5 * 1530 + m6 * 1153 - m7 * 999 - m8 * 1613
            + m9 * 255
        )
        now[5] = (x >> 15) + _BIAS
        x = (
            p0 * 1300 - p1 * 1059 - p2 * 1496 + p3 * 783 + p4 * 1641 - p5 * 479 - p6 * 1730 + p7 * 159 + p8 * 1759
            + p9 * 167
        )
        now[6] = (x >> 15) + _BIAS
        x = (
            m0 * 1185 + m1 * 1404 - m2 * 925 - m3 * 1575 + m4 * 633 + m5 * 1693 - m6 * 320 - m7 * 1752 - m8 * 4
            + m9 * 1751
        )
        now[7] = (x >> 15) + _BIAS
        x = (
            p0 * 1073 - p1 * 1766 + p2 * 65 + p3 * 1724 - p4 * 1177 - p5 * 965 + p6 * 1799 - p7 * 195 - p8 * 1673
            + p9 * 1274
        )
        now[8] = (x >> 15) + _BIAS
        x = (
            m0 * 1500 + m1 * 533 - m2 * 1843 + m3 * 656 + m4 * 1420 - m5 * 1572 - m6 * 407 + m7 * 1834 - m8 * 776
            - m9 * 1333
        )
        now[9] = (x >> 15) + _BIAS
        x = (
            p0 * 944 - p1 * 1895 + p2 * 965 + p3 * 923 - p4 * 1895 + p5 * 985 + p6 * 903 - p7 * 1894 + p8 * 1005
            + p9 * 882
        )
        now[10] = (x >> 15) + _BIAS
        x = (
            m0 * 1643 - m1 * 12 - m2 * 1631 + m3 * 1655 - m4 * 36 - m5 * 1619 + m6 * 1667 - m7 * 60 - m8 * 1607
            + m9 * 1678
        )
        now[11] = (x >> 15) + _BIAS
        x = (
            p0 * 783 - p1 * 1850 + p2 * 1737 - p3 * 516 - p4 * 1034 + p5 * 1924 - p6 * 1587 + p7 * 238 + p8 * 1263
            - p9 * 1959
        )
        now[12] = (x >> 15) + _BIAS
        x = (
            m0 * 1798 - m1 * 651 - m2 * 911 + m3 * 1892 - m4 * 1666 + m5 * 378 + m6 * 1151 - m7 * 1947 + m8 * 1500
            - m9 * 97
        )
        now[13] = (x >> 15) + _BIAS
        x = (
            p0 * 582 - p1 * 1558 + p2 * 2030 - p3 * 1846 + p4 * 1065 + p5 * 59 - p6 * 1165 + p7 * 1894 - p8 * 2011
            + p9 * 1478
        )
        now[14] = (x >> 15) + _BIAS
        x = (
            m0 * 1963 - m1 * 1328 + m2 * 265 + m3 * 885 - m4 * 1748 + m5 * 2046 - m6 * 1683 + m7 * 776 + m8 * 382
            - m9 * 1416
        )
        now[15] = (x >> 15) + _BIAS
        # Energy without the offset of 4096 that the squares had, and without a mean that is left.
        y = p0 + p1 + p2 + p3 + p4 + p5 + p6 + p7 + p8 + p9
        energy -= (y + 163840) * 8192 - 671088640
        y >>= 3
        x = int(state[6])
        y = (energy - y * y // 5 * 8) >> 4
        energy = int(state[5])
        state[6] = energy
        state[5] = y
        samples = ptr16(uint(samples) + 80)
        whole = y
        energy = x + 4 * energy + y

        key = 0
        low = high = 0
        if energy > _FAINT:
            # The strongest of each group, from three pieces: mid twice, and the two others turned towards it.
            row = column = 0
            c = s = u = v = 0
            tone = ptr32(uint(state) + 264)
            t = 0
            while t < 8:
                if t == 4:
                    c = u
                    s = v
                x = now[0]
                y = now[1]
                a = x - old[0]
                b = y - old[1]
                x += old[0] - 2 * _BIAS
                y += old[1] - 2 * _BIAS
                p = tone[0] - _BIAS
                q = tone[1] - _BIAS
                re = (mid[0] << 1) - 2 * _BIAS + ((p * x - q * b) >> 12)
                im = (mid[1] << 1) - 2 * _BIAS + ((p * y + q * a) >> 12)
                p = re * re + im * im
                if t < 4:
                    if p > low:
                        low = p
                        row = t
                        u = re
                        v = im
                elif p > high:
                    high = p
                    column = t
                    u = re
                    v = im
                now = ptr32(uint(now) + 8)
                mid = ptr32(uint(mid) + 8)
                old = ptr32(uint(old) + 8)
                tone = ptr32(uint(tone) + 16)
                t += 1
            if low + high > (energy >> 5) * _LOOK and low > _LEAST and high > _LEAST:
                # Each beside itself 5 ms ago: a tone stands still, but for its deviation.
                key = 1
                t = row
                p = low
                re = c
                im = s
                was = ptr32(uint(state) + 32)
                while True:
                    tone = ptr32(uint(state) + uint(264 + (t << 4)))
                    c = tone[0] - _BIAS
                    s = tone[1] - _BIAS
                    x = (re * c - im * s) >> 12
                    y = (re * s + im * c) >> 12
                    c = was[1] - _BIAS
                    s = was[2] - _BIAS
                    was[1] = re + _BIAS
                    was[2] = im + _BIAS
                    a = x * c + y * s
                    b = y * c - x * s
                    if b < 0:
                        b = 0 - b
                    x = c * c + s * s
                    if t != int(was[0]):
                        was[0] = t
                        key = 0
                    elif a < 256 or b > (a >> 8) * tone[2] or (p >> 3) * _STEADY > x or (x >> 3) * _STEADY > p:
                        key = 0
                    else:
                        # What the weights took from a tone that turns, given back: 4 / (1 + cos)^2
                        b = (a << 2) // ((p >> 6) + 1)
                        if b > 256:
                            b = 256
                        b = 131072 // (256 + b)
                        p = ((p >> 8) * b >> 8) * b
                    if t > 3:
                        break
                    low = p
                    t = column
                    p = high
                    re = u
                    im = v
                    was = ptr32(uint(was) + 12)
                high = p
                if key:
                    if column == 7:
                        key = 13 + row
                    elif row < 3:
                        key = 3 * row + column - 2
                    else:
                        key = 1 if column == 5 else 11 + ((column - 4) >> 1)
            else:
                state[8] = 0
                state[11] = 0
        # Looks become keys.
        held = int(state[3])
        if key and key == held:
            state[2] = 0
        elif held:
            state[2] = state[2] + 1
            if state[2] == _GONE:
                state[3] = 0
        if key != int(state[0]):
            state[0] = key
            state[1] = 0
            state[14] = 0
            state[15] = 0
            state[16] = 0
        n = state[1] + 1
        if key and key != held and n <= _TRIED:
            state[1] = n
            low = state[14] + (low >> 5)
            high = state[15] + (high >> 5)
            energy = state[16] + (energy >> 5)
            state[14] = low
            state[15] = high
            state[16] = energy
            if n >= _SEEN and low + high > (energy >> 5) * _MEAN:
                # The higher tone may be 6.5 dB above the lower one and 9.5 below it.
                low >>= 7
                high >>= 7
                if high << 4 < low * 71 and low << 4 < high * 143:
                    # Instruments and voices have harmonics: the second of the higher tone and the third of the lower one,
                    # together over 10 ms, must be 20 dB below the pair.
                    back = ptr16(uint(first) + uint(((4 - pieces) * 40 if pieces < 3 else 80) << shift))
                    a = b = c = s = 0
                    p = ptr32(uint(state) + uint(264 + (row << 4)))[3] - _BIAS
                    q = ptr32(uint(state) + uint(264 + (column << 4)))[3] - _BIAS
                    n = 40
                    while n:
                        n -= 1
                        back = ptr16(uint(back) - step)
                        x = (back[0] >> 6) - 512
                        back = ptr16(uint(back) - step)
                        y = (back[0] >> 6) - 512
                        a = x + (p * b >> 14) - a
                        c = x + (q * s >> 14) - c
                        b = y + (p * a >> 14) - b
                        s = y + (q * c >> 14) - s
                    a >>= 2
                    b >>= 2
                    c >>= 2
                    s >>= 2
                    x = a * a + b * b - (p * a >> 14) * b + c * c + s * s - (q * c >> 14) * s
                    # Once for as long as it sounds: it is held then, though it may be none.
                    state[3] = key
                    state[2] = 0
                    if x <= whole // 80:
                        pressed = key - 1
    return pressed
