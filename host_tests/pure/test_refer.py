"""Transfer, blind and attended, asked of us and by us (RFC 3515, RFC 3891, RFC 5589), both sides, in virtual time."""

from expect import raises
from virtual_sip import SDP, World, reply, request

from sip.refer import unescape
from sip.referring import escape
from sip.scan import field

TO = b"<sip:target@192.0.2.3>"
REFER_TO = b"Refer-To: " + TO


class House:
    """A door, a phone that it talks to, and the one that is to come instead; phones are played by hand."""

    def __init__(self, outgoing=False):
        self.world = World()
        self.events = []
        self.replaced = []
        self.calls = []
        self.agent = self.world.agent("192.0.2.1", on_call=self.on_call)
        self.agent.on_replaced = lambda old, new: self.replaced.append((old, new))
        self.phone = self.world.phone("192.0.2.2")
        self.target = self.world.phone("192.0.2.3")
        self.sequence = 1
        if outgoing:
            self.call = self.agent.call("sip:phone@192.0.2.2", "192.0.2.1", 5000, self.on_event)
            invite = self.phone.last(method=b"INVITE")
            self.phone.send(reply(invite, 200, body=SDP))
        else:
            self.phone.send(request(b"INVITE", body=SDP))
            self.call = self.calls[0]
            self.call.answer("192.0.2.1", 5000)
            self.phone.send(request(b"ACK", to=self.phone.last(200).get(3), branch=b"z9hG4bKack"))
        assert self.call.state == "up"
        self.world.deliver()
        del self.phone.got[:]
        del self.events[:]

    def on_call(self, call):
        self.calls.append(call)
        call.on_event = self.on_event

    def on_event(self, call, event):
        self.events.append((call, event))

    def ask(self, method, more=(), body=b"", kind=None):
        """A request of the phone inside the call; the answer's status."""
        self.sequence += 1
        dialog = self.call.dialog
        data = request(method, self.sequence, b"z9hG4bKp%d" % self.sequence, dialog.local, dialog.remote_tag, dialog.call_id,
                       body, more)
        if kind:
            data = data.replace(b"application/sdp", kind)
        before = len(self.phone.statuses())
        self.phone.send(data)
        statuses = self.phone.statuses()[before:]
        assert len(statuses) == 1, statuses
        return statuses[0]

    def answered(self, status, body=b""):
        """The target's response to the newest INVITE that came there."""
        contact = b"<sip:target@192.0.2.3:5060>"
        self.target.send(reply(self.target.last(method=b"INVITE"), status, body=body, contact=contact))

    def told(self):
        """(Event, Subscription-State up to its parameters, status line) of each NOTIFY; they are answered."""
        self.world.deliver()
        out = []
        seen = []
        for message in [one for one in self.phone.got if one.method == b"NOTIFY"]:
            self.phone.got.remove(message)
            if message.cseq in seen:
                continue
            seen.append(message.cseq)
            state = message.get(field(b"subscription-state")).split(b";")[0]
            assert message.body.endswith(b"\r\n") and message.get(9).startswith(b"message/sipfrag")
            out.append((message.get(field(b"event")), state, message.body.strip()))
            self.phone.send(reply(message, 200))
        return out

    def no_faults(self):
        self.world.run(60000)
        assert not self.agent.faults and not len(self.agent.transactions) and not len(self.agent.timers)


def test_blind_the_target_answers():
    for outgoing in (False, True):
        house = House(outgoing)
        assert house.ask(b"REFER", (REFER_TO, b"Referred-By: <sip:phone@192.0.2.2>")) == 202
        assert house.told() == [(b"refer", b"active", b"SIP/2.0 100 Trying")]
        assert house.events == [(house.call, "transfer")] and "sip:target@192.0.2.3" in house.call.news
        invite = house.target.last(method=b"INVITE")
        assert invite.uri == b"sip:target@192.0.2.3" and b"m=audio 5000 " in invite.body
        assert invite.get(field(b"referred-by")) == b"<sip:phone@192.0.2.2>" and invite.call_id != house.call.dialog.call_id
        house.answered(180)
        assert house.told() == [(b"refer", b"active", b"SIP/2.0 180 Ringing")]
        assert not house.replaced and len(house.events) == 1
        house.answered(200, SDP.replace(b"192.0.2.2\r\nt", b"192.0.2.3\r\nt"))
        assert house.told() == [(b"refer", b"terminated", b"SIP/2.0 200 OK")]
        (old, new), = house.replaced
        assert old is house.call and house.events[1:] == [(new, "media"), (new, "up")] and new.media.host == "192.0.2.3"
        assert house.ask(b"BYE") == 200 and old.state == "ended" and new.state == "up"
        house.world.run(60000)
        assert house.phone.methods() == [] and house.agent.calls == [new]
        new.hangup()
        assert house.target.methods() == [b"INVITE", b"ACK", b"BYE"]
        assert house.events[3:] == [(old, "ended"), (new, "ended")]
        house.no_faults()


def test_who_forgets_to_end_the_old_call_is_helped():
    house = House()
    house.ask(b"REFER", (REFER_TO,))
    house.answered(200, SDP)
    house.told()
    assert house.call.state == "up"
    house.world.run(5000)
    assert house.call.state == "ended" and b"BYE" in house.phone.methods() and house.replaced[0][1].state == "up"


def test_blind_the_transferor_leaves_at_once():
    house = House()
    house.ask(b"REFER", (REFER_TO,))
    house.told()
    assert house.ask(b"BYE") == 200
    (old, new), = house.replaced
    assert house.events == [(old, "transfer"), (old, "ended")] and new.state == "calling"
    house.answered(180)
    house.answered(200, SDP)
    # the subscription outlives the call (RFC 5057)
    assert [one[2] for one in house.told()] == [b"SIP/2.0 180 Ringing", b"SIP/2.0 200 OK"]
    assert house.events[2:] == [(new, "ringing"), (new, "media"), (new, "up")] and len(house.replaced) == 1
    new.hangup()
    house.target.send(reply(house.target.last(method=b"BYE"), 200))
    house.no_faults()


def test_the_target_is_busy_and_the_call_goes_on():
    house = House()
    house.ask(b"REFER", (REFER_TO,))
    house.told()
    house.answered(486)
    assert house.told() == [(b"refer", b"terminated", b"SIP/2.0 486 Busy Here")]
    assert house.call.state == "up" and "busy (486)" in house.call.news and not house.replaced
    assert house.events == [(house.call, "transfer")] * 2 and house.agent.calls == [house.call]
    # and it may be tried again, now with a number
    assert house.ask(b"REFER", (REFER_TO,)) == 202
    assert house.told() == [(b"refer;id=%d" % house.sequence, b"active", b"SIP/2.0 100 Trying")]


def test_nobody_at_the_target():
    house = House()
    house.ask(b"REFER", (b"Refer-To: <sip:nobody@192.0.2.77>",))
    house.told()
    house.world.run(33000)
    assert [one[1:] for one in house.told()] == [(b"terminated", b"SIP/2.0 408 Request Timeout")]
    assert house.call.state == "up" and "no answer" in house.call.news


def test_our_user_hangs_up_while_the_target_rings():
    house = House()
    house.ask(b"REFER", (REFER_TO,))
    house.answered(180)
    house.call.hangup()
    assert house.target.methods() == [b"INVITE", b"CANCEL"] and not house.replaced
    assert b"BYE" in house.phone.methods() and house.told()[-1][2] == b"SIP/2.0 487 Request Terminated"


def test_attended_replaces_goes_into_the_new_invite():
    house = House()
    value = b"xyz%40192.0.2.3%3Bto-tag%3Da%3Bfrom-tag%3Db"
    refer_to = b"Refer-To: <sip:target@192.0.2.3;user=phone;method=INVITE?Route=%3Csip:evil%3E&Replaces=" + value + b">"
    assert house.ask(b"REFER", (refer_to,)) == 202
    invite = house.target.last(method=b"INVITE")
    assert invite.uri == b"sip:target@192.0.2.3;user=phone"
    assert invite.get(field(b"replaces")) == b"xyz@192.0.2.3;to-tag=a;from-tag=b" and invite.get(field(b"route")) is None
    # it is still there when the INVITE is challenged and sent again
    assert house.agent.calls[1].lines


REFUSED = (
    ((), 400),
    ((REFER_TO, REFER_TO), 400),
    ((b"Refer-To: <sip:a@192.0.2.3>, <sip:b@192.0.2.3>",), 400),
    ((b"Refer-To: <<sip:x",), 400),
    ((b"Refer-To: <tel:+49123>",), 603),
    ((b"Refer-To: <http://192.0.2.3/>",), 603),
    ((b"Refer-To: <sip:x@192.0.2.3;method=BYE>",), 603),
    ((b"Refer-To: <sip:x@192.0.2.3?Replaces=a%0D%0AX%3A>",), 400),
    ((b"Refer-To: <sip:x@pbx.example>",), 603),  # no name server is known
    ((REFER_TO, b"Require: multiple-refer"), 420),
)


def test_what_is_refused():
    for more, status in REFUSED:
        house = House()
        assert house.ask(b"REFER", more) == status, more
        assert not house.told() and not house.target.got and house.call.state == "up" and not house.agent.faults, more


def test_the_application_may_refuse_and_one_transfer_at_a_time():
    house = House()
    asked = []
    house.agent.on_refer = lambda call, target: asked.append((call, target)) or len(asked) > 1
    assert house.ask(b"REFER", (REFER_TO,)) == 603 and asked == [(house.call, "sip:target@192.0.2.3")]
    assert house.ask(b"REFER", (REFER_TO,)) == 202
    assert house.ask(b"REFER", (REFER_TO,)) == 491
    assert house.target.methods() == [b"INVITE"]


def test_without_a_subscription_nothing_is_told():
    house = House()
    assert house.ask(b"REFER", (REFER_TO, b"Refer-Sub: false", b"Require: norefersub")) == 202
    assert b"Refer-Sub: false" in house.phone.last(202).data
    house.answered(200, SDP)
    assert house.told() == [] and len(house.replaced) == 1


def test_the_subscription_may_be_prolonged_and_ended():
    house = House()
    assert house.ask(b"SUBSCRIBE", (b"Event: refer",)) == 481
    house.ask(b"REFER", (REFER_TO,))
    house.told()
    assert house.ask(b"SUBSCRIBE", (b"Event: refer", b"Expires: 60")) == 200
    assert house.told() == [(b"refer", b"active", b"SIP/2.0 100 Trying")]
    assert house.ask(b"SUBSCRIBE", (b"Event: refer", b"Expires: 0")) == 200
    assert house.told() == [(b"refer", b"terminated", b"SIP/2.0 100 Trying")]
    house.answered(200, SDP)
    assert house.told() == [] and len(house.replaced) == 1


def test_a_notify_that_is_lost_comes_again_and_one_that_is_challenged_is_dropped():
    house = House()
    lost = []
    house.world.lose = lambda data, source, peer: data.startswith(b"NOTIFY") and not lost and not lost.append(1)
    house.ask(b"REFER", (REFER_TO,))
    assert house.told() == []
    house.world.run(600)
    assert house.told() == [(b"refer", b"active", b"SIP/2.0 100 Trying")]
    house.answered(180)
    notify = house.phone.last(method=b"NOTIFY")
    house.phone.send(reply(notify, 401, more=(b'WWW-Authenticate: Digest realm="x", nonce="y"',)))
    assert house.phone.methods().count(b"NOTIFY") == 1 and not house.agent.faults


# --- We ask.


def notify(house, line, state=b"active;expires=60", event=b"refer"):
    more = (b"Event: " + event, b"Subscription-State: " + state)
    return house.ask(b"NOTIFY", more, line + b"\r\n" if line else b"", b"message/sipfrag;version=2.0")


def test_we_hand_the_call_on():
    house = House()
    house.call.refer("sip:102@192.0.2.3")
    refer = house.phone.last(method=b"REFER")
    assert refer.get(field(b"refer-to")) == b"<sip:102@192.0.2.3>" and refer.contact_uri
    assert refer.get(field(b"referred-by")) == b"<sip:door@192.0.2.1>" and refer.to_tag == b"me"
    house.phone.send(reply(refer, 202))
    assert notify(house, b"SIP/2.0 100 Trying") == 200 and notify(house, b"SIP/2.0 180 Ringing") == 200
    assert house.call.state == "up" and not house.events
    assert notify(house, b"SIP/2.0 200 OK", b"terminated;reason=noresource") == 200
    assert house.events[0] == (house.call, "transfer") and "handed on to sip:102@192.0.2.3" in house.call.news
    house.world.run(100)
    bye = house.phone.last(method=b"BYE")
    house.phone.send(reply(bye, 200))
    assert house.call.state == "ended"
    house.no_faults()


def test_what_goes_wrong_leaves_the_call_as_it_was():
    for wrong, words in (
        (lambda house, refer: house.phone.send(reply(refer, 603)), "declined (603)"),
        (lambda house, refer: house.phone.send(reply(refer, 405)), "405"),
        (lambda house, refer: house.world.run(40000), "no answer"),
        (lambda house, refer: notify(house, b"SIP/2.0 486 Busy Here", b"terminated"), "busy (486)"),
        (lambda house, refer: notify(house, b"", b"terminated;reason=giveup"), "giveup"),
        (lambda house, refer: notify(house, b"nonsense", b"terminated"), "no word"),
    ):
        house = House()
        house.call.refer("sip:102@192.0.2.3")
        wrong(house, house.phone.last(method=b"REFER"))
        assert house.call.state == "up" and house.events == [(house.call, "transfer")], words
        assert "could not be handed on" in house.call.news and words in house.call.news, house.call.news
        assert notify(house, b"SIP/2.0 200 OK") == 481
        house.call.refer("sip:103@192.0.2.3")


def test_what_cannot_be_handed_on():
    house = House()
    assert "needs a server" in str(raises(ValueError, house.call.refer, "102"))
    assert "not up" in str(raises(ValueError, house.call.refer, house.call))
    house.call.hangup()
    assert "not up" in str(raises(ValueError, house.call.refer, "sip:102@192.0.2.3"))
    assert notify(house, b"SIP/2.0 200 OK") == 481


def test_attended_between_three_of_ours():
    """The door talks to two phones that are agents of ours too, and joins them."""
    world = World()
    calls = {}
    replaced = []

    def party(host):
        agent = world.agent(host, on_call=lambda call: (calls.setdefault(host, []).append(call), call.answer(host, 5000)))
        agent.on_replaced = lambda old, new: replaced.append((old, new))
        return agent

    door, one, two = party("192.0.2.1"), party("192.0.2.2"), party("192.0.2.3")
    events = []
    first = door.call("sip:one@192.0.2.2", "192.0.2.1", 5000, lambda call, event: events.append((call, event)))
    second = door.call("sip:two@192.0.2.3", "192.0.2.1", 5002, lambda call, event: events.append((call, event)))
    world.run(100)
    assert first.state == second.state == "up"
    del events[:]
    first.refer(second)
    world.run(10000)
    assert first.state == "ended" and second.state == "ended" and not door.calls
    assert (first, "transfer") in events and "handed on" in first.news
    (old, new), (theirs, joined) = replaced if replaced[0][0] in calls["192.0.2.2"] else replaced[::-1]
    assert old is calls["192.0.2.2"][0] and theirs is calls["192.0.2.3"][0]
    assert new.state == joined.state == "up" and new.media.host == "192.0.2.3" and joined.media.host == "192.0.2.2"
    assert one.calls == [new] and two.calls == [joined]
    joined.hangup()
    world.run(40000)
    for agent in (door, one, two):
        assert not agent.faults and not agent.calls and not len(agent.transactions) and not len(agent.timers)


def test_escapes():
    assert escape(b"a@b;to-tag=1") == b"a%40b%3Bto-tag%3D1" and unescape(escape(bytes(range(256)))) == bytes(range(256))
    for odd in (b"%", b"%4", b"%zz", b"a%2", b"%%41"):
        unescape(odd)
    assert unescape(b"%zz%41") == b"%zzA"


# --- A full heap.


def test_a_notify_that_met_a_full_heap_is_told_all_the_same():
    house = House()
    real = house.call.send
    tries = []

    def send(*arguments, **named):
        tries.append(arguments[0])
        if len(tries) == 1:
            raise MemoryError
        return real(*arguments, **named)

    house.call.send = send
    assert house.ask(b"REFER", (REFER_TO,)) == 202
    assert house.told() == [(b"refer", b"active", b"SIP/2.0 100 Trying")] and len(tries) == 2
    assert house.agent.out_of_memory == 1 and not house.agent.faults


def test_the_new_call_is_given_when_there_is_room_again():
    import sip.call as module

    house = House()
    house.ask(b"REFER", (REFER_TO,))
    house.told()
    real = module.lend
    full = []

    def lend(name):
        if name == "sip.handing" and not full:
            full.append(name)
            raise MemoryError
        return real(name)

    module.lend = lend
    try:
        house.answered(200, SDP)
    finally:
        module.lend = real
    (old, new), = house.replaced
    assert full and new.state == "up" and house.events[-1] == (new, "up")


def test_a_refer_that_could_not_be_answered_places_one_call():
    house = House()
    real = house.call._reply
    tries = []

    def reply_(*arguments):
        tries.append(1)
        if len(tries) == 1:
            raise MemoryError
        return real(*arguments)

    house.call._reply = reply_
    data = request(b"REFER", 2, b"z9hG4bKp2", house.call.dialog.local, b"me", b"c1", b"", (REFER_TO,))
    house.phone.send(data)
    house.phone.send(data)
    assert house.phone.statuses()[-1] == 202 and len(tries) == 2
    assert len([call for call in house.agent.calls if call.state != "ended"]) == 2
