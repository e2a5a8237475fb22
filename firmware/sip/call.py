"""One call, from its first INVITE to its last BYE (RFC 3261 sections 9, 13, 14, 15), with its offers and answers."""

from os import urandom

from lend import lend
from micropython import const

from .message import response
from .scan import H_REQUIRE
from .transaction import INVITE_CLIENT, PROCEEDING, T2
from .words import text

_64T1 = const(32000)


class Call:
    """A call as its user sees it.

    `state` is "calling", "ringing", "early" (their sound comes before they answer), "incoming", "up" or "ended";
    `media` is the sdp.Negotiated of the newest offer and answer; `status` and `ended` say how it ended.
    `on_hold` is True while we hold the other side; `media.held`, while it holds us.
    `on_event(call, event)` is called with "ringing", "early", "media", "up" and "ended"; with "transfer" when the call is
    handed on to somebody else, or that or a hold was refused: `news` says it.

    What few calls need is lent: sip.modify changes a call that is up, sip.session limits its life (RFC 4028),
    sip.reliable has PRACK (RFC 3262), sip.forks the INVITE that several phones answer, sip.refer hands calls on, sip.moved follows 3xx.
    So is what a call needs once, until it is up: sip.calling and sip.progress for one of ours, sip.taking for one of theirs.
    """

    # What not every call has is an attribute of the class: a call pays for its own.
    incoming = False
    on_hold = False
    media = None
    status = 0
    ended = ""
    uri = b""
    display = ""
    _local = None  # the newest SDP of ours, offer or answer
    _offer = None  # SDP of theirs that waits for our answer
    _must = False  # we offer RTP/SAVP, whatever the agent would rather
    _late = False  # our offer goes into the 200: their answer comes with the ACK
    _media_address = None  # (host, port) of our RTP socket
    _version = 0  # of our newest SDP (o=)
    _invite = None  # the INVITE transaction that is open, ours or theirs
    _sequence = 0  # CSeq number of our newest INVITE
    _their_sequence = 0  # and of theirs
    _ack = None  # our ACK for a 2xx, to be sent again with each copy of it
    _cancelled = False  # nobody here wants the call any more
    _cancel_sent = False
    _attempts = 0
    _repeat_ms = 0  # retransmission interval of a 2xx while their ACK is missing, of a reliable 180 while the PRACK is
    _repeat = None
    _deadline = None
    _accepted = None  # our 2xx, until their ACK
    _bye_after_ack = False
    _forks = ()  # more early dialogs of our INVITE
    _provisional = None  # their INVITE wants reliable responses: our newest while no PRACK has come for it, else b""
    _answered = False  # the answer waits for that PRACK
    _change = None  # our open re-INVITE or UPDATE, a transaction
    _wish = False  # whether they are to be on hold
    _wanted = False  # there is something to change as soon as nothing else is open
    _retry = None  # when to try that again
    _lifetime = None  # RFC 4028: (seconds, whether we refresh, whether their Allow has UPDATE, whether a refresh is due)
    _expiry = None
    news = ""
    lines = ()  # more header field lines of our INVITE
    transfer = None  # what refer.py knows of a REFER of theirs: both calls have it
    refers = 0  # how many came
    referred = None  # what it knows of ours
    _facts = None
    answers_itself = False  # for the application: a deadline that it keeps is for the answer
    targets = None  # what moved.py knows of where 3xx sent us
    _min_se = 0  # seconds: what a 422 asked for

    def __init__(self, agent, dialog, peer, on_event=None):
        self.agent = agent
        self.dialog = dialog
        self.peer = peer  # of the next hop: (host, port), with the transport behind it unless UDP
        self._others = []  # more servers of the same name, to fall over to
        self.on_event = on_event
        self.state = "calling"
        self._since = agent.timers.clock()
        self._session = int.from_bytes(urandom(3), "big")  # o= identifier: small on a 32-bit board

    # --- What the user of the call asks for and asks.

    @property
    def peer_uri(self):
        """The other side's address as text, "sip:101@192.0.2.10"."""
        return text(self.uri)

    def since_ms(self):
        """Milliseconds since the call began; once it is up, since it was answered."""
        return -self.agent.timers.left_ms(self._since)

    def words(self):
        """The call's state for people."""
        return lend("sip.said").of(self)

    def ring(self, host="", port=0):
        """180: their phone plays ring-back. With our RTP socket, a caller that requires reliable responses (RFC 3262)
        has our SDP with it, and hears us before the call is answered."""
        if self.state == "incoming" and self._invite.state == PROCEEDING:
            if self._provisional is None:
                self._respond(180, (self.agent.contact_line(self.peer),))
            else:
                lend("sip.reliable").ring(self, host, port)

    def answer(self, host, port):
        """200 with our answer (or our offer, when theirs is still to come). `host`, `port`: our RTP socket."""
        if self.state == "incoming":
            lend("sip.taking").answer(self, host, port)

    def reject(self, status=486, reason=None):
        """Refuses an incoming call with a final status of 300 to 699."""
        if self.state == "incoming":
            self._respond(status, (), reason=reason)
            self._end(status, "refused here")

    def hangup(self):
        """Ends the call in whatever way its state wants: CANCEL, BYE or a refusal."""
        if self.state == "ended":
            return
        if self.state == "incoming":
            self.reject(603)
        elif self.state == "up":
            if self._accepted is not None:
                # 15: a called side may not send BYE before it has the ACK for its 2xx.
                self._bye_after_ack = True
            else:
                self._bye()
            self._end(0, "hung up here")
        else:
            self._cancel()
            self._end(487, "cancelled here")

    def hold(self):
        """Puts the other side on hold, by a re-INVITE, as soon as the call is up: a "media" event tells when it is."""
        lend("sip.modify").change(self, True)

    def resume(self):
        """Takes the other side off hold."""
        lend("sip.modify").change(self, False)

    def renew(self, host, port):
        """Our address is another one, agent.host: tells the other side. `host`, `port`: our RTP socket."""
        self._media_address = (host, port)
        lend("sip.modify").begin(self)

    def facts(self):
        """What is known of who calls, as a dictionary; to be asked for while the call is "incoming", later what was found
        then. `display` and `uri`, text, say who it claims to be; `trusted`: the registrar sent it; `asserted`: the
        address that the registrar vouches for (RFC 3325), else ""; `private`: it does not want to be known (RFC 3323);
        `diverted`: whom it called first, else ""; `answer_after_s`: seconds after which it wants to be answered by itself,
        None if it does not; `alert`: its Alert-Info."""
        if self._facts is None:
            self._facts = lend("sip.caller").facts(self)
        return self._facts

    def refer(self, target):
        """Asks the other side to go on with `target`: an address or number (text), or another Call of ours, which is then
        over too. How it went comes as the event "transfer" (RFC 5589). ValueError, in words, when that cannot be."""
        lend("sip.referring").send(self, target)

    # --- Outgoing: what is done with it is in calling.py and progress.py.

    def invite(self, media_host, media_port, locate):
        """Finds out where to, by outset.locate(), and sends the first INVITE with our offer."""
        self._media_address = (media_host, media_port)
        locate(self.agent, self.dialog.next_hop(), self._located, False)

    def _located(self, peers, problem):
        lend("sip.calling").located(self, peers, problem)

    def on_response(self, transaction, message):
        """From our client transactions."""
        status = message.status if message else 408
        if transaction.table is not INVITE_CLIENT or transaction is self._change:
            if status >= 200 and (transaction is self._change or self.state != "ended" or status == 401 or status == 407):
                lend("sip.modify").on_response(self, transaction, status, message)
            elif transaction.table is INVITE_CLIENT:
                transaction.limit(_64T1)  # nobody has to be asked for a re-INVITE: it is answered soon or never
        elif status >= 300:
            if transaction is self._invite:
                credentials = None
                if message and (status == 401 or status == 407) and not self._cancelled:
                    credentials = self.agent.credentials(transaction, message)
                lend("sip.calling").failed(self, status, message, credentials)
        else:
            if status >= 200:
                lend("sip.progress").succeeded(self, message)
            elif status > 100:
                lend("sip.progress").told(self, status, message)
            if status < 200 and self._cancelled:
                # 9.1: CANCEL waits for the first provisional response.
                self._cancel()

    def accepted(self, message, ours):
        """What their answer in a message makes of the offer `ours`: Negotiated, None when there is none or it does not fit."""
        return lend("sip.accepting").of(self, message, ours)

    def answering(self, offer):
        """(our answer to an offer of theirs, Negotiated), (None, None) when nothing fits. The same offer again gets the same
        answer, version and all (RFC 3264 8)."""
        return lend("sip.answering").of(self, offer)

    def _cancel(self):
        """CANCEL (9.1), now or as soon as a provisional response allows it."""
        self._cancelled = True
        invite = self._invite
        if invite is not None and invite.state == PROCEEDING and not self._cancel_sent:
            lend("sip.calling").cancel(self)

    # --- Incoming.

    def offered(self, request, transaction):
        """A new INVITE of theirs. `request` has passed the agent's checks."""
        self.incoming = True
        self.state = "incoming"
        self._invite = transaction
        transaction.user = self
        transaction.tag = self.dialog.local_tag
        self._their_sequence = request.cseq
        self._offer = self.agent.session_of(request)
        if b"100rel" in (request.get(H_REQUIRE) or b""):
            self._provisional = b""
        self.uri = request.from_.uri
        self.display = text(request.from_.display)

    def on_request(self, request, transaction):
        """A request inside the dialog that is not ACK; `transaction` is its new server transaction."""
        self.dialog.take(self, request, transaction)

    def _in_order(self, request, transaction):
        method = request.method
        dialog = self.dialog
        if method == b"BYE":
            self._reply(transaction, 200)
            if self.state == "incoming":
                self._respond(487)
            elif self.state != "up":
                self._cancel()
            self._end(0, "the other side hung up")
        elif method == b"INVITE" or method == b"UPDATE":
            lend("sip.modified").asked(self, request, transaction)
        elif method == b"PRACK":
            lend("sip.reliable").pracked(self, request, transaction)
        elif method == b"OPTIONS":
            transaction.respond(200, self.agent.options(request, dialog.local_tag, transaction.source))
        else:
            lend("sip.services").on_request(self, request, transaction)

    def _reply(self, transaction, status, lines=(), body=b""):
        """Answers a request inside the dialog."""
        tag = self.dialog.local_tag
        kind = b"application/sdp" if body else None
        data = response(transaction.request, status, None, tag, lines, body, kind, transaction.source)
        transaction.respond(status, data)

    def on_ack(self, request):
        """Their ACK for our 2xx (13.3.1.4)."""
        if request.cseq != self._their_sequence or self._accepted is None:
            return
        self._confirmed()
        if self._bye_after_ack:
            self._bye()
        elif self.state == "up" and (self._late or self._wanted):
            lend("sip.modified").acknowledged(self, request)
        self.agent.retire(self)

    def _confirmed(self):
        """Our 2xx, or our reliable 180, has arrived."""
        timers = self.agent.timers
        self._accepted = None
        self._repeat = timers.cancel(self._repeat)
        self._deadline = timers.cancel(self._deadline)

    def on_cancel(self, _):
        """Their CANCEL for an INVITE that is not answered yet."""
        if self.state == "incoming":
            self._respond(487)
            self._end(487, "the caller gave up")

    def _local_sdp(self):
        """Our SDP: the answer to their offer, or an offer; None when nothing fits. Sets `media`."""
        self._late = not self._offer
        if self._late:
            self._local = lend("sip.offer").of(self)
            return self._local
        body, media = self.answering(self._offer)
        self._offer = None
        if body:
            self.media = media
            self._local = body
        return body

    def _respond(self, status, lines=(), body=b"", reason=None):
        request = self._invite.request
        kind = b"application/sdp" if body else None
        for attempt in (1, 2):
            try:
                data = response(request, status, reason, self.dialog.local_tag, lines, body, kind, self._invite.source)
                break
            except MemoryError:
                # Who rings our bell, or is told that nobody opens, waits for this one.
                if attempt == 2:
                    raise
                self.agent.make_room()
        self._invite.respond(status, data)
        return data

    def _resend(self, _):
        """Our 2xx again, which their ACK has not come for, at intervals that double up to T2 (13.3.1.4)."""
        if self._accepted is not None:
            self.agent.send(self._accepted, self._invite.peer)
            self._repeat_ms = min(2 * self._repeat_ms, T2)
            self._repeat = self.agent.timers.after(self._repeat_ms, self._resend)

    def _no_ack(self, _):
        lend("sip.taking").unconfirmed(self)

    def _due(self, name):
        """A deadline of what is lent."""
        lend("sip." + name).due(self)

    # --- The end.

    def _bye(self, credentials=None):
        self.send(b"BYE", (credentials,) if credentials else ())

    def send(self, method, lines=(), body=b"", kind=b"application/sdp"):
        """Sends a request inside the dialog. Returns its transaction, None when too many are open."""
        agent = self.agent
        branch = agent.new_branch()
        peer = self._hop()
        data = self.dialog.request(method, agent.via(branch, peer), lines, body, kind if body else None)
        return agent.transactions.client(method, branch, data, peer, self)

    def _hop(self):
        """Where requests inside the dialog go; where that is a name we cannot use, to whom the INVITE went or came from."""
        try:
            return self.agent.resolve(self.dialog.next_hop())
        except ValueError:
            return self.peer

    def _tell(self, event):
        self.agent.spare()
        if self.transfer:
            try:
                lend("sip.handing").told(self, event)
            except MemoryError as error:
                self.agent.fault(error)
        if self.on_event:
            try:
                self.on_event(self, event)
            except MemoryError:
                # Once more when there is room: what is told here is told by nobody else.
                self.agent.make_room()
                self.on_event(self, event)

    def _end(self, status, words):
        if self.state == "ended":
            return
        self.state = "ended"
        self.status = status
        self.ended = words
        if not self._bye_after_ack:
            self._confirmed()
        timers = self.agent.timers
        self._retry = timers.cancel(self._retry)
        self._expiry = timers.cancel(self._expiry)
        self.agent.retire(self)
        self._tell("ended")

    @property
    def is_done(self):
        """True when nothing is expected for it any more but what its transactions answer by themselves."""
        return self.state == "ended" and self._accepted is None
