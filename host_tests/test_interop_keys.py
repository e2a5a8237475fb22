"""Keys between the door and other people's phones, each way they have: RFC 4733 and in the sound from baresip; RFC 4733, INFO and in
the sound from linphone; ours to both."""

import numpy as np
import pytest
import soundfile

from host_tests.rig import sounds, speech
from host_tests.rig.baresip import Baresip
from host_tests.rig.door import Door
from host_tests.rig.linphone import Linphone

pytestmark = pytest.mark.needs("espeak-ng", "micropython")
CODE = "1122"


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with Door(tmp_path_factory.mktemp("door"), {"door.code": CODE, "door.open_s": 1}) as door:
        yield door


@pytest.fixture(autouse=True)
def free(door):
    door.forget()
    yield
    door.settle()


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    """A WAV with the code in it, 50 ms each, every two seconds."""
    path = tmp_path_factory.mktemp("tones") / "tones.wav"
    once = [np.zeros(12000)] + [part for key in CODE for part in (sounds.key(int(key), 50), np.zeros(400))]
    soundfile.write(str(path), np.concatenate(once * 30) / 32768, 8000, subtype="PCM_16")
    return path


def opens(door):
    """The very next code is the right one: no key too many."""
    assert "The right code" in door.expect("The right code", "A wrong code", timeout_s=20)


@pytest.mark.needs("baresip")
def test_baresip_sends_events(door, tmp_path):
    with Baresip(tmp_path, speech.wav("phone", 8000)) as phone:
        phone.dial(door.uri)
        phone.wait("CALL_ESTABLISHED")
        door.wait_sound()
        for _ in range(2):
            phone.send_digits(CODE)
            opens(door)
        phone.hangup()
        door.wait_no_call()


@pytest.mark.needs("baresip")
def test_baresip_plays_tones(door, tones, tmp_path):
    with Baresip(tmp_path, tones) as phone:
        phone.dial(door.uri)
        phone.wait("CALL_ESTABLISHED")
        for _ in range(3):
            opens(door)
        phone.hangup()
        door.wait_no_call()


@pytest.mark.needs("linphonec")
@pytest.mark.parametrize("way", ["rfc2833", "info"])
def test_linphone_sends_keys(door, tmp_path, way):
    with Linphone(tmp_path, speech.wav("phone", 8000), keys=way) as phone:
        phone.call(door)
        door.wait_sound()
        for _ in range(2):
            phone.keys(CODE)
            opens(door)
        phone.hangup()
        door.wait_no_call()


@pytest.mark.needs("linphonec")
def test_linphone_plays_tones(door, tones, tmp_path):
    with Linphone(tmp_path, tones) as phone:
        phone.call(door)
        for _ in range(3):
            opens(door)
        phone.hangup()
        door.wait_no_call()


@pytest.mark.needs("baresip")
@pytest.mark.parametrize("way", ["rtp", "info"])
def test_baresip_gets_ours(door, tmp_path, way):
    door.set("dtmf.send", way)
    with Baresip(tmp_path, speech.wav("phone", 8000)) as phone:
        phone.dial(door.uri)
        phone.wait("CALL_ESTABLISHED")
        door.wait_sound()
        door.console('door.keys("1122*#")')
        for key in "1122*#":
            event = phone.wait("CALL_DTMF_START")
            assert event["param"] == key
        phone.hangup()
        door.wait_no_call()


@pytest.mark.needs("linphonec")
@pytest.mark.parametrize("way", ["rtp", "info"])
def test_linphone_gets_ours(door, tmp_path, way):
    door.set("dtmf.send", way)
    with Linphone(tmp_path, speech.wav("phone", 8000), keys="info" if way == "info" else "rfc2833") as phone:
        phone.call(door)
        door.wait_sound()
        door.console('door.keys("12*#")')
        phone.expect(*["Receiving tone " + key for key in "12*#"])
        phone.hangup()
        door.wait_no_call()
