"""Whole doors over TCP and TLS: registered at Kamailio, called through it and directly by baresip
and sipp, and cut off in the middle."""

import math
import os
import wave

import pytest

from host_tests.rig.baresip import Baresip
from host_tests.rig.certificates import Authority
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.kamailio import Kamailio
from host_tests.rig.sipp import Sipp

pytestmark = pytest.mark.needs("micropython")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """What the phone says: a minute of a tone."""
    path = tmp_path_factory.mktemp("tone") / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"".join(int(8000 * math.sin(n / 5)).to_bytes(2, "little", signed=True) for n in range(8000)) * 60)
    return str(path)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def account(kamailio, kind, folder, authority, **more):
    """The door's settings, its certificates put into its flash."""
    settings = {"sip.server": kamailio.server, "sip.user": "door", "sip.password": "open sesame", "sip.transport": kind, **more}
    if kind == "tls":
        os.makedirs(folder, exist_ok=True)
        with open(authority.der, "rb") as one, open(os.path.join(folder, "ca.der"), "wb") as other:
            other.write(one.read())
        settings["sip.server"] = "%s:%d" % (kamailio.address, kamailio.tls_port)
        settings["sip.tls_name"] = "pbx.test"
    return settings


@pytest.fixture(params=["tcp", "tls"])
def kind(request):
    return request.param


def pbx(folder, authority):
    users = {"door": "open sesame", "phone": "secret"}
    return Kamailio(folder, users, certificate=lambda address: authority.server("pbx.test"))


@pytest.mark.needs("kamailio-tls", "baresip")
def test_calls_both_ways_through_kamailio(tmp_path, kind, authority, source):
    with pbx(tmp_path / "kamailio", authority) as kamailio:
        with Baresip(tmp_path / "phone", source, registrar=kamailio.server, password="secret", answers="auto") as phone:
            settings = account(kamailio, kind, tmp_path / "door", authority, **{"button.1.target": "phone"})
            # A registration over TCP takes 6 KB, over TLS 10 KB more of the heap than over UDP: 96wK has room for it, and no
            # certain room for a call beside it.
            with Door(tmp_path / "door", settings, heap=BURST_HEAP) as door:
                contact, = kamailio.wait_contacts("door")
                assert ";transport=" + kind in contact
                door.wait_status("Registered at")
                for _ in range(2):
                    phone.dial("sip:door@" + kamailio.address)
                    phone.wait("CALL_ESTABLISHED")
                    door.wait_flow()
                    phone.hangup()
                    door.wait_no_call()
                door.press()
                phone.wait("CALL_ESTABLISHED")
                door.wait_flow()
                door.hangup()
                phone.wait("CALL_CLOSED")
                assert "Registered at" in door.status()
        log = kamailio.process.said()
        assert "INSANE" not in log and "over %s from %s" % (kind, door.address) in log
        assert "over udp from %s" % door.address not in log


@pytest.mark.needs("kamailio-tls")
def test_a_server_that_was_started_again_is_found_again(tmp_path, kind, authority):
    with pbx(tmp_path / "kamailio", authority) as kamailio:
        # A second handshake in one life of the door: as above, 96wK has no room for it over TLS.
        with Door(tmp_path / "door", account(kamailio, kind, tmp_path / "door", authority), heap=BURST_HEAP) as door:
            kamailio.wait_contacts("door")
            door.wait_status("Registered at")
            kamailio.off()
            door.wait_status("Not registered at", "The refresh failed")
            kamailio.on()
            kamailio.wait_contacts("door", timeout_s=30)
            door.wait_status("Registered at")


@pytest.mark.needs("kamailio-tls")
@pytest.mark.parametrize(
    "how, words",
    [
        (dict(to_days=-0.5), "the server's certificate has expired, or the clock is wrong"),
        (dict(self_signed=True), "is signed by nobody the door trusts: sip.tls_ca"),
        (dict(name="other.test"), "is for another name than 'pbx.test': set sip.tls_name"),
    ],
    ids=["expired", "unknown", "name"],
)
def test_a_certificate_that_is_not_believed_is_said_in_the_status(tmp_path, authority, how, words):
    how = dict(how)
    name = how.pop("name", "pbx.test")
    with Kamailio(tmp_path / "kamailio", {"door": "open sesame"}, certificate=lambda address: authority.server(name, **how)) as kamailio:
        with Door(tmp_path / "door", account(kamailio, "tls", tmp_path / "door", authority), heap=BURST_HEAP) as door:
            assert words in door.wait_status("TLS: ")
            assert kamailio.contacts("door") == []


@pytest.mark.needs("baresip")
def test_baresip_calls_directly_over_tcp(tmp_path, source):
    with Door(tmp_path / "door", {"call.peers": ""}) as door, Baresip(tmp_path / "phone", source, transport="tcp") as phone:
        phone.dial(door.uri + ";transport=tcp")
        phone.wait("CALL_ESTABLISHED")
        door.wait_flow()
        door.hangup()
        phone.wait("CALL_CLOSED")
        door.wait_no_call()
        door.start_call(phone.uri)
        phone.wait("CALL_ESTABLISHED")
        door.wait_flow()
        phone.hangup()
        door.wait_no_call()


@pytest.mark.needs("sipp")
def test_sipp_calls_over_tcp_and_is_called(tmp_path):
    with Door(tmp_path / "door", {}) as door:
        with Sipp(tmp_path / "uac", "uac", door.address + ":5060", calls=3, transport="tcp") as sipp:
            sipp.done()
        door.wait_no_call()
        with Sipp(tmp_path / "uas", "uas", transport="tcp") as sipp:
            door.start_call(sipp.uri)
            door.wait_status("In a call with")
            door.hangup()
            sipp.done()
