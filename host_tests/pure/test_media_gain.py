"""The microphone's level and the speaker's volume."""

import math
from array import array

from expect import raises
from media import gain, levels


def _samples(values):
    return array("H", [x + 32768 for x in values])


def _condition(raw, gain_db, mean=0):
    samples = _samples([7] * (len(raw) + 2))
    factor, shift = levels.microphone_gain(gain_db)
    state = array("i", [(1 << 28) + mean, factor, shift])
    gain.condition(array("i", raw), samples, 1, len(raw), state)
    heard = [x - 32768 for x in samples]
    assert heard[0] == 7 and heard[len(raw) + 1] == 7
    return heard[1:-1], state


def _expected(raw, gain_db, mean=0):
    factor, shift = levels.microphone_gain(gain_db)
    out = []
    for x in raw:
        x = (x >> 12) - (mean >> 9)
        mean += x
        out.append(max(-32768, min(32767, x * factor + (1 << shift - 1) >> shift)))
    return out, mean


def test_zero_db_hands_over_the_upper_16_bits():
    raw = [0, 1 << 16, -1 << 16, 0, 1000 << 16, -1000 << 16]
    words, _ = _condition(raw, 0)
    for word, x in zip(words, raw):
        assert abs(word - (x >> 16)) <= 2  # the mean has begun to move


def test_every_extreme_as_in_integers_without_bounds():
    for gain_db in (-60, -6, 0, 6, 24, 48):
        for high, low in ((2147483647, -2147483648), (4096, -4096), (0x7FFFF000, 0x7FFFF000)):
            raw = [high, low] * 20 + [high] * 400 + [low] * 700
            words, state = _condition(raw, gain_db)
            expected, mean = _expected(raw, gain_db)
            assert words == expected
            assert state[0] == (1 << 28) + mean and 0 <= state[0] <= 1 << 29


def test_quiet_speech_keeps_its_low_bits():
    # 24 bits of which only the lower 12 are used, made louder by 24 dB: below the 16 bits there was sound.
    raw = [int(3000 * math.sin(i / 5)) << 8 for i in range(600)]
    words, _ = _condition(raw, 24)
    expected = [(x >> 8) * 15.849 / 256 for x in raw]
    error = sum((a - b) ** 2 for a, b in zip(words, expected)) / 600
    power = sum(b * b for b in expected) / 600
    assert 10 * math.log(power / error) / math.log(10) > 25


def test_the_offset_goes():
    raw = [200000000] * 16000
    words, state = _condition(raw[:8000], 0)
    assert words[0] > 3000
    assert abs(words[-1]) <= 1
    assert abs((state[0] - (1 << 28) >> 9) - (200000000 >> 12)) <= 1


def test_gain_in_db():
    for gain_db in range(-30, 49):
        factor, shift = levels.microphone_gain(gain_db)
        assert abs(20 * math.log(16 * factor / (1 << shift)) / math.log(10) - gain_db) < 0.02
    for wrong in (-61, 49):
        assert "between" in str(raises(ValueError, levels.microphone_gain, wrong))
        assert "between" in str(raises(ValueError, levels.volume_gain, wrong))


def test_volume_saturates_and_does_not_wrap():
    for volume_db in (-60, -6, 0, 6, 18):
        factor = levels.volume_gain(volume_db)
        values = [-32768, -32767, -4096, -1, 0, 1, 4096, 32766, 32767]
        samples = _samples([5] + values + [5])
        gain.volume(samples, 1, len(values), factor)
        assert [x - 32768 for x in samples] == [5] + [max(-32768, min(32767, x * factor >> 12)) for x in values] + [5]
