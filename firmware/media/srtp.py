"""SRTP: packets encrypted and authenticated in place, of one call (RFC 3711; AES_CM_128_HMAC_SHA1_80 and _32).

AES is the port's own, in C: one call makes the key stream of 160 bytes from a block of counters. SHA-1 is here, since hashlib's
objects would be made anew for each packet. All that a packet changes is in one array and one buffer, and nothing is allocated.
keying.py makes what is here ready, from the keys that SDP agreed on.

    state, words: four keyings, each with HMAC's inner and outer hash (5 + 5) and the salt (4); the running hash; the counter
    block; what was sent last; then for each source that was heard its SSRC, age, roll-over counter, highest sequence number
    and the last 128 numbers as bits
"""

import micropython
from micropython import const

_OUTER = const(5)  # in a keying
_SALT = const(10)
_OUT = const(0)
_IN = const(14)
_RTCP_OUT = const(28)
_RTCP_IN = const(42)
HASH = const(56)
COUNTER = const(61)
SENT = const(65)  # sequence number
_SENT_ROC = const(66)
_SENT_HIGH = const(67)  # SRTCP's index, in halves
_SENT_LOW = const(68)
GUESS = const(69)  # the other roll-over counter that is tried with a new source
SOURCES = const(70)
RTCP_SOURCES = const(102)
WORDS = const(134)

_SOURCE_WORDS = const(8)
_AGE = const(1)  # of a source: 0 for none, else the greater the longer ago
_ROC = const(2)
_HIGHEST = const(3)
_SEEN = const(4)
_WINDOW = const(64)  # so many numbers back a packet may come (3.3.2)
_RTCP_TAG = const(10)  # bytes, of either suite (RFC 4568 6.2)
_PIECE = const(160)  # bytes of key stream made at once


@micropython.viper
def compress(w: ptr32, state: ptr32):
    """SHA-1 of one block (FIPS 180-4 6.1.2): the words w[0] to w[15] into the running hash. w has room for 80. Above the low
    32 bits of a word may stand anything: what is shifted down is masked."""
    p = w
    n = 8
    while n:
        x = p[13] ^ p[8] ^ p[2] ^ p[0]
        p[16] = x << 1 | x >> 31 & 1
        x = p[14] ^ p[9] ^ p[3] ^ p[1]
        p[17] = x << 1 | x >> 31 & 1
        x = p[15] ^ p[10] ^ p[4] ^ p[2]
        p[18] = x << 1 | x >> 31 & 1
        x = p[16] ^ p[11] ^ p[5] ^ p[3]
        p[19] = x << 1 | x >> 31 & 1
        x = p[17] ^ p[12] ^ p[6] ^ p[4]
        p[20] = x << 1 | x >> 31 & 1
        x = p[18] ^ p[13] ^ p[7] ^ p[5]
        p[21] = x << 1 | x >> 31 & 1
        x = p[19] ^ p[14] ^ p[8] ^ p[6]
        p[22] = x << 1 | x >> 31 & 1
        x = p[20] ^ p[15] ^ p[9] ^ p[7]
        p[23] = x << 1 | x >> 31 & 1
        p = ptr32(uint(p) + 32)
        n -= 1
    a = state[HASH]
    b = state[HASH + 1]
    c = state[HASH + 2]
    d = state[HASH + 3]
    e = state[HASH + 4]
    p = w
    k = 0x5A82
    k = k << 16 | 0x7999
    n = 4
    while n:
        e += (a << 5 | a >> 27 & 31) + (d ^ b & (c ^ d)) + k + p[0]
        b = b << 30 | b >> 2 & 0x3FFFFFFF
        d += (e << 5 | e >> 27 & 31) + (c ^ a & (b ^ c)) + k + p[1]
        a = a << 30 | a >> 2 & 0x3FFFFFFF
        c += (d << 5 | d >> 27 & 31) + (b ^ e & (a ^ b)) + k + p[2]
        e = e << 30 | e >> 2 & 0x3FFFFFFF
        b += (c << 5 | c >> 27 & 31) + (a ^ d & (e ^ a)) + k + p[3]
        d = d << 30 | d >> 2 & 0x3FFFFFFF
        a += (b << 5 | b >> 27 & 31) + (e ^ c & (d ^ e)) + k + p[4]
        c = c << 30 | c >> 2 & 0x3FFFFFFF
        p = ptr32(uint(p) + 20)
        n -= 1
    k = 0x6ED9
    k = k << 16 | 0xEBA1
    n = 4
    while n:
        e += (a << 5 | a >> 27 & 31) + (b ^ c ^ d) + k + p[0]
        b = b << 30 | b >> 2 & 0x3FFFFFFF
        d += (e << 5 | e >> 27 & 31) + (a ^ b ^ c) + k + p[1]
        a = a << 30 | a >> 2 & 0x3FFFFFFF
        c += (d << 5 | d >> 27 & 31) + (e ^ a ^ b) + k + p[2]
        e = e << 30 | e >> 2 & 0x3FFFFFFF
        b += (c << 5 | c >> 27 & 31) + (d ^ e ^ a) + k + p[3]
        d = d << 30 | d >> 2 & 0x3FFFFFFF
        a += (b << 5 | b >> 27 & 31) + (c ^ d ^ e) + k + p[4]
        c = c << 30 | c >> 2 & 0x3FFFFFFF
        p = ptr32(uint(p) + 20)
        n -= 1
    k = 0x8F1B
    k = k << 16 | 0xBCDC
    n = 4
    while n:
        e += (a << 5 | a >> 27 & 31) + (b & c | d & (b | c)) + k + p[0]
        b = b << 30 | b >> 2 & 0x3FFFFFFF
        d += (e << 5 | e >> 27 & 31) + (a & b | c & (a | b)) + k + p[1]
        a = a << 30 | a >> 2 & 0x3FFFFFFF
        c += (d << 5 | d >> 27 & 31) + (e & a | b & (e | a)) + k + p[2]
        e = e << 30 | e >> 2 & 0x3FFFFFFF
        b += (c << 5 | c >> 27 & 31) + (d & e | a & (d | e)) + k + p[3]
        d = d << 30 | d >> 2 & 0x3FFFFFFF
        a += (b << 5 | b >> 27 & 31) + (c & d | e & (c | d)) + k + p[4]
        c = c << 30 | c >> 2 & 0x3FFFFFFF
        p = ptr32(uint(p) + 20)
        n -= 1
    k = 0xCA62
    k = k << 16 | 0xC1D6
    n = 4
    while n:
        e += (a << 5 | a >> 27 & 31) + (b ^ c ^ d) + k + p[0]
        b = b << 30 | b >> 2 & 0x3FFFFFFF
        d += (e << 5 | e >> 27 & 31) + (a ^ b ^ c) + k + p[1]
        a = a << 30 | a >> 2 & 0x3FFFFFFF
        c += (d << 5 | d >> 27 & 31) + (e ^ a ^ b) + k + p[2]
        e = e << 30 | e >> 2 & 0x3FFFFFFF
        b += (c << 5 | c >> 27 & 31) + (d ^ e ^ a) + k + p[3]
        d = d << 30 | d >> 2 & 0x3FFFFFFF
        a += (b << 5 | b >> 27 & 31) + (c ^ d ^ e) + k + p[4]
        c = c << 30 | c >> 2 & 0x3FFFFFFF
        p = ptr32(uint(p) + 20)
        n -= 1
    state[HASH] = state[HASH] + a
    state[HASH + 1] = state[HASH + 1] + b
    state[HASH + 2] = state[HASH + 2] + c
    state[HASH + 3] = state[HASH + 3] + d
    state[HASH + 4] = state[HASH + 4] + e


@micropython.viper
def mac(work, state, keying: int, packet, at: int, n: int, roc: int):
    """HMAC-SHA1 of n bytes from packet[at] on, and of the roll-over counter behind them unless it is -1 (4.2), as the running
    hash."""
    words = ptr32(state)
    w = ptr32(work)
    block = ptr8(work)  # its byte k is block[k ^ 3]: the words are the other way round in memory
    p = ptr8(uint(ptr8(packet)) + uint(at))
    total = 64 + n
    k = 0
    while k < 5:
        words[HASH + k] = words[keying + k]
        k += 1
    while n > 63:
        k = 0
        while k < 16:
            w[k] = p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]
            p = ptr8(uint(p) + 4)
            k += 1
        compress(work, state)
        n -= 64
    k = 0
    while k < 16:
        w[k] = 0
        k += 1
    k = 0
    while k < n:
        block[k ^ 3] = p[k]
        k += 1
    if roc >= 0:
        total += 4
        n += 4
        while k < n:
            block[k & 63 ^ 3] = roc >> ((n - k - 1) << 3)
            k += 1
            if k == 64:
                compress(work, state)
                x = 0
                while x < 16:
                    w[x] = 0
                    x += 1
    block[k & 63 ^ 3] = 0x80
    k &= 63
    if k > 55:
        compress(work, state)
        k = 0
        while k < 15:
            w[k] = 0
            k += 1
    w[15] = total << 3
    compress(work, state)
    k = 0
    while k < 5:
        w[k] = words[HASH + k]
        words[HASH + k] = words[keying + _OUTER + k]
        k += 1
    while k < 15:
        w[k] = 0
        k += 1
    block[20 ^ 3] = 0x80
    w[15] = (64 + 20) << 3
    compress(work, state)


@micropython.viper
def tag(state: ptr32, packet: ptr8, at: int, n: int, given: int) -> int:
    """The running hash's first n bytes to packet[at]; or, if a tag is `given` there, whether it is another: found out in the
    same time wherever they differ."""
    mine = ptr8(uint(state) + (HASH << 2))
    different = 0
    k = 0
    while k < n:
        if given:
            different |= packet[at + k] ^ mine[k ^ 3]
        else:
            packet[at + k] = mine[k ^ 3]
        k += 1
    return different


@micropython.viper
def counter(state: ptr32, keying: int, packet: ptr8, ssrc_at: int, high: int, low: int):
    """The first counter block (4.1.1): the salt, with the SSRC that stands in the packet and the index in two parts."""
    k = 0
    while k < 4:
        state[COUNTER + k] = state[keying + _SALT + k]
        k += 1
    iv = ptr8(uint(state) + (COUNTER << 2))
    k = 0
    while k < 4:
        iv[4 + k] = iv[4 + k] ^ packet[ssrc_at + k]
        iv[8 + k] = iv[8 + k] ^ (high >> (24 - (k << 3)))
        k += 1
    iv[12] = iv[12] ^ (low >> 8)
    iv[13] = iv[13] ^ low


@micropython.viper
def crypt(work, view, encrypt, state: ptr32, source, at: int, target, to: int, n: int):
    """n bytes from source[at] on with the key stream of the counter block, to target[to] on. `view`: work's first 160 bytes."""
    a = state[COUNTER]
    b = state[COUNTER + 1]
    c = state[COUNTER + 2]
    d = state[COUNTER + 3]
    w = ptr32(work)
    p = ptr8(uint(ptr8(source)) + uint(at))
    q = ptr8(uint(ptr8(target)) + uint(to))
    count = 0
    while n > 0:
        k = 0
        while k < 40:
            w[k] = a
            w[k + 1] = b
            w[k + 2] = c
            w[k + 3] = d | count << 24  # the low byte of a counter that is big-endian
            count += 1
            k += 4
        encrypt(view, view)
        m = n
        if m > _PIECE:
            m = _PIECE
        k = 0
        if not (uint(p) & 3 | uint(q) & 3):
            from_words = ptr32(p)
            to_words = ptr32(q)
            while k < m >> 2:
                to_words[k] = from_words[k] ^ w[k]
                k += 1
            k <<= 2
        stream = ptr8(w)
        while k < m:
            q[k] = p[k] ^ stream[k]
            k += 1
        p = ptr8(uint(p) + _PIECE)
        q = ptr8(uint(q) + _PIECE)
        n -= _PIECE


@micropython.viper
def _find(state: ptr32, sources: int, packet: ptr8, at: int) -> int:
    """Where the source is whose SSRC stands at packet[at]; 0 when it was not heard yet."""
    ssrc = packet[at] << 24 | packet[at + 1] << 16 | packet[at + 2] << 8 | packet[at + 3]
    k = sources
    while k < sources + 4 * _SOURCE_WORDS:
        if state[k] == ssrc and state[k + _AGE]:
            return k
        k += _SOURCE_WORDS
    return 0


@micropython.viper
def _is_old(state: ptr32, source: int, roc: int, sequence: int) -> int:
    """Whether the packet of this index was there already, or is too old to tell (3.3.2)."""
    ahead = ((roc - state[source + _ROC]) << 16) + sequence - state[source + _HIGHEST]
    if ahead > 0:
        return 0
    if ahead <= 0 - _WINDOW:
        return 1
    return state[source + _SEEN + (sequence >> 5 & 3)] >> (sequence & 31) & 1


@micropython.viper
def _saw(state: ptr32, sources: int, source: int, packet: ptr8, at: int, roc: int, sequence: int):
    """Notes an authentic packet of a source; a `source` of 0 is a new one, with the SSRC at packet[at], in the place of whom we
    have not heard longest."""
    k = sources
    new = source
    oldest = 0
    while k < sources + 4 * _SOURCE_WORDS:
        age = state[k + _AGE]
        if age:
            if k != source and age < 0x3FFFFFFE:
                age += 1
                state[k + _AGE] = age
        else:
            age = 0x3FFFFFFF  # a free place comes before all others
        if not source and age > oldest:
            oldest = age
            new = k
        k += _SOURCE_WORDS
    if not source:
        state[new] = packet[at] << 24 | packet[at + 1] << 16 | packet[at + 2] << 8 | packet[at + 3]
        state[new + _ROC] = roc
        state[new + _HIGHEST] = sequence
        k = 0
        while k < 4:
            state[new + _SEEN + k] = 0
            k += 1
    state[new + _AGE] = 1
    ahead = ((roc - state[new + _ROC]) << 16) + sequence - state[new + _HIGHEST]
    if ahead > 0:
        # what lies between has not been seen
        k = sequence - ahead
        if ahead > 128:
            k = sequence - 128
        while k < sequence:
            k += 1
            bits = new + _SEEN + (k >> 5 & 3)
            state[bits] = state[bits] & (-1 ^ 1 << (k & 31))
        state[new + _ROC] = roc
        state[new + _HIGHEST] = sequence
    bits = new + _SEEN + (sequence >> 5 & 3)
    state[bits] = state[bits] | 1 << (sequence & 31)


class Srtp:
    """What makes a call's packets secret, and theirs readable again; keying.py makes it."""

    def __init__(self, keys, state, longest):
        self.keys = keys  # as sip.dialog.Negotiated has them
        self.state = state
        self.work = bytearray(320)  # 80 words of a hash, or a piece of key stream
        self.view = memoryview(self.work)[:_PIECE]
        self.out = bytearray(longest + 10)
        self.views = {}  # of out, by their lengths
        self.ciphers = None  # encrypt() of AES with the keys of RTP of ours and theirs, RTCP of ours and theirs

    def cut(self, n):
        """-> what protect() gives for a packet of n bytes, from now on without making it."""
        self.views[n] = memoryview(self.out)[:n]
        return self.views[n]

    @micropython.viper
    def protect(self, packet):
        """An RTP packet of ours, at most `longest` bytes and without contributors, as it is to be sent: in a buffer that
        holds until the next. Nothing is allocated but for the first of an unusual length."""
        state = self.state
        words = ptr32(state)
        out = self.out
        p = ptr8(packet)
        q = ptr8(out)
        n = int(len(packet))
        size = int(self.keys[0])
        sequence = p[2] << 8 | p[3]
        if sequence + 0x8000 < words[SENT]:
            words[_SENT_ROC] = words[_SENT_ROC] + 1
        words[SENT] = sequence
        roc = words[_SENT_ROC]
        k = 0
        while k < 12:
            q[k] = p[k]
            k += 1
        counter(state, _OUT, packet, 8, roc, sequence)
        crypt(self.work, self.view, self.ciphers[0], state, packet, 12, out, 12, n - 12)
        mac(self.work, state, _OUT, out, 0, n, roc)
        tag(state, out, n, size, 0)
        n += size
        view = self.views.get(n)
        if view:
            return view
        return self.cut(n)

    @micropython.viper
    def unprotect(self, packet, at: int, end: int) -> int:
        """Decrypts the packet from packet[at] to packet[end] where it lies -> its new end; -1 for one that is not authentic,
        was there already, or is too old."""
        state = self.state
        words = ptr32(state)
        p = ptr8(uint(ptr8(packet)) + uint(at))
        size = int(self.keys[0])
        end -= size
        n = end - at
        if n < 12 or p[0] >> 6 != 2:
            return -1
        start = 12 + ((p[0] & 15) << 2)
        if p[0] & 16:
            if n < start + 4:
                return -1
            start += 4 + ((p[start + 2] << 8 | p[start + 3]) << 2)
        if n < start:
            return -1
        sequence = p[2] << 8 | p[3]
        source = int(_find(state, SOURCES, packet, at + 8))
        roc = 0
        if source:
            # 3.3.1: the roll-over counter that brings it nearest to the highest so far
            roc = words[source + _ROC]
            ahead = sequence - words[source + _HIGHEST]
            if ahead > 0x8000:
                roc -= 1
            elif ahead < -0x8000:
                roc += 1
            if roc < 0 or int(_is_old(state, source, roc, sequence)):
                return -1
        mac(self.work, state, _IN, packet, at, n, roc)
        if int(tag(state, packet, end, size, 1)):
            if source:
                return -1
            # It may have begun long before us: its packets tell, one after the other.
            roc = words[GUESS]
            words[GUESS] = (roc & 63) + 1
            mac(self.work, state, _IN, packet, at, n, roc)
            if int(tag(state, packet, end, size, 1)):
                return -1
        _saw(state, SOURCES, source, packet, at + 8, roc, sequence)
        counter(state, _IN, packet, at + 8, roc, sequence)
        crypt(self.work, self.view, self.ciphers[1], state, packet, at + start, packet, at + start, n - start)
        return end

    @micropython.viper
    def protect_rtcp(self, packet, n: int) -> int:
        """Encrypts n bytes of RTCP of ours where they lie -> bytes to be sent. 14 more must have room."""
        state = self.state
        words = ptr32(state)
        p = ptr8(packet)
        low = words[_SENT_LOW] + 1
        high = words[_SENT_HIGH] + (low >> 16)
        low &= 0xFFFF
        words[_SENT_LOW] = low
        words[_SENT_HIGH] = high
        counter(state, _RTCP_OUT, packet, 4, high, low)
        crypt(self.work, self.view, self.ciphers[2], state, packet, 8, packet, 8, n - 8)
        p[n] = high >> 8 | 0x80  # E: it is encrypted
        p[n + 1] = high
        p[n + 2] = low >> 8
        p[n + 3] = low
        n += 4
        mac(self.work, state, _RTCP_OUT, packet, 0, n, -1)
        tag(state, packet, n, _RTCP_TAG, 0)
        return n + _RTCP_TAG

    @micropython.viper
    def unprotect_rtcp(self, packet, at: int, end: int) -> int:
        """The same as unprotect() for RTCP of theirs."""
        state = self.state
        end -= _RTCP_TAG
        n = end - at
        p = ptr8(uint(ptr8(packet)) + uint(at))
        if n < 12 or p[0] >> 6 != 2:
            return -1
        high = (p[n - 4] & 127) << 8 | p[n - 3]
        low = p[n - 2] << 8 | p[n - 1]
        source = int(_find(state, RTCP_SOURCES, packet, at + 4))
        if source:
            if int(_is_old(state, source, high, low)):
                return -1
        mac(self.work, state, _RTCP_IN, packet, at, n, -1)
        if int(tag(state, packet, end, _RTCP_TAG, 1)):
            return -1
        _saw(state, RTCP_SOURCES, source, packet, at + 4, high, low)
        if p[n - 4] & 128:
            counter(state, _RTCP_IN, packet, at + 4, high, low)
            crypt(self.work, self.view, self.ciphers[3], state, packet, at + 8, packet, at + 8, n - 12)
        return end - 4
