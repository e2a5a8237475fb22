"""What comes to a house that is its own PBX: for the door itself, or for somebody else (RFC 3261 16.3 and 16.4). Loaded for the
moment, and gone before what it says is done."""

from binascii import hexlify
from hashlib import sha256

from lend import lend
from micropython import const

from ..address import parse_name_addr, parse_uri
from ..scan import H_CALL_ID, H_ROUTE

location = lend("sip.server.location")

_H_REPLACES = const(29)  # sip.scan.field() of their names
_H_PROXY_REQUIRE = const(32)
_PREFIX = b"z9hG4bKh"
_LOOP = const(8)
_SEAL = const(12)


def take(house, agent, request, source):
    """See House.takes(). What goes on knows the user it is for: b"" for the door itself, None in a dialog that goes by here; the
    Request-URI it goes to then, with the flow that leads there or None; its Route values, and what it looks like when it comes by
    once more."""
    method = request.method
    house.guest = None
    if not request.to_tag:
        for account, _, phones in house.out:
            if account.is_server(source[0]):
                # From there come calls for the phones; all else is for the user agent that has registered there.
                return method == b"INVITE" and ("out", "inward", account, phones or house.everybody)
    try:
        uri = parse_uri(request.uri)
    except ValueError:
        return False  # the user agent says so
    try:
        target, sealed, flow, routes = _routed(house, agent, request, source, uri)
    except ValueError:
        return _refuse(agent, request, source, 400, b"Bad Route")
    if target.scheme != b"sip" and target.scheme != b"sips":
        return False
    ours = not routes and location.is_ours(house, agent, target)
    user = location.plain(target.user)
    if ours and user.lower() in (b"", agent.user.lower().encode()):  # as names are found
        if request.to_tag or method not in (b"INVITE", b"MESSAGE"):
            return False
        # One that takes a phone's place in a call outside, which money was spent on, shows a password even so.
        if house.owner.lets_in(source[0], True) and not (house.bridged and request.get(_H_REPLACES) is not None):
            return False
        return "challenge", "admit", b"", b"", (), b""
    # A phone that sends all it says to its registrar follows a 302 of ours by here: its call is to a Contact.
    if not ours and not sealed and (request.to_tag or routes or not location.find(house, None, target.raw, b"")):
        return _refuse(agent, request, source, 403, b"Not by this door")
    if ours and method == b"ACK":
        return True
    if target.scheme == b"sips":
        return _refuse(agent, request, source, 416, b"Not by TLS all the way")
    if request.max_forwards == 0:
        if method == b"OPTIONS":
            return False
        return _refuse(agent, request, source, 483)
    loop = _loop(house, request, user if ours else request.uri)
    try:
        vias = request.each_via()
    except ValueError:
        return _refuse(agent, request, source, 400, b"Bad Via")
    for via in vias:
        branch = via.branch or b""
        if branch.startswith(_PREFIX) and branch.endswith(loop) and via.host == agent.host.encode():
            return _refuse(agent, request, source, 482)
    if method != b"ACK":
        lacking = request.all(_H_PROXY_REQUIRE)
        if lacking:
            return _refuse(agent, request, source, 420, None, (b"Unsupported: " + b", ".join(lacking),))
        breadth = lend("sip.other").value(request, b"max-breadth")
        if breadth and breadth.isdigit() and not int(breadth):
            return _refuse(agent, request, source, 440, b"Max-Breadth Exceeded")
    if not ours:
        user = None
    if sealed and not ours or source is house.here or house.owner.lets_in(source[0], False):
        return "targets", "way", b"", user, (target.raw, flow), routes, loop
    return "challenge", "admit", user, (target.raw, flow), routes, loop


def _routed(house, agent, request, source, uri):
    """16.4: (target as Uri, whether its dialog went by here, the flow that leads to it or None, Route values that are left). A
    strict router before us has put our own value into the Request-URI, and the target at the end of the Routes."""
    routes = request.all(H_ROUTE)
    sealed = False
    flow = None
    own = uri
    strict = routes and uri.params and uri.param(b"house")
    while strict or routes:
        if not strict:
            own = parse_uri(parse_name_addr(routes[0]).uri)
        if not location.is_ours(house, agent, own) or not own.lr:
            break
        if strict:
            uri = parse_uri(parse_name_addr(routes.pop()).uri)
        else:
            routes.pop(0)
        strict = False
        value = own.param(b"house") or b""
        if value and value[:_SEAL] == location.seal(house, (request.get(H_CALL_ID) or b"") + value[_SEAL:]):
            sealed = True
            peer = _flow(value)
            if peer and peer != source:  # whose it is himself has sent this
                flow = peer
    return uri, sealed, flow, routes


def _flow(value):
    """The peer that a Record-Route of ours has; None for none."""
    parts = value.split(b"_")
    if len(parts) != 4:
        return None
    peer = (parts[1].decode(), int(parts[2]))
    return peer + (parts[3],) if parts[3] else peer


def _loop(house, request, target):
    """What a request looks like that has been here already (16.6 step 8): its branch ends in it. `target`: whom it is for, however
    that was written."""
    h = sha256(house.secret)
    for part in (target, request.from_tag, request.to_tag, request.call_id, b"%d" % request.cseq, request.method):
        h.update(part or b"-")
    for value in request.all(H_ROUTE):
        h.update(value)
    return hexlify(h.digest()[: _LOOP // 2])


def _refuse(agent, request, source, status, reason=None, lines=()):
    if request.method != b"ACK":
        agent._reply(request, source, status, lines, reason)
    return True
