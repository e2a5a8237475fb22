"""Requests inside a call that are neither about its beginning nor its end: INFO, MESSAGE, NOTIFY, SUBSCRIBE, REFER, and
what we do not do. Loaded for the moment by call.py."""

from lend import lend
from micropython import const

_H_EVENT = const(26)  # sip.scan.field(b"event")


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
        status, lines = lend("sip.outside").event(request)
        if (request.get(_H_EVENT) or b"").split(b";")[0].rstrip() == b"refer":
            if method == b"SUBSCRIBE":
                lend("sip.refer").on_subscribe(call, request, transaction)
                return
            status, lines = lend("sip.referring").on_notify(call, request)
    elif method == b"REFER":
        lend("sip.refer").on_refer(call, request, transaction)
        return
    if status:
        call._reply(transaction, status, lines)
    else:
        transaction.respond(*agent.refusal(request, call.dialog.local_tag, transaction.source))
