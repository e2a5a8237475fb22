"""One call, from its first INVITE to its last BYE (RFC 3261 sections 9, 13, 14, 15), with its offers and answers."""

from os import urandom

from lend import lend
from micropython import const

from .dialog import Dialog
from .message import response
from .transaction import INVITE_CLIENT, PROCEEDING, T1, T2, derived
from .words import ending, text

_64T1 = const(32000)


class Call:
    """A call as its user sees it.

    `state` is "calling", "ringing", "early" (their sound comes before they answer), "incoming", "up" or "ended";
    `media` is the sdp.Negotiated of the newest offer and answer; `status` and `ended` say how it ended.
    `on_event(call, event)` is called with "ringing", "early", "media", "up" and "ended".
    """

    def __init__(self, agent, dialog, peer, on_event=None):
        self.agent = agent
        self.dialog = dialog
        self.peer = peer  # of the next hop: (host, port), with the transport behind it unless UDP
        self._others = []  # more servers of the same name, to fall over to
        self.on_event = on_event
        self.incoming = False
        self.state = "calling"
        self.media = None
        self.status = 0
        self.ended = ""
        self.uri = b""
        self.display = ""
        self._since = agent.timers.clock()
        self._offer = None  # SDP of theirs that waits for our answer
        self._offered = None  # our newest offer: their answer is read against it
        self._late = False  # our offer goes into the 200: their answer comes with the ACK
        self._media_address = None  # (host, port) of our RTP socket
        self._session = int.from_bytes(urandom(3), "big")  # o= identifier: small on a 32-bit board
        self._version = 0
        self._invite = None  # the INVITE transaction that is open, ours or theirs
        self._sequence = 0  # CSeq number of the newest INVITE
        self._ack = None  # our ACK for a 2xx, to be sent again with each copy of it
        self._cancelled = False  # nobody here wants the call any more
        self._cancel_sent = False
        self._repeat_ms = 0  # 2xx retransmission interval while their ACK is missing
        self._repeat = None
        self._deadline = None
        self._accepted = None  # our 2xx, until their ACK
        self._bye_after_ack = False

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
        who = self.display or self.peer_uri
        if self.state == "ended":
            return "The call with %s ended: %s." % (who, self.ended)
        if self.state == "up":
            return "In a call with %s for %d s." % (who, self.since_ms() // 1000)
        if self.incoming:
            return "%s is calling." % who
        if self.state == "calling":
            return "Calling %s." % who
        return "%s is ringing." % who

    def ring(self):
        """180: their phone plays ring-back."""
        if self.state == "incoming" and self._invite.state == PROCEEDING:
            self._respond(180, (self.agent.contact_line(self.peer),))

    def answer(self, host, port):
        """200 with our answer (or our offer, when theirs is still to come). `host`, `port`: our RTP socket."""
        if self.state != "incoming":
            return
        self._media_address = (host, port)
        body = self._local_sdp()
        if body is None:
            self.reject(488)
            return
        self._accept(body)
        self._since = self.agent.timers.clock()
        self.state = "up"
        if self.media is not None:
            self._tell("media")
        self._tell("up")

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

    # --- Outgoing.

    def invite(self, media_host, media_port):
        """Finds out where to, and sends the first INVITE with our offer."""
        self._media_address = (media_host, media_port)
        self.agent.locate(self.uri, self._located)

    def _located(self, peers, problem):
        if self.state == "ended":
            return
        if problem:
            self._end(0, problem)
            return
        self.peer = peers[0]
        self._others = peers[1:]
        self._send_invite()

    def _send_invite(self, credentials=None):
        agent = self.agent
        host, port = self._media_address
        branch = agent.new_branch()
        lines = [agent.contact_line(self.peer), agent.ABOUT]
        if credentials:
            lines.append(credentials)
        self._version += 1
        self._offered = body = self.agent.sdp().offer(host, port, self._session, self._version)
        data = self.dialog.request(b"INVITE", agent.via(branch, self.peer), lines, body, b"application/sdp")
        self._sequence = self.dialog.sequence
        self._invite = agent.transactions.client(b"INVITE", branch, data, self.peer, self)
        if self._invite is None:
            self._end(503, "too much is going on at once; try again in a few seconds")

    def on_response(self, transaction, message):
        """From our client transactions."""
        if transaction.table is not INVITE_CLIENT:
            self._on_bye_response(transaction, message)
            return
        if transaction is self._invite and self._others and (message is None or message.status == 503):
            # RFC 3263 4.3: the next server of the same name.
            self.peer = self._others.pop(0)
            self._send_invite()
            return
        if message is None:
            if transaction is self._invite:
                self._end(408, "%s from %s" % (transaction.why, self.peer[0]))
            return
        status = message.status
        if status >= 300:
            if transaction is self._invite:
                self._on_failure(status, message)
        elif status >= 200:
            self._on_success(message)
        elif status > 100:
            self._on_progress(status, message)
        if status < 200 and self._cancelled:
            # 9.1: CANCEL waits for the first provisional response.
            self._cancel()

    def _on_progress(self, status, message):
        if self.state not in ("calling", "ringing", "early") or self._cancelled:
            return
        state = "ringing"
        if message.body and self._take_answer(message):
            state = "early"
        elif self.state == "early":
            return
        if self.state != state or state == "early":
            self.state = state
            if state == "early":
                self._tell("media")
            self._tell(state)

    def _on_success(self, message):
        dialog = self.dialog
        if self._ack is not None:
            if (message.to_tag or b"") == dialog.remote_tag:
                self.agent.send(self._ack, self._hop())
            else:
                self._drop_fork(message)
            return
        dialog.answered(message)
        self._acknowledge()
        if self._cancelled or self.state == "ended":
            # The 2xx and our CANCEL crossed (9.1): the call that nobody wants any more is ended by BYE.
            self._bye()
            return
        if not self._take_answer(message):
            self._bye()
            self._end(488, ending(488))
            return
        self._since = self.agent.timers.clock()
        self.state = "up"
        self._tell("media")
        self._tell("up")

    def _acknowledge(self):
        agent = self.agent
        peer = self._hop()
        self._ack = self.dialog.request(b"ACK", agent.via(agent.new_branch(), peer), sequence=self._sequence)
        agent.send(self._ack, peer)

    def _drop_fork(self, message):
        """A second phone answered the same INVITE (13.2.2.4): acknowledged, then sent away."""
        other = Dialog(self.dialog.call_id, self.dialog.local, self.dialog.local_tag, b"", b"")
        other.sequence = self._sequence
        other.answered(message)
        agent = self.agent
        try:
            peer = agent.resolve(other.next_hop())
        except ValueError:
            peer = self.peer
        agent.send(other.request(b"ACK", agent.via(agent.new_branch(), peer), sequence=self._sequence), peer)
        branch = agent.new_branch()
        agent.transactions.client(b"BYE", branch, other.request(b"BYE", agent.via(branch, peer)), peer, _NOBODY)

    def _on_failure(self, status, message):
        if status in (401, 407) and not self._cancelled:
            credentials = self.agent.credentials(self._invite, message)
            if credentials:
                self._send_invite(credentials)
                return
        self._end(status, ending(status, message.reason))

    def _take_answer(self, message):
        """Reads their answer to our offer; False when it does not fit what we can play."""
        if not message.body:
            return self.media is not None
        try:
            sdp = self.agent.sdp()
            media = sdp.accept(sdp.parse(message.body), self._offered)
            if media:
                self.agent.pack(media.host, media.port)
        except ValueError:
            # No SDP, or sound at a name: that is not looked up while somebody waits to be heard.
            media = None
        if media is None:
            return False
        self.media = media
        return True

    def _cancel(self):
        """CANCEL (9.1), now or as soon as a provisional response allows it."""
        self._cancelled = True
        invite = self._invite
        if invite is None or invite.state != PROCEEDING or self._cancel_sent:
            return
        self._cancel_sent = True
        invite.limit(_64T1)
        self.agent.transactions.client(b"CANCEL", invite.key[:-7], derived(b"CANCEL", invite.data), invite.peer, self)

    # --- Incoming.

    def offered(self, request, transaction):
        """A new INVITE of theirs. `request` has passed the agent's checks."""
        self.incoming = True
        self.state = "incoming"
        self._invite = transaction
        transaction.user = self
        transaction.tag = self.dialog.local_tag
        self._sequence = request.cseq
        self._offer = self.agent.session_of(request)
        self.uri = request.from_.uri
        self.display = text(request.from_.display)

    def on_request(self, request, transaction):
        """A request inside the dialog that is not ACK; `transaction` is its new server transaction."""
        dialog = self.dialog
        if request.cseq <= dialog.remote_sequence:
            # 12.2.2: out of order.
            self._reply(transaction, 500)
            return
        was = dialog.remote_sequence
        dialog.remote_sequence = request.cseq
        try:
            self._in_order(request, transaction)
        except MemoryError:
            if transaction.data is None:
                dialog.remote_sequence = was  # it will come again
            raise

    def _in_order(self, request, transaction):
        method = request.method
        dialog = self.dialog
        if method == b"BYE":
            self._reply(transaction, 200)
            if self.state == "incoming":
                self._respond(487)
            self._end(0, "the other side hung up")
        elif method == b"INVITE":
            self._on_reinvite(request, transaction)
        elif method == b"OPTIONS":
            transaction.respond(200, self.agent.options(request, dialog.local_tag, transaction.source))
        else:
            lend("sip.services").on_request(self, request, transaction)

    def _reply(self, transaction, status, lines=()):
        """Answers a request inside the dialog."""
        tag = self.dialog.local_tag
        transaction.respond(status, response(transaction.request, status, None, tag, lines, source=transaction.source))

    def _on_reinvite(self, request, transaction):
        """14.2: a new offer inside the call: hold, resume, another codec or address, or only a refresh."""
        if self.state != "up" or self._accepted is not None:
            self._reply(transaction, 500, (b"Retry-After: 1",))
            return
        self._offer = request.body
        self._invite = transaction
        self._sequence = request.cseq
        self.dialog.refresh(request)
        body = self._local_sdp()
        if body is None:
            self._reply(transaction, 488)
            return
        self._accept(body)
        if not self._late:
            self._tell("media")

    def on_ack(self, request):
        """Their ACK for our 2xx (13.3.1.4)."""
        if request.cseq != self._sequence or self._accepted is None:
            return
        self._accepted = None
        timers = self.agent.timers
        self._repeat = timers.cancel(self._repeat)
        self._deadline = timers.cancel(self._deadline)
        if self._bye_after_ack:
            self._bye()
        elif self._late and self.state == "up":
            if self._take_answer(request):
                self._tell("media")
            else:
                self._bye()
                self._end(488, ending(488))
        self.agent.retire(self)

    def on_cancel(self):
        """Their CANCEL for an INVITE that is not answered yet."""
        if self.state == "incoming":
            self._respond(487)
            self._end(487, "the caller gave up")

    def _local_sdp(self):
        """Our SDP for the 200: the answer to their offer, or an offer; None when nothing fits. Sets `media`."""
        host, port = self._media_address
        self._version += 1
        self._late = not self._offer
        if self._late:
            self._offered = self.agent.sdp().offer(host, port, self._session, self._version)
            return self._offered
        sdp = self.agent.sdp()
        try:
            body, media = sdp.answer(sdp.parse(self._offer), host, port, self._session, self._version)
            if body:
                self.agent.pack(media.host, media.port)
        except ValueError:
            body = None
        self._offer = None
        if body:
            self.media = media
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

    def _accept(self, body):
        """Sends our 2xx and repeats it until the ACK comes: at T1, doubling to T2, for 64*T1 (13.3.1.4)."""
        agent = self.agent
        self._accepted = self._respond(200, (agent.contact_line(self.peer), agent.ABOUT), body)
        self._repeat_ms = T1
        self._repeat = agent.timers.after(T1, self._resend_accepted)
        self._deadline = agent.timers.after(_64T1, self._no_ack)

    def _resend_accepted(self, _):
        if self._accepted is not None:
            self.agent.send(self._accepted, self._invite.peer)
            self._repeat_ms = min(2 * self._repeat_ms, T2)
            self._repeat = self.agent.timers.after(self._repeat_ms, self._resend_accepted)

    def _no_ack(self, _):
        self._accepted = None
        self._repeat = self.agent.timers.cancel(self._repeat)
        self._bye()
        self._end(408, "the other side never confirmed the answer (no ACK)")

    # --- The end.

    def _bye(self, credentials=None):
        agent = self.agent
        branch = agent.new_branch()
        lines = (credentials,) if credentials else ()
        peer = self._hop()
        data = self.dialog.request(b"BYE", agent.via(branch, peer), lines)
        agent.transactions.client(b"BYE", branch, data, peer, self)

    def _on_bye_response(self, transaction, message):
        if message is None or message.status not in (401, 407) or message.cseq_method != b"BYE":
            return
        credentials = self.agent.credentials(transaction, message)
        if credentials:
            self._bye(credentials)

    def _hop(self):
        """Where requests inside the dialog go; where that is a name we cannot use, to whom the INVITE went or came from."""
        try:
            return self.agent.resolve(self.dialog.next_hop())
        except ValueError:
            return self.peer

    def _tell(self, event):
        if event == "up" or event == "ended":
            self.agent.spare()
        if self.on_event:
            self.on_event(self, event)

    def _end(self, status, words):
        if self.state == "ended":
            return
        self.state = "ended"
        self.status = status
        self.ended = words
        if not self._bye_after_ack:
            timers = self.agent.timers
            self._accepted = None
            self._repeat = timers.cancel(self._repeat)
            self._deadline = timers.cancel(self._deadline)
        self.agent.retire(self)
        self._tell("ended")

    @property
    def is_done(self):
        """True when nothing is expected for it any more but what its transactions answer by themselves."""
        return self.state == "ended" and self._accepted is None


class _Nobody:
    def on_response(self, transaction, message):
        """A BYE to a second answer: whatever it brings, nobody waits for it."""


_NOBODY = _Nobody()
