"""A phone of the house takes another's place in a call with the world by an INVITE with Replaces (RFC 3891), in virtual time: the
end of an attended transfer in which that other one has asked it to."""

from house_out import ANSWER, CHALLENGE, Outside, answered, inside

from sip.scan import field

OFFER = ANSWER.replace(b"198.51.100.77", b"192.0.2.12").replace(b"4000", b"6000")
BACK = ANSWER + b"a=ptime:20\r\n"


def takes(home, phone, ok, uri=None, more=(), value=None, body=OFFER):
    """The phone's INVITE for the place in the call that `ok` answered -> what came last."""
    value = value or b"%s;to-tag=%s;from-tag=%s" % (ok.call_id, ok.to_tag, ok.get(field(b"from")).split(b"tag=")[1])
    lines = (b"Replaces: " + value, b"Contact: " + phone.uri) + tuple(more)
    return phone.ask(b"INVITE", uri or ok.contact_uri, more=lines, body=body, call_id=b"taker", tag=b"n102")


def recorded(phone):
    """What a phone sends from now on, a list."""
    sent = []
    send = phone.phone.send

    def note(data, *peer):
        sent.append(data)
        send(data, *peer)

    phone.phone.send = note
    return sent


def begun():
    """101 is in a call with 0123, and 102 is about to take its place -> (home, ok of 101, INVITE outside)."""
    home = Outside(101, 102)
    ok, invite = answered(home, home.members[0])
    home.run(40000)
    return home, ok, invite


def outside(invite):
    """What the requests of the world have in common."""
    return dict(to=b"<%s>;tag=%s" % (invite.from_uri, invite.from_tag), sender=b"<sip:0123@far>;tag=far", call_id=invite.call_id)


def by_taker(home, b, ok, method, **more):
    return b.send(b.text(method, ok.contact_uri, to=ok.to_uri, to_tag=ok.to_tag, tag=b"n102", call_id=b"taker", **more))


def test_it_takes_the_place():
    # By the address that the call has, by the number that was called, and with what a phone may want of us.
    for uri, more in (
        (None, ()), (b"sip:0123@192.0.2.1", ()), (b"sip:0123@house", (b"Require: replaces", b"Supported: replaces, timer")),
    ):  # fmt: skip
        home, ok, invite = begun()
        a, b = home.members
        takes(home, b, ok, uri, more)
        change = home.asked(b"INVITE")
        assert change.body == OFFER and change.to_tag == b"far" and change.cseq == invite.cseq + 1
        assert b"replaces" not in change.data.lower()
        assert b.phone.statuses()[-1] == 100 and b"BYE" not in a.phone.methods()
        home.say(change, 401, more=(CHALLENGE % b"n1",))
        change = home.asked(b"INVITE")
        home.say(change, 200, BACK)
        taken = b.last(200)
        assert taken.body == BACK and taken.to_tag and taken.to_tag != ok.to_tag
        a.reply(a.last(method=b"BYE"), 200, contact=False)
        assert home.said[-1] == "0123 goes on with 102." and len(home.house.bridged) == 2
        acks = home.provider.methods().count(b"ACK")
        home.say(change, 200, BACK)  # it was lost: said again, and not confirmed before the phone does
        assert len([one for one in b.got if one.status == 200 and one.cseq_method == b"INVITE"]) == 2
        by_taker(home, b, taken, b"ACK", sequence=b.sequence)
        assert home.provider.methods().count(b"ACK") == acks + 1 and home.asked(b"ACK").cseq == change.cseq
        # From here on it is a call like any.
        home.ask(b"INFO", invite.contact_uri, body=b"Signal=5\r\n", more=(b"Content-Type: application/dtmf-relay",), **outside(invite))
        assert b.last(method=b"INFO").body == b"Signal=5\r\n" and b"INFO" not in a.phone.methods()
        b.reply(b.last(method=b"INFO"), 200, contact=False)
        by_taker(home, b, taken, b"BYE")
        assert b.phone.statuses()[-1] == 200
        home.say(home.asked(b"BYE"), 200)
        home.over()


def test_without_an_offer_the_answer_goes_with_the_ack():
    home, ok, invite = begun()
    a, b = home.members
    takes(home, b, ok, body=b"")
    change = home.asked(b"INVITE")
    assert change.body == b""
    home.say(change, 200, BACK)
    taken = b.last(200)
    assert taken.body == BACK
    by_taker(home, b, taken, b"ACK", sequence=b.sequence, body=OFFER)
    assert home.asked(b"ACK").body == OFFER
    home.house.bridged[-1].hangup()
    for phone in (a, b):
        phone.reply(phone.last(method=b"BYE"), 200, contact=False)
    home.say(home.asked(b"BYE"), 200)
    home.over()


def test_it_comes_to_nothing_and_the_call_goes_on():
    for what in ("refused outside", "given up"):
        home, ok, invite = begun()
        a, b = home.members
        sent = recorded(b)
        takes(home, b, ok)
        change = home.asked(b"INVITE")
        # Meanwhile the world is told to wait, and the phone that is there, too.
        home.ask(b"UPDATE", invite.contact_uri, **outside(invite))
        assert home.provider.last(491)
        inside(a, ok, b"INVITE", body=OFFER, more=(b"Contact: " + a.uri,))
        assert a.phone.statuses()[-1] == 491
        inside(a, ok, b"REFER", more=(b"Refer-To: <sip:103@192.0.2.1>", b"Contact: " + a.uri))
        assert a.phone.statuses()[-1] == 491
        if what == "given up":
            home.say(change, 100)
            head = sent[-1].partition(b"\r\n\r\n")[0].replace(b"Content-Length: %d" % len(OFFER), b"Content-Length: 0")
            b.send(head.replace(b"INVITE", b"CANCEL") + b"\r\n\r\n")
            home.say(home.asked(b"CANCEL"), 200, contact=False)
        home.say(change, 488 if what == "refused outside" else 487)
        assert b.phone.statuses()[-1] == (488 if what == "refused outside" else 487)
        assert len(home.house.bridged) == 2 and b"BYE" not in a.phone.methods() + home.provider.methods()
        inside(a, ok, b"INFO", body=b"Signal=5\r\n", more=(b"Content-Type: application/dtmf-relay",))
        home.say(home.asked(b"INFO"), 200, contact=False)
        assert a.phone.statuses()[-1] == 200
        inside(a, ok, b"BYE")
        home.say(home.asked(b"BYE"), 200)
        home.over()


def test_somebody_hangs_up_meanwhile():
    for what in ("the phone, and it is taken", "the phone, and it is refused", "the world", "the house", "the world is gone"):
        home, ok, invite = begun()
        a, b = home.members
        takes(home, b, ok)
        change = home.asked(b"INVITE")
        home.say(change, 100)
        if what.startswith("the phone"):
            inside(a, ok, b"BYE")
            assert a.phone.statuses()[-1] == 200 and b"BYE" not in home.provider.methods()
            home.say(change, 200 if what.endswith("taken") else 488, BACK if what.endswith("taken") else b"")
            if what.endswith("taken"):
                taken = b.last(200)
                by_taker(home, b, taken, b"ACK", sequence=b.sequence)
                by_taker(home, b, taken, b"BYE")
            else:
                assert b.phone.statuses()[-1] == 488
        elif what == "the world is gone":
            home.say(change, 481)
            assert b.phone.statuses()[-1] == 481
            a.reply(a.last(method=b"BYE"), 200, contact=False)
        else:
            if what == "the world":
                home.ask(b"BYE", invite.contact_uri, sequence=2, **outside(invite))
                assert home.provider.last(200).cseq_method == b"BYE"
            else:
                home.house.bridged[0].hangup()
            a.reply(a.last(method=b"BYE"), 200, contact=False)
            assert b.phone.statuses()[-1] == 487
            home.say(home.asked(b"CANCEL"), 200, contact=False)
            home.say(change, 487)
        if what != "the world":
            home.say(home.asked(b"BYE"), 200)
        home.over()


def test_what_is_refused():
    home, ok, invite = begun()
    a, b = home.members
    tags = b";to-tag=%s;from-tag=%s" % (ok.to_tag, ok.get(field(b"from")).split(b"tag=")[1])
    here = ok.call_id + tags
    for value, more, status in (
        (b"nobody" + tags, (), 481),
        (ok.call_id + b";to-tag=x;from-tag=y", (), 481),
        (here + b";early-only", (), 486),
        (here, (b"Require: replaces, gruu",), 420),
    ):
        assert takes(home, b, ok, more=more, value=value).status == status, value
    assert takes(home, b, ok, body=OFFER.replace(b"192.0.2.12", b"127.0.0.1")).status == 488
    # Who is let in by his address alone takes nobody's place.
    home.trusted = ("192.0.2.12",)
    text = b.text(b"INVITE", ok.contact_uri, more=(b"Replaces: " + here, b"Contact: " + b.uri), body=OFFER, call_id=b"nobody")
    assert b.send(text).status in (401, 407)
    home.trusted = ()
    assert home.provider.methods().count(b"INVITE") == 1 and len(home.house.bridged) == 2
    # Nobody takes a place that is being handed on, nor one that another is taking.
    inside(a, ok, b"REFER", more=(b"Refer-To: <sip:103@192.0.2.1>", b"Contact: " + a.uri))
    home.deliver()
    takes(home, b, ok)
    change = home.asked(b"INVITE")
    third = home.member(b"103", 13)
    assert third.register().status == 200
    assert third.ask(b"INVITE", ok.contact_uri, more=(b"Replaces: " + here, b"Contact: " + third.uri), body=OFFER).status == 491
    home.say(change, 488)
    inside(a, ok, b"BYE")
    home.say(home.asked(b"BYE"), 200)
    assert takes(home, b, ok).status == 481


def test_a_full_heap_at_any_step_is_a_message_that_was_lost():
    """Each file in turn finds no room, once; what was lost comes again, and all ends as ever."""
    for taken in (True, False):
        at = count = 0
        while count >= at:
            at += 1
            count = _with_a_full_heap_at(at, taken)
        assert at > 8


def _with_a_full_heap_at(at, is_taken):
    """Where it is not taken the phone that was there has not waited for it. -> how many files were loaded."""
    import lend

    real, was = lend._load, lend.is_roomy
    count = 0

    def load(name):
        nonlocal count
        count += name.startswith("sip.server.")  # what the phone loads, too, is not the house's
        if count == at and name.startswith("sip.server."):
            raise MemoryError
        return real(name)

    home, ok, invite = begun()
    a, b = home.members
    sent = recorded(b)
    lend._load, lend.is_roomy = load, False
    try:
        takes(home, b, ok)
        for _ in range(3):  # a phone repeats it
            if home.asked(b"INVITE").cseq == invite.cseq:
                home.run(500)
                b.send(sent[-1])
        change = home.asked(b"INVITE")
        if not is_taken:
            inside(a, ok, b"BYE")
            home.run(500)
        for _ in range(3):
            home.say(change, 200 if is_taken else 488, BACK if is_taken else b"")
            home.run(500)
        if is_taken:
            by_taker(home, b, b.last(200), b"ACK", sequence=b.sequence)
    finally:
        lend._load, lend.is_roomy = real, was
    if is_taken:
        taken = b.last(200)
        assert taken.body == BACK and home.asked(b"ACK").cseq == change.cseq, at
        assert "0123 goes on with 102." in home.said and len(home.house.bridged) == 2, (at, home.said)
        a.reply(a.last(method=b"BYE"), 200, contact=False)
        by_taker(home, b, taken, b"BYE")
    else:
        assert b.phone.statuses()[-1] == 488 and a.phone.statuses()[-1] == 200, at
    home.say(home.asked(b"BYE"), 200)
    home.over()
    return count
