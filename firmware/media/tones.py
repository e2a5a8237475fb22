"""Call progress tones, made sample by sample: ring-back, busy, error (ITU-T E.180; the usual European set, 425 Hz)."""

import micropython
from micropython import const

# name: (frequency, and how many frames of 20 ms it sounds and pauses)
TONES = {
    "ringback": (425, 50, 200),
    "busy": (425, 25, 25),
    "error": (425, 12, 13),
}

_LEVEL = const(6500)  # of 32767: -14 dB


class Tone:
    """One tone with its cadence. Starts from the beginning each time; ValueError names those there are."""

    def __init__(self, name):
        if name not in TONES:
            raise ValueError("there is no tone '%s'; there are %s" % (name, ", ".join(sorted(TONES))))
        frequency_hz, self._on, off = TONES[name]
        self.name = name
        self._step = (frequency_hz * 65536 + 4000) // 8000  # phase a sample: a turn is 65536
        self._cycle = self._on + off
        self._frame = 0
        self._phase = 0

    def fill(self, words, at, n):
        """The next n samples at 8 kHz to words[at..] (array("i"), 16-bit range). n is one frame of 20 ms."""
        level = _LEVEL if self._frame < self._on else 0
        # A frame long, the loudness slides in or out: no click.
        slide = 0
        if self._frame == 0:
            level = 0
            slide = _LEVEL // n
        elif self._frame == self._on - 1:
            slide = -(_LEVEL // n)
        self._phase = sine(words, at, n, self._phase, self._step, level, slide)
        self._frame += 1
        if self._frame >= self._cycle:
            self._frame = 0


@micropython.viper
def sine(words: ptr32, at: int, n: int, phase: int, step: int, level: int, slide: int) -> int:
    """n samples of a sine to words[at..], loudness from level (up to 32767) by slide a sample; -> the next phase.

    A parabola, bent once: third harmonic 60 dB down, no table.
    """
    words = ptr32(uint(words) + uint(at << 2))
    while n:
        x = phase & 32767
        x = x * (32768 - x) >> 13
        x = x * (25395 + (7373 * x >> 15)) >> 15
        x = x * level >> 15
        words[0] = 0 - x if phase & 32768 else x
        words = ptr32(uint(words) + 4)
        phase = (phase + step) & 65535
        level += slide
        n -= 1
    return phase
