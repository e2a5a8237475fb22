"""Where requests go (RFC 3261 16.5). Loaded for the moment."""

from binascii import hexlify
from hashlib import sha256

from lend import lend
from micropython import const

from ..address import parse_name_addr, parse_uri
from ..scan import H_CONTACT

location = lend("sip.server.location")
road = lend("sip.server.reach")

_USER = const(0)  # of a binding; see house.py
_URI = const(1)
_Q = const(2)
_EXPIRES = const(3)
_PATHS = const(6)
_PEER = const(7)
_INSTANCE = const(8)
_FLAGS = const(9)
_GRANTED = const(10)
_NUMBER = const(2)  # of an account; see house.py
_MOST = const(24)  # places for one request
_FOLLOWED = const(4)  # Contacts of 3xx
_BY_FLOW = const(4)  # of the flags; see house.py
_DIALOGS = b" INVITE SUBSCRIBE REFER "  # methods that begin one
_PREFIX = b"z9hG4bKh"


def of(house, agent, user, caller):
    """(bindings of a user of the house, as they are kept, whether all are asked at once): a number, several joined by commas,
    or the number of all. Most wanted first; the caller's own phones are left out of what rings more than one, those that no
    way leads to out of all. None if all that are left are the door itself."""
    together = user == house.everybody or b"," in user
    if user == house.everybody:
        found = location.records(house, None, caller)
    elif together:
        found = []
        for one in user.split(b","):
            if one != caller:
                found.extend(location.records(house, one))
    else:
        found = location.records(house, user)
    others = []
    itself = False
    for record in found[:_MOST]:
        peer = road.reach(agent, record)[1]
        one = location.read(record)
        if peer is None:
            continue
        if peer[:2] == (agent.host, agent.port) or location.is_ours(house, agent, parse_uri(one[_URI])):
            itself = True
        elif not one[_INSTANCE] or not _is_older(one, others):
            others.append(record)
    return None if itself and not others else others, together


def _is_older(one, others):
    """Of the flows of one phone the newest is asked (RFC 5626 5.1): whether there is a newer one among `others`, which an
    older one leaves."""
    for k in range(len(others)):
        other = location.read(others[k])
        if other[_USER] == one[_USER] and other[_INSTANCE][:-1] == one[_INSTANCE][:-1]:
            if other[_EXPIRES] - other[_GRANTED] > one[_EXPIRES] - one[_GRANTED]:
                return True
            del others[k]
            return False
    return False


def way(house, agent, request, source, caller, user, uri, routes, loop):
    """What entry.take() let pass is answered or, an ACK, sent on; or it is to have a Forward."""
    together = record = False
    if user is None:
        found = _on(house, agent, request, source, uri, routes, loop)
    else:
        found, together = _to_user(house, agent, request, source, user, caller) or (None, False)
    if found and not request.to_tag and b" %s " % request.method in _DIALOGS:
        record = _is_needed(agent, request, None if source is house.here else source, found)
    if not found:
        if found == ():
            # A call outside; who is let in by his address alone may not spend money.
            if caller or source is house.here:
                return "out", "outward", caller, user
            return "challenge", "admit", user, uri, routes, loop
        return True
    if caller and not request.to_tag:
        return "caller", "tell", caller, found, together, record, loop
    return "", request, found, together, record, loop


def _refuse(agent, request, source, status, reason=None, lines=()):
    if request.method != b"ACK":
        agent._reply(request, source, status, lines, reason)


def _on(house, agent, request, source, uri, routes, loop):
    """The target of a request in a dialog that goes by here; `uri` as entry.take() gives it."""
    uri, flow = uri
    peer = None
    try:
        uri = road.target(uri)
        if routes:
            first = parse_name_addr(routes[0]).uri
            if not parse_uri(first).lr:
                # A strict router wants itself in the Request-URI, and the target as the last Route (16.6 step 6).
                routes = routes[1:] + [b"<%s>" % uri]
                uri = first
            peer = road.place(location, house, agent, first)
        else:
            # A connection is where it was; what a NAT lets in by UDP may be another port since, as REGISTER has shown.
            by_flow = flow and len(flow) > 2 and road.lives(agent, flow)
            peer = flow if by_flow else road.place(location, house, agent, uri, flow)
        if peer is None:
            return _refuse(agent, request, source, 430, b"Flow Failed")
        if peer[:2] == (agent.host, agent.port):
            return _refuse(agent, request, source, 482)  # what the door sends to itself it believes
        found = [location.to(uri, peer, routes)]
    except ValueError:
        if flow:
            return _refuse(agent, request, source, 430, b"Flow Failed")
        return _refuse(agent, request, source, 404, b"Not a phone of this house")
    if request.method == b"ACK":
        # Nothing answers it, and nothing is kept of it (16.11).
        via = agent.via(_PREFIX + hexlify(sha256(request.vias[0] + house.secret).digest()[:5]) + loop, peer)
        agent.send(lend("sip.server.rewrite").downward(request, source, uri, via, (), routes), peer)
        return None
    return found


def _to_user(house, agent, request, source, user, caller):
    """What of() gives for a request for a number of the house; None when it was answered, ((), False) for a call outside."""
    if b"," in user and source is not house.here:
        return _refuse(agent, request, source, 404)
    if user != house.everybody and b"," not in user:
        account = house.owner.account(user)
        if account:
            user = account[_NUMBER]  # names are dialled, too
        elif house.out and request.method == b"INVITE":
            return (), False
        else:
            return _refuse(agent, request, source, 404, b"No such number in this house")
    found, together = of(house, agent, user, caller)
    if found is None:
        return _refuse(agent, request, source, 482)
    if not found:
        return _refuse(agent, request, source, 480, b"No phone of that number is registered")
    if request.method == b"INVITE" and source is not house.here and (user in house.redirected or b"*" in house.redirected):
        lines = _contacts(agent, found)
        if lines:
            return _refuse(agent, request, source, 302, b"Moved Temporarily", lines)
    return found, together


def _contacts(agent, found):
    """Contact lines for a 302 (8.3). None at all when anybody else would knock in vain at one of them, since it is only
    reached by the flow that it registered by (RFC 5626) or by its Path: the call goes by here then, for all the phones of the
    number, or some would ring and the others not."""
    lines = []
    for record in found:
        one = location.read(record)
        uri, peer = one[_URI], one[_PEER]
        try:
            own = agent.address_of(uri)
            by_flow = one[_FLAGS] & _BY_FLOW or one[_PATHS] or parse_uri(uri).param(b"ob") is not None
        except ValueError:
            return ()
        if len(peer) > 2:
            # Who has connected from the port that he names may listen there, or have just written down what he saw.
            by_flow = by_flow or own[0] != peer[0] or own[1] == peer[1] or own[2:] != peer[2:]
        if by_flow or len(peer) < 3 and own != road.reach(agent, record)[1]:
            return ()
        lines.append(b"Contact: <%s>;q=%d.%03d" % (uri, one[_Q] // 1000, one[_Q] % 1000))
    return lines


def _is_needed(agent, request, source, targets):
    """Whether what follows in the dialog must come by here: a side is only reached on its own connection, or not by the
    address that it gives. All else goes straight from phone to phone. `source` None: the door itself."""
    if source and len(source) > 2:
        return True
    try:
        if source and agent.address_of(request.contact_uri or b"")[0] != source[0]:
            return True
        for one in targets:
            uri, peer, _ = road.reach(agent, one)
            if len(peer) > 2 or agent.address_of(uri) != peer:
                return True
    except ValueError:
        return True
    return False


def follow(forward, message):
    """Asks the Contacts of a 3xx in the place of who sent it (8.1.3.4): numbers of this house and phones that have registered,
    each once. -> False if there is none: the 3xx is then an answer like others."""
    house, agent = forward.house, forward.agent
    if forward._over:
        return False
    tried = [location.read(one)[_URI] for one in forward._branches + forward._waiting]
    found = []
    for value in message.all(H_CONTACT)[:_FOLLOWED]:
        try:
            contact = parse_name_addr(value)
            uri = parse_uri(contact.uri)
        except ValueError:
            continue
        if location.is_ours(house, agent, uri) and uri.user:
            account = house.owner.account(location.plain(uri.user))
            wanted = of(house, agent, account[_NUMBER] if account else uri.user, b"")[0] or ()
        else:
            wanted = [one for one in house.bindings if location.same(contact.uri, location.read(one)[_URI])]
        for one in wanted:
            if road.reach(agent, one)[1] is None:
                continue
            uri = location.read(one)[_URI]
            if uri not in tried and len(tried) < _MOST:
                tried.append(uri)
                found.append(one)
    if not found:
        return False
    forward._waiting = found + forward._waiting
    return True
