"""A room with a loudspeaker, a microphone and people in it, as samples at 8 kHz (float, +-1).

The voice of the far end leaves the loudspeaker and comes to the microphone by a direct path at -6 dB and a tail 20 dB below
that whose energy falls by 60 dB in 100 ms; noise at -50 dBFS, white; the near end's voice on top. Everything repeats: the
room and its noise depend on `seed` alone. Levels of speech are those of its active part, in dB below a full-scale square
wave.
"""

import os
import subprocess

import numpy as np
import soundfile
from scipy.signal import fftconvolve, resample_poly

RATE_HZ = 8000
VOICES = {
    "en-us": "The door is answered at once, and the visitor is heard clearly. A parcel for the second floor, please: would "
    "you open the gate for me? I will wait here until you come down the stairs.",
    "en+f3": "Good morning. I will open the door for you. Please take the stairs on the left, and mind the step at the top "
    "of it, for it is loose. Then ring once more.",
    "de": "Guten Tag, ich bringe ein Paket für den dritten Stock. Es passt leider nicht in den Briefkasten, können Sie mir "
    "bitte die Tür öffnen?",
}
SPEECH_DB = -20.0
NOISE_DB = -50.0
_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "speech")


def level_db(samples):
    return 10 * np.log10(np.mean(np.square(samples)) + 1e-20)


def voice(name, seconds, db=SPEECH_DB):
    """So much speech of one voice, again and again if it ends before; its active part has this level."""
    path = os.path.abspath(os.path.join(_FOLDER, "room_%s.wav" % name))
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        new = "%s.%d" % (path, os.getpid())
        subprocess.run(["espeak-ng", "-v", name, "-w", new, VOICES[name]], check=True, timeout=60)
        os.replace(new, path)
    samples, rate_hz = soundfile.read(path)
    samples = resample_poly(samples, 160, rate_hz // 50)
    loud = np.abs(samples) > 0.01 * np.max(np.abs(samples))
    samples *= 10 ** (db / 20) / np.sqrt(np.mean(samples[loud] ** 2))
    return np.resize(samples, int(seconds * RATE_HZ))


def response(seed=0, delay=0, direct_db=-6.0, tail_db=-20.0, t60_s=0.1):
    """Loudspeaker to microphone: the direct path after `delay` samples, and the tail, tail_db below it in energy."""
    rng = np.random.default_rng(seed)
    n = int(1.5 * t60_s * RATE_HZ)
    tail = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / RATE_HZ / t60_s)
    tail[0] = 0
    direct = 10 ** (direct_db / 20)
    tail *= direct * 10 ** (tail_db / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = direct
    return np.concatenate((np.zeros(delay), tail))


def distorted(samples, share=0.05):
    """A loudspeaker with a cubic distortion: what no linear path explains of its sound is this share of it (rms)."""
    cube = samples**3
    rest = cube - samples * np.dot(cube, samples) / np.dot(samples, samples)
    return samples - share * np.sqrt(np.mean(samples**2) / np.mean(rest**2)) * rest


def echo(far, path, share=0.0):
    """What the microphone hears of `far`."""
    return fftconvolve(distorted(far, share) if share else far, path)[: len(far)]


def noise(n, seed=0, db=NOISE_DB):
    return np.random.default_rng(1000 + seed).standard_normal(n) * 10 ** (db / 20)


def enhancement_db(before, after, first_s, last_s):
    """Echo return loss enhancement: the echo's energy over what is left of it, between these seconds."""
    part = slice(int(first_s * RATE_HZ), int(last_s * RATE_HZ))
    return 10 * np.log10(np.sum(before[part] ** 2) / np.sum(after[part] ** 2))
