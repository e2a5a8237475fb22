"""What a Registration does: sends REGISTER, understands the answer, recovers (RFC 3261 section 10.2). Loaded by
registration.py for the moment; whatever lasts is in the Registration that each function is given as `it`."""

from os import urandom

from micropython import const

from .address import parse_name_addr, parse_uri
from .message import parse, request
from .scan import H_CONTACT, H_EXPIRES, H_MIN_EXPIRES
from .words import text

_FIRST_RETRY_MS = const(2000)
_LAST_RETRY_MS = const(300000)  # five minutes: a PBX that was away is found again within that
_LONGEST_S = const(86400)


def located(it, peers, problem):
    """The server's addresses are known, or `problem` says why not."""
    if not it.is_active:
        return
    if problem:
        _failed(it, problem)
        return
    if it.is_registered and it.peer in peers:
        # The one that answered last stays first while the name still stands for it.
        peers.remove(it.peer)
        peers.insert(0, it.peer)
    it.peers = peers
    send(it, it.expires_s)


def send(it, expires_s, credentials=None):
    """Sends a REGISTER; `expires_s` 0 un-registers."""
    agent = it.agent
    it.sequence += 1
    branch = agent.new_branch()
    name = b"<%s>" % it.address_of_record
    lines = [b"Contact: <%s>\r\nExpires: %d" % (agent.contact_uri(it.user, it.peer), expires_s), agent.ABOUT]
    credentials = credentials or it.account.line(b"REGISTER", it.server)
    if credentials:
        lines.append(credentials)
    sender = b"%s;tag=%s" % (name, it.tag)
    data = request(b"REGISTER", it.server, agent.via(branch, it.peer), sender, name, it.call_id, it.sequence, (), lines)
    if agent.transactions.client(b"REGISTER", branch, data, it.peer, it) is None:
        _failed(it, "the table of transactions is full")


def on_response(it, transaction, message):
    """A response, or None when there will be none."""
    status = message.status if message else 0
    if (status == 0 or status == 503) and len(it.peers) > 1 and it.is_active:
        # RFC 3263 4.3: the next server of the same name, at once.
        it.peers.pop(0)
        send(it, it.expires_s)
    elif message is None:
        _failed(it, "%s from %s" % (transaction.why, _server(it)))
    elif status < 200:
        pass
    elif status < 300:
        _succeeded(it, message)
    elif status in (401, 407) and _again(it, transaction, message):
        pass
    elif status == 423 and it.attempts < 3 and _longer(it, message):
        it.attempts += 1
        send(it, it.expires_s)
    else:
        problem = "refused with %d %s" % (status, text(message.reason))
        if status in (401, 403, 407):
            problem += "; check sip.user, sip.auth_user and sip.password"
        elif status == 404:
            problem += "; check sip.user: the server does not know it"
        _failed(it, problem)


def _again(it, transaction, message):
    """Answers a challenge (RFC 3261 22.2, 22.3)."""
    credentials = it.account.answer(message, parse(transaction.data))
    if credentials:
        send(it, it.expires_s if it.is_active else 0, credentials)
    return credentials


def words(it):
    """The state as a sentence."""
    where = "%s as %s" % (_server(it), it.user)
    if it.is_registered:
        left_s = max(0, it.agent.timers.left_ms(it.expires_at) // 1000)
        sentence = "Registered at %s, for %d s more." % (where, left_s)
        if it.problem:
            sentence += " The refresh failed: %s. Trying again." % it.problem
        return sentence
    if not it.is_active:
        return "Not registered: stopped."
    if it.problem:
        return "Not registered at %s: %s. Trying again." % (where, it.problem)
    return "Registering at %s." % where


def _server(it):
    """The registrar as people know it: its address, or its name with the address in use."""
    name = text(it.server[4:])
    host = it.peer[0] if it.peers else name
    return host if name.split(":")[0] == host else "%s (%s)" % (name, host)


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


def _granted(it, message):
    """Seconds granted to our own Contact in a 200 (10.2.4): its expires parameter, else Expires, else what we asked for."""
    ours = parse_uri(it.agent.contact_uri(it.user))
    value = message.get(H_EXPIRES)
    try:
        for item in message.all(H_CONTACT):
            contact = parse_name_addr(item)
            uri = parse_uri(contact.uri)
            if (uri.host, uri.port or 5060, uri.user) == (ours.host, ours.port, ours.user):
                value = contact.param(b"expires") or value
                break
    except ValueError:
        # A foreign binding we cannot read is not ours to judge.
        pass
    if value is None or not value.isdigit() or len(value) > 9:
        return it.expires_s
    return min(int(value), _LONGEST_S)


def _succeeded(it, message):
    it.problem = ""
    it.retry_ms = 0
    it.attempts = 0
    if not it.is_active:
        _finish(it)
        return
    timers = it.agent.timers
    it.granted_s = _granted(it, message)
    it.expires_at = timers.due(it.granted_s * 1000)
    if it.is_registered:
        it.refreshes += 1
    it.is_registered = it.granted_s > 0
    # Early enough for a lost datagram's 32 s, and never in the last fifth (RFC 5626 4.4.1 has 80 to 100 %).
    refresh_s = max(it.granted_s - 40, it.granted_s // 2, 1)
    it.timer = timers.cancel(it.timer)
    it.timer = timers.after(refresh_s * 1000, it.start)
    _tell(it)


def _failed(it, problem):
    """Doubling back-off with jitter, so that a street of doors does not knock in step after a power cut."""
    it.problem = problem
    if not it.is_active:
        _finish(it)
        return
    timers = it.agent.timers
    if it.is_registered and timers.left_ms(it.expires_at) <= 0:
        it.is_registered = False
    it.retry_ms = min(max(2 * it.retry_ms, _FIRST_RETRY_MS), _LAST_RETRY_MS)
    delay_ms = it.retry_ms // 2 + it.retry_ms // 2 * urandom(1)[0] // 255
    it.timer = timers.cancel(it.timer)
    it.timer = timers.after(delay_ms, it.start)
    _tell(it)


def _finish(it):
    done, it.done = it.done, None
    if done:
        done()


def _tell(it):
    if it.changed:
        it.changed(it)
