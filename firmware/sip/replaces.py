"""A call that takes another's place (RFC 3891). Loaded for the moment by invited.py and agent.py."""

from micropython import const

from .address import param

_H_REPLACES = const(29)  # sip.scan.field(b"replaces")


def find(agent, request):
    """(call, 0, None): the one that an INVITE with Replaces takes the place of; (None, status, reason): refused (3)."""
    values = request.all(_H_REPLACES)
    call_id, _, parameters = values[0].partition(b";")
    local = param(parameters, b"to-tag")
    remote = param(parameters, b"from-tag")
    if len(values) != 1 or local is None or remote is None:
        return None, 400, b"Bad Replaces"
    call_id = call_id.strip()
    for call in agent.calls:
        dialog = call.dialog
        # A tag of 0 stands for none, with a peer of RFC 2543.
        if (
            dialog.call_id == call_id
            and dialog.local_tag == local
            and (dialog.remote_tag == remote or remote == b"0" and not dialog.remote_tag)
        ):
            return _may(call, parameters)
    return None, 481, None


def _may(call, parameters):
    if call.state == "ended":
        return None, 603, b"That Call Has Ended"
    if call.state == "up":
        if param(parameters, b"early-only") is not None:
            return None, 486, b"That Call Is Answered"
    elif call.incoming:
        # An early dialog is only his to replace whom we called.
        return None, 481, None
    return call, 0, None


def take_over(old, new):
    """Answers the new call at once and ends the old one. The application hears of it before anything else of the new."""
    new.on_event = old.on_event
    agent = new.agent
    address = old._media_address
    if agent.on_replaced:
        agent.on_replaced(old, new)
    new.answer(*address)
    if new.state == "up":
        old.hangup()
