"""The proxy of a house without a PBX (RFC 3261 section 16), in virtual time."""

from house_sip import Home, dialog
from virtual_sip import SDP

from sip.message import response
from sip.scan import H_RECORD_ROUTE, H_ROUTE, H_VIA, field
from sip.server import house


def home_of(*numbers):
    home = Home()
    phones = []
    for n, number in enumerate(numbers):
        phone = home.member(b"%d" % number, 11 + n)
        assert phone.register().status == 200
        phones.append(phone)
    return home, phones


def test_a_call_from_phone_to_phone():
    home, (a, b) = home_of(101, 102)
    assert a.invite(b"102").status == 100
    invite = b.last(method=b"INVITE")
    assert invite.uri == b"sip:102@192.0.2.12:5060" and invite.max_forwards == 69 and invite.body == SDP
    vias = invite.all(H_VIA)
    assert len(vias) == 2 and b"192.0.2.1:5060" in vias[0] and b"192.0.2.11" in vias[1]
    assert invite.get(H_RECORD_ROUTE) is None  # they reach each other: what follows need not come by here
    b.reply(invite, 180)
    ringing = a.last(180)
    assert len(ringing.all(H_VIA)) == 1 and ringing.to_tag == b"h102"
    b.reply(invite, 200, body=SDP)
    answered = a.last(200)
    assert answered.body == SDP and answered.contact_uri == b"sip:102@192.0.2.12:5060"
    home.run(40000)
    assert not home.house.forwards and len(home.door.transactions) == 0


def test_who_has_no_password_calls_nobody():
    home, (a, b) = home_of(101, 102)
    stranger = home.member(b"109", 66)
    assert stranger.invite(b"102").status == 407
    assert a.ask(b"INVITE", b"sip:102@192.0.2.1", sender=b"102").status == 403
    assert not b.phone.methods()
    # and nobody is relayed to elsewhere
    assert a.ask(b"INVITE", b"sip:someone@198.51.100.1").status == 403


def test_unknown_numbers_and_absent_phones():
    home, (a,) = home_of(101)
    assert a.invite(b"555").status == 404
    assert a.invite(b"103").status == 480


def test_all_ring_and_the_first_that_answers_wins():
    home, (a, b, c) = home_of(101, 102, 103)
    a.invite(b"100")
    assert not [m for m in a.got if m.method == b"INVITE"]  # not the caller's own
    for phone in (b, c):
        phone.reply(phone.last(method=b"INVITE"), 180)
    b.reply(b.last(method=b"INVITE"), 200, body=SDP)
    assert a.last(200).contact_uri == b"sip:102@192.0.2.12:5060"
    cancel = c.last(method=b"CANCEL")
    assert cancel.get(field(b"reason")) == b'SIP;cause=200;text="Call completed elsewhere"'
    assert cancel.branch == c.last(method=b"INVITE").branch and cancel.cseq == c.last(method=b"INVITE").cseq
    c.reply(cancel, 200)
    c.reply(c.last(method=b"INVITE"), 487)
    assert c.last(method=b"ACK").branch == cancel.branch
    assert 487 not in a.phone.statuses()
    home.run(70000)
    assert not home.house.forwards and len(home.door.timers) == 0


def test_one_who_has_said_nothing_yet_is_cancelled_when_he_does():
    home, (a, b, c) = home_of(101, 102, 103)
    a.invite(b"100")
    b.reply(b.last(method=b"INVITE"), 200, body=SDP)
    assert b"CANCEL" not in c.phone.methods()  # 9.1
    c.reply(c.last(method=b"INVITE"), 180)
    assert b"CANCEL" in c.phone.methods()


def test_the_caller_gives_up():
    home, (a, b) = home_of(101, 102)
    a.invite(b"102")
    invite = b.last(method=b"INVITE")
    b.reply(invite, 180)
    # The same branch as the INVITE that was let in
    a.branch -= 1
    assert a.send(a.text(b"CANCEL", b"sip:102@192.0.2.1", sequence=a.sequence, call_id=b"call-101")).status == 200
    b.reply(b.last(method=b"CANCEL"), 200)
    b.reply(invite, 487)
    assert a.last(487)


def test_a_lost_invite_is_repeated_and_no_answer_is_408():
    home, (a, b) = home_of(101, 102)
    a.invite(b"102")
    start = home.now_ms
    home.run(33000)
    times = [t - start for t, _, peer, data in home.log if peer == (b.host, 5060) and data.startswith(b"INVITE")]
    assert times == [0, 500, 1500, 3500, 7500, 15500, 31500]
    assert a.last(408) and home.contacts(b"102")[0][9] & 1  # as door.phones() then says
    a.invite(b"102")
    b.reply(b.last(method=b"INVITE"), 180)
    assert home.contacts(b"102")[0][9] & 1 == 0


def test_a_lost_cancel_is_repeated():
    home, (a, b, c) = home_of(101, 102, 103)
    a.invite(b"100")
    for phone in (b, c):
        phone.reply(phone.last(method=b"INVITE"), 180)
    b.reply(b.last(method=b"INVITE"), 200, body=SDP)
    home.run(2000)
    assert c.phone.methods().count(b"CANCEL") == 3
    c.reply(c.last(method=b"CANCEL"), 200)
    home.run(8000)
    assert c.phone.methods().count(b"CANCEL") == 3


def test_timer_c_ends_what_rings_for_ever():
    home, (a, b) = home_of(101, 102)
    a.invite(b"102")
    b.reply(b.last(method=b"INVITE"), 180)
    home.run(100000)
    b.reply(b.last(method=b"INVITE"), 180)  # it starts again with each
    home.run(100000)
    assert b"CANCEL" not in b.phone.methods()
    home.run(90000)
    assert b"CANCEL" in b.phone.methods()
    b.reply(b.last(method=b"INVITE"), 487)
    assert a.last(487)


def test_the_best_refusal_goes_back():
    for statuses, wanted in (
        ((486, 404), 486), ((486, 603), 603), ((480, 401), 401), ((503, 486), 486), ((500, 486), 486), ((503, 503), 500),
        ((302, 486), 302), ((415, 404), 415),
    ):  # fmt: skip
        home, (a, b, c) = home_of(101, 102, 103)
        a.invite(b"100")
        for phone, status in zip((b, c), statuses):
            phone.reply(phone.last(method=b"INVITE"), status, contact=status != 302, more=(b"Contact: <sip:x@203.0.113.9>",) if status == 302 else ())
            assert phone.last(method=b"ACK")
        assert a.phone.statuses()[-1] == wanted, (statuses, a.phone.statuses())


def test_what_comes_of_an_answer_waits_for_room():
    lend = house.lend
    for name in ("derived", "outcome"):
        home, (a, b) = home_of(101, 102)
        a.invite(b"102")
        home.house.forwards[0].code.clear()
        wanted = []

        def full(file):
            if file == "sip.server." + name and not wanted:
                wanted.append(file)
                raise MemoryError
            return lend(file)

        house.lend = full
        try:
            b.reply(b.last(method=b"INVITE"), 486, contact=False)
            assert wanted and 486 not in a.phone.statuses()
            home.run(600)
        finally:
            house.lend = lend
        assert b.last(method=b"ACK") and a.last(486) and not home.house.forwards and not home.door.faults, name


def test_a_6xx_ends_it_for_all():
    home, (a, b, c) = home_of(101, 102, 103)
    a.invite(b"100")
    c.reply(c.last(method=b"INVITE"), 180)
    b.reply(b.last(method=b"INVITE"), 603)
    assert b"CANCEL" in c.phone.methods() and 603 not in a.phone.statuses()
    c.reply(c.last(method=b"INVITE"), 487)
    assert a.phone.statuses()[-1] == 603


def test_lower_q_is_asked_when_the_higher_has_refused():
    home, (a,) = home_of(101)
    first, second = home.member(b"102", 21), home.member(b"102", 22)
    second.register(contact=second.uri + b";q=0.3")
    first.register(contact=first.uri + b";q=0.9")
    a.invite(b"102")
    assert first.phone.methods() == [b"INVITE"] and not second.phone.methods()
    first.reply(first.last(method=b"INVITE"), 486)
    assert second.phone.methods() == [b"INVITE"]
    second.reply(second.last(method=b"INVITE"), 200, body=SDP)
    assert a.last(200)


def test_a_phone_sends_on_to_another_number():
    home, (a, b, c) = home_of(101, 102, 103)
    a.invite(b"102")
    b.reply(b.last(method=b"INVITE"), 302, more=(b"Contact: <sip:103@192.0.2.1>",), contact=False)
    c.reply(c.last(method=b"INVITE"), 200, body=SDP)
    assert a.last(200) and 302 not in a.phone.statuses()


def test_phones_that_send_on_to_each_other_end():
    home, (a, b, c) = home_of(101, 102, 103)
    a.invite(b"102")
    b.reply(b.last(method=b"INVITE"), 302, more=(b"Contact: <sip:103@192.0.2.1>",), contact=False)
    c.reply(c.last(method=b"INVITE"), 302, more=(b"Contact: <sip:102@192.0.2.1>",), contact=False)
    assert a.phone.statuses()[-1] == 302
    assert b.phone.methods().count(b"INVITE") == 1


def test_a_number_that_is_redirected():
    home, (a, b) = home_of(101, 102)
    home.house.redirected = (b"102",)
    answer = a.invite(b"102")
    assert answer.status == 302 and answer.contact_uri == b"sip:102@192.0.2.12:5060"
    assert not b.phone.methods()


def test_a_302_is_followed_by_way_of_the_door():
    """As phones do that send all they say to their registrar; by its phones' Contacts alone, and for those who have a password."""
    home, (a, b) = home_of(101, 102)
    there = b.uri[1:-1]
    for routes in ((), (b"<sip:192.0.2.1;lr>",)):
        a.ask(b"INVITE", there, more=(b"Contact: " + a.uri,), body=SDP, call_id=b"follows%d" % len(routes), routes=routes)
        invite = b.last(method=b"INVITE")
        assert invite.uri == there and invite.call_id == b"follows%d" % len(routes) and invite.get(H_ROUTE) is None
        b.reply(invite, 486)
        assert a.phone.statuses()[-1] == 486
        assert a.ask(b"INVITE", b"sip:102@192.0.2.99", routes=routes, call_id=b"elsewhere").status == 403
        assert a.ask(b"INVITE", there, routes=routes + (b"<sip:192.0.2.99;lr>",), call_id=b"by-elsewhere").status == 403
        stranger = home.member(b"103", 66)
        assert stranger.send(stranger.text(b"INVITE", there, routes=routes)).status == 407
        assert stranger.send(stranger.text(b"BYE", there, routes=routes, to_tag=b"x")).status == 403
    assert b.phone.methods().count(b"INVITE") == 2


def test_answers_that_are_written_otherwise():
    """7.3.1: the values of Via on one line are as good as on several, and it need not be the first line."""
    for change in (
        lambda data: data.replace(b"\r\nVia: ", b", ").replace(b", ", b"\r\nVia: ", 1),
        lambda data: data.replace(b"\r\n", b"\r\nServer: x\r\n", 1),
        lambda data: data.replace(b"\r\nVia: ", b",\r\n ").replace(b",\r\n ", b"\r\nServer: x\r\nv:\r\n ", 1),
    ):
        home, (a, b) = home_of(101, 102)
        a.invite(b"102")
        data = change(response(b.last(method=b"INVITE"), 180, to_tag=b"h", lines=(b"Contact: " + b.uri, b"Server: y, z")))
        assert data.count(b"SIP/2.0/UDP") == 2
        b.phone.send(data)
        ringing = a.last(180)
        assert ringing and [one.host for one in ringing.each_via()] == [b"192.0.2.11"], ringing.data
        assert ringing.get(field(b"server")) == data[data.find(b"Server: ") + 8:].partition(b"\r\n")[0]
        assert ringing.from_tag == b"t101" and ringing.to_tag == b"h" and ringing.contact_uri == b.uri[1:-1]


def test_hops_run_out():
    home, (a, b) = home_of(101, 102)
    text = a.text(b"INVITE", b"sip:102@192.0.2.1").replace(b"Max-Forwards: 70", b"Max-Forwards: 0")
    assert a.send(text).status == 483


def test_a_contact_that_names_the_door_itself_is_a_loop_and_ends():
    home, (a,) = home_of(101)
    b = home.member(b"102", 12)
    b.register(contact=b"<sip:102@192.0.2.1:5060>")
    before = len(home.log)
    a.invite(b"102")
    home.run(2000)
    assert a.phone.statuses()[-1] == 482
    assert len(home.log) - before < 20


def test_two_houses_that_send_to_each_other():
    home, (a,) = home_of(101)
    other = Home()
    # The second door is at 192.0.2.2, on the same wire
    far = home.agent("192.0.2.2")
    far.house = other.house
    home.trusted = other.trusted = ("192.0.2.1", "192.0.2.2")
    home.bind(b"102", b"sip:103@192.0.2.2:5060", ("192.0.2.2", 5060))
    other.bind(b"103", b"sip:102@192.0.2.1:5060", ("192.0.2.1", 5060))
    before = len(home.log)
    a.invite(b"102")
    home.run(2000)
    assert a.phone.statuses()[-1] == 482, a.phone.statuses()
    assert len(home.log) - before < 60


def test_what_must_be_understood_by_proxies_is_refused():
    home, (a, b) = home_of(101, 102)
    answer = a.send(a.text(b"INVITE", b"sip:102@192.0.2.1", more=(b"Proxy-Require: magic",)))
    assert answer.status == 420 and answer.get(field(b"unsupported")) == b"magic"


def test_where_a_connection_is_the_only_way_the_dialog_comes_by_here():
    home, (a,) = home_of(101)
    home.tcp = True
    b = home.member(b"102", 12)
    b.register()
    home.house.bindings.clear()
    home.bind(b"102", b.uri[1:-1], ("192.0.2.12", 5060, b"TCP"))
    invite, answered = dialog(a, b)
    routes = answered.all(H_RECORD_ROUTE)
    assert len(routes) == 2 and b"transport=tcp" in routes[0] and b"transport" not in routes[1]
    # the caller hangs up: its route set is the Record-Route turned round
    a.send(a.text(b"BYE", answered.contact_uri, to=b"sip:102@192.0.2.1", to_tag=b"h102", call_id=b"call-101", routes=list(reversed(routes))))
    bye = b.last(method=b"BYE")
    assert bye.get(H_ROUTE) is None and bye.uri == b"sip:102@192.0.2.12:5060"
    b.reply(bye, 200)
    assert a.last(200).cseq_method == b"BYE"


def test_nobody_passes_with_a_route_that_was_not_ours():
    home, (a, b) = home_of(101, 102)
    answer = a.send(a.text(b"BYE", b"sip:102@192.0.2.12:5060", to_tag=b"h102", routes=[b"<sip:192.0.2.1:5060;lr;house=0123456789ab>"]))
    assert answer.status == 403 and not b.phone.methods()


def test_a_strict_router_before_us_is_borne_with():
    home, (a,) = home_of(101)
    home.tcp = True
    b = home.member(b"102", 12)
    b.register()
    home.house.bindings.clear()
    home.bind(b"102", b.uri[1:-1], ("192.0.2.12", 5060, b"TCP"))
    invite, answered = dialog(a, b)
    ours = answered.all(H_RECORD_ROUTE)[-1]
    a.send(a.text(b"BYE", ours[1:-1], to=b"sip:102@192.0.2.1", to_tag=b"h102", call_id=b"call-101", routes=[b"<" + answered.contact_uri + b">"]))
    bye = b.last(method=b"BYE")
    assert bye.uri == answered.contact_uri and bye.get(H_ROUTE) is None


def test_an_ack_goes_by_too_and_nothing_is_kept_of_it():
    home, (a,) = home_of(101)
    home.tcp = True
    b = home.member(b"102", 12)
    b.register()
    home.house.bindings.clear()
    home.bind(b"102", b.uri[1:-1], ("192.0.2.12", 5060, b"TCP"))
    invite, answered = dialog(a, b)
    forwards = len(home.house.forwards)
    a.phone.send(a.text(b"ACK", answered.contact_uri, to=b"sip:102@192.0.2.1", to_tag=b"h102", call_id=b"call-101", routes=list(reversed(answered.all(H_RECORD_ROUTE)))))
    ack = b.last(method=b"ACK")
    assert ack.branch != invite.branch and len(home.house.forwards) == forwards


def test_the_door_calls_its_phones_and_the_others_hear_it_was_answered_elsewhere():
    home, (a, b) = home_of(101, 102)
    call = home.door.call("sip:100@192.0.2.1", "192.0.2.1", 20000)
    home.deliver()
    home.run(20)
    for phone in (a, b):
        assert phone.last(method=b"INVITE").get(field(b"supported")) == b"timer, replaces, norefersub"
        phone.reply(phone.last(method=b"INVITE"), 180)
    home.run(20)
    a.reply(a.last(method=b"INVITE"), 200, body=SDP)
    home.run(20)
    assert call.state == "up", call.words()
    assert b"Call completed elsewhere" in b.last(method=b"CANCEL").data
    assert a.last(method=b"ACK")
    call.hangup()
    home.run(20)
    assert a.last(method=b"BYE")


def test_a_phone_calls_the_door_with_its_password():
    home, (a,) = home_of(101)
    assert home.member(b"109", 66).invite(b"door").status == 407
    a.invite(b"door")
    home.run(20)
    assert len(home.calls) == 1 and home.calls[0].incoming


def test_other_methods_go_on_too():
    home, (a, b) = home_of(101, 102)
    a.ask(b"MESSAGE", b"sip:102@192.0.2.1", body=b"hello")
    message = b.last(method=b"MESSAGE")
    assert message.body == b"hello"
    home.run(900)
    assert b.phone.methods().count(b"MESSAGE") == 2
    b.reply(message, 200)
    assert a.last(200).cseq_method == b"MESSAGE"
    assert not home.house.forwards


def test_tables_that_are_full_are_503():
    home, (a, b) = home_of(101, 102)
    for n in range(8):
        a.ask(b"INVITE", b"sip:102@192.0.2.1", call_id=b"c%d" % n, more=(b"Contact: " + a.uri,))
    assert a.ask(b"INVITE", b"sip:102@192.0.2.1", call_id=b"c9", more=(b"Contact: " + a.uri,)).status == 503
