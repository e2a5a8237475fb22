"""The echo canceller's transform against its definition, and the canceller on an echo that is simple enough for any interpreter.
(Rooms and voices: host_tests/test_echo_room.py.)"""

import cmath
import gc
import math
from array import array

from media import fourier
from media.echo import Canceller

CHECK = 13032629  # of the viper kernels; the plain ones must make the same
_TURN = fourier.turn()
_ORDER = fourier.order()


def _block(values):
    return array("H", [x + 16384 for x in values])


def _spectrum(values):
    """What `split` finds in the 384 samples -> {bin: complex}."""
    block = _block(values)
    bins = array("H", bytes(772))
    fourier.forward(block, 0, 0, _TURN)
    fourier.split(bins, 0, 0, block, _TURN, _ORDER)
    found = {0: bins[0] - 16384, 192: bins[1] - 16384}
    for k in range(1, 97):
        found[k] = complex(bins[4 * k - 2] - 16384, bins[4 * k - 1] - 16384)
        found[192 - k] = complex(bins[4 * k] - 16384, bins[4 * k + 1] - 16384)
    return found, bins


def test_a_spectrum_is_that_of_its_definition():
    values = [int(5000 * math.sin(0.3 * i) + 900 * math.sin(2.5 * i + 1) + 100) for i in range(384)]
    found, _ = _spectrum(values)
    for k in (0, 1, 2, 17, 18, 63, 95, 96, 97, 130, 153, 190, 191, 192):
        true = sum(values[n] * cmath.exp(-2j * math.pi * k * n / 384) for n in range(384)) / 256
        assert abs(found[k] - true) < 3, (k, found[k], true)


def test_samples_come_back_at_three_quarters():
    seed = 1
    values = []
    for _ in range(384):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        values.append((seed >> 16) % 12001 - 6000)
    _, bins = _spectrum(values)
    block = _block([0] * 384)
    fourier.join(bins, 0, 0, block, _TURN, _ORDER)
    fourier.inverse(block, 0, 0, _TURN)
    error = [block[i] - 16384 - values[i] * 3 // 4 for i in range(8, 384)]
    assert sum(x * x for x in error) < 376 * 15 * 15  # 50 dB below


def test_the_loudest_does_not_wrap():
    for wave in (lambda i: 8191, lambda i: -8191 if i & 1 else 8191, lambda i: -8191 if i & 16 else 8191):
        values = [wave(i) for i in range(384)]
        found, _ = _spectrum(values)
        for k in range(193):
            if k % 12 == 0:
                true = sum(values[n] * cmath.exp(-2j * math.pi * k * n / 384) for n in range(384)) / 256
                assert abs(found[k] - true) < 12 or k in (0, 192)  # which nobody asks for


class _Echo:
    """A far end of noise, heard again 200 samples later, half as loud."""

    def __init__(self):
        self.canceller = Canceller()
        self.seed = 7
        self.past = [0] * 520
        self.samples = array("H", bytes(320))
        self.words = array("H", bytes(320))

    def frame(self, near=0):
        """-> (loudness of what the microphone heard, of what is left)."""
        heard = [self.past[320 - 40 + i] // 2 + near for i in range(160)]
        for i in range(160):
            self.samples[i] = heard[i] & 0xFFFF
        self.canceller.near(self.samples, 160)
        left = [(x ^ 32768) - 32768 for x in self.samples]
        self.past = self.past[160:]
        for i in range(160):
            self.seed = (self.seed * 1103515245 + 12345) & 0x7FFFFFFF
            self.past.append((self.seed >> 16) % 12001 - 6000)
            self.words[i] = self.past[-1] + 32768
        self.canceller.far(self.words, 0, 160)
        return sum(abs(x) for x in heard), sum(abs(x) for x in left), left


def test_every_interpreter_learns_the_same():
    echo = _Echo()
    check = 0
    for _ in range(7):
        heard, left, samples = echo.frame()
        for x in samples:
            check = (check * 31 + x) & 0xFFFFFF
    assert left * 10 < heard
    assert check == CHECK


def test_whatever_the_speaker_holds_and_whoever_comes_first():
    canceller = Canceller()
    words = array("H", [32768 + 3000, 32768 - 3000] * 80)
    samples = array("H", bytes(320))
    for ahead in (1, 3, 2047, 5001, 0, 479, -7, 638):
        canceller.reset()
        for _ in range(3):
            canceller.near(samples, 160, ahead)
            canceller.far(words, 0, 160)
    for order in ("nnnnnnnn", "ffffffffff", "nfffnnnf", "ffffn", "nnnf"):
        for who in order:
            if who == "n":
                canceller.near(samples, 160, 333)
            else:
                canceller.far(words, 0, 160)


def test_silence_costs_nothing_and_changes_nothing():
    canceller = Canceller()
    samples = array("H", [1000, 0x10000 - 1000] * 80)
    for _ in range(3):
        canceller.near(samples, 160)
        canceller.far(array("H", [32768] * 160), 0, 160)
    assert samples == array("H", [1000, 0x10000 - 1000] * 80)


def test_a_wideband_frame_passes_the_gate_alone():
    canceller = Canceller()
    samples = array("H", [1000, 0x10000 - 1000] * 160)
    canceller.near(samples, 320)
    assert samples == array("H", [1000, 0x10000 - 1000] * 160)
    loud = array("H", [32768 + 9000, 32768 - 9000] * 160)
    for _ in range(40):
        samples = array("H", [1000, 0x10000 - 1000] * 160)
        canceller.far(loud, 0, 320)
        canceller.near(samples, 320)
    assert max((x ^ 32768) - 32768 for x in samples) < 50


def test_a_frame_allocates_nothing():
    if not hasattr(gc, "mem_alloc"):
        return
    echo = _Echo()
    for _ in range(3):
        echo.frame()
    canceller, samples, words = echo.canceller, echo.samples, echo.words
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(20):
        canceller.near(samples, 160, 480)
        canceller.far(words, 0, 160)
    grown = gc.mem_alloc() - before
    gc.enable()
    assert grown == 0
