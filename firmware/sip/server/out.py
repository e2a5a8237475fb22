"""The way out of a house without a PBX: which calls go to a server outside, and which come from there (RFC 3261 8). Loaded
for the moment; what lasts of such a call is in leg.py."""

from micropython import const

from ..address import parse_uri
from ..dialog import Dialog
from ..scan import H_REQUIRE
from ..transaction import token

_LEGS = const(4)  # of two calls
_LONGEST = const(8000)  # bytes of a body
_NUMBER = b"0123456789*+"


def outward(house, agent, request, source, caller, number):
    """An INVITE of a phone, `caller`, or of the door itself, for a number that nobody of the house has."""
    refusal, account = allowed(house, number)
    if refusal is None:
        refusal = sound(agent, request, account.peer[0]) or _room(house, request, number, 503)
    if refusal:
        return _refuse(agent, request, source, refusal)
    tag = token(4)
    uri = b"sip:%s@%s" % (number, account.server[4:])
    dialog = Dialog(token(), b"<%s>;tag=%s" % (account.address_of_record, tag), tag, b"<%s>" % uri, uri)
    dialog.routes = account.routes
    names = caller or agent.user.encode(), number
    return "pair", "begin", (None, account), account.peer, names, dialog


def inward(house, agent, request, source, account, phones):
    """An INVITE from the server of `account`, for the phones (bytes, numbers with commas between) that are named for it."""
    refusal = sound(agent, request, agent.host)
    try:
        # 12.1.1: without a Contact there is no way back into the call.
        parse_uri(request.contact.uri)
        display = request.from_.display.replace(b'"', b"'").replace(b"\\", b"")
        number = parse_uri(request.from_uri).user
        refusal = refusal or _room(house, request, number, 486)
    except (ValueError, AttributeError):
        refusal = 400, b"Contact or From Unreadable", ()
    if refusal:
        return _refuse(agent, request, source, refusal)
    tag = token(4)
    uri = b"sip:%s@%s" % (phones, agent.place())
    local = b'"%s" <%s>;tag=%s' % (display, request.from_uri.split(b";")[0], tag)
    dialog = Dialog(token(), local, tag, b"<%s>" % uri, uri)
    return "pair", "begin", (account, None), (agent.host, agent.port), (number, phones), dialog


def allowed(house, number):
    """(refusal, account) for a number that is called: the account with the longest prefix that it begins with."""
    best = None
    length = -1
    ready = False
    for account, prefixes, _ in house.out:
        for prefix in prefixes:
            if number.startswith(prefix) and (len(prefix), bool(account.contact)) > (length, ready):
                best = account
                length = len(prefix)
                ready = bool(account.contact)
    for byte in number:
        if byte not in _NUMBER:
            return (404, b"No such number in this house", ()), None
    if best is None:
        if not [one for one in house.out if one[1]]:
            return (403, b"No calls outside: house.out.prefixes is empty", ()), None
        return (403, b"Not among house.out.prefixes", ()), None
    if not ready:
        return (480, b"Not registered outside now", ()), None
    return None, best


def sound(agent, request, far, known=b""):
    """A refusal where what is offered can obviously not be reached from `far`, or we do not pass on what is wanted, nor see to it
    ourselves (`known`, an option tag)."""
    lacking = [tag for tag in request.all(H_REQUIRE) if tag.lower() not in (b"timer", b"100rel", known)]
    if lacking:
        return 420, None, (b"Unsupported: " + b", ".join(lacking),)
    body = request.body
    if len(body) > _LONGEST:
        return 413, None, ()
    hosts = [line[9:].strip().split(b"/")[0] for line in body.split(b"\n") if line.startswith(b"c=IN IP4 ")]
    if not hosts and b"c=IN IP6" in body and ":" not in far:
        return 488, b"Sound over IPv6 cannot be reached outside", ()
    here = far.startswith("127.")
    for host in hosts:
        if host.startswith(b"127.") != here or host.startswith(b"169.254."):
            return 488, b"Sound at %s cannot be reached from %s" % (host, far.encode()), ()
    return None


def _room(house, request, number, status):
    """A refusal when there are too many such calls, or this one has been here before."""
    if request.max_forwards == 0:
        return 483, None, ()
    legs = [leg for leg in house.bridged if leg.state != "ended"]
    if len(legs) < _LEGS:
        return None
    for leg in legs:
        if leg.state == "calling" and leg.uri == number:
            return 482, None, ()  # one that begins is to or from this number, too: of two houses each is the other's way out
    return status, b"Too many calls outside", (b"Retry-After: 5",)


def _refuse(agent, request, source, refusal):
    status, reason, lines = refusal
    agent._reply(request, source, status, lines, reason)
    return True
