"""Calls with linphone, a phone of another family: both ways, keys, hold and resume, over UDP and TCP."""
import pytest

from host_tests.rig import speech
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.linphone import Linphone

pytestmark = pytest.mark.needs("linphonec", "espeak-ng", "micropython")


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with Door(tmp_path_factory.mktemp("door"), {"door.code": "25", "door.open_s": 1}, heap=BURST_HEAP) as door:
        yield door


@pytest.fixture(scope="module", params=["udp", "tcp"])
def phone(request, tmp_path_factory):
    with Linphone(tmp_path_factory.mktemp("phone"), speech.wav("phone", 8000), transport=request.param) as phone:
        yield phone


@pytest.fixture(autouse=True)
def free(door):
    yield
    door.settle()


def test_it_calls_holds_and_hangs_up(door, phone):
    phone.call(door)
    door.wait_flow()
    phone.hold()
    door.wait_flow(sends=False)          # it plays on, to a door that only listens (sendonly)
    phone.resume()
    door.wait_flow()
    phone.hangup()
    door.wait_no_call()


def test_the_door_calls_and_hangs_up(door, phone):
    assert phone.user in door.call(phone.uri)
    door.wait_flow()
    door.hangup()
    phone.expect("ended")


def test_its_keys_open(door, phone):
    phone.call(door)
    door.wait_sound()
    phone.keys("25")
    door.wait_relay(1)
    phone.hangup()
    door.wait_relay(0)
