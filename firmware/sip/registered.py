"""What a Registration does when its REGISTER was granted (RFC 3261 10.2.4). Loaded by registration.py for the moment; `it` is
the Registration of each function."""

from lend import lend
from micropython import const

from .address import parse_name_addr, parse_uri
from .scan import H_CONTACT, H_EXPIRES, field

_LONGEST_S = const(86400)
_FOLLOWED = const(4)
_ROUTES = const(4)
_USUAL = (0, 5060, 5061)  # ports that go without saying
_GOES_ON = const(2)  # to begin(): the attempt is still the same


def _granted(it, ours, message):
    """Seconds granted to our own Contact in a 200 (10.2.4): its expires parameter, else Expires, else what we asked for."""
    ours = parse_uri(ours)
    found = []
    alone = []
    try:
        for item in message.all(H_CONTACT):
            contact = parse_name_addr(item)
            uri = parse_uri(contact.uri)
            expires = contact.param(b"expires")
            alone.append(expires)
            if (uri.host, uri.port or 5060, uri.user) == (ours.host, ours.port or 5060, ours.user):
                found.append(expires)
    except ValueError:
        # A foreign binding we cannot read is not ours to judge.
        alone = []
    if not found and len(alone) == 1:
        found = alone  # the only binding there is, rewritten by who knows better where we are
    value = found and found[0] or message.get(H_EXPIRES)
    if value is None or not value.isdigit() or len(value) > 9:
        return it.expires_s
    return min(int(value), _LONGEST_S)


def succeeded(it, sent, message):
    """A 2xx to the REGISTER `sent`, both Messages."""
    if not it.is_active:
        it.finish()
        return
    agent = it.agent
    timers = agent.timers
    granted_s = _granted(it, sent.contact_uri, message)
    if granted_s == 0:
        it.contact = b""
        lend("sip.registering").failed(it, "the server grants no time; try another sip.expires_s")
        return
    if it.contact:
        it.refreshes += 1
    it.problem = ""
    it.granted_s = granted_s
    it.contact = sent.contact_uri
    it.expires_at = timers.due(granted_s * 1000)
    value = message.get(field(b"authentication-info"))
    if value:
        it.account.authenticator().next_nonce(value)
    _take_routes(it, message)
    if it.second is not None and it.second.is_active and it.second.account is it.account:
        it.second.stop()
    # Early enough for a lost datagram's 32 s, and never in the last fifth (RFC 5626 4.4.1 has 80 to 100 %).
    refresh_s = max(granted_s - 40, granted_s // 2, 1)
    it.timer = timers.cancel(it.timer)
    it.timer = timers.after(refresh_s * 1000, it.start, True)
    if len(it.peer) == 2 and it.alive is None:
        it.keep_alive(True)
    if it.attempts < _FOLLOWED and _seen_elsewhere(it, message.via):
        # The old binding goes with the same REGISTER.
        it.attempts += 1
        timers.cancel(it.timer)
        it.timer = timers.after(0, it.start, _GOES_ON)
    it.tell()


def _seen_elsewhere(it, via):
    """Takes up the address and port by which the server sees us, as it stamped our Via with them (RFC 3581): behind a NAT,
    or on a connection of our own, nothing else leads to us. True when that is not the address we have registered."""
    agent = it.agent
    host = via.received or via.host
    if not via.rport:
        return False
    try:
        agent.pack(host.decode(), via.rport)
    except ValueError:
        return False
    place = (b"[%s]:%d" if b":" in host else b"%s:%d") % (host, via.rport)
    agent.public = b"" if place == agent.place() else place
    return agent.contact_uri(it.user, it.peers[0]) != it.contact


def _take_routes(it, message):
    """Service-Route (RFC 3608): by which our calls go from now on, behind the proxy's own route."""
    routes = []
    try:
        for value in message.all(field(b"service-route")):
            parse_uri(parse_name_addr(value).uri)
            routes.append(value)
    except ValueError:
        routes = []  # half a route leads nowhere
    if len(routes) > _ROUTES:
        routes = []
    hosts = ()
    if routes:
        first = parse_uri(parse_name_addr(routes[0]).uri)
        hop = parse_uri(it.hop)
        if it.proxy and (first.host != hop.host or first.port != hop.port and not (first.port in _USUAL and hop.port in _USUAL)):
            routes.insert(0, it.proxy[0])
        else:
            hosts = (first.host.decode(),)
    routes = tuple(routes) or it.proxy
    if routes != it.routes:
        it.routes = routes
    if hosts and hosts[0] not in it.route_hosts:
        it.route_hosts = hosts
