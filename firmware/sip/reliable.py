"""Reliable provisional responses and PRACK (RFC 3262). Loaded for the moment by call.py, the `call` of each function."""

from os import urandom

from micropython import const

from .scan import H_REQUIRE, field
from .transaction import T1

_LAST_MS = const(16000)  # the longest interval: it ends after 31.5 s, and 64*T1 is reached soon


def is_wanted(message):
    """Whether Require has 100rel."""
    return b"100rel" in [tag.lower() for tag in message.all(H_REQUIRE)]


# --- We called.


def acknowledge(call, message):
    """A 1xx of theirs that requires something: PRACK for a reliable one. Returns 2 for one that is new, and in order, 0 for
    one that is not, 1 for a response that is not reliable at all."""
    if not is_wanted(message):
        return 1
    value = message.get(field(b"rseq")) or b""
    if not value.isdigit() or len(value) > 10:
        return 0
    rseq = int(value)
    dialog = call.dialog
    if not rseq or dialog.rseq and rseq != dialog.rseq + 1:
        return 0  # again: the PRACK repeats itself; or one is missing, and comes before this one comes again
    if call.send(b"PRACK", (b"RAck: %d %d INVITE" % (rseq, message.cseq),)) is None:
        return 0
    dialog.rseq = rseq
    return 2


# --- We are called.


def ring(call, host, port):
    """180, repeated until the PRACK is here. `host`, `port`: our RTP socket when our SDP is to go with it."""
    dialog = call.dialog
    if call._provisional:
        return  # one at a time (RFC 3262 3)
    body = b""
    if host and not dialog.settled:
        call._media_address = (host, port)
        body = call._local_sdp()
        if body is None:
            call.reject(488)
            return
    elif not call._offer and not dialog.settled:
        return  # RFC 3262 5: the first one would have to carry our offer, and there is no socket yet to name in it
    if not dialog.rseq:
        dialog.rseq = int.from_bytes(urandom(2), "big") + 1
    else:
        dialog.rseq += 1
    lines = (call.agent.contact_line(call.peer), call.agent.ABOUT, b"Require: 100rel\r\nRSeq: %d" % dialog.rseq)
    call._provisional = call._respond(180, lines, body)
    if body and not call._late:
        dialog.settled = True
        call._tell("media")
    call._repeat_ms = T1
    _again(call, T1)


def _again(call, delay_ms):
    call._repeat = call.agent.timers.after(delay_ms, call._due, "reliable")


def due(call):
    """No PRACK yet: sent again at T1, doubling, for 64*T1; then the call is refused (RFC 3262 3)."""
    if call.state != "incoming" or not call._provisional:
        return
    if call._repeat_ms > _LAST_MS:
        call.reject(504)
        return
    call.agent.send(call._provisional, call._invite.peer)
    call._repeat_ms *= 2
    _again(call, call._repeat_ms if call._repeat_ms <= _LAST_MS else T1)


def waits(call):
    """The call is to be answered: whether that waits for the PRACK, as it must when an offer or an answer is under way
    (RFC 3262 3); else nothing is repeated any more."""
    if b"\r\n\r\nv=" in call._provisional:
        call._answered = True
        return True
    call._repeat = call.agent.timers.cancel(call._repeat)
    return False


def pracked(call, request, transaction):
    """Their PRACK."""
    dialog = call.dialog
    rack = (request.get(field(b"rack")) or b"").split()
    if not call._provisional or rack != [b"%d" % dialog.rseq, b"%d" % call._their_sequence, b"INVITE"]:
        call._reply(transaction, 481)
        return
    is_open = call.state == "incoming"
    body = b""
    media = None
    fits = True
    if b"\r\n\r\nv=" in call._provisional or request.body:
        try:
            theirs = call.agent.session_of(request)
        except ValueError:
            theirs = b""
        if not dialog.settled and call._late:
            media = call.accepted(request, call._local)
            fits = media is not None
        elif theirs and dialog.settled:
            body, media = call.answering(theirs)
            if body is None:
                call._reply(transaction, 488)  # the offer is refused, the response is acknowledged all the same
                body = b""
        call.agent.spare()
    if transaction.data is None:
        call._reply(transaction, 200, (), body)
    call._provisional = b""
    if body:
        call._local = body
    if is_open:
        call._repeat = call.agent.timers.cancel(call._repeat)
        if not fits:
            call.reject(488)
            return
    if media:
        call._late = False
        dialog.settled = True
        call.media = media
        call._tell("media")
    if is_open and call._answered:
        host, port = call._media_address
        call.answer(host, port)
