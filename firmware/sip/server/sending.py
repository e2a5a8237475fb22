"""A request on its way through the house is sent, and sent again (RFC 3261 16.6, timers A, B, E and F). Loaded for the moment;
see forward.py, and house.Forward, the `forward` of each function."""

from lend import lend
from micropython import const

from ..address import parse_uri
from ..message import parse, response
from ..transaction import CALLING, PROCEEDING

road = lend("sip.server.reach")
records = road.record
rewrite = lend("sip.server.rewrite")

# A branch's byte; see forward.py.
_STATE = const(0xF0)
_CANCEL = const(3)
_SENT = const(2)
_FAILED = const(4)
_STREAM = const(8)

_PEER = const(7)  # of a binding; see house.py
_LARGE = const(1300)  # bytes: a longer request does not go by UDP (18.1.1)
_PATIENCE = const(2)  # T1s, until it does after all
_TICKS = const(64)
_TRYING_TICKS = const(8)  # by then timer E has come to T2
_BRANCHES = const(24)
_BREADTH = const(60)  # RFC 5393 5.3.3


def begin(forward):
    """It is here: to who sent it, that it is; and on its way."""
    request = parse(forward.data)
    breadth = lend("sip.other").value(request, b"max-breadth") or b""
    forward._breadth = min(int(breadth), _BREADTH) if breadth.isdigit() and len(breadth) < 6 else _BREADTH
    if forward._is_invite:
        forward.server.respond(100, response(request, 100, source=forward.server.source))
    advance(forward)


def advance(forward):
    """Asks the targets of the next lower q, as many as may be asked at a time."""
    forward._asks = None
    waiting = forward._waiting
    if forward._over or not waiting:
        return
    q = records.read(waiting[0])[2]
    first = len(forward._branches)
    room = forward._breadth
    for index in range(first):
        if forward._states[index] & _STATE in (CALLING, PROCEEDING):
            room -= forward._shares[index]
    most = min(room, _BRANCHES - first)
    count = 0
    while count < len(waiting) and count < most and (forward._together or records.read(waiting[count])[2] == q):
        count += 1
    if not first and count == len(waiting):
        forward._branches, forward._waiting = waiting, forward._branches  # no new list, which would lie behind this file
    else:
        forward._branches.extend(waiting[:count])
        del waiting[:count]
    for _ in range(count):
        forward._states.append(CALLING)
        forward._times.append(0 if forward.retry else 1)  # what runs already passes too soon for it
        forward._shares.append(room // count)
    forward.again()
    request = parse(forward.data)
    for index in range(first, first + count):
        try:
            _send(forward, request, index)
        except MemoryError:
            # Over TCP nobody repeats what never went: it waits again, and whoever wanted this comes once more.
            forward._waiting = forward._branches[index:] + forward._waiting
            forward._branches = forward._branches[:index]
            forward._states = forward._states[:index]
            forward._times = forward._times[:index]
            forward._shares = forward._shares[:index]
            raise


def _send(forward, request, index):
    agent = forward.agent
    uri, peer, routes = road.reach(agent, forward._branches[index])
    if peer:
        source = forward.server.source
        record = ()
        if forward.record:
            record = rewrite.record_route(
                agent, lambda flow: records.seal(forward.house, request.call_id + flow),
                ((peer, uri), (source, request.contact_uri)),
            )  # fmt: skip
        via = agent.via(records.branch(forward, index), peer)
        data = rewrite.downward(request, source, uri, via, record, routes, forward._shares[index], forward.house.realm)
        if len(data) > _LARGE and forward._times[index] < _PATIENCE and not routes and _may_choose(agent, uri, peer):
            # What we have added counts, too (18.1.1). The first Via is ours.
            if agent.send(data.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP", 1), peer + (b"TCP",)):
                forward._states[index] |= _STREAM
                return
        if agent.send(data, peer):
            return
    _fail(forward, index)


def _may_choose(agent, uri, peer):
    """Whether a phone that is reached by UDP may have TCP as well: it has named no transport, and is where it says."""
    try:
        return agent.address_of(uri) == peer and parse_uri(uri).param(b"transport") is None
    except ValueError:
        return False


def lost(forward, peer):
    """The connection to `peer` is gone, or never came about: a long request goes by UDP after all; else who has said nothing
    yet will not, nor will who was cancelled."""
    request = None
    for index in range(len(forward._branches)):
        record = forward._branches[index]
        state = forward._states[index]
        calls = state & _STATE == CALLING
        way = road.reach(forward.agent, record)[1]
        if state & _STREAM:
            if way and way + (b"TCP",) == peer:
                forward._states[index] &= ~_STREAM
                if calls:
                    forward._times[index] |= _PATIENCE
                    request = request or parse(forward.data)
                    _send(forward, request, index)
        elif (calls or forward._over and state & _STATE == PROCEEDING) and peer in (records.read(record)[_PEER], way):
            _fail(forward, index)


def _fail(forward, index):
    forward._states[index] |= _FAILED
    if forward._fails is None:
        forward._fails = forward.agent.timers.after(0, forward.work, "error")


def again(forward):
    """T1 has passed: timers A and E of requests and CANCELs over UDP, B and F of all."""
    forward._age += 1
    request = None
    again = False
    for index in range(len(forward._branches)):
        state = forward._states[index]
        rings = forward._is_invite and state & _STATE == PROCEEDING
        if state & _STATE not in (CALLING, PROCEEDING) or rings and state & _CANCEL < _SENT:
            continue  # final, or it rings, which timer C ends
        again = True
        ticks = forward._times[index]
        forward._times[index] = ticks + 1
        if ticks >= _TICKS:
            _fail(forward, index)
        elif state & _STREAM and not rings:
            if ticks < _PATIENCE:
                continue
            # Nobody has taken the connection, or answered on it. What comes twice does no harm.
            forward._states[index] &= ~_STREAM
            request = request or parse(forward.data)
            _send(forward, request, index)
        # Timer A doubles without end, E up to T2.
        elif not ticks or ticks & ticks + 1 and (ticks & 7 != 7 or forward._is_invite and not rings):
            continue
        elif state & _STREAM or len(road.reach(forward.agent, forward._branches[index])[1] or b"gone") > 2:
            continue
        elif not rings:
            request = request or parse(forward.data)
            _send(forward, request, index)
        elif state & _CANCEL == _SENT:
            lend("sip.server.derived").derive(forward, b"CANCEL", index, None)
    forward.retry = None
    if again:
        forward.again()
    server = forward.server
    if forward._age == _TRYING_TICKS and not forward._is_invite and server.state == CALLING:
        server.respond(100, response(parse(forward.data), 100, source=server.source))  # RFC 4320 4.1
