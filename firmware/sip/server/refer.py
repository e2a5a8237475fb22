"""A REFER of a phone of the house, about a call with the world (RFC 3515): whether it may be, and who is to take its place.
Loaded for the moment; how it goes on is in transfer.py."""

from lend import lend

from ..address import parse_name_addr, parse_uri
from ..dialog import Dialog
from ..transaction import token

saying = lend("sip.server.saying")


def refer(leg, request, transaction):
    """A REFER on this side, whose call is up."""
    house, agent = leg.house, leg.agent
    lines = ()
    new = None
    if leg.account or leg.other._old:
        status, reason = 403, b"Only phones of the house hand calls on"
    elif leg.other.other is not leg:
        status, reason = 491, None
    else:
        status, reason, uri, lines = lend("sip.refer").read(leg, request)
    if not status:
        status, reason, new = _place(leg, uri, lines)
    if status:
        saying.reply(leg, transaction, status, None, (), reason)
        return
    new.other = leg.other
    new._old = leg
    new._lines = lines
    quiet = (lend("sip.other").value(request, b"refer-sub") or b"").lower() == b"false"
    if not quiet:
        # 2.4.6: only the first one's NOTIFY may go without its number.
        new._event = b"Event: refer;id=%d" % request.cseq if leg._refers else b"Event: refer"
    saying.reply(leg, transaction, 202, None, (saying.contact(leg), b"Refer-Sub: false" if quiet else b"Refer-Sub: true"))
    leg._refers += 1
    leg.transfer = new
    if not new._twin:
        house.bridged.append(new)
    agent.timers.after(0, new._work, "begin")  # when this file is gone


def _place(leg, raw, lines):
    """(0, None, Leg) for who is to take its place, or a status and its reason."""
    house, agent = leg.house, leg.agent
    location = lend("sip.server.location")
    kind = lend("sip.server.leg").Leg
    uri = parse_uri(raw)
    number = location.plain(uri.user) or agent.user.encode()
    replaces = [line[10:] for line in lines if line.startswith(b"Replaces: ")]
    one = replaces and lend("sip.server.replaced").find(house, replaces[0])
    if one and one.state == "up":
        # The phone has both calls, and goes out of both.
        twin = one.other
        if one is leg or one.transfer or twin._old or twin.other is not one:
            return 491, None, None
        new = kind(house, agent, twin.account, twin.peer, twin.uri)
        new.dialog = twin.dialog
        new._twin = twin
        return 0, None, new
    is_ours = location.is_ours(house, agent, uri)
    bound = None if is_ours else location.find(house, None, raw, b"")
    account = None
    peer = (agent.host, agent.port)
    tag = token(4)
    shown = parse_name_addr(leg.dialog.local)
    local = b"<%s>;tag=%s" % (shown.uri, tag)
    if shown.display:
        local = b'"%s" ' % shown.display.replace(b"\\", b"").replace(b'"', b"'") + local
    target = b"sip:%s@%s" % (number, agent.place())
    routes = ()
    if bound:
        # Its very phone, as an attended transfer wants it; by way of the proxy, which knows how to reach it.
        number = location.read(bound)[0]
        target = raw
        routes = (b"<sip:%s;lr>" % agent.place(),)
    elif not is_ours:
        return 603, b"Only to numbers of the house, and those that may be called outside", None
    elif number.lower() == agent.user.lower().encode():
        return 603, b"The door itself takes no calls that are handed on", None
    elif number != house.everybody and house.owner.account(number) is None:
        refusal, account = lend("sip.server.out").allowed(house, number)
        if replaces or refusal:
            return (481, b"That call does not go by here", None) if replaces else refusal[:2] + (None,)
        peer = account.peer
        target = b"sip:%s@%s" % (number, account.server[4:])
        routes = account.routes
        local = b"<%s>;tag=%s" % (account.address_of_record, tag)
    new = kind(house, agent, account, peer, number)
    new.dialog = Dialog(token(), local, tag, b"<%s>" % target, target)
    new.dialog.routes = routes
    return 0, None, new
