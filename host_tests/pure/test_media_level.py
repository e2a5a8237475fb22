"""The voice at one level: no top cut, no noise pumped up, and who speaks."""

import math
from array import array

from media import level, levels

_N = 160


def _noise(n, rms, seed=1):
    # Twelve uniform numbers make one that is nearly Gaussian.
    x = seed
    out = array("h", bytes(2 * n))
    for i in range(n):
        total = 0
        for _ in range(12):
            x = (x * 1103515245 + 12345) & 0x7FFFFFFF
            total += (x >> 8) % 2001 - 1000
        out[i] = int(total * rms / 2000)
    return out


def _sine(frequency_hz, n, amplitude, rate_hz=8000):
    return array("h", [int(round(amplitude * math.sin(2 * math.pi * frequency_hz * i / rate_hz))) for i in range(n)])


def _speech(n, rms):
    """Syllables: bursts of a low and rich sound, 180 ms, with gaps of 80 ms, and one of 400 ms after each fifth; rms of all."""
    out = array("h", bytes(2 * n))
    at = period = 0
    while at < n:
        pitch = 60 + at // 1000 % 20
        for i in range(min(1440, n - at)):
            phase = i % pitch
            out[at + i] = int(10000 * math.sin(math.pi * i / 1440) * math.exp(-phase / 15) * math.cos(phase * 0.6))
        at += 1440 + (640 if period % 5 < 4 else 3200)
        period += 1
    scale = rms / _rms(out)
    for i in range(n):
        out[i] = max(-32768, min(32767, int(scale * out[i])))
    return out


class Level:
    """level.frame with its state, of 0 dB and an automatic gain."""

    def __init__(self):
        self.state = array("i", bytes(100))
        self.state[0] = 4096
        self.state[3] = 1
        level.start(self.state)

    def frame(self, samples, n):
        return level.frame(samples, n, self.state)


def _silence(n):
    return array("h", bytes(2 * n))


def _mixed(a, b):
    return array("h", [max(-32768, min(32767, a[i] + b[i])) for i in range(len(a))])


def _pass(samples, control=None, n=_N):
    """-> what comes out, whether each frame is speech, the Level"""
    control = control or Level()
    out = array("h", samples)
    speaks = []
    for at in range(0, len(out) - n + 1, n):
        frame = out[at : at + n]
        frame.append(77)
        speaks.append(control.frame(frame, n))
        assert frame[n] == 77
        out[at : at + n] = frame[:n]
    return out, speaks, control


def _db(ratio):
    return 20 * math.log(ratio) / math.log(10)


def _rms(samples):
    return math.sqrt(sum(x * x for x in samples) / len(samples))


def _distortion_db(samples, frequency_hz, rate_hz=8000):
    """What is not the sine, beside it."""
    n = len(samples)
    re = sum(samples[i] * math.cos(2 * math.pi * frequency_hz * i / rate_hz) for i in range(n)) * 2 / n
    im = sum(samples[i] * math.sin(2 * math.pi * frequency_hz * i / rate_hz) for i in range(n)) * 2 / n
    rest = [
        samples[i] - re * math.cos(2 * math.pi * frequency_hz * i / rate_hz) - im * math.sin(2 * math.pi * frequency_hz * i / rate_hz)
        for i in range(n)
    ]
    return _db((_rms(rest) + 1e-9) / math.sqrt((re * re + im * im) / 2))


# -- Nothing to do, nothing done


def test_a_comfortable_voice_goes_through_bit_for_bit():
    samples = _mixed(_speech(8 * 8000, 1642), _noise(8 * 8000, 20))
    out, speaks, control = _pass(samples)
    assert out == samples
    assert sum(speaks) > len(speaks) * 0.6
    assert control.state[1] == 1024


# -- The limiter


def _amplified(samples, last_db, **more):
    control = Level()
    control.state[0] = int(4096 * 10 ** (last_db / 20) + 0.5)
    control.state[3] = 0
    level.start(control.state)
    return _pass(samples, control, **more)


def test_gain_in_db_and_exact_below_the_limit():
    for last_db in (0, 3, 6, 12):
        samples = _sine(440, 3200, 2000)
        out, _, _ = _amplified(samples, last_db)
        factor = int(4096 * 10 ** (last_db / 20) + 0.5)
        assert list(out) == [x * factor + 2048 >> 12 for x in samples]


def test_a_loud_tone_is_quieter_not_distorted():
    for frequency_hz in (110, 200, 440, 1000, 3100):
        for over_db in (1, 6, 12):
            samples = _sine(frequency_hz, 8000, 30000 / 10 ** (over_db / 20) * 2 if over_db == 6 else 30000)
            out, _, _ = _amplified(samples, over_db)
            assert max(abs(x) for x in out) <= 30010
            steady = out[4000:]
            assert max(steady) > 28500
            assert _distortion_db(steady, frequency_hz) < -45, (frequency_hz, over_db)


def test_no_top_is_cut_whenever_a_peak_comes():
    for onset in range(0, 160, 7):
        samples = [100] * (800 + onset) + [30000, -32768, 32767] * 100 + [100] * 500
        out, _, _ = _amplified(samples, 12)
        assert max(abs(x) for x in out) <= 30010
        # Before a peak the gain slides: no sample is louder than the one before it by more than the slide explains.
        assert out[700] == 100 * 16306 + 2048 >> 12


def test_the_gain_comes_back_smoothly():
    loud = _sine(440, 1600, 30000)
    soft = _sine(440, 8000, 1000)
    out, _, _ = _amplified(loud + soft, 12)
    levels_db = [_db(_rms(out[at : at + 80]) / _rms(soft[:80])) for at in range(1600, 9600, 80)]
    assert levels_db[0] < 1.5
    assert all(b - a < 1 for a, b in zip(levels_db, levels_db[1:]))
    back = [i for i, x in enumerate(levels_db) if x > 11]
    assert 10 < back[0] < 60  # hundredths of a second
    assert abs(levels_db[-1] - 12) < 0.1


def test_every_extreme_and_sixteen_kilohertz():
    for values in ([-32768] * 640, [32767] * 640, [-32768, 32767] * 320, [0] * 639 + [-32768], [-32768] + [0] * 639):
        for n in (160, 320):
            out, _, _ = _amplified(values, 12, n=n)
            assert max(abs(x) for x in out) <= 30010
            assert all(a * b >= 0 for a, b in zip(out, values))


# -- The automatic gain


def _agc_db(control):
    return _db(control.state[1] / 1024)


def test_a_weak_voice_is_raised_and_a_strong_one_lowered():
    for rms, least, most in ((150, 5, 12.3), (90, 8, 12.3), (12000, -12.3, -3)):
        samples = _mixed(_speech(12 * 8000, rms), _noise(12 * 8000, 3))
        out, _, control = _pass(samples)
        assert least <= _agc_db(control) <= most, (rms, _agc_db(control))
        assert max(abs(x) for x in out) <= 30010


def test_it_is_gentle():
    samples = _mixed(_speech(6 * 8000, 100), _noise(6 * 8000, 3))
    control = Level()
    course = []
    for at in range(0, len(samples), _N):
        control.frame(array("h", samples[at : at + _N]), _N)
        course.append(_agc_db(control))
    steps = [b - a for a, b in zip(course, course[1:])]
    assert max(steps) < 1.1 and min(steps) == 0
    for at in range(len(course) - 50):
        assert course[at + 50] - course[at] < 3.2  # in a second


def test_noise_is_not_pumped_up_in_pauses():
    voice = _speech(6 * 8000, 200) + _silence(20 * 8000)
    out, _, control = _pass(_mixed(voice, _noise(len(voice), 12)))
    at_6_s = _rms(out[6 * 8000 + 8000 : 8 * 8000]) / 12
    at_26_s = _rms(out[24 * 8000 : 26 * 8000]) / 12
    assert abs(_db(at_26_s / at_6_s)) < 0.5
    # And never so far that it is heard: this is -53 dBov.
    out, _, control = _pass(_mixed(_speech(12 * 8000, 250) + _silence(8000), _noise(13 * 8000, 75)))
    assert 1 < _agc_db(control) < 4.2 and _rms(out[-6400:]) < 125


def test_noise_alone_moves_nothing():
    for rms in (5, 30, 300, 3000):
        _, _, control = _pass(_noise(6 * 8000, rms))
        assert control.state[1] == 1024, rms


def test_off_it_stays():
    control = Level()
    levels.set([0] * 3, control.state, 0, False, False, None)
    _, _, control = _pass(_mixed(_speech(6 * 8000, 200), _noise(6 * 8000, 3)), control)
    assert control.state[1] == 1024


# -- Who speaks


def test_noise_is_no_speech_and_a_word_in_it_is():
    for rms in (0, 4, 40, 400):
        noise = _noise(6 * 8000, rms)
        _, speaks, _ = _pass(noise)
        assert sum(speaks[100:]) == 0, rms
        word = _silence(3 * 8000) + _speech(4000, max(rms * 4, 100)) + _silence(20000)
        _, speaks, _ = _pass(_mixed(word, noise))
        assert sum(speaks[100:149]) == 0
        assert sum(speaks[150:156]) >= 5, (rms, speaks[145:160])
        assert speaks[175] and sum(speaks[190:]) == 0, (rms, speaks[170:])


def test_noise_that_begins_is_known_in_three_seconds():
    _, speaks, _ = _pass(_noise(4 * 8000, 10) + _noise(6 * 8000, 300, 3))
    assert sum(speaks[200:210]) == 10 and sum(speaks[350:]) == 0


def test_an_s_in_the_roar_of_a_street():
    street = []
    x = y = 0.0
    for value in _noise(5 * 8000, 6000):
        x += (value - x) * 0.1  # below 130 Hz,
        y += (x - y) * 0.1  # less what the high-pass takes
        street.append(int(x - y))
    hiss = _noise(1201, 300, 9)
    hiss = [b - a for a, b in zip(hiss, hiss[1:])]
    assert _rms(hiss) < 0.6 * _rms(street)
    s = [0] * 24000 + hiss + [0] * 14800
    _, speaks, _ = _pass(_mixed(street, s))
    assert sum(speaks[150:157]) >= 6
    assert sum(speaks[100:150]) == 0


def test_the_first_second_is_speech_whatever_it_is():
    _, speaks, _ = _pass([0] * 16000)
    assert speaks[:49] == [1] * 49 and sum(speaks[50:]) == 0


def test_what_the_other_side_hears_of_the_noise_is_known():
    for last_db in (0, 12):
        control = Level()
        levels.set([0] * 3, control.state, last_db, True, False, None)
        out, _, control = _pass(_noise(5 * 8000, 40), control)
        mean = sum(abs(x) for x in out[-8000:]) / 8000
        assert abs(_db(control.state[14] / 16 / mean)) < 0.7


def test_sixteen_kilohertz_is_the_same():
    samples = _mixed(_speech(6 * 8000, 200), _noise(6 * 8000, 3))
    twice = array("h", [samples[i >> 1] for i in range(2 * len(samples))])
    _, speaks, control = _pass(samples)
    _, wide, other = _pass(twice, n=320)
    assert control.state[1] == other.state[1]
    assert sum(a != b for a, b in zip(speaks, wide)) < len(wide) // 20


def test_what_is_left_of_the_gain():
    for gain_db, last_db in ((-20, 0), (0, 0), (5, 5), (12, 12), (30, 12), (48, 12)):
        gain, state = [0] * 3, [0] * 4
        levels.set(gain, state, gain_db, True, False, None)
        assert abs(_db(state[0] / 4096) - last_db) < 0.01 and state[3]
        assert abs(_db(16 * gain[1] / (1 << gain[2])) + 0.28 + last_db - gain_db) < 0.02
