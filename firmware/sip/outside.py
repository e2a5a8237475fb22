"""What is rare outside a call, from one who may call: NOTIFY and SUBSCRIBE (RFC 6665), MESSAGE (RFC 3428), REFER
(RFC 3515), OPTIONS with a body or a Require. Loaded for the moment by agent.py."""

from lend import lend
from micropython import const

from .address import parse_uri
from .message import response
from .scan import H_REQUIRE

_H_EVENT = const(26)  # sip.scan.field(b"event")
# What PBXs send without being asked: to see whether we live, and that there is voice mail. A door has no use for it, but
# a 200 ends the matter where some take a refusal for a dead phone. check-sync wants a phone to restart: not by a stranger.
_UNASKED = b" keep-alive message-summary "


def lacking(agent, request, ours=None):
    """The Unsupported line that a request's Require asks for (RFC 3261 8.2.2.3), None when nothing is. `ours`: a header line with
    what is supported, in place of the user agent's."""
    ours = ours or agent.ABOUT[agent.ABOUT.find(b"Supported:") :].split(b"\r\n")[0]
    ours = [tag.strip() for tag in ours.split(b":")[1].split(b",")]
    tags = [tag for tag in request.all(H_REQUIRE) if tag.lower() not in ours]
    return b"Unsupported: " + b", ".join(tags) if tags else None


def event(request):
    """(status, header lines) for a NOTIFY or SUBSCRIBE that belongs to nothing (RFC 6665 4.1.3, 4.2.1.1): we have
    subscribed to nothing, and nobody may subscribe here."""
    package = (request.get(_H_EVENT) or b"").split(b";")[0].rstrip()
    if request.method == b"NOTIFY":
        if b" %s " % package in _UNASKED:
            return 200, ()
        if package == b"refer":
            return 481, ()
    return 489, (b"Allow-Events: refer",)


def on_request(agent, request, source):
    """(status, reason, header lines) to refuse it with, or (0, None, ()): it has been answered."""
    unsupported = lacking(agent, request)
    if unsupported:
        return 420, None, (unsupported,)
    if parse_uri(request.uri).headers:
        # 19.1.1: no place for them.
        return 400, b"Header Fields In Request-URI", ()
    method = request.method
    if method == b"NOTIFY" or method == b"SUBSCRIBE":
        status, lines = event(request)
        return status, None, lines
    if method == b"REFER":
        # It would have us call whom a stranger likes. In a call its other side may ask (refer.py).
        return 403, b"Only in a call", ()
    if method == b"OPTIONS":
        _, lines = lend("sip.parts").find(request)
        if lines:
            return 415, None, lines
        agent._send_reply(request, source, agent.options(request, agent._tag(request), source))
        return 0, None, ()
    if method != b"MESSAGE":
        return 501, None, (agent.ABOUT,)
    info = lend("sip.info")
    status, lines = info.weigh(agent, request)
    if status != 200:
        return status, None, lines
    # It may come again, and is to be read once: so it has a transaction.
    transaction = agent.transactions.server(request, agent._reply_to(request, source), source)
    if transaction is None:
        return 503, None, (b"Retry-After: 5",)
    try:
        info.read(agent, request, None)
        transaction.respond(200, response(request, 200, to_tag=agent._tag(request), source=source))
    except Exception:
        if transaction.data is None:
            agent.transactions.forget(transaction)
        raise
    return 0, None, ()
