"""What the visitor hears while it rings."""

import math
from array import array

from expect import raises
from media import tones


def _frames(name, n):
    tone = tones.Tone(name)
    words = array("H", [0] * 162)
    heard = []
    for _ in range(n):
        words[0] = words[161] = 99
        tone.fill(words, 1, 160)
        assert words[0] == 99 and words[161] == 99
        heard.append([x - 32768 for x in words[1:161]])
    return heard


def _sounds(frame):
    return max(frame) > 1000


def test_cadence_of_ringing():
    heard = _frames("ringback", 600)
    for i in range(600):
        assert _sounds(heard[i]) == (i % 250 < 50), i


def test_cadence_of_busy_and_error():
    heard = _frames("busy", 100)
    assert [_sounds(frame) for frame in heard] == ([True] * 25 + [False] * 25) * 2
    heard = _frames("error", 50)
    assert [_sounds(frame) for frame in heard] == ([True] * 12 + [False] * 13) * 2


def test_it_is_a_clean_425_hz():
    samples = []
    for frame in _frames("ringback", 41)[1:]:
        samples += frame
    n = len(samples)

    def level(frequency_hz):
        re = sum(samples[i] * math.cos(2 * math.pi * frequency_hz * i / 8000) for i in range(n))
        im = sum(samples[i] * math.sin(2 * math.pi * frequency_hz * i / 8000) for i in range(n))
        return math.sqrt(re * re + im * im) * 2 / n

    assert abs(level(425) - 6500) < 100
    for harmonic in (2, 3, 5, 7):
        assert level(425 * harmonic) < 65, harmonic
    assert abs(max(samples) - 6500) < 50 and abs(min(samples) + 6500) < 50


def test_no_click():
    heard = _frames("busy", 30)
    samples = []
    for frame in heard:
        samples += frame
    assert max(abs(a - b) for a, b in zip(samples, samples[1:])) < 2400  # a 425 Hz sine's own steepest step
    assert max(abs(x) for x in samples[:20]) < 900


def test_an_unknown_one_is_named():
    assert "busy, error, ringback" in str(raises(ValueError, tones.Tone, "dial"))
