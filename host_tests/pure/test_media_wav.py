"""WAV files played over a call's sound: each kind, each rate, and what is no such file."""

import gc
import math
import sys
from array import array

from expect import raises
from media import g711, tables, wav

try:
    from micropython import mem_total  # bytes ever allocated; not in every build
except ImportError:
    mem_total = gc.mem_alloc

_NAME = "prompt.wav"


def _chunk(name, data):
    return name + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) & 1)


def _format(kind=1, channels=1, rate_hz=8000, bits=16, more=b""):
    block = channels * bits // 8
    numbers = ((kind, 2), (channels, 2), (rate_hz, 4), (rate_hz * block, 4), (block, 2), (bits, 2))
    return _chunk(b"fmt ", b"".join([value.to_bytes(n, "little") for value, n in numbers]) + more)


def _write(*chunks):
    body = b"WAVE" + b"".join(chunks)
    with open(_NAME, "wb") as f:
        f.write(b"RIFF" + len(body).to_bytes(4, "little") + body)


def _file(data, *chunks, **form):
    _write(_format(**form), *(chunks + (_chunk(b"data", data),)))


def _sine(frequency_hz, rate_hz, n, amplitude=12000):
    return [int(amplitude * math.sin(2 * math.pi * frequency_hz * i / rate_hz)) for i in range(n)]


def _pcm(samples):
    return bytes(array("h", samples))


def _heard(n, base=0, sign=1):
    """All that is played over a steady `base` -> samples, signed."""
    it = wav.Wav(_NAME, n)
    out = []
    more = True
    while more:
        samples = array("H", [base + 32768 ^ sign << 15] * (n + 2))
        more = it.over(samples, 1, n, sign)
        assert samples[0] == samples[n + 1] == base + 32768 ^ sign << 15
        out += [(x ^ sign << 15) - 32768 for x in samples[1 : n + 1]]
    assert len(out) * 1000 // (n * 50) == it.ms
    raises((ValueError, OSError), it._flash.read, 1)  # it is closed
    return out


def _level(samples, frequency_hz, rate_hz):
    re = sum(samples[i] * math.cos(2 * math.pi * frequency_hz * i / rate_hz) for i in range(len(samples)))
    im = sum(samples[i] * math.sin(2 * math.pi * frequency_hz * i / rate_hz) for i in range(len(samples)))
    return math.sqrt(re * re + im * im) * 2 / len(samples)


def test_sixteen_bits_as_they_are():
    for rate_hz, n in ((8000, 160), (16000, 320)):
        samples = _sine(500, rate_hz, 5 * n)
        _file(_pcm(samples), rate_hz=rate_hz)
        assert _heard(n) == samples
        assert _heard(n, sign=0) == samples
        assert _heard(n, 4000) == [x + 1000 for x in samples]  # over something, which is 12 dB quieter then
        _file(_pcm([32767, -32768] * n), rate_hz=rate_hz)
        assert set(_heard(n, 8000)) == {32767, -30768}


def test_eight_bits_and_g711():
    samples = _sine(500, 8000, 800)
    _file(bytes([(x >> 8) + 128 for x in samples]), bits=8)
    assert _heard(160) == [x >> 8 << 8 for x in samples]
    for kind, payload_type in ((7, 0), (6, 8)):
        codes = bytearray(800)
        tables.encoder(payload_type)(array("h", samples), codes, tables.encoding_table(payload_type), 800)
        _file(bytes(codes), kind=kind, bits=8)
        back = array("H", bytes(1600))
        g711.decode(codes, 0, back, 0, tables.decoding_table(payload_type), 800)
        assert _heard(160) == [x - 32768 for x in back]


def test_each_rate_into_the_other():
    codes = bytearray(4000)
    samples = _sine(700, 8000, 4000)
    tables.encoder(0)(array("h", samples), codes, tables.encoding_table(0), 4000)
    for data, form in ((_pcm(samples), {}), (bytes(codes), {"kind": 7, "bits": 8})):
        _file(data, **form)
        heard = _heard(320)
        assert len(heard) == 8000
        assert abs(_level(heard[1600:6400], 700, 16000) - 12000) < 100
        assert _level(heard[1600:6400], 7300, 16000) < 30
    wide = [a + b for a, b in zip(_sine(700, 16000, 8000), _sine(6000, 16000, 8000))]
    codes = bytearray(8000)
    tables.encoder(8)(array("h", wide), codes, tables.encoding_table(8), 8000)
    for data, form in ((_pcm(wide), {}), (bytes(codes), {"kind": 6, "bits": 8})):
        _file(data, rate_hz=16000, **form)
        heard = _heard(160)
        assert len(heard) == 4000
        assert abs(_level(heard[800:3200], 700, 8000) - 12000) < 100
        assert _level(heard[800:3200], 2000, 8000) < 60  # where 6 kHz would fold to


def test_the_call_becomes_wideband_while_it_plays():
    _file(_pcm(_sine(700, 8000, 3200)))
    it = wav.Wav(_NAME, 160)
    samples = array("h", bytes(640))
    for n in (160, 320, 320, 160):
        assert it.over(samples, 0, n, 1)
        assert max(samples[:n]) > 8000
    it.close()


def test_the_last_frame_is_filled_with_silence():
    for form, data, rest in (
        ({}, _pcm([5000] * 200) + b"\7", 0),  # and half a sample
        ({"bits": 8}, b"\xc0" * 200, 0),
        ({"kind": 7, "bits": 8}, b"\x80" * 200, 0),
        ({"kind": 6, "bits": 8}, b"\x80" * 200, 8),
    ):
        _file(data, **form)
        heard = _heard(160)
        assert len(heard) == 320 and abs(heard[199]) > 1000 and all(abs(x) <= rest for x in heard[200:]), form
    # and what follows the sound is none
    samples = _sine(500, 8000, 320)
    _write(_format(), _chunk(b"data", _pcm(samples)), _chunk(b"LIST", b"x" * 5000))
    assert _heard(160) == samples


def test_chunks_of_all_kinds_before_it():
    samples = _sine(500, 8000, 320)
    _file(_pcm(samples), _chunk(b"LIST", b"odd"), _chunk(b"fact", b"\0" * 4), _chunk(b"bext", b"z" * 2001))
    assert _heard(160) == samples
    _write(_chunk(b"JUNK", b"j" * 28), _format(more=b"\0\0"), _chunk(b"data", _pcm(samples)))
    assert _heard(160) == samples
    extensible = b"\x16\0\x10\0\4\0\0\0" + b"\1\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
    _write(_format(kind=0xFFFE, more=extensible), _chunk(b"data", _pcm(samples)))
    assert _heard(160) == samples


def test_a_length_that_was_not_known():
    samples = _sine(500, 8000, 320)
    for size in (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\x81\2\0\0"):
        _write(_format(), b"data" + size + _pcm(samples))
        assert _heard(160) == samples


def test_what_it_is_not_is_said():
    sound = _chunk(b"data", b"\0" * 800)
    cases = (
        ("no WAV", (), b"ID3\3" + b"\0" * 50),
        ("no WAV", (), b"RIFX\0\0\0\0WAVE"),
        ("ends before", (), b""),
        ("ends before", (), b"RIFF\0\0"),
        ("ends before", (_format(),), None),
        ("ends before", (_format()[:-5],), None),
        ("cut short", (_chunk(b"fmt ", b"\1\0\1\0"), sound), None),
        ("before its format", (sound, _format()), None),
        ("no sound", (_format(), _chunk(b"data", b"")), None),
        ("no sound", (_format(),) + (_chunk(b"junk", b""),) * 70, None),
        ("longer than a file", (_format(), b"LIST\xff\xff\xff\xff"), None),
        ("2 channels", (_format(channels=2), sound), None),
        ("0 channels", (_format(channels=0), sound), None),
        ("44100 samples", (_format(rate_hz=44100), sound), None),
        ("4294967295 samples", (_format(rate_hz=44100).replace(b"\x44\xac\0\0", b"\xff\xff\xff\xff"), sound), None),
        ("neither PCM", (_format(bits=24), sound), None),
        ("neither PCM", (_format(kind=3, bits=32), sound), None),
        ("neither PCM", (_format(kind=7, bits=16), sound), None),
        ("neither PCM", (_format(kind=0xFFFE), sound), None),
    )
    for words, chunks, whole in cases:
        _write(*chunks)
        if whole is not None:
            with open(_NAME, "wb") as f:
                f.write(whole)
        said = str(raises(ValueError, wav.Wav, _NAME, 160))
        assert words in said and _NAME in said, (words, said)
    assert "no file 'gone.wav'" in str(raises(OSError, wav.Wav, "gone.wav", 160))


def test_damaged_files_are_played_or_refused():
    good = b"WAVE" + _chunk(b"LIST", b"abc") + _format(more=b"\0\0") + _chunk(b"data", _pcm(_sine(500, 8000, 400)))
    good = b"RIFF" + len(good).to_bytes(4, "little") + good
    x = 7
    played = refused = 0
    for i in range(1500 if sys.implementation.name != "cpython" else 400):
        data = bytearray(good)
        for _ in range(1 + i % 3):
            x = (x * 1103515245 + 12345) & 0x7FFFFFFF
            data[(x >> 8) % 64] = (0, 1, 0xFF, 0x7F, 0x80, x >> 20 & 255)[(x >> 5) % 6]
        if i % 4 == 0:
            data = data[: (x >> 9) % len(data)]
        with open(_NAME, "wb") as f:
            f.write(data)
        try:
            it = wav.Wav(_NAME, (160, 320)[i & 1])
        except ValueError:
            refused += 1
            continue
        samples = array("h", bytes(640))
        frames = 0
        while it.over(samples, 0, (160, 320)[i & 1], 1):
            frames += 1
            assert frames < 10
        played += 1
    assert played > 20 and refused > 20


def test_playing_allocates_nothing():
    for form, n in (({}, 160), ({"rate_hz": 16000}, 160), ({}, 320), ({"kind": 7, "bits": 8}, 320)):
        _file(_pcm(_sine(500, 8000, 16000)), **form)
        it = wav.Wav(_NAME, n)
        samples = array("h", bytes(640))
        it.over(samples, 0, n, 1)
        gc.collect()
        gc.disable()
        total = mem_total()
        for _ in range(30):
            it.over(samples, 0, n, 1)
        total = mem_total() - total
        gc.enable()
        assert total == 0, (form, n, total)
        it.close()
