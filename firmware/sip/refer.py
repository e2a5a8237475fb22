"""A call handed on: REFER from the other side and from us (RFC 3515, RFC 4488, RFC 5589), with what is told of it by NOTIFY
(RFC 6665). Loaded for the moment by call.py and services.py; what lasts is in the calls.

A call that was asked to go elsewhere, and the call that was placed for it, share a list as `transfer`: what is at each index
the constants say.
"""

from lend import lend
from micropython import const

from .address import param, parse_name_addr, parse_uri
from .message import reason_of, response
from .words import ending, text

# sip.scan.field() of their names
_H_EXPIRES = const(12)
_H_REFER_TO = const(27)
_H_REFERRED_BY = const(28)
_H_SUBSCRIPTION_STATE = const(36)

# Of the list:
_OLD = const(0)  # the call that was asked
_NEW = const(1)  # the call that was placed
_ID = const(2)  # what Event says behind "refer", None when the other side wants no NOTIFY
_GIVEN = const(3)  # True once the application has the new call in the place of the old
_FRAG = const(4)  # the newest status line that was told, bytes

_LASTS_S = const(180)  # the subscription: longer than any phone rings
_GRACE_MS = const(4000)  # for the other side to end the old call


# --- The other side asks us to call somebody else.


def on_refer(call, request, transaction):
    """Answers a REFER inside a call, and does what it says."""
    agent = call.agent
    status, reason, uri, lines = _read(call, request)
    if not status and agent.on_refer and agent.on_refer(call, text(uri)) is False:
        status = 603
    quiet = (lend("sip.other").value(request, b"refer-sub") or b"").lower() == b"false"
    new = None
    if not status:
        try:
            host, port = call._media_address
            new = lend("sip.outset").place(agent, uri, host, port, None, lines)
        except ValueError as error:
            status, reason = 603, str(error).encode()
    if status:
        tag = call.dialog.local_tag
        transaction.respond(status, response(request, status, reason, tag, (), source=transaction.source))
        return
    # 2.4.6: only the first one's NOTIFY may go without its number
    count = call.refers
    call.refers = count + 1
    name = None if quiet else b";id=%d" % request.cseq if count else b""
    call._reply(transaction, 202, (agent.contact_line(call.peer), b"Refer-Sub: false" if quiet else b"Refer-Sub: true"))
    if new.state == "ended":
        _tell(call, "was to go on with %s: %s" % (text(uri), new.ended))
        _notify(call, name, b"SIP/2.0 503 " + reason_of(503), True)
        return
    call.transfer = new.transfer = [call, new, name, False, b""]
    _told(call.transfer, 100)
    _tell(call, "is handed on to %s" % text(uri))


def _read(call, request):
    """(0, None, URI, header lines for the INVITE), or a status and its reason to refuse with."""
    values = request.all(_H_REFER_TO)
    try:
        if len(values) != 1:
            raise ValueError
        raw = parse_name_addr(values[0]).uri
        uri = parse_uri(raw)
    except ValueError:
        return 400, b"Bad Refer-To", None, None
    if call.transfer:
        return 491, None, None, None
    if call.state != "up":
        return 603, None, None, None
    if uri.scheme != b"sip" and uri.scheme != b"sips" or (uri.param(b"method") or b"INVITE").upper() != b"INVITE":
        return 603, b"Only calls to sip addresses", None, None
    lines = []
    for one in uri.headers.split(b"&"):
        name, _, value = one.partition(b"=")
        if name.lower() == b"replaces":
            # Of all that a URI may bring along, this alone is let into our INVITE (RFC 3261 19.1.5).
            value = unescape(value)
            for c in value:
                if c < 32 or c > 126:
                    return 400, b"Bad Replaces", None, None
            lines.append(b"Replaces: " + value)
    referred = request.get(_H_REFERRED_BY)
    if referred:
        lines.append(b"Referred-By: " + referred)
    raw = raw.split(b"?")[0] if uri.headers else raw
    if uri.param(b"method"):
        at = raw.lower().find(b";method=")
        raw = raw[:at] + raw[at + 14 :]
    return 0, None, raw, lines


def told(call, event):
    """One of the two calls of a transfer has news, from call.py, before the application hears of it."""
    it = call.transfer
    old, new = it[_OLD], it[_NEW]
    if call is old:
        if event != "ended":
            return
        if old.ended == "hung up here":
            new.hangup()
        elif new.state != "ended":
            _give(it)
        return
    if event == "ringing":
        _told(it, 180)
    elif event == "early":
        _told(it, 183)
    elif event == "media" and new.state == "up":
        _give(it)
    elif event == "up":
        old.transfer = new.transfer = None
        _give(it)
        _notify(old, it[_ID], b"SIP/2.0 200 OK", True)
        # It is theirs to end the old call now; one who forgets is helped.
        new.agent.timers.after(_GRACE_MS, type(old).hangup, old)
    elif event == "ended":
        old.transfer = new.transfer = None
        status = new.status if new.status >= 300 else 503
        _notify(old, it[_ID], b"SIP/2.0 %d %s" % (status, reason_of(status)), True)
        if old.state != "ended":
            _tell(old, "was to go on with %s: %s" % (new.peer_uri, new.ended))


def _give(it):
    """The application gets the new call for the old one."""
    if it[_GIVEN]:
        return
    it[_GIVEN] = True
    old, new = it[_OLD], it[_NEW]
    new.on_event = old.on_event
    if old.agent.on_replaced:
        old.agent.on_replaced(old, new)


def _told(it, status):
    frag = b"SIP/2.0 %d %s" % (status, reason_of(status))
    if frag != it[_FRAG]:
        it[_FRAG] = frag
        _notify(it[_OLD], it[_ID], frag, False)


def _notify(call, name, frag, is_last):
    """NOTIFY with a status line (RFC 3515 2.4.4)."""
    if name is None:
        return
    state = b"terminated;reason=noresource" if is_last else b"active;expires=%d" % _LASTS_S
    lines = (b"Event: refer%s\r\nSubscription-State: %s" % (name, state),)
    call.send(b"NOTIFY", lines, frag + b"\r\n", b"message/sipfrag;version=2.0")


def on_subscribe(call, request, transaction):
    """Answers a SUBSCRIBE to the outcome of a REFER, which prolongs it or ends it, and tells how things stand (RFC 6665
    4.2.1)."""
    it = call.transfer
    if not it or it[_OLD] is not call or it[_ID] is None:
        call._reply(transaction, 481)
        return
    is_last = request.get(_H_EXPIRES) == b"0"
    line = b"Expires: %d" % (0 if is_last else _LASTS_S)
    call._reply(transaction, 200, (line, call.agent.contact_line(call.peer)))
    _notify(call, it[_ID], it[_FRAG], is_last)
    if is_last:
        it[_ID] = None


# --- We ask the other side to call somebody else.


def send(call, target):
    """See Call.refer."""
    agent = call.agent
    if call.state != "up":
        raise ValueError("the call is not up: only an answered call can be handed on")
    if isinstance(target, str):
        uri = lend("sip.outset").address(agent, target)
        other = None
    else:
        other = target
        if other is call or other.state != "up":
            raise ValueError("the other call is not up")
        dialog = other.dialog
        # Seen from where the INVITE will arrive, the tags change sides (RFC 3891 3).
        value = b"%s;to-tag=%s;from-tag=%s" % (dialog.call_id, dialog.remote_tag, dialog.local_tag)
        uri = dialog.target.split(b"?")[0] + b"?Replaces=" + escape(value)
    call.referred = [text(uri.split(b"?")[0]), other]
    me = parse_name_addr(call.dialog.local).uri
    lines = (agent.contact_line(call.peer), agent.ABOUT, b"Refer-To: <%s>\r\nReferred-By: <%s>" % (uri, me))
    if call.send(b"REFER", lines) is None:
        call.referred = None
        raise ValueError("too much is going on at once; try again in a few seconds")


def on_failure(call, message, why):
    """Our REFER was refused; `message` is None when nothing came back, `why` then says so."""
    if call.referred:
        _failed(call, ending(message.status, message.reason) if message else why)


def on_notify(call, request):
    """(status, header lines) for a NOTIFY about our REFER."""
    if not call.referred:
        return 481, ()
    state = request.get(_H_SUBSCRIPTION_STATE) or b""
    line = request.body.split(b"\n")[0].split()
    status = 0
    if len(line) > 1 and line[0].upper() == b"SIP/2.0" and line[1].isdigit() and len(line[1]) == 3:
        status = int(line[1])
    if status >= 300:
        _failed(call, ending(status, b" ".join(line[2:])))
    elif status >= 200:
        # It is ours to end this call now, and the other one when its side forgets to.
        name, other = call.referred
        call.referred = None
        _tell(call, "was handed on to " + name)
        timers = call.agent.timers
        timers.after(0, type(call).hangup, call)
        if other:
            timers.after(_GRACE_MS, type(other).hangup, other)
    elif state.split(b";")[0].strip().lower() == b"terminated":
        reason = param(state.partition(b";")[2], b"reason") or b""
        _failed(call, text(reason) or "no word of how it went")
    return 200, ()


def _failed(call, words):
    name = call.referred[0]
    call.referred = None
    _tell(call, "could not be handed on to %s: %s" % (name, words))


def _tell(call, words):
    call.news = "The call with %s %s." % (call.display or call.peer_uri, words)
    if call.on_event:
        call.on_event(call, "transfer")


# --- %xx


def escape(value):
    """Bytes as a header's value in a URI (RFC 3261 19.1.1)."""
    out = bytearray()
    for c in value:
        if 48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122 or c in b"-_.!~*'()":
            out.append(c)
        else:
            out.extend(b"%%%02X" % c)
    return bytes(out)


def unescape(value):
    """The way back. What is no escape stays as it is."""
    parts = value.split(b"%")
    out = bytearray(parts[0])
    for part in parts[1:]:
        try:
            out.append(int(part[:2].decode(), 16))
            out.extend(part[2:])
        except (ValueError, UnicodeError):
            out.extend(b"%" + part)
    return bytes(out)
