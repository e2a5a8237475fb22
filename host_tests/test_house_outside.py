"""The way out of a house without a PBX, through a real Kamailio that wants a password for each request, over UDP, TCP and TLS:
phones of the house (baresip, linphone, sipp) call outside, are called from there and hand calls on, and the door itself calls."""

import pytest

from host_tests.rig import speech
from host_tests.rig.baresip import Baresip
from host_tests.rig.certificates import Authority
from host_tests.rig.door import Door
from host_tests.rig.handset import accounts
from host_tests.rig.kamailio import Kamailio
from host_tests.rig.linphone import Linphone
from host_tests.rig.scenario import Called, Calling, sdp
from host_tests.rig.sipp import Sipp

HEAP = "128wK"
TLS_HEAP = "136wK"
pytestmark = pytest.mark.needs("kamailio", "baresip", "linphonec", "sipp", "espeak-ng", "micropython")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def provider(tmp_path_factory, authority):
    with Kamailio(tmp_path_factory.mktemp("provider"), {"555": "o", "0123": "a", "0456": "s"}, calls_need_password=True,
                  inside_need_password=["555"], certificate=authority.server) as provider:
        yield provider


@pytest.fixture(scope="module")
def aunt(tmp_path_factory, provider):
    with Baresip(tmp_path_factory.mktemp("aunt"), speech.wav("visitor", 8000), "0123", provider.server, "a") as aunt:
        provider.wait_contacts("0123")
        yield aunt


@pytest.fixture(scope="module", params=["udp", "tcp", "tls"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def door(kind, tmp_path_factory, provider, authority):
    folder = tmp_path_factory.mktemp("door")
    secrets = accounts(folder, ["101", "102", "103"])
    server = provider.address + (":%d" % provider.tls_port if kind == "tls" else "")
    settings = {"sip.mode": "house", "house.out.server": server, "house.out.user": "555", "house.out.password": "o",
                "house.out.prefixes": "01, 02, 04", "sip.transport": kind}
    with Door(folder, settings, heap=TLS_HEAP if kind == "tls" else HEAP, files={"ca.der": authority.der}) as door:
        door.expect("Registered at %s" % provider.address)
        door.secrets = secrets
        yield door
        assert "MemoryError" not in door.said() and "Traceback" not in door.said()


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory, door):
    with Baresip(tmp_path_factory.mktemp("kitchen"), speech.wav("phone", 8000), "101", door.address, door.secrets["101"]) as kitchen:
        door.expect("101 (p101) is registered")
        yield kitchen


@pytest.fixture(scope="module")
def hall(tmp_path_factory, kind, door, kitchen):
    with Linphone(tmp_path_factory.mktemp("hall"), speech.wav("phone", 8000), user="102", registrar=door.address, answers="manual",
                  password=door.secrets["102"], realm="house", transport="udp" if kind == "udp" else "tcp") as hall:
        door.expect("102 (p102) is registered")
        yield hall


@pytest.fixture(autouse=True)
def free(door, kitchen, aunt):
    yield
    door.wait_no_call()
    assert not kitchen.calls() and not aunt.calls()


def test_a_phone_calls_outside_and_is_put_on_hold(door, kitchen, aunt, provider, kind):
    kitchen.dial("sip:0123@" + door.address)
    kitchen.wait("CALL_ESTABLISHED")
    aunt.wait("CALL_ESTABLISHED")
    assert "101 is in a call with 0123, outside." in door.status()
    assert "INVITE sip:0123@%s over %s " % (provider.server + ":5061" * (kind == "tls"), kind) in provider.process.said()
    challenged, answered = provider.seen("INVITE"), provider.seen("INVITE", 200)
    kitchen.hold()
    provider.process.until(lambda: provider.seen("INVITE", 200) == answered + 1, "the hold's 200")
    assert provider.seen("INVITE") == challenged + 2        # without the password, and with it
    aunt.hold()
    provider.process.until(lambda: provider.seen("INVITE", 200) == answered + 2, "the 200 to the aunt's")
    kitchen.hangup()
    aunt.wait("CALL_CLOSED")
    assert aunt.heard() and kitchen.heard()     # each the other's sound, which never came by the door


def test_a_phone_is_called_from_outside(door, kitchen, aunt, provider):
    aunt.dial("sip:555@" + provider.server)
    kitchen.wait("CALL_ESTABLISHED")
    aunt.wait("CALL_ESTABLISHED")
    kitchen.hangup()
    aunt.wait("CALL_CLOSED")


def test_another_phone_calls_and_is_called(door, kitchen, hall, aunt, provider, kind):
    hall.say("call sip:0123@%s%s" % (door.address, "" if kind == "udp" else ";transport=tcp"))
    aunt.wait("CALL_ESTABLISHED")
    hall.expect("connected", "Media streams established")
    hall.hold()
    hall.resume()
    aunt.hangup()
    hall.expect("ended")
    kitchen.forget()
    aunt.dial("sip:555@" + provider.server)   # all ring, and the baresip answers at once
    kitchen.wait("CALL_ESTABLISHED")
    hall.expect("Receiving new incoming call", "ended")
    aunt.hangup()
    kitchen.wait("CALL_CLOSED")


def test_a_phone_hands_its_call_on(door, kitchen, hall, aunt, provider):
    kitchen.dial("sip:0123@" + door.address)
    aunt.wait("CALL_ESTABLISHED")
    kitchen.wait("CALL_ESTABLISHED")
    kitchen.transfer("sip:102@" + door.address)
    hall.expect("Receiving new incoming call")
    hall.say("answer")
    hall.expect("connected", "Media streams established")
    kitchen.wait("CALL_CLOSED")
    door.expect("0123 goes on with 102.")
    assert "102 is in a call with 0123, outside." in door.status() and aunt.calls() == 1
    hall.hold()
    hall.resume()
    hall.hangup()
    aunt.wait("CALL_CLOSED")


@pytest.mark.parametrize("first", ["a phone of the house", "outside"])
def test_a_phone_talks_to_two_and_brings_them_together(first, door, kitchen, hall, aunt, tmp_path, kind):
    """An attended transfer: the phone asks whom it called first to take its place at the other (REFER, Replaces)."""
    over = "" if kind == "udp" else ";transport=tcp"
    with Linphone(tmp_path / "office", speech.wav("phone", 8000), user="103", registrar=door.address, answers="manual",
                  password=door.secrets["103"], realm="house", transport="udp" if kind == "udp" else "tcp") as office:
        door.expect("103 (p103) is registered")

        def call(number):
            office.say("call sip:%s@%s%s" % (number, door.address, over))
            if number == "102":
                hall.expect("Receiving new incoming call")
                hall.say("answer")
            office.expect("connected", "Media streams established")

        one, other = ("0123", "102") if first == "outside" else ("102", "0123")
        call(one)
        office.hold()
        call(other)
        office.say("transfer 1 --to-call 2")
        office.expect("ended", "ended")
        door.expect("0123 goes on with 102.")
        aunt.wait("CALL_ESTABLISHED")
        assert "102 is in a call with 0123, outside." in door.status() and aunt.calls() == 1
        assert "103" not in door.status().replace("103 (p103)", "")
        aunt.hangup()
        hall.expect("ended")
        office.say("unregister")
        door.expect("103 (p103) is not registered any more")


def test_ringing_is_confirmed_and_keys_go_by_info(door, provider, tmp_path, kind):
    """sipp calls sipp, each knows what the other is to say."""
    s = Called("outside")
    s.expect("INVITE", has="Supported:.*100rel", actions=s.keep("call", by_proxy=True))
    s.answer(183, "Session Progress", sdp(), headers=["Require: 100rel", "RSeq: 5"])
    s.expect("PRACK", has="RAck: 5 [0-9]+ INVITE")
    s.answer(200, "OK", tag="")
    s.answer(200, "OK", sdp(), ["Require: timer", "Session-Expires: 1800;refresher=uac"], to="call")
    s.expect("ACK")
    s.expect("INFO", has="Signal=5")
    s.answer(200, "OK", tag="")
    s.expect("UPDATE", has="Session-Expires: 1800")
    s.answer(200, "OK", tag="", headers=["Require: timer", "Session-Expires: 1800;refresher=uac"])
    s.expect_bye()
    c = Calling("phone", "103", door.secrets["103"])
    c.invite(sdp(), ["Supported: 100rel, timer", "Session-Expires: 1800"])
    c.expect(183, has="RSeq: 5")
    c.request("PRACK", headers=["RAck: 5 %d INVITE" % (c.cseq)])
    c.expect(200, has="CSeq: %d PRACK" % c.cseq)
    c.expect(200, has="Session-Expires: 1800;refresher=uac")
    c.request("ACK", cseq=c.cseq - 1)
    c.request("INFO", ["Signal=5", "Duration=160"], kind="application/dtmf-relay")
    c.expect(200)
    c.request("UPDATE", headers=["Supported: timer", "Session-Expires: 1800;refresher=uac"])
    c.expect(200, has="Session-Expires: 1800;refresher=uac")
    c.bye()
    with Sipp(tmp_path / "outside", s) as outside:
        provider.add_contact("0456", outside.uri)
        try:
            with Sipp(tmp_path / "phone", c, door.address + ":5060", "0456", transport="udp" if kind == "udp" else "tcp") as phone:
                phone.done()
            outside.done()
        finally:
            provider.rpc("ul.rm", "location", "0456")


def test_the_door_calls_outside(door, aunt):
    assert "0123" in door.call("0123")
    aunt.wait("CALL_ESTABLISHED")
    door.wait_flow()
    aunt.hangup()
    door.wait_no_call()


def test_what_is_not_allowed_is_said(door, kitchen):
    kitchen.dial("sip:0900@" + door.address)
    assert "403 Not among house.out.prefixes" in kitchen.wait("CALL_CLOSED")["param"]
