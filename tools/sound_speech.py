"""What is said into a call, what of it arrives, and what a score says of that.

A track is what one call carries: three voices one after the other, or chirps, at 8 kHz and in packets of 20 ms. Scores are
PESQ narrowband (ITU-T P.862.1); delays are looked for with the chirps, which are found again to the sample.
"""

import subprocess
import tempfile
import warnings
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import fftconvolve, resample_poly

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop  # CPython's own until 3.12, then PyPI's audioop-lts

ROOT = Path(__file__).resolve().parent.parent
VOICES = ("en-us", "en+f3", "de")
TEXTS = {
    "en": "Hello, I have a parcel for the third floor, but it does not fit in the letter box. Would you open the gate for me?",
    "de": "Hallo, ich habe ein Paket für den dritten Stock, aber es passt nicht in den Briefkasten. Würden Sie mir das Tor aufmachen?",
}
RATE_HZ = 8000
FRAME = 160  # samples a packet
_RMS = 0.05 * 32768  # -26 dB
_LEAD, _BETWEEN, _TAIL = 8000, 6400, 12800  # samples of silence
_MARGIN = 2400  # of the silence round a voice, what is scored with it
_CHIRP_HZ = (500, 3200)
_CHIRP = 320  # samples
_CHIRP_EVERY = 4000
_SOONEST, _LATEST = -2000, 5500  # samples after its time, between which it is looked for: less than to the next of its kind
_FOUND = 0.5  # correlation of a chirp that has arrived


def voice(name):
    """-> what espeak-ng's voice `name` says, at 8 kHz, floats in the range of 16 bits, at -26 dB."""
    folder = ROOT / "build" / "speech"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ("bench_%s.npy" % name)
    if not path.exists():
        with tempfile.NamedTemporaryFile(suffix=".wav") as f:
            subprocess.run(["espeak-ng", "-v", name, "-w", f.name, TEXTS[name[:2]]], check=True, timeout=60)
            samples, rate_hz = soundfile.read(f.name)
        if rate_hz != 22050:
            raise RuntimeError("espeak-ng speaks at %d Hz, not at 22050" % rate_hz)
        samples = resample_poly(samples, 160, 441)
        samples *= _RMS / np.sqrt(np.mean(samples**2))
        with tempfile.NamedTemporaryFile(suffix=".npy", dir=folder, delete=False) as f:
            np.save(f, np.clip(np.round(samples), -32768, 32767))
        Path(f.name).replace(path)  # whole or not at all
    return np.load(path)


def _whole_frames(samples):
    return np.concatenate((samples, np.zeros(-len(samples) % FRAME)))


class Track:
    """samples: what is sent (float, 16-bit range, whole packets); places: (name, from, to) of what is scored in it."""

    def __init__(self, samples, places):
        self.samples = samples
        self.places = places
        self.codes = audioop.lin2ulaw(samples.astype("<i2").tobytes(), 2)  # PCMU, one byte a sample
        self.packets = len(samples) // FRAME

    def payload(self, n):
        return self.codes[n * FRAME : (n + 1) * FRAME]

    def decoded(self):
        """-> the samples after one bare pass through G.711."""
        return np.frombuffer(audioop.ulaw2lin(self.codes, 2), "<i2").astype(float)


def speech(voices=VOICES):
    """-> a Track of these voices."""
    parts, places, at = [np.zeros(_LEAD)], [], _LEAD
    for name in voices:
        samples = _whole_frames(voice(name))
        places.append((name, at - _MARGIN, at + len(samples) + _MARGIN))
        parts += [samples, np.zeros(_BETWEEN)]
        at += len(samples) + _BETWEEN
    return Track(np.concatenate(parts + [np.zeros(_TAIL)]), places)


def chirp(falls=False):
    """-> one chirp, 40 ms from low to high or from high to low."""
    t = np.arange(_CHIRP) / RATE_HZ
    low, high = _CHIRP_HZ
    phase = 2 * np.pi * (low * t + (high - low) / 2 * t * t * RATE_HZ / _CHIRP)
    samples = np.round(8000 * np.sin(phase) * np.hanning(_CHIRP))
    return samples[::-1] if falls else samples


def chirps(seconds):
    """-> a Track of chirps, two a second, each at the beginning of a packet. They rise and fall by turns, so that one can
    not be taken for the next."""
    n = int(seconds * RATE_HZ)
    samples, places = np.zeros(n + _TAIL), []
    for at in range(_LEAD, n - _CHIRP, _CHIRP_EVERY):
        samples[at : at + _CHIRP] = chirp(len(places) % 2)
        places.append(("chirp", at, at + _CHIRP))
    return Track(_whole_frames(samples), places)


# -- What a receiver could have made of it


def offline(track, lost, how):
    """-> the track's samples after G.711, its lost packets replaced by "zeros", or by the last frame halved ("repeat")."""
    samples = track.decoded()
    for n, gone in enumerate(lost):
        if gone:
            at = n * FRAME
            before = samples[at - FRAME : at] if at else np.zeros(FRAME)
            samples[at : at + FRAME] = np.trunc(before / 2) if how == "repeat" else 0
    return samples


# -- Where in what was heard


def _best(heard, wanted, low, high):
    """Where in heard[low:high] `wanted` fits best -> (position, correlation -1..1)."""
    low, high = max(low, 0), min(high, len(heard))
    piece = heard[low:high]
    if len(piece) < len(wanted):
        return low, 0.0
    dot = fftconvolve(piece, wanted[::-1], "valid")
    energy = fftconvolve(piece**2, np.ones(len(wanted)), "valid")
    norm = np.sqrt(np.maximum(energy, 1e-3 * np.max(energy) + 1) * np.sum(wanted**2))
    at = int(np.argmax(dot / norm))
    return low + at, float(dot[at] / norm[at])


def scores(track, heard, lag=None):
    """-> PESQ narrowband of each place of the track. heard: samples at 8 kHz; each voice is looked for by itself, since the
    delay may have changed since the last, and again at its end; between, PESQ's own alignment follows it.
    lag: where the first sample of the track is in `heard`, if that is known to a second."""
    from pesq import pesq  # has no wheel: only who scores needs it

    found = []
    at = lag
    for _, begin, end in track.places:
        reference = track.samples[begin:end]
        speaks = reference[_MARGIN : _MARGIN + 12000]
        low, high = (0, len(heard)) if at is None else (begin + at - 4000, begin + at + 28000)
        first, _ = _best(heard, speaks, low, high)
        first -= _MARGIN
        at = first - begin
        # Where its end has gone meanwhile
        ends = reference[-_MARGIN - 8000 : -_MARGIN]
        last, sure = _best(heard, ends, first + len(reference) - len(ends) - 6000, first + len(reference) + 16000)
        stop = last + len(ends) + _MARGIN if sure > 0.3 else first + len(reference)
        at += stop - first - len(reference)
        piece = heard[max(first, 0) : stop]
        if first < 0:
            piece = np.concatenate((np.zeros(-first), piece))
        if len(piece) < len(reference):
            piece = np.concatenate((piece, np.zeros(len(reference) - len(piece))))
        found.append(float(pesq(RATE_HZ, (reference / 32768).astype("float32"), (piece / 32768).astype("float32"), "nb")))
    return found


def chirp_places(track, heard):
    """Where the chirps of a track are in `heard`, whose first sample was handed over as the track began.

    -> [(sample of the track, sample of `heard` or None if it did not arrive), ...]"""
    found = []
    for k, (_, begin, _) in enumerate(track.places):
        at, sure = _best(heard, chirp(k % 2), begin + _SOONEST, begin + _LATEST + _CHIRP)
        found.append((begin, at if sure >= _FOUND else None))
    return found
