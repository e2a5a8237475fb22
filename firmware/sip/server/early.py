"""A call between the house and the world before it is answered, where one of its ends wants its ringing confirmed (RFC 3262):
PRACK and what else is said in early dialogs goes on as in a call that is up. Loaded for the moment; see leg.Leg, the `leg` of
each function."""

from lend import lend
from micropython import const

from ..dialog import Dialog

saying = lend("sip.server.saying")

_MOST = const(8)  # phones that ring
_METHODS = b" PRACK UPDATE INFO "


def ringing(leg, message):
    """A reliable response to the INVITE of this side: with it there is a dialog (12.1.2)."""
    for one in leg._early:
        if one.remote_tag == message.to_tag:
            return
    old = leg.dialog
    one = Dialog(old.call_id, old.local, old.local_tag, b"", old.target)
    one.sequence = message.cseq
    one.answered(message)
    leg._early = leg._early[1 - _MOST :] + (one,)


def on_request(leg, request, transaction):
    """A request of this side that is neither ACK nor CANCEL."""
    other = leg.other
    if leg._invite:
        if request.method == b"BYE":
            saying.reply(leg, transaction, 200)
            leg.on_cancel(request)
            return
        _pass(leg, request, transaction, saying.early(other, request.to_tag))
        return
    one = saying.early(leg, request.from_tag)
    if one:
        one.take(leg, request, transaction)  # which goes on with in_order()
    else:
        saying.reply(leg, transaction, 481)


def in_order(leg, request, transaction):
    """One of a phone that rings on this side."""
    other = leg.other
    dialog = None
    if other._invite.request:
        # Nothing is kept of the caller's side of it: numbers that rise there do so here.
        dialog = Dialog.answering(other._invite.request, saying.early(leg, request.from_tag).remote_tag)
        dialog.sequence = request.cseq - 1
    _pass(leg, request, transaction, dialog)


def _pass(leg, request, transaction, dialog):
    other = leg.other
    method = request.method
    if dialog is None or b" %s " % method not in _METHODS:
        saying.reply(leg, transaction, 481)
        return
    client = saying.send_on(other, method, request, dialog)
    if client:
        transaction.user = leg
        other._waiting.append([client, transaction])
    else:
        saying.reply(leg, transaction, 503, None, (b"Retry-After: 5",))
