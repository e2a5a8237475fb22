"""What the audio test measures with."""

import math
from array import array

from media import probe


def test_energy_peak_and_spread():
    samples = array("H", [32768 + 3000, 32768 - 3000, 32768 + 100, 32768])
    found = array("i", [0, 0, 65535, 0])
    probe.weigh(samples, 4, found)
    assert found[0] == 2 * (9000000 >> 8) + (10000 >> 8)
    assert list(found)[1:] == [3000, 29768, 35768]
    probe.weigh(array("H", [32768] * 8), 8, found)
    assert list(found) == [0, 0, 29768, 35768]
    probe.weigh(array("H", [0, 65535] * 128), 256, found)
    assert found[0] == 128 * ((1 << 30) >> 8) + 128 * (32767 * 32767 >> 8) and found[1] == 32768


def test_a_quarter_of_the_samples():
    to = array("H", [7] * 5)
    assert probe.every_fourth(array("H", [0, 4, 8, 12, 65535, 65535, 65535, 65535, 1]), 9, to, 1) == 3
    assert list(to) == [7, 6, 65535, 7, 7]


def test_a_sweep_is_found_where_it_is():
    known = array("H", [32768 + int(1000 * math.sin(0.01 * i * i)) for i in range(100)])
    samples = array("H", [32768] * 400)
    for i in range(100):
        samples[217 + i] = 32768 + (known[i] - 32768) * 30
    found = [probe.alike(samples, at, known, 100) for at in range(300)]
    assert found.index(max(found)) == 217 and max(found) * 300 > 8 * sum(found)
