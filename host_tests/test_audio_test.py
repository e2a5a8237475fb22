"""door.audio_test() on the virtual board: what it says of a microphone that hears the speaker, of one that is dead, of one that
hears nothing of it, and during a call."""

import re

import numpy as np
import pytest
import soundfile

from host_tests.rig.door import Door
from host_tests.rig.wire import Wire

pytestmark = pytest.mark.needs("micropython")


@pytest.fixture
def quiet(tmp_path):
    """A room with nobody in it: noise at -60 dBFS."""
    path = tmp_path / "quiet.wav"
    noise = np.random.default_rng(1).standard_normal(16000 * 8) * 0.001
    soundfile.write(path, noise, 16000, subtype="PCM_16")
    return str(path)


def _test(door):
    assert "some 4 seconds" in door.console("door.audio_test()")
    door.expect("Microphone:")
    return door


def test_the_speaker_is_heard(tmp_path, quiet):
    with Door(tmp_path / "door", mic=quiet, echo="20,-9") as door:
        _test(door)
        assert door.expect("Echo return loss:").strip().endswith("Echo return loss: 9 dB.")
        assert "well for audio.echo = gate" in door.expect("That is")
        said = door.said()
        quiet_db, tone_db = map(int, re.search(r"Microphone: (-\d+) dB while all was quiet, (-\d+) dB", said).groups())
        assert abs(quiet_db + 60) <= 2 and abs(tone_db + 24) <= 3
        delay_ms = int(re.search(r"Round trip: (\d+) ms", said).group(1))
        assert 20 <= delay_ms <= 120  # 20 ms of air, and DMA buffers of 16 ms on both sides
        assert "Traceback" not in said
        # and the door takes calls after it
        with Wire((door.address, 5060)) as wire:
            ok = wire.call()
            wire.receive_rtp()
            assert "in use" in door.console("door.audio_test()")
            wire.bye(ok)


def test_a_dead_microphone_and_a_dead_speaker(tmp_path, quiet):
    with Door(tmp_path / "dead") as door:
        _test(door)
        door.expect("whether you heard it")
        assert "silent, not even noise" in door.said() and "SD on pin" in door.said()
    with Door(tmp_path / "deaf", mic=quiet) as door:
        _test(door)
        assert "does not hear the speaker" in door.expect("The microphone does not")


def test_a_microphone_that_clips(tmp_path, quiet):
    with Door(tmp_path / "loud", {"audio.gain_db": 24, "audio.volume_db": 9}, mic=quiet, echo="5,-1") as door:
        _test(door)
        assert "audio.gain_db" in door.expect("It clips")


def test_a_call_that_comes_meanwhile_has_its_sound(tmp_path, quiet):
    with Door(tmp_path / "door", mic=quiet) as door, Wire((door.address, 5060)) as wire:
        assert "some 4 seconds" in door.console("door.audio_test()")
        ok = wire.call()
        for _ in range(30):
            wire.receive_rtp()
        wire.bye(ok)
        door.wait_no_call()
        assert "Traceback" not in door.said()
