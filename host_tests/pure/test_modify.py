"""Calls that change: hold, refresh, another address, glare, UPDATE, by us and by them, in virtual time."""

from virtual_call import There
from virtual_sip import SDP, World, reply, request

from sip.scan import field
from sip.sdp import parse as parse_sdp

HOLD = SDP + b"a=sendonly\r\n"


# --- Hold by us.


def test_hold_and_resume_by_us():
    for incoming in (True, False):
        it = There(incoming)
        call = it.call
        version = it.version(it.first)
        call.hold()
        asked = it.phone.last(method=b"INVITE")
        assert b"a=sendonly\r\n" in asked.body and b"sendrecv" not in asked.body and it.version(asked) == version + 1
        assert asked.to_tag == it.tag and asked.contact.uri == b"sip:door@192.0.2.1:5060" and not call.on_hold
        it.answer(200, SDP + b"a=recvonly\r\n")
        assert call.on_hold and not call.media.held and call.media.send and not call.media.receive
        ack = it.phone.last(method=b"ACK")
        assert ack.cseq == asked.cseq and it.log.events == ["media"]
        call.resume()
        asked = it.phone.last(method=b"INVITE")
        assert b"a=sendrecv\r\n" in asked.body and it.version(asked) == version + 2
        it.answer(200, SDP)
        assert not call.on_hold and call.media.receive and it.log.events == ["media", "media"]
        assert it.phone.methods() == [b"INVITE", b"ACK", b"INVITE", b"ACK"] and it.is_quiet()


def test_a_hold_that_is_refused_leaves_the_session_as_it_was():
    for status in (488, 403, 500, 606):
        it = There(True)
        media = it.call.media
        it.call.hold()
        it.answer(status)
        assert it.phone.methods() == [b"INVITE", b"ACK"] and it.call.state == "up"
        assert not it.call.on_hold and it.call.media is media and it.log.events == ["transfer"]
        assert "not be put on hold" in it.call.news and "(%d)" % status in it.call.news
        it.call.renew("192.0.2.1", 5000)
        assert b"a=sendrecv" in it.phone.last(method=b"INVITE").body, "what was refused is not wished any more"
        it.answer(200, SDP)
        it.call.hold()  # and may be asked again
        it.answer(200, SDP + b"a=recvonly\r\n")
        assert it.call.on_hold and it.is_quiet()


def test_hold_of_who_holds_us_is_inactive():
    it = There(True)
    ok = it.ask(b"INVITE", HOLD)
    it.ack()
    assert it.direction(ok) == 2 and it.call.media.held
    it.call.hold()
    assert b"a=inactive\r\n" in it.phone.last(method=b"INVITE").body
    it.answer(200, SDP + b"a=inactive\r\n")
    assert it.call.on_hold and it.call.media.held and not it.call.media.send and not it.call.media.receive
    # they let go: we still hold
    ok = it.ask(b"INVITE", SDP)
    it.ack()
    assert it.direction(ok) == 1 and not it.call.media.held and it.call.on_hold and it.call.media.send
    it.call.resume()
    it.answer(200, SDP)
    assert it.call.media.send and it.call.media.receive and it.is_quiet()


def test_hold_and_resume_one_after_the_other_do_not_overlap():
    it = There(True)
    it.call.hold()
    it.call.resume()
    it.call.hold()
    assert it.phone.methods() == [b"INVITE"]
    it.answer(200, SDP + b"a=recvonly\r\n")
    assert it.phone.methods() == [b"INVITE", b"ACK", b"INVITE"], "what was wished meanwhile"
    assert it.direction(it.phone.last(method=b"INVITE")) == 1
    it.answer(200, SDP + b"a=recvonly\r\n")
    it.call.resume()
    it.answer(200, SDP)
    assert not it.call.on_hold and it.is_quiet()


def test_hold_waits_for_their_ack():
    it = There(True)
    it.ask(b"INVITE", SDP)
    it.call.hold()
    assert it.phone.methods() == []
    it.ack()
    assert it.phone.methods() == [b"INVITE"]
    it.answer(200, SDP + b"a=recvonly\r\n")
    assert it.call.on_hold and it.is_quiet()


def test_nobody_is_put_on_hold_before_the_call_is_up():
    world = World()
    agent = world.agent("192.0.2.1")
    phone = world.phone("192.0.2.2")
    call = agent.call("sip:phone@192.0.2.2", "192.0.2.1", 5000)
    call.hold()
    call.renew("192.0.2.1", 5002)
    assert phone.methods() == [b"INVITE"] and not agent.faults


def test_our_hold_after_a_two_codec_answer_keeps_the_first():
    it = There(False, answer=SDP.replace(b"0 8 101", b"8 0 120").replace(b":101", b":120"))
    assert it.call.media.payload == 8 and it.call.media.events == 120
    ok = it.ask(b"INVITE", SDP.replace(b"0 8 101", b"8 120").replace(b":101", b":120"))
    it.ack()
    assert b"RTP/AVP 8 120\r\n" in ok.body and it.call.media.payload == 8 and not it.log.events, "nothing has changed"
    it.call.hold()
    assert b"RTP/AVP 8 120\r\n" in it.phone.last(method=b"INVITE").body
    it.answer(200, SDP.replace(b"0 8 101", b"8") + b"a=recvonly\r\n")
    assert it.call.on_hold and it.is_quiet()


def test_a_re_offer_keeps_the_lines_that_were_refused():
    offer = SDP.replace(b"m=audio", b"m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=audio")
    it = There(True, body=offer)
    it.call.hold()
    sent = parse_sdp(it.phone.last(method=b"INVITE").body)
    assert [(one.kind, one.port) for one in sent.media] == [(b"video", 0), (b"audio", 5000)] and sent.media[1].direction == 1
    it.answer(200, offer.replace(b"video 4002", b"video 0") + b"a=recvonly\r\n")
    assert it.call.on_hold and it.call.media.index == 1 and it.call.media.port == 4000
    # and so does what we offer when they do not
    ok = it.ask(b"INVITE")
    sent = parse_sdp(ok.body)
    assert [(one.kind, one.port) for one in sent.media] == [(b"video", 0), (b"audio", 5000)]
    assert sent.media[1].formats == [b"0", b"8", b"101"] and sent.media[1].direction == 1
    it.ack(body=offer.replace(b"video 4002", b"video 0") + b"a=recvonly\r\n")
    assert it.call.state == "up" and it.is_quiet()


def test_a_new_address_of_ours():
    it = There(True)
    it.agent.host = "192.0.2.7"
    it.agent.transport.source = ("192.0.2.7", 5060)
    it.world.agents[("192.0.2.7", 5060)] = it.agent
    it.call.renew("192.0.2.7", 5010)
    asked = it.phone.last(method=b"INVITE")
    assert asked.contact.uri == b"sip:door@192.0.2.7:5060" and asked.via.host == b"192.0.2.7"
    session = parse_sdp(asked.body)
    assert session.media[0].host == b"192.0.2.7" and session.media[0].port == 5010 and session.origin.endswith(b"192.0.2.7")
    it.phone.send(reply(asked, 200, body=SDP), ("192.0.2.7", 5060))
    assert it.phone.methods() == [b"INVITE", b"ACK"] and it.is_quiet()


# --- Hold and more by them.


def test_hold_by_them_in_each_way():
    for body, ours, send, receive in (
        (HOLD, 2, False, True), (SDP + b"a=inactive\r\n", 0, False, False),
        (SDP.replace(b"c=IN IP4 192.0.2.2", b"c=IN IP4 0.0.0.0"), 2, False, True),
    ):  # fmt: skip
        for incoming in (True, False):
            it = There(incoming)
            version = it.version(it.first)
            ok = it.ask(b"INVITE", body)
            it.ack()
            assert it.direction(ok) == ours and it.version(ok) == version + 1
            media = it.call.media
            assert media.held and (media.send, media.receive) == (send, receive) and it.log.events == ["media"]
            ok = it.ask(b"INVITE", SDP)
            it.ack()
            assert it.direction(ok) == 3 and it.version(ok) == version + 2
            assert not it.call.media.held and it.call.media.send and it.log.events == ["media", "media"] and it.is_quiet()


def test_a_refresh_gets_the_same_answer_and_is_no_news():
    it = There(True)
    for _ in range(3):
        ok = it.ask(b"INVITE", SDP)
        it.ack()
        assert ok.body == it.first.body
    assert not it.log.events and it.is_quiet()


def test_another_codec_port_and_target():
    it = There(False)
    ok = it.ask(b"INVITE", SDP.replace(b"4000 RTP/AVP 0 8 101", b"4020 RTP/AVP 8 97").replace(b"101", b"97"), (b"Contact: <sip:elsewhere@192.0.2.2:5060>",))
    it.ack()
    assert b"m=audio 5000 RTP/AVP 8 97\r\n" in ok.body
    assert (it.call.media.payload, it.call.media.port, it.call.media.events) == (8, 4020, 97)
    it.call.hangup()
    assert it.phone.last(method=b"BYE").uri == b"sip:phone@192.0.2.2:5060", "the first Contact counts"
    it = There(True)
    moved = request(b"INVITE", 2, b"z9hG4bKm", it.to, body=SDP).replace(b"Contact: <sip:phone@192.0.2.2:5060>", b"Contact: <sip:desk@192.0.2.2:5060>")
    it.phone.send(moved)
    it.ack(2)
    it.call.hangup()
    assert it.phone.last(method=b"BYE").uri == b"sip:desk@192.0.2.2:5060" and it.is_quiet()


def test_offers_that_do_not_fit_are_refused_and_the_call_goes_on():
    it = There(True)
    media = it.call.media
    for body in (
        SDP.replace(b"0 8 101", b"18"), SDP.replace(b"audio 4000", b"audio 0"), SDP[: SDP.find(b"m=")], b"hello",
        SDP.replace(b"m=audio", b"m=video"), SDP.replace(b"c=IN IP4 192.0.2.2", b"c=IN IP4 name.example"),
    ):  # fmt: skip
        for method in (b"INVITE", b"UPDATE"):
            assert it.ask(method, body).status == 488, body
            if method == b"INVITE":
                it.ack()
    assert it.call.state == "up" and it.call.media is media and not it.log.events
    assert it.ask(b"INVITE", HOLD).status == 200
    it.ack()
    assert it.is_quiet()


def test_what_was_refused_does_not_move_the_target():
    it = There(True)
    bad = request(b"INVITE", 2, b"z9hG4bKm", it.to, body=b"hello").replace(b"<sip:phone@192.0.2.2:5060>", b"<sip:x@192.0.2.99>")
    it.phone.send(bad)
    assert it.phone.last(488)
    it.call.hangup()
    assert it.phone.last(method=b"BYE").uri == b"sip:phone@192.0.2.2:5060"


def test_a_re_invite_without_an_offer_gets_ours_and_the_ack_answers():
    it = There(True)
    ok = it.ask(b"INVITE")
    assert it.direction(ok) == 3 and parse_sdp(ok.body).media[0].formats == [b"0", b"8", b"101"]
    it.ack(body=HOLD.replace(b"0 8 101", b"8 101"))
    assert it.call.media.held and it.call.media.payload == 8 and it.log.events == ["media"]
    # an ACK without an answer, or with one that cannot be: all stays as it is
    for body in (b"", SDP.replace(b"0 8 101", b"18"), b"hello"):
        it.ask(b"INVITE")
        it.ack(body=body)
        assert it.call.state == "up" and it.call.media.held and it.log.events == ["media"]
    assert it.is_quiet()


# --- Glare and refusals for the moment.


def test_glare():
    for incoming, least, most in ((True, 0, 2000), (False, 2100, 4000)):
        waits = []
        for _ in range(5):
            it = There(incoming)
            it.call.hold()
            assert it.ask(b"INVITE", HOLD).status == 491, "ours is open"
            it.ack()
            at = it.world.now_ms
            it.answer(491)
            it.world.run(4100)
            asked = [one for one in it.phone.got if one.method == b"INVITE"]
            assert asked[1].cseq == asked[0].cseq + 1 and asked[1].body == asked[0].body or it.version(asked[1]) > it.version(asked[0])
            waits.append([entry[0] - at for entry in it.world.log if entry[0] > at and entry[3].startswith(b"INVITE")][0])
            it.answer(200, SDP + b"a=recvonly\r\n")
            assert it.call.on_hold
        assert all([least <= wait <= most + 20 for wait in waits]), waits
        assert len(set(waits)) > 1, "by chance"


def test_their_change_while_ours_waits_after_491():
    it = There(True)
    it.call.hold()
    it.answer(491)
    ok = it.ask(b"INVITE", HOLD)
    it.ack()
    assert ok.status == 200 and it.call.media.held
    it.world.run(4100)
    assert b"a=inactive" in it.phone.last(method=b"INVITE").body, "they hold us by now"
    it.answer(200, SDP + b"a=inactive\r\n")
    assert it.call.on_hold and it.call.media.held and it.is_quiet()


def test_491_for_ever_is_given_up():
    it = There(True)
    it.call.hold()
    for _ in range(16):
        try:
            it.answer(491)
        except AssertionError:
            pass
        it.world.run(4100)
    tries = set([one.cseq for one in it.phone.got if one.method == b"INVITE"])
    assert 9 <= len(tries) <= 12 and it.call.state == "up" and not it.call.on_hold and it.is_quiet()


def test_500_with_retry_after_is_tried_again():
    it = There(True)
    it.call.hold()
    it.answer(500, more=(b"Retry-After: 7 (busy)",))
    it.world.run(6900)
    assert it.phone.methods().count(b"INVITE") == 1
    it.world.run(200)
    assert it.phone.methods().count(b"INVITE") == 2
    it.answer(200, SDP + b"a=recvonly\r\n")
    assert it.call.on_hold and it.is_quiet()


def test_a_second_invite_before_the_first_is_answered_is_500():
    world = World()
    calls = []
    agent = world.agent("192.0.2.1", on_call=lambda call: (calls.append(call), call.ring()))
    phone = world.phone("192.0.2.2")
    phone.send(request(b"INVITE", body=SDP))
    to = phone.last(180).get(3)
    phone.send(request(b"INVITE", 2, b"z9hG4bK2", to, body=SDP))
    assert phone.statuses() == [180, 500] and phone.last(500).get(field(b"retry-after")).isdigit()
    phone.send(request(b"UPDATE", 3, b"z9hG4bK3", to, body=SDP))
    assert phone.statuses() == [180, 500, 500], "their first offer waits for its answer"
    phone.send(request(b"UPDATE", 4, b"z9hG4bK4", to))
    assert phone.statuses() == [180, 500, 500, 200] and calls[0].state == "incoming" and agent.calls == calls


def test_a_re_invite_that_gets_481_or_nothing_ends_the_call():
    for status in (481, 408, None):
        it = There(True)
        it.call.hold()
        if status:
            it.answer(status)
        else:
            it.world.run(33000)
        assert it.call.state == "ended" and it.log.events == ["ended"] and it.call.status == (status or 408)
        assert (b"BYE" in it.phone.methods()) == (status != 481) and it.is_quiet()


def test_their_bye_during_our_re_invite():
    it = There(True)
    it.call.hold()
    assert it.ask(b"BYE").status == 200 and it.call.state == "ended"
    it.answer(487)
    assert it.phone.methods() == [b"INVITE", b"ACK"] and it.is_quiet()
    it = There(True)
    it.call.hold()
    it.ask(b"BYE")
    it.answer(200, SDP)  # their answer had been under way
    assert it.phone.methods() == [b"INVITE", b"ACK"] and it.log.events == ["ended"] and it.is_quiet()


def test_our_bye_during_our_re_invite():
    it = There(True)
    it.call.hold()
    it.call.hangup()
    it.answer(200, SDP)
    assert it.phone.methods() == [b"INVITE", b"BYE", b"ACK"] and it.is_quiet()


def test_a_bye_that_crosses_ours_is_fine():
    it = There(True)
    it.call.hangup()
    assert it.ask(b"BYE").status == 200
    assert it.ask(b"INVITE", SDP).status == 481
    it.answer(200, method=b"BYE")
    assert it.ask(b"BYE").status == 481 and it.log.events == ["ended"] and it.is_quiet()


def test_our_ack_for_a_re_invite_is_repeated():
    it = There(True)
    it.call.hold()
    for _ in range(3):
        it.answer(200, SDP + b"a=recvonly\r\n")
    acks = [one.data for one in it.phone.got if one.method == b"ACK"]
    assert len(acks) == 3 and acks[0] == acks[2] and it.log.events == ["media"]
    # while the next one is open, and when it is over
    old = it.phone.last(method=b"INVITE")
    it.call.resume()
    it.phone.send(reply(old, 200, body=SDP + b"a=recvonly\r\n"))
    it.answer(200, SDP)
    it.phone.send(reply(old, 200, body=SDP + b"a=recvonly\r\n"))
    assert [one.cseq - old.cseq for one in it.phone.got if one.method == b"ACK"] == [0, 0, 0, 0, 1] and it.is_quiet()


def test_a_2xx_without_an_answer_does_not_end_the_call():
    it = There(True)
    media = it.call.media
    it.call.hold()
    it.answer(200)
    assert it.call.state == "up" and it.call.on_hold and it.call.media is media and it.is_quiet()


# --- UPDATE.


def test_update_with_and_without_an_offer():
    for incoming in (True, False):
        it = There(incoming)
        ok = it.ask(b"UPDATE", HOLD)
        assert ok.status == 200 and it.direction(ok) == 2 and it.call.media.held and ok.contact.uri
        ok = it.ask(b"UPDATE")
        assert ok.status == 200 and not ok.body and it.call.media.held
        ok = it.ask(b"UPDATE", SDP)
        assert it.direction(ok) == 3 and not it.call.media.held and it.log.events == ["media", "media"]
        it.call.hold()
        assert it.ask(b"UPDATE", SDP).status == 491
        assert it.ask(b"UPDATE").status == 200
        it.answer(200, SDP + b"a=recvonly\r\n")
        assert it.call.on_hold and it.is_quiet()


def test_update_moves_the_target():
    it = There(True)
    it.phone.send(request(b"UPDATE", 2, b"z9hG4bKu", it.to).replace(b"<sip:phone@192.0.2.2:5060>", b"<sip:desk@192.0.2.2:5060>"))
    it.call.hangup()
    assert it.phone.last(method=b"BYE").uri == b"sip:desk@192.0.2.2:5060"


def test_update_while_our_invite_has_no_reliable_answer_is_491():
    world = World()
    agent = world.agent("192.0.2.1")
    phone = world.phone("192.0.2.2")
    call = agent.call("sip:phone@192.0.2.2", "192.0.2.1", 5000)
    invite = phone.last(method=b"INVITE")
    phone.send(reply(invite, 183, body=SDP))
    own = invite.get(2)
    update = request(b"UPDATE", 1, b"z9hG4bKu", own, b"them", invite.call_id, SDP)
    phone.send(update)
    assert phone.statuses() == [491]
    phone.send(request(b"UPDATE", 2, b"z9hG4bKu2", own, b"them", invite.call_id))
    assert phone.statuses() == [491, 200] and call.state == "early"
    phone.send(request(b"INVITE", 3, b"z9hG4bKu3", own, b"them", invite.call_id, SDP))
    assert phone.statuses() == [491, 200, 491]


def test_two_agents_hold_each_other_while_datagrams_are_lost():
    world = World()
    calls = []

    def on_call(call):
        calls.append(call)
        call.answer("192.0.2.2", 5002)

    one = world.agent("192.0.2.1")
    two = world.agent("192.0.2.2", on_call=on_call)
    here = one.call("sip:door@192.0.2.2", "192.0.2.1", 5000)
    world.run(1000)
    there = calls[0]
    chance = [1]

    def lose(data, source, peer):
        # by chance: what is lost in step with the retransmissions would be the same one each time
        chance[0] = (chance[0] * 1103 + 12345) % 1000003
        return chance[0] // 7 % 5 == 1

    world.lose = lose
    here.hold()
    there.hold()
    world.run(40000)
    assert here.on_hold and there.on_hold and here.state == there.state == "up"
    assert here.media.held and there.media.held and not (here.media.send or there.media.send)
    here.resume()
    world.run(20000)
    assert not here.on_hold and not there.media.held and here.media.held
    there.resume()
    world.run(20000)
    for call in (here, there):
        assert call.media.send and call.media.receive and not call.media.held and not call.on_hold
    here.hangup()
    world.run(70000)
    for agent in (one, two):
        assert not agent.calls and not len(agent.transactions) and not len(agent.timers) and not agent.faults


# --- Challenges, and a network or a heap that fails.


class Account:
    """Stands in for the registration: answers each challenge once a request."""

    def __init__(self):
        self.account = self
        self.asked = []

    def is_server(self, host):
        return True

    def answer(self, message, sent):
        self.asked.append((sent.method, sent.cseq))
        return b"Proxy-Authorization: Digest n=%d" % len(self.asked)

    def stop(self, done=None):
        pass


def test_challenges_inside_the_call_are_answered():
    it = There(True, more=(b"Session-Expires: 100;refresher=uas", b"Supported: timer", b"Allow: UPDATE"))
    it.agent.registration = account = Account()
    it.call.hold()
    first = it.answer(407)
    again = it.phone.last(method=b"INVITE")
    assert again.cseq == first.cseq + 1 and again.body == first.body and again.branch != first.branch
    assert again.get(field(b"proxy-authorization")) == b"Digest n=1" and not it.call.on_hold
    it.answer(200, SDP + b"a=recvonly\r\n", (b"Session-Expires: 100;refresher=uac",))
    assert it.call.on_hold
    it.world.run(50100)
    it.answer(401, method=b"UPDATE")
    again = it.phone.last(method=b"UPDATE")
    assert again.get(field(b"proxy-authorization")) == b"Digest n=2" and again.get(field(b"session-expires"))
    it.answer(200, method=b"UPDATE")
    it.call.hangup()
    it.answer(407, method=b"BYE")
    assert it.phone.last(method=b"BYE").get(field(b"proxy-authorization")) == b"Digest n=3"
    assert [one[0] for one in account.asked] == [b"INVITE", b"UPDATE", b"BYE"]
    it.answer(200, method=b"BYE")
    it.world.run(40000)
    assert not it.agent.calls and not len(it.agent.transactions) and not len(it.agent.timers) and not it.agent.faults


def test_a_network_that_is_away_for_a_moment_does_not_end_the_call():
    it = There(True)
    it.agent.transport.broken = True
    it.call.hold()
    it.world.run(6000)
    assert it.call.state == "up" and not it.phone.got
    it.agent.transport.broken = False
    it.world.run(3000)
    it.answer(200, SDP + b"a=recvonly\r\n")
    assert it.call.on_hold
    it.agent.transport.broken = True
    it.call.resume()
    it.world.run(100000)
    assert it.call.state == "ended" and it.log.events[-1] == "ended" and it.is_quiet()


def test_a_re_invite_that_is_only_being_tried_ends_the_call_at_last():
    it = There(True)
    it.call.hold()
    it.answer(100)
    it.world.run(31000)
    assert it.call.state == "up"
    it.world.run(1100)
    assert it.call.state == "ended" and it.phone.methods()[-1] == b"BYE" and it.is_quiet()
    it = There(True)
    it.call.hold()
    it.answer(100)
    it.ask(b"BYE")
    assert it.is_quiet(), "a final response that never comes is not waited for"


def test_sound_comes_from_the_same_place_while_an_address_of_zeroes_holds_us():
    it = There(True)
    it.ask(b"INVITE", SDP.replace(b"c=IN IP4 192.0.2.2", b"c=IN IP4 0.0.0.0"))
    it.ack()
    assert it.call.media.held and it.call.media.host == "192.0.2.2"


def test_whatever_is_lent_may_meet_a_full_heap():
    """At each place in turn, the first time only: what came is taken when it comes again, and what was due is done."""
    import lend as module
    import sip.agent
    import sip.call

    real = module.lend
    state = [0, 0]

    def full(name, sweeps=True):
        state[0] += 1
        if state[0] == state[1]:
            raise MemoryError
        return real(name, sweeps)

    def play():
        it = There(True, more=(b"Session-Expires: 100;refresher=uas", b"Supported: timer", b"Allow: UPDATE"))
        state[0] = 0

        def twice(data):
            it.phone.send(data)
            it.phone.send(data)

        def until(status, method):
            """What the door sends is answered each time that it comes."""
            known = len(it.phone.got)
            for _ in range(3):
                run(it.world, 600)
                for one in it.phone.got[known:]:
                    if one.method == method:
                        it.phone.send(reply(one, status, body=SDP + b"a=recvonly\r\n" if method == b"INVITE" else b"", more=more))
                        it.phone.send(reply(one, status, body=SDP + b"a=recvonly\r\n" if method == b"INVITE" else b"", more=more))

        more = (b"Session-Expires: 100;refresher=uac",)
        for number, method, body in ((2, b"INVITE", HOLD), (3, b"UPDATE", SDP), (4, b"INVITE", b"")):
            twice(request(method, number, b"z9hG4bKx%d" % number, it.to, body=body, more=(b"Session-Expires: 100;refresher=uas", b"Supported: timer", b"Allow: UPDATE")))
            if method == b"INVITE":
                twice(request(b"ACK", number, b"z9hG4bKack%d" % number, it.to, body=b"" if body else SDP))
        run(it.world, 49000)
        until(200, b"UPDATE")
        assert b"UPDATE" in it.phone.methods(), state
        for _ in range(2):
            try:
                it.call.hold()
                break
            except MemoryError:
                pass
        until(200, b"INVITE")
        assert it.call.state == "up" and it.call.on_hold and not it.call.media.held, state
        many = state[0]
        state[0] = 1000
        assert it.is_quiet(), state
        return many

    try:
        module.lend = sip.agent.lend = sip.call.lend = full
        many = play()
        assert many > 12
        for place in range(1, many + 1):
            state[1] = place
            play()
    finally:
        module.lend = sip.agent.lend = sip.call.lend = real


def run(world, ms):
    """World.run() for agents whose timers may meet a full heap; their clock goes on, as Agent's does."""
    end = world.now_ms + ms
    while world.now_ms < end:
        try:
            world.run(end - world.now_ms)
            break
        except MemoryError:
            pass


# --- Routes and targets.


def test_their_2xx_to_our_re_invite_moves_the_target_and_no_route_changes():
    routes = (b"Record-Route: <sip:192.0.2.2;lr;a>, <sip:192.0.2.2;lr;b>",)
    for incoming in (True, False):
        it = There(incoming, more=routes)
        it.call.hold()
        asked = it.phone.last(method=b"INVITE")
        wanted = [b"<sip:192.0.2.2;lr;a>", b"<sip:192.0.2.2;lr;b>"]
        if not incoming:
            wanted.reverse()
        assert asked.all(11) == wanted and asked.uri == b"sip:phone@192.0.2.2:5060"
        it.phone.send(reply(asked, 200, body=SDP + b"a=recvonly\r\n", more=(b"Record-Route: <sip:192.0.2.99;lr>",), contact=b"<sip:desk@192.0.2.2>"))
        ack = it.phone.last(method=b"ACK")
        assert ack.uri == b"sip:desk@192.0.2.2" and ack.all(11) == wanted
        ok = it.ask(b"INVITE", SDP, (b"Record-Route: <sip:192.0.2.98;lr>",))
        it.ack()
        assert ok.status == 200
        it.call.hangup()
        bye = it.phone.last(method=b"BYE")
        assert bye.all(11) == wanted and bye.uri == b"sip:phone@192.0.2.2:5060" and it.is_quiet()


def test_strict_routes_for_re_invite_update_and_ack():
    # the first of the route set asks for itself in the Request-URI: theirs in order, ours reversed
    for incoming in (True, False):
        routes = [b"<sip:192.0.2.2>", b"<sip:192.0.2.2;lr;b>"]
        more = (b"Record-Route: " + b", ".join(routes if incoming else routes[::-1]), b"Session-Expires: 100;refresher=ua" + (b"s" if incoming else b"c"), b"Supported: timer", b"Allow: UPDATE")
        it = There(incoming, more=more)
        it.call.hold()
        it.answer(200, SDP + b"a=recvonly\r\n", (b"Session-Expires: 100;refresher=uac",))
        it.world.run(50100)
        it.answer(200, method=b"UPDATE")
        for method in (b"INVITE", b"ACK", b"UPDATE"):
            sent = it.phone.last(method=method)
            assert sent.uri == b"sip:192.0.2.2" and sent.all(11) == [b"<sip:192.0.2.2;lr;b>", b"<sip:phone@192.0.2.2:5060>"], method
        assert it.is_quiet()


def test_sound_at_an_address_of_the_other_kind_is_488_with_a_word():
    world = World()
    world.agent("192.0.2.1", on_call=lambda call: call.ring())
    phone = world.phone("192.0.2.2")
    phone.send(request(b"INVITE", body=SDP.replace(b"c=IN IP4 192.0.2.2", b"c=IN IP6 2001:db8::2")))
    assert phone.statuses() == [488] and phone.last(488).get(field(b"warning")) == b'301 sipdoor "No IPv6 here"'
