"""Calls with the world before they are answered: ringing that is to be confirmed (RFC 3262), and what else is said in early
dialogs, in virtual time."""

from house_out import ANSWER, CHALLENGE, Outside, inside
from virtual_sip import SDP

from sip.scan import field

RELIABLE = b"Require: 100rel", b"RSeq: 5"
CHANGED = SDP + b"a=sendonly\r\n"


def rung(more=(), tag=b"far", home=None):
    """101 calls 0123, whose ringing is to be confirmed -> (home, phone, 183 at the phone, INVITE at the provider)."""
    home = home or Outside(101)
    (a,) = home.members
    a.invite(b"0123", more=(b"Supported: 100rel",) + more)
    invite = home.asked(b"INVITE")
    home.say(invite, 183, ANSWER, more=RELIABLE, tag=tag)
    return home, a, a.last(183), invite


def prack(phone, early, rseq=5, **more):
    return inside(phone, early, b"PRACK", more=(b"RAck: %d %d INVITE" % (rseq, early.cseq),), **more)


def tags_of(invite, sender=b"0123", tag=b"far"):
    """How the provider writes requests in the dialog of an INVITE that it got."""
    return dict(to=b"<%s>;tag=%s" % (invite.from_uri, invite.from_tag), sender=b"<sip:%s@far>;tag=%s" % (sender, tag), call_id=invite.call_id)


def test_a_phones_call():
    home, a, early, invite = rung()
    assert invite.get(field(b"supported")) == b"100rel"
    assert early.get(field(b"require")) == b"100rel" and early.get(field(b"rseq")) == b"5" and early.body == ANSWER
    seen = a.phone.statuses().count(183)
    home.say(invite, 183, ANSWER, more=RELIABLE)  # as long as there is no PRACK
    assert a.phone.statuses().count(183) == seen + 1
    prack(a, early)
    asked = home.asked(b"PRACK")
    assert asked.get(field(b"rack")) == b"5 %d INVITE" % invite.cseq and asked.cseq == invite.cseq + 1
    assert asked.uri == b"sip:gw@198.51.100.9:5060" and asked.to_tag == b"far" and asked.call_id == invite.call_id
    home.say(asked, 200)
    assert a.last(200).cseq_method == b"PRACK"
    # Either changes its sound before it answers (RFC 3311).
    inside(a, early, b"UPDATE", body=CHANGED, more=(b"Contact: " + a.uri,))
    update = home.asked(b"UPDATE")
    assert update.body == CHANGED and update.cseq == invite.cseq + 2 and update.contact_uri == b"sip:555@192.0.2.1:5060"
    home.say(update, 200, ANSWER)
    assert a.last(200).cseq_method == b"UPDATE" and a.last(200).body == ANSWER and a.last(200).contact_uri == b"sip:door@192.0.2.1:5060"
    for sequence in (7, 8):
        home.ask(b"UPDATE", invite.contact_uri, sequence=sequence, body=CHANGED, **tags_of(invite))
        update = a.last(method=b"UPDATE")
        assert update.body == CHANGED and update.cseq == sequence and update.to_tag == b"t101" and update.from_tag == early.to_tag
        a.reply(update, 200, body=SDP)
        assert home.provider.last(200).body == SDP
    home.ask(b"UPDATE", invite.contact_uri, sequence=8, branch=b"late", **tags_of(invite))
    assert home.provider.last(500)
    # It is answered, and numbers go on from where they are, on both sides.
    home.say(invite, 200)
    ok = a.last(200)
    assert ok.cseq_method == b"INVITE" and ok.to_tag == early.to_tag
    inside(a, ok, b"ACK", sequence=early.cseq)
    assert home.asked(b"ACK").cseq == invite.cseq
    home.ask(b"INFO", invite.contact_uri, sequence=9, **tags_of(invite))
    assert a.last(method=b"INFO").cseq > 8
    a.reply(a.last(method=b"INFO"), 200, contact=False)
    inside(a, ok, b"BYE")
    assert home.asked(b"BYE").cseq == invite.cseq + 3
    home.say(home.asked(b"BYE"), 200)
    home.over()


def test_what_found_no_room_is_no_repetition_when_it_is_tried_again():
    home, a, early, invite = rung()
    transactions = home.door.transactions
    client = transactions.client
    tried = []

    def full(*given):
        tried.append(given[0])
        if len(tried) == 1:
            raise MemoryError
        return client(*given)

    transactions.client = full
    home.ask(b"UPDATE", invite.contact_uri, sequence=7, body=CHANGED, **tags_of(invite))
    assert tried == [b"UPDATE"] * 2
    update = a.last(method=b"UPDATE")
    assert update.body == CHANGED and update.cseq == 7
    a.reply(update, 200, body=SDP)
    assert home.provider.statuses()[-1] == 200


def test_the_provider_wants_a_password_for_everything():
    home = Outside(101)
    (a,) = home.members
    a.invite(b"0123", more=(b"Require: 100rel",))
    home.say(home.asked(b"INVITE"), 407, more=(CHALLENGE.replace(b"WWW", b"Proxy") % b"n1",))
    invite = home.asked(b"INVITE")
    assert invite.get(field(b"require")) == b"100rel"
    home.say(invite, 180, more=RELIABLE)
    prack(a, a.last(180))
    home.say(home.asked(b"PRACK"), 407, more=(CHALLENGE.replace(b"WWW", b"Proxy") % b"n2",))
    asked = home.asked(b"PRACK")
    assert asked.get(field(b"rack")) == b"5 %d INVITE" % invite.cseq and b'nonce="n2"' in asked.get(field(b"proxy-authorization"))
    assert invite.cseq == 2 and asked.cseq == 4
    home.say(asked, 200)
    home.say(invite, 486)
    assert a.last(486)
    home.over()


def test_who_rings_for_one_call_is_told_apart():
    home, a, first, invite = rung(tag=b"one")
    home.say(invite, 180, more=(b"Require: 100rel", b"RSeq: 900"), tag=b"two")
    second = a.last(180)
    assert second.to_tag != first.to_tag
    prack(a, second, 900)
    assert home.asked(b"PRACK").to_tag == b"two" and home.asked(b"PRACK").get(field(b"rack")) == b"900 %d INVITE" % invite.cseq
    home.say(home.asked(b"PRACK"), 200, tag=b"two")
    prack(a, first)
    assert home.asked(b"PRACK").to_tag == b"one" and home.asked(b"PRACK").cseq == invite.cseq + 1
    home.say(home.asked(b"PRACK"), 481, tag=b"one")
    assert a.last(481).cseq_method == b"PRACK"  # that is all that comes of it
    home.say(invite, 200, tag=b"two")
    assert a.last(200).to_tag == second.to_tag
    inside(a, a.last(200), b"ACK", sequence=first.cseq)
    assert home.asked(b"ACK").to_tag == b"two" and len(home.house.bridged) == 2


def test_it_is_answered_before_the_confirmation_is_here():
    home, a, early, invite = rung()
    home.say(invite, 200)
    sequence = a.sequence
    prack(a, early)
    assert home.asked(b"PRACK").get(field(b"rack")) == b"5 %d INVITE" % invite.cseq
    home.say(home.asked(b"PRACK"), 481)
    assert a.last(481) and len(home.house.bridged) == 2  # it was no sign that the call is gone
    inside(a, a.last(200), b"ACK", sequence=sequence)
    assert home.asked(b"ACK").cseq == invite.cseq


def test_what_belongs_to_nothing_and_who_gives_up():
    home, a, early, invite = rung()
    for method, tag in ((b"PRACK", b"other"), (b"SUBSCRIBE", early.to_tag)):
        a.send(a.text(method, early.contact_uri, to=early.to_uri, to_tag=tag, call_id=early.call_id, more=(b"RAck: 5 1 INVITE",)))
        assert a.phone.statuses()[-1] == 481, method
    inside(a, early, b"BYE")  # 15: an early dialog may be ended so
    assert a.phone.statuses()[-2:] == [200, 487]
    home.say(home.asked(b"CANCEL"), 200)
    home.say(invite, 487)
    home.over()


def test_a_call_from_outside():
    """Where nobody requires it phones are not asked to: all of a house may ring."""
    for more, rings in (((b"Supported: timer, 100rel",), False), ((b"Require: 100rel",), True)):
        home = Outside(101, 102)
        a, b = home.members
        home.ask(b"INVITE", b"sip:555@192.0.2.1:5060", body=ANSWER, more=more)
        invite = a.last(method=b"INVITE")
        assert invite.get(field(b"supported")) == (None if rings else b"timer") and invite.get(field(b"require")) == (b"100rel" if rings else None)
        if not rings:
            continue
        b.reply(b.last(method=b"INVITE"), 420, more=(b"Unsupported: 100rel",), contact=False)
        a.reply(invite, 180, more=RELIABLE)
        ringing = home.provider.last(180)
        assert ringing.get(field(b"rseq")) == b"5"
        tags = dict(to=b"<%s>;tag=%s" % (ringing.to_uri, ringing.to_tag))
        home.ask(b"PRACK", ringing.contact_uri, sequence=2, more=(b"RAck: 5 1 INVITE",), **tags)
        asked = a.last(method=b"PRACK")
        assert asked.uri == b"sip:101@192.0.2.11:5060" and asked.get(field(b"rack")) == b"5 %d INVITE" % invite.cseq and asked.to_tag == b"h101"
        a.reply(asked, 200, contact=False)
        assert home.provider.last(200).cseq_method == b"PRACK"
        a.reply(invite, 200, body=SDP)
        home.ask(b"ACK", ringing.contact_uri, **tags)
        assert a.last(method=b"ACK").cseq == invite.cseq
        a.send(a.text(b"BYE", invite.contact_uri, to=invite.from_uri, to_tag=invite.from_tag, tag=b"h101", call_id=invite.call_id))
        home.say(home.asked(b"BYE"), 200)
        home.over()


def test_who_cannot_is_told_so():
    home = Outside(101)
    (a,) = home.members
    a.invite(b"0123")
    home.say(home.asked(b"INVITE"), 421, more=(b"Require: 100rel",), contact=False)
    assert a.last(421).get(field(b"require")) == b"100rel"
    home.ask(b"INVITE", b"sip:555@192.0.2.1:5060", body=ANSWER, more=(b"Require: 100rel",))
    a.reply(a.last(method=b"INVITE"), 420, more=(b"Unsupported: 100rel",), contact=False)
    assert home.provider.last(420).get(field(b"unsupported")) == b"100rel"
    home.over()
