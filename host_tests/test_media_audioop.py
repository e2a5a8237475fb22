"""G.711 beside its reference, CPython's own C implementation, on every input there is."""

import struct
from array import array

import pytest
from media import g711

try:
    import audioop  # in CPython until 3.12, then PyPI's audioop-lts
except ImportError:
    audioop = None

pytestmark = pytest.mark.needs("audioop")
ALL = array("h", range(-32768, 32768))


@pytest.mark.parametrize("payload_type,law", [(g711.PCMU, "ulaw"), (g711.PCMA, "alaw")])
def test_every_sample_becomes_audioops_byte(payload_type, law):
    codes = bytearray(65536)
    g711.encoder(payload_type)(ALL, codes, g711.encoding_table(payload_type), 65536)
    expected = getattr(audioop, "lin2" + law)(ALL.tobytes(), 2)
    assert [s for s, ours, theirs in zip(ALL, codes, expected) if ours != theirs] == []


@pytest.mark.parametrize("payload_type,law", [(g711.PCMU, "ulaw"), (g711.PCMA, "alaw")])
def test_every_byte_becomes_audioops_sample(payload_type, law):
    words = array("i", bytes(1024))
    g711.decode(bytes(range(256)), 0, words, 0, g711.decoding_table(payload_type), 256)
    assert tuple(words) == struct.unpack("<256h", getattr(audioop, law + "2lin")(bytes(range(256)), 2))
