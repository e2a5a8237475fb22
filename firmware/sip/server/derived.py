"""What a proxy itself sends for a request that it has sent on: CANCEL, and the ACK of a refusal. Loaded for the moment; see
forward.py, and house.Forward, the `forward` of each function."""

from lend import lend
from micropython import const

from ..message import parse
from ..message import request as build
from ..scan import H_FROM, H_ROUTE, H_TO
from ..transaction import PROCEEDING

road = lend("sip.server.reach")

# A branch's byte; see forward.py.
_WISHED = const(1)
_STREAM = const(8)


def cancel(forward):
    """Who rings and is not to is told so."""
    for index in range(len(forward._branches)):
        if forward._states[index] & ~_STREAM == PROCEEDING | _WISHED and forward._is_invite:
            forward._states[index] += 1  # that it was sent
            forward._times[index] = 0 if forward.retry else 1  # what runs already passes too soon for it
            derive(forward, b"CANCEL", index, None)
            forward.again()
    return ("finished",)


def acknowledge(forward, index, message, is_news):
    """A refusal has its ACK; `is_news`: it is more than a copy of one."""
    derive(forward, b"ACK", index, message)
    return ("refused", message.status, message) if is_news else None


def derive(forward, method, index, refusal):
    """Sends CANCEL, or the ACK of a refusal, for one branch."""
    agent = forward.agent
    uri, peer, routes = road.reach(agent, forward._branches[index])
    if peer is None:
        return  # its connection is gone
    if forward._states[index] & _STREAM:
        peer += (b"TCP",)
    lines = (forward.reason,) if method == b"CANCEL" and forward.reason else ()
    via = agent.via(road.record.branch(forward, index), peer)
    agent.send(derived(method, uri, via, parse(forward.data), refusal, routes, lines), peer)


def derived(method, uri, via, sent, refusal, routes, lines):
    """CANCEL (9.1), or the ACK of a `refusal` (17.1.1.3): for the request that was `sent`, or that a response is to. `routes`:
    None for those of that request."""
    to = refusal.get(H_TO) if refusal else sent.get(H_TO) if sent.is_request else b"<%s>" % sent.to_uri
    if routes is None:
        routes = sent.all(H_ROUTE)
    return build(method, uri, via, sent.get(H_FROM), to, sent.call_id, sent.cseq, routes, lines)
