"""A phone of the house hands a call with the world on (RFC 3515, RFC 5589), in virtual time."""

from house_out import ANSWER, CHALLENGE, Outside, answered, inside
from virtual_sip import SDP

from sip.scan import H_CONTACT, field

OFFER = SDP.replace(b"192.0.2.2", b"192.0.2.12").replace(b"4000", b"6000")
BACK = ANSWER + b"a=ptime:20\r\n"


def refer(phone, ok, to, more=(), status=202):
    """The phone of a call asks for it, in the dialog that `ok` answered."""
    got = len(phone.got)
    inside(phone, ok, b"REFER", more=(b"Refer-To: <%s>" % to, b"Contact: " + phone.uri) + tuple(more))
    answer = [one for one in phone.got[got:] if one.cseq_method == b"REFER"][-1]
    assert answer.status == status, answer.data
    return answer


def told(phone):
    """(Event, state, status line) of each NOTIFY that has come; they are answered."""
    phone.home.deliver()
    out = []
    for message in [one for one in phone.got if one.method == b"NOTIFY"]:
        phone.got.remove(message)
        assert message.get(field(b"content-type")) == b"message/sipfrag;version=2.0" and message.body.endswith(b"\r\n")
        out.append((message.get(field(b"event")), message.get(field(b"subscription-state")).split(b";")[0], message.body.strip()))
        phone.reply(message, 200, contact=False)
    return out


def begun(*numbers):
    """101 is in a call with 0123, and has asked that this goes on with 102."""
    home = Outside(*numbers or (101, 102))
    a = home.members[0]
    ok, invite = answered(home, a)
    home.run(40000)
    refer(a, ok, b"sip:102@192.0.2.1", (b"Referred-By: <sip:101@house>",))
    return home, ok, invite


def test_blind_to_a_phone_of_the_house():
    home, ok, invite = begun()
    a, b = home.members
    assert told(a) == [(b"refer", b"active", b"SIP/2.0 100 Trying")]
    offered = b.last(method=b"INVITE")
    assert offered.body == b"" and offered.from_uri == ok.to_uri and offered.get(field(b"referred-by")) == b"<sip:101@house>"
    b.reply(offered, 180)
    b.reply(offered, 180)
    assert told(a) == [(b"refer", b"active", b"SIP/2.0 180 Ringing")]
    home.run(1000)
    b.reply(offered, 200, body=OFFER)
    change = home.asked(b"INVITE")
    assert change.body == OFFER and change.to_tag == b"far" and change.cseq == invite.cseq + 1
    assert b"ACK" not in b.phone.methods() and not told(a)
    home.run(1000)
    home.say(change, 401, more=(CHALLENGE % b"n1",))
    change = home.asked(b"INVITE")
    assert change.cseq == invite.cseq + 2 and change.body == OFFER
    home.say(change, 200, BACK)
    assert home.asked(b"ACK").cseq == change.cseq and home.asked(b"ACK").body == b"" and b.last(method=b"ACK").body == BACK
    assert told(a) == [(b"refer", b"terminated", b"SIP/2.0 200 OK")]
    a.reply(a.last(method=b"BYE"), 200, contact=False)
    assert "0123 goes on with 102." in home.said[-1] and len(home.house.bridged) == 2
    home.run(1000)
    # What comes again is confirmed again, and nobody is sent away.
    for one, phone in ((change, None), (offered, b)):
        acks = home.provider.methods().count(b"ACK"), b.phone.methods().count(b"ACK")
        home.say(one, 200, BACK) if phone is None else phone.reply(one, 200, body=OFFER)
        assert (home.provider.methods().count(b"ACK"), b.phone.methods().count(b"ACK")) == (acks[0] + (phone is None), acks[1] + (phone is b))
    assert b"BYE" not in home.provider.methods() and b"BYE" not in b.phone.methods()
    # From here on it is a call like any.
    tags = dict(to=b"<%s>;tag=%s" % (invite.from_uri, invite.from_tag), sender=b"<sip:0123@far>;tag=far", call_id=invite.call_id)
    home.ask(b"INFO", invite.contact_uri, body=b"Signal=5\r\n", more=(b"Content-Type: application/dtmf-relay",), **tags)
    assert b.last(method=b"INFO").body == b"Signal=5\r\n" and b"INFO" not in a.phone.methods()
    b.reply(b.last(method=b"INFO"), 200, contact=False)
    b.send(b.text(b"BYE", offered.contact_uri, to=offered.from_uri, to_tag=offered.from_tag, tag=b"h102", call_id=offered.call_id))
    assert b.phone.statuses()[-1] == 200
    home.say(home.asked(b"BYE"), 200)
    home.over()


def test_it_comes_to_nothing_and_the_call_goes_on():
    for what in ("busy", "silent", "no offer", "refused outside", "hung up"):
        home, ok, invite = begun()
        a, b = home.members
        told(a)
        offered = b.last(method=b"INVITE")
        if what == "busy":
            b.reply(offered, 486, contact=False)
        elif what == "silent":
            home.run(33000)
        else:
            b.reply(offered, 200, body=b"" if what == "no offer" else OFFER)
            if what != "no offer":
                change = home.asked(b"INVITE")
                if what == "hung up":
                    b.send(b.text(b"BYE", offered.contact_uri, to=offered.from_uri, to_tag=offered.from_tag, tag=b"h102", call_id=offered.call_id))
                    assert b.phone.statuses()[-1] == 200
                home.say(change, 488 if what == "refused outside" else 200, b"" if what == "refused outside" else BACK)
            assert b.last(method=b"ACK").body == b""
        event, state, line = told(a)[-1]
        wanted = {"busy": b"486", "silent": b"408", "no offer": b"488", "refused outside": b"488", "hung up": b"603"}[what]
        assert (event, state, line[:11]) == (b"refer", b"terminated", b"SIP/2.0 " + wanted), (what, line)
        assert "0123 was to go on with 102: " in home.said[-1] and len(home.house.bridged) == 2
        if what in ("no offer", "refused outside"):
            b.reply(b.last(method=b"BYE"), 200, contact=False)
        assert home.provider.methods().count(b"ACK") == (1 if what in ("busy", "silent", "no offer") else 2)
        # It may try once more, and the second is told apart.
        refer(a, ok, b"sip:103@192.0.2.1")
        assert told(a)[-1] == (b"refer;id=%d" % a.sequence, b"terminated", b"SIP/2.0 480 No phone of that number is registered"), what
        inside(a, ok, b"BYE")
        home.say(home.asked(b"BYE"), 200)
        home.over()


def test_the_phone_does_not_wait_for_it():
    """Some hang up as soon as the REFER is accepted."""
    for what in ("answered", "busy", "outside gives up"):
        home, ok, invite = begun()
        a, b = home.members
        told(a)
        inside(a, ok, b"BYE")
        assert a.phone.statuses()[-1] == 200 and b"BYE" not in home.provider.methods()
        offered = b.last(method=b"INVITE")
        tags = dict(to=b"<%s>;tag=%s" % (invite.from_uri, invite.from_tag), sender=b"<sip:0123@far>;tag=far", call_id=invite.call_id)
        home.ask(b"INVITE", invite.contact_uri, body=ANSWER, **tags)
        assert home.provider.last(491)
        home.ask(b"ACK", invite.contact_uri, branch=invite.call_id + b"1INVITE", **tags)
        if what == "answered":
            b.reply(offered, 200, body=OFFER)
            home.say(home.asked(b"INVITE"), 200, BACK)
            assert b.last(method=b"ACK").body == BACK and len(home.house.bridged) == 2
            home.house.bridged[0].hangup()
            b.reply(b.last(method=b"BYE"), 200, contact=False)
            home.say(home.asked(b"BYE"), 200)
        elif what == "busy":
            b.reply(offered, 486, contact=False)
            home.say(home.asked(b"BYE"), 200)
        else:
            b.reply(offered, 180)
            home.ask(b"BYE", invite.contact_uri, sequence=2, **tags)
            assert home.provider.last(200).cseq_method == b"BYE"
            b.reply(b.last(method=b"CANCEL"), 200, contact=False)
            b.reply(offered, 487, contact=False)
        assert not told(a)
        home.over()


def test_the_call_ends_while_he_rings():
    home, ok, invite = begun()
    a, b = home.members
    offered = b.last(method=b"INVITE")
    home.house.bridged[0].hangup()
    home.say(home.asked(b"BYE"), 200)
    a.reply(a.last(method=b"BYE"), 200, contact=False)
    told(a)
    assert b"CANCEL" not in b.phone.methods()
    b.reply(offered, 180)
    b.reply(b.last(method=b"CANCEL"), 200, contact=False)
    b.reply(offered, 200, body=OFFER)  # they have crossed
    assert b.last(method=b"ACK")
    b.reply(b.last(method=b"BYE"), 200, contact=False)
    home.over()


def test_blind_to_a_number_outside():
    home = Outside(101)
    (a,) = home.members
    ok, invite = answered(home, a)
    refer(a, ok, b"sip:0456@192.0.2.1", (b"Refer-Sub: false",))
    second = home.asked(b"INVITE")
    assert second.uri == b"sip:0456@198.51.100.9" and second.call_id != invite.call_id and second.from_uri == b"sip:555@198.51.100.9"
    home.say(second, 407, more=(CHALLENGE.replace(b"WWW", b"Proxy") % b"n1",))
    second = home.asked(b"INVITE")
    assert b'username="555"' in second.get(field(b"proxy-authorization"))
    home.say(second, 200, OFFER, tag=b"second")
    change = home.asked(b"INVITE")
    assert change.call_id == invite.call_id and change.body == OFFER
    home.say(change, 200, BACK)
    assert not told(a)  # it did not want to know
    a.reply(a.last(method=b"BYE"), 200, contact=False)
    home.house.bridged[0].hangup()
    for one in [one for one in home.provider.got if one.method == b"BYE"]:
        home.say(one, 200)
    assert home.provider.methods().count(b"BYE") == 2
    home.over()


def test_what_is_refused():
    home = Outside(101, 102)
    a, b = home.members
    ok, invite = answered(home, a)
    for to, status, words in (
        (b"sip:0456@203.0.113.5", 603, b"Only to numbers of the house"),
        (b"sip:9@192.0.2.1", 403, b"Not among house.out.prefixes"),
        (b"sip:alice@192.0.2.1", 404, b"No such number in this house"),
        (b"sip:door@192.0.2.1", 603, b"The door itself"),
        (b"sip:102@192.0.2.1;method=BYE", 603, b"Only calls"),
        (b"tel:0456", 603, b"Only calls to sip addresses"),
        (b"sip:0456@192.0.2.1?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2", 481, b"does not go by here"),
    ):
        assert words in refer(a, ok, to, status=status).data, to
    refer(a, ok, b"sip:102@192.0.2.1")
    refer(a, ok, b"sip:102@192.0.2.1", status=491)
    assert home.provider.methods().count(b"INVITE") == 1 and b.phone.methods() == [b"INVITE"]


def test_attended_to_a_phone_of_the_house():
    """The phone has talked with 102 directly: it is 102's own phone that takes its place, by Replaces (RFC 3891)."""
    home = Outside(101, 102)
    a, b = home.members
    ok, invite = answered(home, a)
    refer(a, ok, b"sip:102@192.0.2.12:5060?Replaces=direct%3Bto-tag%3Dh102%3Bfrom-tag%3Dt101")
    offered = b.last(method=b"INVITE")
    assert offered.uri == b"sip:102@192.0.2.12:5060" and offered.get(field(b"replaces")) == b"direct;to-tag=h102;from-tag=t101"
    b.reply(offered, 200, body=OFFER)
    home.say(home.asked(b"INVITE"), 200, BACK)
    assert b.last(method=b"ACK").body == BACK and told(a)[-1][2] == b"SIP/2.0 200 OK"


def test_attended_between_two_calls_outside():
    for what in ("answered", "refused", "the second hangs up"):
        home = Outside(101)
        (a,) = home.members
        ok, first = answered(home, a)
        a.ask(b"INVITE", b"sip:0456@192.0.2.1", more=(b"Contact: " + a.uri,), body=SDP, call_id=b"second", tag=b"t2")
        second = home.asked(b"INVITE")
        home.say(second, 200, ANSWER, tag=b"two")
        there = a.last(200)
        a.send(a.text(b"ACK", there.contact_uri, to=there.to_uri, to_tag=there.to_tag, tag=b"t2", call_id=b"second", sequence=a.sequence))
        refer(a, ok, there.contact_uri + b"?Replaces=second%3Bto-tag%3D" + there.to_tag + b"%3Bfrom-tag%3Dt2")
        asked = home.asked(b"INVITE")
        assert asked.call_id == second.call_id and asked.to_tag == b"two" and asked.body == b"" and asked.cseq == second.cseq + 1
        if what == "refused":
            home.say(asked, 488, tag=b"two")
            assert told(a)[-1][2].startswith(b"SIP/2.0 488") and len(home.house.bridged) == 4
            continue
        home.say(asked, 200, OFFER, tag=b"two")
        change = home.asked(b"INVITE")
        assert change.call_id == first.call_id and change.to_tag == b"far" and change.body == OFFER
        home.say(change, 200, BACK)
        acks = [one for one in home.provider.got if one.method == b"ACK"]
        assert [(one.call_id, one.body) for one in acks[-2:]] == [(first.call_id, b""), (second.call_id, BACK)]
        assert told(a)[-1][2] == b"SIP/2.0 200 OK" and a.phone.methods().count(b"BYE") == 2
        for bye in [one for one in a.got if one.method == b"BYE"]:
            a.reply(bye, 200, contact=False)
        tags = dict(to=b"<%s>;tag=%s" % (second.from_uri, second.from_tag), sender=b"<sip:0456@far>;tag=two", call_id=second.call_id)
        home.ask(b"BYE", second.contact_uri, **tags)
        bye = home.asked(b"BYE")
        assert bye.call_id == first.call_id
        home.say(bye, 200)
        home.over()


def test_phones_are_told_that_they_may():
    home = Outside(101)
    (a,) = home.members
    a.invite(b"0123")
    home.say(home.asked(b"INVITE"), 200, ANSWER, more=(b"Allow: INVITE, ACK, REFER, BYE",))
    assert a.last(200).get(field(b"allow")) == b"INVITE, ACK, BYE, REFER" and a.last(200).get(H_CONTACT)


def test_to_a_phone_on_a_connection():
    """What follows goes by the door's proxy then, with its Record-Route."""
    home = Outside(101)
    home.tcp = True
    (a,) = home.members
    b = home.member(b"102", 12, 41234)
    b.phone.address += (b"TCP",)
    b.uri = b"<sip:102@192.0.2.12:41234;transport=tcp>"
    assert b.register().status == 200
    ok, invite = answered(home, a)
    refer(a, ok, b"sip:102@192.0.2.1")
    offered = b.last(method=b"INVITE")
    b.reply(offered, 200, body=OFFER, more=[b"Record-Route: " + one for one in offered.all(field(b"record-route"))])
    home.say(home.asked(b"INVITE"), 200, BACK)
    assert b.last(method=b"ACK").body == BACK and told(a)[-1][2] == b"SIP/2.0 200 OK"
    home.house.bridged[0].hangup()
    assert b.last(method=b"BYE")


def test_a_call_that_came_from_outside():
    """Who takes it sees who called."""
    home = Outside(101, 102, phones=b"101")
    a, b = home.members
    home.ask(b"INVITE", b"sip:555@192.0.2.1:5060", body=ANSWER)
    invite = a.last(method=b"INVITE")
    a.reply(invite, 200, body=SDP)
    ok = home.provider.last(200)
    tags = dict(to=b"<%s>;tag=%s" % (ok.to_uri, ok.to_tag))
    home.ask(b"ACK", ok.contact_uri, **tags)
    a.send(a.text(
        b"REFER", invite.contact_uri, to=invite.from_uri, to_tag=invite.from_tag, tag=b"h101", call_id=invite.call_id,
        more=(b"Refer-To: <sip:102@192.0.2.1>", b"Contact: " + a.uri),
    ))  # fmt: skip
    assert a.last(202)
    offered = b.last(method=b"INVITE")
    assert offered.from_uri == b"sip:0171@far" and offered.from_display == b"Aunt"
    b.reply(offered, 200, body=OFFER)
    change = home.asked(b"INVITE")
    assert change.to_tag == b"aunt" and change.body == OFFER
    home.say(change, 200, BACK, tag=b"aunt")
    assert b.last(method=b"ACK").body == BACK and told(a)[-1][2] == b"SIP/2.0 200 OK"
    a.reply(a.last(method=b"BYE"), 200, contact=False)
    home.ask(b"BYE", ok.contact_uri, sequence=2, **tags)
    b.reply(b.last(method=b"BYE"), 200, contact=False)
    home.over()


def test_the_door_hands_its_own_call_on():
    home = Outside(101)
    (a,) = home.members
    call = home.door.call("0123", "192.0.2.1", 20000)
    home.run(50)
    home.say(home.asked(b"INVITE"), 200, ANSWER)
    home.run(50)
    assert call.state == "up"
    call.refer("101")
    home.run(50)
    a.reply(a.last(method=b"INVITE"), 200, body=OFFER)
    home.run(50)
    home.say(home.asked(b"INVITE"), 200, BACK)
    home.run(50)
    assert a.last(method=b"ACK").body == BACK and call.state == "ended" and home.house.bridged[0].uri in (b"0123", b"101")
    home.house.bridged[0].hangup()
    a.reply(a.last(method=b"BYE"), 200, contact=False)
    home.say(home.asked(b"BYE"), 200)
    home.over()


def test_to_a_phone_by_its_name():
    home = Outside(101, 102)
    a, b = home.members
    ok, invite = answered(home, a)
    refer(a, ok, b"sip:Two@192.0.2.1")
    assert b.last(method=b"INVITE").uri == b"sip:102@192.0.2.12:5060"
    refer(a, ok, b"sip:DOOR@192.0.2.1", status=491)  # one at a time
