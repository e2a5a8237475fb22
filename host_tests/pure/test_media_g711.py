"""G.711 over every input; the sums are those of what CPython's audioop makes of them (see ../test_media_audioop.py)."""

import binascii
from array import array

from media import g711

_ENCODED = {g711.PCMU: 0x3B7C3A3E, g711.PCMA: 0x9133796E}
_DECODED = {g711.PCMU: 0x0C847A9F, g711.PCMA: 0x9D764657}


def _encode(payload_type, samples, n):
    codes = bytearray(b"\x55" * (n + 2))
    g711.encoder(payload_type)(samples, codes, g711.encoding_table(payload_type), n)
    assert codes[n:] == b"\x55\x55"  # and not a byte more
    return bytes(codes[:n])


def test_all_65536_samples():
    samples = array("h", range(-32768, 32768))
    for payload_type in (g711.PCMU, g711.PCMA):
        assert binascii.crc32(_encode(payload_type, samples, 65536)) == _ENCODED[payload_type]


def test_all_256_bytes():
    for payload_type in (g711.PCMU, g711.PCMA):
        table = g711.decoding_table(payload_type)
        words = array("i", bytes(4 * 262))
        g711.decode(b"\x00" + bytes(range(256)), 1, words, 3, table, 256)
        assert list(words[:3]) + list(words[259:]) == [0] * 6
        assert binascii.crc32(array("h", words[3:259])) == _DECODED[payload_type]


def test_the_slow_functions_agree_with_the_kernels():
    samples = array("h", range(-32768, 32768, 41))
    samples.append(32767)
    n = len(samples) & ~1
    assert _encode(g711.PCMU, samples, n) == bytes([g711.ulaw(sample) for sample in samples[:n]])
    assert _encode(g711.PCMA, samples, n) == bytes([g711.alaw(sample) for sample in samples[:n]])


def test_a_table_can_change_its_law():
    table = g711.encoding_table(g711.PCMA)
    g711.encoding_table(g711.PCMU, table)
    samples = array("h", range(-32768, 32768, 5))
    n = len(samples) & ~1
    codes = bytearray(n)
    g711.encode_ulaw(samples, codes, table, n)
    assert codes == _encode(g711.PCMU, samples, n)


def test_silence_is_zero():
    for payload_type in (g711.PCMU, g711.PCMA):
        silence = g711.SILENCE[payload_type == g711.PCMA]
        assert _encode(payload_type, array("h", [0, 0]), 2) == bytes([silence] * 2)
        assert abs(g711.decoding_table(payload_type)[silence]) <= 8
