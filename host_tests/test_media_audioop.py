"""G.711 beside its reference, CPython's own C implementation, on every input there is."""

import struct
from array import array

import pytest
from media import g711, tables

try:
    import audioop  # in CPython until 3.12, then PyPI's audioop-lts
except ImportError:
    audioop = None

pytestmark = pytest.mark.needs("audioop")
ALL = array("h", range(-32768, 32768))


@pytest.mark.parametrize("payload_type,law", [(0, "ulaw"), (8, "alaw")])
def test_every_sample_becomes_audioops_byte(payload_type, law):
    codes = bytearray(65536)
    tables.encoder(payload_type)(ALL, codes, tables.encoding_table(payload_type), 65536)
    expected = getattr(audioop, "lin2" + law)(ALL.tobytes(), 2)
    assert [s for s, ours, theirs in zip(ALL, codes, expected) if ours != theirs] == []


@pytest.mark.parametrize("payload_type,law", [(0, "ulaw"), (8, "alaw")])
def test_every_byte_becomes_audioops_sample(payload_type, law):
    words = array("H", bytes(512))
    g711.decode(bytes(range(256)), 0, words, 0, tables.decoding_table(payload_type), 256)
    assert tuple(x - 32768 for x in words) == struct.unpack("<256h", getattr(audioop, law + "2lin")(bytes(range(256)), 2))
