"""Messages as a proxy passes them on: what RFC 3261 16.6 and 16.7 change is changed, every other byte stays. Loaded for the
moment."""

from ..address import split_list
from ..message import _stamp
from ..scan import H_PROXY_AUTHENTICATE, H_ROUTE, H_VIA, H_WWW_AUTHENTICATE

_PROXY_AUTHORIZATION = 18
_MAX_FORWARDS = 7  # sip.scan.field(b"max-forwards")
_SUPPORTED = 14
_BREADTH = b"max-breadth"  # which scan.py has no number for
_PIECE = 256  # bytes
_FIRST = 8  # where an index's fields begin, four words each


def _fields(message):
    """(id, name's place, value's place, value's end) of each header field line."""
    index = message._index
    end = index[1]
    for k in range(_FIRST, _FIRST + 4 * index[3], 4):
        # The index has not where the topmost Via's name is, wherever that line stands: decode() has put something else there.
        name = message.data.find(b"\n", end) + 1
        end = index[k + 3]
        yield index[k] & 255, name, index[k + 2], end


def record_route(agent, seal, sides):
    """Record-Route values for a request that goes from the second of `sides` to the first: a peer and the Contact of each. One for
    each, with its transport (RFC 5658), and with the flow that leads to it where its Contact does not (RFC 5626 5.3).
    `seal(flow)` gives what tells ours."""
    values = []
    for side, contact in sides:
        flow = b""
        try:
            if side[0] and (len(side) > 2 or agent.address_of(contact or b"")[0] != side[0]):
                raise ValueError
        except ValueError:
            flow = b"_%s_%d_%s" % (side[0].encode(), side[1], side[2] if len(side) > 2 else b"")
        kind = b";transport=" + side[2].lower() if len(side) > 2 else b""
        value = b"<sip:%s%s;lr;house=%s%s>" % (agent.place(), kind, seal(flow), flow)
        if value not in values:
            values.append(value)
    return values


def downward(request, source, uri, via, record, routes, breadth=0, realm=b""):
    """A request from `source` on its way to the next hop (16.6): `uri` in the start line, our `via` on top, `record`
    (Record-Route values) before those that are there, Max-Forwards one less; `routes` are its Route values from now on,
    `breadth`, if it is not 0, its Max-Breadth (RFC 5393 5.3.3). What shows a password of `realm` has been seen to (22.3)."""
    data = request.data
    out = [b"%s %s SIP/2.0\r\nVia: %s" % (request.method, uri, via)]
    hops = request.max_forwards
    out.append(b"Max-Forwards: %d" % (hops - 1 if hops > 0 else 70))
    for value in record:
        out.append(b"Record-Route: " + value)
    for value in routes:
        out.append(b"Route: " + value)
    if breadth:
        out.append(b"Max-Breadth: %d" % breadth)
    if request.content_length < 0:
        out.append(b"Content-Length: %d" % len(request.body))  # on a stream it must be there (16.6 step 9)
    first = source[0]  # "" is the door itself
    for kind, name, _, end in _fields(request):
        if kind == _MAX_FORWARDS or kind == H_ROUTE:
            continue
        if first and kind == H_VIA:
            # Where it came from (18.2.1, RFC 3581): its sender is to read it in the answer.
            first = ""
            out.append(b"Via: " + _stamp(request.raw(H_VIA)[0], request.via, source))
            continue
        if kind == _SUPPORTED and not source[0]:
            # The door that rings all phones hears that one rings, and confirms that to none (RFC 3262).
            out.append(data[name:end].replace(b"100rel, ", b""))
            continue
        if kind == _PROXY_AUTHORIZATION and realm and b'realm="%s"' % realm in data[name:end]:
            continue
        if not kind and breadth and data[name : name + len(_BREADTH)].lower() == _BREADTH:
            continue
        out.append(data[name:end])
    out.append(b"")
    out.append(request.body)
    return b"\r\n".join(out)


def upward(response, challenge=False):
    """A response on its way back (16.7 step 3): without the topmost Via, which is ours; with `challenge`, without what it
    challenges with, since those of all branches go back together."""
    data = response.data
    at = data.find(b"\n", response._index[1]) + 1
    out = [data[:at]]
    first = True
    for kind, name, value, end in _fields(response):
        if first and kind == H_VIA:
            first = False
            values = split_list(data[value:end])
            if len(values) > 1:
                out.append(b"%sVia: %s\r\n" % (data[at:name], b", ".join(values[1:])))
            else:
                out.append(data[at:name])
        elif challenge and (kind == H_WWW_AUTHENTICATE or kind == H_PROXY_AUTHENTICATE):
            out.append(data[at:name])
        else:
            continue
        at = data.find(b"\n", end) + 1
    while at < len(data):
        out.append(data[at : at + _PIECE])  # small ones find room
        at += _PIECE
    return b"".join(out)
