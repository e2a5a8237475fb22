"""What comes of the requests that the door sends on either side of a call between the house and the world. Loaded for the
moment; see bridge.py, and leg.Leg, the `leg` of each function."""

from lend import lend
from micropython import const

from ..dialog import Dialog
from ..transaction import INVITE_CLIENT

saying = lend("sip.server.saying")

_H_RSEQ = const(25)  # sip.scan.field() of its name
_C_MS = const(185000)  # of ringing, as a proxy's timer C
_LOOK_MS = const(300000)  # how often the phone is asked whether it is still there: nobody else ends its call


def on_response(leg, transaction, message, credentials):
    """From our client transactions on this side; `credentials` with which a challenged request makes sense again, or None."""
    for one in leg._waiting:
        if one[0] is transaction:
            break
    else:
        _unasked(leg, transaction, message, credentials)
        return
    server = one[1]
    is_invite = transaction.table is INVITE_CLIENT
    status = message.status if message else 408
    if status < 200:
        if is_invite:
            transaction.limit(_C_MS)
            if server.request is None:
                saying.cancel(leg, transaction)  # its caller has given up, and been told so
            elif status > 100:
                saying.reply(leg.other, server, status, message)
                if leg.state == "calling" and message.get(_H_RSEQ):
                    lend("sip.server.early").ringing(leg, message)
        return
    client = server.request and saying.again(leg, transaction, credentials)
    if client:
        one[0] = client
        return
    if status < 300 and is_invite:
        _answered(leg, transaction, message, server)
    elif server.request is None:
        pass
    elif leg.state == "calling" and is_invite:
        saying.refuse(leg.other, status, None, message)
    else:
        if leg.dialog and status < 300 and transaction.key.endswith(b" UPDATE"):
            leg.dialog.refresh(message)
        saying.reply(leg.other, server, status, message)
    if leg.other._replaces:
        lend("sip.server.replaced").settle(leg, status)
    leg._waiting.remove(one)  # last: what found no room until here comes again
    if leg.state == "up" and (status == 408 or status == 481 and not transaction.key.endswith(b" PRACK")):
        saying.hangup(leg)  # 12.2.1.2: this side is gone


def _answered(leg, transaction, message, server):
    """The first 2xx to an INVITE of ours."""
    dialog = leg.dialog
    other = leg.other
    saying.accepted(leg, transaction, message)
    first = leg.state != "up"
    if first:
        dialog = leg.dialog = saying.early(leg, message.to_tag) or dialog
        leg._early = ()
        dialog.answered(message)
    else:
        dialog.refresh(message)
    if server.request is None:
        # The 2xx and our CANCEL have crossed.
        saying.acknowledge(leg)
        if first:
            saying.bye(leg)
        return
    if first:
        other.dialog = Dialog.answering(server.request, message.to_tag or b"1")
        other.dialog.sequence = max(dialog.remote_sequence, 0)  # early.py has counted so
        leg.state = other.state = "up"
        leg._invite = other._invite = None
        here = other if leg.account else leg
        here._timer = leg.agent.timers.after(_LOOK_MS, here.late)
    cseq = server.request.cseq
    other._accepted = (cseq, saying.reply(other, server, message.status, message), server.peer)


def _unasked(leg, transaction, message, credentials):
    """To BYE or OPTIONS, or once more to what was answered."""
    if transaction.table is INVITE_CLIENT:
        if message and 200 <= message.status < 300:
            if (message.to_tag or b"") != leg.dialog.remote_tag:
                lend("sip.forks").drop(leg, message)
            elif leg._ack:
                leg.agent.send(leg._ack, saying.hop(leg))
            elif leg.other._accepted:
                leg.agent.send(leg.other._accepted[1], leg.other._accepted[2])
    elif not saying.again(leg, transaction, credentials) and transaction.key.endswith(b" OPTIONS"):
        if leg.state == "up" and (message is None or message.status in (408, 481)):
            saying.hangup(leg)
