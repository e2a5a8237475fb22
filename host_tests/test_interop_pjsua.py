"""Calls with pjsua (PJSIP): its telephone-event is 120; it asks for one codec, by a re-INVITE at once, when an answer has two;
holds, UPDATEs, transfers, refreshes."""
import pytest

from host_tests.rig import speech
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.pjsua import Pjsua

pytestmark = pytest.mark.needs("pjsua2", "espeak-ng", "micropython")


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with Door(tmp_path_factory.mktemp("door"), {"door.code": "25", "door.open_s": 1}, heap=BURST_HEAP) as door:
        yield door


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """make(name, **settings): a phone kept for the whole file."""
    made = {}

    def phone(name="udp", **settings):
        if name not in made:
            made[name] = Pjsua(tmp_path_factory.mktemp(name), speech.wav("phone", 8000), **settings)
        made[name].forget()
        return made[name]
    yield phone
    for one in made.values():
        one.stop()


@pytest.fixture(autouse=True)
def free(door):
    yield
    door.settle()


def _up(phone, door):
    phone.do("call", door.uri)
    phone.wait("confirmed")
    door.wait_flow()


def _over(phone, door):
    phone.do("hangup")
    phone.wait("disconnected")
    door.wait_no_call()


def test_it_calls_and_its_keys_open(door, make):
    phone = make()
    _up(phone, door)
    phone.do("keys", "25")
    door.wait_relay(1)
    _over(phone, door)


def test_the_door_calls_and_hangs_up(door, make):
    phone = make()
    assert phone.user in door.call(phone.uri)
    phone.wait("confirmed")
    door.wait_flow()
    assert min(phone.packets()) > 10
    door.hangup()
    phone.wait("disconnected")


def test_hold_and_resume(door, make):
    phone = make()
    _up(phone, door)
    phone.do("hold")
    phone.wait("media", state="we hold")
    door.wait_flow(sends=False)
    phone.do("resume")
    phone.wait("media", state="active")
    door.wait_flow()
    _over(phone, door)


def test_an_offer_of_more_than_a_datagram(door, make):
    """Video and ICE, 2.6 KB: the sound of it is taken."""
    phone = make("big", big=True)
    _up(phone, door)
    _over(phone, door)
