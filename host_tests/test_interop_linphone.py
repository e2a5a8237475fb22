"""Calls with linphone, a phone of another family: both ways, keys, hold and resume, over UDP and TCP."""
import pytest

from host_tests.rig import speech
from host_tests.rig.certificates import Authority
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.kamailio import Kamailio
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


@pytest.mark.needs("kamailio-tls")
def test_over_tls_through_kamailio(tmp_path, door):
    authority = Authority(tmp_path / "authority")
    with Kamailio(tmp_path / "kamailio", {"door": "d", "carol": "c"}, certificate=authority.server,
                  calls_need_password=True) as kamailio:
        server = "%s:%d" % (kamailio.address, kamailio.tls_port)
        account = {"sip.server": server, "sip.password": "d", "sip.transport": "tls"}
        with Linphone(tmp_path / "phone", speech.wav("phone", 8000), registrar=server, password="c", transport="tls",
                      authority=authority.pem) as phone, \
                Door(tmp_path / "door", account, heap=BURST_HEAP, files={"ca.der": authority.der}) as door:
            kamailio.wait_contacts("door")
            kamailio.wait_contacts("carol")
            phone.say("call sip:door@%s;transport=tls" % server)
            phone.expect("connected", "Media streams established")
            door.wait_flow()
            door.hangup()
            phone.expect("ended")
            assert "carol" in door.call("carol")
            door.wait_flow()
            phone.hangup()
            door.wait_no_call()
