"""The way out of a house without a PBX: calls with a server outside are two dialogs back to back, in virtual time."""

from house_out import ANSWER, CHALLENGE, Outside, answered, inside
from house_sip import PEOPLE, REALM, Home
from lend import lend
from virtual_sip import SDP

from sip.scan import H_AUTHORIZATION, H_CONTACT, H_ROUTE, field
from sip.server.house import House


def test_a_phone_calls_outside():
    home = Outside(101)
    (a,) = home.members
    assert a.invite(b"0123", more=(b"Supported: timer, 100rel", b"Session-Expires: 1800", b"Allow: INVITE, UPDATE, REFER", b"X-Secret: 1")).status == 100
    invite = home.asked(b"INVITE")
    assert invite.uri == b"sip:0123@198.51.100.9" and invite.from_uri == b"sip:555@198.51.100.9" and invite.to_uri == invite.uri
    assert invite.contact_uri == b"sip:555@192.0.2.1:5060" and invite.body == SDP and invite.max_forwards == 69
    assert b"192.0.2.11" not in invite.data and b"call-101" not in invite.data and b"X-Secret" not in invite.data
    assert invite.get(field(b"supported")) == b"timer, 100rel" and invite.get(field(b"session-expires")) == b"1800"
    assert invite.get(field(b"allow")) == b"INVITE, UPDATE"
    home.say(invite, 183, ANSWER)
    early = a.last(183)
    assert early.body == ANSWER and early.to_tag and early.contact_uri == b"sip:door@192.0.2.1:5060"
    home.say(invite, 200, ANSWER, more=(b"Require: timer", b"Session-Expires: 1800;refresher=uac"))
    ok = a.last(200)
    assert ok.body == ANSWER and ok.to_tag == early.to_tag and ok.get(field(b"session-expires")) == b"1800;refresher=uac"
    assert ok.call_id != invite.call_id and "0123" in home.said[-1]
    assert b"ACK" not in home.provider.methods()  # not before the phone has the answer
    inside(a, ok, b"ACK", sequence=a.sequence)
    ack = home.asked(b"ACK")
    assert ack.uri == b"sip:gw@198.51.100.9:5060" and ack.call_id == invite.call_id and ack.to_tag == b"far"
    assert inside(a, ok, b"BYE").status == 200
    bye = home.asked(b"BYE")
    assert bye.to_tag == b"far" and bye.from_tag == invite.from_tag and bye.cseq == invite.cseq + 1
    home.say(bye, 200)
    assert not home.house.bridged
    home.over()


def test_the_provider_wants_a_password_for_everything():
    home = Outside(101)
    (a,) = home.members
    a.invite(b"0123")
    first = home.asked(b"INVITE")
    home.say(first, 407, more=(CHALLENGE.replace(b"WWW", b"Proxy") % b"n1",))
    invite = home.asked(b"INVITE")
    assert invite.cseq == first.cseq + 1 and b'username="555"' in invite.get(field(b"proxy-authorization")) and invite.body == SDP
    assert 407 not in a.phone.statuses()[-1:]
    home.say(invite, 200, ANSWER)
    ok = a.last(200)
    inside(a, ok, b"ACK", sequence=a.sequence)
    assert b'username="555"' in home.asked(b"ACK").get(field(b"proxy-authorization"))
    inside(a, ok, b"BYE")
    home.say(home.asked(b"BYE"), 401, more=(CHALLENGE % b"n2",))
    bye = home.asked(b"BYE")
    assert b'nonce="n2"' in bye.get(H_AUTHORIZATION)
    home.say(bye, 200)
    home.over()


def test_a_password_that_is_wrong_is_no_challenge_for_the_phone():
    home = Outside(101)
    (a,) = home.members
    a.invite(b"0123")
    for nonce in (b"n1", b"n1"):
        home.say(home.asked(b"INVITE"), 401, more=(CHALLENGE % nonce,))
    refused = a.last(403)
    assert refused.get(field(b"www-authenticate")) is None
    home.over()


def test_who_is_not_of_the_house_and_what_is_not_allowed():
    home = Outside(101)
    (a,) = home.members
    assert a.invite(b"555777").status == 403 and b"house.out.prefixes" in a.last(403).data
    assert a.invite(b"alice").status == 404
    assert a.invite(b"102").status == 480  # a number of the house never goes outside
    stranger = home.member(b"109", 66)
    assert stranger.invite(b"0123").status == 407
    home.trusted = ("192.0.2.66",)  # who may call the phones without a password may not spend money
    assert stranger.invite(b"0123").status == 407
    home.house.out = ((home.upstream, (), b""),)
    assert a.invite(b"0123").status == 403 and b"empty" in a.last(403).data
    assert b"INVITE" not in home.provider.methods()
    home.house.out = ()
    assert a.invite(b"0123").status == 404
    assert home.door.faults == 0


def test_sound_that_cannot_be_reached():
    home = Outside(101)
    (a,) = home.members

    def offered(sdp):
        return a.ask(b"INVITE", b"sip:0123@192.0.2.1", more=(b"Contact: " + a.uri,), body=sdp, call_id=b"c%d" % a.sequence)

    assert offered(SDP.replace(b"192.0.2.2", b"127.0.0.1")).status == 488
    assert b"127.0.0.1" in a.last(488).data
    assert offered(SDP.replace(b"IN IP4 192.0.2.2", b"IN IP6 2001:db8::1")).status == 488
    assert a.invite(b"0123", more=(b"Require: precondition, 100rel",)).status == 420
    assert a.last(420).get(field(b"unsupported")) == b"precondition"
    assert b"INVITE" not in home.provider.methods()


def test_the_account_is_not_registered():
    home = Outside(101)
    home.upstream.contact = b""
    assert home.members[0].invite(b"0123").status == 480


def test_the_longest_prefix_chooses_the_account():
    home = Outside(101)
    other = home.phone("198.51.100.10")
    account = lend("sip.accounts").make(home.door, ("198.51.100.10", "777", "x", "", 300, "", "", "", ""))
    account.peers = [("198.51.100.10", 5060)]
    account.contact = b"sip:777@192.0.2.1"
    home.house.out += ((account, (b"00",), b""),)
    home.members[0].invite(b"0049")
    assert other.last(method=b"INVITE").from_uri == b"sip:777@198.51.100.10"
    assert b"INVITE" not in home.provider.methods()


def test_it_goes_by_the_connection_that_the_account_has_registered_by():
    home = Outside(101)
    (a,) = home.members
    home.tcp = True
    home.upstream.peers = [("198.51.100.9", 5060, b"TLS")]
    a.invite(b"0123")
    invite = home.asked(b"INVITE")
    assert ("198.51.100.9", 5060, b"TLS") in [one[2] for one in home.log] and invite.data.split(b"\r\n")[1].startswith(b"Via: SIP/2.0/TLS ")
    assert invite.contact_uri == b"sip:555@192.0.2.1:5060;transport=tls"
    # Unless the server has told another way (RFC 3608).
    home.say(invite, 486)
    home.upstream.routes = (b"<sip:198.51.100.9:5070;lr>",)
    there = home.phone("198.51.100.9", 5070)
    a.invite(b"0124")
    assert there.last(method=b"INVITE").get(H_ROUTE) == b"<sip:198.51.100.9:5070;lr>"


def test_header_fields_that_go_on_have_their_numbers():
    saying = lend("sip.server.saying")
    assert [field(name.lower()) for name in saying.THROUGH.split()] == list(saying.NUMBERS)


def test_the_caller_gives_up():
    home = Outside(101)
    (a,) = home.members
    for ringing in (True, False):
        a.invite(b"0123")
        invite = home.asked(b"INVITE")
        if ringing:
            home.say(invite, 180)
        a.branch -= 1  # the same as the INVITE's
        assert a.send(a.text(b"CANCEL", b"sip:0123@192.0.2.1", sequence=a.sequence, call_id=b"call-101")).status == 487
        assert a.last(200)
        if not ringing:
            home.say(invite, 180)  # 9.1: now it may be cancelled
        cancel = home.asked(b"CANCEL")
        assert cancel.branch == invite.branch
        home.say(cancel, 200)
        if ringing:
            home.say(invite, 487)
        else:
            home.say(invite, 200, ANSWER)  # it has crossed the CANCEL
            home.say(home.asked(b"BYE"), 200)
        assert home.asked(b"ACK").call_id == invite.call_id
        home.over()


def test_refusals_go_back():
    for status, wanted in ((486, 486), (404, 404), (603, 603), (302, 480), (503, 503)):
        home = Outside(101)
        (a,) = home.members
        a.invite(b"0123")
        home.say(home.asked(b"INVITE"), status, contact=False, more=(b"Contact: <sip:elsewhere@203.0.113.5>",) if status == 302 else ())
        assert a.last(wanted).get(H_CONTACT) is None
        home.over()


def test_a_server_that_does_not_answer_and_one_that_rings_for_ever():
    home = Outside(101)
    (a,) = home.members
    a.invite(b"0123")
    home.run(33000)
    assert a.last(408)
    home.over()
    a.invite(b"0123")
    home.say(home.asked(b"INVITE"), 180)
    home.run(200000)
    assert a.phone.statuses()[-1] == 408
    home.over()


def test_either_side_changes_the_call():
    home = Outside(101)
    (a,) = home.members
    ok, invite = answered(home, a)
    hold = SDP + b"a=sendonly\r\n"
    inside(a, ok, b"INVITE", body=hold, more=(b"Contact: " + a.uri,))
    again = home.asked(b"INVITE")
    assert again.body == hold and again.to_tag == b"far" and again.cseq == invite.cseq + 1 and again.uri == b"sip:gw@198.51.100.9:5060"
    # Two at once: the other side has to wait.
    uri, tags = invite.contact_uri, dict(to=b"<%s>;tag=%s" % (invite.from_uri, invite.from_tag), sender=b"<sip:0123@far>;tag=far", call_id=invite.call_id)
    home.ask(b"INVITE", uri, sequence=1, body=SDP, **tags)
    assert home.provider.last(491)
    home.ask(b"ACK", uri, sequence=1, branch=invite.call_id + b"1INVITE", **tags)
    home.say(again, 200, ANSWER + b"a=recvonly\r\n")
    assert a.last(200).body.endswith(b"a=recvonly\r\n") and a.last(200).cseq == a.sequence
    inside(a, ok, b"ACK", sequence=a.sequence)
    assert home.asked(b"ACK").cseq == again.cseq
    # The server asks; a refusal goes back too.
    home.ask(b"UPDATE", uri, sequence=2, body=SDP, **tags)
    update = a.last(method=b"UPDATE")
    assert update.body == SDP and update.to_tag == b"t101" and update.from_tag == ok.to_tag
    a.reply(update, 488, contact=False)
    assert home.provider.last(488)
    home.ask(b"INFO", uri, sequence=3, body=b"Signal=5\r\n", more=(b"Content-Type: application/dtmf-relay",), **tags)
    assert a.last(method=b"INFO").body == b"Signal=5\r\n"
    a.reply(a.last(method=b"INFO"), 200, contact=False)
    home.ask(b"REFER", uri, sequence=4, more=(b"Refer-To: <sip:0900@far>",), **tags)
    assert b"Only phones of the house" in home.provider.last(403).data  # nobody outside has us call where he likes
    home.ask(b"SUBSCRIBE", uri, sequence=5, **tags)
    assert home.provider.last(405).get(field(b"allow")) == b"INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK"
    home.ask(b"INFO", uri, sequence=2, branch=b"late", **tags)
    assert home.provider.last(500)  # out of order
    home.ask(b"BYE", uri, sequence=6, **tags)
    assert home.provider.statuses()[-1] == 200
    a.reply(a.last(method=b"BYE"), 200, contact=False)
    home.over()


def test_an_offer_in_the_answer():
    """The phone's INVITE has none; its answer goes with its ACK."""
    home = Outside(101)
    (a,) = home.members
    a.ask(b"INVITE", b"sip:0123@192.0.2.1", more=(b"Contact: " + a.uri,), call_id=b"call-101")
    invite = home.asked(b"INVITE")
    assert invite.body == b""
    home.say(invite, 200, ANSWER)
    inside(a, a.last(200), b"ACK", sequence=a.sequence, body=SDP)
    assert home.asked(b"ACK").body == SDP


def test_what_is_lost_comes_again():
    home = Outside(101)
    (a,) = home.members
    a.invite(b"0123")
    invite = home.asked(b"INVITE")
    home.say(invite, 200, ANSWER)
    got = a.phone.statuses().count(200)
    home.say(invite, 200, ANSWER)  # our ACK is missing, as the phone's is
    assert a.phone.statuses().count(200) == got + 1
    ok = a.last(200)
    for _ in range(2):
        inside(a, ok, b"ACK", sequence=a.sequence)
    assert home.provider.methods().count(b"ACK") == 1
    home.say(invite, 200, ANSWER)
    assert home.provider.methods().count(b"ACK") == 2 and a.phone.statuses().count(200) == got + 1
    home.say(invite, 200, ANSWER, tag=b"second")  # another phone of theirs has answered, too
    bye = home.asked(b"BYE")
    assert bye.to_tag == b"second" and home.asked(b"ACK").to_tag == b"second"
    home.say(bye, 200)
    assert home.house.bridged


def test_the_server_hangs_up_before_the_phone_has_confirmed():
    home = Outside(101)
    (a,) = home.members
    a.invite(b"0123")
    invite = home.asked(b"INVITE")
    home.say(invite, 200, ANSWER)
    ok = a.last(200)
    home.ask(b"BYE", invite.contact_uri, to=b"<%s>;tag=%s" % (invite.from_uri, invite.from_tag), sender=b"<sip:0123@far>;tag=far", call_id=invite.call_id)
    assert b"BYE" not in a.phone.methods()  # 15: not before the ACK
    inside(a, ok, b"ACK", sequence=a.sequence)
    a.reply(a.last(method=b"BYE"), 200, contact=False)
    home.over()


def test_a_call_from_outside_rings_the_phones_that_are_named():
    home = Outside(101, 102, 103, phones=b"101,103")
    a, b, c = home.members
    home.ask(b"INVITE", b"sip:555@192.0.2.1:5060", body=ANSWER, more=(b"Alert-Info: <x>;info=alert-autoanswer", b"Record-Route: <sip:sbc@198.51.100.9;lr>"))
    assert home.provider.last(100)
    for phone in (a, c):
        invite = phone.last(method=b"INVITE")
        assert invite.from_uri == b"sip:0171@far" and invite.from_display == b"Aunt" and invite.body == ANSWER
        assert b"autoanswer" not in invite.data and invite.contact_uri == b"sip:door@192.0.2.1:5060"
    assert b"INVITE" not in b.phone.methods()
    for phone in (a, c):
        phone.reply(phone.last(method=b"INVITE"), 180)
    assert home.provider.last(180).to_tag
    c.reply(c.last(method=b"INVITE"), 200, body=SDP)
    ok = home.provider.last(200)
    assert ok.body == SDP and ok.contact_uri == b"sip:555@192.0.2.1:5060" and b"192.0.2.13" not in ok.data.replace(SDP, b"")
    cancel = a.last(method=b"CANCEL")
    a.reply(cancel, 200, contact=False)
    a.reply(a.last(method=b"INVITE"), 487, contact=False)
    tags = dict(to=b"<%s>;tag=%s" % (ok.to_uri, ok.to_tag))
    home.ask(b"ACK", ok.contact_uri, **tags)
    assert c.last(method=b"ACK").to_tag == b"h103"
    # The phone hangs up, by the door's Record-Route.
    invite = c.last(method=b"INVITE")
    route = invite.all(field(b"record-route"))
    c.send(c.text(b"BYE", invite.contact_uri, to=invite.from_uri, to_tag=invite.from_tag, tag=b"h103", call_id=invite.call_id, routes=route))
    assert c.last(200)
    bye = home.asked(b"BYE")
    assert bye.get(H_ROUTE) == b"<sip:sbc@198.51.100.9;lr>" and bye.to_tag == b"aunt"
    home.say(bye, 200)
    home.over()


def test_offers_too_long_for_a_datagram():
    """RFC 3261 18.1.1 wants a connection for them; to itself the door needs none."""
    home = Outside(101)
    home.tcp = True
    (a,) = home.members
    long = SDP + b"a=candidate:1 1 UDP 2130706431 192.0.2.2 4000 typ host\r\n" * 25
    home.ask(b"INVITE", b"sip:555@192.0.2.1:5060", body=long)
    assert a.last(method=b"INVITE").body == long
    a.reply(a.last(method=b"INVITE"), 486, contact=False)
    assert home.provider.last(486)
    home.tcp = False
    a.ask(b"INVITE", b"sip:0123@192.0.2.1", more=(b"Contact: " + a.uri,), body=long, call_id=b"call-101")
    home.run(100)
    assert home.asked(b"INVITE").body == long


def test_the_caller_from_outside_gives_up_or_nobody_is_there():
    home = Outside(101)
    (a,) = home.members
    home.ask(b"INVITE", b"sip:555@192.0.2.1:5060", body=ANSWER)
    a.reply(a.last(method=b"INVITE"), 180)
    home.ask(b"CANCEL", b"sip:555@192.0.2.1:5060", branch=b"in11INVITE")
    assert home.provider.last(487)
    a.reply(a.last(method=b"CANCEL"), 200, contact=False)
    a.reply(a.last(method=b"INVITE"), 487, contact=False)
    home.over()
    a.register(expires=0)
    home.ask(b"INVITE", b"sip:555@192.0.2.1:5060", call_id=b"in2", body=ANSWER)
    assert home.provider.last(480)
    home.over()


def test_there_are_only_so_many():
    home = Outside(101, 102, 103)
    a, b, c = home.members
    a.invite(b"0123")
    b.invite(b"0124")
    assert c.invite(b"0125").status == 503
    home.ask(b"INVITE", b"sip:555@192.0.2.1:5060", body=ANSWER)
    assert home.provider.last(486)
    home.say(home.asked(b"INVITE"), 486)
    assert c.invite(b"0125").status == 100


def test_two_houses_that_are_each_others_way_out():
    """Each is a phone of the other, too, that rings when all of them do."""
    home = Home()
    other = home.agent("192.0.2.2")
    other.house = House(REALM, b"100", home)
    for agent, server, user in ((home.door, "192.0.2.2", "101"), (other, "192.0.2.1", "102")):
        account = lend("sip.accounts").make(agent, (server, user, PEOPLE[user.encode()], "", 300, "", "", "", ""))
        agent.house.out = ((account, (b"0",), b""),)
        account.start()
    home.deliver()
    assert len(home.house.bindings) == len(other.house.bindings) == 1
    a = home.member(b"103", 11)  # which rings itself nowhere
    for number in (b"100", b"102", b"0123"):
        since = len(home.log)
        a.invite(number)
        home.run(2000)
        assert a.phone.statuses()[-1] in (482, 483) and len(home.log) - since < 150
        a.got.clear()
        home.run(5000)
        assert not home.house.bridged and not other.house.bridged


def test_a_phone_that_is_gone_ends_the_call():
    home = Outside(101)
    (a,) = home.members
    answered(home, a)
    home.run(301000)
    assert a.last(method=b"OPTIONS")
    home.run(33000)
    home.say(home.asked(b"BYE"), 200)
    assert not home.house.bridged


def test_the_door_ends():
    home = Outside(101)
    (a,) = home.members
    answered(home, a)
    home.house.bridged[0].hangup()
    assert home.asked(b"BYE") and a.last(method=b"BYE")
    a.invite(b"0124")
    home.house.bridged[1].hangup()
    assert a.last(480)


def test_other_requests_of_the_server():
    home = Outside(101)
    home.ask(b"OPTIONS", b"sip:555@192.0.2.1:5060")
    assert home.provider.last(200).get(field(b"accept")) == b"application/sdp"
    home.ask(b"INVITE", b"sip:555@192.0.2.1:5060", call_id=b"x", more=(b"Require: precondition",), body=ANSWER)
    assert home.provider.last(420)
