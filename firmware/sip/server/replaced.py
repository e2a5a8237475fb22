"""A phone of the house takes another's place in a call with the world, as its INVITE says (Replaces, RFC 3891): the end of an
attended transfer in which the other phone was asked to call (RFC 5589 7). Loaded for the moment; see leg.Leg.

The other side gets what is offered by a re-INVITE, and what it answers is the answer to the phone. Until then `_replaces` of the
new side is the old one, which is up and knows of nothing; the side outside has the new one as its `other` already.
"""

from lend import lend
from micropython import const

from ..address import param, parse_uri
from ..dialog import Dialog
from ..message import response
from ..transaction import INVITE_CLIENT, token
from ..words import text

_LOOK_MS = const(300000)  # as in bridge.py


def find(house, value):
    """The phone's side of a call with the world that a Replaces value names; None for none."""
    call_id, _, parameters = value.partition(b";")
    ids = call_id.strip(), param(parameters, b"to-tag"), param(parameters, b"from-tag")
    for leg in house.bridged:
        dialog = leg.dialog
        if dialog and leg.account is None and (dialog.call_id, dialog.local_tag, dialog.remote_tag) == ids:
            return leg
    return None


def take(house, agent, request, source, caller, old, value):
    """An INVITE of `caller` (bytes), who has shown a password, in place of the Leg `old`."""
    status, reason, lines = _refusal(agent, request, old, value)
    transaction = None
    if not status:
        transaction = agent.transactions.server(request, agent._reply_to(request, source), source)
        status, lines = 503, (b"Retry-After: 5",)
    if not transaction:
        agent._reply(request, source, status, lines, reason)
        return True
    other = old.other
    try:
        new = type(old)(house, agent, None, source, caller)
        new.dialog = Dialog.answering(request, token(4))
        new.state = "up"
        new.other = other
        new._replaces = old
        transaction.user = new
        bridged = house.bridged + [new]
        waiting = other._waiting + [[None, transaction]]
        saying = lend("sip.server.saying")
        client = saying.send_on(other, b"INVITE", request)
    except MemoryError:
        agent.transactions.forget(transaction)  # it comes again, and is not to be taken for one that is under way
        raise
    if client:
        waiting[-1][0] = client
        other._waiting = waiting
        other.other = new
        house.bridged = bridged
        if transaction.data is None:
            transaction.respond(100, response(request, 100, source=source))
    else:
        saying.reply(new, transaction, status, None, lines)
    return True


def _refusal(agent, request, old, value):
    """(status, reason, lines) of one that cannot be, (0, None, ()) else."""
    other = old.other
    if old.state == "ended":
        return 603, b"That Call Has Ended", ()
    if old.state != "up":
        return 481, None, ()  # 3: one that rings is only his to replace whom we called
    if param(value, b"early-only") is not None:
        return 486, b"That Call Is Answered", ()
    if old.transfer or other._old or other.other is not old:
        return 491, None, ()  # it is being handed on already
    for one in old._waiting + other._waiting:
        if one[0].table is INVITE_CLIENT:
            return 491, None, ()
    try:
        # 12.1.1: without a Contact there is no way back into the call.
        parse_uri(request.contact.uri)
    except (ValueError, AttributeError):
        return 400, b"Contact missing or unreadable", ()
    return lend("sip.server.out").sound(agent, request, other.peer[0], b"replaces") or (0, None, ())


def settle(leg, status):
    """The re-INVITE of the side outside, `leg`, has come to this. Where there is no room for all of it, it is taken up again."""
    saying = lend("sip.server.saying")
    new = leg.other
    old = new._replaces
    if status < 300 and new._accepted:
        if old.state == "up":
            saying.bye(old)
            old.state = "ended"
        if not old._late:
            saying.drop(old)
        if not new._timer:
            new._timer = leg.agent.timers.after(_LOOK_MS, new.late)
        new._replaces = None
        leg.house.owner.tell("%s goes on with %s." % (text(leg.uri), text(new.uri)))
        return
    if old.state == "ended" and leg.state == "up":  # the phone has not waited for it
        saying.bye(leg)
        leg.state = "ended"
        if not leg._late:
            saying.drop(leg)
    leg.other = old
    new._replaces = None
    new.state = "ended"
    saying.drop(new)
