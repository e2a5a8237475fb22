"""Calls between two agents, and between an agent and a phone played by hand, in virtual time."""

from virtual_call import Log, each_third
from virtual_sip import SDP, World, reply, request

from sip.message import parse

SERVER = ("192.0.2.1", 5060)


def door(admit=None, mode=None):
    """A door and a phone played by hand; `mode(call)` is what the door does with a new call."""
    world = World()
    calls = []

    def on_call(call):
        calls.append(call)
        call.on_event = call.log = Log()
        if mode:
            mode(call)

    agent = world.agent("192.0.2.1", on_call=on_call, admit=admit)
    return world, agent, world.phone("192.0.2.2"), calls


def rings(call):
    call.ring()


def answers(call):
    call.answer("192.0.2.1", 5000)


def calling(**more):
    """The door calls the phone: (world, agent, phone, call, log)."""
    world, agent, phone, _ = door()
    log = Log()
    call = agent.call("sip:phone@192.0.2.2", "192.0.2.1", 5000, log)
    world.deliver()
    return world, agent, phone, call, log


# --- Outgoing.


def test_a_call_out_is_answered_acknowledged_and_hung_up_here():
    world, agent, phone, call, log = calling()
    invite = phone.last(method=b"INVITE")
    assert invite.uri == b"sip:phone@192.0.2.2" and invite.via.rport == 0 and b"m=audio 5000 " in invite.body
    phone.send(reply(invite, 180))
    assert call.state == "ringing" and "is ringing" in call.words()
    phone.send(reply(invite, 200, body=SDP))
    assert call.state == "up" and log.events == ["ringing", "media", "up"]
    media = call.media
    assert (media.host, media.port, media.payload, media.events) == ("192.0.2.2", 4000, 0, 101)
    ack = phone.last(method=b"ACK")
    assert ack.uri == b"sip:phone@192.0.2.2:5060" and ack.to_tag == b"them" and ack.cseq == invite.cseq
    assert ack.branch != invite.branch
    call.hangup()
    bye = phone.last(method=b"BYE")
    assert bye.cseq == invite.cseq + 1 and bye.to_tag == b"them" and bye.from_tag == invite.from_tag
    phone.send(reply(bye, 200))
    world.run(40000)
    assert log.events[-1] == "ended" and not agent.calls and not len(agent.transactions) and not len(agent.timers)


def test_each_copy_of_a_2xx_is_acknowledged_with_the_same_ack():
    world, agent, phone, call, log = calling()
    invite = phone.last(method=b"INVITE")
    for _ in range(3):
        phone.send(reply(invite, 200, body=SDP))
    acks = [message.data for message in phone.got if message.method == b"ACK"]
    assert len(acks) == 3 and acks[0] == acks[1] == acks[2]
    assert log.events == ["media", "up"]


def test_a_second_phone_that_answers_the_same_invite_gets_ack_and_bye():
    world, agent, phone, call, log = calling()
    invite = phone.last(method=b"INVITE")
    phone.send(reply(invite, 200, body=SDP))
    phone.send(reply(invite, 200, tag=b"other", body=SDP))
    bye = phone.last(method=b"BYE")
    assert bye.to_tag == b"other" and call.state == "up"
    assert [message.to_tag for message in phone.got if message.method == b"ACK"] == [b"them", b"other"]


def test_the_route_set_is_the_record_route_reversed_and_loose():
    world, agent, phone, call, log = calling()
    routes = (b"Record-Route: <sip:192.0.2.2;lr>, <sip:192.0.2.9;lr>", b"Record-Route: <sip:192.0.2.8;lr>")
    phone.send(reply(phone.last(method=b"INVITE"), 200, body=SDP, more=routes, contact=b"<sip:far@192.0.2.77:5070>"))
    world.log.clear()
    call.hangup()
    sent = parse(world.log[-1][3])
    assert world.log[-1][2] == ("192.0.2.8", 5060)
    assert sent.uri == b"sip:far@192.0.2.77:5070"
    assert sent.all(11) == [b"<sip:192.0.2.8;lr>", b"<sip:192.0.2.9;lr>", b"<sip:192.0.2.2;lr>"]


def test_a_strict_router_gets_itself_as_request_uri_and_the_target_as_last_route():
    world, agent, phone, call, log = calling()
    routes = (b"Record-Route: <sip:192.0.2.9;lr>", b"Record-Route: <sip:192.0.2.8>")
    phone.send(reply(phone.last(method=b"INVITE"), 200, body=SDP, more=routes, contact=b"<sip:far@192.0.2.77>"))
    call.hangup()
    sent = parse(world.log[-1][3])
    assert sent.uri == b"sip:192.0.2.8" and sent.all(11) == [b"<sip:192.0.2.9;lr>", b"<sip:far@192.0.2.77>"]


def test_each_refusal_ends_in_words_and_is_acknowledged():
    for status, words in ((486, "busy"), (603, "declined"), (404, "no such number"), (480, "not reachable"), (599, "Odd")):
        world, agent, phone, call, log = calling()
        data = reply(phone.last(method=b"INVITE"), status)
        if status == 599:
            data = data.replace(b"599 Unknown", b"599 Odd")
        phone.send(data)
        assert call.state == "ended" and call.status == status and words in call.ended and str(status) in call.ended
        assert phone.methods() == [b"INVITE", b"ACK"] and log.events == ["ended"] and not agent.calls


def test_nobody_there_ends_after_timer_b_in_words():
    world, agent, phone, call, log = calling()
    world.run(33000)
    assert call.state == "ended" and call.status == 408 and "no answer from 192.0.2.2" in call.ended


def test_cancel_waits_for_a_provisional_response():
    world, agent, phone, call, log = calling()
    call.hangup()
    assert phone.methods() == [b"INVITE"] and log.events == ["ended"]
    invite = phone.last(method=b"INVITE")
    phone.send(reply(invite, 100))
    cancel = phone.last(method=b"CANCEL")
    assert cancel.branch == invite.branch and cancel.cseq == invite.cseq and cancel.uri == invite.uri and not cancel.to_tag
    phone.send(reply(cancel, 200))
    phone.send(reply(invite, 487))
    assert phone.methods()[-1] == b"ACK"
    world.run(40000)
    assert phone.methods().count(b"CANCEL") == 1 and not len(agent.transactions)


def test_cancel_at_once_while_it_rings():
    world, agent, phone, call, log = calling()
    phone.send(reply(phone.last(method=b"INVITE"), 180))
    call.hangup()
    assert phone.methods() == [b"INVITE", b"CANCEL"]
    assert call.status == 487 and not agent.calls


def test_a_2xx_that_crosses_the_cancel_is_acknowledged_and_ended_by_bye():
    for provisional in (True, False):
        world, agent, phone, call, log = calling()
        invite = phone.last(method=b"INVITE")
        if provisional:
            phone.send(reply(invite, 180))
        call.hangup()
        phone.send(reply(invite, 200, body=SDP))
        assert phone.methods()[-2:] == [b"ACK", b"BYE"]
        assert log.events[-1] == "ended" and "up" not in log.events


def test_a_cancelled_invite_that_is_never_answered_ends_all_the_same():
    world, agent, phone, call, log = calling()
    phone.send(reply(phone.last(method=b"INVITE"), 180))
    call.hangup()
    world.run(70000)
    assert not len(agent.transactions) and not len(agent.timers)


def test_early_media_by_183_then_the_answer():
    world, agent, phone, call, log = calling()
    invite = phone.last(method=b"INVITE")
    phone.send(reply(invite, 183, body=SDP))
    assert call.state == "early" and call.media.port == 4000
    phone.send(reply(invite, 180))
    assert call.state == "early"
    phone.send(reply(invite, 200))  # RFC 3261 13.2.1: the answer of the 183 stands
    assert call.state == "up" and log.events == ["media", "early", "media", "up"]


def test_an_answer_that_does_not_fit_is_ended_by_bye():
    world, agent, phone, call, log = calling()
    bad = SDP.replace(b"RTP/AVP 0 8 101", b"RTP/AVP 18")
    phone.send(reply(phone.last(method=b"INVITE"), 200, body=bad))
    assert phone.methods() == [b"INVITE", b"ACK", b"BYE"] and call.status == 488 and "codec" in call.ended


def test_a_broken_answer_is_ended_by_bye():
    world, agent, phone, call, log = calling()
    phone.send(reply(phone.last(method=b"INVITE"), 200, body=b"v=0\r\nm=audio x\r\n"))
    assert phone.methods() == [b"INVITE", b"ACK", b"BYE"] and agent.faults == 0


def test_bad_targets_are_refused_in_words():
    world, agent, phone, _ = door()
    for target, words in (("101", "sip.server"), ("sip:101@pbx.example", "pbx.example"), ("tel:123", "sip:"), ("mailto:a@192.0.2.2", "sip:")):
        try:
            agent.call(target, "192.0.2.1", 5000)
            raise AssertionError("not refused: " + target)
        except ValueError as error:
            assert words in str(error), str(error)
    assert not agent.calls


# --- Incoming.


def test_a_call_in_rings_is_answered_and_hung_up_there():
    world, agent, phone, calls = door(mode=rings)
    phone.send(request(b"INVITE", body=SDP))
    call = calls[0]
    assert phone.statuses() == [180] and call.state == "incoming" and call.peer_uri == "sip:phone@192.0.2.2"
    tag = phone.last(180).to_tag
    call.answer("192.0.2.1", 5000)
    ok = phone.last(200)
    assert ok.to_tag == tag and ok.contact.uri == b"sip:door@192.0.2.1:5060" and b"m=audio 5000 RTP/AVP 0 101" in ok.body
    to = b"<sip:door@192.0.2.1>;tag=" + tag
    phone.send(request(b"ACK", to=to, branch=b"z9hG4bKack"))
    phone.send(request(b"BYE", 2, to=to, branch=b"z9hG4bKbye"))
    assert phone.last(200).cseq_method == b"BYE"
    assert call.log.events == ["media", "up", "ended"] and not agent.calls
    world.run(33000)
    assert not len(agent.transactions) and not len(agent.timers)


def test_100_when_the_door_has_nothing_to_say_at_once():
    world, agent, phone, calls = door()
    phone.send(request(b"INVITE", body=SDP))
    assert phone.statuses() == [100] and phone.last(100).to_tag is None


def test_a_2xx_is_repeated_until_the_ack():
    world, agent, phone, calls = door(mode=answers)
    phone.send(request(b"INVITE", body=SDP))
    world.run(8000)
    assert [at - 5 for at in world.sent(b"SIP/2.0 200")] == [0, 500, 1500, 3500, 7500]
    phone.send(request(b"ACK", to=phone.last(200).get(3), branch=b"z9hG4bKack"))
    world.run(30000)
    assert len(world.sent(b"SIP/2.0 200")) == 5 and calls[0].state == "up"


def test_without_an_ack_the_call_ends_by_bye_after_64_t1():
    world, agent, phone, calls = door(mode=answers)
    phone.send(request(b"INVITE", body=SDP))
    world.run(32100)
    assert phone.methods() == [b"BYE"] and calls[0].state == "ended" and "ACK" in calls[0].ended
    assert not agent.calls


def test_hanging_up_before_the_ack_waits_for_it():
    world, agent, phone, calls = door(mode=answers)
    phone.send(request(b"INVITE", body=SDP))
    calls[0].hangup()
    assert phone.methods() == [] and calls[0].state == "ended"
    phone.send(request(b"ACK", to=phone.last(200).get(3), branch=b"z9hG4bKack"))
    assert phone.methods() == [b"BYE"] and not agent.calls


def test_hanging_up_when_no_ack_ever_comes():
    world, agent, phone, calls = door(mode=answers)
    phone.send(request(b"INVITE", body=SDP))
    calls[0].hangup()
    world.run(32100)
    assert phone.methods() == [b"BYE"] and not agent.calls


def test_cancel_before_the_answer():
    world, agent, phone, calls = door(mode=rings)
    phone.send(request(b"INVITE", body=SDP))
    phone.send(request(b"CANCEL"))
    assert phone.statuses() == [180, 200, 487] and phone.last(200).cseq_method == b"CANCEL"
    assert phone.last(200).to_tag == phone.last(180).to_tag
    phone.send(request(b"ACK", to=phone.last(487).get(3)))
    assert calls[0].log.events == ["ended"] and not agent.calls


def test_cancel_after_the_answer_changes_nothing():
    world, agent, phone, calls = door(mode=answers)
    phone.send(request(b"INVITE", body=SDP))
    phone.send(request(b"CANCEL"))
    assert phone.statuses() == [200, 200] and calls[0].state == "up"


def test_cancel_of_nothing_is_481():
    world, agent, phone, calls = door()
    phone.send(request(b"CANCEL"))
    assert phone.statuses() == [481] and not len(agent.transactions)


def test_rejections():
    world, agent, phone, calls = door(mode=lambda call: call.reject(486))
    phone.send(request(b"INVITE", body=SDP))
    assert phone.statuses() == [486] and calls[0].log.events == ["ended"]
    world, agent, phone, calls = door(mode=rings)
    phone.send(request(b"INVITE", body=SDP))
    calls[0].hangup()
    assert phone.statuses() == [180, 603]


def test_who_is_not_admitted_leaves_nothing_behind():
    world, agent, phone, calls = door(admit=lambda host, message: (403, b"Not listed"))
    phone.send(request(b"INVITE", body=SDP))
    phone.send(request(b"INVITE", body=SDP))
    assert phone.statuses() == [403, 403] and phone.last(403).reason == b"Not listed"
    assert phone.got[0].to_tag == phone.got[1].to_tag
    phone.send(request(b"ACK", to=phone.last(403).get(3)))
    assert not calls and not len(agent.transactions) and not len(agent.timers)


def test_byes_that_name_another_dialog_get_481_and_the_call_goes_on():
    world, agent, phone, calls = door(mode=answers)
    phone.send(request(b"INVITE", body=SDP))
    to = phone.last(200).get(3)
    phone.send(request(b"ACK", to=to, branch=b"z9hG4bKack"))
    wrong = (
        request(b"BYE", 2, to=b"<sip:door@192.0.2.1>;tag=wrong", branch=b"z9hG4bK1"),
        request(b"BYE", 2, to=to, tag=b"wrong", branch=b"z9hG4bK2"),
        request(b"BYE", 2, to=to, call_id=b"wrong", branch=b"z9hG4bK3"),
        request(b"BYE", 2, to=b"<sip:door@192.0.2.1>", branch=b"z9hG4bK4"),
    )
    for data in wrong:
        phone.send(data)
        assert phone.statuses()[-1] == 481
    assert calls[0].state == "up"


def test_a_request_out_of_order_is_500():
    world, agent, phone, calls = door(mode=answers)
    phone.send(request(b"INVITE", 10, body=SDP))
    to = phone.last(200).get(3)
    phone.send(request(b"ACK", 10, to=to, branch=b"z9hG4bKack"))
    phone.send(request(b"BYE", 9, to=to, branch=b"z9hG4bKbye"))
    assert phone.statuses()[-1] == 500 and calls[0].state == "up"


def test_record_route_and_every_via_come_back_and_our_bye_follows_the_routes():
    world, agent, phone, calls = door(mode=answers)
    more = (b"Via: SIP/2.0/UDP 192.0.2.50;branch=z9hG4bKb;received=192.0.2.51", b"Via: SIP/2.0/TCP 192.0.2.60;branch=z9hG4bKc", b"Record-Route: <sip:192.0.2.2;lr>", b"Record-Route: <sip:192.0.2.50;lr>")
    phone.send(request(b"INVITE", body=SDP, more=more))
    ok = phone.last(200)
    assert [value.split(b";branch=")[1] for value in ok.vias] == [b"z9hG4bKa", b"z9hG4bKb;received=192.0.2.51", b"z9hG4bKc"]
    assert ok.all(10) == [b"<sip:192.0.2.2;lr>", b"<sip:192.0.2.50;lr>"]
    phone.send(request(b"ACK", to=ok.get(3), branch=b"z9hG4bKack"))
    calls[0].hangup()
    bye = phone.last(method=b"BYE")
    assert bye.all(11) == [b"<sip:192.0.2.2;lr>", b"<sip:192.0.2.50;lr>"] and bye.uri == b"sip:phone@192.0.2.2:5060"


def test_the_same_invite_by_another_way_is_482():
    world, agent, phone, calls = door(mode=rings)
    phone.send(request(b"INVITE", body=SDP))
    phone.send(request(b"INVITE", body=SDP, branch=b"z9hG4bKother"))
    assert phone.statuses() == [180, 482] and len(calls) == 1


def test_a_re_invite_is_answered_with_a_whole_answer_each_time():
    world, agent, phone, calls = door(mode=answers)
    phone.send(request(b"INVITE", body=SDP))
    to = phone.last(200).get(3)
    phone.send(request(b"ACK", to=to, branch=b"z9hG4bKack"))
    hold = SDP.replace(b"4000", b"4002") + b"a=sendonly\r\n"
    phone.send(request(b"INVITE", 2, to=to, branch=b"z9hG4bKre", body=hold, more=()))
    ok = phone.last(200)
    assert ok.cseq == 2 and b"a=recvonly" in ok.body and calls[0].media.port == 4002 and not calls[0].media.send
    phone.send(request(b"ACK", 2, to=to, branch=b"z9hG4bKack2"))
    phone.send(request(b"INVITE", 3, to=to, branch=b"z9hG4bKre3"))
    ok = phone.last(200)
    assert ok.cseq == 3 and b"m=audio" in ok.body
    phone.send(request(b"ACK", 3, to=to, branch=b"z9hG4bKack3", body=SDP))
    assert calls[0].log.events == ["media", "up", "media", "media"] and calls[0].media.port == 4000


def test_a_re_invite_before_the_ack_shows_that_our_answer_arrived():
    world, agent, phone, calls = door(mode=answers)
    phone.send(request(b"INVITE", body=SDP))
    to = phone.last(200).get(3)
    phone.send(request(b"INVITE", 2, to=to, branch=b"z9hG4bKre", body=SDP.replace(b"4000", b"4002")))
    assert phone.last(200).cseq == 2 and calls[0].media.port == 4002
    world.run(1600)
    assert [message.cseq for message in phone.got] == [1, 2, 2, 2], "only the second is repeated"
    phone.send(request(b"ACK", 1, to=to, branch=b"z9hG4bKack1"))
    world.run(2100)
    assert [message.cseq for message in phone.got] == [1, 2, 2, 2, 2]
    phone.send(request(b"ACK", 2, to=to, branch=b"z9hG4bKack2"))
    world.run(40000)
    assert len(phone.got) == 5 and calls[0].state == "up"


def test_a_re_invite_while_our_offer_waits_for_its_answer_is_491():
    world, agent, phone, calls = door(mode=answers)
    phone.send(request(b"INVITE"))
    to = phone.last(200).get(3)
    phone.send(request(b"INVITE", 2, to=to, branch=b"z9hG4bKre", body=SDP))
    assert phone.statuses()[-1] == 491 and calls[0].state == "up"


def test_a_re_invite_that_does_not_fit_is_488_and_the_call_goes_on():
    world, agent, phone, calls = door(mode=answers)
    phone.send(request(b"INVITE", body=SDP))
    to = phone.last(200).get(3)
    phone.send(request(b"ACK", to=to, branch=b"z9hG4bKack"))
    phone.send(request(b"INVITE", 2, to=to, branch=b"z9hG4bKre", body=SDP.replace(b"0 8 101", b"18")))
    assert phone.statuses()[-1] == 488 and calls[0].state == "up" and calls[0].media.port == 4000


def test_an_invite_without_an_offer_gets_ours_and_the_ack_answers_it():
    world, agent, phone, calls = door(mode=answers)
    phone.send(request(b"INVITE"))
    ok = phone.last(200)
    assert b"m=audio 5000 RTP/AVP 0 8 101" in ok.body and calls[0].media is None
    phone.send(request(b"ACK", to=ok.get(3), branch=b"z9hG4bKack", body=SDP.replace(b"0 8 101", b"8 101")))
    assert calls[0].media.payload == 8 and calls[0].log.events == ["up", "media"]


def test_an_offer_that_does_not_fit_is_488_without_state():
    world, agent, phone, calls = door(mode=answers)
    phone.send(request(b"INVITE", body=SDP.replace(b"0 8 101", b"18")))
    assert phone.statuses() == [488] and phone.last(488).get(47) and not calls and not len(agent.transactions)


def test_what_is_refused_outside_a_dialog_keeps_no_state():
    world, agent, phone, calls = door()
    wanted = (
        (request(b"OPTIONS"), 200),
        (request(b"MESSAGE"), 480),
        (request(b"SUBSCRIBE"), 489),
        (request(b"FLY"), 501),
        (request(b"INVITE", body=SDP, more=(b"Require: privacy",)), 420),
        (request(b"OPTIONS", uri=b"tel:+1"), 416),
        (request(b"INVITE", body=b"hello").replace(b"application/sdp", b"text/plain"), 415),
        (request(b"INVITE", body=b"hello"), 400),
        (request(b"BYE"), 481),
        (request(b"BYE", to=b"<sip:x@y>;tag=1"), 481),
        (request(b"OPTIONS").replace(b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia"), 505),
        (request(b"OPTIONS").replace(b"CSeq: 1 OPTIONS", b"CSeq: 1 INVITE"), 400),
        (request(b"OPTIONS").replace(b"Call-ID: c1\r\n", b""), 400),
    )
    for data, status in wanted:
        del phone.got[:]
        phone.send(data)
        assert phone.statuses() == [status], (data, phone.statuses())
        if status in (200, 405, 501):
            assert b"INVITE" in phone.got[0].get(13)
    assert phone.world is world and not calls and not len(agent.transactions) and not len(agent.timers) and not agent.faults


def test_noise_is_counted_and_nothing_else():
    world, agent, phone, calls = door()
    for data in (b"", b"\r\n\r\n", b"\x00" * 40, b"hello", b"SIP/2.0 200 OK\r\n\r\n", bytes(range(256)) * 4):
        phone.send(data)
    phone.send(reply(parse(request(b"INVITE", host=b"192.0.2.1")), 200))
    phone.send(request(b"ACK"))
    phone.send(request(b"ACK").replace(b"Call-ID: c1\r\n", b""))
    assert not phone.got and agent.unmatched == 2 and agent.bad == 5 and agent.faults == 0


def test_the_fifth_call_is_busy_and_a_full_table_says_503():
    world, agent, phone, calls = door(mode=rings)
    for number in range(5):
        phone.send(request(b"INVITE", body=SDP, call_id=b"c%d" % number, branch=b"z9hG4bK%d" % number))
    assert phone.statuses() == [180, 180, 180, 180, 486]
    world, agent, phone, calls = door(mode=rings)
    agent.transactions.limit = 1
    for number in range(2):
        phone.send(request(b"INVITE", body=SDP, call_id=b"c%d" % number, branch=b"z9hG4bK%d" % number))
    assert phone.statuses() == [180, 503] and len(calls) == 1


def test_responses_follow_rport_or_the_via():
    world, agent, phone, calls = door()
    other = world.phone("192.0.2.2", 6000)
    data = request(b"OPTIONS")
    other.send(data)
    assert phone.statuses() == [200] and not other.got
    other.send(data.replace(b";branch", b";rport;branch"))
    assert other.statuses() == [200] and other.got[0].via.rport == 6000 and other.got[0].via.received == b"192.0.2.2"


def test_two_agents_talk_with_every_third_datagram_lost():
    world = World()
    calls = []

    def on_call(call):
        calls.append(call)
        call.ring()

    one = world.agent("192.0.2.1")
    two = world.agent("192.0.2.2", on_call=on_call)
    world.lose = each_third()
    log = Log()
    call = one.call("sip:door@192.0.2.2", "192.0.2.1", 5000, log)
    world.run(3000)
    assert len(calls) == 1
    calls[0].answer("192.0.2.2", 5002)
    world.run(10000)
    assert call.state == "up" and calls[0].state == "up" and calls[0].media.port == 5000
    calls[0].hangup()
    world.run(40000)
    assert call.state == "ended" and not one.calls and not two.calls
    assert not len(one.transactions) and not len(two.transactions) and not len(one.timers) and not len(two.timers)


def test_a_fault_of_the_application_is_printed_and_the_caller_told():
    def broken(call):
        raise RuntimeError("a rule of the user's")

    world, agent, phone, calls = door(mode=broken)
    printed = []
    agent.print_fault = printed.append
    phone.send(request(b"INVITE", body=SDP))
    assert agent.faults == 1 and len(printed) == 1 and phone.statuses() == [500] and not agent.calls
    phone.send(request(b"OPTIONS", branch=b"z9hG4bKo"))
    assert phone.statuses()[-1] == 200


def test_what_cannot_be_read_is_answered_or_dropped_never_a_fault():
    world, agent, phone, calls = door(mode=answers)
    good = request(b"INVITE", body=SDP)
    contact = b"Contact: <sip:phone@192.0.2.2:5060>"
    wanted = (
        (good.replace(b"Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKa\r\n", b""), []),
        (good.replace(b"INVITE sip:door@192.0.2.1 ", b"INVITE sip:door@192.0.2.1:50x60 "), [400]),
        (good.replace(contact, b"Contact: <sip:phone@@>"), [400]),
        (good.replace(contact, b"X: y"), [400]),
        (good.replace(b"From: <sip:phone", b"From: <<sip:phone"), None),
    )
    for data, statuses in wanted:
        del phone.got[:]
        phone.send(data)
        assert statuses is None or phone.statuses() == statuses, (data, phone.statuses())
    phone.send(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 BYE\r\n\r\n")
    del phone.got[:]
    del calls[:]
    phone.send(request(b"INVITE", body=SDP, branch=b"z9hG4bKrr", call_id=b"rr", more=(b"Record-Route: <sip:192.0.2.9;lr>, <nonsense",)))
    phone.send(request(b"ACK", to=phone.last(200).get(3), call_id=b"rr", branch=b"z9hG4bKack"))
    calls[0].hangup()
    assert phone.methods() == [b"BYE"] and agent.faults == 0


def test_sound_at_a_place_that_is_no_address_is_refused_before_it_rings():
    world, agent, phone, calls = door(mode=answers)
    bad = SDP.replace(b"IN IP4 192.0.2.2\r\nt=", b"IN IP4 phone.example\r\nt=")
    phone.send(request(b"INVITE", body=bad))
    assert phone.statuses() == [400] and b"phone.example" in phone.last(400).reason and not calls
    world, agent, phone, call, log = calling()
    phone.send(reply(phone.last(method=b"INVITE"), 200, body=bad))
    assert phone.methods() == [b"INVITE", b"ACK", b"BYE"] and call.status == 488
    world, agent, phone, calls = door(mode=answers)
    phone.send(request(b"INVITE", body=SDP))
    to = phone.last(200).get(3)
    phone.send(request(b"ACK", to=to, branch=b"z9hG4bKack"))
    phone.send(request(b"INVITE", 2, to=to, branch=b"z9hG4bKre", body=bad))
    assert phone.statuses()[-1] == 488 and calls[0].state == "up" and calls[0].media.host == "192.0.2.2"
    assert not agent.faults


# --- A full heap: what MemoryError interrupts is as if lost on the wire, and is done when it comes again.


class Full:
    """Stands in for a method: raises MemoryError the first time, or the first `times`, then does what the method does. A
    message that meets it once is tried again at once, so it takes two to lose one."""

    def __init__(self, thing, name, times=1):
        self.thing = thing
        self.name = name
        self.real = getattr(thing, name)
        self.raised = 0
        self.times = times
        setattr(thing, name, self)

    def __call__(self, *arguments, **named):
        if self.raised < self.times:
            self.raised += 1
            raise MemoryError
        return self.real(*arguments, **named)


def test_a_bye_that_met_a_full_heap_is_answered_when_it_comes_again():
    world, agent, phone, calls = door(mode=answers)
    phone.send(request(b"INVITE", body=SDP))
    to = phone.last(200).get(3)
    phone.send(request(b"ACK", to=to, branch=b"z9hG4bKack"))
    for name in ("_reply", "_in_order"):
        Full(calls[0], name, 2)
    bye = request(b"BYE", 2, to=to, branch=b"z9hG4bKbye")
    for _ in range(3):
        phone.send(bye)
    assert phone.statuses() == [200, 200] and calls[0].state == "ended" and agent.out_of_memory == 2


def test_an_invite_that_met_a_full_heap_rings_when_it_comes_again():
    world, agent, phone, calls = door(mode=rings)
    Full(agent, "on_call", 2)
    for _ in range(2):
        phone.send(request(b"INVITE", body=SDP))
    assert phone.statuses() == [180] and len(agent.calls) == 1 and agent.out_of_memory == 1


def test_an_answer_that_met_a_full_heap_is_taken_when_it_comes_again():
    for status in (180, 200, 486):
        world, agent, phone, call, log = calling()
        Full(call, "on_response", 2)
        data = reply(phone.last(method=b"INVITE"), status, body=SDP if status == 200 else b"")
        phone.send(data)
        assert call.state == "calling"
        world.run(600)
        assert phone.methods().count(b"INVITE") == 2, "timer A is still running"
        phone.send(data)
        assert call.state == {180: "ringing", 200: "up", 486: "ended"}[status]
        if status != 180:
            assert b"ACK" in phone.methods()
            world.run(33000)
            assert len(agent.transactions) == 0


def test_an_answer_that_found_no_room_deep_inside_is_no_copy_when_it_comes_again():
    for name in ("accepted", "_hop", "_tell"):
        for times in (1, 2, 3):
            world, agent, phone, call, log = calling()
            full = Full(call, name, times)
            data = reply(phone.last(method=b"INVITE"), 200, body=SDP)
            for _ in range(2):
                phone.send(data)
            assert full.raised == times and call.state == "up" and call.media is not None, (name, times)
            assert b"ACK" in phone.methods()
            assert log.events[-1] == "up"


def test_a_message_that_met_a_full_heap_is_tried_again_when_there_is_room():
    world, agent, phone, calls = door(mode=rings)
    Full(agent, "on_call")
    phone.send(request(b"INVITE", body=SDP))
    assert phone.statuses() == [180] and len(agent.calls) == 1 and agent.out_of_memory == 0


def test_a_timer_that_met_a_full_heap_fires_again():
    world, agent, phone, _ = door()
    fired = []

    class Action:
        def act(self, _):
            fired.append(world.now_ms)

    action = Action()
    Full(action, "act")
    agent.timers.after(100, lambda _: action.act(_))
    try:
        world.run(200)
    except MemoryError:
        pass
    world.run(1000)
    assert len(fired) == 1


def test_the_answer_itself_makes_room_when_the_heap_is_full():
    import sip.call as module

    world, agent, phone, calls = door(mode=rings)
    phone.send(request(b"INVITE", body=SDP))
    real = module.response
    full = Full(module, "response")
    try:
        calls[0].answer("192.0.2.1", 5000)
    finally:
        module.response = real
    assert full.raised and phone.statuses() == [180, 200] and calls[0].state == "up"


def test_calls_that_nobody_minds_do_not_keep_the_door_busy_for_ever():
    world, agent, phone, calls = door()
    for number in range(4):
        phone.send(request(b"INVITE", body=SDP, call_id=b"c%d" % number, branch=b"z9hG4bK%d" % number))
    phone.send(request(b"INVITE", body=SDP, call_id=b"c5", branch=b"z9hG4bK5"))
    assert phone.statuses() == [100] * 4 + [486]
    world.run(301000)
    phone.send(request(b"INVITE", body=SDP, call_id=b"c6", branch=b"z9hG4bK6"))
    assert phone.statuses()[-1] == 100 and len(agent.calls) == 1 and phone.statuses().count(603) == 4


def test_a_bye_before_the_answer_ends_the_invite_too():
    world, agent, phone, call, log = calling()
    invite = phone.last(method=b"INVITE")
    phone.send(reply(invite, 180))
    phone.send(request(b"BYE", 1, b"z9hG4bKbye", invite.get(2), b"them", invite.call_id))
    assert phone.statuses() == [200] and phone.methods() == [b"INVITE", b"CANCEL"] and log.events == ["ringing", "ended"]
    world.run(70000)
    assert not agent.calls and not len(agent.transactions) and not len(agent.timers)
