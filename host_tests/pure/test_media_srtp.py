"""SRTP against the vectors of RFC 3711 (appendix B), RFC 2202 and FIPS 180; more against libsrtp in ../test_media_srtp_c.py."""

import hashlib
from array import array
from binascii import hexlify, unhexlify

from cryptolib import aes
from media import keying, srtp

OURS = bytes(range(30))
THEIRS = bytes(range(100, 130))


def pair(tag=10, longest=172):
    return keying.secured(None, (tag, OURS, THEIRS), longest), keying.secured(None, (tag, THEIRS, OURS), longest)


def packet(sequence, payload=b"sound" * 32, ssrc=b"\xde\xad\xbe\xef"):
    return b"\x80\x00" + bytes([sequence >> 8 & 255, sequence & 255]) + b"\xff\x01\x02\x03" + ssrc + payload


def over(a, b, clear):
    """What b makes of a's packet: the clear one, or None."""
    return heard(b, bytes(a.protect(clear)))


def heard(b, secret, at=0):
    buffer = bytearray(at) + bytearray(secret)
    end = b.unprotect(buffer, at, len(buffer))
    return None if end < 0 else bytes(buffer[at:end])


def sha1(message):
    state = array("i", bytes(4 * srtp.WORDS))
    work = bytearray(320)
    state[srtp.HASH : srtp.HASH + 5] = array("i", keying._SHA1)
    padded = message + b"\x80" + bytes((55 - len(message)) % 64) + (8 * len(message)).to_bytes(8, "big")
    for k in range(0, len(padded), 64):
        for i in range(64):
            work[i ^ 3] = padded[k + i]
        srtp.compress(work, state)
    words = bytes(state[srtp.HASH : srtp.HASH + 5])
    return hexlify(bytes([words[k ^ 3] for k in range(20)]))


def test_sha1():
    assert sha1(b"abc") == b"a9993e364706816aba3e25717850c26c9cd0d89d"
    assert sha1(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") == b"84983e441c3bd26ebaae4aa1f95129e5e54670f1"
    assert sha1(b"") == b"da39a3ee5e6b4b0d3255bfef95601890afd80709"
    for n in (54, 55, 56, 63, 64, 65, 176, 1000):
        assert sha1(b"\xff" * n) == hexlify(hashlib.sha1(b"\xff" * n).digest())


def test_hmac_sha1():
    # RFC 2202 3, those with keys of 20 bytes
    for key, data, tag in (
        (b"\x0b" * 20, b"Hi There", b"b617318655057264e28bc0b6fb378c8ef146be00"),
        (b"\xaa" * 20, b"\xdd" * 50, b"125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
        (b"\x0c" * 20, b"Test With Truncation", b"4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"),
    ):
        # a keying with this authentication key, by the way that keying.py goes
        state = array("i", bytes(4 * srtp.WORDS))
        work = bytearray(320)
        keying.authentication(state, 0, key, work)
        srtp.mac(work, state, 0, data, 0, len(data), -1)
        words = bytes(state[srtp.HASH : srtp.HASH + 5])
        assert hexlify(bytes([words[k ^ 3] for k in range(20)])) == tag


def test_key_stream():
    # RFC 3711 B.2
    key = unhexlify("2B7E151628AED2A6ABF7158809CF4F3C")
    state = array("i", bytes(4 * srtp.WORDS))
    state[srtp.COUNTER : srtp.COUNTER + 4] = array("i", unhexlify("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000"))
    work = bytearray(320)
    out = bytearray(4096)
    srtp.crypt(work, memoryview(work)[:160], aes(key, 1).encrypt, state, bytes(4096), 0, out, 0, 1000)
    assert hexlify(out[:48]).upper() == b"E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0"
    assert bytes(out[1000:1016]) == bytes(16)


def test_key_derivation():
    # RFC 3711 B.3
    cipher = aes(unhexlify("E1F97A0D3E018BE0D64FA32C06DE4139"), 1)
    salt = unhexlify("0EC675AD498AFEEBB6960B3AABE6")
    assert hexlify(keying.derive(cipher, salt, 0, 16)).upper() == b"C61E7A93744F39EE10734AFE3FF7A087"
    assert hexlify(keying.derive(cipher, salt, 2, 14)).upper() == b"30CBBC08863D8C85D49DB34A9AE1"
    assert hexlify(keying.derive(cipher, salt, 1, 20)).upper() == b"CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"


def test_there_and_back():
    for tag in (10, 4):
        a, b = pair(tag)
        for sequence, size in ((1, 160), (2, 0), (3, 1), (4, 4), (5, 15), (6, 16), (7, 17), (8, 80), (9, 159), (10, 33), (11, 160)):
            clear = packet(sequence, bytes([k * 7 & 255 for k in range(size)]))
            secret = bytes(a.protect(clear))
            assert len(secret) == len(clear) + tag and secret[:12] == clear[:12]
            assert size < 4 or secret[12 : 12 + size] != clear[12:]
            # at any place in the buffer
            assert heard(b, secret, sequence % 5) == clear
            assert over(b, a, clear) == clear
    # headers with contributors and an extension
    a, b = pair()
    clear = b"\x92" + packet(9)[1:12] + b"CCCCcccc" + b"\xbe\xde\x00\x01extn" + b"sound"
    assert over(_Long(a), b, clear) == clear


class _Long:
    """Sends with longer headers than we ever do."""

    def __init__(self, a):
        self.a = a

    def protect(self, clear):
        import struct

        a = self.a
        n = len(clear)
        out = bytearray(clear) + bytearray(10)
        start = 12 + 4 * (clear[0] & 15)
        start += 4 + 4 * struct.unpack(">H", clear[start + 2 : start + 4])[0]
        srtp.counter(a.state, 0, out, 8, 0, clear[2] << 8 | clear[3])
        srtp.crypt(a.work, a.view, a.ciphers[0], a.state, clear, start, out, start, n - start)
        srtp.mac(a.work, a.state, 0, out, 0, n, 0)
        srtp.tag(a.state, out, n, 10, 0)
        return out


def test_what_was_tampered_with_is_refused():
    a, b = pair()
    for n in range(60):
        secret = bytearray(a.protect(packet(100 + n, b"key")))
        whole = bytes(secret)
        k = n % len(secret)
        secret[k] ^= 1 << n % 8
        assert heard(b, secret) is None, k
        assert heard(b, whole[:-1]) is None and heard(b, whole + b"\0") is None
        assert heard(b, whole) == packet(100 + n, b"key")
        assert heard(b, whole) is None, "again"
    for junk in (b"", b"\x80", b"\x80" * 12, b"\x80" * 22, b"\x8f" + bytes(40), b"\x90" + bytes(11) + b"\0\0\xff\xff" + bytes(20), bytes(200)):
        assert heard(b, junk) is None
    # another key, another suite
    other = keying.secured(None, (10, THEIRS, bytes(30)), 172)
    assert over(a, other, packet(300)) is None
    assert over(a, pair(4)[1], packet(301)) is None


def test_order_and_the_window():
    a, b = pair()
    sent = [bytes(a.protect(packet(n))) for n in range(0, 260)]
    seen = set()
    x = 1
    at = 0
    for _ in range(500):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
        at = min(at + (x >> 16) % 2, 120)
        n = at + (x >> 18) % 140
        expected = n not in seen and (not seen or n > max(seen) - 64)
        assert (heard(b, sent[n]) == packet(n)) == expected, n
        if expected:
            seen.add(n)
    assert len(seen) > 100


def wrapped(a, first, count):
    """Packets of a with their numbers from `first` on, over the wrap."""
    return [(n, bytes(a.protect(packet(n & 0xFFFF)))) for n in range(first, first + count)]


def test_the_wrap():
    for lost in ((), (65534, 65535, 65536, 65537), (65535,), (65536,), range(65516, 65560)):
        a, b = pair()
        for n, secret in wrapped(a, 65515, 50):
            if n not in lost:
                assert heard(b, secret) == packet(n & 0xFFFF), n
    # across it and back
    a, b = pair()
    sent = dict(wrapped(a, 65530, 12))
    for n in (65530, 65537, 65535, 65536, 65534, 65541, 65531):
        assert heard(b, sent[n]) == packet(n & 0xFFFF), n
    for n in (65530, 65537, 65535, 65536):
        assert heard(b, sent[n]) is None
    # the first that is heard comes from behind the wrap
    a, b = pair()
    assert heard(b, wrapped(a, 65530, 12)[11][1]) == packet(5)
    # twice around, with packets far apart
    a, b = pair()
    for n in range(65000, 65000 + 3 * 65536, 6001):
        assert over(a, b, packet(n & 0xFFFF)) == packet(n & 0xFFFF), n
    assert a.state[srtp.SENT + 1] == 3


def test_another_source_is_taken_when_it_is_authentic():
    a, b = pair()
    c = keying.secured(None, (10, OURS, THEIRS), 172)
    assert over(a, b, packet(60000)) and over(a, b, packet(60001))
    old = bytes(a.protect(packet(60002)))
    assert heard(b, packet(1, ssrc=b"evil") + bytes(10)) is None
    new = bytes(c.protect(packet(7, ssrc=b"new!")))
    assert heard(b, new) == packet(7, ssrc=b"new!")
    assert heard(b, old) == packet(60002), "who was here before has its own count"
    assert heard(b, new) is None and heard(b, old) is None, "and neither can be repeated"
    for name in (b"thre", b"four", b"five", b"six!", b"seve"):
        assert over(keying.secured(None, (10, OURS, THEIRS), 172), b, packet(9, ssrc=name)) == packet(9, ssrc=name)


def test_keys_change_in_a_call():
    a, b = pair()
    for n in (65000, 65535, 0, 1):
        assert over(a, b, packet(n))
    # the same again: counters go on
    a = keying.secured(a, (10, OURS, THEIRS), 172)
    assert a.state[srtp.SENT + 1] == 1
    assert over(a, b, packet(2)) == packet(2)
    before = bytes(a.protect(packet(3)))
    # ours is another: the other direction does not notice
    fresh = b"fresh" * 6
    a = keying.secured(a, (10, fresh, THEIRS), 172)
    b = keying.secured(b, (10, THEIRS, fresh), 172)
    assert heard(b, before) is None
    assert over(a, b, packet(4)) == packet(4)
    assert over(b, a, packet(9)) == packet(9)
    # who keeps its roll-over counter with another key is understood too
    a.state[srtp.SENT + 1] = 1
    b = keying.secured(pair()[1], (10, THEIRS, OURS), 172)
    b.state[srtp.GUESS] = 1
    a = keying.secured(None, (10, OURS, THEIRS), 172)
    a.state[srtp.SENT + 1] = 1
    assert over(a, b, packet(5)) == packet(5)
    # nor who talked for hours before we had the key
    for roc in (2, 40):
        a, b = pair()
        a.state[srtp.SENT + 1] = roc
        assert [over(a, b, packet(n)) is not None for n in range(roc + 2)] == [False] * (roc - 1) + [True] * 3
    # 32 bits of tag instead of 80
    a = keying.secured(a, (4, fresh, THEIRS), 172)
    b = keying.secured(b, (4, THEIRS, fresh), 172)
    assert len(a.protect(packet(6))) == 176 and over(a, b, packet(7)) == packet(7)


def test_rtcp():
    for tag in (10, 4):
        a, b = pair(tag)
        for n in range(3):
            clear = b"\x80\xc9\x00\x01" + b"ssrc" + bytes(range(20 + 4 * n))
            buffer = bytearray(clear) + bytearray(14)
            end = a.protect_rtcp(buffer, len(clear))
            assert end == len(clear) + 14, "its tag is of 80 bits in either suite"
            assert buffer[:8] == clear[:8] and buffer[8:16] != clear[8:16] and buffer[len(clear) : len(clear) + 4] == bytes([128, 0, 0, n + 1])
            wrong = bytearray(buffer)
            wrong[9] ^= 1
            assert b.unprotect_rtcp(wrong, 0, end) == -1
            there = bytearray(3) + buffer
            assert b.unprotect_rtcp(there, 3, 3 + end) == 3 + len(clear) and there[3 : 3 + len(clear)] == clear
            assert b.unprotect_rtcp(bytearray(buffer), 0, end) == -1, "again"
        assert b.unprotect_rtcp(bytearray(12), 0, 12) == -1
        a.state[srtp.SENT + 2 + 1] = 0xFFFE
        for n in range(4):
            buffer = bytearray(40)
            buffer[0] = 0x80
            assert a.protect_rtcp(buffer, 20) == 34 and b.unprotect_rtcp(buffer, 0, 34) == 20
        assert a.state[srtp.SENT + 2] == 1
