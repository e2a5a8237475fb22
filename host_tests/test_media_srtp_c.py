"""SRTP beside libsrtp, bit for bit and both ways: what one makes the other reads, and refuses what the other refuses."""

import random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from media import keying

pytestmark = pytest.mark.needs("pylibsrtp")

SUITES = {10: "SRTP_PROFILE_AES128_CM_SHA1_80", 4: "SRTP_PROFILE_AES128_CM_SHA1_32"}
SSRC = 0xDEADBEEF


def libsrtp(tag, key, kind, ssrc=None):
    import pylibsrtp

    policy = pylibsrtp.Policy(key=key, ssrc_type=getattr(pylibsrtp.Policy, "SSRC_ANY_" + kind),
                              srtp_profile=getattr(pylibsrtp.Policy, SUITES[tag]))  # fmt: skip
    policy.allow_repeat_tx = True
    policy.window_size = 128
    return pylibsrtp.Session(policy=policy)


def packet(sequence, payload, ssrc=SSRC):
    return b"\x80\x00" + (sequence & 0xFFFF).to_bytes(2, "big") + bytes(4) + ssrc.to_bytes(4, "big") + payload


class Both:
    """We send to libsrtp and it sends to us."""

    def __init__(self, tag, seed=1):
        r = random.Random(seed)
        ours, theirs = r.randbytes(30), r.randbytes(30)
        self.tag = tag
        self.we = keying.secured(None, (tag, ours, theirs), 600)
        self.reads = libsrtp(tag, ours, "INBOUND")
        self.makes = libsrtp(tag, theirs, "OUTBOUND")
        self.makes_as_we = libsrtp(tag, ours, "OUTBOUND")

    def hear(self, secret, at=0):
        buffer = bytearray(at) + bytearray(secret)
        end = self.we.unprotect(buffer, at, len(buffer))
        return None if end < 0 else bytes(buffer[at:end])


def unprotected(session, secret):
    import pylibsrtp

    try:
        return session.unprotect(bytes(secret))
    except pylibsrtp.Error:
        return None


@pytest.mark.parametrize("tag", SUITES)
def test_each_size(tag):
    both = Both(tag)
    for size in (0, 1, 3, 4, 15, 16, 17, 60, 80, 159, 160, 161, 240, 320, 480, 500):
        clear = packet(1000 + size, random.Random(size).randbytes(size))
        assert bytes(both.we.protect(clear)) == both.makes_as_we.protect(clear), size
        assert both.reads.unprotect(bytes(both.we.protect(clear))) == clear
        assert both.hear(both.makes.protect(clear), size % 4) == clear, size


@pytest.mark.parametrize("tag", SUITES)
def test_around_the_numbers_more_than_once(tag):
    both = Both(tag)
    for n in range(65400, 65400 + 140000, 3333):
        for k in (0, 1, 5, 4):
            clear = packet(n + k, b"key")
            if k != 4:
                assert bytes(both.we.protect(clear)) == both.makes_as_we.protect(clear)
            assert both.hear(both.makes.protect(clear)) == clear, n + k


@given(st.data())
@settings(max_examples=40, deadline=None, phases=(Phase.explicit, Phase.generate))
def test_what_libsrtp_takes_we_take(data):
    """Any packets over a wrap, lost, late, repeated, damaged, of three sources: both judge each alike."""
    tag = data.draw(st.sampled_from(sorted(SUITES)))
    both = Both(tag, data.draw(st.integers(0, 9)))
    judge = libsrtp(tag, both.we.keys[2], "INBOUND")
    first = data.draw(st.integers(65400, 65535))
    made, heard = {}, set()
    at = {SSRC: first, 7: first, 0xFFFFFFFF: 3}
    steps = data.draw(st.lists(st.tuples(st.sampled_from(sorted(at)), st.integers(-70, 90), st.integers(0, 9)), min_size=5, max_size=40))
    for ssrc, ahead, damage in steps:
        if (ssrc, at[ssrc]) not in made:
            ahead = 0
        n = max(at[ssrc] + ahead, 0 if ssrc == 0xFFFFFFFF else first)
        for k in range(at[ssrc], n + 1):
            if (ssrc, k) not in made:
                made[ssrc, k] = both.makes.protect(packet(k, b"%d" % k, ssrc))
        if (ssrc, n) not in made:
            continue
        at[ssrc] = max(at[ssrc], n)
        if n > 65535 and ssrc not in heard:
            continue  # what begins behind a wrap only we understand
        secret = bytearray(made[ssrc, n])
        if damage == 0:
            secret[n % len(secret)] ^= 1 << ahead % 8
        elif damage == 1:
            secret = secret[: n % len(secret)]
        theirs = unprotected(judge, secret)
        ours = both.hear(secret)
        if theirs:
            heard.add(ssrc)
        # our window is of 64 numbers, libsrtp's here of 128
        if ahead > -64:
            assert ours == theirs, (ssrc, n, damage)
        elif ours is not None:
            assert ours == theirs


@pytest.mark.parametrize("tag", SUITES)
def test_rtcp(tag):
    import pylibsrtp

    both = Both(tag)
    for n in range(5):
        clear = b"\x80\xc8\x00\x06" + SSRC.to_bytes(4, "big") + random.Random(n).randbytes(20 + 4 * n)
        buffer = bytearray(clear) + bytearray(14)
        end = both.we.protect_rtcp(buffer, len(clear))
        assert bytes(buffer[:end]) == both.makes_as_we.protect_rtcp(clear)
        assert both.reads.unprotect_rtcp(bytes(buffer[:end])) == clear
        secret = bytearray(both.makes.protect_rtcp(clear))
        damaged = bytearray(secret)
        damaged[len(clear) - n] ^= 16
        assert both.we.unprotect_rtcp(damaged, 0, len(secret)) == -1
        assert both.we.unprotect_rtcp(secret, 0, len(secret)) == len(clear) and secret[: len(clear)] == clear
        with pytest.raises(pylibsrtp.Error):
            both.reads.unprotect_rtcp(bytes(buffer[:end]))
