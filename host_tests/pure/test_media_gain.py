"""The microphone's level and the speaker's volume."""

import math
from array import array

from expect import raises
from media import gain, levels


def _samples(values):
    return array("H", [x + 32768 for x in values])


_LOW = 3 << 28  # of a filter at rest
_BAND = 1 << 29


def _condition(raw, gain_db, low=_LOW, band=_BAND):
    samples = _samples([7] * (len(raw) + 2))
    factor, shift = levels.microphone_gain(gain_db)
    state = array("i", [low, factor, shift, band])
    gain.condition(array("i", raw), samples, 1, len(raw), state)
    heard = [x - 32768 for x in samples]
    assert heard[0] == 7 and heard[len(raw) + 1] == 7
    return heard[1:-1], state


def _expected(raw, gain_db):
    """The same in integers without bounds, none of which may need more than 32 bits."""
    factor, shift = levels.microphone_gain(gain_db)
    low = band = 0
    out = []
    for x in raw:
        low += (band >> 7) * 5
        x = (x >> 3) - low - band
        band += x >> 4
        y = (x + 256 >> 9) * factor + ((1 << shift) >> 1)
        for value in (low + _LOW, band + _BAND):
            assert 0 <= value < 1 << 31
        for value in (x, y):
            assert -1 << 31 <= value < 1 << 31
        out.append(max(-32768, min(32767, y >> shift)))
    return out, low + _LOW, band + _BAND


def _level_db(samples, frequency_hz, amplitude):
    """Of one frequency, by correlation over a Hann window."""
    n = len(samples)
    re = im = 0
    for i in range(n):
        w = samples[i] * (1 - math.cos(2 * math.pi * i / n))
        re += w * math.cos(2 * math.pi * frequency_hz * i / 16000)
        im += w * math.sin(2 * math.pi * frequency_hz * i / 16000)
    return 20 * math.log(math.sqrt(re * re + im * im) * 2 / n / amplitude) / math.log(10)


def _response_db(frequency_hz, n=3200):
    raw = [int(12000 * 65536 * math.sin(2 * math.pi * frequency_hz * i / 16000)) for i in range(n + 800)]
    heard, _ = _condition(raw, 0)
    return _level_db(heard[800:], frequency_hz, 12000)


def test_hum_goes_and_speech_stays():
    response = [(f, _response_db(f)) for f in (20, 50, 60, 100, 118, 150, 200, 250, 300, 500, 1000, 2000, 3400, 6000)]
    for frequency_hz, level_db in response:
        if frequency_hz == 20:
            assert level_db < -29
        elif frequency_hz == 50:
            assert level_db < -15.5
        elif frequency_hz == 60:
            assert level_db < -12.5
        elif frequency_hz == 118:
            assert -3.5 < level_db < -2.5
        elif frequency_hz >= 200:
            assert -0.2 < level_db < 0.2, response
        if frequency_hz >= 150:
            assert level_db > -1.2, response


def test_every_extreme_as_in_integers_without_bounds():
    for gain_db in (-60, -6, 0, 6, 24, 48):
        for high, low in ((2147483647, -2147483648), (4096, -4096), (0x7FFFF000, 0x7FFFF000)):
            for n in (20, 35, 68, 69, 140):  # at half a turn of where it rings is the worst
                raw = [high] * n + [low] * n + [high] * n + [high, low] * 20 + [high] * 200 + [low] * 300
                words, state = _condition(raw, gain_db)
                expected, low_pass, band = _expected(raw, gain_db)
                assert words == expected
                assert list(state)[0] == low_pass and list(state)[3] == band


def test_the_worst_that_can_come_stays_within_32_bits():
    # Each sample with the sign of what it does to the output later: the largest that low, band and x can be.
    for k in range(3):
        low = band = 0
        response = []
        x = 1 << 28
        for i in range(1500):
            low += (band >> 7) * 5
            y = (x if i == 0 else 0) - low - band
            band += y >> 4
            response.append((low, band, y)[k])
        worst = [2147483647 if y >= 0 else -2147483648 for y in response]
        worst.reverse()
        _expected(worst, 48)
        _expected([-1 - x for x in worst], 48)


def test_silence_is_silent_after_whatever_was():
    for value in (0, 1, -1, 4095, -4096, 200000000, -2000000000, 2147483647):
        loud = [(i * 1103515245 + 12345) % 4294967296 - 2147483648 for i in range(500)]
        for gain_db in (0, 48):
            heard, _ = _condition(loud + [value] * 1500, gain_db)
            assert heard[-800:] == [0] * 800, (value, gain_db)


def test_quiet_speech_keeps_its_low_bits():
    # 24 bits of which only the lower 12 are used, made louder by 24 dB: below the 16 bits there was sound.
    raw = [int(3000 * math.sin(i / 5)) << 8 for i in range(1600)]
    words, _ = _condition(raw, 24)
    louder = 10 ** ((24 - 12) / 20)  # what the limiter is behind of comes later
    words = words[800:]
    level_db = _level_db(words, 16000 / (10 * math.pi), 3000 / 256 * louder)
    assert abs(level_db) < 0.3
    mean = sum(words) / 800
    power = sum((x - mean) ** 2 for x in words) / 800
    assert power > 100


def test_gain_in_db():
    for gain_db in range(-30, 49):
        state, last = [0] * 3, [0] * 4
        levels.set(state, last, gain_db, False, False, None)
        _, factor, shift = state
        all_db = 20 * math.log(16 * factor / (1 << shift) * last[0] / 4096) / math.log(10)
        assert abs(all_db + 0.28 - gain_db) < 0.02
        assert factor < 1024
    for wrong in (-61, 49):
        assert "between" in str(raises(ValueError, levels.microphone_gain, wrong))
        assert "between" in str(raises(ValueError, levels.volume_gain, wrong))


def test_mixing():
    values = [-32768, -30000, -4097, -1, 0, 1, 4096, 30000, 32767]
    over = [32767, -20000, 9, 0, -1, 5, -32768, 10000, 20000]
    for duck in (0, 2):
        expected = [max(-32768, min(32767, (a >> duck) + b)) for a, b in zip(values, over)]
        samples = _samples([5] + values + [5])
        gain.mix(4 * duck, samples, 1, len(values), _samples(over))
        assert [x - 32768 for x in samples] == [5] + expected + [5]
        signed = array("h", [5] + values + [5])
        gain.mix(4 * duck + 3, signed, 1, len(values), array("h", over))
        assert list(signed) == [5] + expected + [5]


def test_volume_saturates_and_does_not_wrap():
    for volume_db in (-60, -6, 0, 6, 18):
        factor = levels.volume_gain(volume_db)
        values = [-32768, -32767, -4096, -1, 0, 1, 4096, 32766, 32767]
        samples = _samples([5] + values + [5])
        gain.volume(samples, 1, len(values), factor)
        assert [x - 32768 for x in samples] == [5] + [max(-32768, min(32767, x * factor >> 12)) for x in values] + [5]
