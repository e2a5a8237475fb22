"""Calls with sipp's scenarios, and with bare messages where a test must do what no decent agent does."""
import time

import pytest

from host_tests.rig.door import Door
from host_tests.rig.sipp import Sipp
from host_tests.rig.wire import Wire


pytestmark = pytest.mark.needs("micropython")


@pytest.fixture(scope="module")
def answering(tmp_path_factory):
    """One door that answers, for the tests that need no other setting."""
    with Door(tmp_path_factory.mktemp("answering"), {}) as door:
        yield door


@pytest.fixture(scope="module")
def ringing(tmp_path_factory):
    """One door that rings."""
    with Door(tmp_path_factory.mktemp("ringing"), {"call.incoming": "ring"}) as door:
        yield door


@pytest.fixture
def wire(answering):
    with Wire((answering.address, 5060)) as wire:
        yield wire
        answering.settle()


@pytest.fixture
def ringing_wire(ringing):
    with Wire((ringing.address, 5060)) as wire:
        yield wire
        ringing.settle()


# --- sipp calls the door.

@pytest.mark.needs("sipp")
def test_builtin_uac(answering, tmp_path):
    with Sipp(tmp_path, "uac", answering.address + ":5060", calls=3) as sipp:
        sipp.done()
    answering.wait_no_call()


@pytest.mark.needs("sipp")
def test_caller_cancels(ringing, tmp_path):
    with Sipp(tmp_path, "uac_cancel", ringing.address + ":5060") as sipp:
        sipp.done()
    ringing.wait_no_call()


@pytest.mark.needs("sipp")
def test_several_vias_and_a_route_set(answering, tmp_path):
    with Sipp(tmp_path, "uac_route", answering.address + ":5060") as sipp:
        answering.wait_status("In a call with")
        sipp.process.until(lambda: "ACK sip:" in sipp.messages(), "ACK sent")
        answering.hangup()
        sipp.done()
    answering.wait_no_call()


# --- The door calls sipp.

@pytest.mark.needs("sipp")
def test_builtin_uas(answering, tmp_path):
    with Sipp(tmp_path, "uas") as sipp:
        assert "sipp" in answering.call(sipp.uri)
        answering.hangup()
        sipp.done()
    answering.wait_no_call()


@pytest.mark.needs("sipp")
@pytest.mark.parametrize("refusal, words", [
    ("486 Busy Here", "busy (486)"),
    ("603 Decline", "declined (603)"),
    ("480 Temporarily Unavailable", "(480)"),
    ("503 Service Unavailable", "(503)"),
    ("404 Not Found", "(404)"),
    ("499 Odd", "Odd (499)"),
])
def test_refusals_end_in_words(answering, tmp_path, refusal, words):
    with Sipp(tmp_path, "uas_refuse", keys={"refusal": refusal}) as sipp:
        assert words in answering.call(sipp.uri)
        sipp.done()                                         # the refusal was acknowledged
    answering.wait_no_call()


@pytest.mark.needs("sipp")
def test_moved_is_followed(answering, tmp_path):
    with Sipp(tmp_path / "there", "uas") as there, Sipp(tmp_path, "uas_moved", keys={"place": there.uri}) as sipp:
        assert "In a call" in answering.call(sipp.uri)
        sipp.done()
        answering.hangup()
        there.done()
    answering.wait_no_call()


@pytest.mark.needs("sipp")
def test_moved_to_where_we_cannot_call_ends_in_words(answering, tmp_path):
    with Sipp(tmp_path, "uas_moved", keys={"place": "tel:+4930123"}) as sipp:
        assert "(302)" in answering.call(sipp.uri)
        sipp.done()
    answering.wait_no_call()


@pytest.mark.needs("sipp")
def test_no_answer_is_cancelled(tmp_path):
    with Door(tmp_path / "door", {"call.ring_s": 5}) as door, Sipp(tmp_path / "sipp", "uas_ring") as sipp:
        words = door.call(sipp.uri, timeout_s=15)
        assert "ended" in words
        sipp.done()                                         # CANCEL and ACK came


@pytest.mark.needs("sipp")
def test_early_sound_then_answer(answering, tmp_path):
    with Sipp(tmp_path, "uas_early") as sipp:
        answering.call(sipp.uri)
        answering.hangup()
        sipp.done()
    answering.wait_no_call()


def test_nobody_there_at_all(tmp_path):
    """No port is open there: 64*T1 later the call ends in words; hanging up before that needs no answer either."""
    with Door(tmp_path, {}) as door:
        door.start_call("sip:nobody@127.0.99.9")
        door.wait_status("Calling")
        door.hangup()
        door.wait_no_call()


# --- What sipp cannot say.

def test_repeated_invite_while_ringing_gets_the_same_answer(ringing_wire):
    wire = ringing_wire
    invite = wire.request("INVITE", body=wire.offer())
    branch = wire.branch
    wire.send(invite)
    first = wire.expect(180)
    for _ in range(3):
        wire.send(invite)
        assert wire.expect(100, 180, 486).data == first.data
    wire.send(wire.request("CANCEL", branch=branch))
    assert wire.expect(200, cseq="1 CANCEL")
    refusal = wire.expect(487)
    assert refusal.to_tag == first.to_tag
    wire.send(wire.request("ACK", branch=branch, to_tag=refusal.to_tag))
    assert wire.nothing(0.7)                                # acknowledged: not repeated


def test_refusal_is_repeated_until_acknowledged(ringing_wire):
    wire = ringing_wire
    wire.send(wire.request("INVITE", body=wire.offer()))
    branch = wire.branch
    wire.expect(180)
    wire.send(wire.request("CANCEL", branch=branch))
    refusal = wire.expect(487)
    again = wire.expect(487)
    assert again.data == refusal.data
    wire.send(wire.request("ACK", branch=branch, to_tag=refusal.to_tag))
    assert wire.nothing(1.2)


def test_lost_ack_has_the_200_sent_again(wire):
    wire.send(wire.request("INVITE", body=wire.offer()))
    ok = wire.expect(200)
    began = time.monotonic()
    assert wire.expect(200).data == ok.data                 # T1 later
    assert 0.4 < time.monotonic() - began < 1.0
    assert wire.expect(200).data == ok.data                 # and 2*T1 after that
    wire.ack(ok)
    assert wire.nothing(2.5)                                # 4*T1 would have been next
    assert wire.bye(ok).status == 200


def test_repeated_invite_after_the_answer_gets_the_same_200(wire):
    invite = wire.request("INVITE", body=wire.offer())
    wire.send(invite)
    ok = wire.expect(200)
    wire.send(invite)                                       # absorbed (RFC 6026 7.1); the 200 comes again by itself
    assert wire.expect(100, 180, 200, 482, 486, 500).data == ok.data
    wire.ack(ok)
    assert wire.bye(ok).status == 200


def test_bye_with_wrong_tags_is_481_and_the_call_stays(wire, answering):
    ok = wire.call()
    uri = wire.contact(ok)
    wire.send(wire.request("BYE", uri, cseq=2, to_tag="other"))
    assert wire.expect(200, 481).status == 481
    wire.send(wire.request("BYE", uri, cseq=2, to_tag=ok.to_tag, tag="someone"))
    assert wire.expect(200, 481).status == 481
    wire.send(wire.request("BYE", uri, cseq=2, to_tag=ok.to_tag, call_id="another"))
    assert wire.expect(200, 481).status == 481
    wire.send(wire.request("BYE", uri, cseq=2))
    assert wire.expect(200, 481).status == 481
    answering.wait_status("In a call with")
    assert wire.bye(ok, cseq=3).status == 200


def test_bye_twice(wire):
    ok = wire.call()
    bye = wire.request("BYE", wire.contact(ok), cseq=2, to_tag=ok.to_tag)
    wire.send(bye)
    first = wire.expect(200)
    wire.send(bye)
    assert wire.expect(200, 481).data == first.data         # absorbed by the transaction
    wire.send(wire.request("BYE", wire.contact(ok), cseq=3, to_tag=ok.to_tag))
    assert wire.expect(200, 481).status == 481


@pytest.mark.parametrize("method, status", [("REGISTER", 405), ("PUBLISH", 405), ("BAKE", 501)])
def test_methods_it_does_not_do(wire, method, status):
    wire.send(wire.request(method))
    answer = wire.expect(200, 405, 481, 501)
    assert answer.status == status
    assert {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"} <= set(answer.get("allow").replace(",", " ").split())
    assert answer.to_tag


def test_unknown_method_inside_a_call(wire):
    ok = wire.call()
    wire.send(wire.request("BAKE", wire.contact(ok), cseq=2, to_tag=ok.to_tag))
    assert wire.expect(200, 405, 501).status == 501
    assert wire.bye(ok, cseq=3).status == 200


def test_options_is_answered(wire):
    wire.send(wire.request("OPTIONS"))
    answer = wire.expect(200)
    assert "INVITE" in answer.get("allow") and "application/sdp" in answer.get("accept")
    tag = answer.to_tag
    wire.send(wire.request("OPTIONS", branch=wire.branch))
    assert wire.expect(200).to_tag == tag                   # a repetition gets the same answer, without state


def test_cancel_of_nothing_is_481(wire):
    wire.send(wire.request("CANCEL"))
    assert wire.expect(200, 481).status == 481


def test_ack_of_nothing_is_silence(wire):
    wire.send(wire.request("ACK", to_tag="x"))
    assert wire.nothing()


def test_required_extension_is_420(wire):
    wire.send(wire.request("INVITE", headers=["Require: 100rel, teleportation"], body=wire.offer()))
    answer = wire.expect(100, 180, 200, 420)
    assert answer.status == 420 and answer.get("unsupported") == "teleportation"
    wire.send(wire.request("ACK", branch=wire.branch, to_tag=answer.to_tag))


def test_no_common_codec_is_488(wire):
    wire.send(wire.request("INVITE", body=wire.offer("3 18 101")))
    answer = wire.expect(200, 488)
    assert answer.status == 488
    wire.send(wire.request("ACK", branch=wire.branch, to_tag=answer.to_tag))


def test_answer_keeps_the_order_of_the_offer(wire):
    wire.send(wire.request("INVITE", body=wire.offer("8 0 101")))
    ok = wire.expect(200)
    wire.ack(ok)
    assert b" RTP/AVP 8" in ok.body and b"telephone-event" in ok.body
    assert wire.receive_rtp()[0] == 8
    assert wire.bye(ok).status == 200


def test_video_is_refused_with_port_0_and_the_call_goes_on(wire):
    wire.send(wire.request("INVITE", body=wire.offer() + b"m=video 7010 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"))
    ok = wire.expect(200)
    wire.ack(ok)
    assert b"m=video 0 RTP/AVP 96" in ok.body and b"m=audio 0 " not in ok.body
    assert wire.receive_rtp()[0] == 0
    assert wire.bye(ok).status == 200


def test_late_offer(wire):
    """An INVITE without SDP: the offer comes in the 200, the answer in the ACK."""
    wire.send(wire.request("INVITE"))
    ok = wire.expect(200)
    assert b"PCMU" in ok.body or b"RTP/AVP 0 8" in ok.body
    wire.send(wire.request("ACK", wire.contact(ok), to_tag=ok.to_tag, body=wire.offer("0 101")))
    assert wire.receive_rtp()[0] == 0
    assert wire.bye(ok).status == 200


def test_rtp_flows_every_20_ms_and_comes_from_the_port_it_named(wire):
    ok = wire.call()
    packets = [wire.receive_rtp() for _ in range(50)]
    began = time.monotonic()
    packets += [wire.receive_rtp() for _ in range(50)]
    took = time.monotonic() - began
    assert wire.bye(ok).status == 200
    assert {packet[5] for packet in packets} == {ok.media}
    assert len({packet[3] for packet in packets}) == 1      # one SSRC
    for before, after in zip(packets, packets[1:]):
        assert (after[1] - before[1]) & 0xFFFF == 1 and (after[2] - before[2]) & 0xFFFFFFFF == 160
    assert 0.9 < took < 1.15


def test_rport_answers_where_the_request_came_from(answering):
    """Behind a NAT the Via names an address nobody can reach: the answer goes to the source (RFC 3581)."""
    with Wire((answering.address, 5060)) as wire:
        data = wire.request("OPTIONS").replace(b"UDP " + wire.address.encode() + b":5060", b"UDP 10.1.2.3:5099")
        wire.send(data)
        via = wire.expect(200).get("via")
        assert "rport=5060" in via and "received=" + wire.address in via


def test_fifth_call_is_told_busy(answering):
    """However many call at once, each gets an answer, and the door still takes a call afterwards."""
    wires = [Wire((answering.address, 5060)) for _ in range(8)]
    try:
        for wire in wires:
            wire.send(wire.request("INVITE", body=wire.offer()))
        answers = [wire.expect(200, 486, 503) for wire in wires]
        assert answers[0].status == 200 and all(answer.status in (486, 503) for answer in answers[1:])
        for wire, answer in zip(wires[1:], answers[1:]):
            wire.send(wire.request("ACK", branch=wire.branch, to_tag=answer.to_tag))
        wires[0].ack(answers[0])
        assert wires[0].bye(answers[0]).status == 200
        answering.wait_no_call()
        ok = wires[7].call()
        assert wires[7].bye(ok).status == 200
    finally:
        for wire in wires:
            wire.close()
    answering.wait_no_call()


def test_what_a_door_does_not_use_is_not_in_its_heap(answering, wire):
    """Over UDP, without a server: no streams, TLS, registration or names, and nothing that a call needs but at its begin."""
    ok = wire.call()
    loaded = answering.console("sorted(__import__('sys').modules)")
    assert wire.bye(ok).status == 200
    assert "'sip.call'" in loaded and "'media.stream'" in loaded
    for name in ("stream", "streaming", "tls", "registration", "registering", "resolver", "digest", "sdp", "session", "reliable",
                 "refer", "replaces", "moved", "modify", "forks", "redact"):
        assert "'sip.%s'" % name not in loaded
    assert "'door.trace" not in loaded and "'board.clock'" not in loaded
    for name in ("g722", "wideband", "pace"):  # the call was one of G.711
        assert "'media.%s'" % name not in loaded
