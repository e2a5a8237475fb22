"""A phone of the house hands a call with the world on (RFC 3515, RFC 5589): the door calls who is to take the phone's place,
without an offer, brings what he offers to the other side by a re-INVITE, and confirms its answer to him (RFC 3725 4.1). So the
server outside sees no transfer, only a change of the sound. Loaded for the moment.

Who is called is a Leg, too, the `leg` of each function: `_old` is the phone's, whose `transfer` he is, `other` the side that
goes on with him; `_waiting` has his INVITE and, when he has answered, the re-INVITE, whose answer is `_accepted`. From then on
he is `other` of that side, and all is as in any call.
"""

from lend import lend
from micropython import const

from ..message import reason_of
from ..scan import H_CONTENT_TYPE
from ..transaction import INVITE_CLIENT
from ..words import text

saying = lend("sip.server.saying")

_64T1 = const(32000)
_C_MS = const(185000)  # of ringing, as a proxy's timer C
_LOOK_MS = const(300000)  # as in bridge.py


def begin(leg):
    """The REFER has been accepted."""
    _tell(leg, 100)
    peers = [leg.peer] if leg._twin else saying.peers(leg)
    if peers:
        located(leg, peers, "")
    else:
        leg.agent.locate(leg.dialog.next_hop(), leg.located)


def located(leg, peers, problem):
    """Where the INVITE goes is known, or `problem` says why not."""
    if leg.state != "calling":
        return
    if problem:
        _fail(leg, 480, problem.encode())
        return
    leg.peer = peers[0]
    client = saying.send(leg, b"INVITE", (saying.contact(leg), b"Allow: " + saying.ALLOW) + tuple(leg._lines))
    leg._lines = ()
    if client:
        leg._waiting.append(client)
    else:
        _fail(leg, 503)


def _tell(leg, status, reason=None):
    """The phone hears how it goes (RFC 3515 2.4.4), once of each."""
    old = leg._old
    if not leg._event or old.state != "up" or leg._refers == status:
        return
    state = b"active;expires=180" if status < 200 else b"terminated;reason=noresource"
    lines = (saying.contact(old), leg._event, b"Subscription-State: " + state)
    body = b"SIP/2.0 %d %s\r\n" % (status, reason or reason_of(status))
    saying.send(old, b"NOTIFY", lines, body, b"message/sipfrag;version=2.0")
    leg._refers = status


def on_response(leg, transaction, message, credentials):
    """From his INVITE, the re-INVITE of the other side, and BYE and CANCEL."""
    status = message.status if message else 408
    at = leg._waiting.index(transaction) if transaction in leg._waiting else -1
    side = leg.other if at == 1 else leg
    if status < 200:
        if at == 0:
            transaction.limit(_C_MS)
            if leg.state == "ended":
                saying.cancel(leg, transaction)
            elif status > 100:
                _tell(leg, 180)
        elif at == 1:
            transaction.limit(_64T1)
        return
    if leg.state != "ended" or at < 0:
        client = saying.again(side, transaction, credentials, leg)
        if client:
            if at >= 0:
                leg._waiting[at] = client
            return
    if transaction.table is not INVITE_CLIENT:
        return
    if status >= 300:
        if leg.state != "ended":
            _fail(leg, status, message and message.reason)
        return
    if at < 0 or at == 0 and side._ack:
        if message.to_tag != side.dialog.remote_tag:
            lend("sip.forks").drop(leg, message)  # of several phones a second one has answered
        elif side._ack:
            leg.agent.send(side._ack, saying.hop(side))  # it has been lost
        return
    saying.accepted(side, transaction, message)
    if at == 1:
        side.dialog.refresh(message)
        saying.acknowledge(side)
        if leg.state != "ended":
            leg._accepted = message.body, message.get(H_CONTENT_TYPE)
            leg.agent.timers.after(0, leg._work, "join")
        transaction.user = side
        return
    if leg._twin:
        leg.dialog.refresh(message)
    else:
        leg.dialog.answered(message)
    if leg.state == "ended":
        _refused(leg)
    elif not message.body:
        _fail(leg, 488)
    else:
        # His offer. It is answered at once: a phone that is up has nobody to ask.
        lines = (saying.contact(leg.other),)
        client = saying.send(leg.other, b"INVITE", lines, message.body, message.get(H_CONTENT_TYPE), user=leg)
        if client:
            leg._waiting.append(client)
        else:
            _fail(leg, 503)


def join(leg):
    """The other side has taken his sound: he hears so, and the phone goes out of the call. Where there is no room for one of
    these steps they are taken up again."""
    if leg.state != "calling":
        return
    other, twin = leg.other, leg._twin
    house = leg.house
    if not leg._ack:
        saying.acknowledge(leg, *leg._accepted)
    _tell(leg, 200)
    for one in (leg._old, twin and twin.other):
        if one and one.state == "up":
            saying.bye(one)
            one.state = "ended"
            one.transfer = None
            if not one._late:
                saying.drop(one)
    if twin:
        twin.state = "ended"
        saying.drop(twin)
        house.bridged.append(leg)
    leg._old = leg._twin = leg._accepted = None
    leg._waiting = []
    leg.state = "up"
    other.other = leg
    leg._timer = leg.agent.timers.after(_LOOK_MS, leg.late)
    house.owner.tell("%s goes on with %s." % (text(other.uri), text(leg.uri)))


def _refused(leg):
    # He has answered, and nobody wants him any more.
    if leg._cseq and not leg._ack:
        saying.acknowledge(leg)
    if not leg._twin:
        saying.send(leg, b"BYE")


def _fail(leg, status, reason=None):
    """Nothing comes of it: the other side goes on with the phone, if that is still there."""
    old, other = leg._old, leg.other
    _tell(leg, status if status >= 300 else 503, reason)
    _drop(leg)
    leg.house.owner.tell("%s was to go on with %s: %s." % (text(other.uri), text(leg.uri), text(reason or reason_of(status))))
    if old.state == "ended" and other.state == "up":
        other.state = "ended"
        saying.bye(other)
        if not other._late:
            saying.drop(other)


def _drop(leg):
    leg._old.transfer = None
    leg.state = "ended"
    saying.drop(leg)
    if len(leg._waiting) == 1:
        saying.cancel(leg, leg._waiting[0])
    if leg._cseq and not leg._ack:
        _refused(leg)


def leave(leg):
    """The phone, here the `leg`, has hung up: what it asked for goes on without it."""
    leg.state = "ended"
    leg.other.other = leg.transfer
    saying.drop(leg)


def hangup(leg):
    """Nobody wants him any more."""
    if leg.state == "calling":
        _tell(leg, 487)
        _drop(leg)


def in_order(leg, request, transaction):
    """A request of his, before all is settled."""
    is_bye = request.method == b"BYE"
    saying.reply(leg, transaction, 200 if is_bye else 491)
    if is_bye and leg.state != "ended":
        if leg._cseq and not leg._ack:
            saying.acknowledge(leg)
        _fail(leg, 603)
