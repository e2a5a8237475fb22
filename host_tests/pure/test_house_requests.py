"""Requests that come to a house, held against RFC 3261 8.3, 10.3 and 16.3 to 16.6 by tables: what comes in, and what must come
out. What comes back, and when, is in test_house_rules.py."""

from house_sip import Home

from sip.scan import H_VIA

DOOR = ("192.0.2.1", 5060)
US = b"sip:102@192.0.2.1"


def house():
    """A house whose phone 102 is registered; 101 is believed by its address, 104 has never registered."""
    home = Home()
    a, b = home.member(b"101", 11), home.member(b"102", 12)
    home.trusted = (a.host,)
    home.bind(b"102", b"sip:102@192.0.2.12:5060;line=7", b.phone.address)
    return home, a, b


def out_of(home, phone, data, mark):
    """What comes out of the door for this datagram: (messages to the phone that sent it but 100, to all others)."""
    phone.phone.send(data)
    new = [(peer, bytes(one)) for _, source, peer, one in home.log[mark:] if source == DOOR and not one.startswith(b"SIP/2.0 100")]
    return [one for peer, one in new if peer[0] == phone.host], [one for peer, one in new if peer[0] != phone.host]


def check(place, got, has, lacks=()):
    for one in has:
        assert one in got, "%s: %s is not in\n%s" % (place, one, got)
    for one in lacks:
        assert one not in got, "%s: %s is in\n%s" % (place, one, got)


# (place in RFC 3261, method, Request-URI, header lines more, lines to change (from, to), what comes out: a status, with what is in it,
# or for the phone: what is in it and what is not; () for nothing)
ON = "to the phone"
ROWS = (
    # 16.3 Request validation
    ("16.3 step 1: syntax", b"INVITE", US, (), (b"CSeq: 1 INVITE", b"CSeq: one INVITE"), (400,)),
    ("16.3 step 1: syntax of what the proxy reads alone", b"INVITE", US, (b"Via: SIP/2.0/UDP ;;,;",), (), (400,)),
    ("16.3 step 1: an unknown method is no fault", b"DANCE", US, (), (), (ON, (b"DANCE sip:102@192.0.2.12", b"CSeq: 1 DANCE"))),
    ("16.3 step 1: nor an unknown header field, whatever is in it", b"INVITE", US, (b"Blah: ;;,,;\"", b"X:\tY,"), (), (ON, (b"\r\nBlah: ;;,,;\"\r\nX:\tY,\r\n",))),
    ("16.3 step 2: a scheme that nobody knows", b"INVITE", b"nobody:102", (), (), (416,)),
    ("16.3 step 2: a scheme that is known elsewhere", b"OPTIONS", b"tel:102", (), (), (416,)),
    ("16.3 step 2: sips is by TLS all the way, or not at all", b"INVITE", b"sips:102@192.0.2.1", (), (), (416,)),
    ("16.3 step 3: Max-Forwards 0", b"INVITE", US, (), (b"Max-Forwards: 70", b"Max-Forwards: 0"), (483,)),
    ("16.3 step 3: OPTIONS with 0 may be answered here", b"OPTIONS", US, (), (b"Max-Forwards: 70", b"Max-Forwards: 0"), (200, b"Allow:")),
    ("16.3 step 3: 1 goes on as 0; 16.6 step 3", b"INVITE", US, (), (b"Max-Forwards: 70", b"Max-Forwards: 001"), (ON, (b"\r\nMax-Forwards: 0\r\n",))),
    ("16.6 step 3: where there is none, 70", b"INVITE", US, (), (b"Max-Forwards: 70\r\n", b""), (ON, (b"\r\nMax-Forwards: 70\r\n",))),
    ("16.3 step 4: a branch of somebody else's that looks like ours", b"INVITE", US, (b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKh00000000000123456ab",), (), (ON, ())),
    ("16.3 step 5: Proxy-Require", b"INVITE", US, (b"Proxy-Require: magic, gold", b"Proxy-Require: lead"), (), (420, b"Unsupported: magic, gold, lead")),
    ("16.3 step 5: Require is nothing for a proxy", b"INVITE", US, (b"Require: magic",), (), (ON, (b"Require: magic",))),
    # 16.4 Route information
    ("16.4: our Route is taken off", b"INVITE", US, (b"Route: <sip:192.0.2.1;lr>",), (), (ON, (), (b"Route",))),
    ("16.4: by our name, our port, in another case, and with a user", b"INVITE", US, (b"Route: <sip:HOUSE;lr>, <sip:192.0.2.1:5060;LR>", b"Route: <sip:x@house;lr=on>"), (), (ON, (), (b"Route",))),
    ("16.4: another's Route is not followed", b"INVITE", US, (b"Route: <sip:198.51.100.1;lr>",), (), (403,)),
    ("16.4: nor is one behind ours", b"INVITE", US, (b"Route: <sip:192.0.2.1;lr>, <sip:198.51.100.1;lr>",), (), (403,)),
    ("16.4: nor one with a seal that is not ours", b"BYE", b"sip:102@198.51.100.1", (b"Route: <sip:192.0.2.1;lr;house=0123456789ab_198.51.100.1_5060_>",), (), (403,)),
    ("16.4: a Route that is none", b"INVITE", US, (b"Route: <192.0.2.1",), (), (400,)),
    ("16.4: maddr that is us", b"INVITE", US + b";maddr=192.0.2.1", (), (), (ON, (b"INVITE sip:102@192.0.2.12:5060;line=7 SIP",))),
    ("16.4, 16.5: maddr of another", b"INVITE", US + b";maddr=198.51.100.1", (), (), (403,)),
    ("16.4: maddr makes no other domain ours", b"INVITE", b"sip:102@198.51.100.1;maddr=192.0.2.1", (), (), (403,)),
    # 16.5 Targets
    ("16.5: another domain", b"INVITE", b"sip:102@198.51.100.1", (), (), (403,)),
    ("16.5: our domain by another port", b"INVITE", b"sip:102@192.0.2.1:5070", (), (), (403,)),
    ("16.5: our domain by its realm, in any case", b"INVITE", b"sip:102@House", (), (), (ON, ())),
    ("16.5: nobody", b"INVITE", b"sip:105@192.0.2.1", (), (), (404,)),
    ("16.5: somebody who is not here", b"INVITE", b"sip:104@192.0.2.1", (), (), (480,)),
    ("16.5: several at once are the door's own affair", b"INVITE", b"sip:102,103@192.0.2.1", (), (), (404,)),
    ("19.1.4: escapes are what they stand for", b"INVITE", b"sip:%310%32@192.0.2.1", (), (), (ON, ())),
    ("19.1.4: a percent sign that is none", b"INVITE", b"sip:%3@192.0.2.1", (), (), (404,)),
    ("16.5: nobody is named: the door itself", b"OPTIONS", b"sip:192.0.2.1", (), (), (200,)),
    ("16.5: a To tag changes nothing", b"MESSAGE", US, (), (b"To: <sip:102@192.0.2.1>", b"To: <sip:102@192.0.2.1>;tag=x"), (ON, ())),
    # 16.6 Forwarding
    ("16.6 step 2: the Contact, with its parameters", b"INVITE", US, (), (), (ON, (b"INVITE sip:102@192.0.2.12:5060;line=7 SIP/2.0\r\n",))),
    ("16.6 step 8: our Via on top, the other as it came", b"INVITE", US, (b"v: SIP/2.0/TCP a.example;branch=z9hG4bKx",), (b";rport", b""), (ON, (b"SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKh", b"\r\nVia: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK101.1\r\n", b"\r\nv: SIP/2.0/TCP a.example;branch=z9hG4bKx\r\n"))),
    ("18.2.1, RFC 3581 4: with where it came from", b"INVITE", US, (), (b"192.0.2.11:5060", b"10.0.0.1:777"), (ON, (b";received=192.0.2.11;rport=5060",))),
    ("16.6 step 9: Content-Length where there is none", b"INVITE", US, (), (b"Content-Length: 0\r\n", b""), (ON, (b"\r\nContent-Length: 0\r\n",))),
    ("16.6: what is folded or short stays so", b"INVITE", US, (b"s: a\r\n b",), (b"Call-ID:", b"i:"), (ON, (b"\r\ns: a\r\n b\r\n", b"\r\ni: "))),
    ("18.3: what follows the body is no part of it", b"MESSAGE", US, (), (b"Content-Length: 0\r\n\r\n", b"Content-Length: 3\r\n\r\n\0\n\xffINVITE"), (ON, (b"\r\n\r\n\0\n\xff",), (b"INVITE",))),
    # RFC 5393 5
    ("RFC 5393 5.3.3: Max-Breadth is said", b"INVITE", US, (), (), (ON, (b"\r\nMax-Breadth: 60\r\n",))),
    ("RFC 5393 5.3.3: and is no more than it was", b"INVITE", US, (b"max-breadth: 7",), (), (ON, (b"\r\nMax-Breadth: 7\r\n",), (b"max-breadth",))),
    ("RFC 5393 5.3.3: nothing is left of it", b"INVITE", US, (b"Max-Breadth: 0",), (), (440,)),
    # 16.11, 16.10
    ("16.11: an ACK that belongs to nothing is dropped", b"ACK", US, (), (), ()),
    ("16.11: also with hops gone", b"ACK", b"sip:102@192.0.2.12", (), (b"Max-Forwards: 70", b"Max-Forwards: 0"), ()),
    ("16.10: a CANCEL of what never was", b"CANCEL", US, (), (), (481,)),
)  # fmt: skip


def test_requests():
    home, a, b = house()
    for place, method, uri, more, change, wanted in ROWS:
        a.sequence = 0
        a.branch = 0
        home.door.transactions._table.clear()
        del home.house.forwards[:], home.door.timers._list[:]
        data = a.text(method, uri, more=(b"Contact: " + a.uri,) + more, call_id=b"c%d" % len(home.log))
        if change:
            assert change[0] in data, place
            data = data.replace(change[0], change[1], 1)
        back, on = out_of(home, a, data, len(home.log))
        if not wanted:
            assert not back and not on, (place, back, on)
        elif wanted[0] == ON:
            assert len(on) == 1 and not back, (place, back, on)
            check(place, on[0], wanted[1], wanted[2] if len(wanted) > 2 else ())
        else:
            assert len(back) == 1 and not on, (place, back, on)
            check(place, back[0], (b"SIP/2.0 %d " % wanted[0],) + wanted[1:])
    assert not home.door.faults


def test_who_is_believed():
    """16.3 step 6."""
    for place, method, uri, to_tag, status in (
        ("22.3: a stranger is asked", b"INVITE", US, b"", 407),
        ("22.3: whatever the method", b"DANCE", US, b"", 407),
        ("22.3: also within what he calls a dialog", b"MESSAGE", US, b"x", 407),
        ("22.1: CANCEL cannot be asked", b"CANCEL", US, b"", 481),
        ("22.1: nor ACK", b"ACK", US, b"", 0),
        ("nobody is asked for what is refused anyway", b"INVITE", b"sip:102@198.51.100.1", b"", 403),
        ("11: OPTIONS of the door is for all", b"OPTIONS", b"sip:192.0.2.1", b"", 200),
    ):
        home, _, b = house()
        stranger = home.member(b"103", 66)
        data = stranger.text(method, uri, to_tag=to_tag)
        back, on = out_of(home, stranger, data, len(home.log))
        assert not on and [one[:12] for one in back] == ([b"SIP/2.0 %d " % status] if status else []), (place, back, on)
        if status == 407:
            assert back[0].count(b"\r\nProxy-Authenticate: Digest ") == 2 and b'realm="house"' in back[0], place


def test_a_password_for_this_house_goes_no_further():
    """22.3: and one for another does."""
    home, a, b = house()
    home.trusted = ()
    a.register()
    other = b'Proxy-Authorization: Digest username="x", realm="other", nonce="1", uri="sip:102@house", response="2"'
    a.invite(b"102", more=(other,))
    got = b.last(method=b"INVITE").data
    assert other in got and got.count(b"Proxy-Authorization") == 1


def test_redirect():
    """8.3."""
    home, a, b = house()
    c = home.member(b"102", 13)
    home.bind(b"102", b"sip:102@192.0.2.13:5060", c.phone.address, "q=0.25")
    home.house.redirected = (b"102",)
    for method, status, contacts in (
        (b"INVITE", 302, [b"<sip:102@192.0.2.12:5060;line=7>;q=1.000", b"<sip:102@192.0.2.13:5060>;q=0.250"]),
        (b"MESSAGE", 0, []),  # only calls are
    ):
        back, on = out_of(home, a, a.text(method, US), len(home.log))
        assert [int(one[8:12]) for one in back] == ([status] if status else []) and bool(on) == (not status)
        for one in contacts:
            assert one in back[0]
    # Nobody is here, or nobody of that number: nothing to say (8.3, 21.4.5)
    home.house.redirected = (b"*",)
    assert a.send(a.text(b"INVITE", b"sip:104@192.0.2.1")).status == 480
    assert a.send(a.text(b"INVITE", b"sip:105@192.0.2.1")).status == 404


# (place, Contact URI, how it has registered: port, transport, Path; whether it is named)
PORT, FLOW, TCP = 5060, b";+sip.instance=\"<urn:uuid:1>\";reg-id=1", b";transport=tcp"
NAMED = (
    ("8.3: its own address", b"sip:102@192.0.2.12:5060", PORT, b"", b"", True),
    ("8.3: listening at another port than it sends from", b"sip:102@192.0.2.12:5060", 41234, b"", b"", True),
    ("8.3: over TCP, it says where it listens", b"sip:102@192.0.2.12:5060" + TCP, 41234, TCP, b"", True),
    ("RFC 5626 1: it names where it has connected from", b"sip:102@192.0.2.12:41234" + TCP, 41234, TCP, b"", False),
    ("8.3: it names UDP, and came by TCP", b"sip:102@192.0.2.12:5060", 41234, TCP, b"", False),
    ("RFC 5626 1: behind a NAT", b"sip:102@10.0.0.7:5060", PORT, b"", b"", False),
    ("RFC 5626 1: or with a name of its own", b"sip:102@phone.invalid:5060", PORT, b"", b"", False),
    ("RFC 5626 5.3: by its flow", b"sip:102@192.0.2.12:5060", PORT, b"", FLOW, False),
    ("RFC 5626 4.3: which its URI asks for", b"sip:102@192.0.2.12:5060;ob", PORT, b"", b"", False),
    ("RFC 3327 5.3: by its Path", b"sip:102@192.0.2.12:5060", PORT, b"", b"Path: <sip:192.0.2.12;lr>", False),
)  # fmt: skip


def test_who_cannot_be_named_is_called_from_here():
    for place, uri, port, over, how, is_named in NAMED:
        home, a, b = house()
        home.house.bindings.clear()
        home.tcp = bool(over)
        b = home.member(b"102", 12, port)
        if over:
            b.phone.address += (b"TCP",)
        more = (OB,) if how == FLOW else (how + b"\r\n" + OB,) if how else ()
        assert b.register(contact=b"<%s>" % uri + (how if how == FLOW else b""), more=more).status == 200, place
        home.house.redirected = (b"*",)
        a.phone.send(a.text(b"INVITE", b"sip:102@192.0.2.1", more=(b"Contact: " + a.uri,)))
        assert (a.phone.statuses()[-1] == 302) == is_named and bool(b.phone.methods()) != is_named, (place, a.phone.statuses())
        # One of several: then all are, or some would not ring.
        c = home.member(b"102", 13)
        c.authenticator = b.authenticator
        assert c.register().status == 200
        since = len(a.phone.statuses())
        a.phone.send(a.text(b"INVITE", b"sip:102@192.0.2.1", more=(b"Contact: " + a.uri,), call_id=b"second"))
        assert (a.phone.statuses()[since:][-1] == 302) == is_named and bool(c.phone.methods()) != is_named, place


# (place, Request-URI, To, Contact lines, more lines, status, what is in the answer, users' bindings then). Each from an empty house.
HERE = b"sip:192.0.2.1"
ME = b"sip:101@house"
C = b"<sip:101@192.0.2.11:5060>"
I1 = C + b';+sip.instance="<urn:uuid:1>";reg-id=1'
OB = b"Supported: path, Outbound"
REGISTERS = (
    ("10.3 step 1: another domain", b"sip:198.51.100.1", ME, (C,), (), 404, (), 0),
    ("10.3 step 1: a Request-URI that is none", b"sip:", ME, (C,), (), 400, (), 0),
    ("10.3 step 2: Require", HERE, ME, (C,), (b"Require: magic, 100rel, path",), 420, (b"Unsupported: magic, 100rel\r\n",), 0),
    ("10.3 step 2: of what a registrar does", HERE, ME, (C,), (b"Require: path, outbound",), 200, (), 1),
    ("10.3 step 4: for another", HERE, b"sip:102@house", (C,), (), 403, (), 0),
    ("10.3 step 5: an address of record elsewhere", HERE, b"sip:101@198.51.100.1", (C,), (), 404, (), 0),
    ("10.3 step 5: one that is no SIP", HERE, b"tel:101", (C,), (), 400, (), 0),
    ("10.3 step 5: escapes are undone, parameters do not count", HERE, b"sip:%3101@192.0.2.1;x=y", (C,), (), 200, (), 1),
    ("10.3 step 6: * without Expires", HERE, ME, (b"*",), (), 400, (), 0),
    ("10.3 step 6: * with another Contact", HERE, ME, (b"*", C), (b"Expires: 0",), 400, (), 0),
    ("10.3 step 6: * of nothing", HERE, ME, (b"*",), (b"Expires: 0",), 200, (), 0),
    ("10.3 step 7: too short", HERE, ME, (C + b";expires=59",), (), 423, (b"Min-Expires: 60",), 0),
    ("10.3 step 7: the Contact's own goes before Expires", HERE, ME, (C + b";expires=61",), (b"Expires: 600",), 200, (b";expires=61\r\n",), 1),
    ("20.19: what is none is as if it were not there", HERE, ME, (C + b";expires=soon",), (), 200, (b";expires=300\r\n",), 1),
    ("RFC 4475 3.1.2.4: more than 32 bits", HERE, ME, (C,), (b"Expires: 99999999999999",), 200, (b";expires=3600\r\n",), 1),
    ("10.3 step 8: all of them", HERE, ME, (C, b"<sip:101@192.0.2.11:5062>;q=0.5"), (), 200, (b";q=0.500",), 2),
    ("10.3 step 8: or none", HERE, ME, (C, b"<mailto:x@example.com>"), (), 400, (), 0),
    ("10.3 step 8: too short among them", HERE, ME, (C, b"<sip:101@192.0.2.11:5062>;expires=1"), (), 423, (), 0),
    ("19.1.4: equal ones are one", HERE, ME, (C, b"<sip:%3101@192.0.2.11:5060>"), (), 200, (), 1),
    ("19.1.4: the usual port is not the same as none", HERE, ME, (C, b"<sip:101@192.0.2.11>"), (), 200, (), 2),
    ("RFC 3327 5.3: Path", HERE, ME, (C,), (b"Path: <sip:192.0.2.11;lr>", OB), 200, (b"\r\nPath: <sip:192.0.2.11;lr>\r\n",), 1),
    ("RFC 3327 5.1: which is a loose router", HERE, ME, (C,), (b"Path: <sip:192.0.2.11>",), 400, (), 0),
    ("RFC 5626 6: reg-id, instance and option tag", HERE, ME, (I1,), (OB,), 200, (b"\r\nRequire: outbound\r\n",), 1),
    ("RFC 5626 6: without the tag it is a usual one", HERE, ME, (I1,), (), 200, (), 1),
    ("RFC 5626 6: without instance, too", HERE, ME, (C + b";reg-id=1",), (OB,), 200, (), 1),
    ("RFC 5626 6: one at a time", HERE, ME, (I1, b"<sip:101@192.0.2.11:5062>"), (OB,), 400, (), 0),
    ("RFC 5626 6: by a proxy that knows nothing of it", HERE, ME, (I1,), (OB, b"Via: SIP/2.0/UDP 192.0.2.50"), 439, (), 0),
    ("RFC 5626 6: by one that does", HERE, ME, (I1,), (OB, b"Via: SIP/2.0/UDP 192.0.2.50", b"Path: <sip:192.0.2.50;lr;ob>"), 200, (b"Require: outbound",), 1),
)  # fmt: skip


def test_registers():
    home = Home()
    phone = home.member(b"101", 11)
    for place, uri, to, contacts, more, status, has, bound in REGISTERS:
        del home.house.bindings[:]
        phone.call_id = b"r%d" % len(home.log)
        answer = phone.ask(b"REGISTER", uri, to=to, more=tuple([b"Contact: " + one for one in contacts]) + more)
        assert answer.status == status, (place, answer.status, answer.reason)
        is_outbound = [one for one in has if b"Require: outbound" in one]
        check(place, answer.data, has, () if is_outbound else (b"Require:",))
        assert len(home.house.bindings) == bound, (place, home.house.bindings)
    assert not home.door.faults


def test_forgeries_change_nothing():
    """Each is a REGISTER of 101's that somebody has heard, and changed; or the same once more."""
    home = Home()
    phone = home.member(b"101", 11)
    phone.register()
    thief = home.phone("192.0.2.66")
    home.run(1000)
    good = phone.text(
        b"REGISTER", HERE, to=ME, more=(b"Contact: " + phone.uri + b";expires=600", phone.authenticator.line(b"REGISTER", HERE))
    )
    later = phone.text(b"REGISTER", HERE, to=ME, more=(b"Contact: *", b"Expires: 0", phone.authenticator.line(b"REGISTER", HERE)))
    for place, data, changes in (
        ("another Contact", good, ((b"192.0.2.11:5060>;exp", b"192.0.2.66:5060>;exp"), (b"branch=", b"branch=z9hG4bKt"))),
        ("the same count", good, ((b"branch=", b"branch=z9hG4bKt"), (b"CSeq: ", b"CSeq: 9"))),
        ("another count", good, ((b"nc=00000002", b"nc=00000003"), (b"branch=", b"branch=z9hG4bKt"))),
        ("a nonce of his own", good, ((b'nonce="', b'nonce="0'), (b"branch=", b"branch=z9hG4bKt"))),
        ("another user", good, ((b'username="101"', b'username="102"'), (b"To: <sip:101", b"To: <sip:102"))),
        ("no password", good, ((b"\r\nAuthorization:", b"\r\nX:"),)),
        ("no quality", good, ((b"qop=auth", b"qip=auth"),)),
        ("another method's answer", later, ((b"REGISTER", b"INVITE"),)),
    ):
        if place == "another Contact":
            assert phone.send(good).status == 200  # the rightful one came first
            before = [bytes(one) for one in home.house.bindings]
        for old, new in changes:
            assert old in data, (place, old, data)
            data = data.replace(old, new, 1)
        del thief.got[:]
        thief.send(data)
        home.deliver()
        assert [bytes(one) for one in home.house.bindings] == before, place
        assert all([one.status in (401, 403, 407, 400, 404, 503) for one in thief.got]), (place, thief.statuses())
        home.house.wrong.clear()
    # Nobody's guess has made the rightful one's own next request any worse.
    assert phone.send(later).status == 200 and not home.house.bindings


def test_vias_of_an_answer():
    """16.7 step 3: all of the caller's come back, as they went, with where he was seen."""
    home, a, b = house()
    a.phone.send(a.text(b"MESSAGE", US, more=(b"Via: SIP/2.0/UDP x.example, SIP/2.0/TCP y.example",)))
    b.reply(b.last(method=b"MESSAGE"), 200)
    vias = a.last(200).all(H_VIA)
    assert vias[0].startswith(b"SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK101.1") and vias[1:] == [b"SIP/2.0/UDP x.example", b"SIP/2.0/TCP y.example"]
    assert b"rport=5060" in vias[0] and b"received=192.0.2.11" in vias[0]


def test_every_table_is_bounded():
    """What has no room is told so by 503, and when it may come again; what is there already goes on."""
    home, a, b = house()
    a.register()
    here = home.house
    sizes = (len(here.asked), len(here.answered))
    c = home.member(b"103", 13)
    here.LIMIT = len(here.bindings)
    assert c.register().status == 503 and c.got[-1].get(30) == b"60"
    assert a.register().status == 200
    here.LIMIT += 1
    assert c.register().status == 200 and home.member(b"104", 14).register().status == 503
    here.EACH = 1
    assert home.member(b"103", 15).register().status == 503
    # Requests on their way at once, and their transactions.
    for n in range(9):
        a.phone.send(a.text(b"INVITE", US, call_id=b"w%d" % n, more=(b"Contact: " + a.uri,)))
    assert len(here.forwards) == 8 and a.last(503).get(30) == b"5" and b.phone.methods().count(b"INVITE") == 8
    home.run(80000)
    home.door.transactions.limit = 1
    for n in range(2):
        a.phone.send(a.text(b"INVITE", US, call_id=b"v%d" % n, more=(b"Contact: " + a.uri,)))
    assert len(here.forwards) == 1 and a.got[-1].status == 503 and a.got[-1].get(30) == b"5"
    home.run(80000)
    # What is remembered of who was asked, who guessed wrongly, and which calls were answered.
    for n in range(10):
        stranger = home.member(b"101", 100 + n)
        stranger.authenticator.password = b"wrong"
        stranger.register()
    for n in range(34):
        a.authenticator._answers.clear()
        a.register()
    assert sizes == (len(here.asked), len(here.answered)) and len(here.wrong) <= 8 and len(here.passed) <= 8
    assert not home.door.faults and not here.forwards
