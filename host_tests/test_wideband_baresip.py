"""Calls in G.722 with a real softphone: who calls, what is heard of speech, and of what G.711 does not carry."""

import time

import numpy as np
import pytest
import soundfile
from scipy.signal import fftconvolve, resample_poly

from host_tests.rig import speech
from host_tests.rig.baresip import Baresip
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.undisturbed import undisturbed

pytestmark = pytest.mark.needs("baresip", "espeak-ng", "micropython", "pesq", "G722")

_BOTH = "G722/16000/1,PCMU/8000/1"
_PCMU = "PCMU/8000/1"


def _phone(folder, codecs=_BOTH):
    return Baresip(folder, speech.wav("phone", 16000), codecs=codecs, rate_hz=16000)


def _wideband(path):
    samples, rate_hz = soundfile.read(path)
    if samples.ndim > 1:
        samples = samples[:, 0]
    return samples if rate_hz == 16000 else resample_poly(samples, 16000 // rate_hz, 1)


def _said(name):
    samples = _wideband(speech.wav(name, 16000))
    loud = np.flatnonzero(np.abs(samples) > 0.003)
    return samples[max(0, loud[0] - 1600) : loud[-1] + 1600]


def _found(name, heard):
    """(what was said, the part of what was heard that is it)"""
    said = _said(name)
    lag = int(np.argmax(fftconvolve(heard, said[::-1], "valid")))
    return said, heard[lag : lag + len(said)]


def _scores(name, path):
    """PESQ wideband (P.862.2), and how much of the speech's energy above 4.5 kHz came, in dB."""
    from pesq import pesq

    said, heard = _found(name, _wideband(path))
    return float(pesq(16000, said.astype("float32"), heard.astype("float32"), "wb")), _upper(heard) - _upper(said)


def _upper(samples):
    power = np.abs(np.fft.rfft(samples)) ** 2
    return 10 * np.log10(power[int(len(power) * 4500 / 8000) :].sum() / len(samples) + 1e-20)


@pytest.fixture(params=["phone", "door"])
def calls(request):
    return request.param


def _talk(folder, calls, codecs):
    """One call as long as both speak -> (what the door said of its sound, scores to the door, scores from it)."""
    with _phone(folder / "phone", codecs) as phone:
        # Both speak at once, and are to be heard as they are: neither gated nor levelled.
        settings = {"button.1.target": phone.uri, "audio.echo": "off", "audio.agc": "off"}
        with Door(folder / "door", settings, mic=speech.wav("visitor", 16000), heap=BURST_HEAP) as door:
            if calls == "phone":
                phone.dial(door.uri)
            else:
                door.press()
            phone.wait("CALL_ESTABLISHED")
            door.wait_flow()
            time.sleep(max(speech.seconds("visitor"), speech.seconds("phone")) + 0.5)
            status = door.status()
            phone.hangup()
            door.wait_no_call()
            assert "MemoryError" not in door.said() and "Traceback" not in door.said()
            door.stop()
            return status, _scores("phone", door.speaker), _scores("visitor", phone.heard())


def _bare_pass(name):
    """PESQ wideband of one pass through libg722 and nothing else: the ceiling. The visitor speaks into the door's microphone,
    whose high-pass (second order, -3 dB at 118 Hz) is part of the way."""
    from G722 import G722
    from pesq import pesq
    from scipy.signal import butter, lfilter

    said = _said(name)
    sent = lfilter(*butter(2, 118, "high", fs=16000), said) if name == "visitor" else said
    codec = G722(16000, 64000)
    codes = codec.encode(np.round(sent * 32767).astype(np.int16))
    heard = np.asarray(codec.decode(bytes(codes)))[22:] / 32768  # what its filters delay
    return float(pesq(16000, said[: len(heard)].astype("float32"), heard.astype("float32"), "wb"))


def test_speech_is_as_wide_as_one_pass_through_g722(tmp_path, calls):
    bare = {name: _bare_pass(name) for name in ("phone", "visitor")}
    narrow_status, *narrow = _talk(tmp_path / "narrow", calls, _PCMU)
    assert " PCMU," in narrow_status

    def wide(i):
        status, *wide = _talk(tmp_path / ("wide%d" % i), calls, _BOTH)
        assert " G722," in status
        for j, (where, name) in enumerate((("to", "phone"), ("from", "visitor"))):
            (score, upper), (narrow_score, narrow_upper) = wide[j], narrow[j]
            words = "%s the door: PESQ wb %.2f (one bare pass %.2f, in G.711 %.2f), above 4.5 kHz %.1f dB (in G.711 %.1f)\n%s" % (
                where, score, bare[name], narrow_score, upper, narrow_upper, status)  # fmt: skip
            print(words)
            assert score > bare[name] - 0.1 and score > narrow_score + 0.1, words
            assert -3 < upper < 3 and narrow_upper < -20, words

    undisturbed(wide)


@pytest.mark.parametrize("codecs,settings", [("PCMU/8000/1,G722/16000/1", {}), (_BOTH, {"audio.wideband": "off"})])
def test_the_phone_has_the_choice(tmp_path, codecs, settings):
    """Its order counts when it offers (RFC 3264 6.1), and a door without wideband takes what is left."""
    with Door(tmp_path / "door", settings, heap=BURST_HEAP) as door, _phone(tmp_path / "phone", codecs) as phone:
        phone.dial(door.uri)
        phone.wait("CALL_ESTABLISHED")
        door.wait_flow()
        assert " PCMU," in door.status()
        phone.hangup()
        door.wait_no_call()
