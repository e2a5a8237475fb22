"""Changes of a call that we ask for: hold, another address, a refresh (RFC 3261 14.1, RFC 3311, RFC 3264 8); and what comes
back for our requests inside a call. Loaded for the moment by call.py, the `call` of each function."""

from os import urandom

from lend import lend
from micropython import const

from .scan import field
from .words import ending

_ATTEMPTS = const(10)  # at one change, after refusals for the moment


def change(call, hold):
    """hold() and resume(): they are to be on hold, or not."""
    if not call._wish == hold == call.on_hold:
        call._wish = hold
        begin(call)


def due(call):
    """The time to try again has come."""
    call._retry = None
    begin(call)


def begin(call):
    """Sends a re-INVITE for what is wished; as soon as nothing else is open (14.1). Where nothing is, that only shows that
    the session lives (RFC 4028), and an UPDATE does as well if it is understood there."""
    if call.state == "ended":
        return
    if call.state != "up" or call._change is not None or call._accepted is not None or call._retry is not None:
        call._wanted = True
        return
    call._wanted = False
    body = _reoffer(call)
    if body == call._local and call._lifetime and call._lifetime[2]:
        _update(call)
    else:
        _send(call, (call._wish, body))


def _send(call, proposal, lines=()):
    """A re-INVITE. `proposal`: (whether they are on hold once it is accepted, our offer)."""
    transaction = call.send(b"INVITE", _lines(call, lines), proposal[1])
    if transaction is None:
        _later(call, 2000)
        return
    call._change = transaction
    transaction.proposal = proposal
    call._sequence = call.dialog.sequence


def _lines(call, lines):
    agent = call.agent
    lines = [agent.contact_line(call.peer), agent.ABOUT] + list(lines)
    if call._lifetime or call._min_se or agent.session_expires_s:
        lines.extend(lend("sip.session").asking(call))
    return lines


def _update(call, lines=()):
    """An UPDATE without an offer."""
    transaction = call.send(b"UPDATE", _lines(call, lines))
    if transaction is None:
        _later(call, 2000)
        return
    call._change = transaction
    transaction.proposal = None


def _reoffer(call):
    """Our newest SDP with the direction that is wished, and our address as it is now. What is the same has the same
    version (RFC 3264 8)."""
    host, port = call._media_address
    direction = None
    if call._wish != call.on_hold:
        # RFC 3264 8.4: where they hold us already, nothing is left to go
        held = call.media and call.media.held
        direction = b"a=" + (b"sendrecv" if not call._wish else b"inactive" if held else b"sendonly")
    where = b"IN %s %s" % (b"IP6" if ":" in host else b"IP4", host.encode())
    lines = call._local.split(b"\r\n")
    is_sound = is_moved = False
    for k in range(2, len(lines)):
        line = lines[k]
        if line.startswith(b"c="):
            lines[k] = b"c=" + where
            is_moved = is_moved or line != lines[k]
        elif line.startswith(b"m="):
            parts = line.split(b" ")
            is_sound = parts[1] != b"0"
            if is_sound:
                is_moved = is_moved or parts[1] != b"%d" % port
                parts[1] = b"%d" % port
                lines[k] = b" ".join(parts)
        elif is_moved and line.startswith(b"a=crypto:"):
            # RFC 4568 7.1.4: what goes from and to another place of ours has another key
            lines[k] = lend("sip.crypto").renewed(line)
        elif is_sound and direction and line in (b"a=sendrecv", b"a=sendonly", b"a=recvonly", b"a=inactive"):
            lines[k] = direction
    origin = lines[1].split(b" ")
    lines[1] = b"%s %s %s %s" % (origin[0], origin[1], origin[2], where)
    body = b"\r\n".join(lines)
    if body != call._local:
        call._version += 1
        lines[1] = b"%s %s %d %s" % (origin[0], origin[1], call._version, where)
        body = b"\r\n".join(lines)
    return body


def on_response(call, transaction, status, message):
    """A final response, or none (408), to a request inside the dialog that was ours."""
    method = transaction.key[transaction.key.find(b" ") + 1 :]
    ours = transaction is call._change
    proposal = transaction.proposal if ours else None
    if status < 300:
        if ours:
            _accepted(call, proposal, message)
        return
    credentials = None
    if status == 401 or status == 407:
        credentials = call.agent.credentials(transaction, message)
    if method == b"BYE":
        if credentials:
            call._bye(credentials)
        return
    if method in (b"REFER", b"NOTIFY", b"PRACK") or method == b"INFO" and status != 481 and status != 408:
        lend("sip.again").refused(call, transaction, message, credentials)
        return
    if ours:
        call._change = None
    if call.state != "up":
        return
    if ours and message is None and transaction.why != "no answer" and call._attempts < _ATTEMPTS:
        # It did not even go out: a network that is away for a moment need not end the call.
        call._attempts += 1
        _later(call, 4000)
    elif status == 481 or status == 408:
        # 12.2.1.2: they do not know of the call any more, or are gone
        if status == 408:
            call._bye()
        call._end(status, ending(status))
    elif not ours:
        pass
    elif credentials:
        if proposal:
            _send(call, proposal, (credentials,))
        else:
            _update(call, (credentials,))
    else:
        _refused(call, status, message, proposal)


def _refused(call, status, message, proposal):
    """Our re-INVITE or UPDATE was refused: the session is as it was (14.1), and may be changed later."""
    call._attempts += 1
    retry_ms = 0
    if call._attempts > _ATTEMPTS:
        pass
    elif status == 491:
        # 14.1: in units of 10 ms; whoever owns the Call-ID waits longer
        chance = urandom(1)[0]
        retry_ms = chance % 201 * 10 if call.incoming else 2100 + chance % 191 * 10
        retry_ms = retry_ms or 10
    elif status == 422 and lend("sip.session").longer(call, message):
        retry_ms = 10
    elif not proposal and status in (405, 501):
        # What their Allow promised they do not do.
        call._lifetime = call._lifetime[:2] + (False, False)
        retry_ms = 10
    elif status == 500 or status == 503:
        wait_s = lend("sip.later").retry_after_s(message)
        if 0 <= wait_s < 100:
            retry_ms = max(1000 * wait_s, 10)
    if retry_ms:
        _later(call, retry_ms)
        return
    wish, call._wish = call._wish, call.on_hold
    call._attempts = 0
    if wish != call.on_hold:
        what = "would not be put on hold" if wish else "would not be taken off hold"
        call.news = "The other side %s: %s." % (what, ending(status, message.reason))
        if call.on_event:
            call.on_event(call, "transfer")
    if call._wanted:
        begin(call)


def _later(call, delay_ms):
    call._retry = call.agent.timers.after(delay_ms, call._due, "modify")


def _accepted(call, proposal, message):
    """2xx to our re-INVITE or UPDATE. What may meet a full heap comes first: then the 2xx comes again, and finds us as we
    were."""
    call.dialog.refresh(message)
    if proposal:
        lend("sip.progress").acknowledge(call)
    if call.state != "up":
        call._change = None
        return  # our BYE is under way
    if call._lifetime or message.get(field(b"session-expires")) is not None:
        lend("sip.session").agreed(call, message)
    if proposal:
        hold, body = proposal
        modified = lend("sip.modified")
        media = call.accepted(message, body)
        call.agent.spare()
        call._local = body
        held = call.on_hold
        call.on_hold = hold
    call._change = None
    call._attempts = 0
    if proposal and media:
        modified.agreed(call, media, held != hold)
    if call._wanted:
        begin(call)
