"""An INVITE of ours on its way (RFC 3261 9.1, 13.2.1), and what becomes of a call that it does not bring about. Loaded for the
moment by call.py, the `call` of each function."""

from lend import lend
from micropython import const

from .transaction import derived
from .words import ending

_64T1 = const(32000)


def located(call, peers, problem):
    """From agent.locate()."""
    if call.state == "ended":
        return
    if problem:
        if not _elsewhere(call, 0, None):
            call._end(0, problem)
        return
    call.peer = peers[0]
    call._others = peers[1:]
    send(call)


def send(call, credentials=None):
    """The INVITE, with our offer; after a challenge with what answers it."""
    agent = call.agent
    if call.dialog.remote_tag:
        lend("sip.forks").afresh(call)
    branch = agent.new_branch()
    lines = [agent.contact_line(call.peer), agent.ABOUT]
    lines.extend(call.lines)
    if credentials:
        lines.append(credentials)
    if agent.session_expires_s or call._min_se:
        lines.extend(lend("sip.session").asking(call))
    body = call._local_sdp()
    if body is None:
        call._end(488, "the sound has to be encrypted, and its keys may go over TLS only")
        return
    data = call.dialog.request(b"INVITE", agent.via(branch, call.peer), lines, body, b"application/sdp")
    call._sequence = call.dialog.sequence
    call._invite = agent.transactions.client(b"INVITE", branch, data, call.peer, call)
    if call._invite is None:
        call._end(503, "too much is going on at once; try again in a few seconds")


def failed(call, status, message, credentials):
    """It was refused, and may be sent again with `credentials`, if any; or nobody answers it: `message` is None."""
    if call._others and (message is None or status == 503):
        # RFC 3263 4.3: the next server of the same name.
        call.peer = call._others.pop(0)
        send(call)
    elif message is None:
        if not _elsewhere(call, 408, None):
            why = call._invite.why
            call._end(408, why if ":" in why else "%s from %s" % (why, call.peer[0]))
    elif credentials:
        send(call, credentials)
    elif status == 422 and not call._cancelled and lend("sip.session").longer(call, message):
        send(call)
    elif status == 488 and not call._cancelled and b"a=crypto:" in call._local:
        lend("sip.crypto").refused(call)
    elif not _elsewhere(call, status, message):
        call._end(status, ending(status, message.reason))


def _elsewhere(call, status, message):
    """Whether a 3xx, now or before, says where else to call, and that is done."""
    if call._cancelled or not (call.targets or 300 <= status < 400):
        return False
    return lend("sip.moved").follow(call, status, message)


def cancel(call):
    """CANCEL (9.1), once the INVITE has been answered at all."""
    invite = call._invite
    call._cancel_sent = True
    invite.limit(_64T1)
    call.agent.transactions.client(b"CANCEL", invite.key[:-7], derived(b"CANCEL", invite.data), invite.peer, call)
