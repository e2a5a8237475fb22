"""The gate between the loudspeaker and the microphone."""

import gc
from array import array

from media.gate import Gate, measure

_SILENCE = 32768


def _noise(n, seed):
    """n samples of +-1000, the same everywhere."""
    out = []
    for _ in range(n):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        out.append((seed >> 16) % 2001 - 1000)
    return out


class _Room:
    """A gate whose microphone hears the loudspeaker a frame later, `share` per cent of it; near end and far end by loudness."""

    def __init__(self, share=50, n=160):
        self.gate = Gate()
        self.share, self.n = share, n
        self.words = array("H", bytes(2 * n))
        self.samples = array("H", bytes(2 * n))
        self.before = [0] * n
        self.seed = 1

    def _voice(self, loud):
        self.seed += 1
        return [x * loud // 1000 for x in _noise(self.n, self.seed)]

    def frame(self, far=0, near=0):
        """One frame -> (what the microphone heard, what the gate made of it)."""
        heard = [x * self.share // 100 + y + z for x, y, z in zip(self.before, self._voice(near), self._voice(20))]
        self.before = self._voice(far)
        for i in range(self.n):
            self.samples[i] = heard[i] & 0xFFFF
            self.words[i] = self.before[i] + _SILENCE
        self.gate.near(self.samples, self.n)
        self.gate.far(self.words, 0, self.n)
        return heard, [(x ^ _SILENCE) - _SILENCE for x in self.samples]

    def share_left(self, far=0, near=0, frames=1):
        """-> what is left of the sound of so many frames, in per cent."""
        was = left = 0
        for _ in range(frames):
            heard, made = self.frame(far, near)
            was += sum(abs(x) for x in heard)
            left += sum(abs(x) for x in made)
        return 100 * left // was


def test_levels_are_logarithms():
    samples = array("H", [1000, 0x10000 - 1000] * 80 + [0] * 160)
    levels = array("i", bytes(16))
    measure(samples, 0, 160, _SILENCE, levels)
    assert list(levels) == [levels[0]] * 4
    for i in range(160):
        samples[i] = (2000 if i & 1 else -2000) & 0xFFFF
    louder = array("i", bytes(16))
    measure(samples, 0, 160, _SILENCE, louder)
    assert louder[0] == levels[0] + 16  # 6 dB
    measure(samples, 160, 160, _SILENCE, louder)
    assert list(louder) == [0] * 4
    measure(array("H", [_SILENCE + 1000, _SILENCE - 1000] * 80), 0, 160, 0, louder)
    assert louder == levels  # offset binary


def test_a_person_alone_passes_as_he_is():
    for n in (160, 320):
        room = _Room(n=n)
        for near in (0, 5000, 100, 20000, 0, 3000):
            for _ in range(5):
                heard, made = room.frame(0, near)
                assert made == heard


def test_echo_is_turned_down_by_30_db():
    for n in (160, 320):
        for share in (10, 50, 90):
            room = _Room(share, n)
            room.share_left(8000, 0, 20)
            assert room.share_left(8000, 0, 25) <= 4, (n, share)


def test_who_speaks_louder_than_the_echo_is_heard():
    room = _Room(20)
    room.share_left(8000, 0, 60)
    assert room.share_left(8000, 20000) > 60  # in the first frame
    assert room.share_left(8000, 20000, 10) > 95
    room.share_left(8000, 0, 9)  # the gate waits 150 ms
    assert room.share_left(8000, 0, 10) < 10


def test_it_opens_when_the_far_end_falls_silent():
    room = _Room(50)
    room.share_left(8000, 0, 60)
    room.share_left(0, 0, 15)  # 300 ms: the room has died
    heard, made = room.frame(0, 3000)
    assert made == heard


def test_no_far_frames_are_silence():
    room = _Room(50)
    room.share_left(8000, 0, 60)
    samples = array("H", [3000] * 160)
    for _ in range(30):
        room.gate.near(samples, 160)
    samples = array("H", [3000] * 160)
    room.gate.near(samples, 160)
    assert samples == array("H", [3000] * 160)


def test_the_loudest_does_not_wrap():
    room = _Room(100)
    for far in (32767000 // 1000, 0):
        heard, made = room.frame(far, 0)
        assert all(abs(a) <= abs(b) for a, b in zip(made, heard))
    for value in (0x8000, 0x7FFF):
        samples = array("H", [value] * 160)
        room.gate.near(samples, 160)
        assert samples == array("H", [value] * 160) or all(x >> 15 == value >> 15 for x in samples)


def test_reset_forgets():
    room = _Room(50)
    room.share_left(8000, 0, 60)
    room.gate.reset()
    heard, made = room.frame(0, 3000)
    assert made == heard


def test_a_frame_allocates_nothing():
    if not hasattr(gc, "mem_alloc"):
        return
    room = _Room(50)
    room.share_left(8000, 0, 5)
    gate, samples, words = room.gate, room.samples, room.words
    gate.near(samples, 160, 480)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(100):
        gate.near(samples, 160, 480)
        gate.far(words, 0, 160)
    grown = gc.mem_alloc() - before
    gc.enable()
    assert grown == 0
