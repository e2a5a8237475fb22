"""What the agent answers where RFC 3261 section 8.2 and the extensions want a certain status, one row a case.

Three it never gives: 421, since it asks no extension of a caller; 423, which is a registrar's; 483, which is for who forwards.
422 and 491 are tested with what they belong to, in test_session_timer.py and test_modify.py.
"""

from virtual_sip import SDP, World, reply, request

from sip.message import parse
from sip.scan import field

HERE = b"<sip:door@192.0.2.1>"
TEXT = b"Content-Type: text/plain"
PARTS = b"""preamble\r
--xx\r
Content-Type: text/plain\r
%s\r
hello\r
--xx\r
Content-Type: application/sdp\r
\r
%s\r
--xx--\r
epilogue"""


def typed(data, kind, more=b""):
    """The request with another Content-Type."""
    return data.replace(b"Content-Type: application/sdp\r\n", kind and b"Content-Type: " + kind + b"\r\n" + more, 1)


def invite(more=(), body=SDP, **named):
    return request(b"INVITE", body=body, more=more, **named)


def door(**more):
    world = World()
    calls = []
    events = world.events = []

    def on_call(call):
        calls.append(call)
        call.on_event = lambda call, event: events.append(event)
        call.ring()

    agent = world.agent("192.0.2.1", on_call=on_call, **more)
    return world, agent, world.phone("192.0.2.2"), calls


def talking(**more):
    """A call that the phone made and the door answered: (world, agent, phone, call, To)."""
    world, agent, phone, calls = door(**more)
    phone.send(invite())
    calls[0].answer("192.0.2.1", 5000)
    to = phone.last(200).get(3)
    phone.send(request(b"ACK", to=to, branch=b"z9hG4bKack"))
    del phone.got[:]
    return world, agent, phone, calls[0], to


MULTI = b'multipart/mixed;boundary="xx"'
OUTSIDE = (
    # (section, request, status, (header, what its value has) or None)
    ("8.2.1", request(b"REGISTER"), 405, ("allow", b"INVITE, CANCEL, BYE, OPTIONS")),
    ("8.2.1", request(b"PUBLISH"), 405, ("allow", b"INVITE")),
    ("21.5.2", request(b"FLY"), 501, ("allow", b"INVITE")),
    ("7.1", request(b"replaces"), 501, None),  # though it is a word of ours
    ("7.1", request(b"invite"), 501, None),  # methods are case-sensitive
    ("8.2.1", request(b"FLY", uri=b"tel:+1"), 501, None),  # the method is looked at first
    ("8.2.2.1", request(b"OPTIONS", uri=b"tel:+1"), 416, None),
    ("8.2.2.1", invite(uri=b"mailto:door@192.0.2.1"), 416, None),
    ("19.1.1", invite(uri=b"sip:door@192.0.2.1?Route=%3Csip:x%3E"), 400, None),
    ("8.2.2.3", request(b"OPTIONS", more=(b"Require: privacy, replaces", b"Require: answermode")), 420,
     ("unsupported", b"privacy, answermode")),
    ("8.2.2.3", invite((b"Require: fly",)), 420, ("unsupported", b"fly")),
    ("8.2.2.3", request(b"OPTIONS", more=(b"Require: Replaces",)), 200, None),
    ("20.29", request(b"OPTIONS", more=(b"Proxy-Require: fly",)), 200, None),  # that is for proxies
    ("8.2.3", typed(invite(), b"text/plain"), 415, ("accept", b"application/sdp")),
    ("8.2.3", typed(invite(), b""), 180, None),  # no Content-Type, but it begins with v=
    ("8.2.3", invite((b"Content-Encoding: gzip",)), 415, ("accept-encoding", b"identity")),
    ("8.2.3", invite((b"Content-Encoding: Identity",)), 180, None),
    ("20.11", typed(invite(body=b"hello"), b"text/plain", b"Content-Disposition: render;handling=optional\r\n"), 180, None),
    ("20.11", typed(invite(body=b"hello"), b"text/plain", b"Content-Disposition: render;handling=required\r\n"), 415, None),
    ("20.11", invite((b"Content-Disposition: icon",)), 415, None),
    ("20.11", request(b"OPTIONS", body=SDP), 200, None),
    ("8.2.3", typed(request(b"OPTIONS", body=b"hello"), b"text/plain"), 415, ("accept", b"application/sdp")),
    ("RFC 2046 5.1", typed(invite(body=PARTS % (b"", SDP)), MULTI), 180, None),
    ("RFC 2046 5.1", typed(invite(body=PARTS % (b"", b"hello")), b"multipart/alternative; boundary=xx"), 400, None),
    ("RFC 5621 8.2", typed(invite(body=PARTS % (b"Content-Disposition: x;handling=required\r\n", SDP)), MULTI), 415, None),
    ("RFC 2046 5.1", typed(invite(body=PARTS % (b"", SDP)), b"multipart/mixed"), 415, None),
    ("RFC 2046 5.1", typed(invite(body=PARTS % (b"", SDP)), b"multipart/mixed;boundary=yy"), 415, None),
    ("21.4.11", invite(body=SDP + b"a=x\r\n" * 1600), 413, None),
    ("20.1", invite((b"Accept: text/plain, text/html;q=1",)), 406, ("warning", b"399")),
    ("20.1", invite((b"Accept: text/plain", b"Accept: application/SDP;level=1")), 180, None),
    ("20.1", invite((b"Accept: */*;q=0.1",)), 180, None),
    ("20.1", request(b"OPTIONS", more=(b"Accept: text/plain",)), 200, None),  # our 200 has no body
    ("13.3.1.3", invite(body=SDP.replace(b" 0 8 ", b" 3 ")), 488, ("warning", b"305")),
    ("13.3.1.4", invite(body=b""), 180, None),  # our offer goes into the 200
    ("13.3.1.3", invite(body=b"hello"), 400, None),
    ("12.1.1", invite().replace(b"Contact: <sip:phone@192.0.2.2:5060>\r\n", b""), 400, None),
    ("12.1.1", invite().replace(b"Contact: <sip:", b"Contact: <mailto:"), 400, None),
    ("RFC 2543", invite().replace(b"Contact: <sip:phone@192.0.2.2:5060>\r\n", b"").replace(b"z9hG4bKa", b"1"), 180, None),
    ("16.3", request(b"OPTIONS").replace(b"wards: 70", b"wards: 0"), 200, None),  # 483 is for who forwards
    ("16.3", invite().replace(b"wards: 70", b"wards: 0"), 180, None),
    ("12.2.2", request(b"BYE"), 481, None),
    ("12.2.2", request(b"BYE", to=HERE + b";tag=1"), 481, None),
    ("12.2.2", request(b"INVITE", to=HERE + b";tag=1", body=SDP), 481, None),
    ("9.2", request(b"CANCEL"), 481, None),
    ("9.1", request(b"CANCEL", more=(b"Require: fly",)), 481, None),  # no Require in a CANCEL
    ("RFC 6086 4.2.2", request(b"INFO"), 481, None),
    ("RFC 3428 7", typed(request(b"MESSAGE", body=b"hello"), b"text/plain"), 200, None),
    ("RFC 3428 7", typed(request(b"MESSAGE", body=b"<p>"), b"text/html"), 415, ("accept", b"text/plain")),
    ("RFC 3428 8", typed(request(b"MESSAGE", body=b"x" * 1301), b"text/plain"), 413, None),
    ("RFC 6665 4.1.3", request(b"NOTIFY", more=(b"Event: presence",)), 489, ("allow-events", b"refer")),
    ("RFC 6665 4.1.3", request(b"NOTIFY", more=(b"Event: refer;id=2",)), 481, None),
    ("RFC 6665 4.1.3", request(b"NOTIFY", to=HERE + b";tag=1", more=(b"Event: refer",)), 481, None),
    ("unasked", request(b"NOTIFY", more=(b"Event: keep-alive",)), 200, None),
    ("unasked", request(b"NOTIFY", more=(b"Event: message-summary",), body=b"Messages-Waiting: no\r\n"), 200, None),
    ("unasked", request(b"NOTIFY", more=(b"o: check-sync;reboot=false",)), 489, None),
    ("RFC 6665 8.2.1", request(b"NOTIFY"), 489, None),
    ("RFC 6665 4.2.1", request(b"SUBSCRIBE", more=(b"Event: dialog",)), 489, ("allow-events", b"refer")),
    ("RFC 3515 2.4.2", request(b"REFER", more=(b"Refer-To: <sip:x@192.0.2.9>",)), 403, None),
    ("21.5.6", request(b"OPTIONS").replace(b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia"), 505, None),
    ("8.1.1.5", request(b"OPTIONS").replace(b"1 OPTIONS", b"1 INVITE"), 400, None),
    ("21.5.7", request(b"OPTIONS", more=[b"X-%d: y" % n for n in range(60)]), 513, None),
    ("RFC 3891 3", invite((b"Replaces: nobody;to-tag=1;from-tag=2",)), 481, None),
    ("RFC 3891 3", invite((b"Replaces: nobody;to-tag=1",)), 400, None),
    ("RFC 3891 3", invite((b"Replaces: a;to-tag=1;from-tag=2", b"Replaces: b;to-tag=1;from-tag=2")), 400, None),
)  # fmt: skip


def value(message, name):
    """A header field's value by its name, known to the scanner or not."""
    for line in message.data.split(b"\r\n\r\n")[0].split(b"\r\n"):
        if line.lower().startswith(name.encode() + b":"):
            return line.split(b":", 1)[1].strip()


def test_outside_a_call():
    for section, data, status, wanted in OUTSIDE:
        world, agent, phone, calls = door()
        agent.on_message = lambda sender, text, call: None
        phone.send(data)
        assert phone.statuses() == [status], (section, data, phone.statuses())
        if wanted:
            name, has = wanted
            assert has in (value(phone.got[0], name) or b""), (section, data, phone.got[0].data)
        if status == 180:
            assert len(calls) == 1
        else:
            assert not calls and not agent.calls, section
            # A MESSAGE that came twice is not to be read twice; all else is answered without state.
            assert len(agent.transactions) == (1 if data.startswith(b"MESSAGE") and status == 200 else 0), section
        assert phone.got[0].to_tag, section
        assert not agent.faults, section
        del phone.got[:]
        phone.send(data)
        assert phone.statuses() == [status], ("again", section, phone.statuses())
        phone.send(request(b"OPTIONS", branch=b"z9hG4bKalive", call_id=b"alive"))
        assert phone.last(200).cseq_method == b"OPTIONS", section


INSIDE = (
    ("11", request(b"OPTIONS", 2), 200, ("allow", b"REFER, NOTIFY")),
    ("12.2.2", request(b"OPTIONS", 1), 500, None),
    ("8.2.2.3", request(b"OPTIONS", 2, more=(b"Require: fly",)), 420, ("unsupported", b"fly")),
    ("8.2.1", request(b"REGISTER", 2), 405, ("allow", b"INVITE")),
    ("21.5.2", request(b"FLY", 2), 501, None),
    ("RFC 2976 2.2", request(b"INFO", 2), 200, None),
    ("RFC 2976 2.2", typed(request(b"INFO", 2, body=b"Signal=1"), b"application/dtmf-relay"), 200, None),
    ("RFC 2976 2.2", typed(request(b"INFO", 2, body=b"Signal=1"), b"Application/DTMF-Relay ; x=y"), 200, None),
    ("RFC 2976 2.2", typed(request(b"INFO", 2, body=b"<x>"), b"text/xml"), 415, ("accept", b"application/dtmf-relay")),
    ("RFC 6086 4.2.2", request(b"INFO", 2, more=(b"Info-Package : foo",)), 469, ("recv-info", b"")),
    ("21.4.11", typed(request(b"INFO", 2, body=b"x" * 1301), b"application/dtmf-relay"), 413, None),
    ("RFC 3428 7", typed(request(b"MESSAGE", 2, body=b"hello"), b"text/plain;charset=utf-8"), 200, None),
    ("RFC 3428 7", typed(request(b"MESSAGE", 2, body=b"hello"), b"text/plain", b"Content-Encoding: gzip\r\n"), 415,
     ("accept-encoding", b"identity")),
    ("RFC 6665 4.1.3", request(b"NOTIFY", 2, more=(b"Event: dialog",)), 489, None),
    ("RFC 6665 4.1.3", request(b"NOTIFY", 2, more=(b"Event: refer",)), 481, None),
    ("unasked", request(b"NOTIFY", 2, more=(b"Event: keep-alive",)), 200, None),
    ("RFC 6665 4.2.1", request(b"SUBSCRIBE", 2, more=(b"Event: dialog",)), 489, None),
)  # fmt: skip


def test_inside_a_call():
    for section, data, status, wanted in INSIDE:
        world, agent, phone, call, to = talking()
        agent.on_message = lambda sender, text, call: None
        agent.on_info = lambda call, kind, body: kind == b"application/dtmf-relay"
        data = data.replace(b"To: " + HERE, b"To: " + to).replace(b"z9hG4bKa", b"z9hG4bKin")
        phone.send(data)
        phone.send(data)
        assert phone.statuses() == [status, status], (section, data, phone.statuses())
        assert wanted is None or wanted[1] in (value(phone.got[0], wanted[0]) or b""), (section, phone.got[0].data)
        assert call.state == "up" and not agent.faults, section
        phone.send(request(b"BYE", 9, to=to, branch=b"z9hG4bKbye"))
        assert phone.statuses()[-1] == 200 and call.state == "ended", section


def test_a_bye_with_a_body_of_any_kind_ends_the_call():
    world, agent, phone, call, to = talking()
    phone.send(typed(request(b"BYE", 2, to=to, branch=b"z9hG4bKbye", body=b"PS=1,OS=2"), b"application/x-rtp-stats"))
    assert phone.statuses() == [200] and call.state == "ended"


def test_require_in_ack_and_cancel_is_passed_over():
    world, agent, phone, calls = door()
    phone.send(invite())
    phone.send(request(b"CANCEL", more=(b"Require: fly",)))
    assert phone.statuses() == [180, 200, 487]
    world, agent, phone, calls = door()
    phone.send(invite())
    calls[0].answer("192.0.2.1", 5000)
    ack = request(b"ACK", to=phone.last(200).get(3), branch=b"z9hG4bKack", more=(b"Require: fly",))
    phone.send(ack)
    world.run(40000)
    assert phone.statuses() == [180, 200] and calls[0].state == "up"


def test_the_application_reads_messages_and_info():
    world, agent, phone, call, to = talking()
    read = []
    agent.on_message = lambda sender, text, call: read.append((sender, text, call))
    agent.on_info = lambda call, kind, body: read.append((call, kind, body)) or True
    text = "Grüße\r\n\x1b[2J".encode() + b"\xff"
    phone.send(typed(request(b"MESSAGE", body=text, call_id=b"m", branch=b"z9hG4bKm"), b"text/plain"))
    inside = typed(request(b"MESSAGE", 2, to=to, body=b"two", branch=b"z9hG4bKn"), b"text/plain")
    phone.send(inside)
    phone.send(inside)
    phone.send(typed(request(b"INFO", 3, to=to, body=b"Signal=5", branch=b"z9hG4bKi"), b"application/dtmf-relay"))
    assert phone.statuses() == [200] * 4
    assert len(read) == 3 and read[1] == ("sip:phone@192.0.2.2", "two", call)
    assert read[2] == (call, b"application/dtmf-relay", b"Signal=5")
    assert read[0][0] == "sip:phone@192.0.2.2" and read[0][2] is None
    assert read[0][1].startswith("Gr") and "\x1b" not in read[0][1] and read[0][1].count("\n") == 1


def test_a_message_from_who_may_not_call_is_refused_and_one_to_a_busy_door_read():
    for verdict, statuses in (((403, b"No"), [403]), ((486, b"Busy"), [200])):
        world, agent, phone, calls = door(admit=lambda host, request: verdict)
        read = []
        agent.on_message = lambda *message: read.append(message)
        phone.send(typed(request(b"MESSAGE", body=b"hello"), b"text/plain"))
        assert phone.statuses() == statuses and len(read) == (statuses == [200])


def test_the_offer_in_a_multipart_body_is_answered():
    world, agent, phone, calls = door()
    phone.send(typed(invite(body=PARTS % (b"", SDP)), MULTI))
    calls[0].answer("192.0.2.1", 5000)
    assert b"m=audio 5000 RTP/AVP 0 101" in phone.last(200).body and calls[0].media.port == 4000


def test_options_says_what_we_are():
    world, agent, phone, calls = door()
    phone.send(request(b"OPTIONS"))
    ok = phone.last(200)
    for name in ("allow", "accept", "accept-encoding", "supported", "contact", "accept-language"):
        assert value(ok, name), name
    allowed = ok.all(field(b"allow"))
    assert ok.all(field(b"supported")) and ok.to_tag and allowed[-1] == b"ACK"
    for method in allowed[:-1] + [b"REGISTER", b"PUBLISH", b"FLY"]:
        phone.send(request(method, body=SDP, branch=b"z9hG4bK" + method, call_id=method))
        assert (phone.got[-1].status in (405, 501)) == (method not in allowed), method


def test_the_user_rejects_with_what_it_likes():
    for status in (480, 486, 488, 600, 603, 606):
        world, agent, phone, calls = door()
        phone.send(invite())
        calls[0].reject(status)
        assert phone.statuses() == [180, status] and calls[0].status == status and not agent.calls


def test_two_callers_whose_branch_is_the_bare_cookie_are_two():
    world, agent, phone, calls = door()
    for number in range(2):
        phone.send(invite(branch=b"z9hG4bK", call_id=b"c%d" % number))
    assert phone.statuses() == [180, 180] and len(calls) == 2


def test_a_call_takes_the_place_of_another():
    world, agent, phone, call, to = talking()
    agent.admit = lambda host, request: (486, b"Busy") if agent.calls else None
    other = world.phone("192.0.2.3")
    heard = []
    agent.on_replaced = lambda old, new: heard.append((old, new, new.state))
    tags = (call.dialog.local_tag, call.dialog.remote_tag)
    busy = request(b"INVITE", body=SDP, host=b"192.0.2.3", call_id=b"b", branch=b"z9hG4bKb")
    other.send(busy)
    assert other.statuses() == [486]
    wrong = request(b"INVITE", body=SDP, host=b"192.0.2.3", call_id=b"w", branch=b"z9hG4bKw",
                    more=(b"Replaces: c1;to-tag=%s;from-tag=%s" % (tags[1], tags[0]),))
    other.send(wrong)
    assert other.statuses() == [486, 481]
    line = b"Replaces: c1;to-tag=%s;from-tag=%s" % tags
    early = request(b"INVITE", body=SDP, host=b"192.0.2.3", call_id=b"e", branch=b"z9hG4bKe",
                    more=(line + b";early-only", b"Require: replaces"))
    other.send(early)
    assert other.statuses() == [486, 481, 486] and call.state == "up" and not heard
    other.send(request(b"INVITE", body=SDP.replace(b"4000", b"4004"), host=b"192.0.2.3", call_id=b"r", branch=b"z9hG4bKr",
                       tag=b"other", more=(line,)))
    assert len(heard) == 1
    old, new, state = heard[0]
    assert old is call and state == "incoming" and new.state == "up" and call.state == "ended"
    assert other.statuses()[-1] == 200 and b"m=audio 5000 " in other.got[-1].body
    assert phone.methods() == [b"BYE"]
    assert world.events == ["media", "up", "media", "up", "ended"]
    assert new.media.port == 4004
    ack = request(b"ACK", to=other.got[-1].get(3), host=b"192.0.2.3", call_id=b"r", tag=b"other", branch=b"z9hG4bKra")
    other.send(ack)
    world.run(33000)
    assert new.state == "up" and agent.calls == [new] and not agent.faults


def test_only_whom_we_called_may_be_replaced_while_it_rings():
    world, agent, phone, calls = door()
    phone.send(invite())
    tags = (calls[0].dialog.local_tag, calls[0].dialog.remote_tag)
    other = world.phone("192.0.2.3")
    other.send(request(b"INVITE", body=SDP, host=b"192.0.2.3", call_id=b"r", branch=b"z9hG4bKr",
                       more=(b"Replaces: c1;to-tag=%s;from-tag=%s" % tags,)))
    assert other.statuses() == [481] and calls[0].state == "incoming" and len(calls) == 1


def test_a_call_of_ours_that_rings_is_picked_up_elsewhere():
    """What a PBX does when somebody picks the call up at another phone (RFC 3891 1)."""
    world, agent, phone, calls = door()
    heard = []
    events = []
    agent.on_replaced = lambda old, new: heard.append((old, new))
    call = agent.call("sip:phone@192.0.2.2", "192.0.2.1", 5000, lambda call, event: events.append((call, event)))
    phone.send(reply(phone.last(method=b"INVITE"), 180))
    other = world.phone("192.0.2.3")
    tags = (call.dialog.call_id, call.dialog.local_tag)
    other.send(request(b"INVITE", body=SDP, host=b"192.0.2.3", call_id=b"r", branch=b"z9hG4bKr",
                       more=(b"Replaces: %s;to-tag=%s;from-tag=them;early-only" % tags,)))
    (old, new), = heard
    assert other.statuses() == [200] and old is call and new.state == "up" and call.state == "ended"
    assert phone.methods() == [b"INVITE", b"CANCEL"]
    assert events == [(call, "ringing"), (new, "media"), (new, "up"), (call, "ended")] and not agent.faults


def test_an_answer_in_a_multipart_body_is_taken():
    world, agent, phone, calls = door()
    call = agent.call("sip:phone@192.0.2.2", "192.0.2.1", 5000)
    phone.send(typed(reply(phone.last(method=b"INVITE"), 200, body=PARTS % (b"", SDP)), MULTI))
    assert call.state == "up" and call.media.port == 4000


def test_a_body_that_is_compressed_is_415_in_a_call_too():
    world, agent, phone, call, to = talking()
    phone.send(request(b"INVITE", 2, to=to, body=SDP, branch=b"z9hG4bKre", more=(b"Content-Encoding: gzip",)))
    assert phone.statuses() == [415] and call.state == "up"


def test_calls_that_replace_each_other_are_bounded():
    world, agent, phone, call, to = talking()
    other = world.phone("192.0.2.3")
    for number in range(10):
        tags = (agent.calls[-1].dialog.call_id, agent.calls[-1].dialog.local_tag, agent.calls[-1].dialog.remote_tag)
        other.send(request(b"INVITE", body=SDP, host=b"192.0.2.3", call_id=b"r%d" % number, branch=b"z9hG4bKr%d" % number,
                           tag=b"t%d" % number, more=(b"Replaces: %s;to-tag=%s;from-tag=%s" % tags,)))
    assert len(agent.calls) <= agent.CALLS + 1 and 486 in other.statuses()
    world.run(40000)
    assert not agent.faults


def test_numbers_of_header_fields_are_the_scanners():
    """Files that say _H_X = const(n) mean the scanner's n."""
    import os

    import sip.agent as module

    folder = module.__file__[: module.__file__.rfind("/")]
    for name in os.listdir(folder):
        if not name.endswith(".py"):
            continue
        with open(folder + "/" + name) as source:
            for line in source:
                if line.startswith("_H_") and "= const(" in line:
                    known = line.split(" ")[0][3:].lower().replace("_", "-")
                    assert field(known.encode()) == int(line.split("const(")[1].split(")")[0]), (name, line)


def test_it_is_read_as_it_was_sent():
    # the table's own requests are well-formed where they are meant to be
    for section, data, status, wanted in INSIDE:
        parse(data).check()
