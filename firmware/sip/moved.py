"""An INVITE that is sent elsewhere: 3xx responses (RFC 3261 8.1.3.4, 21.3). Loaded for the moment by call.py.

`call.targets`, once there was one, is (URIs tried or waiting, lower case; those waiting, best first).
"""

from lend import lend
from micropython import const

from .address import parse_name_addr, parse_uri
from .scan import H_CONTACT
from .words import text

_MOST = const(6)  # URIs for one call, the first included: two servers that send us to and fro come to an end, and so
# does one that thinks of ever new places


def follow(call, status, message):
    """Takes up where a 3xx sends us; after any other failure (`message` None: no answer) goes on to the next place that one
    named. True when an INVITE is on its way; else the call ends with this status."""
    seen, waiting = call.targets or ([_key(call.dialog.target)], [])
    if status == 305:
        found = _contacts(message, seen, b"305 ")[:1]
    elif 300 <= status < 380 and message:
        found = _contacts(message, seen, b"")
    else:
        # 380 describes its alternatives in a body for people; 6xx speaks for every place there is (21.6).
        found = []
        if status >= 600 or status == 380:
            waiting = []
    waiting = (found + waiting)[: _MOST - 1]
    if not waiting or call.state == "ended":
        return False
    uri = waiting.pop(0)
    call.targets = seen, waiting
    if call.dialog.remote_tag:
        lend("sip.forks").afresh(call)
    call.state = "calling"
    dialog = call.dialog
    if uri[:1] == b"<":
        # 21.3.4: this one request by that proxy, its address as it was.
        dialog.routes = (uri,)
    else:
        dialog.target = uri
        dialog.routes = lend("sip.outset").routes(call.agent, uri)
    call.news = "The call goes %s." % (("by way of " if uri[:1] == b"<" else "to ") + text(uri))
    if call.on_event:
        call.on_event(call, "transfer")
    if call.state != "ended":
        call.agent.locate(dialog.next_hop(), call._located)
    return True


def _key(uri):
    return uri.split(b"?")[0].lower()


def _contacts(message, seen, proxy):
    """The URIs of a response's Contacts that we may call and have not, by their q (20.10); for a proxy, its Route."""
    found = []
    for value in message.all(H_CONTACT):
        try:
            contact = parse_name_addr(value)
            uri = parse_uri(contact.uri)
        except ValueError:
            continue
        if uri.scheme not in (b"sip", b"sips") or (uri.param(b"method") or b"INVITE").upper() != b"INVITE":
            continue
        # header fields that a URI brings along are not let into our request (19.1.5)
        raw = contact.uri.split(b"?")[0] if uri.headers else contact.uri
        key = proxy + _key(raw)
        if key in seen or len(seen) >= _MOST:
            continue
        seen.append(key)
        if proxy:
            raw = (b"<%s>" if uri.lr else b"<%s;lr>") % raw
        rank = _rank(contact.param(b"q"))
        at = 0
        while at < len(found) and found[at][0] >= rank:
            at += 1
        found.insert(at, (rank, raw))
    return [raw for rank, raw in found]


def _rank(q):
    """q=0.25 as 250; 1000 for none."""
    whole, _, part = (q or b"1").partition(b".")
    part = (part + b"000")[:3]
    if not (whole + part).isdigit() or len(whole) > 3:
        return 1000
    return min(int(whole) * 1000 + int(part), 1000)
