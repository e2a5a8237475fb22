"""Calls in which everything happens at any time, by chance: nothing is met that nobody foresaw, both
sides end up of one mind, and nothing is left behind. In virtual time."""

from virtual_sip import SDP, World, reply, request

CALLS = 40


class Chance:
    """Numbers by chance, the same on every interpreter."""

    def __init__(self, seed):
        self.state = seed * 7919 + 1

    def below(self, n):
        self.state = (self.state * 1103 + 12345) % 1000003
        return self.state // 7 % n

    def one(self, things):
        return things[self.below(len(things))]


def settle(world):
    world.lose = None
    world.run(60000)


def left_behind(agent):
    return len(agent.calls), len(agent.transactions), len(agent.timers), agent.faults


def play(seed):
    """Two agents; one calls, both do what comes to mind, a part of the datagrams is lost."""
    chance = Chance(seed)
    world = World()
    calls = []

    def on_call(call):
        calls.append(call)
        what = chance.below(3)
        if what:
            call.ring(*((), ("192.0.2.2", 5002))[what - 1])
        if chance.below(3):
            call.answer("192.0.2.2", 5002)

    one = world.agent("192.0.2.1")
    two = world.agent("192.0.2.2", on_call=on_call)
    one.session_expires_s = chance.one((0, 90, 200))
    two.session_expires_s = chance.one((0, 0, 120))
    if chance.below(2):
        one.ABOUT = one.ABOUT + b"\r\nRequire: 100rel"
    here = one.call("sip:door@192.0.2.2", "192.0.2.1", 5000)
    lost = chance.one((5, 6, 8, 50))  # of more, too much for eleven tries would be lost now and then
    world.lose = lambda data, source, peer: not chance.below(lost)
    world.run(3000)
    for _ in range(12):
        call = chance.one([here] + calls)
        what = chance.below(9)
        if what == 0:
            call.hold()
        elif what == 1:
            call.resume()
        elif what == 2:
            call.renew(call.agent.host, 6000 + 2 * chance.below(9))
        elif what == 3:
            call.answer("192.0.2.2", 5002)
        elif what == 4 and not chance.below(4):
            call.hangup()
        elif what == 5:
            call.ring()
        world.run(chance.one((0, 10, 400, 3000, 30000)))
    settle(world)
    there = calls[0] if calls else None
    if here.state == "up" and there:
        assert there.state == "up", (seed, there.state, there.ended)
        for mine, theirs in ((here, there), (there, here)):
            assert mine.media.held == theirs.on_hold, (seed, mine.media.held, theirs.on_hold)
            assert mine.media.send == theirs.media.receive, seed
            assert mine.media.port == theirs._media_address[1], seed
        for action in (here.resume, there.resume):
            action()
            world.run(30000)
        assert here.media.send and here.media.receive and there.media.send and there.media.receive, seed
    elif there:
        # who was never told of any answer gives up without a word
        assert here.state != "ended" or there.state in ("ended", "incoming"), (seed, here.state, there.state, here.ended)
    here.hangup()
    for call in calls:
        call.hangup()
    world.run(100000)
    for agent in (one, two):
        assert left_behind(agent) == (0, 0, 0, 0), (seed, left_behind(agent))


def test_two_agents_that_do_anything_at_any_time():
    for seed in range(CALLS):
        play(seed)


BODIES = (
    b"", b"", SDP, SDP, SDP + b"a=sendonly\r\n", SDP + b"a=inactive\r\n", SDP.replace(b"0 8 101", b"18"), b"hello",
    SDP.replace(b"c=IN IP4 192.0.2.2", b"c=IN IP4 0.0.0.0"), SDP.replace(b"4000", b"0"), SDP.replace(b"m=audio", b"m=video"),
    SDP + b"m=video 4002 RTP/AVP 96\r\n", SDP.replace(b"RTP/AVP", b"RTP/SAVP"), SDP[:60], SDP.replace(b"192.0.2.2", b"::1"),
)  # fmt: skip
LINES = (
    b"Supported: timer, 100rel", b"Require: timer", b"Require: 100rel", b"Session-Expires: 90", b"Session-Expires: 91;refresher=uas",
    b"Session-Expires: x", b"Min-SE: 100", b"RSeq: 1", b"RSeq: 2", b"RSeq: 77", b"RAck: 1 1 INVITE", b"RAck: x", b"Allow: UPDATE",
    b"Record-Route: <sip:192.0.2.2;lr>", b"Record-Route: <sip:192.0.2.2>", b"Retry-After: 3", b"Contact: <nonsense", b"Session-Expires:",
)  # fmt: skip
METHODS = (b"INVITE", b"INVITE", b"UPDATE", b"UPDATE", b"ACK", b"ACK", b"PRACK", b"CANCEL", b"BYE", b"INFO", b"OPTIONS")
STATUSES = (100, 180, 183, 199, 200, 200, 200, 401, 408, 422, 481, 487, 488, 491, 500, 603)


def torment(seed):
    """An agent, and a phone that says anything."""
    chance = Chance(seed)
    world = World()
    calls = []

    def on_call(call):
        calls.append(call)
        if chance.below(2):
            call.ring()
        if chance.below(2):
            call.answer("192.0.2.1", 5000)

    agent = world.agent("192.0.2.1", on_call=on_call)
    agent.session_expires_s = chance.one((0, 90))
    phone = world.phone("192.0.2.2")
    if chance.below(2):
        calls.append(agent.call("sip:phone@192.0.2.2", "192.0.2.1", 5000))
        world.deliver()
    else:
        phone.send(request(b"INVITE", body=chance.one(BODIES), more=(chance.one(LINES),)))
    for step in range(40):
        what = chance.below(10)
        more = tuple([chance.one(LINES) for _ in range(chance.below(4))])
        body = chance.one(BODIES)
        asked = [one for one in phone.got if one.is_request and one.method != b"ACK"]
        answers = [one for one in phone.got if one.status > 100]
        tag = chance.one((b"them", b"them", b"me", b"other"))
        if what < 4 and asked:
            to = asked[-1 - chance.below(min(len(asked), 3))]
            phone.send(reply(to, chance.one(STATUSES), tag, body, more))
        elif what < 8 and (asked or answers):
            known = answers[-1] if answers else None
            own = known.get(3) if known else asked[-1].get(2)
            call_id = known.call_id if known else asked[-1].call_id
            method = chance.one(METHODS)
            if method == b"BYE" and chance.below(3):
                method = b"UPDATE"
            sequence = chance.one((1, 2, step + 1, step + 1, step + 1))
            data = request(method, sequence, b"z9hG4bK%d" % chance.below(60), own, tag, call_id, body, more)
            for _ in range(1 + chance.below(2)):
                phone.send(data)
        elif calls:
            call = calls[-1]
            chance.one((call.hold, call.resume, call.ring, lambda: call.answer("192.0.2.1", 5000), lambda: call.renew("192.0.2.1", 5004)))()
        world.run(chance.one((0, 0, 20, 600, 5000, 40000)))
        assert not agent.faults, seed
        assert len(agent.calls) <= agent.CALLS and len(agent.transactions) <= agent.transactions.limit
    for call in calls:
        call.hangup()
    world.run(200000)
    assert left_behind(agent) == (0, 0, 0, 0), (seed, left_behind(agent), [call.state for call in agent.calls])


def test_a_phone_that_says_anything():
    for seed in range(CALLS):
        torment(seed)
