"""What a Registration does: sends REGISTER, understands the answer, recovers (RFC 3261 section 10.2). Loaded by
registration.py for the moment; whatever lasts is in the Registration that each function is given as `it`."""

from os import urandom

from lend import lend
from micropython import const

from .address import parse_uri
from .message import request
from .scan import H_MIN_EXPIRES
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
_LONGEST_WAIT_S = const(3600)  # of what Retry-After may ask
_FOLLOWED = const(4)
_GOES_ON = const(2)


def begin(it, timed, credentials):
    """An attempt. Returns the URI that has to be looked up first, or None. `credentials` for it, or None."""
    agent = it.agent
    it.is_active = True
    if timed != _GOES_ON:
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
        send(it, it.expires_s, credentials)
    return None


def _in_call(agent):
    return [call for call in agent.calls if call.state != "ended"]


def _is_open(agent, peer):
    """Whether something can be sent without a TLS handshake, which holds everything up for as long as it calculates."""
    streams = agent.transport.streams
    return peer[2:] != (b"TLS",) or streams is not None and streams.find(peer) is not None


def located(it, peers, problem, credentials):
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
        failed(it, problem)
        return
    # Else the name server is away, which need not mean that the registrar is.
    send(it, it.expires_s, credentials)


def send(it, expires_s, credentials):
    """Sends a REGISTER; `expires_s` 0 un-registers. `credentials`: header field lines, or None."""
    agent = it.agent
    peer = it.peers[0]
    contact = agent.contact_uri(it.user, peer) if expires_s else it.contact
    lines = [b"Contact: <%s>\r\nExpires: %d" % (contact, expires_s), agent.ABOUT]
    if it.contact and it.contact != contact:
        # In a line of its own: a registrar that reads only the first still gets the one that matters.
        lines.append(b"Contact: <%s>;expires=0" % it.contact)
    server = it.moved or it.server
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
        failed(it, "the table of transactions is full")
    elif it.tried + 1 < len(it.peers) and agent.timers.left_ms(transaction.deadline.due) > _NEXT_SERVER_MS:
        transaction.limit(_NEXT_SERVER_MS)


def stop(it, done, credentials):
    """See Registration.stop."""
    it.is_active = it.is_registered = False
    it.timer = it.agent.timers.cancel(it.timer)
    it.alive = it.agent.timers.cancel(it.alive)
    if it.second is not None:
        if it.second.contact and not it.contact:
            it.second.stop(done)
            return
        it.second.stop()
    if it.contact:
        it.done = done
        it.attempts = 0
        send(it, 0, credentials)
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
    it.tell()


def on_response(it, transaction, message, credentials):
    """The answer to the newest REGISTER that is no 2xx, or None when there will be none. `credentials`: what its challenge
    was answered with."""
    status = message.status if message else 0
    if 0 < status < 200:
        return
    if status == 0 or status == 503:
        # RFC 3263 4.3: the next server of the same name, at once. The order is kept for the next time.
        it.tried += 1
        it.peers.append(it.peers.pop(0))
        if it.tried < len(it.peers) and it.is_active:
            send(it, it.expires_s, it.credentials())
        elif status:
            _refused(it, message)
        else:
            why = transaction.why
            failed(it, why if ":" in why else "%s from %s" % (why, lend("sip.standing").server(it)))
    elif credentials:
        send(it, it.expires_s if it.is_active else 0, credentials)
    elif status == 423 and it.is_active and it.attempts < _FOLLOWED and _longer(it, message):
        it.attempts += 1
        send(it, it.expires_s, it.credentials())
    elif status < 400 and it.is_active and _moved(it, message):
        it.start(_GOES_ON)
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
    wait_s = min(max(lend("sip.later").retry_after_s(message), 0), _LONGEST_WAIT_S)
    failed(it, problem, wait_s, 300 <= status < 500 and status != 408)


def _longer(it, message):
    """423: the registrar wants Min-Expires at least (10.2.8)."""
    value = message.get(H_MIN_EXPIRES)
    if value is None or not value.isdigit() or len(value) > 6:
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


def failed(it, problem, wait_s=0, is_refused=False):
    """Another attempt, later; meanwhile the second server, if this one is away."""
    it.moved = b""
    if not it.is_active:
        it.problem = problem
        it.finish()
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
    it.tell()


def _expire(it):
    if it.contact and it.agent.timers.left_ms(it.expires_at) <= 0:
        it.contact = b""
        it.tell()


def _retry(it, first_ms, last_ms, wait_s):
    """Doubling back-off with jitter, so that a street of doors does not knock in step after a power cut."""
    timers = it.agent.timers
    if it.contact and not it.problem and it.granted_s * 1000 - timers.left_ms(it.expires_at) > _STOOD_MS:
        it.retry_ms = 0
    it.retry_ms = min(max(2 * it.retry_ms, first_ms), last_ms)
    delay_ms = it.retry_ms // 2 + it.retry_ms // 2 * urandom(1)[0] // 255
    it.timer = timers.cancel(it.timer)
    it.timer = timers.after(max(delay_ms, wait_s * 1000), it.start, True)
