"""What is rare outside a call, from one who may call: NOTIFY and SUBSCRIBE (RFC 6665), MESSAGE (RFC 3428), REFER
(RFC 3515), OPTIONS with a body or a Require. Loaded for the moment by agent.py."""

from lend import lend

from .address import parse_uri
from .message import response


def on_request(agent, request, source):
    """(status, reason, header lines) to refuse it with, or (0, None, ()): it has been answered."""
    services = lend("sip.services")
    lacking = services.lacking(agent, request)
    if lacking:
        return 420, None, (lacking,)
    if parse_uri(request.uri).headers:
        # 19.1.1: no place for them.
        return 400, b"Header Fields In Request-URI", ()
    method = request.method
    if method == b"NOTIFY" or method == b"SUBSCRIBE":
        status, lines = services.event(request)
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
