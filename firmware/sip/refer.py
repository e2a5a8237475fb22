"""The other side asks us to call somebody else: REFER inside a call (RFC 3515, RFC 4488, RFC 5589). Loaded for the moment by
services.py; how it goes on is in handing.py, and what lasts in the two calls.
"""

from lend import lend
from micropython import const

from .address import parse_name_addr, parse_uri
from .message import response
from .words import text

# sip.scan.field() of their names
_H_EXPIRES = const(12)
_H_REFER_TO = const(27)
_H_REFERRED_BY = const(28)

_LASTS_S = const(180)  # as handing.py has it

# What the two calls share as `transfer`, a list:
_OLD = const(0)  # the call that was asked
_ID = const(2)  # what Event says behind "refer", None when the other side wants no NOTIFY
_FRAG = const(4)  # the newest status line that was told, bytes


def on_refer(call, request, transaction):
    """Answers a REFER inside a call, and does what it says."""
    agent = call.agent
    status, reason, uri, lines = read(call, request)
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
    try:
        call._reply(transaction, 202, (agent.contact_line(call.peer), b"Refer-Sub: false" if quiet else b"Refer-Sub: true"))
    except Exception:
        new.hangup()  # it comes again, and is to place one call
        raise
    lend("sip.handing").begun(call, new, name)


def read(call, request):
    """What a REFER wants: (0, None, URI, header lines for the INVITE), or a status and its reason to refuse with."""
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
    lend("sip.handing").notify(call, it[_ID], it[_FRAG], is_last)
    if is_last:
        it[_ID] = None


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
