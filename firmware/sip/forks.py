"""An INVITE of ours that several phones ring for or answer (RFC 3261 12.1, 13.2.2.4). Loaded for the moment by call.py, the
`call` of each function: `call.dialog` is the early dialog that spoke last, `call._forks` has the others."""

from micropython import const

from .dialog import Dialog
from .message import parse
from .scan import H_ROUTE, H_TO

_MOST = const(8)  # phones; of more, the one that has been silent longest is forgotten


class _Nobody:
    """In place of a call that there never was: says BYE to a phone that answered after another."""

    def __init__(self, agent, dialog):
        self.agent = agent
        self.dialog = dialog
        self.peer = dialog.peer

    def _bye(self, lines=()):
        agent = self.agent
        branch = agent.new_branch()
        data = self.dialog.request(b"BYE", agent.via(branch, self.peer), lines)
        agent.transactions.client(b"BYE", branch, data, self.peer, self)

    def on_response(self, transaction, message):
        """Nobody waits for it; but a proxy may want a password first."""
        if message and message.status in (401, 407):
            credentials = self.agent.credentials(transaction, message)
            if credentials:
                self._bye((credentials,))


def turn(call, message):
    """Makes the dialog of a response's To tag the call's, a new one if need be, and returns it."""
    old = call.dialog
    for one in call._forks:
        if one.remote_tag == (message.to_tag or b""):
            break
    else:
        one = _blank(call, call._sequence)
        one.answered(message)
    _swap(call, one)
    return one


def find(call, request):
    """Whether a request of theirs belongs to another of the early dialogs; that one is the call's from then on."""
    if call.state == "up" or call.state == "ended":
        return False
    for one in call._forks:
        if one.matches(request):
            _swap(call, one)
            return True
    return False


def _swap(call, one):
    rest = [other for other in call._forks if other is not one]
    rest.append(call.dialog)
    call._forks = rest[-_MOST:]
    call.dialog = one


def gone(call):
    """199 (RFC 6228): this early dialog is over, its phone will not answer. What another sends is heard instead."""
    ended = call.dialog
    best = None
    for one in call._forks:
        if best is None or one.media or not best.media:
            best = one
    call._forks = [one for one in call._forks if one is not best]
    call.dialog = best or _blank(call, call._sequence)
    if call.media is None or call.media is not ended.media:
        return
    call.media = call.dialog.media
    if call.media:
        call._tell("media")
    else:
        call.state = "ringing"
        call._tell("ringing")


def afresh(call):
    """The INVITE is sent again, after a challenge or to another server: all early dialogs are over."""
    call.dialog = _blank(call, call.dialog.sequence)
    call._forks = ()


def _blank(call, sequence):
    """The dialog as it was when our INVITE went out."""
    sent = parse(call._invite.data)
    old = call.dialog
    one = Dialog(old.call_id, old.local, old.local_tag, sent.get(H_TO), sent.uri)
    one.routes = tuple(sent.all(H_ROUTE))
    one.sequence = sequence
    return one


def drop(call, message):
    """A second phone answered the same INVITE (13.2.2.4): acknowledged, each time it says so, and sent away."""
    agent = call.agent
    tag = message.to_tag or b""
    for one in call._forks:
        if one.remote_tag == tag:
            agent.send(one.ack, one.peer)
            return
    old = call.dialog
    one = Dialog(old.call_id, old.local, old.local_tag, b"", old.target)
    one.sequence = message.cseq
    one.answered(message)
    try:
        one.peer = agent.resolve(one.next_hop())
    except ValueError:
        one.peer = call.peer
    one.ack = one.request(b"ACK", agent.via(agent.new_branch(), one.peer), sequence=message.cseq)
    agent.send(one.ack, one.peer)
    _Nobody(agent, one)._bye()
    call._forks = (list(call._forks) + [one])[-_MOST:]
