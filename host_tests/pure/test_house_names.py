"""Phones and the door are dialled by name, and a phone that rings is told who calls: by tables. The names of the house are those of
house_sip.PEOPLE: 101 is one, 102 is two."""

from house_sip import Home

from sip.scan import H_FROM

# Request-URI (RFC 3261 19.1.4), and who gets it: a number, "door", or the status that the caller gets.
DIALLED = (
    (b"sip:102@192.0.2.1", "102"),
    (b"sip:two@192.0.2.1", "102"),
    (b"sip:two@house", "102"),
    (b"sip:two@HOUSE", "102"),
    (b"SIP:two@house:5060", "102"),
    (b"sip:two@192.0.2.1;transport=udp", "102"),
    (b"sip:t%77o@house", "102"),
    (b"sip:%74%77%6F@house", "102"),
    (b"sip:%74%77%6f@house", "102"),
    (b"sip:%31%30%32@192.0.2.1", "102"),
    # A user part in other capitals is another URI, but none that anybody else here has: keyboards of phones begin with a capital.
    (b"sip:Two@house", "102"),
    (b"sip:TWO@192.0.2.1", "102"),
    (b"sip:%54wo@house", "102"),
    (b"sip:door@house", "door"),
    (b"sip:Door@192.0.2.1", "door"),
    (b"sip:do%6Fr@house", "door"),
    (b"sip:three@house", 480),  # is known, and not registered
    (b"sip:tw@house", 404),
    (b"sip:two%20@house", 404),
    (b"sip:t%wo@house", 404),
    (b"sip:two%00@house", 404),
    (b"sip:two@another", 403),
)

# Display name and user part of the caller's From, header lines of his, and what the phone that rings sees in From.
SHOWN = (
    (b"", b"101", (), b'"one" <sip:101@house>'),
    (b'"101" ', b"101", (), b'"one" <sip:101@house>'),
    (b"One ", b"101", (), b'"one" <sip:101@house>'),
    (b'"Mum \\"the\\" boss" ', b"101", (), b'"Mum \\"the\\" boss" <sip:101@house>'),
    (b"M\xc3\xbctze ", b"101", (), b'"M\xc3\xbctze" <sip:101@house>'),
    (b"", b"one", (), b'"one" <sip:one@house>'),
    (b"", b"%6fne", (), b'"one" <sip:%6fne@house>'),
    (b'"two" ', b"101", (), b'"one" <sip:101@house>'),
    (b'"TWO" ', b"101", (), b'"one" <sip:101@house>'),
    (b'"102" ', b"101", (), b'"one" <sip:101@house>'),
    (b'"Door" ', b"101", (), b'"one" <sip:101@house>'),
    (b"", b"101", (b'P-Asserted-Identity: "two" <sip:102@192.0.2.1>',), b'"one" <sip:101@house>'),
    (b"", b"101", (b"P-Asserted-Identity: <sip:102@192.0.2.1>", b"P-Asserted-Identity: <tel:102>"), b'"one" <sip:101@house>'),
    (b"", b"101", (b"Remote-Party-ID: <sip:102@192.0.2.1>", b"p-preferred-identity : <sip:102@192.0.2.1>"), b'"one" <sip:101@house>'),
    (b'"Two" ', b"101", (b"Privacy: id",), b'"Two" <sip:101@house>'),
)


def house():
    """A house with 101 and 102 registered; -> it and both phones."""
    home = Home()
    a, b = home.member(b"101", 11), home.member(b"102", 12)
    for one in (a, b):
        home.bind(one.user, b"sip:%s@%s" % (one.user, one.host.encode()), one.phone.address)
    home.door.admit = lambda host, request: None
    return home, a, b


def test_who_is_dialled():
    for uri, who in DIALLED:
        home, a, b = house()
        answer = a.ask(b"INVITE", uri, (b"Contact: " + a.uri,))
        if isinstance(who, int):
            assert answer.status == who, (uri, answer.data)
        rung = [one.uri for one in b.got if one.method == b"INVITE"]
        assert (rung == [b"sip:102@192.0.2.12"]) == (who == "102"), (uri, rung)
        assert len(home.calls) == (who == "door"), uri
        assert home.door.faults == 0


def test_what_the_phone_that_rings_shows():
    for display, user, more, wanted in SHOWN:
        _, a, b = house()
        text = a.text

        def named(*given, text=text, user=user, display=display, **rest):
            return text(*given, **rest).replace(b"From: <sip:101@", b"From: %s<sip:%s@" % (display, user))

        a.text = named
        a.ask(b"INVITE", b"sip:two@house", (b"Contact: " + a.uri,) + more)
        invite = b.last(method=b"INVITE")
        place = (display, user, more)
        assert invite.get(H_FROM) == wanted + b";tag=t101", (place, invite.data)
        claims = [line for line in invite.data.split(b"\r\n") if b"dentity" in line or b"arty" in line]
        if b"Privacy: id" in more:
            assert not claims, (place, claims)
        else:
            shown = wanted.rpartition(b" <")[0]
            assert claims == [b"P-Asserted-Identity: %s <sip:101@192.0.2.1:5060>" % shown], (place, claims)
        # What follows has the same From, to the letter (9.1).
        b.reply(invite, 180)
        a.send(a.text(b"CANCEL", b"sip:two@house", sequence=a.sequence).replace(b"101.%d;" % a.branch, b"101.%d;" % (a.branch - 1)))
        assert b.last(method=b"CANCEL").get(H_FROM) == invite.get(H_FROM), place


def test_who_says_to_be_another_is_refused():
    for claimed in (b"102", b"two", b"Two", b"%31%30%32", b"door", b"nobody"):
        _, a, b = house()
        answer = a.ask(b"INVITE", b"sip:102@house", (b"Contact: " + a.uri,), sender=claimed)
        assert answer.status == 403 and not [one for one in b.got if one.is_request], claimed


def test_a_phone_registers_by_its_name_but_not_by_anothers():
    home = Home()
    a = home.member(b"101", 11)
    for name, status in ((b"101", 200), (b"one", 200), (b"One", 200), (b"o%6Ee", 200), (b"two", 403), (b"door", 403)):
        answer = a.ask(b"REGISTER", b"sip:192.0.2.1", (b"Contact: " + a.uri,), to=b"sip:%s@house" % name)
        assert answer.status == status, name
    assert [one[0] for one in home.contacts(None)] == [b"101"]


def test_the_most_header_fields_that_a_message_may_have():
    """One more there may not be: it goes on as it came."""
    for count, wanted in ((54, b'From: "one" <sip:101@house>'), (55, b"From: <sip:101@house>")):
        home, a, b = house()
        heard = []
        b.phone.receive = lambda data, source, heard=heard: heard.append(bytes(data))
        a.ask(b"INVITE", b"sip:two@house", (b"Contact: " + a.uri,) + tuple([b"X-%d: 1" % n for n in range(count)]))
        assert wanted + b";tag=t101" in heard[0] and home.door.faults == 0, (count, heard)


def test_the_door_is_told_who_calls():
    from sip.server import caller

    for display, wanted in ((b"", "one"), (b"Mum ", "Mum"), (b"two ", "one")):
        home, a, _ = house()
        text = a.text
        a.text = lambda *given, text=text, display=display, **rest: text(*given, **rest).replace(b"From: <", b"From: %s<" % display)
        a.ask(b"INVITE", b"sip:door@house", (b"Contact: " + a.uri,))
        assert caller.guest(home.house, home.door, home.calls[0].display) == wanted
