"""What happens in a call beside its sound: hold, transfer, texts and keys by INFO, at the door's prompt and on the wire."""

import re

import pytest

from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.wire import Wire

pytestmark = pytest.mark.needs("micropython")


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with Door(tmp_path_factory.mktemp("door"), {"door.code": "2580", "door.open_s": 1}, heap=BURST_HEAP) as door:
        yield door


def _in_call(wire, ok, method, cseq, headers=(), body=b""):
    data = wire.request(method, uri=wire.contact(ok), to_tag=ok.to_tag, cseq=cseq, headers=headers, body=body)
    if b"application/sdp" in data and not body.startswith(b"v=0"):
        data = data.replace(b"Content-Type: application/sdp\r\n", b"")
    return data


def _sdp(wire, direction):
    return wire.offer() + b"a=%s\r\n" % direction


def test_hold_and_resume_by_the_door(door, wire):
    assert "there is no call that is answered" in door.console("door.hold()")
    ok = wire.call()
    assert "not on hold" in door.console("door.resume()")
    assert "Asking the other side to wait" in door.console("door.hold()")
    change = wire.expect("INVITE")
    assert b"a=sendonly" in change.body
    wire.send(wire.answer(change, 200, "OK", body=_sdp(wire, b"recvonly")))
    wire.expect("ACK")
    door.expect("is on hold.")
    assert "The call is on hold: door.resume() goes on." in door.status()
    assert "on hold already" in door.console("door.hold()")
    door.console("door.resume()")
    change = wire.expect("INVITE")
    assert b"a=sendrecv" in change.body
    wire.send(wire.answer(change, 200, "OK", body=_sdp(wire, b"sendrecv")))
    wire.expect("ACK")
    door.expect("Going on with")
    assert "on hold" not in door.status()
    wire.bye(ok)


def test_the_other_side_holds_and_goes_on(door, wire):
    ok = wire.call()
    for cseq, direction, words in ((2, b"sendonly", "has put us on hold."), (3, b"sendrecv", "goes on.")):
        answer = wire.transact(_in_call(wire, ok, "INVITE", cseq, body=_sdp(wire, direction)), 200, cseq="%d INVITE" % cseq)
        wire.ack(answer, cseq)
        door.expect(words)
        if cseq == 2:
            assert "The call is on hold by the other side." in door.status()
            assert "only it can end that" in door.console("door.resume()")
    wire.bye(ok, 4)
    ok = wire.call()
    assert "on hold" not in door.status()  # of the next call nothing is known
    wire.bye(ok)


def test_the_door_hands_a_call_on(door, wire):
    wire.call()
    assert "takes a number or an address" in door.console("door.transfer(None)")
    assert "needs a server" in door.console("door.transfer(102)")
    assert "Asking the other side to call sip:x@192.0.2.1." in door.console('door.transfer("sip:x@192.0.2.1")')
    refer = wire.expect("REFER")
    assert refer.get("refer-to") == "<sip:x@192.0.2.1>"
    wire.send(wire.answer(refer, 202, "Accepted"))
    ok = wire.answer(refer, 200, "OK")  # its tags, seen from the other side
    them, us = re.search(rb"To: (.*)\r\n", ok).group(1).decode(), re.search(rb"From: (.*)\r\n", ok).group(1).decode()
    notify = wire.request("NOTIFY", cseq=7, headers=("Event: refer", "Subscription-State: terminated;reason=noresource"))
    for name, value in ((b"From", them), (b"To", us)):
        notify = re.sub(rb"\r\n%s: [^\r]*" % name, b"\r\n%s: %s" % (name, value.encode()), notify)
    body = b"SIP/2.0 200 OK\r\n"
    wire.transact(notify.replace(b"Content-Length: 0", b"Content-Type: message/sipfrag\r\nContent-Length: %d" % len(body)) + body, 200)
    assert "was handed on to sip:x@192.0.2.1." in door.expect("was handed on")
    wire.send(wire.answer(wire.expect("BYE"), 200, "OK"))


def test_a_call_that_is_handed_on_to_somebody_else_is_heard_there(door, wire):
    with Wire((door.address, 5060)) as other:
        ok = wire.call()
        wire.receive_rtp()
        refer = _in_call(wire, ok, "REFER", 2, headers=("Refer-To: <%s>" % other.uri,))
        wire.transact(refer, 202)
        invite = other.expect("INVITE")
        other.send(other.answer(invite, 200, "OK", "other", other.offer()))
        other.expect("ACK")
        other.receive_rtp()  # the sound is with the new call
        assert "In a call with %s" % other.uri in door.wait_status("In a call with " + other.uri)
        wire.bye(ok, 3)
        sent, more = [int(re.search(r"sent (\d+)", door.wait_status("In a call with " + other.uri)).group(1)) for _ in "12"]
        assert more > sent  # and stays there when the old one is over
        door.hangup()
        other.send(other.answer(other.expect("BYE"), 200, "OK"))


def test_a_text_is_shown_and_a_flood_of_them_is_not(door, wire):
    text = b"Please wait,\r\nI am \x1b[2Jcoming"
    message = wire.request("MESSAGE", headers=("Content-Type: text/plain",)).replace(
        b"Content-Length: 0", b"Content-Length: %d" % len(text)) + text
    wire.transact(message, 200)
    line = door.expect("writes:")
    assert line.endswith("%s writes: Please wait, / I am ?[2Jcoming" % wire.uri), line
    for n in range(20):
        wire.transact(wire.request("MESSAGE", cseq=n + 2, headers=("Content-Type: text/plain",)), 200, cseq="%d MESSAGE" % (n + 2))
    door.expect("More texts come than are shown.")
    assert 3 <= door.said().count("writes:") < 12


def test_keys_by_info_open_the_door(door, wire):
    ok = wire.call()
    opened = door.relay_count()
    for n, key in enumerate("2580"):
        body = b"Signal=%s\r\nDuration=160\r\n" % key.encode()
        info = _in_call(wire, ok, "INFO", n + 2, headers=("Content-Type: application/dtmf-relay",))
        wire.transact(info.replace(b"Content-Length: 0", b"Content-Length: %d" % len(body)) + body, 200, cseq="%d INFO" % (n + 2))
    door.expect("The right code: the door is open")
    door.wait_relay(0)
    assert door.relay_count() == opened + 1
    strange = _in_call(wire, ok, "INFO", 7, headers=("Content-Type: application/dtmf",))
    wire.transact(strange.replace(b"Content-Length: 0", b"Content-Length: 2") + b"\xff\n", 200, cseq="7 INFO")
    other = _in_call(wire, ok, "INFO", 8, headers=("Content-Type: text/x",))
    wire.transact(other.replace(b"Content-Length: 0", b"Content-Length: 1") + b"x", 415, cseq="8 INFO")
    wire.bye(ok, 9)


def test_another_address_in_a_call_is_told_to_the_other_side(door, wire):
    ok = wire.call()
    was = door.address
    for host in ("127.0.0.77", was):
        door.console("n = door._network; n.address = lambda: %r" % host)
        change = wire.expect("INVITE")
        wire.target = host, 5060
        assert change.media[0] == host and "@%s:" % host in change.get("contact")
        wire.send(wire.answer(change, 200, "OK", body=wire.offer()))
        wire.expect("ACK")
        while wire.receive_rtp()[5] != (host, change.media[1]):
            pass
    wire.bye(ok)
