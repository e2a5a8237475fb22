"""Limiter, automatic gain and voice activity on speech of three voices, in the noise of rooms and streets."""

import subprocess
from pathlib import Path

import pytest

from tools import build

pytestmark = pytest.mark.needs("espeak-ng", "scipy", "soundfile", "micropython")
HERE = Path(__file__).parent
SENTENCE = (
    "The door is answered at once, and the visitor is heard clearly. "
    "A parcel for the second floor, please: would you open the gate for me?"
)
VOICES = ("en-us", "en+f3", "de")


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    """{voice: the sentence at 8 kHz, as floats in 16-bit range, at -26 dBov}"""
    import numpy
    import soundfile
    from scipy.signal import resample_poly

    found = {}
    for voice in VOICES:
        path = tmp_path_factory.mktemp("speech") / "speech.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-w", str(path), SENTENCE], check=True, timeout=60)
        samples = resample_poly(soundfile.read(str(path))[0], 160, 441)
        found[voice] = samples * (0.05 * 32768 / numpy.sqrt(numpy.mean(samples**2)))
    return found


def _noise(kind, n, seed=1):
    """White, pink or that of a street (brown), of power 1, behind the microphone's high-pass."""
    import numpy
    from scipy.signal import butter, sosfilt

    spectrum = numpy.fft.rfft(numpy.random.default_rng(seed).standard_normal(n))
    f = numpy.fft.rfftfreq(n)
    f[0] = f[1]
    samples = numpy.fft.irfft(spectrum / f ** {"white": 0, "pink": 0.5, "street": 1}[kind], n)
    samples = sosfilt(butter(2, 118, "high", fs=8000, output="sos"), samples)
    return samples / numpy.sqrt(numpy.mean(samples**2))


def _through(samples, folder, last=4096, agc=1):
    """-> (what comes out, whether each frame is speech, the automatic gain of each in dB)"""
    import numpy

    before, after = folder / "before.raw", folder / "after.raw"
    numpy.clip(numpy.round(samples), -32768, 32767).astype("<i2").tofile(before)
    done = subprocess.run([build.interpreter(), str(HERE / "level_script.py"), str(build.BUILD / build.host_arch()),
                           str(before), str(after), str(last), str(agc)], check=True, timeout=60, capture_output=True, text=True)  # fmt: skip
    speaks, gains = done.stdout.splitlines()
    speaks = numpy.array([c == "1" for c in speaks])
    return numpy.fromfile(after, "<i2").astype(float), speaks, 20 * numpy.log10(numpy.array(gains.split(), float) / 1024)


def _frames(samples):
    return samples[: len(samples) // 160 * 160].reshape(-1, 160)


def _level(samples):
    import numpy

    return numpy.sqrt(numpy.mean(_frames(samples) ** 2, axis=1))


@pytest.mark.parametrize("kind", ["white", "pink", "street"])
def test_who_speaks(voices, kind, tmp_path):
    """Frames of speech (no more than 20 dB below its mean) that are taken for speech, and frames far from any that are, at
    20, 10 and 5 dB of speech above noise."""
    import numpy

    for snr_db, least in ((20, 97), (10, 93), (5, 85)):
        hit = speech = false = quiet = 0
        for voice in VOICES:
            pause = numpy.zeros(8000 * 4)
            clean = numpy.concatenate([pause, voices[voice], pause, voices[voice], pause])
            noise = _noise(kind, len(clean)) * 1642 * 10 ** (-snr_db / 20)
            _, speaks, _ = _through(clean + noise, tmp_path)
            level = _level(clean)
            active = level > 164
            far = numpy.convolve(level > 5, numpy.ones(31), "same") == 0  # 300 ms
            active[:100] = far[:100] = False
            hit, speech = hit + (speaks & active).sum(), speech + active.sum()
            false, quiet = false + (speaks & far).sum(), quiet + far.sum()
        hit, false = 100 * hit / speech, 100 * false / quiet
        print("%s noise, %d dB: %.1f %% of speech is taken for it, and %.1f %% of noise" % (kind, snr_db, hit, false))
        assert hit > least and false < 2


def test_a_comfortable_voice_is_left_as_it_is(voices, tmp_path):
    import numpy

    for voice in VOICES:
        for level_db in (-4, 0, 4):
            samples = numpy.round(numpy.tile(voices[voice], 3) * 10 ** (level_db / 20))
            samples = samples[: len(samples) // 160 * 160]
            heard, _, gains = _through(samples, tmp_path)
            assert max(abs(gains)) == 0, (voice, level_db)
            assert (heard == samples).all() or max(abs(samples)) > 30000, (voice, level_db)  # where the limiter begins


def test_from_a_whisper_and_from_the_nose_at_the_door(voices, tmp_path):
    """Where speech ends up that is 20 dB too weak or 14 dB too strong, and how long that takes."""
    import numpy

    for voice in VOICES:
        for level_db, wanted_db in ((-20, 8), (14, -3)):
            samples = numpy.tile(voices[voice], 4) * 10 ** (level_db / 20)
            samples += _noise("pink", len(samples)) * 2
            heard, _, gains = _through(samples, tmp_path)
            n = len(voices[voice])
            before, after = (10 * numpy.log10(numpy.mean(x[-n:] ** 2) / 32768**2) for x in (samples, heard))
            half = numpy.flatnonzero(abs(gains) >= abs(gains[-1]) / 2)[0] * 0.02
            print("%s: %.1f dBov becomes %.1f dBov, half of it after %.1f s" % (voice, before, after, half))
            assert (gains[-1] >= wanted_db) if wanted_db > 0 else (gains[-1] <= wanted_db)
            assert max(abs(numpy.diff(gains))) < 1.2 and 1 < half < 6
            assert max(abs(heard)) <= 30010


def test_a_pause_pumps_nothing_up(voices, tmp_path):
    """Weak speech, half a minute of noise alone, speech: the noise is as loud at the end of the pause as at its beginning."""
    import numpy

    for voice in VOICES:
        speech = numpy.tile(voices[voice], 2) * 0.1
        samples = numpy.concatenate([speech, numpy.zeros(30 * 8000), speech])
        samples += _noise("street", len(samples)) * 15
        heard, _, gains = _through(samples, tmp_path)
        pause = heard[len(speech) + 8000 : len(speech) + 30 * 8000]
        early, late = (10 * numpy.log10(numpy.mean(x**2)) for x in (pause[:40000], pause[-40000:]))
        print("%s: noise at %.1f dB, %.1f dB 20 s later" % (voice, early, late))
        assert abs(late - early) < 0.5
        assert len(set(gains[len(speech) // 160 + 30 : len(speech) // 160 + 1500])) == 1


@pytest.mark.needs("pesq")
def test_loud_speech_is_limited_not_spoilt(voices, tmp_path):
    """12 dB more than fits: beside the same cut at full scale."""
    import numpy
    from pesq import pesq

    better = 0
    for voice in VOICES:
        reference = voices[voice]
        loud = numpy.clip(reference * 2, -32768, 32767)  # at -20 dBov, and 12 dB to come
        limited, _, _ = _through(loud, tmp_path, 4096 * 4, 0)
        cut = numpy.clip(loud * 4, -32768, 32767)
        n = len(limited)
        scores = [pesq(8000, (reference[:n] / 32768).astype("float32"), (x[:n] / 32768).astype("float32"), "nb") for x in (limited, cut)]
        print("%s: PESQ %.2f limited, %.2f cut" % (voice, *scores))
        assert max(abs(limited)) <= 30010
        assert scores[0] > 3.5
        better += scores[0] - scores[1]
    assert better / 3 > 0.3
