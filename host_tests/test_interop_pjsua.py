"""Calls with pjsua (PJSIP), directly over UDP and TCP and through Kamailio over TLS: its telephone-event is 120, it sends a
re-INVITE at once where an answer has two codecs, it holds, UPDATEs, PRACKs, refreshes, and offers more than a datagram holds."""
import pytest

from host_tests.rig import speech
from host_tests.rig.certificates import Authority
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.kamailio import Kamailio
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


@pytest.fixture(params=["udp", "tcp"])
def phone(request, make):
    return make(request.param, transports=[request.param])


@pytest.fixture(autouse=True)
def free(door):
    yield
    door.settle()


def _up(phone, door):
    """-> pjsua's number of the call."""
    call = phone.do("call", door.uri + (";transport=tcp" if phone.transports == ["tcp"] else ""))
    phone.wait("confirmed")
    door.wait_flow()
    return call


def _over(phone, door):
    phone.do("hangup")
    phone.wait("disconnected")
    door.wait_no_call()


def test_it_calls_and_its_keys_open(door, phone):
    _up(phone, door)
    phone.do("keys", "25")
    door.wait_relay(1)
    _over(phone, door)
    door.wait_relay(0)


def test_the_door_calls_and_hangs_up(door, phone):
    assert phone.user in door.call(phone.uri)
    phone.wait("confirmed")
    door.wait_flow()
    assert min(phone.packets()) > 10
    door.hangup()
    phone.wait("disconnected")


def test_hold_and_resume_from_both_sides(door, phone):
    _up(phone, door)
    phone.do("hold")
    phone.wait("media", state="we hold")
    door.wait_flow(sends=False)
    phone.do("resume")
    phone.wait("media", state="active")
    door.wait_flow()
    door.hold()
    phone.wait("media", state="they hold")
    door.resume()
    phone.wait("media", state="active")
    door.wait_flow()
    _over(phone, door)


def test_an_update(door, phone):
    _up(phone, door)
    phone.do("update")
    phone.wait("media", state="active")
    door.wait_flow()
    _over(phone, door)


def test_an_offer_of_more_than_a_datagram(door, make):
    """Video and ICE, 2.6 KB, over UDP: the sound of it is taken."""
    phone = make("big", big=True)
    _up(phone, door)
    assert "m=video 0 " in phone.process.said()
    _over(phone, door)


def test_the_same_over_tcp(door, make):
    phone = make("big-tcp", big=True, transports=["tcp"])
    _up(phone, door)
    _over(phone, door)


def test_a_reinvite_right_behind_the_ack(door, make):
    phone = make("hasty", reinvites=True)
    _up(phone, door)
    phone.wait_said("Response msg 200/INVITE/cseq=")
    _over(phone, door)
    assert phone.process.said().count("Request msg ACK") >= 2
    phone.forget()
    door.call(phone.uri)
    phone.wait("media", state="active")
    phone.wait("media", state="active")
    door.wait_flow()
    door.hangup()
    phone.wait("disconnected")


@pytest.mark.parametrize("prack", ["yes", "required"])
def test_prack(door, make, prack):
    phone = make("prack-" + prack, prack=prack)
    _up(phone, door)
    _over(phone, door)
    if prack == "required":
        assert "Request msg PRACK" in phone.process.said()
    assert phone.user in door.call(phone.uri)
    door.wait_flow()
    door.hangup()
    phone.wait("disconnected")


def test_session_timer(door, make):
    phone = make("timer", timer="required", timer_s=90)
    _up(phone, door)
    phone.wait_said("Session-Expires: 90;refresher=")
    _over(phone, door)
    assert phone.user in door.call(phone.uri)
    door.wait_flow()
    door.hangup()
    phone.wait("disconnected")


def test_it_transfers_the_door(door, make):
    phone, other = make(), make("other")
    _up(phone, door)
    phone.do("transfer", other.uri)
    other.wait("confirmed")
    phone.wait("transfer status", status=200)
    door.wait_flow()
    phone.wait("disconnected")
    other.do("hangup")
    door.wait_no_call()


def test_it_connects_the_door_with_whom_it_asked_first(door, make):
    """Attended: REFER with Replaces; the door calls the other phone in the place of the call between the two."""
    phone, other = make(), make("other")
    first = _up(phone, door)
    phone.do("hold")
    phone.wait("media", state="we hold")
    second = phone.do("call", other.uri)
    other.wait("confirmed")
    phone.wait("confirmed")
    phone.do("attended", first, second)
    other.wait("replaced")
    door.wait_flow()
    other.wait("disconnected")
    phone.do("hang_up_all")
    other.do("hang_up_all")
    door.wait_no_call()


def test_another_takes_the_doors_call(door, make):
    """The same from the other end: the door is called with Replaces and goes on with the new caller."""
    phone, other = make(), make("other")
    first = _up(phone, door)
    second = phone.do("call", other.uri)
    other.wait("confirmed")
    phone.wait("confirmed")
    phone.do("attended", second, first)
    phone.wait("transfer status", status=200)
    door.wait_flow()
    other.do("hang_up_all")
    phone.do("hang_up_all")
    door.wait_no_call()


def test_the_door_transfers_it(door, make):
    phone, other = make(), make("other")
    _up(phone, door)
    door.transfer(other.uri)
    phone.wait("transfer")
    other.wait("confirmed")
    door.wait_no_call()
    phone.do("hang_up_all")
    other.wait("disconnected")


def test_its_message_is_shown(door, phone):
    _up(phone, door)
    phone.do("message", "Coming down.")
    door.expect("Coming down.")
    _over(phone, door)


@pytest.mark.needs("kamailio-tls")
def test_tls_through_kamailio(tmp_path, make):
    """Both look at its certificate."""
    authority = Authority(tmp_path / "authority")
    with Kamailio(tmp_path / "kamailio", {"door": "d", "paul": "p"}, certificate=authority.server,
                  calls_need_password=True) as kamailio:
        server = "%s:%d" % (kamailio.address, kamailio.tls_port)
        phone = make("tls", transports=["tls"], registrar="sip:%s;transport=tls" % server, password="p", authority=authority.pem)
        account = {"sip.server": server, "sip.password": "d", "sip.transport": "tls"}
        with Door(tmp_path / "door", account, heap=BURST_HEAP, files={"ca.der": authority.der}) as door:
            kamailio.wait_contacts("door")
            phone.do("call", "sip:door@%s;transport=tls" % server)
            phone.wait("confirmed")
            door.wait_flow()
            phone.do("hold")
            phone.wait("media", state="we hold")
            door.wait_flow(sends=False)
            phone.do("resume")
            phone.wait("media", state="active")
            door.hangup()
            phone.wait("disconnected")
            assert phone.user in door.call(phone.user)
            door.wait_flow()
            phone.do("hangup")
            phone.wait("disconnected")
            door.wait_no_call()
