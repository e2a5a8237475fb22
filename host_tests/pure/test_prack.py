"""Reliable provisional responses and PRACK (RFC 3262), both sides, in virtual time."""

from virtual_call import Log, calling, each_third
from virtual_sip import SDP, World, reply, request

from sip.scan import field

RACK = field(b"rack")
RSEQ = field(b"rseq")
REQUIRE = field(b"require")
TO = b"<sip:door@192.0.2.1>"


def reliable(rseq):
    return (b"Require: 100rel", b"RSeq: %d" % rseq)


def called(do, body=SDP, more=(b"Require: 100rel",)):
    """The phone calls the door, which does `do(call)`: (world, agent, phone, call, log)."""
    world = World()
    log = Log()
    calls = []

    def on_call(call):
        call.on_event = log
        calls.append(call)
        do(call)

    agent = world.agent("192.0.2.1", on_call=on_call)
    phone = world.phone("192.0.2.2")
    phone.send(request(b"INVITE", 7, body=body, more=more))
    return world, agent, phone, calls[0], log


def prack(phone, rack=None, sequence=8, body=b""):
    """The phone's PRACK for the newest 180; the answer to it."""
    ringing = phone.last(180)
    if rack is None:
        rack = b"%s 7 INVITE" % ringing.get(RSEQ)
    branch = b"z9hG4bKp%d" % sequence
    phone.send(request(b"PRACK", sequence, branch, ringing.get(3), body=body, more=(b"RAck: " + rack,) if rack else ()))
    phone.world.deliver()
    return [one for one in phone.got if one.cseq_method == b"PRACK"][-1]


def is_quiet(world, agent, call):
    call.hangup()
    world.run(70000)
    return not agent.calls and not len(agent.transactions) and not len(agent.timers) and not agent.faults


# --- We call.


def test_a_reliable_180_is_acknowledged_by_prack():
    world, agent, phone, call, log, invite = calling()
    assert b"100rel" in invite.get(field(b"supported")) and invite.get(REQUIRE) is None
    route = (b"Record-Route: <sip:192.0.2.2;lr>",)
    phone.send(reply(invite, 180, more=reliable(4711) + route, contact=b"<sip:desk@192.0.2.77>"))
    sent = phone.last(method=b"PRACK")
    assert sent.get(RACK) == b"4711 %d INVITE" % invite.cseq and sent.cseq == invite.cseq + 1
    assert sent.to_tag == b"them" and sent.uri == b"sip:desk@192.0.2.77" and sent.all(11) == [b"<sip:192.0.2.2;lr>"]
    assert call.state == "ringing" and sent.branch != invite.branch
    phone.send(reply(sent, 200))
    phone.send(reply(invite, 200, body=SDP, contact=b"<sip:phone@192.0.2.2>"))
    ack = phone.last(method=b"ACK")
    assert ack.cseq == invite.cseq and call.state == "up" and call.media.port == 4000
    call.hangup()
    assert phone.last(method=b"BYE").cseq == invite.cseq + 2 and is_quiet(world, agent, call)


def test_pracks_go_out_in_order_and_once():
    world, agent, phone, call, log, invite = calling()
    for rseq, sent in ((100, 1), (100, 1), (102, 1), (101, 2), (101, 2), (100, 2), (102, 3), (99, 3)):
        phone.send(reply(invite, 183, more=reliable(rseq)))
        racks = [one.get(RACK).split()[0] for one in phone.got if one.method == b"PRACK"]
        assert len(racks) == sent, (rseq, racks)
        phone.send(reply(phone.last(method=b"PRACK"), 200))
    assert racks == [b"100", b"101", b"102"] and is_quiet(world, agent, call)


def test_what_is_no_rseq_is_passed_over():
    world, agent, phone, call, log, invite = calling()
    for more in ((b"Require: 100rel",), (b"Require: 100rel", b"RSeq: x"), reliable(0), (b"Require: 100rel", b"RSeq: " + b"9" * 400)):
        phone.send(reply(invite, 180, more=more))
    assert phone.methods() == [b"INVITE"] and call.state == "calling" and not agent.faults
    phone.send(reply(invite, 180, more=(b"RSeq: 5",)))  # and one that is not reliable needs no PRACK
    assert phone.methods() == [b"INVITE"] and call.state == "ringing"


def test_the_answer_in_a_reliable_183_is_the_answer():
    world, agent, phone, call, log, invite = calling()
    phone.send(reply(invite, 183, body=SDP, more=reliable(1)))
    assert call.state == "early" and call.media.port == 4000 and phone.methods() == [b"INVITE", b"PRACK"]
    phone.send(reply(phone.last(method=b"PRACK"), 200))
    phone.send(reply(invite, 180, more=reliable(2)))
    assert call.state == "early" and phone.methods()[-1] == b"PRACK"
    phone.send(reply(invite, 200, body=SDP.replace(b"4000", b"4444")))
    assert call.state == "up" and call.media.port == 4000, "what the 200 says again does not count"
    assert log.events == ["media", "early", "media", "up"] and is_quiet(world, agent, call)


def test_what_requires_something_else_is_not_reliable():
    world, agent, phone, call, log, invite = calling()
    phone.send(reply(invite, 180, more=reliable(1)))
    phone.send(reply(invite, 183, body=SDP, more=(b"Require: timer",)))
    assert call.state == "early" and phone.methods() == [b"INVITE", b"PRACK"]
    phone.send(reply(invite, 200, body=SDP.replace(b"4000", b"4444")))
    assert call.state == "up" and call.media.port == 4444


def test_an_update_after_the_reliable_answer():
    world, agent, phone, call, log, invite = calling()
    phone.send(reply(invite, 183, body=SDP, more=reliable(1)))
    own = invite.get(2)
    phone.send(request(b"UPDATE", 1, b"z9hG4bKu", own, b"them", invite.call_id, SDP.replace(b"4000", b"4002")))
    ok = phone.last(200)
    assert b"m=audio 5000 " in ok.body and call.media.port == 4002 and call.state == "early"
    phone.send(reply(invite, 200))
    assert call.state == "up" and call.media.port == 4002 and is_quiet(world, agent, call)


def test_a_reliable_answer_that_does_not_fit_ends_with_the_200():
    world, agent, phone, call, log, invite = calling()
    phone.send(reply(invite, 183, body=SDP.replace(b"0 8 101", b"18"), more=reliable(1)))
    assert call.state == "ringing"
    phone.send(reply(invite, 200))
    assert phone.methods() == [b"INVITE", b"PRACK", b"ACK", b"BYE"] and call.status == 488


def test_a_prack_that_is_not_answered_leaves_the_invite_to_decide():
    world, agent, phone, call, log, invite = calling()
    phone.send(reply(invite, 180, more=reliable(1)))
    world.run(10000)
    assert phone.methods().count(b"PRACK") > 3
    phone.send(reply(phone.last(method=b"PRACK"), 481))
    assert call.state == "ringing"
    phone.send(reply(invite, 200, body=SDP))
    assert call.state == "up" and is_quiet(world, agent, call)


def test_cancel_of_a_call_that_rings_reliably():
    world, agent, phone, call, log, invite = calling()
    phone.send(reply(invite, 180, more=reliable(1)))
    phone.send(reply(phone.last(method=b"PRACK"), 200))
    call.hangup()
    phone.send(reply(invite, 180, more=reliable(2)))
    phone.send(reply(phone.last(method=b"CANCEL"), 200))
    phone.send(reply(invite, 487))
    assert phone.methods() == [b"INVITE", b"PRACK", b"CANCEL", b"ACK"] and is_quiet(world, agent, call)


# --- We are called.


def rings(call):
    call.ring()


def test_a_required_180_is_repeated_until_the_prack():
    world, agent, phone, call, log = called(rings)
    ringing = phone.last(180)
    assert ringing.get(REQUIRE) == b"100rel" and int(ringing.get(RSEQ)) > 0 and ringing.contact.uri and not ringing.body
    world.run(4000)
    assert [at - 5 for at in world.sent(b"SIP/2.0 180")] == [0, 500, 1500, 3500]
    assert prack(phone).status == 200
    world.run(30000)
    assert len(world.sent(b"SIP/2.0 180")) == 4 and call.state == "incoming"
    call.ring()  # the next one counts on
    assert int(phone.last(180).get(RSEQ)) == int(ringing.get(RSEQ)) + 1
    assert prack(phone, sequence=9).status == 200
    call.answer("192.0.2.1", 5000)
    assert b"m=audio 5000 " in phone.last(200).body and call.state == "up"
    phone.send(request(b"ACK", 7, b"z9hG4bKack", ringing.get(3)))
    assert is_quiet(world, agent, call)


def test_who_does_not_require_it_is_not_troubled():
    for more in ((), (b"Supported: 100rel",)):
        world, agent, phone, call, log = called(rings, more=more)
        assert phone.last(180).get(RSEQ) is None
        world.run(10000)
        assert phone.statuses() == [180]


def test_without_a_prack_the_call_is_refused_after_64_t1():
    world, agent, phone, call, log = called(rings)
    world.run(31900)
    assert call.state == "incoming"
    world.run(200)
    assert phone.statuses().count(180) == 7 and 504 in phone.statuses() and log.events == ["ended"] and not agent.calls
    phone.send(request(b"ACK", 7, to=phone.last(504).get(3)))
    assert is_quiet(world, agent, call)


def test_a_prack_for_nothing_is_481():
    world, agent, phone, call, log = called(rings)
    rseq = phone.last(180).get(RSEQ)
    number = 8
    for rack in (b"%d 7 INVITE" % (int(rseq) + 1), rseq + b" 8 INVITE", rseq + b" 7 BYE", rseq, b"x y z"):
        assert prack(phone, rack, number).status == 481, rack
        number += 1
    assert prack(phone, None, 20).status == 200
    assert prack(phone, None, 21).status == 481, "there is nothing to acknowledge any more"
    assert call.state == "incoming" and not agent.faults


def test_the_answer_need_not_wait_for_a_prack_without_sdp():
    world, agent, phone, call, log = called(lambda call: (call.ring(), call.answer("192.0.2.1", 5000)))
    assert phone.statuses() == [180, 200] and call.state == "up"
    world.run(600)
    assert phone.statuses() == [180, 200, 200], "the 180 is not repeated any more"
    assert prack(phone).status == 200
    world.run(1000)
    assert len(world.sent(b"SIP/2.0 200 OK")) == 4, "and the 2xx still is"
    phone.send(request(b"ACK", 7, b"z9hG4bKack", phone.last(180).get(3)))
    assert log.events == ["media", "up"] and is_quiet(world, agent, call)


def test_our_answer_in_a_reliable_180_holds_the_2xx_back():
    def do(call):
        call.ring("192.0.2.1", 5000)
        call.answer("192.0.2.1", 5000)

    world, agent, phone, call, log = called(do)
    assert phone.statuses() == [180] and b"m=audio 5000 " in phone.last(180).body and call.media.port == 4000
    assert prack(phone).status == 200
    ok = phone.last(200)
    assert ok.cseq_method == b"INVITE" and not ok.body and call.state == "up" and log.events[-1] == "up"
    phone.send(request(b"ACK", 7, b"z9hG4bKack", ok.get(3)))
    assert call.state == "up" and is_quiet(world, agent, call)


def test_our_offer_in_a_reliable_180_is_answered_by_the_prack():
    def do(call):
        call.ring("192.0.2.1", 5000)
        call.answer("192.0.2.1", 5000)

    world, agent, phone, call, log = called(do, body=b"")
    assert phone.statuses() == [180] and b"RTP/AVP 0 8 101" in phone.last(180).body and call.media is None
    assert prack(phone, body=SDP.replace(b"0 8 101", b"8")).status == 200
    assert call.media.payload == 8 and call.state == "up" and not phone.last(200).body
    phone.send(request(b"ACK", 7, b"z9hG4bKack", phone.last(200).get(3)))
    assert call.state == "up" and is_quiet(world, agent, call)
    # an answer that does not fit
    world, agent, phone, call, log = called(do, body=b"")
    prack(phone, body=SDP.replace(b"0 8 101", b"18"))
    assert phone.statuses() == [180, 200, 488] and call.state == "ended" and phone.last(200).cseq_method == b"PRACK"


def test_an_invite_without_an_offer_is_not_told_that_it_rings():
    # RFC 3262 5: the 180 would have to carry our offer, and nobody has said yet where we listen
    world, agent, phone, call, log = called(rings, body=b"")
    assert phone.statuses() == [100]
    call.answer("192.0.2.1", 5000)
    assert b"m=audio 5000 " in phone.last(200).body
    phone.send(request(b"ACK", 7, b"z9hG4bKack", phone.last(200).get(3), body=SDP))
    assert call.media.port == 4000 and is_quiet(world, agent, call)


def test_a_new_offer_in_the_prack():
    world, agent, phone, call, log = called(lambda call: call.ring("192.0.2.1", 5000))
    ok = prack(phone, body=SDP.replace(b"4000", b"4002"))
    assert ok.status == 200 and b"m=audio 5000 " in ok.body and call.media.port == 4002
    # and one by UPDATE, before the call is answered
    phone.send(request(b"UPDATE", 9, b"z9hG4bKu", ok.get(3), body=SDP.replace(b"4000", b"4004")))
    assert call.media.port == 4004 and call.state == "incoming"
    call.answer("192.0.2.1", 5000)
    assert call.state == "up" and call.media.port == 4004 and not phone.last(200).body
    phone.send(request(b"ACK", 7, b"z9hG4bKack", ok.get(3)))
    assert is_quiet(world, agent, call)


def test_cancel_and_refusal_while_a_prack_is_missing():
    world, agent, phone, call, log = called(rings)
    phone.send(request(b"CANCEL", 7))
    assert phone.statuses() == [180, 200, 487]
    phone.send(request(b"ACK", 7, to=phone.last(487).get(3)))
    world.run(5000)
    assert phone.statuses() == [180, 200, 487] and is_quiet(world, agent, call)
    world, agent, phone, call, log = called(lambda call: (call.ring(), call.reject(486)))
    world.run(300)
    assert phone.statuses() == [180, 486]


def test_two_agents_where_everything_is_reliable():
    world = World()
    calls = []

    def on_call(call):
        calls.append(call)
        call.ring("192.0.2.2", 5002)

    one = world.agent("192.0.2.1")
    two = world.agent("192.0.2.2", on_call=on_call)
    one.ABOUT = one.ABOUT + b"\r\nRequire: 100rel"
    world.lose = each_third()
    log = Log()
    here = one.call("sip:door@192.0.2.2", "192.0.2.1", 5000, log)
    world.run(9000)
    assert here.state == "early" and here.media.port == 5002 and calls[0].media.port == 5000
    calls[0].answer("192.0.2.2", 5002)
    world.run(9000)
    assert here.state == calls[0].state == "up"
    here.hangup()
    world.run(70000)
    for agent in (one, two):
        assert not agent.calls and not len(agent.transactions) and not len(agent.timers) and not agent.faults
