"""The way to the phone of a binding. Loaded for the moment."""

from lend import lend
from micropython import const

from ..address import parse_name_addr, parse_uri, split_list

record = lend("sip.server.record")

_ROUTED = const(128)  # of the flags; see record.py
_BY_FLOW = const(4)  # see house.py

_URI = const(1)  # of a binding that was read; see house.py
_PATHS = const(6)
_PEER = const(7)
_INSTANCE = const(8)
_FLAGS = const(9)


def reach(agent, binding):
    """(Request-URI, peer, Route values) by which a binding's phone is reached: on the flow that it registered by (RFC 5626
    5.3) if that is a stream, if the phone asked for it, or if its Contact names another host than it came from (a NAT is
    between); else as its Contact says. By the first of its Path, where it has one. The peer is None where no way leads: the
    connection is gone, and there is nothing to connect to. Of what to() made, as it says."""
    one = record.read(binding)
    paths, peer, flags = one[_PATHS], one[_PEER], one[_FLAGS]
    uri = target(one[_URI])
    if flags & _ROUTED:
        return uri, peer, paths
    if paths:
        try:
            return uri, agent.address_of(parse_name_addr(paths[0]).uri), paths
        except ValueError:
            return uri, None, paths
    try:
        own = agent.address_of(uri)
    except ValueError:
        own = None
    if own and own[:2] == (agent.host, agent.port):
        return uri, own, ()
    near = own and own[0] == peer[0]
    if len(peer) > 2:
        if not lives(agent, peer):
            # Nobody listens at the port that a connection came from, unless he says so, and it is not known to be gone.
            peer = own if near and not flags & _BY_FLOW and not (own[1] == peer[1] and flags & 1) else None
    elif near and not one[_INSTANCE]:
        peer = own
    return uri, peer, ()


def place(location, house, agent, uri, flow=None):
    """The peer that a request in a dialog for this URI (bytes) is sent to: a phone's that has registered with it, else `flow`,
    if it is no connection, or what it says by itself; None when its connection is gone. ValueError when it is a name, which
    nobody here looks up. `location`: that file, which who asks has already."""
    binding = location.find(house, None, uri, b"")
    if binding:
        return reach(agent, binding)[1]
    if flow and len(flow) < 3:
        return flow
    return agent.address_of(uri)


def lives(agent, peer):
    """Whether a peer can be sent to without opening anything: over UDP, or on a connection that is there."""
    streams = agent.transport.streams
    return len(peer) < 3 or bool(streams and streams.find(peer))


def target(uri):
    """A Contact's URI as it may stand in a Request-URI: without header fields and method (RFC 3261 19.1.1)."""
    if b"?" not in uri and b"method" not in uri.lower():
        return uri
    parsed = parse_uri(uri)
    if parsed.headers:
        uri = uri[: -len(parsed.headers) - 1]
    if parsed.param(b"method") is not None:
        kept = [one for one in split_list(parsed.params, 59) if one.split(b"=")[0].strip().lower() != b"method"]
        uri = b";".join([uri[: -len(parsed.params) - 1]] + kept)
    return uri
