"""What PBXs and phones ask of a door beside calls, on the virtual board: texts, calls handed on, calls that want to be
answered by themselves, calls that have moved."""

import time

import pytest

from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.wire import Wire

pytestmark = pytest.mark.needs("micropython")


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """A door that rings, and says so."""
    with Door(tmp_path_factory.mktemp("services"), {"call.incoming": "ring"}, heap=BURST_HEAP) as door:
        yield door


@pytest.fixture
def other(door):
    with Wire((door.address, 5060)) as wire:
        yield wire


def in_call(wire, ok, method, cseq, headers=(), body=b"", kind="text/plain"):
    """A request inside the call -> its final answer."""
    data = wire.request(method, uri=wire.contact(ok), to_tag=ok.to_tag, cseq=cseq, headers=headers, body=body)
    data = data.replace(b"application/sdp", kind.encode())
    return wire.transact(data, 200, 202, 400, 403, 415, 420, 481, 489, 491, 603, cseq="%d %s" % (cseq, method))


def answered_call(wire, *headers):
    """A call that asks to be answered by itself -> its 200."""
    return wire.call(headers=headers or ("Call-Info: <%s>;answer-after=0" % wire.uri,))


def notified(wire, *status_lines):
    """Answers NOTIFYs until one says the last of these; they came in this order."""
    for line in status_lines:
        while True:
            notify = wire.expect("NOTIFY")
            wire.send(wire.answer(notify, 200, "OK"))
            if notify.body.decode().strip() == line:
                break
    return notify


def sounds_on(wire):
    """Packets come that nobody can have sent before now."""
    begin = time.monotonic()
    while time.monotonic() - begin < 0.5:
        assert wire.receive_rtp()


def test_a_text_is_shown(door, wire):
    door.forget()
    data = wire.request("MESSAGE", body="Paket für Nr. 3\r\n\x1b[31m".encode()).replace(b"application/sdp", b"text/plain")
    assert wire.transact(data, 200, 403, 415).status == 200
    line = door.expect(" writes: ")
    assert wire.uri in line and "Paket für Nr. 3 / ?[31m" in line


def test_a_call_that_wants_to_be_answered_is(door, wire):
    ok = answered_call(wire, 'Alert-Info: <http://x>;info=alert-autoanswer;delay=0')
    assert b"m=audio" in ok.body
    door.wait_status("In a call with")
    wire.bye(ok)
    door.wait_no_call()


def test_and_after_some_seconds(door, wire):
    wire.fresh_call()
    invite = wire.request("INVITE", body=wire.offer(), headers=("Call-Info: <%s>;answer-after=1" % wire.uri,))
    wire.transact(invite, 180)
    ok = wire.expect(200, timeout_s=10)
    wire.ack(ok)
    wire.bye(ok)
    door.wait_no_call()


def test_any_other_call_only_rings(door, wire):
    wire.fresh_call()
    wire.transact(wire.request("INVITE", body=wire.offer()), 180)
    branch = wire.branch
    assert wire.nothing(1.5)
    wire.send(wire.request("CANCEL", branch=branch))
    wire.expect(487)
    door.wait_no_call()


def test_a_call_is_handed_on_and_sounds_there(door, wire, other):
    ok = answered_call(wire)
    assert wire.receive_rtp()
    door.forget()
    assert in_call(wire, ok, "REFER", 2, ("Refer-To: <%s>" % other.uri,)).status == 202
    notified(wire, "SIP/2.0 100 Trying")
    door.expect("is handed on to " + other.uri)
    invite = other.expect("INVITE")
    other.send(other.answer(invite, 180, "Ringing", "far"))
    notified(wire, "SIP/2.0 180 Ringing")
    other.send(other.answer(invite, 200, "OK", "far", other.offer("0")))
    other.expect("ACK")
    notify = notified(wire, "SIP/2.0 200 OK")
    assert notify.get("subscription-state").startswith("terminated")
    assert other.receive_rtp()
    assert wire.bye(ok, cseq=3).status == 200
    sounds_on(other)
    door.wait_status("In a call with " + other.uri)
    door.hangup()
    other.send(other.answer(other.expect("BYE"), 200, "OK"))
    door.wait_no_call()


def test_who_hands_the_call_on_and_leaves_hears_no_more(door, wire, other):
    ok = answered_call(wire)
    assert wire.receive_rtp()
    assert in_call(wire, ok, "REFER", 2, ("Refer-To: <%s>" % other.uri,)).status == 202
    invite = other.expect("INVITE")
    other.send(other.answer(invite, 180, "Ringing", "far"))
    assert wire.bye(ok, cseq=3).status == 200
    begin = time.monotonic()
    wire.drain_rtp()  # which comes to an end, where sound would go on
    assert time.monotonic() - begin < 5
    door.wait_status("%s is ringing" % other.uri)
    other.send(other.answer(invite, 200, "OK", "far", other.offer("0")))
    other.expect("ACK")
    sounds_on(other)
    door.hangup()
    other.send(other.answer(other.expect("BYE"), 200, "OK"))
    door.wait_no_call()


def test_a_transfer_that_fails_leaves_the_call(door, wire, other):
    ok = answered_call(wire)
    door.forget()
    assert in_call(wire, ok, "REFER", 2, ("Refer-To: <%s>" % other.uri,)).status == 202
    invite = other.expect("INVITE")
    other.send(other.answer(invite, 486, "Busy Here", "far"))
    notified(wire, "SIP/2.0 100 Trying", "SIP/2.0 486 Busy Here")
    door.expect("busy (486)")
    sounds_on(wire)
    wire.bye(ok, cseq=3)
    door.wait_no_call()


def test_a_call_takes_the_place_of_the_one_that_is_up(door, wire, other):
    ok = answered_call(wire)
    replaces = "Replaces: %s;to-tag=%s;from-tag=%s" % (wire.call_id, ok.to_tag, wire.tag)
    door.forget()
    joined = other.call(headers=(replaces,))
    assert b"m=audio" in joined.body
    wire.send(wire.answer(wire.expect("BYE"), 200, "OK"))
    door.expect("The call goes on with")
    assert other.receive_rtp()
    assert other.bye(joined).status == 200
    door.wait_no_call()


def test_one_that_was_never_there_does_not(door, wire):
    wire.fresh_call()
    data = wire.request("INVITE", body=wire.offer(), headers=("Replaces: nobody;to-tag=1;from-tag=2",))
    assert wire.transact(data, 180, 200, 481).status == 481


def test_what_pbxs_send_unasked(door, wire):
    for event, status in (("keep-alive", 200), ("message-summary", 200), ("check-sync", 489), ("refer", 481)):
        wire.fresh_call()
        got = wire.transact(wire.request("NOTIFY", headers=("Event: " + event, "Subscription-State: active")), 200, 481, 489)
        assert got.status == status, event


def test_our_call_follows_to_where_the_phone_has_moved(door, wire, other):
    door.forget()
    door.console('c = door.call("%s")' % wire.uri)
    invite = wire.expect("INVITE")
    contact = "Contact: <%s>"
    moved = wire.answer(invite, 302, "Moved Temporarily", "m")
    wire.send(moved.replace((contact % wire.uri).encode(), (contact % other.uri).encode()))
    wire.expect("ACK")
    door.expect("The call goes to " + other.uri)
    again = other.expect("INVITE")
    assert again.get("call-id") == invite.get("call-id")
    other.send(other.answer(again, 200, "OK", "far", other.offer("0")))
    other.expect("ACK")
    assert other.receive_rtp()
    door.hangup()
    other.send(other.answer(other.expect("BYE"), 200, "OK"))
    door.wait_no_call()
