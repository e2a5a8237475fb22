"""What visitor and caller hear while it rings, when it does not, when the door opens, and before the end."""

import gc
import math
from array import array

from expect import raises
from media import sounds

try:
    from micropython import mem_total  # bytes ever allocated; not in every build
except ImportError:
    mem_total = gc.mem_alloc


_COUNTRIES = "eu at au be br ch cn cz de dk es fi fr hu it jp nl no nz pl pt ru se tw uk us"


def _frames(name, n, where="eu", samples=160):
    tone = sounds.tone(name, where)
    words = array("H", [0] * (samples + 2))
    heard = []
    for _ in range(n):
        words[0] = words[samples + 1] = 99
        assert tone.fill(words, 1, samples) or tone.ms == 20 * (len(heard) + 1)
        assert words[0] == 99 and words[samples + 1] == 99
        heard.append([x - 32768 for x in words[1 : samples + 1]])
    return heard


def _sounds(frame):
    return max(frame) > 1000


def _runs(frames):
    """-> how many frames it sounds and pauses, in turn: 50, -200, ..."""
    runs = []
    for frame in frames:
        sign = 1 if _sounds(frame) else -1
        if runs and runs[-1] * sign > 0:
            runs[-1] += sign
        else:
            runs.append(sign)
    return runs


def _level(samples, frequency_hz, rate_hz=8000):
    n = len(samples)
    re = sum(samples[i] * math.cos(2 * math.pi * frequency_hz * i / rate_hz) for i in range(n))
    im = sum(samples[i] * math.sin(2 * math.pi * frequency_hz * i / rate_hz) for i in range(n))
    return math.sqrt(re * re + im * im) * 2 / n


def test_cadences():
    assert _runs(_frames("ringback", 600)) == [50, -200, 50, -200, 50, -50]
    assert _runs(_frames("busy", 100)) == [25, -25] * 2
    assert _runs(_frames("error", 50)) == [12, -13] * 2
    assert _runs(_frames("ringback", 300, "uk")) == [20, -10, 20, -100] * 2
    assert _runs(_frames("error", 148, "uk")) == [20, -17, 11, -26] * 2
    assert _runs(_frames("ringback", 300, "us")) == [100, -200]


def test_every_country_and_every_tone():
    periods = {"ringback": (150, 300), "busy": (20, 50), "error": (16, 80)}
    for country in _COUNTRIES.split(" "):
        for name in ("ringback", "busy", "error"):
            if name == "ringback" and country == "jp":
                continue  # it beats
            heard = [max(frame) > 500 for frame in _frames(name, 610, country, 32)]  # short frames: it is when that counts
            period = 1
            while heard[period:] != heard[:-period]:
                period += 1
            assert periods[name][0] <= period <= periods[name][1] and heard[0], (country, name, period)
            assert 5 < sum(heard[:period]) < period - 5
    assert ", ".join(_COUNTRIES.split(" ")) in str(raises(ValueError, sounds.tone, "busy", "xx"))


def test_what_sounds_is_what_the_country_has():
    for name, country, frequencies in (
        ("ringback", "eu", (425,)), ("ringback", "us", (440, 480)), ("busy", "us", (480, 620)), ("ringback", "uk", (400, 450)),
        ("busy", "uk", (400,)), ("ringback", "jp", (392, 408)), ("ringback", "fr", (440,)), ("busy", "cn", (450,)),
    ):  # fmt: skip
        samples = []
        for frame in _frames(name, 16, country)[1:]:
            samples += frame
        n = len(samples) // 160 * 160
        window = [x * (1 - math.cos(2 * math.pi * i / n)) for i, x in enumerate(samples)]
        for frequency_hz in frequencies:
            expected = 6500 if len(frequencies) == 1 else 3250
            if country != "jp":  # its two are too near for so short a look
                assert abs(_level(window, frequency_hz) - expected) < 200, (name, country, frequency_hz)
        assert max(samples) <= 6550


def test_it_is_a_clean_425_hz():
    for n, rate_hz in ((160, 8000), (320, 16000)):
        samples = []
        for frame in _frames("ringback", 41, samples=n)[1:]:
            samples += frame
        assert abs(_level(samples, 425, rate_hz) - 6500) < 100
        for harmonic in (2, 3, 5, 7):
            assert _level(samples, 425 * harmonic, rate_hz) < 65, harmonic
        assert abs(max(samples) - 6500) < 50 and abs(min(samples) + 6500) < 50


def test_no_click():
    for country in ("eu", "us"):
        samples = []
        for frame in _frames("busy", 30, country):
            samples += frame
        assert max(abs(a - b) for a, b in zip(samples, samples[1:])) < 2900  # the sines' own steepest step
        assert max(abs(x) for x in samples[:20]) < 900


def test_those_that_end():
    opened = _frames("open", 24)
    assert abs(_level(opened[3] + opened[4], 660) - 6500) < 300 and abs(_level(opened[15] + opened[16], 880) - 6500) < 300
    assert sounds.tone("open", "eu").ms == 480
    heard = _frames("countdown", 500)
    assert _runs(heard) == [5, -45] * 10
    assert sounds.tone("countdown", "eu").ms == 10000
    tone = sounds.tone("open", "eu")
    samples = array("h", [1000] * 160)
    frames = 1
    while tone.over(samples, 0, 160, 1):
        frames += 1
    assert frames == 24
    tone.close()


def test_over_what_there_is():
    tone, other = sounds.tone("open", "eu"), sounds.tone("open", "uk")
    alone = array("H", bytes(320))
    other.fill(alone, 0, 160)
    samples = array("h", [1000] * 162)
    tone.over(samples, 1, 160, 1)
    assert list(samples) == [1000] + [1000 + x - 32768 for x in alone] + [1000]


def test_sounding_allocates_nothing():
    for name, country, n in (("ringback", "eu", 160), ("ringback", "us", 160), ("ringback", "us", 320), ("open", "eu", 160)):
        tone = sounds.tone(name, country)
        samples = array("H", bytes(640))
        tone.fill(samples, 0, n)
        gc.collect()
        gc.disable()
        total = mem_total()
        for _ in range(20):
            tone.fill(samples, 0, n)
        if name == "open":
            tone.over(samples, 0, n, 0)
        total = mem_total() - total
        gc.enable()
        assert total == 0, (name, country, n, total)


def test_unknown_ones_are_named():
    assert "busy, countdown, error, open, ringback" in str(raises(ValueError, sounds.tone, "dial", "eu"))
    for wrong in ("xx", "", "e", "EU"):
        assert "eu, at, au" in str(raises(ValueError, sounds.tone, "busy", wrong))
