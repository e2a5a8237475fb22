"""Phones that are reached by the flow that they registered by, and by no other way (RFC 5626), in virtual time."""

from house_sip import Home, dialog
from lend import lend

from sip.scan import H_RECORD_ROUTE
from virtual_sip import SDP

TCP = b"TCP"
INSTANCE = b';+sip.instance="<urn:uuid:00000000-0000-1000-8000-%012d>"'
OUTBOUND = (b"Supported: path, outbound",)


def flow_of(home, member):
    """This phone sends by a connection from now on, from a port of its own."""
    home.tcp = True
    member.phone.address = (member.host, member.port, TCP)


def home_of(more=()):
    home = Home()
    a, b = home.member(b"101", 11), home.member(b"102", 12)
    assert a.register().status == 200
    home.trusted = (a.host,)
    return home, a, b


def outbound(b, n=1, reg=1, uri=None):
    return b.register(contact=(uri or b.uri) + INSTANCE % n + b";reg-id=%d" % reg, more=OUTBOUND)


def test_what_a_phone_is_told():
    home, a, b = home_of()
    answer = outbound(b)
    assert b"\r\nRequire: outbound\r\n" in answer.data and b"Flow-Timer" not in answer.data
    flow_of(home, b)
    assert b"\r\nFlow-Timer: 90\r\n" in outbound(b).data


def test_a_phone_behind_a_nat_is_asked_where_it_came_from():
    home, a, b = home_of()
    b.uri = b"<sip:102@10.0.0.7:5060>"
    b.register()
    a.invite(b"102")
    assert b.last(method=b"INVITE").uri == b"sip:102@10.0.0.7:5060"


def test_a_phone_on_a_connection_is_asked_by_it_whatever_its_contact_says():
    home, a, b = home_of()
    b = home.member(b"102", 12, 41234)
    flow_of(home, b)
    b.uri = b"<sip:102@192.0.2.12:5060>"
    b.register()
    a.invite(b"102")
    assert b.last(method=b"INVITE") and home.log[-1][2][:3] == ("192.0.2.12", 41234, TCP)


def test_a_connection_that_is_gone_is_not_waited_for():
    for reg in (b"", INSTANCE % 1 + b";reg-id=1"):
        home, a, b = home_of()
        b = home.member(b"102", 12, 41234)
        flow_of(home, b)
        b.register(contact=b.uri + reg, more=OUTBOUND)
        home.gone = (b.phone.address,)
        lend("sip.server.flows").lost(home.house, b.phone.address)
        assert home.contacts(b"102")[0][9] & 1  # as door.phones() then says
        start = home.now_ms
        assert a.invite(b"102").status == 480 and home.now_ms == start and not b.phone.methods()
        # It comes again by another, and is there again.
        again = home.member(b"102", 12, 41235)
        flow_of(home, again)
        again.authenticator = b.authenticator
        again.register(contact=again.uri + reg, more=OUTBOUND)
        a.invite(b"102")
        assert again.last(method=b"INVITE")


def test_it_breaks_while_it_is_asked():
    home, a, b = home_of()
    flow_of(home, b)
    b.register()
    a.invite(b"102")
    assert b.last(method=b"INVITE") and a.phone.statuses()[-1] == 100
    lend("sip.server.flows").lost(home.house, b.phone.address)
    assert a.phone.statuses()[-1] == 480


def test_it_breaks_when_the_caller_has_given_up():
    home, a, b = home_of()
    flow_of(home, b)
    b.register()
    a.invite(b"102")
    b.reply(b.last(method=b"INVITE"), 180)
    a.branch -= 1
    a.send(a.text(b"CANCEL", b"sip:102@192.0.2.1", sequence=a.sequence, call_id=b"call-101"))
    assert b.last(method=b"CANCEL") and a.phone.statuses()[-1] == 200
    lend("sip.server.flows").lost(home.house, b.phone.address)
    assert a.phone.statuses()[-1] == 487  # nobody there can say more


LONG = SDP + b"a=candidate:1 1 UDP 2130706431 192.0.2.11 4000 typ host\r\n" * 14


def long_call(contact=None, tcp=True, source=5060):
    """101 calls 102 with a request that is under 1,300 bytes until the door has added its part -> (home, a, b)."""
    home, a, b = home_of()
    b = home.member(b"102", 12, source)
    b.register(contact=contact)
    home.tcp = tcp
    text = a.text(b"INVITE", b"sip:102@192.0.2.1", body=LONG, more=(b"Contact: " + a.uri,), call_id=b"call-101")
    assert 1150 < len(text) <= 1300
    a.send(text)
    return home, a, b


def ways(home, b, method=b"INVITE"):
    """By which transport requests of this method went to the phone: (of the peer, of the Via) of each."""
    home.deliver()
    found = [one for one in home.log if one[2][:2] == (b.host, 5060) and one[3].startswith(method)]
    return [((one[2] + (b"UDP",))[2], one[3].split(b"Via: SIP/2.0/")[1][:3]) for one in found]


def test_what_has_grown_too_long_for_a_datagram_goes_by_tcp():
    """RFC 3261 18.1.1."""
    home, a, b = long_call()
    assert ways(home, b) == [(TCP, TCP)]
    home.run(400)
    b.reply(b.last(method=b"INVITE"), 180)
    home.run(40000)
    assert ways(home, b) == [(TCP, TCP)] and a.phone.statuses()[-1] == 180
    a.branch -= 1
    a.send(a.text(b"CANCEL", b"sip:102@192.0.2.1", sequence=a.sequence, call_id=b"call-101"))
    home.run(3000)
    assert ways(home, b, b"CANCEL") == [(TCP, TCP)] and b.last(method=b"CANCEL").branch == b.last(method=b"INVITE").branch
    b.reply(b.last(method=b"CANCEL"), 200, contact=False)
    b.reply(b.last(method=b"INVITE"), 487, contact=False)
    assert ways(home, b, b"ACK") == [(TCP, TCP)] and a.phone.statuses()[-1] == 487


def test_who_has_no_tcp_rings_all_the_same():
    udp = (b"UDP", b"UDP")
    # There is no room for a connection.
    home, a, b = long_call(tcp=False)
    assert ways(home, b) == [udp]
    # Nobody listens: the refusal comes a moment later.
    home, a, b = long_call()
    lend("sip.server.flows").lost(home.house, (b.host, 5060, TCP))
    assert ways(home, b) == [(TCP, TCP), udp]
    home.run(3000)
    assert ways(home, b)[2:] == [udp] * 2
    b.reply(b.last(method=b"INVITE"), 486, contact=False)
    assert ways(home, b, b"ACK") == [udp] and a.phone.statuses()[-1] == 486
    # Nothing is heard of it: a second is enough.
    home, a, b = long_call()
    home.run(1200)
    assert ways(home, b) == [(TCP, TCP), udp]
    home.run(33000)
    assert a.phone.statuses()[-1] == 408 and ways(home, b)[2:] == [udp] * (len(ways(home, b)) - 2)
    # It breaks while it rings: what is still to be said goes by UDP.
    home, a, b = long_call()
    b.reply(b.last(method=b"INVITE"), 180)
    lend("sip.server.flows").lost(home.house, (b.host, 5060, TCP))
    b.reply(b.last(method=b"INVITE"), 486, contact=False)
    assert ways(home, b) == [(TCP, TCP)] and ways(home, b, b"ACK") == [udp] and a.phone.statuses()[-1] == 486


def test_whose_transport_is_not_open_to_choice():
    for contact in (b"<sip:102@192.0.2.12:5060;transport=udp>", b"<sip:102@10.0.0.7:5060>"):
        home, a, b = long_call(contact)
        assert ways(home, b) == [(b"UDP", b"UDP")], contact


def test_the_newest_flow_of_one_phone_is_asked_and_another_when_it_is_gone():
    home, a, b = home_of()
    outbound(b, reg=1)
    home.run(1000)
    second = home.member(b"102", 12, 41235)
    flow_of(home, second)
    second.authenticator = b.authenticator
    assert outbound(second, reg=2).status == 200
    assert len(home.house.bindings) == 3
    a.invite(b"102")
    assert second.phone.methods() == [b"INVITE"] and not b.phone.methods()
    home.gone = (second.phone.address,)
    a.ask(b"MESSAGE", b"sip:102@192.0.2.1")
    assert b.phone.methods() == [b"MESSAGE"]


def test_the_same_flow_registers_anew_and_takes_its_own_place_alone():
    home, a, b = home_of()
    outbound(b, 1, 1)
    outbound(b, 1, 2, b"<sip:102@192.0.2.12:5062>")
    outbound(b, 2, 1, b"<sip:102@192.0.2.12:5064>")
    outbound(b, 1, 1, b"<sip:102@192.0.2.12:5066>")
    assert sorted([one[1][-4:] for one in home.contacts(b"102")]) == [b"5062", b"5064", b"5066"]


def test_both_sides_of_a_dialog_by_their_own_connections():
    # Neither's Contact leads anywhere: what follows finds its way by the flows in Record-Route alone.
    home = Home()
    a, b = home.member(b"101", 11, 40001), home.member(b"102", 12, 40002)
    for one in (a, b):
        flow_of(home, one)
        one.register()
    a.uri, b.uri = b"<sip:101@10.1.1.1;transport=tcp>", b"<sip:102@nowhere.example>"
    invite, answered = dialog(a, b)
    routes = answered.all(H_RECORD_ROUTE)
    assert len(routes) == 2
    a.send(a.text(b"BYE", answered.contact_uri, to=b"sip:102@192.0.2.1", to_tag=b"h102", call_id=b"call-101", routes=list(reversed(routes))))
    b.reply(b.last(method=b"BYE"), 200)
    assert a.last(200).cseq_method == b"BYE"
    # and from the other side
    b.phone.send(b.text(b"INFO", invite.contact_uri, to=b"sip:101@house", tag=b"h102", to_tag=b"t101", call_id=b"call-101", routes=invite.all(H_RECORD_ROUTE)))
    assert a.last(method=b"INFO")
    # A flow that is gone is told at once; so is a seal that was copied to another flow.
    home.gone = (b.phone.address,)
    answer = a.send(a.text(b"INFO", answered.contact_uri, to_tag=b"h102", call_id=b"call-101", routes=list(reversed(routes))))
    assert answer.status == 430
    forged = [one.replace(b"40002", b"40009") for one in reversed(routes)]
    answer = a.send(a.text(b"INFO", b"sip:102@198.51.100.1", to_tag=b"h102", call_id=b"call-101", routes=forged[1:]))
    assert answer.status == 403


def test_a_nat_that_lets_in_by_another_port_since():
    home, a, b = home_of()
    b.uri = b"<sip:102@10.0.0.7:5060>"
    b.register()
    _, answered = dialog(a, b)
    routes = list(reversed(answered.all(H_RECORD_ROUTE)))
    again = home.member(b"102", 12, 40777)
    again.authenticator = b.authenticator
    bye = {"to_tag": b"h102", "call_id": b"call-101", "routes": routes}
    a.send(a.text(b"INFO", answered.contact_uri, **bye))
    assert b.last(method=b"INFO")
    again.uri = b.uri
    again.sequence = 100
    assert again.register().status == 200
    a.send(a.text(b"BYE", answered.contact_uri, **bye))
    assert again.last(method=b"BYE") and b"BYE" not in b.phone.methods()
    # Who has never registered is known by his flow alone.
    home.house.bindings.clear()
    a.send(a.text(b"BYE", answered.contact_uri, **bye))
    assert b.last(method=b"BYE")


def test_stun_keep_alives_of_our_own_phones_are_answered():
    home, a, b = home_of()
    ask = b"\0\1\0\0\x21\x12\xa4\x42" + b"0123456789ab"
    a.phone.receive = lambda data, source: heard.append(data)
    b.phone.receive = lambda data, source: heard.append(data)
    heard = []
    a.phone.send(ask)
    # 192.0.2.11:5060 XOR 2112a442, 2112
    assert heard == [b"\1\1\0\x0c" + ask[4:] + b"\0\x20\0\x08\0\1" + bytes((0x13 ^ 0x21, 0xC4 ^ 0x12, 192 ^ 0x21, 0x12, 2 ^ 0xA4, 11 ^ 0x42))]
    del heard[:]
    b.phone.send(ask)  # who has not registered may be anybody, at an address that is not his
    for data in (ask[:-1], ask + b"x", b"\0\1\0\4" + ask[4:], b"\0\2" + ask[2:], b"\0" * 20, b"\0" * 5, b"\0\1\xff\xff" + ask[4:]):
        a.phone.send(data)
    assert not heard and home.door.faults == 0


def test_no_more_connections_than_there_may_be():
    home, a, b = home_of()
    phones = [home.member(user, 20, 40000 + k) for k, user in enumerate((b"101", b"102", b"103", b"104"))]
    for one in phones:
        flow_of(home, one)
    for one in phones[:3]:
        assert one.register().status == 200
    for _ in range(2):
        answer = phones[3].register()
        assert answer.status == 503 and b"over UDP" in answer.reason and answer.get(30) == b"60"
    assert len(home.said) == 1 and "house.max_tcp" in home.said[0] and "192.0.2.20" in home.said[0]
    # Over UDP it may; whoever is in renews; and a connection that is gone makes room.
    assert b.register().status == 200
    assert phones[0].register().status == 200
    home.gone = (phones[1].phone.address,)
    assert phones[3].register().status == 200
    # A phone that comes back by a new connection is no more than it was.
    again = home.member(b"103", 20, 40009)
    flow_of(home, again)
    again.uri = phones[2].uri
    assert again.register().status == 200


def test_what_found_no_room_is_sent_to_a_connection_all_the_same():
    """Over UDP timer A would repeat it, here nobody else does."""
    home, a, b = home_of()
    b = home.member(b"102", 12, 41234)
    flow_of(home, b)
    b.register()
    c = home.member(b"103", 13)
    c.register()
    send = home.door.transport.send
    refused = []

    def full(data, peer):
        if data.startswith(b"INVITE") and len(peer) > 2 and len(refused) < 2:
            refused.append(peer)
            raise MemoryError
        return send(data, peer)

    run = home.door.timers.run

    def clock():
        try:
            return run()
        except MemoryError:  # as the agent's task takes it
            return -1

    home.door.transport.send = full
    home.door.timers.run = clock
    a.invite(b"100")
    home.run(2000)
    assert len(refused) == 2
    assert b.phone.methods().count(b"INVITE") == 1 and c.last(method=b"INVITE")
