"""G.711 over every input; the sums are those of what CPython's audioop makes of them (see ../test_media_audioop.py)."""

import binascii
from array import array

from media import g711, tables

PCMU, PCMA = 0, 8
_ENCODED = {PCMU: 0x3B7C3A3E, PCMA: 0x9133796E}
_DECODED = {PCMU: 0x0C847A9F, PCMA: 0x9D764657}


def _encode(payload_type, samples, n):
    codes = bytearray(b"\x55" * (n + 2))
    tables.encoder(payload_type)(samples, codes, tables.encoding_table(payload_type), n)
    assert codes[n:] == b"\x55\x55"  # and not a byte more
    return bytes(codes[:n])


def test_all_65536_samples():
    samples = array("h", range(-32768, 32768))
    for payload_type in (PCMU, PCMA):
        assert binascii.crc32(_encode(payload_type, samples, 65536)) == _ENCODED[payload_type]


def test_all_256_bytes():
    for payload_type in (PCMU, PCMA):
        table = tables.decoding_table(payload_type)
        words = array("H", bytes(2 * 262))
        g711.decode(b"\x00" + bytes(range(256)), 1, words, 3, table, 256)
        assert list(words[:3]) + list(words[259:]) == [0] * 6
        assert binascii.crc32(array("h", [x - 32768 for x in words[3:259]])) == _DECODED[payload_type]


def test_a_table_can_change_its_law():
    table = tables.encoding_table(PCMA)
    tables.encoding_table(PCMU, table)
    samples = array("h", range(-32768, 32768, 5))
    n = len(samples) & ~1
    codes = bytearray(n)
    g711.encode_ulaw(samples, codes, table, n)
    assert codes == _encode(PCMU, samples, n)


def test_silence_is_zero():
    for payload_type in (PCMU, PCMA):
        silence = 0xD5 if payload_type else 0xFF
        assert _encode(payload_type, array("h", [0, 0]), 2) == bytes([silence] * 2)
        assert abs(tables.decoding_table(payload_type)[silence] - 32768) <= 8
