"""G.722 against the sequences of its Appendix II, and on what a door may hear (see ../test_g722_peers.py for a peer's codec)."""

import binascii
from array import array

from media import g722, resample, wideband

_ENCODER = 328  # in g722's state: see there
_DECODER = 534


def _words(*parts):
    """Test sequences are 16-bit words, little-endian, between 16 words of 1 on each side."""
    sync = array("H", [1] * 16)
    return binascii.crc32(bytes(sync) + b"".join([bytes(part) for part in parts]) + bytes(sync))


def _overload():
    """T1C2.XMT: both ends of the range in turn, then twice the one and once the other."""
    words = [0x8000, 0x7FFE] * 319 + [0x8000, 0x0000, 0xB1E0, 0xC000]
    words += [0x8000, 0x7FFE, 0x8000] * 42
    return array("H", words)


def _encode_bands(words):
    """As Appendix II has it: no QMF, each word is the sample of both bands."""
    state = wideband.state()
    codes = bytearray(len(words))
    for at in range(0, len(words), 64):
        pairs = array("H", bytes(4 * 64))
        for i in range(64):
            x = ((words[at + i] ^ 0x8000) >> 1) + 0x4000
            pairs[2 * i] = pairs[2 * i + 1] = x
        resample.copy(state, _ENCODER + 12, pairs, 0, 128)
        g722._band(state, 0, state, codes, at, 64, 0)
        g722._band(state, 0, state, codes, at, 64, 1)
        resample.copy(state, _ENCODER, state, _ENCODER + 128, 12)
    return codes


def test_overload_becomes_the_codes_of_appendix_ii():
    words = _overload()
    assert _words(words) == 0x2D604685  # bt1c2.xmt: the input is what it should be
    assert _words(array("H", [code << 8 for code in _encode_bands(words)])) == 0x344EA5D0  # bt2r2.cod


def test_those_codes_become_the_bands_of_appendix_ii():
    codes = _encode_bands(_overload())
    state = wideband.state()
    lower, higher = array("H"), array("H")
    pairs = array("H", bytes(4 * 64))
    for at in range(0, len(codes), 64):
        g722.decode(codes, at, array("H", bytes(4 * 64)), 0, state, 64)
        resample.copy(pairs, 0, state, _DECODER + 34, 128)
        for i in range(64):
            both, difference = pairs[2 * i] - 32768, pairs[2 * i + 1] - 32768
            lower.append(both + difference & 0xFFFF)
            higher.append(both - difference & 0xFFFF)
    assert _words(lower) == 0xAF00F31F  # bt3l2.rc1
    assert _words(higher) == 0x5330AE2E  # bt3h2.rc0


class _Chance:
    """The same numbers on every interpreter."""

    def __init__(self):
        self.x = 12345

    def byte(self):
        self.x = self.x * 1103 + 12345 & 0xFFFFF
        return self.x >> 12


def _signals():
    chance = _Chance()
    noise = [(chance.byte() << 8 | chance.byte()) - 32768 for _ in range(640)]
    quiet = [chance.byte() % 41 - 20 for _ in range(640)]
    square = [32767 if i // 23 & 1 else -32768 for i in range(960)]
    fastest = [32767 if i & 1 else -32768 for i in range(320)]
    return array("h", noise + quiet + square + fastest + [0] * 320)


def _encode(samples, n=160):
    state = wideband.state()
    codes = bytearray(len(samples) // 2)
    for at in range(0, len(codes), n):
        n = min(n, len(codes) - at)
        piece = bytearray(n + 2)
        g722.encode(samples[2 * at : 2 * at + 2 * n], piece, state, n)
        assert piece[n:] == b"\x00\x00"  # and not a byte more
        codes[at : at + n] = piece[:n]
    return codes


def _decode(codes, n=160):
    state = wideband.state()
    words = array("H", bytes(2 * 3))
    for at in range(0, len(codes), n):
        n = min(n, len(codes) - at)
        piece = array("H", bytes(4 * n + 16))
        g722.decode(codes, at, piece, 5, state, n)
        assert list(piece[:5]) + list(piece[-3:]) == [0] * 8
        words += piece[5:-3]
    return words[3:]


def test_signals_become_the_codes_of_a_peers_codec():
    samples = _signals()
    before = bytes(samples)
    assert binascii.crc32(_encode(samples)) == 0x18ABE4C3
    assert bytes(samples) == before


def test_codes_by_chance_become_the_samples_of_a_peers_codec():
    chance = _Chance()
    codes = bytes([chance.byte() for _ in range(1280)])
    assert binascii.crc32(bytes(_decode(codes))) == 0x87BB542D


def test_frames_may_be_of_any_length():
    samples = _signals()[:1280]
    codes = _encode(samples)
    words = _decode(codes)
    for n in (640, 100, 80, 20, 1):
        assert _encode(samples, n) == codes
        assert _decode(codes, n) == words


def test_both_directions_share_one_state():
    samples = _signals()
    codes = _encode(samples)
    words = _decode(codes)
    state = wideband.state()
    piece, heard = bytearray(160), array("H", bytes(640))
    for at in range(0, len(codes), 160):
        g722.encode(samples[2 * at : 2 * at + 320], piece, state, 160)
        assert piece == codes[at : at + 160]
        g722.decode(piece, 0, heard, 0, state, 160)
        assert heard == words[2 * at : 2 * at + 320]


def test_silence_stays_silence():
    words = _decode(_encode(array("h", bytes(2 * 960))))
    assert max(words[320:]) - 32768 < 40
    assert 32768 - min(words[320:]) < 40


def test_a_tone_comes_back_22_samples_later():
    # A triangle of 1 kHz; the two filters delay by 11 pairs less one sample each way.
    samples = array("h", [8000 - 1000 * abs(i % 16 - 8) * 2 for i in range(1600)])
    words = _decode(_encode(samples))
    error = [abs(words[i + 22] - 32768 - samples[i]) for i in range(400, 1500)]
    assert max(error) < 900
