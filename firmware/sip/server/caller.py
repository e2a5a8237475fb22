"""Who calls, as the phone that rings shows it (RFC 3325). Loaded for the moment.

A phone says of itself what it likes in the display name of its From, but not that it is somebody else of the house. The number in
it is that of the password that was shown, or the call was refused; P-Asserted-Identity says so again, and is ours alone."""

from lend import lend
from micropython import const

from ..address import parse_name_addr, parse_uri, quote
from ..message import parse
from ..scan import H_FROM
from ..words import text

_H_P_ASSERTED_IDENTITY = const(39)  # sip.scan.field() of its name
_NUMBER = const(2)  # of an account; see house.py
_NAME = const(3)
_CLAIMS = (b"p-preferred-identity", b"remote-party-id")  # which scan.py has no numbers for


def name(house, agent, caller, display):
    """What who has shown the password of a number is called: what he calls himself (`display`, bytes), unless that is nothing, or a
    name or number of this house. Then it is what the house calls him."""
    if display and not house.owner.account(display):
        if display.lower() not in (house.everybody, agent.user.lower().encode(), agent.display.lower().encode()):
            return display
    account = house.owner.account(caller)
    return account[_NAME] if account else caller


def guest(house, agent, display):
    """What to call the phone whose request for the door itself showed a password; `display`, and that, as text."""
    location = lend("sip.server.location")
    account = house.owner.account(location.plain(parse_uri(house.guest.from_uri).user))
    return text(name(house, agent, account[_NUMBER], display.encode())) if account else display


def tell(house, agent, request, source, caller, *more):
    """A request of who has shown that he is `caller` (bytes) is to go on as a message of its own; `more` of what is known of it."""
    data = request.data
    hidden = lend("sip.caller")._is_private(request)
    out = [data[: data.find(b"\n")].rstrip()]
    for kind, start, value, end in lend("sip.server.rewrite")._fields(request):
        line = data[start:end]
        if kind == _H_P_ASSERTED_IDENTITY or not kind and line.split(b":")[0].strip().lower() in _CLAIMS:
            continue
        if kind == H_FROM and not hidden:
            party = parse_name_addr(request.get(H_FROM))
            shown = quote(name(house, agent, caller, party.display))
            line = b"From: %s <%s>%s" % (shown, party.uri, b";" + party.params if party.params else b"")
            out.append(b"P-Asserted-Identity: %s <sip:%s@%s>" % (shown, caller, agent.place()))
        out.append(line)
    out.append(b"")
    out.append(request.body)
    data = out = b"\r\n".join(out)
    try:
        request = parse(data)
    except ValueError:
        pass  # it has as many header fields as there may be
    return ("", request) + more
