"""G.722 at 64 kbit/s: two samples at 16 kHz in a byte (ITU-T G.722, mode 1; RFC 3551 4.5.2).

    encode   samples -> QMF of 24 taps -> lower band, ADPCM of 6 bits  \\ byte: higher band << 6 | lower band
                                       -> higher band, ADPCM of 2 bits /
    decode   the same backwards

One kernel runs a band of either direction over up to 80 codes, so that what adapts stays in locals; the block names are those
of the Recommendation's section 6. State and tables lie in one buffer, made by wideband.py. Nothing in it is negative, as a load has
no sign on every machine: signals are in offset binary, 0 to 65535 with 32768 for silence, and what a band remembers is 65536
more than it is (its NB, which 127/128 of 32768 and 256 more leave as it is, 32768 more). Its words of 32 bits:

    0    four bands of 16: lower and higher of the encoder, then of the decoder
    64   tables of 16 bits: ILB, twice; QM4 and WL in turn, QM2 and WH in turn; Q6 and the two codes of each; QM6
    164  16 bits: the encoder's signal, 34 older and 160 new samples; then room for 12
    267  16 bits: 12 older differences of the decoder; its signal, 22 older and 160 new samples
    364  the end

Signals lie as pairs, lower and higher band. The encoder's differences take the place of the samples they were made of, the
decoder's that of the encoder's samples, as nothing there is kept from one time to the next.
"""

import micropython
from micropython import const
from .resample import copy

_CODES = const(80)  # at a time
_ENCODER = const(328)  # in 16-bit words: the older differences
_OLDER = const(12)  # of both bands
_HISTORY = const(22)  # of the QMF
_LATER = const(362)  # the differences of the decoder, while it works
_DECODER = const(534)


# (These two are native: bytecode with so many locals would run on the heap.)


@micropython.native
def encode(samples, codes, state, n):
    """2 n signed samples (16 bits each) to n bytes."""
    at = 0
    while at < n:
        m = min(n - at, _CODES)
        _split(state, 0, samples, at, m)
        _band(state, 0, state, codes, at, m, 0)
        _band(state, 0, state, codes, at, m, 1)
        copy(state, _ENCODER, state, _ENCODER + m + m, _OLDER + _HISTORY)
        at += m


@micropython.native
def decode(codes, at, samples, to, state, n):
    """n bytes from codes[at] on to 2 n samples, in offset binary, from samples[to] on."""
    while n > 0:
        m = min(n, _CODES)
        copy(state, _LATER, state, _DECODER, _OLDER)
        _band(state, 0, state, codes, at, m, 2)
        _band(state, 0, state, codes, at, m, 3)
        _join(state, 0, samples, to, m)
        copy(state, _DECODER, state, _LATER + m + m, _OLDER)
        copy(state, _DECODER + _OLDER, state, _DECODER + _OLDER + m + m, _HISTORY)
        at += m
        to += m + m
        n -= m


@micropython.viper
def _split(x: ptr16, z: int, samples: ptr16, at: int, n: int):
    """The encoder's QMF (3.1): 2 n new samples behind the older ones; in the older ones' place n pairs of the two bands.

    What is above 15 bits, at full scale only, is left to the quantizer's saturation.
    """
    samples = ptr16(uint(samples) + uint(at << 2))
    x = ptr16(uint(x) + 680)
    while n:
        x[22] = samples[0] ^ 32768
        x[23] = samples[1] ^ 32768
        z = x[0] * 3
        z = x[2] * -11 + z
        z = x[4] * 12 + z
        z = x[6] * 32 + z
        z = x[8] * -210 + z
        z = x[10] * 951 + z
        z = x[12] * 3876 + z
        z = x[14] * -805 + z
        z = x[16] * 362 + z
        z = x[18] * -156 + z
        z = x[20] * 53 + z
        z = x[22] * -11 + z
        a = z
        z = x[23] * 3
        z = x[21] * -11 + z
        z = x[19] * 12 + z
        z = x[17] * 32 + z
        z = x[15] * -210 + z
        z = x[13] * 951 + z
        z = x[11] * 3876 + z
        z = x[9] * -805 + z
        z = x[7] * 362 + z
        z = x[5] * -156 + z
        z = x[3] * 53 + z
        z = x[1] * -11 + z
        x[0] = (a + z >> 14) + 16384
        x[1] = (z - a >> 14) + 32768
        samples = ptr16(uint(samples) + 4)
        x = ptr16(uint(x) + 4)
        n -= 1


@micropython.viper
def _join(x: ptr16, z: int, samples: ptr16, to: int, n: int):
    """The decoder's QMF (4.4): n pairs of the bands' sum and difference, with 11 older ones before them, to 2 n samples."""
    samples = ptr16(uint(samples) + uint(to << 1))
    x = ptr16(uint(x) + 1092)
    while n:
        z = x[23] * 3
        z = x[21] * -11 + z
        z = x[19] * 12 + z
        z = x[17] * 32 + z
        z = x[15] * -210 + z
        z = x[13] * 951 + z
        z = x[11] * 3876 + z
        z = x[9] * -805 + z
        z = x[7] * 362 + z
        z = x[5] * -156 + z
        z = x[3] * 53 + z
        z = x[1] * -11 + z
        z = (z >> 11) - 32768
        if z >> 16:
            z = ~(z >> 31) & 65535
        samples[0] = z
        z = x[0] * 3
        z = x[2] * -11 + z
        z = x[4] * 12 + z
        z = x[6] * 32 + z
        z = x[8] * -210 + z
        z = x[10] * 951 + z
        z = x[12] * 3876 + z
        z = x[14] * -805 + z
        z = x[16] * 362 + z
        z = x[18] * -156 + z
        z = x[20] * 53 + z
        z = x[22] * -11 + z
        z = (z >> 11) - 32768
        if z >> 16:
            z = ~(z >> 31) & 65535
        samples[1] = z
        samples = ptr16(uint(samples) + 4)
        x = ptr16(uint(x) + 4)
        n -= 1


@micropython.viper
def _band(h: ptr16, z: int, words: ptr32, codes: ptr8, at: int, n: int, mode: int):
    """One band over n codes; mode 0 and 1 encode the lower and the higher one, 2 and 3 decode them.

    The first two arguments live in registers, all else on the stack: hence the many uses of z, and in what order sums stand.
    """
    codes = ptr8(uint(codes) + uint(at))
    tables = ptr16(uint(words) + 256)
    higher = mode & 1
    decoding = mode & 2
    inverse = ptr16(uint(words) + 320 + (higher << 6))
    levels = ptr16(uint(words) + 400)
    h = ptr16(uint(h) + 656 + (higher << 1))
    signal = ptr16(uint(words) + 1136)  # the decoder's
    top = 25
    if higher:
        top = 27
    if decoding:
        h = ptr16(uint(h) + 68)
    words = ptr32(uint(words) + (mode << 6))
    b1 = int(words[0]) - 65536
    b2 = int(words[1]) - 65536
    b3 = int(words[2]) - 65536
    b4 = int(words[3]) - 65536
    b5 = int(words[4]) - 65536
    b6 = int(words[5]) - 65536
    a1 = int(words[6]) - 65536
    a2 = int(words[7]) - 65536
    sz = int(words[8]) - 65536
    s = int(words[9]) - 65536
    r1 = int(words[10]) - 65536  # twice the reconstructed sample
    p1 = int(words[11]) - 65536
    p2 = int(words[12]) - 65536
    nb = int(words[13])
    det = int(words[14])
    while n:
        if decoding:
            z = codes[0]
            if higher:
                z = z >> 6 << 2
                v = ptr16(uint(inverse) + z)
                z = ((v[0] - 32768) * det >> 15) + s
                if (z + 16384) >> 15:  # LIMIT
                    z = z >> 31 ^ 16383
                x = signal[0]
                signal[0] = x + z
                signal[1] = x - z
            else:
                x = z & 63
                z = z & 60
                v = ptr16(uint(inverse) + z)
                z = ((tables[x + 136] - 32768) * det >> 15) + s  # INVQBL
                if (z + 16384) >> 15:
                    z = z >> 31 ^ 16383
                signal[0] = z + 32768
            signal = ptr16(uint(signal) + 4)
        else:
            z = h[12] - 32768 - s  # SUBTRA
            if (z + 32768) >> 16:
                z = z >> 31 ^ 32767
            x = z >> 31
            z = x ^ z
            if higher:  # QUANTH
                y = 2 + x + x
                if 564 * det >> 12 > z:
                    y += 1
                z = y
                codes[0] |= z << 6
                z = z << 2
            else:
                # QUANTL: the last level whose level * det >> 12 is not above z. Its two codes stand 32 places on.
                z = ((z << 12) + 4095) // det
                v = levels
                if v[16] <= z:
                    v = ptr16(uint(v) + 32)
                if v[8] <= z:
                    v = ptr16(uint(v) + 16)
                if v[4] <= z:
                    v = ptr16(uint(v) + 8)
                if v[2] <= z:
                    v = ptr16(uint(v) + 4)
                if v[1] <= z:
                    v = ptr16(uint(v) + 2)
                z = v[32]
                if x:
                    z = z >> 8
                codes[0] = z & 63
                z = z & 60
            v = ptr16(uint(inverse) + z)
        codes = ptr8(uint(codes) + 1)
        x = (v[0] - 32768) * det >> 15  # INVQAL, INVQAH
        z = (nb * 127 >> 7) + v[1]  # LOGSCL, LOGSCH
        if not z >> 15:
            z = 32768
        y = top - (z >> 11)  # SCALEL, SCALEH
        if y < 1:
            y = 0
            z = top << 11
        nb = z
        det = tables[z >> 6 & 31] >> y << 2
        z = x
        h[12] = z + z + 32768
        p = sz + z  # PARREC: its sign is all that counts
        y = s + z << 1  # RECONS
        if (y + 32768) >> 16:
            y = y >> 31 ^ 32767
        if z:  # UPZERO, DELAYA
            z = (z >> 31 & -65536) + 32768
        if h[10] >> 15:
            b1 = b1 * 255 + z >> 8
        else:
            b1 = b1 * 255 - z >> 8
        if h[8] >> 15:
            b2 = b2 * 255 + z >> 8
        else:
            b2 = b2 * 255 - z >> 8
        if h[6] >> 15:
            b3 = b3 * 255 + z >> 8
        else:
            b3 = b3 * 255 - z >> 8
        if h[4] >> 15:
            b4 = b4 * 255 + z >> 8
        else:
            b4 = b4 * 255 - z >> 8
        if h[2] >> 15:
            b5 = b5 * 255 + z >> 8
        else:
            b5 = b5 * 255 - z >> 8
        if h[0] >> 15:
            b6 = b6 * 255 + z >> 8
        else:
            b6 = b6 * 255 - z >> 8
        z = (h[12] - 32768) * b1 >> 15  # FILTEZ
        z = ((h[10] - 32768) * b2 >> 15) + z
        z = ((h[8] - 32768) * b3 >> 15) + z
        z = ((h[6] - 32768) * b4 >> 15) + z
        z = ((h[4] - 32768) * b5 >> 15) + z
        z = ((h[2] - 32768) * b6 >> 15) + z
        sz = z
        z = p
        p = p2 ^ z
        p2 = p1
        p1 = z
        if (p2 ^ z) >> 31:  # UPPOL2, UPPOL1
            z = a1 >> 5
            a1 = a1 * 255 - 49152 >> 8
        else:
            z = -a1 >> 5
            a1 = a1 * 255 + 49152 >> 8
        if (z + 256) >> 9:
            z = z >> 31 ^ 255
        if p >> 31:
            z = (a2 * 127 - 16384 >> 7) + z
        else:
            z = (a2 * 127 + 16384 >> 7) + z
        if z > 12288:
            z = 12288
        if z < -12288:
            z = -12288
        a2 = z
        z = 15360 - z
        if a1 > z:
            a1 = z
        if (a1 + z) >> 31:
            a1 = -z
        z = r1  # FILTEP
        r1 = y
        z = a2 * z >> 15
        z = (a1 * y >> 15) + z
        if (z + 16384 | sz + 16384) >> 15:  # else nothing saturates
            if (z + 32768) >> 16:
                z = z >> 31 ^ 32767
            if (sz + 32768) >> 16:
                sz = sz >> 31 ^ 32767
            z = sz + z
            if (z + 32768) >> 16:
                z = z >> 31 ^ 32767
            s = z
        else:
            s = sz + z  # PREDIC
        h = ptr16(uint(h) + 4)
        n -= 1
    words[0] = b1 + 65536
    words[1] = b2 + 65536
    words[2] = b3 + 65536
    words[3] = b4 + 65536
    words[4] = b5 + 65536
    words[5] = b6 + 65536
    words[6] = a1 + 65536
    words[7] = a2 + 65536
    words[8] = sz + 65536
    words[9] = s + 65536
    words[10] = r1 + 65536
    words[11] = p1 + 65536
    words[12] = p2 + 65536
    words[13] = nb
    words[14] = det
