"""A call between the house and the world: two dialogs back to back (RFC 3261 6, RFC 7092 3.2.1). What is said in one goes on
in the other, the session description untouched; names, tags, routes, sequence numbers and passwords are each one's own.
Loaded for the moment, the Leg that something happened to being the `leg` of each function. Here is what comes on one side; how
the call begins is in begin.py, what comes of its requests in answers.py, and what all of them say in saying.py.

A 2xx that comes again makes ours go out again, and theirs is acknowledged when ours is: so the two ends confirm each other,
and nothing is repeated here.
"""

from lend import lend
from micropython import const

from ..scan import H_CONTENT_TYPE
from ..transaction import INVITE_CLIENT

saying = lend("sip.server.saying")

_LOOK_MS = const(300000)  # how often the phone is asked whether it is still there: nobody else ends its call
_PASS = b" INVITE UPDATE INFO PRACK "  # requests that go on


def in_order(leg, request, transaction):
    """A request inside the dialog that is not ACK and comes in its turn."""
    dialog = leg.dialog
    other = leg.other
    method = request.method
    if method == b"BYE":
        # Answered when all is done: where there was no room for it, it comes again.
        if leg.state == "ended":
            saying.drop(leg)
        elif leg.transfer:
            lend("sip.server.transfer").leave(leg)
        elif other.other is not leg:
            leg.state = "ended"  # another is taking its place
            saying.drop(leg)
        else:
            saying.bye(other)
            saying.end(leg)
        saying.reply(leg, transaction, 200)
    elif leg.state != "up":
        saying.reply(leg, transaction, 481)
    elif method == b"OPTIONS":
        transaction.respond(200, leg.agent.options(request, dialog.local_tag, transaction.source))
    elif b" %s " % method in _PASS:
        if other._old or other._replaces:
            saying.reply(leg, transaction, 491)  # who was there has left, and who is to come does not answer yet
            return
        if method == b"INVITE" or method == b"UPDATE":
            for one in leg._waiting + other._waiting:
                if one[0].table is INVITE_CLIENT:
                    saying.reply(leg, transaction, 491)
                    return
            dialog.refresh(request)
        transaction.user = leg
        client = saying.send_on(other, method, request)
        if client:
            other._waiting.append([client, transaction])
        else:
            saying.reply(leg, transaction, 503, None, (b"Retry-After: 5",))
    else:
        saying.reply(leg, transaction, 405, None, (b"Allow: " + saying.ALLOW,))


def on_ack(leg, request):
    """Their ACK for a 2xx of ours: now theirs on the other side has one, too, with the answer if that is in it."""
    if leg._accepted and request.cseq == leg._accepted[0]:
        if leg._late:
            late(leg)
        else:
            saying.acknowledge(leg.other, request.body, request.get(H_CONTENT_TYPE))
            leg._accepted = None


def on_cancel(leg):
    """The caller has given up, or no longer wants a re-INVITE."""
    if leg.state == "calling":
        saying.refuse(leg, 487)
        return
    for client, _ in leg.other._waiting:
        saying.cancel(leg.other, client)


def late(leg):
    """Of a call that is up: is its phone still there? Of one that has ended: BYE waits no longer."""
    if leg.state == "up":
        leg._timer = leg.agent.timers.after(_LOOK_MS, leg.late)
        saying.send(leg, b"OPTIONS")
    else:
        leg._accepted = None
        saying.drop(leg)
        saying.send(leg, b"BYE")
