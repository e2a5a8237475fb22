"""What a Registration does: sends REGISTER, understands the answer, recovers (RFC 3261 section 10.2). Loaded by
registration.py for the moment; whatever lasts is in the Registration that each function is given as `it`."""

from os import urandom

from lend import lend
from micropython import const

from .address import parse_name_addr, parse_uri
from .message import parse, request
from .scan import H_CONTACT, H_EXPIRES, H_MIN_EXPIRES, field
from .words import text

# Back-off, doubling (the idea of RFC 5626 4.5), in milliseconds. A PBX that was away is found again within five minutes.
_FIRST_RETRY_MS = const(2000)
_LAST_RETRY_MS = const(300000)
# Whom the registrar refuses must wait: many lock an address out after five wrong passwords in ten minutes.
_FIRST_REFUSED_MS = const(60000)
_LAST_REFUSED_MS = const(900000)
_STOOD_MS = const(60000)  # a registration that lasted so long ends what went before it
_NEXT_SERVER_MS = const(6000)  # of five datagrams none is answered: where there is another server, it is asked
_LATER_MS = const(5000)
_LONGEST_S = const(86400)
_ALIVE_MS = const(25000)  # NATs forget a UDP way after 30 s and more (RFC 4787 4.3 wants two minutes)
_LONGEST_WAIT_S = const(3600)  # of what Retry-After may ask
_FOLLOWED = const(4)
_ROUTES = const(4)
_USUAL = (0, 5060, 5061)  # ports that go without saying


def begin(it, timed):
    """An attempt. Returns the URI that has to be looked up first, or None."""
    agent = it.agent
    it.is_active = True
    it.attempts = it.tried = 0
    if not timed:
        it.retry_ms = 0
        it.moved = agent.public = b""
    _expire(it)
    uri = it.hop if it.proxy else it.moved or it.hop
    # A call is not disturbed, as long as the binding lasts: the server is where it was, and a new connection can wait.
    calm = it.contact and agent.timers.left_ms(it.expires_at) > 2 * _LATER_MS and _in_call(agent)
    try:
        it.peers = [agent.address_of(uri)]
    except ValueError:
        if not calm or not it.peers:
            return uri
    if calm and not _is_open(agent, it.peers[0]):
        it.timer = agent.timers.cancel(it.timer)
        it.timer = agent.timers.after(_LATER_MS, it.start, True)
    else:
        send(it, it.expires_s)


def _in_call(agent):
    return [call for call in agent.calls if call.state != "ended"]


def _is_open(agent, peer):
    """Whether something can be sent without a TLS handshake, which holds everything up for as long as it calculates."""
    streams = agent.transport.streams
    return peer[2:] != (b"TLS",) or streams is not None and streams.find(peer) is not None


def located(it, peers, problem):
    """The server's peers are known, or `problem` says why not."""
    if not it.is_active:
        return
    if peers:
        if it.contact and it.peers and it.peers[0] in peers:
            # The one that answered last stays first while the name still stands for it.
            peers.remove(it.peers[0])
            peers.insert(0, it.peers[0])
        it.peers = peers
    elif not it.peers:
        _failed(it, problem)
        return
    # Else the name server is away, which need not mean that the registrar is.
    send(it, it.expires_s)


def send(it, expires_s, credentials=None):
    """Sends a REGISTER; `expires_s` 0 un-registers."""
    agent = it.agent
    peer = it.peers[0]
    contact = agent.contact_uri(it.user, peer) if expires_s else it.contact
    lines = [b"Contact: <%s>\r\nExpires: %d" % (contact, expires_s), agent.ABOUT]
    if it.contact and it.contact != contact:
        # In a line of its own: a registrar that reads only the first still gets the one that matters.
        lines.append(b"Contact: <%s>;expires=0" % it.contact)
    server = it.moved or it.server
    credentials = credentials or it.account.line(b"REGISTER", server)
    if credentials:
        lines.append(credentials)
    it.sequence += 1
    branch = agent.new_branch()
    name = b"<%s>" % it.address_of_record
    sender = b"%s;tag=%s" % (name, it.tag)
    data = request(
        b"REGISTER", server, agent.via(branch, peer), sender, name, it.call_id, it.sequence, it.proxy, lines
    )
    it.transaction = transaction = agent.transactions.client(b"REGISTER", branch, data, peer, it)
    if transaction is None:
        _failed(it, "the table of transactions is full")
    elif it.tried + 1 < len(it.peers) and agent.timers.left_ms(transaction.deadline.due) > _NEXT_SERVER_MS:
        transaction.limit(_NEXT_SERVER_MS)


def stop(it, done):
    """See Registration.stop."""
    it.is_active = it.is_registered = False
    it.timer = it.agent.timers.cancel(it.timer)
    it.alive = it.agent.timers.cancel(it.alive)
    if it.second is not None:
        if it.second.contact and not it.contact:
            stop(it.second, done)
            return
        stop(it.second, None)
    if it.contact:
        it.done = done
        it.attempts = 0
        send(it, 0)
    else:
        it.transaction = None
        if done:
            done()


def lost(it):
    """The connection is gone, and with it what the registrar would send on it: registers again, at once the first time."""
    if not it.is_active or not it.contact or it.transaction and it.transaction.is_live:
        return  # who waits for an answer hears of it
    _retry(it, 500, _LAST_RETRY_MS, 0)
    it.problem = "the connection was lost"
    _tell(it)


def on_response(it, transaction, message, credentials):
    """The answer to the newest REGISTER, or None when there will be none. `credentials`: what a 401 or 407 is answered with."""
    status = message.status if message else 0
    if 0 < status < 200:
        return
    if status == 0 or status == 503:
        # RFC 3263 4.3: the next server of the same name, at once. The order is kept for the next time.
        it.tried += 1
        it.peers.append(it.peers.pop(0))
        if it.tried < len(it.peers) and it.is_active:
            send(it, it.expires_s)
        elif status:
            _refused(it, message)
        else:
            why = transaction.why
            _failed(it, why if ":" in why else "%s from %s" % (why, lend("sip.registered").server(it)))
    elif status < 300:
        _succeeded(it, parse(transaction.data), message)
    elif status in (401, 407):
        if credentials:
            send(it, it.expires_s if it.is_active else 0, credentials)
        else:
            _refused(it, message)
    elif it.is_active and it.attempts < _FOLLOWED and (_moved(it, message) if status < 400 else _longer(it, message)):
        it.attempts += 1
        if status >= 400:
            send(it, it.expires_s)
        else:
            uri = begin(it, True)
            if uri:
                it.agent.locate(uri, it.located, True)
    else:
        _refused(it, message)


_ADVICE = """
401 check sip.user, sip.auth_user and sip.password
403 check sip.user, sip.auth_user and sip.password
404 check sip.user: the server does not know it
407 check sip.user, sip.auth_user and sip.password
"""


def _refused(it, message):
    status = message.status
    problem = "refused with %d %s" % (status, text(message.reason))
    start = _ADVICE.find("\n%d " % status)
    if start >= 0:
        problem += "; " + _ADVICE[start + 5 : _ADVICE.find("\n", start + 1)]
    wait = message.get(field(b"retry-after")) or b""
    wait = wait.split(b";")[0].split(b"(")[0].strip()
    wait_s = min(int(wait), _LONGEST_WAIT_S) if wait.isdigit() and len(wait) < 6 else 0
    _failed(it, problem, wait_s, 300 <= status < 500 and status != 408)


def _longer(it, message):
    """423: the registrar wants Min-Expires at least (10.2.8)."""
    value = message.get(H_MIN_EXPIRES)
    if message.status != 423 or value is None or not value.isdigit() or len(value) > 6:
        return False
    wanted_s = int(value)
    if not it.expires_s < wanted_s <= _LONGEST_S:
        return False
    it.expires_s = wanted_s
    return True


def _moved(it, message):
    """A 3xx names another registrar, which is followed once; False when it does not."""
    try:
        uri = parse_uri(message.contact_uri or b"")
    except ValueError:
        return False
    if it.moved or uri.scheme != b"sip" or not uri.host:
        return False
    it.moved = b"sip:" + uri.raw[4:].split(b"@")[-1].split(b"?")[0]
    return True


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


def _succeeded(it, sent, message):
    if not it.is_active:
        it.contact = b""
        _finish(it)
        return
    agent = it.agent
    timers = agent.timers
    granted_s = _granted(it, sent.contact_uri, message)
    if granted_s == 0:
        it.contact = b""
        _failed(it, "the server grants no time; try another sip.expires_s")
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
    if it.second is not None and it.second.is_active:
        stop(it.second, None)
    # Early enough for a lost datagram's 32 s, and never in the last fifth (RFC 5626 4.4.1 has 80 to 100 %).
    refresh_s = max(granted_s - 40, granted_s // 2, 1)
    it.timer = timers.cancel(it.timer)
    it.timer = timers.after(refresh_s * 1000, it.start, True)
    if len(it.peer) == 2 and it.alive is None:
        it.alive = timers.after(_ALIVE_MS, it.keep_alive)
    _tell(it)
    if it.attempts < _FOLLOWED and _seen_elsewhere(it, message.via):
        # The old binding goes with the same REGISTER.
        it.attempts += 1
        send(it, it.expires_s)


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


def _failed(it, problem, wait_s=0, is_refused=False):
    """Another attempt, later; meanwhile the second server, if this one is away."""
    it.moved = b""
    if not it.is_active:
        it.contact = b""
        it.problem = problem
        _finish(it)
        return
    if is_refused:
        _retry(it, _FIRST_REFUSED_MS, _LAST_REFUSED_MS, wait_s)
    else:
        _retry(it, _FIRST_RETRY_MS, _LAST_RETRY_MS, wait_s)
    it.problem = problem
    _expire(it)
    if it.second is not None and not is_refused and not it.second.is_active:
        it.second.retry_ms = 0
        it.second.start(True)
    _tell(it)


def _expire(it):
    if it.contact and it.agent.timers.left_ms(it.expires_at) <= 0:
        it.contact = b""
        _tell(it)


def _retry(it, first_ms, last_ms, wait_s):
    """Doubling back-off with jitter, so that a street of doors does not knock in step after a power cut."""
    timers = it.agent.timers
    if it.contact and not it.problem and it.granted_s * 1000 - timers.left_ms(it.expires_at) > _STOOD_MS:
        it.retry_ms = 0
    it.retry_ms = min(max(2 * it.retry_ms, first_ms), last_ms)
    delay_ms = it.retry_ms // 2 + it.retry_ms // 2 * urandom(1)[0] // 255
    it.timer = timers.cancel(it.timer)
    it.timer = timers.after(max(delay_ms, wait_s * 1000), it.start, True)


def _finish(it):
    done, it.done = it.done, None
    if done:
        done()


def _tell(it):
    whole = it.first or it
    whole.is_registered = bool(whole.contact or whole.second is not None and whole.second.contact)
    if whole.changed:
        whole.changed(whole)
