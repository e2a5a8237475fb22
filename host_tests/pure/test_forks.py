"""An INVITE of ours that several phones ring for and answer (RFC 3261 13.2.2.4, RFC 6228), and CANCEL races, in virtual time."""

from virtual_call import calling
from virtual_sip import SDP, reply, request

from sip.scan import field

RACK = field(b"rack")


def sdp(port):
    return SDP.replace(b"4000", b"%d" % port)


def says(phone, invite, tag, status, body=b"", more=()):
    phone.send(reply(invite, status, tag, body, more, b"<sip:%s@192.0.2.2>" % tag))


def reliable(rseq):
    return (b"Require: 100rel", b"RSeq: %d" % rseq, b"Record-Route: <sip:192.0.2.2;lr;x=%d>" % rseq)


def is_quiet(world, agent, call):
    call.hangup()
    world.run(70000)
    return not agent.calls and not len(agent.transactions) and not len(agent.timers) and not agent.faults


def test_several_ring_and_one_answers():
    world, agent, phone, call, log, invite = calling()
    for tag in (b"a", b"b", b"c", b"a"):
        says(phone, invite, tag, 180)
    assert call.state == "ringing" and log.events == ["ringing"]
    says(phone, invite, b"b", 200, sdp(4002))
    ack = phone.last(method=b"ACK")
    assert ack.to_tag == b"b" and ack.uri == b"sip:b@192.0.2.2" and ack.cseq == invite.cseq and call.media.port == 4002
    call.hangup()
    bye = phone.last(method=b"BYE")
    assert (bye.to_tag, bye.uri, bye.cseq) == (b"b", b"sip:b@192.0.2.2", invite.cseq + 1) and is_quiet(world, agent, call)


def test_early_sound_is_that_of_the_newest_183():
    world, agent, phone, call, log, invite = calling()
    says(phone, invite, b"a", 183, sdp(4000))
    says(phone, invite, b"b", 180)
    assert call.state == "early" and call.media.port == 4000
    says(phone, invite, b"b", 183, sdp(4002))
    assert call.media.port == 4002
    says(phone, invite, b"a", 180)
    assert call.media.port == 4002
    # the one whose 200 has no answer is heard as its 183 said
    says(phone, invite, b"a", 200)
    assert call.state == "up" and call.media.port == 4000 and call.dialog.remote_tag == b"a"
    assert log.events == ["media", "early", "media", "early", "media", "up"] and is_quiet(world, agent, call)


def test_a_200_without_an_answer_is_not_answered_by_another_phones_183():
    world, agent, phone, call, log, invite = calling()
    says(phone, invite, b"a", 183, sdp(4000), reliable(1))
    says(phone, invite, b"b", 200)
    assert phone.methods()[-2:] == [b"ACK", b"BYE"] and phone.last(method=b"BYE").to_tag == b"b" and call.status == 488


def test_each_early_dialog_has_its_own_pracks_and_route():
    world, agent, phone, call, log, invite = calling()
    for tag, rseq, sequence in ((b"a", 10, 1), (b"b", 500, 1), (b"a", 11, 2), (b"c", 7, 1), (b"b", 501, 2)):
        says(phone, invite, tag, 183, more=reliable(rseq))
        sent = phone.last(method=b"PRACK")
        assert (sent.to_tag, sent.uri, sent.cseq) == (tag, b"sip:%s@192.0.2.2" % tag, invite.cseq + sequence)
        assert sent.get(RACK) == b"%d %d INVITE" % (rseq, invite.cseq) and sent.all(11)[0].startswith(b"<sip:192.0.2.2;lr")
        phone.send(reply(sent, 200))
    says(phone, invite, b"a", 183, more=reliable(10))
    says(phone, invite, b"c", 183, more=reliable(9))
    assert phone.methods().count(b"PRACK") == 5
    assert is_quiet(world, agent, call)


def test_an_update_reaches_the_early_dialog_that_it_is_for():
    world, agent, phone, call, log, invite = calling()
    says(phone, invite, b"a", 183, sdp(4000), reliable(1))
    says(phone, invite, b"b", 183, sdp(4002), reliable(1))
    assert call.media.port == 4002
    own = invite.get(2)
    phone.send(request(b"UPDATE", 1, b"z9hG4bKu1", own, b"a", invite.call_id, sdp(4010)))
    assert phone.last(200).cseq_method == b"UPDATE" and call.media.port == 4010
    phone.send(request(b"UPDATE", 1, b"z9hG4bKu2", own, b"b", invite.call_id, sdp(4012)))
    assert call.media.port == 4012
    phone.send(request(b"UPDATE", 1, b"z9hG4bKu3", own, b"nobody", invite.call_id, sdp(4014)))
    assert phone.statuses()[-1] == 481
    says(phone, invite, b"a", 200)
    assert call.media.port == 4010 and call.dialog.remote_tag == b"a"
    phone.send(request(b"UPDATE", 2, b"z9hG4bKu4", own, b"b", invite.call_id, sdp(4016)))
    assert phone.statuses()[-1] == 481 and call.media.port == 4010 and is_quiet(world, agent, call)


def test_199_ends_an_early_dialog():
    world, agent, phone, call, log, invite = calling()
    says(phone, invite, b"a", 183, sdp(4000))
    says(phone, invite, b"b", 183, sdp(4002))
    says(phone, invite, b"b", 199)
    assert call.media.port == 4000 and call.state == "early"
    says(phone, invite, b"a", 199)
    assert call.media is None and call.state == "ringing" and log.events[-1] == "ringing"
    says(phone, invite, b"c", 180)
    says(phone, invite, b"c", 200, sdp(4006))
    assert call.state == "up" and call.media.port == 4006 and is_quiet(world, agent, call)
    world, agent, phone, call, log, invite = calling()
    says(phone, invite, b"a", 199)
    says(phone, invite, b"a", 486)
    assert call.status == 486


def test_second_answers_are_acknowledged_each_time_and_ended_once():
    world, agent, phone, call, log, invite = calling()
    for tag in (b"a", b"b", b"a", b"b", b"c", b"b", b"a"):
        says(phone, invite, tag, 200, sdp(4000))
    acks = [one.to_tag for one in phone.got if one.method == b"ACK"]
    byes = [one.to_tag for one in phone.got if one.method == b"BYE"]
    assert acks == [b"a", b"b", b"a", b"b", b"c", b"b", b"a"] and byes == [b"b", b"c"]
    assert [one.uri for one in phone.got if one.to_tag == b"c"] == [b"sip:c@192.0.2.2"] * 2
    for bye in [one for one in phone.got if one.method == b"BYE"]:
        phone.send(reply(bye, 481))
    # and what they send inside that call is not ours
    phone.send(request(b"UPDATE", 1, b"z9hG4bKu", invite.get(2), b"b", invite.call_id, sdp(4010)))
    assert phone.statuses()[-1] == 481 and call.state == "up" and call.dialog.remote_tag == b"a" and is_quiet(world, agent, call)


def test_many_phones_are_bounded():
    world, agent, phone, call, log, invite = calling()
    for number in range(40):
        says(phone, invite, b"t%d" % number, 183, sdp(4000 + 2 * number))
    assert len(call._forks) <= 8 and call.media.port == 4078
    says(phone, invite, b"t3", 200, sdp(4006))
    assert call.state == "up" and call.media.port == 4006 and call.dialog.remote_tag == b"t3"
    for number in range(10, 40):
        says(phone, invite, b"t%d" % number, 200, sdp(4000))
    assert len(call._forks) <= 8 and is_quiet(world, agent, call)


def test_cancel_reaches_all_and_each_200_that_crosses_it_is_ended():
    world, agent, phone, call, log, invite = calling()
    says(phone, invite, b"a", 180)
    says(phone, invite, b"b", 180)
    call.hangup()
    cancel = phone.last(method=b"CANCEL")
    assert not cancel.to_tag and cancel.uri == invite.uri and cancel.branch == invite.branch
    says(phone, invite, b"a", 200, sdp(4000))
    says(phone, invite, b"b", 200, sdp(4002))
    assert [one.to_tag for one in phone.got if one.method == b"ACK"] == [b"a", b"b"]
    assert [one.to_tag for one in phone.got if one.method == b"BYE"] == [b"a", b"b"]
    assert log.events == ["ringing", "ended"] and is_quiet(world, agent, call)


def test_an_invite_that_is_sent_again_begins_without_tag_and_route():
    world, agent, phone, call, log, invite = calling()
    call._others = [("192.0.2.2", 5060)]
    says(phone, invite, b"a", 180, more=(b"Record-Route: <sip:192.0.2.2;lr>",))
    says(phone, invite, b"a", 503)
    again = phone.last(method=b"INVITE")
    assert again.cseq == invite.cseq + 1 and again.to_tag is None and again.uri == invite.uri and not again.all(11)
    says(phone, again, b"b", 200, sdp(4000))
    assert call.state == "up" and call.dialog.remote_tag == b"b" and is_quiet(world, agent, call)
