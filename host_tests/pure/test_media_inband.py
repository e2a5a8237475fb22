"""Keys in the sound, made sample by sample. How many are found and what else is taken for one: host_tests/test_media_talk_off.py."""

import gc
import math
from array import array

from media import inband, q23

try:
    from micropython import mem_total  # bytes ever allocated; not in every build
except ImportError:
    mem_total = gc.mem_alloc if hasattr(gc, "mem_alloc") else None

LOW = (697, 770, 852, 941)
HIGH = (1209, 1336, 1477, 1633)
PLACES = (13, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 14, 3, 7, 11, 15)  # of each code, row by row


class Line:
    """Sound that is said a piece at a time."""

    def __init__(self, rate_hz=8000):
        self.rate_hz = rate_hz
        self.samples = array("H")

    def silence(self, ms):
        self.samples.extend(array("H", [32768] * (ms * self.rate_hz // 1000)))

    def tones(self, ms, *tones):
        """(Hz, amplitude) each"""
        turns = [(2 * math.pi * hz / self.rate_hz, amplitude) for hz, amplitude in tones]
        for i in range(ms * self.rate_hz // 1000):
            self.samples.append(32768 + int(sum([a * math.sin(w * i + 1) for w, a in turns])))

    def key(self, code, ms=50, level=8000, low=1.0, high=1.0):
        place = PLACES[code]
        self.tones(ms, (LOW[place >> 2] * low, level), (HIGH[place & 3] * high, level))

    def heard(self):
        n = self.rate_hz // 50
        self.silence(20)
        detector = q23.detector()
        codes = []
        for at in range(0, len(self.samples) - n + 1, n):
            codes.append(inband.hear(self.samples, at, n, detector))
        return [code for code in codes if code >= 0]


def test_every_key():
    line = Line()
    line.silence(7)
    for code in range(16):
        line.key(code)
        line.silence(50)
    assert line.heard() == list(range(16))


def test_twice_is_two_and_long_is_one():
    line = Line()
    line.silence(13)
    for code, ms in ((1, 50), (1, 50), (2, 300), (2, 50)):
        line.key(code, ms)
        line.silence(50)
    assert line.heard() == [1, 1, 2, 2]


def test_wideband():
    line = Line(16000)
    line.silence(11)
    for code in (1, 1, 15, 0):
        line.key(code)
        line.silence(50)
    assert line.heard() == [1, 1, 15, 0]


def test_loud_and_quiet():
    line = Line()
    for level in (16383, 2000, 500):
        line.key(5, level=level)
        line.silence(50)
    line.key(5, level=100)  # -50 dBov
    line.silence(50)
    assert line.heard() == [5] * 3


def test_a_lost_packet_makes_no_second_key():
    line = Line()
    line.key(8, 60)
    line.silence(20)
    line.key(8, 60)
    line.silence(50)
    assert line.heard() == [8]


def test_what_is_no_key():
    for line_of in (
        lambda line: line.tones(200, (697, 8000)),
        lambda line: line.tones(200, (697, 8000), (770, 8000)),
        lambda line: line.tones(200, (697, 2000), (1209, 16000)),
        lambda line: line.tones(200, (697, 16000), (1209, 2000)),
        lambda line: line.tones(200, (697, 6000), (1209, 6000), (1000, 6000)),
        lambda line: line.tones(200, (697, 6000), (1209, 6000), (2418, 2000)),
        lambda line: line.key(5, 200, low=1.035),
        lambda line: line.key(5, 200, high=0.965),
        lambda line: line.key(5, 20),
        lambda line: line.silence(100),
    ):
        line = Line()
        line.silence(30)
        line_of(line)
        line.silence(30)
        assert line.heard() == []


def test_extremes():
    """A square as loud as there is: nothing in it wraps."""
    for hz in (697, 941, 1209, 1633):
        line = Line()
        for i in range(800):
            line.samples.append(65535 if math.sin(2 * math.pi * hz / 8000 * i) > 0 else 0)
        assert line.heard() == []


def test_the_same_to_the_last_bit_in_words_of_32_and_of_64_bits():
    """Sound as loud as there is, beside quiet: what the detector remembers of it, in one number."""
    detector = q23.detector()
    samples = array("H", [0] * 160)
    x = found = 1
    for k in range(12):
        for i in range(160):
            x = (x * 8121 + 28411) % 134456
            samples[i] = (0 if x & 8 else 65535) if k & 1 else 32768 + (x & 63) if k == 4 else x & 0xFFFF
        inband.hear(samples, 0, 160, detector)
        for word in detector:
            found = (found * 31 + (word & 0xFFFF) + (word >> 16 & 0xFFFF)) % 1000003
    assert found == 314861


def test_a_frame_allocates_nothing():
    """Not even for a moment, where the interpreter tells."""
    if not hasattr(gc, "mem_alloc"):
        return
    line = Line()
    line.key(5, 60)
    detector = q23.detector()
    gc.collect()
    gc.disable()
    before, total = gc.mem_alloc(), mem_total()
    one = inband.hear(line.samples, 0, 160, detector)
    two = inband.hear(line.samples, 160, 160, detector)
    three = inband.hear(line.samples, 320, 160, detector)
    grown, passing = gc.mem_alloc() - before, mem_total() - total
    gc.enable()
    assert grown == 0 == passing and 5 in (one, two, three)
