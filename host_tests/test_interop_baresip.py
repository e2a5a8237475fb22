"""What baresip does inside calls: hold and resume, transfer; over UDP and TCP."""
import pytest

from host_tests.rig import speech
from host_tests.rig.baresip import Baresip
from host_tests.rig.door import BURST_HEAP, Door

pytestmark = pytest.mark.needs("baresip", "espeak-ng", "micropython")


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with Door(tmp_path_factory.mktemp("door"), {}, heap=BURST_HEAP) as door:
        yield door


@pytest.fixture(scope="module", params=["udp", "tcp"])
def phone(request, tmp_path_factory):
    with Baresip(tmp_path_factory.mktemp("phone"), speech.wav("phone", 8000), transport=request.param) as phone:
        yield phone


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    with Baresip(tmp_path_factory.mktemp("other"), speech.wav("phone", 8000), "other") as phone:
        yield phone


@pytest.fixture(autouse=True)
def free(door):
    yield
    door.settle()


def _call(phone, door):
    phone.dial(door.uri + ("" if phone.transport == "udp" else ";transport=" + phone.transport))
    phone.wait("CALL_ESTABLISHED")
    door.wait_flow()


@pytest.mark.parametrize("calls", ["phone", "door"])
def test_hold_and_resume(door, phone, calls):
    if calls == "phone":
        _call(phone, door)
    else:
        door.call(phone.uri)
        phone.wait("CALL_ESTABLISHED")
        door.wait_flow()
    phone.hold()
    door.wait_flow(sends=False, receives=False)
    phone.resume()
    door.wait_flow()
    phone.hangup()
    door.wait_no_call()


def test_the_door_holds_and_resumes(door, phone):
    _call(phone, door)
    door.hold()
    door.wait_flow(sends=False, receives=False)
    door.resume()
    door.wait_flow()
    door.hangup()
    phone.wait("CALL_CLOSED")


def test_it_transfers_the_door(door, phone, other):
    """Blind: the door calls the other phone, and goes on with it."""
    _call(phone, door)
    other.forget()
    phone.transfer(other.uri)
    other.wait("CALL_ESTABLISHED")
    door.wait_status("In a call with sip:other@")
    door.wait_flow()
    if phone.calls():                       # it may leave the hanging up to people
        phone.hangup()
    other.hangup()
    door.wait_no_call()


def test_the_door_transfers_it(door, phone, other):
    """Blind: the phone calls the other one, and the door is free."""
    _call(phone, door)
    other.forget()
    phone.forget()
    door.transfer(other.uri)
    other.wait("CALL_ESTABLISHED")
    door.wait_no_call()
    phone.hangup()
    other.wait("CALL_CLOSED")
