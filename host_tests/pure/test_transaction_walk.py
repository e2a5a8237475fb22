"""Every edge of the four machines, and every (state, event) that is none, over datagrams and over streams, held against the
figures of RFC 3261 section 17 and RFC 6026 as they are written down here; then two agents on a wire that loses and repeats.

A row: state, event, next state, what is sent and told, the deadline in ms over UDP and over a stream, the retransmission timer in
ms over UDP. "-": none. "=": as it was.
"""

from virtual_sip import SDP, World, reply, request

from sip import transaction as machine
from sip.message import parse, response

STATES = {
    "terminated": machine.TERMINATED,
    "calling": machine.CALLING,  # Calling, or Trying
    "proceeding": machine.PROCEEDING,
    "completed": machine.COMPLETED,
    "accepted": machine.ACCEPTED,
    "confirmed": machine.CONFIRMED,
}
EVENTS = {
    "1xx": machine.PROVISIONAL,
    "2xx": machine.SUCCESS,
    "3xx-6xx": machine.FAILURE,
    "again": machine.AGAIN,
    "over": machine.OVER,
    "request": machine.REQUEST,
    "ack": machine.ACKED,
    "error": machine.ERROR,
}

# Figure 5, with RFC 6026's figure 7. Timers A (again), B, D, M (over).
INVITE_CLIENT = """
calling     again    calling     INVITE         =      =      1000
calling     over     terminated  no-answer      -      -      -
calling     error    terminated  not-reachable  -      -      -
calling     1xx      proceeding  told           -      -      -
calling     2xx      accepted    told           32000  32000  -
calling     3xx-6xx  completed   ACK,told       32000  0      -
proceeding  1xx      proceeding  told           -      -      -
proceeding  2xx      accepted    told           32000  32000  -
proceeding  3xx-6xx  completed   ACK,told       32000  0      -
proceeding  over     terminated  no-answer      -      -      -
completed   3xx-6xx  completed   ACK            =      =      -
completed   error    terminated  -              -      -      -
completed   over     terminated  -              -      -      -
accepted    2xx      accepted    told           =      =      -
accepted    over     terminated  -              -      -      -
"""

# Figure 6. Timers E (again), F, K (over).
CLIENT = """
calling     again    calling     OPTIONS        =      =      1000
calling     over     terminated  no-answer      -      -      -
calling     error    terminated  not-reachable  -      -      -
calling     1xx      proceeding  told           =      =      =
calling     2xx      completed   told           5000   0      -
calling     3xx-6xx  completed   told           5000   0      -
proceeding  again    proceeding  OPTIONS        =      =      4000
proceeding  over     terminated  no-answer      -      -      -
proceeding  error    terminated  not-reachable  -      -      -
proceeding  1xx      proceeding  told           =      =      =
proceeding  2xx      completed   told           5000   0      -
proceeding  3xx-6xx  completed   told           5000   0      -
completed   over     terminated  -              -      -      -
"""

# Figure 7, with RFC 6026's figure 5. Timers G (again), H, I, L (over).
INVITE_SERVER = """
proceeding  request  proceeding  183            -      -      -
proceeding  1xx      proceeding  180            -      -      -
proceeding  2xx      accepted    200            32000  32000  -
proceeding  3xx-6xx  completed   486            32000  32000  500
proceeding  error    proceeding  -              -      -      -
completed   request  completed   486            =      =      =
completed   again    completed   486            =      =      1000
completed   ack      confirmed   -              5000   0      -
completed   over     terminated  -              -      -      -
accepted    2xx      accepted    200            =      =      -
accepted    over     terminated  -              -      -      -
confirmed   over     terminated  -              -      -      -
"""

# Figure 8. Timer J (over).
SERVER = """
calling     1xx      proceeding  180            -      -      -
calling     2xx      completed   200            32000  0      -
calling     3xx-6xx  completed   486            32000  0      -
proceeding  request  proceeding  183            -      -      -
proceeding  1xx      proceeding  180            -      -      -
proceeding  2xx      completed   200            32000  0      -
proceeding  3xx-6xx  completed   486            32000  0      -
completed   request  completed   200            =      =      -
completed   over     terminated  -              -      -      -
"""

FIGURES = (
    (machine.INVITE_CLIENT, INVITE_CLIENT, b"INVITE"),
    (machine.CLIENT, CLIENT, b"OPTIONS"),
    (machine.INVITE_SERVER, INVITE_SERVER, b"INVITE"),
    (machine.SERVER, SERVER, b"OPTIONS"),
)
# How each state is come to.
WAYS = {
    "calling": (),
    "proceeding": ("1xx",),
    "accepted": ("2xx",),
    "completed": ("3xx-6xx",),
    "confirmed": ("3xx-6xx", "ack"),
}


class User:
    def __init__(self):
        self.told = []

    def on_response(self, transaction, message):
        self.told.append("told" if message else transaction.why.replace(" ", "-"))


class Bench:
    """One transaction in a state, and everything that can be seen of it."""

    def __init__(self, table, method, stream, state):
        self.world = World()
        self.world.tcp = True
        self.agent = self.world.agent("192.0.2.1")
        self.phone = self.world.phone("192.0.2.2")
        self.user = User()
        self.method = method
        self.is_client = table is machine.CLIENT or table is machine.INVITE_CLIENT
        peer = ("192.0.2.2", 5060) + ((b"TCP",) if stream else ())
        self.message = request(method, branch=b"z9hG4bKx", body=SDP if method == b"INVITE" else b"")
        if self.is_client:
            self.transaction = self.agent.transactions.client(method, b"z9hG4bKx", self.message, peer, self.user)
        else:
            self.transaction = self.agent.transactions.server(parse(self.message), peer, peer)
        way = WAYS[state]
        if table is machine.SERVER and state == "completed":
            way = ("2xx",)
        for event in way:
            if event == "1xx" and not self.is_client:
                self.answer(183)
            else:
                self.fire(event)
        assert self.transaction.state == STATES[state], (state, self.transaction.state)
        self.sent_before = len(self.world.log)
        self.told_before = len(self.user.told)
        self.timers_before = self.timers()

    def answer(self, status):
        self.transaction.respond(status, response(parse(self.message), status, to_tag=b"t"))

    def fire(self, event):
        """As the network, a timer or the user would; whether the machine has an edge for it."""
        status = {"1xx": 180, "2xx": 200, "3xx-6xx": 486}.get(event)
        if status is None:
            return self.transaction.fire(EVENTS[event])
        if self.is_client:
            return self.transaction.fire(EVENTS[event], parse(reply(parse(self.message), status)))
        before = self.transaction.data
        data = response(parse(self.message), status, to_tag=b"t")
        self.transaction.data = data  # what respond() does, but for the state's own use of it
        found = self.transaction.fire(EVENTS[event])
        if not found:
            self.transaction.data = before
        return found

    def timers(self):
        left = []
        for timer in (self.transaction.deadline, self.transaction._retry):
            left.append("%d" % self.agent.timers.left_ms(timer.due) if timer and timer.action else "-")
        return left

    def happened(self):
        """What was sent and told since, as a row says it."""
        what = []
        for entry in self.world.log[self.sent_before :]:
            words = entry[3].split(b" ")
            what.append((words[1] if words[0] == b"SIP/2.0" else words[0]).decode())
        what.extend(self.user.told[self.told_before :])
        return ",".join(what) or "-"


def rows(figure):
    for line in figure.strip().split("\n"):
        yield line.split()


def test_the_tables_have_the_figures_edges_and_no_others():
    for table, figure, _ in FIGURES:
        edges = sorted([STATES[row[0]] | EVENTS[row[1]] for row in rows(figure)])
        assert edges == sorted([table[n] for n in range(0, len(table), 3)])


def test_every_edge_over_datagrams():
    assert walk(False) == 49


def test_every_edge_over_a_stream():
    assert walk(True) == 49


def walk(stream):
    count = 0
    for table, figure, method in FIGURES:
        for state, event, after, what, deadline, on_stream, retry in rows(figure):
            where = (method, state, event, stream)
            bench = Bench(table, method, stream, state)
            assert bench.fire(event), where
            assert bench.transaction.state == STATES[after], where
            assert bench.happened() == what, (where, bench.happened())
            expected = [on_stream if stream else deadline, "-" if stream else retry]
            expected = [was if now == "=" else now for now, was in zip(expected, bench.timers_before)]
            assert bench.timers() == expected, (where, bench.timers(), expected)
            assert len(bench.agent.transactions) == (0 if after == "terminated" else 1), where
            if after == "terminated":
                assert not len(bench.agent.timers), where
            count += 1
    return count


def test_every_event_that_a_state_has_no_edge_for_changes_nothing():
    count = 0
    for stream in (False, True):
        for table, figure, method in FIGURES:
            edges = [(row[0], row[1]) for row in rows(figure)]
            for state in set([edge[0] for edge in edges]):
                for event in EVENTS:
                    if (state, event) in edges:
                        continue
                    bench = Bench(table, method, stream, state)
                    where = (method, state, event, stream)
                    assert not bench.fire(event), where
                    assert bench.transaction.state == STATES[state] and bench.happened() == "-", where
                    assert bench.timers() == bench.timers_before, where
                    count += 1
    assert count == 2 * (14 * 8 - 49)


def test_over_a_stream_nothing_is_ever_repeated():
    for method, start in ((b"INVITE", b"INVITE"), (b"OPTIONS", b"OPTIONS")):
        bench = Bench(machine.INVITE_CLIENT if method == b"INVITE" else machine.CLIENT, method, True, "calling")
        bench.world.run(31000)
        assert bench.world.sent(start) == [5] and not bench.user.told
        bench.world.run(2000)
        assert bench.world.sent(start) == [5] and bench.user.told == ["no-answer"]
    bench = Bench(machine.INVITE_SERVER, b"INVITE", True, "completed")
    bench.world.run(31000)
    assert len(bench.world.sent(b"SIP/2.0 486")) == 1
    bench.world.run(2000)
    assert not len(bench.agent.transactions)


# --- Two agents, and a wire that loses, repeats and holds back.


class Party:
    def __init__(self, world, host, **more):
        self.events = []
        self.agent = world.agent(host, **more)

    def hear(self, call, event):
        self.events.append(event)


def call_through(meddle, stream=False):
    """A call that is answered, talks for a minute and is hung up, while `meddle(number, entry, wire)` says what becomes of
    each message: it is delivered unless that is true. -> the two parties."""
    world = World()
    world.tcp = stream
    caller = Party(world, "192.0.2.1")

    def on_call(call):
        call.on_event = called.hear
        called.call = call
        call.answer("192.0.2.2", 4002)

    called = Party(world, "192.0.2.2", on_call=on_call)
    count = [0]

    def lose(data, source, peer):
        count[0] += 1
        return meddle(count[0], (source, peer, data), world.wire)

    world.lose = lose
    caller.call = caller.agent.call("sip:door@192.0.2.2" + (";transport=tcp" if stream else ""), "192.0.2.1", 4000, caller.hear)
    world.run(60000)
    caller.state = caller.call.state
    called.state = called.call.state
    caller.call.hangup()
    world.run(70000)
    for party in (caller, called):
        assert not party.agent.faults and not len(party.agent.transactions) and not len(party.agent.timers), party.events
        assert not party.agent.calls, party.events
    return caller, called


def check(caller, called):
    assert caller.state == called.state == "up", (caller.events, called.events)
    for party in (caller, called):
        assert party.call.state == "ended" and party.events.count("up") == 1 and party.events.count("ended") == 1, party.events
    assert called.call.ended == "the other side hung up"


def test_whichever_of_the_first_five_messages_are_lost_the_call_stands_and_ends():
    for pattern in range(32):
        check(*call_through(lambda number, entry, wire: number <= 5 and pattern >> number - 1 & 1))


def test_each_message_may_come_twice():
    def twice(number, entry, wire):
        if number < 60 and number % 2:
            wire.append(entry)
        return False

    check(*call_through(twice))


def test_every_third_message_is_lost_and_every_fourth_comes_twice():
    def meddle(number, entry, wire):
        if number % 4 == 0:
            wire.append(entry)
        return number % 3 == 0

    check(*call_through(meddle))


def test_messages_may_overtake_each_other():
    held = []

    def meddle(number, entry, wire):
        if number % 5 == 2 and number < 40:
            held.append(entry)
            return True
        wire.extend(held)
        held.clear()
        return False

    check(*call_through(meddle))


def test_bye_may_be_lost_until_it_is_answered():
    lost = []

    def meddle(number, entry, wire):
        bye = entry[2].startswith(b"BYE") or b" BYE\r\n" in entry[2]
        if bye and len(lost) < 6:
            lost.append(entry)
            return True
        return False

    check(*call_through(meddle))
    assert len(lost) == 6


def test_over_a_stream_the_same_call_takes_each_message_once():
    seen = []
    check(*call_through(lambda number, entry, wire: seen.append(entry[2].split(b" ")[0 if entry[2][:3] != b"SIP" else 1]), True))
    assert [one for one in seen if one != b"100"] == [b"INVITE", b"200", b"ACK", b"BYE", b"200"]
