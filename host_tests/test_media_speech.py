"""How speech comes through: microphone to G.711 to speaker, beside one bare G.711 pass of the same speech."""

import subprocess
from array import array
from pathlib import Path

import pytest
from media import g711, tables

from tools import build

pytestmark = pytest.mark.needs("espeak-ng", "pesq", "scipy", "soundfile", "micropython")
HERE = Path(__file__).parent
SENTENCE = (
    "The door is answered at once, and the visitor is heard clearly. "
    "A parcel for the second floor, please: would you open the gate for me?"
)


@pytest.fixture(scope="module", params=["en-us", "en+f3", "de"])
def speech(request, tmp_path_factory):
    """One voice at 16 kHz, as floats in 16-bit range, about -26 dBov."""
    import numpy
    import soundfile
    from scipy.signal import resample_poly

    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    subprocess.run(["espeak-ng", "-v", request.param, "-w", str(path), SENTENCE], check=True, timeout=60)
    samples, rate_hz = soundfile.read(str(path))
    assert rate_hz == 22050
    samples = resample_poly(samples, 320, 441)
    samples *= 0.05 * 32768 / numpy.sqrt(numpy.mean(samples**2))
    return samples


def _to_8_khz(samples):
    from scipy.signal import resample_poly

    return resample_poly(samples, 1, 2, window=("kaiser", 8.0))


def _score(reference, heard):
    from pesq import pesq

    return pesq(8000, reference / 32768, heard / 32768, "nb")


@pytest.mark.parametrize("payload_type", [0, 8])
def test_within_a_tenth_of_a_bare_pass(speech, payload_type, tmp_path):
    import numpy

    reference = _to_8_khz(speech)
    samples = array("h", numpy.clip(numpy.round(reference), -32768, 32767).astype(numpy.int16).tobytes())
    n = len(samples) & ~1
    codes = bytearray(n)
    tables.encoder(payload_type)(samples, codes, tables.encoding_table(payload_type), n)
    words = array("H", bytes(2 * n))
    g711.decode(codes, 0, words, 0, tables.decoding_table(payload_type), n)
    bare = _score(reference, numpy.array(words, dtype=float) - 32768)

    microphone, speaker = tmp_path / "microphone.raw", tmp_path / "speaker.raw"
    padded = numpy.concatenate([speech, numpy.zeros(640)])
    (numpy.round(padded).astype(numpy.int32) << 16).tofile(microphone)
    subprocess.run(
        [build.interpreter(), str(HERE / "media_chain_script.py"), str(build.BUILD / build.host_arch()),
         str(microphone), str(speaker), str(int(payload_type))],
        check=True, timeout=60,
    )  # fmt: skip
    heard = numpy.fromfile(speaker, dtype=numpy.int16).astype(float)
    assert len(heard) >= len(speech) - 320
    score = _score(reference, _to_8_khz(heard))
    print("PESQ: bare %.3f, microphone to speaker %.3f" % (bare, score))
    assert bare > 3.6  # else the comparison is worth nothing
    assert score > bare - 0.1
