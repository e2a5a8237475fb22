"""What visitor and caller hear of the door itself: prompts, tones, the countdown; and silence that is not sent. A door, baresip,
and a bare wire. (What plays takes some 8 KB of the heap for as long as it does.)"""

import math
import subprocess
import time
import wave

import pytest

from host_tests.rig.baresip import Baresip
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.wire import Wire

pytestmark = pytest.mark.needs("micropython")

RING_HZ, WELCOME_HZ, OPEN_HZ, NOBODY_HZ = 500, 700, 900, 1100


def _write(path, frequency_hz, rate_hz, seconds):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(b"".join(int(10000 * math.sin(2 * math.pi * frequency_hz * i / rate_hz)).to_bytes(2, "little", signed=True)
                                  for i in range(int(rate_hz * seconds))))
    return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Prompts of each kind, and a minute of nothing for the phone to say."""
    folder = tmp_path_factory.mktemp("sounds")
    return {
        "ring.wav": _write(folder / "ring.wav", RING_HZ, 8000, 1),
        "welcome.wav": _write(folder / "welcome.wav", WELCOME_HZ, 16000, 1),
        "open.wav": _write(folder / "open.wav", OPEN_HZ, 8000, 0.5),
        "nobody.wav": _write(folder / "nobody.wav", NOBODY_HZ, 16000, 1),
        "silence": _write(folder / "silence.wav", 0, 8000, 60),
    }


def _seconds(path, frequency_hz):
    """-> (when it first sounds, for how long altogether) in a recording, looked at in pieces of 20 ms."""
    import numpy

    with wave.open(path) as file:
        rate_hz, channels = file.getframerate(), file.getnchannels()
        samples = numpy.frombuffer(file.readframes(file.getnframes()), "<i2")[::channels].astype(float)
    n = rate_hz // 50
    samples = samples[: len(samples) // n * n].reshape(-1, n)
    turn = numpy.exp(2j * math.pi * frequency_hz * numpy.arange(n) / rate_hz)
    level = abs(samples @ turn) * 2 / n
    loud = numpy.flatnonzero((level > 2000) & (level > 0.8 * numpy.sqrt(2 * numpy.mean(samples**2, axis=1))))
    return (loud[0] * 0.02, len(loud) * 0.02) if len(loud) else (None, 0)


@pytest.mark.needs("baresip", "numpy")
def test_prompts_where_they_belong(tmp_path, files):
    names = {name: path for name, path in files.items() if name.endswith(".wav")}
    with Baresip(tmp_path / "phone", files["silence"], answers="manual") as phone:
        settings = {"button.1.target": phone.uri, "sound.ring": "ring.wav", "sound.welcome": "welcome.wav",
                    "sound.open": "open.wav", "sound.nobody": "nobody.wav", "audio.volume_db": -6}  # fmt: skip
        with Door(tmp_path / "door", settings, files=names, heap=BURST_HEAP) as door:
            door.press()
            phone.wait("CALL_INCOMING")
            time.sleep(1.5)  # the visitor hears that it rings
            phone.accept()
            phone.wait("CALL_ESTABLISHED")
            door.wait_sound()
            time.sleep(1.2)  # the other side hears whose door it is
            assert "3 s" in door.console("door.open()")
            time.sleep(1)
            phone.hangup()
            door.wait_no_call()
            assert "faults" not in door.status()
        heard = phone.heard()
        ring, welcome, opened = _seconds(door.speaker, RING_HZ), _seconds(door.speaker, WELCOME_HZ), _seconds(door.speaker, OPEN_HZ)
        assert 0.9 < ring[1] < 1.1 and welcome[1] == 0 and 0.4 < opened[1] < 0.6, (ring, welcome, opened)
        ring, welcome, opened = _seconds(heard, RING_HZ), _seconds(heard, WELCOME_HZ), _seconds(heard, OPEN_HZ)
        assert ring[1] == 0 and 0.8 < welcome[1] < 1.1 and 0.4 < opened[1] < 0.6, (ring, welcome, opened)
        assert welcome[0] < opened[0]


@pytest.mark.needs("baresip", "numpy")
def test_nobody_comes(tmp_path, files):
    with Baresip(tmp_path / "phone", files["silence"], answers="manual") as phone:
        settings = {"button.1.target": phone.uri, "sound.nobody": "nobody.wav", "call.ring_s": 5, "audio.tones": "uk"}
        with Door(tmp_path / "door", settings, files={"nobody.wav": files["nobody.wav"]}, heap=BURST_HEAP) as door:
            door.press()
            phone.wait("CALL_INCOMING")
            phone.wait("CALL_CLOSED", timeout_s=12)
            door.wait_no_call()
            time.sleep(1.5)
            assert "Sound:" not in door.status() and "faults" not in door.status()
        prompt = _seconds(door.speaker, NOBODY_HZ)
        assert 0.9 < prompt[1] < 1.1 and prompt[0] > 4.5
        assert _seconds(door.speaker, 425)[1] == 0


@pytest.mark.needs("baresip", "numpy")
def test_a_file_that_is_not_there_and_the_end_of_the_call(tmp_path, files):
    with Baresip(tmp_path / "phone", files["silence"]) as phone:
        with Door(tmp_path / "door", {"sound.open": "gone.wav", "call.max_s": 12}, heap=BURST_HEAP) as door:
            door.call(phone.uri)
            phone.wait("CALL_ESTABLISHED")
            door.wait_sound()
            for _ in range(2):
                door.console("door.open()")
                time.sleep(0.6)
            phone.wait("CALL_CLOSED", timeout_s=15)
            door.wait_no_call()
            said = door.said()
            assert said.count("sound.open cannot be played: there is no file 'gone.wav' on the board.") == 1
            assert "The call reached call.max_s" in said and "faults" not in door.status()
        for path in (door.speaker, phone.heard()):
            assert 0.25 < _seconds(path, 660)[1] < 0.4 and 0.5 < _seconds(path, 880)[1] < 0.75  # twice
            assert 0.6 < _seconds(path, 1000)[1] < 1.1  # ten beeps of a tenth of a second


@pytest.mark.needs("baresip", "numpy")
def test_playing_at_the_prompt(tmp_path, files):
    names = {name: path for name, path in files.items() if name.endswith(".wav")}
    stereo = tmp_path / "stereo.wav"
    with wave.open(str(stereo), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"\0" * 6400)
    with Baresip(tmp_path / "phone", files["silence"]) as phone:
        with Door(tmp_path / "door", files={**names, "stereo.wav": str(stereo)}, heap=BURST_HEAP) as door:
            assert "there is no call" in door.console('door.play("ring.wav", "caller")')
            assert "visitor, caller or both" in door.console('door.play("ring.wav", "all")')
            assert "no file 'gone.wav'" in door.console('door.play("gone.wav")')
            assert "it has 2 channels" in door.console('door.play("stereo.wav")')
            assert "Playing ring.wav, 1 s." in door.console('door.play("ring.wav")')
            time.sleep(1.5)
            door.call(phone.uri)
            phone.wait("CALL_ESTABLISHED")
            door.wait_sound()
            assert "Playing welcome.wav, 1 s." in door.console('door.play("welcome.wav", "both")')
            time.sleep(1.3)
            phone.hangup()
            door.wait_no_call()
            assert "faults" not in door.status()
        assert 0.8 < _seconds(door.speaker, RING_HZ)[1] < 1.1
        assert 0.8 < _seconds(door.speaker, WELCOME_HZ)[1] < 1.1
        assert 0.8 < _seconds(phone.heard(), WELCOME_HZ)[1] < 1.1


@pytest.fixture
def words(tmp_path):
    """Two seconds of nothing, two of speech, and nothing again."""
    import numpy
    import soundfile
    from scipy.signal import resample_poly

    path = tmp_path / "speech.wav"
    subprocess.run(["espeak-ng", "-w", str(path), "Good morning, I have a parcel for you, it is large."], check=True, timeout=60)
    samples, rate_hz = soundfile.read(str(path))
    samples = resample_poly(samples, 320, 441)
    samples = samples * 0.3 / abs(samples).max()
    path = tmp_path / "microphone.wav"
    soundfile.write(str(path), numpy.concatenate([numpy.zeros(32000), samples, numpy.zeros(320000)]), 16000, subtype="PCM_16")
    return str(path), 2 + len(samples) / 16000


@pytest.mark.needs("espeak-ng", "scipy", "soundfile")
@pytest.mark.parametrize("noise", [True, False])
def test_silence_is_not_sent(tmp_path, words, noise):
    path, speech_ends_s = words
    with Door(tmp_path / "door", {"audio.silence": "on"}, mic=path, heap=BURST_HEAP) as door, Wire((door.address, 5060)) as wire:
        wire.fresh_call()
        ok = wire.transact(wire.request("INVITE", body=wire.offer("0 13 101" if noise else "0 101")), 200)
        wire.ack(ok)
        assert (b"RTP/AVP 0 13 101" in ok.body) == noise, ok.body
        packets = []
        end = time.monotonic() + speech_ends_s + 6
        while time.monotonic() < end:
            packets.append(wire.receive_rtp())
        wire.bye(ok)
        door.wait_no_call()
        assert "faults" not in door.status()
    first = packets[0][2]
    at = [((packet[2] - first) & 0xFFFFFFFF) / 8000 for packet in packets]
    kinds = {packet[0] for packet in packets}
    assert kinds == ({0, 13} if noise else {0})
    # A second is given, then there is silence until somebody speaks, and from a little after that
    speech = [t for t, packet in zip(at, packets) if packet[0] == 0]
    assert len([t for t in speech if 1.3 < t < 1.9]) == 0
    assert len([t for t in speech if 2.3 < t < speech_ends_s]) > 0.8 * 50 * (speech_ends_s - 2.3)
    assert len([t for t in at if t > speech_ends_s + 0.5]) <= (12 if noise else 4)
    assert [(b - a) & 0xFFFF for a, b in zip([p[1] for p in packets], [p[1] for p in packets][1:])] == [1] * (len(packets) - 1)
    assert max(b - a for a, b in zip(at, at[1:])) < 2.6
    if noise:
        assert all(len(packet[4]) == 1 for packet in packets if packet[0] == 13)
