"""Session timers (RFC 4028): who refreshes, when, and when a call is given up; in virtual time."""

from virtual_call import There, each_third
from virtual_sip import SDP, World, reply, request

from sip.scan import field
from sip.session import too_short

SE = field(b"session-expires")
MIN_SE = field(b"min-se")
REQUIRE = field(b"require")
TIMER = b"Supported: 100rel, timer"
UPDATE = b"Allow: INVITE, ACK, BYE, UPDATE"


def test_the_numbers_of_the_fields_are_those_of_scan():
    # call.py and invited.py have them as private constants
    assert (SE, REQUIRE) == (21, 15)


# --- They called us.


def test_nothing_is_asked_by_default():
    for incoming in (True, False):
        it = There(incoming, more=(TIMER,))
        assert it.first.get(SE) is None and b"timer" in it.first.get(field(b"supported"))
        it.world.run(4000000)
        assert it.call.state == "up" and not it.phone.got and it.is_quiet()


def test_who_is_chosen_to_refresh_when_they_call():
    for more, wanted, ours in (
        ((b"Session-Expires: 1800", TIMER), b"1800;refresher=uac", False),
        ((b"Session-Expires: 1800;refresher=uac", TIMER), b"1800;refresher=uac", False),
        ((b"x: 600 ; refresher=UAS", b"k: timer"), b"600;refresher=uas", True),
        # a proxy asks and the caller knows nothing of it: then it is us
        ((b"Session-Expires: 100",), b"100;refresher=uas", True),
    ):  # fmt: skip
        it = There(True, more=more)
        assert it.first.get(SE) == wanted, it.first.get(SE)
        assert (it.first.get(REQUIRE) == b"timer") == (not ours)
        seconds = int(wanted.split(b";")[0])
        it.world.run(1000 * seconds // 2 - 100)
        assert not it.phone.got
        it.world.run(200)
        assert it.phone.methods() == ([b"INVITE"] if ours else [])


def test_too_short_is_422_before_it_rings():
    world = World()
    calls = []
    agent = world.agent("192.0.2.1", on_call=calls.append)
    phone = world.phone("192.0.2.2")
    phone.send(request(b"INVITE", body=SDP, more=(b"Session-Expires: 60", TIMER)))
    assert phone.statuses() == [422] and phone.last(422).get(MIN_SE) == b"90" and not calls and not len(agent.transactions)
    # who would not understand that 422 gets in
    phone.send(request(b"INVITE", 2, b"z9hG4bK2", body=SDP, more=(b"Session-Expires: 60",)))
    assert phone.statuses()[-1] == 100 and len(calls) == 1
    it = There(True, more=(b"Session-Expires: 1800", TIMER))
    for method in (b"INVITE", b"UPDATE"):
        assert it.ask(method, more=(b"Session-Expires: 89", TIMER)).status == 422
    assert it.call.state == "up"


def test_what_is_no_interval_is_passed_over():
    for value in (b"", b"soon", b"-5", b";refresher=uac", b"0"):
        it = There(True, more=(b"Session-Expires: " + value, TIMER))
        assert it.first.get(SE) is None
        it.world.run(200000)
        assert it.call.state == "up" and it.is_quiet()
    it = There(True, more=(b"Session-Expires: 99999999999999999999", TIMER))
    assert it.first.get(SE) == b"86400;refresher=uac" and it.is_quiet()


def test_a_call_that_they_do_not_refresh_ends_shortly_before_its_time():
    for seconds, after in ((1800, 1768), (90, 60)):
        it = There(True, more=(b"Session-Expires: %d;refresher=uac" % seconds, TIMER))
        it.world.run(1000 * after - 100)
        assert it.call.state == "up" and not it.phone.got
        it.world.run(200)
        assert it.phone.methods() == [b"BYE"] and it.log.events == ["ended"] and "refreshed" in it.call.ended
        assert it.is_quiet()


def test_their_refresh_begins_a_new_interval():
    it = There(True, more=(b"Session-Expires: 90;refresher=uac", TIMER))
    for method in (b"INVITE", b"UPDATE", b"INVITE"):
        it.world.run(45000)
        ok = it.ask(method, SDP if method == b"INVITE" else b"", (b"Session-Expires: 90;refresher=uac", TIMER))
        if method == b"INVITE":
            it.ack()
            assert ok.body == it.first.body
        assert ok.get(SE) == b"90;refresher=uac" and ok.get(REQUIRE) == b"timer"
    it.world.run(59000)
    assert it.call.state == "up" and not it.log.events
    it.world.run(2000)
    assert it.call.state == "ended"


def test_a_refused_re_invite_of_theirs_is_no_refresh():
    it = There(True, more=(b"Session-Expires: 90;refresher=uac", TIMER))
    it.world.run(45000)
    assert it.ask(b"INVITE", SDP.replace(b"0 8 101", b"18"), (b"Session-Expires: 90;refresher=uac", TIMER)).status == 488
    it.ack()
    it.world.run(16000)
    assert it.call.state == "ended"


def test_a_re_invite_without_session_expires_ends_the_timer():
    it = There(True, more=(b"Session-Expires: 90;refresher=uac", TIMER))
    assert it.ask(b"INVITE", SDP).get(SE) is None
    it.ack()
    it.world.run(200000)
    assert it.call.state == "up" and it.is_quiet()


# --- We refresh.


def test_we_refresh_by_update_where_it_is_allowed():
    it = There(True, more=(b"Session-Expires: 100;refresher=uas", TIMER, UPDATE))
    for _ in range(3):
        it.world.run(50100)
        asked = it.phone.last(method=b"UPDATE")
        assert asked.get(SE) == b"100;refresher=uac" and not asked.body and asked.contact.uri
        it.answer(200, more=(b"Session-Expires: 100;refresher=uac", b"Require: timer"), method=b"UPDATE")
    assert it.phone.methods() == [b"UPDATE"] * 3 and it.call.state == "up" and not it.log.events and it.is_quiet()


def test_we_refresh_by_the_same_offer_where_update_is_not_allowed():
    it = There(False, more=(b"Session-Expires: 100;refresher=uac", b"Require: timer"))
    for _ in range(3):
        it.world.run(50100)
        asked = it.phone.last(method=b"INVITE")
        assert asked.get(SE) == b"100;refresher=uac" and asked.body == it.first.body
        it.answer(200, SDP, (b"Session-Expires: 100;refresher=uac", b"Require: timer"))
    assert it.phone.methods() == [b"INVITE", b"ACK"] * 3 and not it.log.events and it.is_quiet()


def test_an_update_that_is_refused_after_all_becomes_a_re_invite():
    it = There(True, more=(b"Session-Expires: 100;refresher=uas", TIMER, UPDATE))
    it.world.run(50100)
    it.answer(501, method=b"UPDATE")
    it.world.run(100)
    assert it.phone.last(method=b"INVITE").body == it.first.body
    it.answer(200, SDP, (b"Session-Expires: 100;refresher=uac",))
    it.world.run(50100)
    assert it.phone.methods() == [b"UPDATE", b"INVITE", b"ACK", b"INVITE"]


def test_a_refresh_without_an_answer_ends_the_call():
    for more in ((UPDATE,), ()):
        it = There(True, more=(b"Session-Expires: 1000;refresher=uas", TIMER) + more)
        it.world.run(500100)
        assert it.phone.methods() == [b"UPDATE" if more else b"INVITE"]
        it.world.run(33000)
        assert it.call.state == "ended" and it.phone.methods()[-1] == b"BYE" and it.is_quiet()


def test_a_refresh_that_is_refused_each_time_ends_the_call_in_time():
    it = There(True, more=(b"Session-Expires: 100;refresher=uas", TIMER))
    it.world.run(50100)
    it.answer(403)
    assert it.call.state == "up"
    it.world.run(18500)
    assert it.call.state == "ended" and "refreshed" in it.call.ended and it.is_quiet()


def test_a_refresh_that_is_answered_without_an_interval_ends_the_timer():
    it = There(True, more=(b"Session-Expires: 100;refresher=uas", TIMER, UPDATE))
    it.world.run(50100)
    it.answer(200, method=b"UPDATE")
    it.world.run(300000)
    assert it.call.state == "up" and it.phone.methods() == [b"UPDATE"] and it.is_quiet()


def test_a_refresh_that_meets_422_comes_again_with_more():
    it = There(True, more=(b"Session-Expires: 100;refresher=uas", TIMER, UPDATE))
    it.world.run(50100)
    it.answer(422, more=(b"Min-SE: 400",), method=b"UPDATE")
    it.world.run(100)
    asked = it.phone.last(method=b"UPDATE")
    assert asked.get(SE) == b"400;refresher=uac" and asked.get(MIN_SE) == b"400"
    it.answer(200, more=(b"Session-Expires: 400;refresher=uac",), method=b"UPDATE")
    it.world.run(199900)
    assert it.phone.methods() == [b"UPDATE", b"UPDATE"]
    it.world.run(300)
    assert it.phone.methods() == [b"UPDATE"] * 3


def test_our_hold_carries_the_interval_and_begins_it_anew():
    it = There(True, more=(b"Session-Expires: 100;refresher=uac", TIMER))
    it.world.run(40000)
    it.call.hold()
    assert it.phone.last(method=b"INVITE").get(SE) == b"100;refresher=uas", "they refresh, as before"
    it.answer(200, SDP + b"a=recvonly\r\n", (b"Session-Expires: 100;refresher=uas",))
    it.world.run(60000)
    assert it.call.state == "up"
    it.world.run(8000)
    assert it.call.state == "ended"


def test_a_refresh_at_the_time_of_their_re_invite_waits():
    it = There(True, more=(b"Session-Expires: 100;refresher=uas", TIMER))
    it.world.run(49900)
    it.ask(b"INVITE", SDP, (b"Session-Expires: 100;refresher=uas", TIMER))  # and their ACK is late
    it.world.run(1000)
    it.ack()
    assert it.phone.methods() == []
    it.world.run(49300)
    assert it.phone.methods() == [b"INVITE"], "half an interval after the newest refresh, whoever's it was"


# --- We called, or want it.


def test_what_their_2xx_says_counts_when_we_called():
    it = There(False, more=(b"Session-Expires: 90;refresher=uas",))
    it.world.run(60300)
    assert it.call.state == "ended" and it.phone.methods() == [b"BYE"]
    it = There(False, more=(b"Session-Expires: 90;refresher=uac", b"Require: timer", UPDATE))
    it.world.run(45100)
    assert it.phone.methods() == [b"UPDATE"]


def test_an_interval_of_our_own_wish():
    it = There(False, session_expires_s=600)
    assert it.first.get(SE) == b"600"
    it.world.run(1000000)
    assert it.call.state == "up" and not it.phone.got, "the other side does not speak of it"
    it = There(False, session_expires_s=600, more=(b"Session-Expires: 500;refresher=uac",))
    it.world.run(250300)
    assert it.phone.methods() == [b"INVITE"]
    it = There(True, session_expires_s=600)
    assert it.first.get(SE) == b"600;refresher=uas" and it.first.get(REQUIRE) is None
    it = There(True, session_expires_s=600, more=(b"Min-SE: 900", TIMER))
    assert it.first.get(SE) == b"900;refresher=uas"


def test_422_to_our_invite():
    world = World()
    agent = world.agent("192.0.2.1")
    agent.session_expires_s = 90
    phone = world.phone("192.0.2.2")
    call = agent.call("sip:phone@192.0.2.2", "192.0.2.1", 5000)
    first = phone.last(method=b"INVITE")
    phone.send(reply(first, 422, more=(b"Min-SE: 500",)))
    again = phone.last(method=b"INVITE")
    assert again.cseq == first.cseq + 1 and again.get(SE) == b"500" and again.get(MIN_SE) == b"500" and not again.to_tag
    assert again.call_id == first.call_id and again.from_tag == first.from_tag
    phone.send(reply(again, 422, more=(b"Min-SE: 500",)))
    assert call.state == "ended" and call.status == 422 and not agent.calls, "it wants no more than it got"
    for line in ((), (b"Min-SE: often",), (b"Min-SE: 9999999",)):
        call = agent.call("sip:phone@192.0.2.2", "192.0.2.1", 5000)
        phone.send(reply(phone.last(method=b"INVITE"), 422, more=line))
        if line and line[0][-1:] == b"9":
            assert phone.last(method=b"INVITE").get(SE) == b"86400"
        else:
            assert call.status == 422


def test_two_agents_one_refreshes_for_hours():
    world = World()
    calls = []

    def on_call(call):
        calls.append(call)
        call.answer("192.0.2.2", 5002)

    one = world.agent("192.0.2.1")
    one.session_expires_s = 1800
    two = world.agent("192.0.2.2", on_call=on_call)
    here = one.call("sip:door@192.0.2.2", "192.0.2.1", 5000)
    world.run(1000)
    world.lose = each_third()
    world.run(4 * 3600000)
    assert here.state == calls[0].state == "up"
    sent = world.sent(b"UPDATE")
    assert len(set([at // 60000 for at in sent])) >= 15, "each half of 1,800 s"
    # one of them is cut off: both end by themselves
    world.lose = lambda data, source, peer: True
    world.run(1900000)
    assert here.state == calls[0].state == "ended"
    assert not len(one.timers) and not len(two.timers) and not one.faults and not two.faults


def test_too_short_is_for_who_speaks_of_it():
    from sip.message import parse

    for more, wanted in (
        ((b"Session-Expires: 89", TIMER), (b"Min-SE: 90",)), ((b"Session-Expires: 90", TIMER), ()), ((TIMER,), ()),
        ((b"x: 10", b"Require: timer"), (b"Min-SE: 90",)),
    ):  # fmt: skip
        assert too_short(parse(request(b"INVITE", more=more))) == wanted
