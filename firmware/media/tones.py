"""Call progress tones, made sample by sample from what sounds.py says of them. Lent for as long as one sounds."""

from array import array

from micropython import const

from .gain import mix, sine
from .resample import fill

_LEVEL = const(6500)  # of 32767, both frequencies together: -14 dB


class Tone:
    """One tone with its cadence, from the beginning; `text` as in sounds.py, `times` 0 for without end."""

    def __init__(self, name, text, times):
        self.name = name
        self._cadence = []  # (phase a sample at 8 kHz, of two sines; a turn is 65536), then frames: positive, or a pause
        self._times = times or -1
        self._at = 0
        self._frame = 0
        self._phase = self._phase_2 = 0
        self._n = self._step = self._step_2 = self._level = self._slide = 0  # of this frame
        self._second = None  # the second sine's frame, where there are two
        self._laid = array("H", bytes(640)) if times else None  # what over() lays over
        steps = (0, 0)
        for word in text.split(" "):
            if word.endswith("Hz"):
                steps = [(int(f) * 65536 + 4000) // 8000 for f in word[:-2].split("+")]
                if len(steps) > 1:
                    self._second = array("H", bytes(640))
                else:
                    steps.append(0)
            else:
                self._cadence.append((steps[0], steps[1], int(word)))
        self.ms = 20 * times * sum([abs(part[2]) for part in self._cadence])  # how long it lasts, 0 for without end

    def fill(self, samples, at, n):
        """The next 20 ms to samples[at..] (array("H"), offset binary): n 160 at 8 kHz, 320 at 16. -> False when it is over."""
        part = self._cadence[self._at]
        frames = part[2]
        if self._times and frames > 0:
            self._shape(part, n)
            self._sound(samples, at)
        else:
            fill(samples, at, n, 32768)
            frames = 0 - frames
        self._frame += 1
        if self._frame >= frames:
            self._frame = 0
            self._at += 1
            if self._at == len(self._cadence):
                self._at = 0
                if self._times > 0:
                    self._times -= 1
        return self._times != 0

    def _shape(self, part, n):
        # A frame long, the loudness slides in or out: no click. At 16 kHz a sample is half as long.
        self._n = n
        self._step = part[0] * 160 // n
        self._step_2 = part[1] * 160 // n
        level = _LEVEL >> 1 if part[1] else _LEVEL
        self._slide = level // n if self._frame == 0 else 0 - level // n if self._frame == part[2] - 1 else 0
        self._level = 0 if self._frame == 0 else level

    def _sound(self, samples, at):
        # With more names here the calls would not fit on the stack, and allocate.
        self._phase = sine(samples, at, self._n, self._phase, self._step, self._level, self._slide)
        if self._step_2:
            self._phase_2 = sine(self._second, 0, self._n, self._phase_2, self._step_2, self._level, self._slide)
            mix(0, samples, at, self._n, self._second)

    def over(self, samples, at, n, side):
        """The next 20 ms over what there is in samples[at..], signed if side is 1; for one that ends. -> False at its end."""
        self.fill(self._laid, 0, n)
        mix(side, samples, at, n, self._laid)
        return self._times != 0

    def close(self):
        pass
