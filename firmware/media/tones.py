"""Call progress tones, made sample by sample: ring-back, busy, error (ITU-T E.180; the usual European set, 425 Hz).

Lent for as long as one sounds.
"""

from micropython import const

from .gain import sine

# name: (frequency, and how many frames of 20 ms it sounds and pauses)
_TONES = {
    "ringback": (425, 50, 200),
    "busy": (425, 25, 25),
    "error": (425, 12, 13),
}

_LEVEL = const(6500)  # of 32767: -14 dB


class Tone:
    """One tone with its cadence. Starts from the beginning each time; ValueError names those there are."""

    def __init__(self, name):
        if name not in _TONES:
            raise ValueError("there is no tone '%s'; there are %s" % (name, ", ".join(sorted(_TONES))))
        frequency_hz, self._on, off = _TONES[name]
        self.name = name
        self._step = (frequency_hz * 65536 + 4000) // 8000  # phase a sample: a turn is 65536
        self._cycle = self._on + off
        self._frame = 0
        self._phase = 0

    def fill(self, samples, at, n):
        """The next n samples at 8 kHz to samples[at..] (array("H"), offset binary). n is one frame of 20 ms."""
        level = _LEVEL if self._frame < self._on else 0
        # A frame long, the loudness slides in or out: no click.
        slide = 0
        if self._frame == 0:
            level = 0
            slide = _LEVEL // n
        elif self._frame == self._on - 1:
            slide = -(_LEVEL // n)
        self._phase = sine(samples, at, n, self._phase, self._step, level, slide)
        self._frame += 1
        if self._frame >= self._cycle:
            self._frame = 0
