"""We ask the other side to call somebody else: REFER inside a call, and the NOTIFYs that tell how it went (RFC 3515,
RFC 5589). Loaded for the moment by call.py, services.py and again.py."""

from lend import lend
from micropython import const

from .address import param, parse_name_addr
from .words import ending, text

_H_SUBSCRIPTION_STATE = const(36)  # sip.scan.field(b"subscription-state")
_GRACE_MS = const(4000)  # for the other side to end the call that it was to replace


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
        lend("sip.handing").tell(call, "was handed on to " + name)
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
    lend("sip.handing").tell(call, "could not be handed on to %s: %s" % (name, words))


def escape(value):
    """Bytes as a header's value in a URI (RFC 3261 19.1.1)."""
    out = bytearray()
    for c in value:
        if 48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122 or c in b"-_.!~*'()":
            out.append(c)
        else:
            out.extend(b"%%%02X" % c)
    return bytes(out)
