"""What baresip does inside calls: hold and resume, transfer; over UDP and TCP."""
import pytest

from host_tests.rig import speech
from host_tests.rig.baresip import Baresip
from host_tests.rig.certificates import Authority
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


def test_the_door_calls_over_tls(tmp_path):
    """And looks at the phone's certificate: of one that somebody else has signed it says what is wrong. (This phone would send
    its own requests over a connection of its own, and nobody can connect to a TLS client: so the door holds and hangs up.)"""
    ours, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others", name="others")
    with Door(tmp_path / "door", heap=BURST_HEAP, files={"ca.der": ours.der}) as door:
        with Baresip(tmp_path / "phone", speech.wav("phone", 8000), transport="tls", certificate=ours.server) as phone:
            assert "In a call with" in door.call(phone.uri)
            phone.wait("CALL_ESTABLISHED")
            door.wait_flow()
            door.hold()
            door.wait_flow(sends=False, receives=False)
            door.resume()
            door.wait_flow()
            door.hangup()
            phone.wait("CALL_CLOSED")
        with Baresip(tmp_path / "other", speech.wav("phone", 8000), transport="tls", certificate=others.server) as phone:
            words = door.call(phone.uri)
            assert "ended" in words and "certificate" in words
            door.wait_no_call()
