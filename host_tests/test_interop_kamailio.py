"""Behind a real Kamailio, which stays in the way of each call (Record-Route) and wants a password for each INVITE, re-INVITE and
BYE: over UDP, TCP and TLS; behind two in a row; and one call that rings at two phones."""
import pytest

from host_tests.rig import speech
from host_tests.rig.baresip import Baresip
from host_tests.rig.certificates import Authority
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.kamailio import Kamailio
from host_tests.rig.wire import Wire

pytestmark = pytest.mark.needs("kamailio-tls", "baresip", "espeak-ng", "micropython")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def kamailio(tmp_path_factory, authority):
    doors = ["udp-door", "tcp-door", "tls-door"]
    with Kamailio(tmp_path_factory.mktemp("kamailio"), {"phone": "p", **dict.fromkeys(doors, "open sesame")},
                  calls_need_password=True, inside_need_password=doors, certificate=authority.server) as kamailio:
        yield kamailio


@pytest.fixture(scope="module")
def edge(tmp_path_factory, kamailio, authority):
    """The proxy before it."""
    with Kamailio(tmp_path_factory.mktemp("edge"), {}, behind=kamailio, certificate=authority.server, service_route=True) as edge:
        yield edge


@pytest.fixture(scope="module")
def phone(tmp_path_factory, kamailio):
    with Baresip(tmp_path_factory.mktemp("phone"), speech.wav("phone", 8000), "phone", kamailio.server, "p") as phone:
        yield phone


def _account(server, transport, user=None, **more):
    port = ":%d" % server.tls_port if transport == "tls" else ""
    return {"sip.server": server.address + port, "sip.user": user or transport + "-door", "sip.password": "open sesame",
            "sip.transport": transport, **more}


@pytest.fixture(scope="module")
def make(tmp_path_factory, authority, kamailio):
    """make(transport): a door of that name, registered; kept for the file."""
    made = {}

    def door(transport):
        if transport not in made:
            made[transport] = Door(tmp_path_factory.mktemp(transport), _account(kamailio, transport), heap=BURST_HEAP,
                                   files={"ca.der": authority.der})
            made[transport].user = transport + "-door"
            kamailio.wait_contacts(made[transport].user)
        return made[transport]
    yield door
    for one in made.values():
        one.stop()


@pytest.fixture(scope="module")
def door(make):
    return make("udp")


def _calls_both_ways(door, phone, kamailio):
    """With what a password is asked for inside a call."""
    phone.dial("sip:%s@%s" % (door.user, kamailio.address))
    phone.wait("CALL_ESTABLISHED")
    door.wait_flow()
    challenged = kamailio.seen("INVITE")
    door.hold()
    door.wait_flow(sends=False, receives=False)
    assert kamailio.seen("INVITE") >= challenged + 2        # once without the password, or with an old nonce, and once with
    door.resume()
    door.wait_flow()
    byes = kamailio.seen("BYE")
    door.hangup()
    phone.wait("CALL_CLOSED")
    assert kamailio.seen("BYE") >= byes + 1
    door.wait_no_call()
    assert "phone" in door.call("phone")
    phone.wait("CALL_ESTABLISHED")
    door.wait_flow()
    phone.hangup()
    door.wait_no_call()


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_calls_both_ways(make, phone, kamailio, transport):
    _calls_both_ways(make(transport), phone, kamailio)


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_two_proxies_in_a_row(tmp_path, phone, kamailio, edge, authority, make, transport):
    """The second is reached over UDP, whatever the first is."""
    user = transport + "-door"
    for binding in kamailio.contacts(user):
        kamailio.rpc("ul.rm_contact", "location", user, binding)
    with Door(tmp_path, _account(edge, transport), heap=BURST_HEAP, files={"ca.der": authority.der}) as door:
        door.user = user
        kamailio.wait_contacts(user)
        byes = edge.seen("BYE")
        _calls_both_ways(door, phone, kamailio)
        assert edge.seen("BYE") > byes and "Route <sip:out@" in edge.process.said()


def _rung(door, kamailio):
    """Two phones that are called "both" -> (Wire, its INVITE) of each, ringing."""
    kamailio.rpc("ul.rm", "location", "both") if kamailio.bindings("both") else None
    wires = [Wire((kamailio.address, kamailio.port)), Wire((kamailio.address, kamailio.port))]
    for wire in wires:
        kamailio.add_contact("both", wire.uri)
    door.start_call("both")
    rung = [(wire, wire.expect("INVITE")) for wire in wires]
    for n, (wire, invite) in enumerate(rung):
        wire.send(wire.answer(invite, 180, "Ringing", "phone%d" % n))
    door.wait_status("ringing")
    return rung


def test_one_of_two_phones_answers(door, kamailio):
    """The other one is cancelled."""
    (first, invite), (second, other) = _rung(door, kamailio)
    with first, second:
        second.send(second.answer(other, 200, "OK", "phone1", second.offer()))
        assert "both" in door.wait_status("In a call with")
        cancel = first.expect("CANCEL")
        first.send(first.answer(cancel, 200, "OK", "phone0"))
        first.send(first.answer(invite, 487, "Request Terminated", "phone0"))
        first.expect("ACK")
        second.expect("ACK")
        assert second.receive_rtp()
        door.hangup()
        second.send(second.answer(second.expect("BYE"), 200, "OK"))
        door.wait_no_call()


def test_both_of_two_phones_answer(door, kamailio):
    """One is kept, the other told BYE."""
    rung = _rung(door, kamailio)
    (first, _), (second, _) = rung
    with first, second:
        answers = [wire.answer(invite, 200, "OK", "phone%d" % n, wire.offer()) for n, (wire, invite) in enumerate(rung)]
        first.send(answers[0])
        second.send(answers[1])
        byes = 0
        for wire, answer in ((first, answers[0]), (second, answers[1])):
            wire.expect("ACK")
        for wire in (first, second):
            try:
                wire.send(wire.answer(wire.expect("BYE", timeout_s=2), 200, "OK"))
                byes += 1
            except Exception:
                kept = wire
        assert byes == 1
        assert kept.receive_rtp()
        door.hangup()
        kept.send(kept.answer(kept.expect("BYE"), 200, "OK"))
        door.wait_no_call()
