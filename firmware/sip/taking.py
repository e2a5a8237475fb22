"""A call of theirs is answered (RFC 3261 13.3.1.4). Loaded for the moment by call.py, the `call` of each function."""

from lend import lend
from micropython import const

from .transaction import T1

_64T1 = const(32000)
_H_SESSION_EXPIRES = const(21)  # as scan.field() has it


def answer(call, host, port):
    """See Call.answer()."""
    call._media_address = (host, port)
    if call._provisional and lend("sip.reliable").waits(call):
        return  # it goes on as soon as their PRACK is here
    body = b"" if call.dialog.settled else call._local_sdp()
    if body is None:
        call.reject(488)
        return
    try:
        accept(call, body)
    finally:
        if call._invite.request is None:  # our 200 has gone, whatever came behind it
            call._since = call.agent.timers.clock()
            call.state = "up"
    if call.media is not None:
        call._tell("media")
    call._tell("up")


def accept(call, body):
    """Sends our 2xx, which is repeated until the ACK comes: at T1, doubling to T2, for 64*T1."""
    agent = call.agent
    lines = [agent.contact_line(call.peer), agent.ABOUT]
    request = call._invite.request
    if agent.session_expires_s or call._lifetime or request.get(_H_SESSION_EXPIRES) is not None:
        lines.extend(lend("sip.session").granted(call, request))
    call._accepted = call._respond(200, lines, body)
    call._repeat_ms = T1
    call._repeat = agent.timers.after(T1, call._resend)
    call._deadline = agent.timers.after(_64T1, call._no_ack)


def unconfirmed(call):
    """No ACK came."""
    call._confirmed()
    call._bye()
    call._end(408, "the other side never confirmed the answer (no ACK)")
    call.agent.retire(call)  # one that was hung up here has waited for nothing else
