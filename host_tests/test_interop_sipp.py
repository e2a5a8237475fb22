"""What happens inside calls, by sipp's word: each test is a scenario, judged by sipp, and the sound that follows."""
import pytest

from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.scenario import Called, Calling, sdp
from host_tests.rig.sipp import Sipp
from host_tests.rig.wire import Message, Wire

pytestmark = pytest.mark.needs("sipp", "micropython")


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """One that answers."""
    with Door(tmp_path_factory.mktemp("door"), {"door.code": "25", "door.open_s": 1}, heap=BURST_HEAP) as door:
        yield door


@pytest.fixture(scope="module")
def ringing(tmp_path_factory):
    """One that rings, until its button is pressed."""
    with Door(tmp_path_factory.mktemp("ringing"), {"call.incoming": "ring"}, heap=BURST_HEAP) as door:
        yield door


@pytest.fixture(scope="module", autouse=True)
def refreshed(tmp_path_factory):
    """A call of 95 s at a time, refreshed after half of it: it goes on beside the other tests of this file."""
    s = Called("refreshed")
    s.expect_invite(has="Session-Expires: *90")
    s.answer(422, "Session Interval Too Small", headers=["Min-SE: 95"])
    s.expect("ACK")
    s.expect("INVITE", has="Session-Expires: *95.*Min-SE: *95|Min-SE: *95.*Session-Expires: *95")
    s.answer(200, "OK", sdp(), ["Session-Expires: 95;refresher=uac", "Require: timer", "Allow: INVITE, ACK, BYE, CANCEL"])
    s.expect("ACK")
    s.expect("INVITE", has="Session-Expires: *95;refresher=uac")
    s.answer(200, "OK", sdp(), ["Session-Expires: 95;refresher=uac", "Require: timer"], tag="")
    s.expect("ACK")
    s.expect_bye()
    with Sipp(tmp_path_factory.mktemp("refreshed"), s, timeout_s=120) as sipp, \
            Door(tmp_path_factory.mktemp("refreshing"), {"sip.session_s": 90}, heap=BURST_HEAP) as door:
        words = door.call(sipp.uri)
        yield sipp, door, words


@pytest.fixture(autouse=True)
def free(door):
    yield
    door.settle()


@pytest.fixture
def run(door, tmp_path):
    """run(scenario): sipp has begun it; a Calling one against the door, or another."""
    begun = []

    def start(scenario, door=door, **more):
        remote = door.address + ":5060" if isinstance(scenario, Calling) else None
        begun.append(Sipp(tmp_path / ("%s%d" % (scenario.name, len(begun))), scenario, remote, **more))
        return begun[-1]
    yield start
    for sipp in begun:
        sipp.stop()


def _takes(door, run, scenario):
    """The door calls sipp, which takes it -> the Sipp, once the door says that it is in the call."""
    sipp = run(scenario)
    assert "In a call with" in door.call(sipp.uri)
    return sipp


# --- Hold and resume.

HOLDS = {
    "sendonly": (sdp("sendonly", version=2), "a=recvonly"),
    "inactive": (sdp("inactive", version=2), "a=inactive"),
    "nowhere": (sdp("sendrecv", host="0.0.0.0", version=2), "a=(inactive|recvonly)"),
}


@pytest.mark.parametrize("scenario, way, transport", [
    (scenario, way, "udp") for scenario in (Calling, Called) for way in HOLDS] + [
    (Calling, "inactive", "tcp"), (Called, "sendonly", "tcp")])
def test_held_and_taken_back(door, run, scenario, way, transport):
    offer, answer = HOLDS[way]
    s = scenario("hold")
    s.call() if scenario is Calling else s.take()
    s.pause(300)
    s.request("INVITE", offer)
    s.expect(200, has=answer)
    s.ack()
    s.pause(700)
    s.request("INVITE", sdp(version=3))
    s.expect(200, has="a=sendrecv")
    s.ack()
    s.pause(500)
    s.bye()
    sipp = run(s, transport=transport)
    if scenario is Called:
        door.start_call(sipp.uri)
    assert sipp.rtp.flows()
    sipp.wait("SIP/2.0 200 OK" if scenario is Calling else "CSeq: 1 ACK", 1)
    sipp.wait("CSeq: %d ACK" % (2 if scenario is Calling else 1))
    assert sipp.rtp.silent()
    sipp.wait("CSeq: %d ACK" % (3 if scenario is Calling else 2))
    assert sipp.rtp.flows()
    sipp.done()


def test_another_address_and_another_codec(door, run):
    """A re-INVITE that moves the sound elsewhere, and to A-law."""
    s = Calling("moves")
    s.call()
    s.pause(200)
    s.request("INVITE", sdp(port="6200", formats="8 101", version=2))
    s.expect(200, has="RTP/AVP 8 101")
    s.ack()
    s.pause(500)
    s.bye()
    sipp = run(s)
    assert sipp.rtp.flows()
    sipp.wait("CSeq: 2 ACK")
    assert sipp.rtp.silent()
    sipp.done()


def test_a_refresh_changes_nothing(door, run):
    """The same offer once more, version and all; then one without an offer, to which the door makes its own."""
    s = Calling("refresh")
    s.call()
    s.request("INVITE", sdp())
    s.expect(200, has="m=audio")
    s.ack()
    s.request("INVITE")
    s.expect(200, has="m=audio")
    s.ack(sdp())
    s.pause(500)
    s.bye()
    sipp = run(s)
    sipp.wait("CSeq: 3 ACK")
    assert sipp.rtp.flows()
    sipp.done()


def test_an_offer_it_cannot_use_leaves_the_call_as_it_was(door, run):
    s = Calling("unusable")
    s.call()
    s.request("INVITE", sdp(formats="18 4", version=2))
    s.expect(488)
    s.ack_refusal()
    s.pause(500)
    s.bye()
    sipp = run(s)
    sipp.wait("CSeq: 2 ACK")
    assert sipp.rtp.flows()
    sipp.done()


# --- Routes and losses.

def test_strict_routing(door, run):
    """The first of the route set is no loose router: its URI is the Request-URI, the target goes last (RFC 3261 12.2.1.1)."""
    s = Calling("strict")
    s.invite(sdp(), ["Record-Route: <sip:[local_ip]:[local_port]>, <sip:second.example.net;lr>"])
    s.expect(180, optional=True)
    s.expect(200, has="Record-Route: *<sip:[0-9.]*:5060>, *<sip:second.example.net;lr>")
    s.ack()
    s.expect("BYE", has="^BYE sip:[0-9.:]* SIP/2.0.*Route: *<sip:second.example.net;lr>.*<sip:sipp@")
    s.answer(200, "OK", tag="")
    sipp = run(s)
    sipp.wait("CSeq: 1 ACK")
    door.wait_status("In a call with")
    door.hangup()
    sipp.done()


def test_a_lost_ack(door, run):
    """sipp's ACK is lost: the 200 comes again, and is acknowledged then."""
    s = Calling("lost-ack")
    s.invite(sdp())
    s.expect(180, optional=True)
    s.expect(200)
    s.request("ACK", cseq=1, lost=100)
    s.pause(900)
    s.bye()
    sipp = run(s)
    sipp.done()
    assert sipp.messages().count("SIP/2.0 200 OK") == 3     # two for the INVITE, one for the BYE


def test_each_copy_of_a_200_is_acknowledged(door):
    with Wire((door.address, 5060)) as wire:
        door.start_call(wire.uri)
        ok = wire.answer(wire.expect("INVITE"), 200, "OK", "phone", wire.offer())
        acks = []
        for _ in range(3):
            wire.send(ok)
            acks.append(wire.expect("ACK"))
        assert acks[0].data == acks[1].data == acks[2].data
        assert wire.receive_rtp()
        door.hangup()
        wire.send(wire.answer(wire.expect("BYE"), 200, "OK"))


def test_late_offer_both_times(door, run):
    """INVITE without SDP: the door offers in its 200; the same inside the call."""
    s = Calling("late")
    s.invite()
    s.expect(180, optional=True)
    s.expect(200, has="m=audio [1-9].*a=sendrecv")
    s.ack(sdp(formats="8 101"))
    s.request("INVITE")
    s.expect(200, has="m=audio [1-9]")
    s.ack(sdp("sendonly", formats="8 101", version=2))
    s.pause(600)
    s.bye()
    sipp = run(s)
    sipp.wait("CSeq: 1 ACK")
    sipp.wait("CSeq: 2 ACK")
    assert sipp.rtp.silent()
    sipp.done()


# --- Beside the sound.

def test_requests_inside_a_call(door, run):
    s = Calling("inside")
    s.call()
    s.request("OPTIONS")
    s.expect(200, has="Allow:.*INVITE")
    s.request("INFO", ["Signal=7", "Duration=160"], kind="application/dtmf-relay")
    s.expect(200)
    s.request("INFO")
    s.expect(200)
    s.request("INFO", ["nothing"], kind="text/html")
    s.expect(415, has="Accept: *application/dtmf-relay")
    s.request("NOTIFY", headers=["Event: keep-alive", "Subscription-State: active"])
    s.expect(200)
    s.request("SUBSCRIBE", headers=["Event: presence", "Expires: 60"])
    s.expect(489, has="Allow-Events:")
    s.request("INVITE", sdp(version=2), ["Require: teleportation"])
    s.expect(420, has="Unsupported: *teleportation")
    s.ack_refusal()
    s.bye()
    run(s).done()


def test_requests_outside_a_call(door, run):
    s = Calling("outside")
    for method, headers, status in (
            ("OPTIONS", (), 200), ("NOTIFY", ["Event: message-summary", "Subscription-State: active"], 200),
            ("NOTIFY", ["Event: refer", "Subscription-State: active"], 481), ("SUBSCRIBE", ["Event: presence", "Expires: 60"], 489),
            ("REFER", ["Refer-To: <sip:x@127.0.99.9>"], 403), ("INFO", (), 481), ("UPDATE", (), 481),
            ("PRACK", ["RAck: 1 1 INVITE"], 481), ("PUBLISH", (), 405), ("BAKE", (), 501)):
        s.first(method, headers=list(headers))
        s.expect(status)
    run(s).done()


# --- Forks.

def test_early_sound_then_another_answers(door, run):
    """183 from a gateway, then two phones answer: the first is kept, the second told BYE."""
    s = Called("fork")
    s.expect_invite(keep="invite")
    s.answer(183, "Session Progress", sdp(), to="invite", tag=";tag=gateway")
    s.pause(400)
    s.answer(200, "OK", sdp(port="6200"), to="invite", tag=";tag=first")
    s.expect("ACK", has="To:.*tag=first")
    s.answer(200, "OK", sdp(), to="invite", tag=";tag=second")
    s.expect("ACK", has="To:.*tag=second")
    s.expect("BYE", has="To:.*tag=second")
    s.answer(200, "OK", tag="")
    s.expect("BYE", has="To:.*tag=first")
    s.answer(200, "OK", tag="")
    sipp = run(s)
    assert "In a call with" in door.call(sipp.uri)
    sipp.wait("BYE sip:")
    door.hangup()
    sipp.done()


def test_update_holds_and_takes_back(door, run):
    s = Calling("update")
    s.call(has="Allow:.*UPDATE")
    s.request("UPDATE", sdp("sendonly", version=2))
    s.expect(200, has="a=recvonly")
    s.pause(600)
    s.request("UPDATE", sdp("sendrecv", version=3))
    s.expect(200, has="a=sendrecv")
    s.request("UPDATE")
    s.expect(200, lacks="m=audio")
    s.pause(400)
    s.bye()
    sipp = run(s)
    sipp.wait("CSeq: 2 UPDATE", 2)
    assert sipp.rtp.silent()
    sipp.wait("CSeq: 4 UPDATE", 2)
    assert sipp.rtp.flows()
    sipp.done()


def test_prack_when_the_caller_requires_it(door, run):
    s = Calling("prack")
    s.invite(sdp(), ["Require: 100rel"])
    s.expect(180, has="Require:.*100rel", actions=[s._save("([0-9]+)", "RSeq:", "rseq")])
    s.request("PRACK", headers=["RAck: [$rseq] 1 INVITE"])
    s.expect(200)
    s.expect(200)
    s.request("ACK", cseq=1)
    s.pause(300)
    s.bye()
    sipp = run(s)
    sipp.wait("CSeq: 1 ACK")
    assert sipp.rtp.flows()
    sipp.done()


@pytest.mark.parametrize("early", ["183 Session Progress", "180 Ringing"])
def test_the_door_pracks(door, run, early):
    s = Called("pracked")
    s.expect_invite(has="Supported:.*100rel", keep="invite")
    status, _, reason = early.partition(" ")
    s.answer(int(status), reason, sdp() if status == "183" else (), ["Require: 100rel", "RSeq: 4711"])
    s.expect("PRACK", has="RAck: *4711 1 INVITE")
    s.answer(200, "OK", tag="")
    s.pause(200)
    s.answer(200, "OK", () if status == "183" else sdp(), to="invite")
    s.expect("ACK")
    s.expect_bye()
    sipp = run(s)
    assert "In a call with" in door.call(sipp.uri)
    assert sipp.rtp.flows()
    door.hangup()
    sipp.done()


def test_session_timer_the_caller_refreshes(door, run):
    s = Calling("timer")
    s.call(headers=["Supported: timer", "Session-Expires: 90;refresher=uac", "Min-SE: 90"],
           has="Session-Expires: *90;refresher=uac.*")
    s.request("INVITE", sdp(), ["Supported: timer", "Session-Expires: 90;refresher=uac"])
    s.expect(200, has="Session-Expires: *90;refresher=uac")
    s.ack()
    s.request("UPDATE", (), ["Supported: timer", "Session-Expires: 90;refresher=uac"])
    s.expect(200, has="Session-Expires: *90;refresher=uac")
    s.bye()
    run(s).done()


def test_session_timer_too_short_is_422(door, run):
    s = Calling("timer-short")
    s.invite(sdp(), ["Supported: timer", "Session-Expires: 30"])
    s.expect(422, has="Min-SE: *90")
    s.ack_first()
    s.invite(sdp(), ["Supported: timer", "Session-Expires: 90", "Min-SE: 90"])
    s.expect(180, optional=True)
    s.expect(200, has="Session-Expires: *90")
    s.ack()
    s.bye()
    run(s).done()


def test_a_reliable_180_is_repeated_until_its_prack(ringing, run):
    s = Calling("prack-late")
    s.invite(sdp(), ["Require: 100rel"])
    s.expect(180, has="RSeq:", actions=[s._save("([0-9]+)", "RSeq:", "rseq")])
    s.pause(900)
    s.request("PRACK", headers=["RAck: 7 1 INVITE"])
    s.expect(481)
    s.request("PRACK", headers=["RAck: [$rseq] 1 INVITE"])
    s.expect(200)
    s.expect(200)
    s.request("ACK", cseq=1)
    s.bye()
    sipp = run(s, door=ringing)
    sipp.wait("RAck", 2)
    sipp.wait("SIP/2.0 200")
    assert sipp.messages().count("SIP/2.0 180") == 2
    ringing.press()
    sipp.done()
    ringing.wait_no_call()


def test_glare_the_door_says_491_and_tries_again(door, run):
    """Both ask at once: sipp's re-INVITE comes while the door's is not answered yet."""
    s = Called("glare")
    s.take()
    s.expect("INVITE", actions=s.keep("theirs"))
    s.request("INVITE", sdp(version=2))
    s.expect(491)
    s.ack_refusal()
    s.answer(491, "Request Pending", to="theirs", tag="")
    s.expect("ACK")
    s.expect("INVITE")
    s.answer(200, "OK", sdp("recvonly", version=3), tag="")
    s.expect("ACK")
    s.expect_bye()
    sipp = _takes(door, run, s)
    door.hold()
    sipp.wait("SIP/2.0 491", 2)
    sipp.wait("CSeq: 3 ACK", timeout_s=10)
    door.hangup()
    sipp.done()


def test_moved_is_followed(door, run):
    target = Called("target")
    target.take()
    target.expect_bye()
    there = run(target)
    s = Called("moved")
    s.expect("INVITE")
    s.answer(302, "Moved Temporarily", headers=["Contact: <%s>" % there.uri])
    s.expect("ACK")
    here = run(s)
    assert "In a call with" in door.call(here.uri)
    here.done()
    assert there.rtp.flows()
    door.hangup()
    there.done()


def test_moved_in_a_circle_ends_in_words(door, run):
    s = Called("circle")
    s.expect("INVITE")
    s.answer(302, "Moved Temporarily", headers=["Contact: <sip:sipp@[local_ip]>"])
    s.expect("ACK")
    here = run(s)
    assert "302" in door.call(here.uri)
    here.done()


def test_referred_elsewhere(door, run):
    target = Called("target")
    target.take()
    target.expect_bye()
    there = run(target)
    s = Calling("refer")
    s.call()
    s.request("REFER", headers=["Refer-To: <%s>" % there.uri])
    s.expect(202)
    s.expect("NOTIFY", has="Event: *refer.*SIP/2.0 100")
    s.answer(200, "OK", tag="")
    s.expect("NOTIFY", has="Subscription-State: *terminated.*SIP/2.0 200")
    s.answer(200, "OK", tag="")
    s.bye()
    here = run(s)
    here.done()
    assert there.rtp.flows()
    door.hangup()
    there.done()


def test_the_door_refers(door, run):
    """Blind: REFER, and the call is over once the other side says that it is talking there."""
    s = Called("referred")
    s.take()
    s.expect("REFER", has="Refer-To: *<?sip:elsewhere@127.0.99.9>?")
    s.answer(202, "Accepted", tag="")
    for state, fragment in (("active", "SIP/2.0 100 Trying"), ("terminated;reason=noresource", "SIP/2.0 200 OK")):
        s.request("NOTIFY", [fragment], ["Event: refer", "Subscription-State: " + state], "message/sipfrag")
        s.expect(200)
    s.expect_bye()
    sipp = _takes(door, run, s)
    door.transfer("sip:elsewhere@127.0.99.9")
    sipp.done()
    door.wait_no_call()


def test_a_transfer_that_fails_leaves_the_call(door, run):
    s = Calling("refer-fails")
    s.call()
    s.request("REFER", headers=["Refer-To: <sip:busy@[local_ip]:5099>"])
    s.expect(202)
    s.expect("NOTIFY", has="SIP/2.0 100")
    s.answer(200, "OK", tag="")
    s.expect("NOTIFY", has="Subscription-State: *terminated.*SIP/2.0 486")
    s.answer(200, "OK", tag="")
    s.pause(300)
    s.bye()
    sipp = run(s)
    busy = Wire((door.address, 5060), address=sipp.address, port=5099)
    with busy:
        invite = busy.expect("INVITE")
        busy.send(busy.answer(invite, 486, "Busy Here", "busy"))
        busy.expect("ACK")
        sipp.wait("Subscription-State: terminated")
        assert sipp.rtp.flows(5)
        sipp.done()


def test_an_invite_that_replaces_the_call(door, run):
    """Replaces (RFC 3891): the door answers at once, and hangs up on the first."""
    s = Calling("replaced")
    s.call()
    s.expect_bye()
    first = run(s)
    assert first.rtp.flows()
    said = first.messages()
    ok = Message(("SIP/2.0 200" + said.split("SIP/2.0 200", 1)[1].split("\n\n")[0]).replace("\n", "\r\n").encode())
    with Wire((door.address, 5060)) as wire:
        replaces = "Replaces: %s;to-tag=%s;from-tag=%s" % (ok.get("call-id"), ok.to_tag, ok.get("from").split("tag=")[1])
        answer = wire.call(headers=[replaces, "Require: replaces"])
        first.done()
        assert wire.receive_rtp()
        assert "In a call with" in door.status()
        assert wire.bye(answer).status == 200


def test_a_message_is_shown(door, run):
    s = Calling("message")
    s.first("MESSAGE", ["The parcel is behind the hedge."], kind="text/plain")
    s.expect(200)
    sipp = run(s)
    door.expect("The parcel is behind the hedge.")
    sipp.done()


def test_info_keys_open(door, run):
    s = Calling("info-keys")
    s.call()
    s.request("INFO", ["Signal=2", "Duration=160"], kind="application/dtmf-relay")
    s.expect(200)
    s.request("INFO", ["5"], kind="application/dtmf")
    s.expect(200)
    s.pause(600)
    s.bye()
    sipp = run(s)
    door.wait_relay(1)
    sipp.done()
    door.wait_relay(0)


def test_session_timer_the_door_refreshes(refreshed):
    """A wish that is too short there is asked for again (422), and the call is refreshed before its time is over."""
    sipp, door, words = refreshed
    assert "In a call with" in words
    sipp.wait("Session-Expires: 95;refresher=uac", 3, timeout_s=60)
    door.wait_flow(receives=False)
    door.hangup()
    sipp.done()
