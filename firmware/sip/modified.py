"""Changes of a call that the other side asks for: its re-INVITEs and UPDATEs (RFC 3261 14.2, RFC 3311, RFC 3264 8), and what an
answer to an offer of ours changes. Loaded for the moment, the `call` of each function."""

from os import urandom

from lend import lend
from micropython import const

from .words import ending

_H_SESSION_EXPIRES = const(21)  # sip.scan.field() of its name


def asked(call, request, transaction):
    """A re-INVITE or UPDATE inside the dialog."""
    agent = call.agent
    is_invite = request.method == b"INVITE"
    try:
        offer = agent.session_of(request)
    except ValueError:
        call._reply(transaction, 415, (b"Accept: application/sdp",))
        return
    status = _obstacle(call, is_invite, offer)
    if status == 500:
        # 14.2, RFC 3311 5.2: whoever comes again comes at another time than the one it met
        call._reply(transaction, 500, (b"Retry-After: %d" % (urandom(1)[0] % 10 + 1),))
        return
    lines = ()
    if not status and request.get(_H_SESSION_EXPIRES) is not None:
        lines = lend("sip.session").too_short(request)
    if status or lines:
        call._reply(transaction, status or 422, lines)
        return
    body, media = call.answering(offer) if offer else (_offer(call), None) if is_invite else (b"", None)
    agent.spare()
    if body is None:
        call._reply(transaction, 488)
        return
    call.dialog.refresh(request)
    if is_invite:
        if call._accepted is not None:
            call._confirmed()  # who asks for more has had our 2xx, even if their ACK was lost
        call._invite = transaction
        call._their_sequence = request.cseq
        call._late = not offer
        lend("sip.taking").accept(call, body)
    else:
        lines = [agent.contact_line(call.peer), agent.ABOUT]
        if call.state == "up" and (call._lifetime or agent.session_expires_s or request.get(_H_SESSION_EXPIRES) is not None):
            lines.extend(lend("sip.session").granted(call, request))
        call._reply(transaction, 200, lines, body)
    if body:
        call._local = body
    if media:
        agreed(call, media)


def _obstacle(call, is_invite, offer):
    """The status that says why it cannot be now: 491 when our own offer is open, 500 when theirs is; 0 when it can."""
    if call.state == "ended":
        return 481
    if call.state != "up":
        if is_invite:
            return 500 if call.incoming else 491
        if not offer or call.dialog.settled:
            return 0
        # RFC 3311 5.2: either their INVITE's offer waits for our answer, or ours for theirs
        return 500 if call.incoming and call._offer else 491
    ours = call._change
    if ours is not None and (is_invite or offer) and ours.proposal:
        return 491
    if call._accepted is not None and call._late and (is_invite or offer):
        return 491
    return 0


def _offer(call):
    """What we offer when a re-INVITE of theirs has no offer: all that we can do, in the media line that carries the
    sound; the lines that were refused stay refused (14.2)."""
    direction = b"sendonly" if call.on_hold else b"sendrecv"
    media = call.media
    events = media.events if media and media.events >= 0 else 101
    fresh = lend("sip.offer").of(call, direction, events)
    head, sound = fresh.split(b"m=audio ")
    lines = (call._local or fresh).split(b"\r\nm=")
    out = [head]
    for line in lines[1:]:
        if line.split(b" ")[1] == b"0":
            out.append(b"m=%s\r\n" % line.strip())
        else:
            out.append(b"m=audio " + sound)
    return b"".join(out)


def acknowledged(call, request):
    """Their ACK for a 2xx that carried our offer, or that something of ours waited for."""
    if call._late:
        call._late = False
        first = call.media is None
        media = call.accepted(request, call._local)
        call.agent.spare()
        if media:
            agreed(call, media)
        elif first:
            call._bye()
            call._end(488, ending(488))
            return
        # no answer, or one that does not fit, in a call that has sound: it goes on as it was
    if call._wanted:
        lend("sip.modify").begin(call)


def agreed(call, media, tell=False):
    """An offer and its answer are complete: tells the application unless all is as it was."""
    old = call.media
    if old and media.host in ("0.0.0.0", "::"):
        media.host = old.host  # hold as RFC 2543 had it: nothing goes there, and nothing else is to come from elsewhere
    call.media = call.dialog.media = media
    if tell or old is None or _facts(old) != _facts(media):
        call._tell("media")


def _facts(media):
    return (media.host, media.port, media.payload, media.events, media.noise, media.rtcp, media.rtcp_mux, media.keys,
            media.send, media.receive, media.held)  # fmt: skip
