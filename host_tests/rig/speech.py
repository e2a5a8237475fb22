"""Speech to send through a call, and how much of it arrived.

Two sentences by espeak-ng, kept as WAV files of 8 and 16 kHz in build/speech. A recording is aligned with what was said by
cross-correlation and scored with PESQ narrowband (ITU-T P.862.1, 1 to 4.55). One pass through G.711 alone scores about 4.0:
that is the ceiling of such a call, so a call is judged by its distance from `bare_g711()` of the same speech.
"""
import os
import subprocess
import tempfile
import warnings

import numpy as np
import soundfile
from scipy.signal import fftconvolve, resample_poly

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop          # CPython's own until 3.12, then PyPI's audioop-lts

_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "speech")
SENTENCES = {
    "visitor": ("en-gb", "Hello, I have a parcel for the third floor, but it does not fit in the letter box."),
    "phone": ("en-us", "Good morning. I will open the door for you. Please take the stairs on the left."),
}
_LEAD_S = 1.0           # silence before the first word: whoever starts late misses nothing
_TAIL_S = 60.0          # and after the last: baresip hangs up when its file ends
_PEAK = 0.5


def _write(path, samples, rate_hz):
    """Whole or not at all, also when two processes make it at once."""
    handle, new = tempfile.mkstemp(suffix=".wav", dir=os.path.dirname(path))
    os.close(handle)
    soundfile.write(new, samples, rate_hz, subtype="PCM_16")
    os.replace(new, path)


def _say(name):
    voice, sentence = SENTENCES[name]
    with tempfile.NamedTemporaryFile(suffix=".wav") as f:
        subprocess.run(["espeak-ng", "-v", voice, "-s", "165", "-w", f.name, sentence], check=True, timeout=30)
        samples, rate_hz = soundfile.read(f.name)                       # 22,050 Hz
    return resample_poly(samples, 16000 // 50, rate_hz // 50)


def wav(name, rate_hz):
    """-> path of sentence `name` ("visitor" or "phone") as 16-bit mono WAV, 8000 or 16000 Hz, one second of silence before
    it and a minute after."""
    folder = os.path.abspath(_FOLDER)
    path = os.path.join(folder, "%s_%d.wav" % (name, rate_hz))
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        samples = _say(name)                                            # 16 kHz
        samples = samples * (_PEAK / np.max(np.abs(samples)))
        samples = np.concatenate((np.zeros(int(_LEAD_S * 16000)), samples, np.zeros(int(_TAIL_S * 16000))))
        _write(os.path.join(folder, name + "_16000.wav"), samples, 16000)
        _write(os.path.join(folder, name + "_8000.wav"), resample_poly(samples, 1, 2), 8000)
    return path


def said(name):
    """-> what there is to hear of sentence `name`: 8 kHz samples (float, +-1) without the silence round it."""
    samples, _ = soundfile.read(wav(name, 8000))
    loud = np.flatnonzero(np.abs(samples) > 0.003)
    return samples[max(0, loud[0] - 800):loud[-1] + 800]


def seconds(name):
    """How long after the start of its WAV file the last word of sentence `name` is over."""
    return _LEAD_S + len(said(name)) / 8000


def load(path):
    """-> a recording (path of a WAV file, mono or stereo, 8 or 16 kHz) as 8 kHz samples."""
    samples, rate_hz = soundfile.read(path)
    if samples.ndim > 1:
        samples = samples[:, 0]
    return samples if rate_hz == 8000 else resample_poly(samples, 1, rate_hz // 8000)


def bare_g711(samples, law="ulaw"):
    """One pass through G.711 and nothing else."""
    pcm = np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2").tobytes()
    if law == "ulaw":
        pcm = audioop.ulaw2lin(audioop.lin2ulaw(pcm, 2), 2)
    else:
        pcm = audioop.alaw2lin(audioop.lin2alaw(pcm, 2), 2)
    return np.frombuffer(pcm, "<i2") / 32768


def score(name, heard):
    """PESQ narrowband of the 8 kHz samples `heard` against sentence `name`, wherever in them it is."""
    from pesq import pesq           # has no wheel: only who scores needs it

    reference = said(name)
    if len(heard) < len(reference):
        heard = np.concatenate((heard, np.zeros(len(reference) - len(heard))))
    lag = int(np.argmax(fftconvolve(heard, reference[::-1], "valid")))
    return float(pesq(8000, reference.astype("float32"), heard[lag:lag + len(reference)].astype("float32"), "nb"))


def reference_score(name, law="ulaw"):
    """What `score` says of one bare G.711 pass: the ceiling."""
    return score(name, bare_g711(said(name), law))
