"""What is said on either side of a call between the house and the world. Loaded for the moment; see bridge.py, and leg.Leg,
the `leg` of each function."""

from lend import lend
from micropython import const

from ..message import parse, response
from ..scan import H_CONTENT_TYPE
from ..transaction import INVITE_CLIENT, PROCEEDING, derived

_H_ALLOW = const(13)  # sip.scan.field() of their names
_H_RACK = const(24)
_64T1 = const(32000)
_BOTH = b" INVITE UPDATE "  # what moves where a side is called (12.2.1.2)
ALLOW = b"INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK"
_TAGS = (b"timer", b"100rel")
# What goes on as it is (RFC 7092 5): nothing by which a stranger could have a phone answer by itself, no identity but From.
THROUGH = (
    b"Session-Expires Min-SE Accept Content-Encoding Content-Disposition Reason Retry-After Warning Subject Privacy RSeq "
    b"Unsupported Supported Require"
)
NUMBERS = b"\x15\x16\x2c\x21\x31\x2d\x1e\x2f\x30\x28\x19\x1f\x0e\x0f"  # sip.scan.field() of these names


def lines_for(leg, message):
    """Header field lines, a list, of a message that is meant for this side and not for the dialog that it came in."""
    lines = []
    names = THROUGH.split()
    for k in range(len(names)):
        if k < len(names) - 2:
            values = message.raw(NUMBERS[k])
        else:
            # Session timers and PRACK work from end to end; what else there is would need more than the dialogs' own messages.
            tags = [tag for tag in message.all(NUMBERS[k]) if tag in _TAGS]
            if k == len(names) - 2 and b"100rel" in tags and not leg.account:
                tags.remove(b"100rel")  # or all phones of a house that ring would have to be answered, for nobody
            values = (b", ".join(tags),) if tags else ()
        for value in values:
            lines.append(b"%s: %s" % (names[k], value))
    allowed = [one for one in message.all(_H_ALLOW) if one in ALLOW]
    if allowed:
        if not leg.account:
            allowed.append(b"REFER")  # which is for us: see transfer.py
        lines.append(b"Allow: " + b", ".join(allowed))
    return lines


def contact(leg):
    """Our Contact on this side, a header line."""
    agent = leg.agent
    return b"Contact: <%s>" % agent.contact_uri(leg.account.user if leg.account else agent.user, leg.peer)


def early(leg, tag):
    """The dialog of a phone that rings on this side, by its tag; None if there is none."""
    for one in leg._early:
        if one.remote_tag == tag:
            return one


def send_on(leg, method, request, dialog=None):
    """Sends here what came on the other side, in an early `dialog` or the leg's own. Returns its transaction, None when too
    many are open."""
    lines = lines_for(leg, request)
    if b" %s " % method in _BOTH:
        lines.append(contact(leg))
    if method == b"PRACK":
        # RFC 3262 7.2: the number of a response, which goes on as it is, and that of our INVITE.
        cseq = leg._cseq
        for client, _ in leg._waiting:
            if client.table is INVITE_CLIENT:
                cseq = parse(client.data).cseq
        lines.append(b"RAck: %s %d INVITE" % ((request.get(_H_RACK) or b"0").split()[0], cseq))
    return send(leg, method, lines, request.body, request.get(H_CONTENT_TYPE), request.max_forwards, None, dialog)


def send(leg, method, lines=(), body=b"", kind=None, limit=71, user=None, dialog=None):
    """Sends a request in this side's dialog, or in an early one; `user` of its transaction, if it is not the leg. Returns
    that, None when too many are open."""
    agent = leg.agent
    branch = agent.new_branch()
    peer = hop(leg, dialog)
    data = (dialog or leg.dialog).request(method, agent.via(branch, peer), lines, body, kind if body else None)
    if 0 < limit < 71:
        data = data.replace(b"Max-Forwards: 70", b"Max-Forwards: %d" % (limit - 1), 1)
    return agent.transactions.client(method, branch, data, peer, user or leg)


def peers(leg):
    """Where the INVITE of this side goes, a list: where it is registered, by the same connection, unless it was told another
    way (Service-Route). None when a name is still to be looked up."""
    if leg.account and leg.dialog.routes:
        try:
            return [leg.agent.address_of(leg.dialog.next_hop())]
        except ValueError:
            return None
    return [leg.peer]


def hop(leg, dialog=None):
    """The peer of what is sent on this side."""
    dialog = dialog or leg.dialog
    if dialog.remote_tag:
        try:
            uri = dialog.next_hop()
            if leg.account:
                return leg.agent.address_of(uri)
            location = lend("sip.server.location")
            return lend("sip.server.reach").place(location, leg.house, leg.agent, uri) or leg.peer
        except ValueError:
            pass
    return leg.peer  # where the INVITE went


def again(leg, transaction, credentials, user=None):
    """Sends the request of a transaction once more if there are `credentials` for its challenge. Returns the new one, else a
    false value."""
    if not credentials:
        return None
    sent = parse(transaction.data)
    dialog = early(leg, sent.to_tag)
    if dialog or leg.dialog:
        return send(leg, *lend("sip.again").parts(transaction, credentials), sent.max_forwards + 1, user, dialog)


def cancel(leg, client):
    """CANCEL of an INVITE (9.1), once they have said anything."""
    if client.table is INVITE_CLIENT and client.state == PROCEEDING:
        client.limit(_64T1)
        leg.agent.transactions.client(b"CANCEL", client.key[:-7], derived(b"CANCEL", client.data), client.peer, leg)


def accepted(leg, transaction, message):
    """A 2xx to an INVITE of ours, which is still to have its ACK."""
    leg._cseq = message.cseq
    leg._lines = [line for line in transaction.data.split(b"\r\n") if b"uthorization: D" in line]
    leg._ack = None


def acknowledge(leg, body=b"", kind=None):
    """ACK for their 2xx."""
    agent = leg.agent
    peer = hop(leg)
    via = agent.via(agent.new_branch(), peer)
    leg._ack = leg.dialog.request(b"ACK", via, leg._lines, body, kind if body else None, leg._cseq)
    agent.send(leg._ack, peer)


def reply(leg, transaction, status, message=None, lines=(), reason=None):
    """Answers a request of this side as the other side did in `message`, if that is given. Returns what was sent."""
    request = transaction.request
    body = b""
    kind = None
    tag = leg.dialog.local_tag if leg.dialog else None
    if message:
        body = message.body
        kind = message.get(H_CONTENT_TYPE) if body else None
        reason = message.reason
        tag = tag or message.to_tag
        lines = lines_for(leg, message)
        if status < 300 and b" %s " % request.method in _BOTH:
            lines.append(contact(leg))
    data = response(request, status, reason, tag or leg.agent._tag(request), lines, body, kind, transaction.source)
    transaction.respond(status, data)
    return data


def bye(leg):
    """Says BYE, as soon as that may be."""
    leg._timer = leg.agent.timers.cancel(leg._timer)
    if leg._replaces:
        # end() refuses who was to take a phone's place; the phone is still there.
        old, leg._replaces = leg._replaces, None
        if old.state == "up":
            bye(old)
            old.state = "ended"
        if not old._late:
            drop(old)
        return
    if leg._old:
        lend("sip.server.transfer").hangup(leg)  # who was to take a phone's place, and has not yet
        return
    if leg._accepted:
        # 15: not before they have confirmed the answer.
        leg._late = True
        leg._timer = leg.agent.timers.after(_64T1, leg.late)
        return
    if leg._cseq and not leg._ack:
        acknowledge(leg)
    send(leg, b"BYE")


def drop(leg):
    """Forgets it."""
    leg._timer = leg.agent.timers.cancel(leg._timer)
    if leg in leg.house.bridged:
        leg.house.bridged.remove(leg)


def hangup(leg):
    """See Leg.hangup()."""
    if leg.state == "up":
        bye(leg)
        bye(leg.other)
        end(leg)
    elif leg.state == "calling":
        refuse(leg if leg._invite else leg.other, 480)


def refuse(leg, status, reason=None, message=None):
    """The call does not come about: the caller is on this side."""
    server = leg._invite
    if message and (status < 400 or status == 401 or status == 407):
        # What is for us alone: where else to ask, and who we are.
        status, reason, message = (480, None, None) if status < 400 else (403, b"Refused by the server outside", None)
    reply(leg, server, status, message, (), reason)
    end(leg)


def end(leg):
    """Nothing more goes from side to side."""
    other = leg.other
    for one in (leg, other) if other.other is leg else (leg, other, other.other):  # the last is taking this one's place
        one.state = "ended"
        for client, server in () if one._old else one._waiting:
            cancel(one, client)
            if server.request and server is not one.other._invite:
                reply(one.other, server, 487)
        if one.transfer:
            lend("sip.server.transfer").hangup(one.transfer)
        if not one._late:
            drop(one)
