"""A caller does not hear himself: calls with baresip to doors whose microphones hear their loudspeakers."""

import time

import numpy as np
import pytest
import soundfile

from host_tests.rig import room, speech
from host_tests.rig.baresip import Baresip
from host_tests.rig.door import Door
from host_tests.rig.undisturbed import undisturbed

pytestmark = pytest.mark.needs("baresip", "espeak-ng", "micropython")
_SECONDS = 7.0


def _level_db(path, last_s):
    """The level of a recording's last seconds of the caller's speech: the median of half seconds, as a busy computer plays gaps."""
    heard = speech.load(path)
    assert len(heard) > 8000 * (last_s + 2), "the recording is too short"
    return float(np.median([max(room.level_db(heard[at : at + 4000]), -100) for at in range(len(heard) - int(8000 * last_s), len(heard) - 3999, 4000)]))


def test_the_caller_does_not_hear_himself(tmp_path):
    undisturbed(lambda i: _call(tmp_path / str(i)))


def _call(folder):
    folder.mkdir()
    source = folder / "caller.wav"
    voice = room.voice("en-us", _SECONDS + 60)
    soundfile.write(source, np.concatenate((np.zeros(8000), voice)), 8000, subtype="PCM_16")
    kinds = ("off", "gate", "cancel")
    phones, doors = [], []
    try:
        for kind in kinds:
            # 20 ms through the air, and the loudspeaker as loud in the microphone as half of what it plays
            doors.append(Door(folder / kind, {"audio.echo": kind}, echo="20,-6", heap="128wK"))
            phones.append(Baresip(folder / ("phone_" + kind), str(source)))
        for door, phone in zip(doors, phones):
            phone.dial(door.uri)
        for phone in phones:
            phone.wait("CALL_ESTABLISHED")
        time.sleep(_SECONDS)  # that is how long he speaks
        for door, phone in zip(doors, phones):
            phone.hangup()
            door.wait_no_call()
            assert "Traceback" not in door.said() and "MemoryError" not in door.said()
        off, gate, cancel = [_level_db(phone.heard(), 3.0) for phone in phones]
    finally:
        for it in phones + doors:
            it.stop()
    print("what the caller hears of himself: %.1f dB, through the gate %.1f, the canceller %.1f" % (off, gate, cancel))
    assert off > -35  # else there was no echo to take away
    assert gate < off - 25
    assert cancel < off - 25


def test_where_memory_is_short_the_gate_stands_in(tmp_path):
    with Door(tmp_path / "door", {"audio.echo": "cancel"}, wait=False) as door:
        assert "KB of memory more, so the gate does its work" in door.expect("audio.echo:")
        door.expect("Listening for calls")
