"""G.722 beside a peer's codec, bit for bit: libg722 through its Python module, which is the reference; and where Debian's
library is there, spandsp's, with which baresip speaks.

(Neither limits the bands before it encodes them to 15 bits, as the ITU's own program does, G.191: it matters to square
waves of full scale only.)
"""

import ctypes
import ctypes.util
import subprocess
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media import g722, wideband

from tools import build

np = pytest.importorskip("numpy")
pytestmark = pytest.mark.needs("G722")


class _Theirs:
    """libg722 at 64 kbit/s and 16 kHz."""

    def __init__(self):
        from G722 import G722

        self._codec = G722(16000, 64000)

    def encode(self, samples):
        return bytes(self._codec.encode(samples))

    def decode(self, codes):
        return np.asarray(self._codec.decode(bytes(codes)), dtype=np.int16)

    def check(self, heard, codes):
        assert np.array_equal(heard, self.decode(codes))


class _Spandsp:
    """The same of Debian's libspandsp2 (0.0.6), by its C functions. What is louder than 16 bits wraps round there."""

    def __init__(self):
        self._lib = ctypes.CDLL("libspandsp.so.2")
        for name in ("g722_encode_init", "g722_decode_init"):
            getattr(self._lib, name).restype = ctypes.c_void_p
        # (bit rate, options): 0 is 16 kHz, a byte a code
        self._to = ctypes.c_void_p(self._lib.g722_encode_init(None, 64000, 0))
        self._from = ctypes.c_void_p(self._lib.g722_decode_init(None, 64000, 0))

    def encode(self, samples):
        data = np.ascontiguousarray(samples, dtype="<i2")
        out = ctypes.create_string_buffer(len(data))
        n = self._lib.g722_encode(self._to, out, data.ctypes.data_as(ctypes.c_void_p), len(data))
        return out.raw[:n]

    def decode(self, codes):
        out = np.zeros(2 * len(codes), dtype="<i2")
        n = self._lib.g722_decode(self._from, out.ctypes.data_as(ctypes.c_void_p), bytes(codes), len(codes))
        return out[:n]

    def check(self, heard, codes):
        theirs = self.decode(codes)
        fits = (heard > -32768) & (heard < 32767)
        assert np.array_equal(heard[fits], theirs[fits])
        assert len(heard) == len(theirs)


class _Ours:
    """The plain kernels."""

    def __init__(self):
        self._state = wideband.state()

    def encode(self, samples):
        out = bytearray()
        for at in range(0, len(samples), 320):
            piece = array("h", samples[at : at + 320].tobytes())
            codes = bytearray(len(piece) // 2)
            g722.encode(piece, codes, self._state, len(codes))
            out += codes
        return bytes(out)

    def decode(self, codes):
        out = array("H")
        for at in range(0, len(codes), 160):
            n = min(160, len(codes) - at)
            words = array("H", bytes(4 * n))
            g722.decode(codes, at, words, 0, self._state, n)
            out += words
        return (np.array(out, dtype=np.int32) - 32768).astype(np.int16)


def _signals(n, rng):
    t = np.arange(n)
    return {
        "noise": rng.integers(-32768, 32768, n),
        "quiet": rng.integers(-12, 13, n),
        "bursts": rng.standard_normal(n) * np.repeat(10 ** rng.uniform(0, 4.5, n // 160), 160),
        "steps": np.repeat(rng.integers(-32768, 32768, n // 16), 16),
        "square": np.where(t // 37 & 1, 32767, -32768),
        "fastest square": np.where(t & 1, 32767, -32768),
        "sweep": 32767 * np.sin(np.pi / 2 * t.astype(float) ** 2 / n),
        "offset": np.full(n, -32768),
        "silence": np.zeros(n),
    }


def _pcm(samples):
    return np.clip(np.round(samples), -32768, 32767).astype(np.int16)


NAMES = sorted(_signals(320, np.random.default_rng(0)))


def _peers():
    yield _Theirs
    try:
        ctypes.CDLL("libspandsp.so.2")
    except OSError:
        return
    yield _Spandsp


PEERS = list(_peers())


@pytest.mark.parametrize("peer", PEERS, ids=[peer.__name__.strip("_").lower() for peer in PEERS])
@pytest.mark.parametrize("name", NAMES)
def test_signals_become_the_same_codes_and_the_same_sound(peer, name):
    samples = _pcm(_signals(1600, np.random.default_rng(3))[name])
    theirs, ours = peer(), _Ours()
    codes = theirs.encode(samples)
    assert ours.encode(samples) == codes
    theirs.check(ours.decode(codes), codes)


@pytest.mark.parametrize("peer", PEERS, ids=[peer.__name__.strip("_").lower() for peer in PEERS])
def test_any_bytes_become_the_same_sound(peer):
    rng = np.random.default_rng(4)
    codes = np.concatenate([rng.integers(0, 256, 1600), rng.choice([0x04, 0xA0, 0xFF, 0x00, 0x3F], 800),
                            np.repeat(rng.integers(0, 256, 16), 50)]).astype(np.uint8).tobytes()  # fmt: skip
    peer().check(_Ours().decode(codes), codes)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-32768, 32767), st.integers(0, 32767), st.integers(1, 60)), min_size=1, max_size=8),
       st.integers(0, 2**32 - 1))  # fmt: skip
def test_whatever_is_drawn(pieces, seed):
    """Pieces of noise round some level, and bytes by chance."""
    rng = np.random.default_rng(seed)
    samples = _pcm(np.concatenate([level + rng.uniform(-width, width, 2 * n) for level, width, n in pieces]))
    theirs, ours = _Theirs(), _Ours()
    assert ours.encode(samples) == theirs.encode(samples)
    codes = rng.integers(0, 256, len(samples) // 2).astype(np.uint8).tobytes()
    theirs.check(ours.decode(codes), codes)


@pytest.mark.needs("micropython", "espeak-ng", "soundfile")
def test_a_minute_on_the_unix_port(tmp_path):
    """The viper kernels: speech and all the signals to codes, those and any bytes to sound."""
    import soundfile

    from host_tests.rig import speech

    rng = np.random.default_rng(5)
    said, rate_hz = soundfile.read(speech.wav("visitor", 16000))
    assert rate_hz == 16000
    signals = [said[16000:96000] * 32768] + list(_signals(32000, rng).values())
    samples = _pcm(np.concatenate(signals))
    codes = _Theirs().encode(samples)
    chance = rng.integers(0, 256, 160000).astype(np.uint8).tobytes()
    samples.astype("<i2").tofile(tmp_path / "samples")
    (tmp_path / "codes").write_bytes(codes)
    (tmp_path / "chance").write_bytes(chance)
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    subprocess.run([build.interpreter(), str(script), str(build.BUILD / build.host_arch()), str(tmp_path)], check=True, timeout=120)
    assert (tmp_path / "samples.out").read_bytes() == codes
    for name, given_codes in (("codes", codes), ("chance", chance)):
        heard = np.fromfile(tmp_path / (name + ".out"), dtype="<u2").astype(np.int32) - 32768
        _Theirs().check(heard, given_codes)


_SCRIPT = """\
import sys

sys.path[:] = [sys.argv[1], ".frozen"]
from array import array

from media import g722, wideband

codes, words, samples = bytearray(160), array("H", bytes(640)), array("h", bytes(640))
for name in ("samples", "codes", "chance"):
    state = wideband.state()
    with open(sys.argv[2] + "/" + name, "rb") as source, open(sys.argv[2] + "/" + name + ".out", "wb") as out:
        if name == "samples":
            while source.readinto(samples):
                g722.encode(samples, codes, state, 160)
                out.write(codes)
        else:
            while source.readinto(codes):
                g722.decode(codes, 0, words, 0, state, 160)
                out.write(words)
"""
