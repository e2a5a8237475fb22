"""What a wideband call needs once: G.722's state with its tables (ITU-T G.722 6.2). Lent for the moment."""

from array import array

from .resample import fill

# What half the codes have with a minus stands here once.
_ILB = (
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
    2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
)  # fmt: skip
_WL = (3042, 1198, 538, 334, 172, 58, -30)  # of codes 1 to 7 and again 8 to 14, as RL42 has them; 0 and 15: -60
_QM4 = (20456, 12896, 8968, 6288, 4240, 2584, 1200)
_WH = (798, -214)
_QM2 = (7408, 1616)
_Q6 = (
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714,
    786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
)  # fmt: skip
_QM6 = (
    24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
    4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728,
)  # fmt: skip


def state(words=None):
    """-> a buffer for g722.encode and g722.decode, which have heard nothing yet; `words`, if one of 1,456 bytes is given (it
    begins at a multiple of four). What lies where: see g722.py."""
    if words is None:
        words = array("i", bytes(4 * 364))
    fill(words, 0, 128, 0)
    for band in (0, 32, 64, 96):  # in 16-bit words: the lower half of each word, the upper one
        for i in range(1, 27, 2):
            fill(words, band + i, 1, 1)
        fill(words, band + 26, 2, 0)
        fill(words, band + 26, 1, 32768)
        fill(words, band + 28, 1, 8 if band & 32 else 32)
    for i in range(200):
        fill(words, 128 + i, 1, _entry(i))
    fill(words, 328, 400, 32768)
    return words


def _entry(i):
    if i < 32:
        return 2 * _ILB[i]
    if i < 64:
        return _adaptation(i - 32 >> 1, i & 1)
    if i < 72:
        c = i - 64 >> 1
        if i & 1:
            return 256 + _WH[c & 1]
        return 32768 + (_QM2[c - 2] if c > 1 else -_QM2[c])
    if i < 104:
        return _Q6[min(i - 72, 29)]
    if i < 136:
        i = min(i - 104, 29)
        return 61 - i | (33 - i if i > 1 else 63 - i) << 8
    c = i - 136
    if c > 59:
        return 32768 + (432, 136, -432, -136)[c - 60]
    if c > 31:
        return 32768 + _QM6[c - 32]
    return 32768 - (_QM6[c - 4] if c > 3 else 136)


def _adaptation(c, is_wl):
    """QM4 or WL of the four upper bits of a lower band's code."""
    if c % 15 == 0:
        return 256 - 60 if is_wl else 32768
    i = (c - 1) % 7
    if is_wl:
        return 256 + _WL[i]
    return 32768 + (_QM4[i] if c > 7 else -_QM4[i])
