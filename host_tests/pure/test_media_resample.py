"""The two halves of the half-band filter: what passes, what must not, and sums that never overflow."""

import math
from array import array

from media import resample

_TAPS = (-27, 49, -92, 155, -246, 375, -556, 816, -1208, 1876, -3347, 10397)


def _taps():
    taps = [0] * 47
    for i in range(12):
        taps[2 * i] = taps[46 - 2 * i] = _TAPS[i]
    taps[23] = 16384
    return taps


def _clip(x):
    return max(-32768, min(32767, x))


def _binary(values):
    return array("H", [x + 32768 for x in values])


def _decimate(values):
    n = (len(values) - 46) // 2
    samples = array("h", [123] * (n + 1))
    resample.decimate(_binary(values), samples, n)
    assert samples[n] == 123
    return list(samples)[:n]


def _interpolate(values):
    n = len(values) - 23
    samples = array("h", [123] * (2 * n + 2))
    resample.interpolate(_binary(values), samples, 1, n)
    assert samples[0] == 123 and samples[2 * n + 1] == 123
    return list(samples)[1:-1]


def _sine(frequency_hz, rate_hz, n, level=20000):
    return [int(level * math.sin(2 * math.pi * frequency_hz * i / rate_hz + 0.3)) for i in range(n)]


def _level_db(samples, frequency_hz, rate_hz, reference=20000):
    """Of one frequency, by correlation over a Hann window."""
    n = len(samples)
    re = im = 0
    for i in range(n):
        w = samples[i] * (1 - math.cos(2 * math.pi * i / n))
        re += w * math.cos(2 * math.pi * frequency_hz * i / rate_hz)
        im += w * math.sin(2 * math.pi * frequency_hz * i / rate_hz)
    return 20 * math.log((math.sqrt(re * re + im * im) * 2 / n + 1e-3) / reference) / math.log(10)


def test_the_taps_sum_to_one():
    taps = _taps()
    assert sum(taps) == 32768
    assert sum(abs(t) for t in taps) * 32768 < 1 << 31


def test_speech_passes_down():
    for frequency_hz in (100, 300, 1000, 2000, 3000, 3400):
        out = _decimate(_sine(frequency_hz, 16000, 846))
        assert abs(_level_db(out, frequency_hz, 8000)) < 0.05, frequency_hz


def test_what_would_fold_does_not():
    for frequency_hz in (4600, 5000, 5500, 6000, 7000, 7900):
        out = _decimate(_sine(frequency_hz, 16000, 846))
        assert _level_db(out, 8000 - frequency_hz, 8000) < -55, frequency_hz


def test_speech_passes_up_and_its_image_does_not():
    for frequency_hz in (100, 300, 1000, 2000, 3000, 3400):
        out = _interpolate(_sine(frequency_hz, 8000, 423))
        assert abs(_level_db(out, frequency_hz, 16000)) < 0.05, frequency_hz
        assert _level_db(out, 8000 - frequency_hz, 16000) < -55, frequency_hz


def _noise(n):
    x = 12345
    values = []
    for i in range(n):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
        values.append((-32768, 32767, (x >> 8) % 65536 - 32768)[(x >> 24) % 3])
    return values


def test_down_as_in_integers_without_bounds():
    taps = _taps()
    # The worst that can come: each sample with its tap's sign, and against it.
    worst = [32767 if t >= 0 else -32768 for t in taps]
    for values in (_noise(446), worst + [0], [-1 - x for x in worst] + [0]):
        out = _decimate(values)
        for i in range(len(out)):
            x = sum(t * v for t, v in zip(taps, values[2 * i : 2 * i + 47]))
            assert out[i] == _clip(x + 16384 >> 15)


def test_up_as_in_integers_without_bounds():
    even = _taps()[::2]
    worst = [32767 if t >= 0 else -32768 for t in even]
    for values in (_noise(223), worst + [0], [-1 - x for x in worst] + [0]):
        out = _interpolate(values)
        for i in range(len(out) // 2):
            x = sum(t * v for t, v in zip(even, values[i : i + 24]))
            assert out[2 * i] == _clip(x + 8192 >> 14)
            assert out[2 * i + 1] == values[i + 12]


def test_copy():
    for n in range(10):
        samples = array("h", range(-20, 20))
        resample.copy(samples, 1, samples, 3, n)
        assert list(samples)[1 : 1 + n] == list(range(-17, -17 + n))
        assert samples[1 + n] == -19 + n


def test_fill():
    for n in range(10):
        samples = array("h", range(20))
        resample.fill(samples, 3, n, -2)
        assert list(samples) == list(range(3)) + [-2] * n + list(range(3 + n, 20))
