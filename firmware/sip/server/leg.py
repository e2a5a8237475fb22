"""One side of a call between the house and the world: what lasts of it. Loaded when there is such a call, and gone with it;
what is done with it, in bridge.py and the files that it names, is in the heap only while it works."""

from lend import lend

from ..message import parse
from ..words import text


class Leg:
    """One side of the call, `other` the other one. `account`: the Registration by which this side is called, whose password
    answers its challenges; None on the side of the house. `peer`: where its INVITE goes, or came from. `uri`: who is there."""

    state = "calling"
    dialog = None
    transfer = None  # the Leg of who is called to take the place of this one
    _old = None  # of such a one: the side whose place it is to take; all that happens to it is transfer.py's
    _twin = None  # and, if it is up in another call already, as what
    _early = ()  # dialogs of those who ring; see early.py
    _replaces = None  # of one that is to take a phone's place by its own INVITE: that phone's side; see replaced.py
    _event = None  # the Event line of what that phone is told, if it is
    _refers = 0  # how many REFERs came; of who is called for one, the status that was told last
    _invite = None  # the INVITE that opened this side, a server transaction, until it is answered
    _accepted = None  # (CSeq, our 2xx, where it went) until their ACK
    _ack = None  # ours, for their 2xx
    _cseq = 0  # of the INVITE that it is for
    _lines = ()  # and its credentials
    _forks = ()  # more that answered; see sip.forks
    _late = False  # BYE waits for that ACK
    _timer = None

    def __init__(self, house, agent, account, peer, uri):
        self.house = house
        self.agent = agent
        self.account = account
        self.peer = peer
        self.uri = uri
        self._waiting = []  # [our client transaction here, the server transaction of the other side that it is for]

    def words(self):
        """The call's state for people."""
        form = "%s is in a call with %s, outside." if self.state == "up" else "A call between %s and %s, outside, begins."
        return form % (text(self.other.uri), text(self.uri))

    def _work(self, what, *given):
        if self._old:
            code = lend("sip.server.transfer")
        elif what == "on_response":
            code = lend("sip.server.answers")
        elif what == "hangup":
            code = lend("sip.server.saying")
        elif what == "located":
            code = lend("sip.server.begin")
        else:
            code = lend("sip.server.bridge")
        return getattr(code, what)(self, *given)

    def invite(self, dialog, server):
        """This is the side that is called: sends the INVITE of the other side, whose transaction is `server`, by `dialog`."""
        lend("sip.server.begin").invite(self, dialog, server)

    # --- From the agent and the transactions of this side.

    def located(self, peers, problem):
        self._work("located", peers, problem)

    def matches(self, request):
        """Whether a request of this side is one in its dialog, or in one that is still to be answered."""
        for one in self._early + (self.dialog,):
            if one and one.matches(request):
                return True
        invite = self._invite and self._invite.request
        return bool(invite) and (invite.call_id, invite.from_tag) == (request.call_id, request.from_tag)

    def on_request(self, request, transaction):
        if self.state == "calling" and not self._old:
            lend("sip.server.early").on_request(self, request, transaction)
        else:
            self.dialog.take(self, request, transaction)

    def _in_order(self, request, transaction):
        if self.state == "calling" and not self._old:
            lend("sip.server.early").in_order(self, request, transaction)
        elif request.method == b"REFER" and self.state == "up":
            lend("sip.server.refer").refer(self, request, transaction)
        else:
            self._work("in_order", request, transaction)

    def _reply(self, transaction, status):
        lend("sip.server.saying").reply(self, transaction, status)

    def on_ack(self, request):
        self._work("on_ack", request)

    def on_cancel(self, request):
        # Nobody says so again, so it waits for room if it must.
        self.agent.timers.after(0, self._work, "on_cancel")

    def on_response(self, transaction, message):
        credentials = None
        side = self.other if self._old and transaction in self._waiting[1:] else self
        if side.account and message and (message.status == 401 or message.status == 407):
            # Before the other file is there: a small heap has not room for both.
            credentials = side.account.account.answer(message, parse(transaction.data))
        self._work("on_response", transaction, message, credentials)

    def hangup(self):
        """Ends the call on both sides."""
        self._work("hangup")

    def late(self, _):
        """Its timer has run down."""
        self._work("late")
