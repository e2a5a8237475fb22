"""Requests inside a call that are neither about its beginning nor its end: INFO, MESSAGE, NOTIFY, SUBSCRIBE, REFER, and
what we do not do. Loaded for the moment by call.py."""

from lend import lend
from micropython import const

from .scan import H_REQUIRE

_H_EVENT = const(26)  # sip.scan.field(b"event")
# What PBXs send without being asked: to see whether we live, and that there is voice mail. A door has no use for it, but
# a 200 ends the matter where some take a refusal for a dead phone. check-sync wants a phone to restart: not by a stranger.
_UNASKED = b" keep-alive message-summary "


def lacking(agent, request):
    """The Unsupported line that a request's Require asks for (RFC 3261 8.2.2.3), None when nothing is."""
    ours = agent.ABOUT[agent.ABOUT.find(b"Supported:") + 10 :].split(b"\r\n")[0].split(b",")
    ours = [tag.strip() for tag in ours]
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


def on_request(call, request, transaction):
    """Answers `request`, whose new server transaction `transaction` is."""
    method = request.method
    agent = call.agent
    status = 0
    lines = ()
    if method == b"INFO":
        status, lines = lend("sip.info").on_info(agent, request, call)
    elif method == b"MESSAGE":
        info = lend("sip.info")
        status, lines = info.weigh(agent, request)
        if status == 200:
            info.read(agent, request, call)
    elif method == b"NOTIFY" or method == b"SUBSCRIBE":
        status, lines = event(request)
        if (request.get(_H_EVENT) or b"").split(b";")[0].rstrip() == b"refer":
            if method == b"SUBSCRIBE":
                lend("sip.refer").on_subscribe(call, request, transaction)
                return
            status, lines = lend("sip.refer").on_notify(call, request)
    elif method == b"REFER":
        lend("sip.refer").on_refer(call, request, transaction)
        return
    if status:
        call._reply(transaction, status, lines)
    else:
        transaction.respond(*agent.refusal(request, call.dialog.local_tag, transaction.source))
