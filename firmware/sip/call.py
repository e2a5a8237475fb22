"""One call, from its first INVITE to its last BYE (RFC 3261 sections 9, 13, 14, 15), with its offers and answers."""

from os import urandom

from lend import lend
from micropython import const

from .message import response
from .scan import H_REQUIRE
from .transaction import INVITE_CLIENT, PROCEEDING, T1, T2, derived
from .words import ending, text

_64T1 = const(32000)
_H_SESSION_EXPIRES = const(21)  # as scan.field() has it


class Call:
    """A call as its user sees it.

    `state` is "calling", "ringing", "early" (their sound comes before they answer), "incoming", "up" or "ended";
    `media` is the sdp.Negotiated of the newest offer and answer; `status` and `ended` say how it ended.
    `on_hold` is True while we hold the other side; `media.held`, while it holds us.
    `on_event(call, event)` is called with "ringing", "early", "media", "up" and "ended"; with "transfer" when the call is
    handed on to somebody else, or that or a hold was refused: `news` says it.

    What few calls need is lent: sip.modify changes a call that is up, sip.session limits its life (RFC 4028),
    sip.reliable has PRACK (RFC 3262), sip.forks the INVITE that several phones answer, sip.refer hands calls on, sip.moved follows 3xx.
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
        if self.state != "incoming":
            return
        self._media_address = (host, port)
        if self._provisional and lend("sip.reliable").waits(self):
            return  # it goes on as soon as their PRACK is here
        body = b"" if self.dialog.settled else self._local_sdp()
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

    # --- Outgoing.

    def invite(self, media_host, media_port, locate):
        """Finds out where to, by outset.locate(), and sends the first INVITE with our offer."""
        self._media_address = (media_host, media_port)
        locate(self.agent, self.dialog.next_hop(), self._located, False)

    def _located(self, peers, problem):
        if self.state == "ended":
            return
        if problem:
            if not self._elsewhere(0, None):
                self._end(0, problem)
            return
        self.peer = peers[0]
        self._others = peers[1:]
        self._send_invite()

    def _send_invite(self, credentials=None):
        agent = self.agent
        if self.dialog.remote_tag:
            lend("sip.forks").afresh(self)
        branch = agent.new_branch()
        lines = [agent.contact_line(self.peer), agent.ABOUT]
        lines.extend(self.lines)
        if credentials:
            lines.append(credentials)
        if agent.session_expires_s or self._min_se:
            lines.extend(lend("sip.session").asking(self))
        body = self._local_sdp()
        data = self.dialog.request(b"INVITE", agent.via(branch, self.peer), lines, body, b"application/sdp")
        self._sequence = self.dialog.sequence
        self._invite = agent.transactions.client(b"INVITE", branch, data, self.peer, self)
        if self._invite is None:
            self._end(503, "too much is going on at once; try again in a few seconds")

    def on_response(self, transaction, message):
        """From our client transactions."""
        if transaction.table is not INVITE_CLIENT or transaction is self._change:
            status = message.status if message else 408
            if status >= 200 and (transaction is self._change or self.state != "ended" or status == 401 or status == 407):
                lend("sip.modify").on_response(self, transaction, status, message)
            elif transaction.table is INVITE_CLIENT:
                transaction.limit(_64T1)  # nobody has to be asked for a re-INVITE: it is answered soon or never
            return
        if transaction is self._invite and self._others and (message is None or message.status == 503):
            # RFC 3263 4.3: the next server of the same name.
            self.peer = self._others.pop(0)
            self._send_invite()
            return
        if message is None:
            if transaction is self._invite and not self._elsewhere(408, None):
                why = transaction.why
                self._end(408, why if ":" in why else "%s from %s" % (why, self.peer[0]))
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
        dialog = self.dialog
        tag = message.to_tag
        if tag and tag != dialog.remote_tag:
            if dialog.remote_tag:
                dialog = lend("sip.forks").turn(self, message)
            else:
                dialog.answered(message)
        if status == 199:
            lend("sip.forks").gone(self)
            return
        reliable = 1
        if message.get(H_REQUIRE) is not None:
            reliable = lend("sip.reliable").acknowledge(self, message)
            if not reliable:
                return
        state = "ringing"
        if message.body and not dialog.settled and self._take_answer(message):
            state = "early"
            dialog.settled = reliable == 2
        elif self.state == "early":
            return
        if self.state != state or state == "early":
            self.state = state
            if state == "early":
                self._tell("media")
            self._tell(state)

    def _on_success(self, message):
        dialog = self.dialog
        tag = message.to_tag or b""
        if self._ack is not None:
            if tag != dialog.remote_tag:
                lend("sip.forks").drop(self, message)
            elif b"\r\nCSeq: %d ACK\r\n" % message.cseq in self._ack:
                self.agent.send(self._ack, self._hop())
            return
        if dialog.remote_tag and tag != dialog.remote_tag:
            dialog = lend("sip.forks").turn(self, message)
        dialog.answered(message)
        self._forks = ()
        self._acknowledge()
        if self._cancelled or self.state == "ended":
            # The 2xx and our CANCEL crossed (9.1): the call that nobody wants any more is ended by BYE.
            self._bye()
            return
        if dialog.settled:
            self.media = dialog.media
        elif not self._take_answer(message):
            self._bye()
            self._end(488, ending(488))
            return
        self._since = self.agent.timers.clock()
        self.state = "up"
        if message.get(_H_SESSION_EXPIRES) is not None:
            lend("sip.session").agreed(self, message)
        self._tell("media")
        self._tell("up")
        if self._wanted:
            lend("sip.modify").begin(self)

    def _acknowledge(self):
        agent = self.agent
        peer = self._hop()
        # 22.1: the INVITE's credentials stand in the ACK for its 2xx too, since nobody may challenge that.
        sent = self._invite.data or b""
        lines = [line for line in sent.split(b"\r\n") if b"uthorization: D" in line] if b"uthorization: D" in sent else ()
        self._ack = self.dialog.request(b"ACK", agent.via(agent.new_branch(), peer), lines, sequence=self._sequence)
        agent.send(self._ack, peer)

    def _on_failure(self, status, message):
        if status in (401, 407) and not self._cancelled:
            credentials = self.agent.credentials(self._invite, message)
            if credentials:
                self._send_invite(credentials)
                return
        if status == 422 and not self._cancelled and lend("sip.session").longer(self, message):
            self._send_invite()
            return
        if not self._elsewhere(status, message):
            self._end(status, ending(status, message.reason))

    def _elsewhere(self, status, message):
        """Whether a 3xx, now or before, says where else to call, and that is done."""
        if self._cancelled or not (self.targets or 300 <= status < 400):
            return False
        return lend("sip.moved").follow(self, status, message)

    def _take_answer(self, message):
        """Reads their answer to our offer; False when it does not fit what we can play."""
        dialog = self.dialog
        if not message.body:
            self.media = dialog.media
            return self.media is not None
        media = self.accepted(message, self._local)
        if media is None:
            return False
        self.media = dialog.media = media
        return True

    def accepted(self, message, ours):
        """What their answer in a message makes of the offer `ours`: Negotiated, None when there is none or it does not fit."""
        try:
            answer = self.agent.session_of(message)
            if not answer:
                return None
            sdp = self.agent.sdp()
            media = sdp.accept(sdp.parse(answer), ours)
            if media:
                self.agent.pack(media.host, media.port)
        except ValueError:
            # No SDP, or sound at a name: that is not looked up while somebody waits to be heard.
            return None
        return media

    def answering(self, offer):
        """(our answer to an offer of theirs, Negotiated), (None, None) when nothing fits. The same offer again gets the same
        answer, version and all (RFC 3264 8)."""
        sdp = self.agent.sdp()
        host, port = self._media_address
        direction = b"sendonly" if self.on_hold else b"sendrecv"
        version = self._version + (self._local is None)
        try:
            session = sdp.parse(offer)
            body, media = sdp.answer(session, host, port, self._session, version, direction=direction)
            if body is None:
                return None, None
            self.agent.pack(media.host, media.port)
        except ValueError:
            return None, None
        if self._local is not None and body != self._local:
            version += 1
            body = sdp.answer(session, host, port, self._session, version, direction=direction)[0]
        self._version = version
        return body, media

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
        self._their_sequence = request.cseq
        self._offer = self.agent.session_of(request)
        if b"100rel" in (request.get(H_REQUIRE) or b""):
            self._provisional = b""
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

    def on_cancel(self):
        """Their CANCEL for an INVITE that is not answered yet."""
        if self.state == "incoming":
            self._respond(487)
            self._end(487, "the caller gave up")

    def _local_sdp(self):
        """Our SDP: the answer to their offer, or an offer; None when nothing fits. Sets `media`."""
        self._late = not self._offer
        if self._late:
            host, port = self._media_address
            self._version += 1
            self._local = lend("sip.offer").offer(host, port, self._session, self._version)
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

    def _accept(self, body):
        """Sends our 2xx and repeats it until the ACK comes: at T1, doubling to T2, for 64*T1 (13.3.1.4)."""
        agent = self.agent
        lines = [agent.contact_line(self.peer), agent.ABOUT]
        request = self._invite.request
        if agent.session_expires_s or self._lifetime or request.get(_H_SESSION_EXPIRES) is not None:
            lines.extend(lend("sip.session").granted(self, request))
        self._accepted = self._respond(200, lines, body)
        self._repeat_ms = T1
        self._repeat = agent.timers.after(T1, self._resend_accepted)
        self._deadline = agent.timers.after(_64T1, self._no_ack)

    def _resend_accepted(self, _):
        if self._accepted is not None:
            self.agent.send(self._accepted, self._invite.peer)
            self._repeat_ms = min(2 * self._repeat_ms, T2)
            self._repeat = self.agent.timers.after(self._repeat_ms, self._resend_accepted)

    def _no_ack(self, _):
        self._confirmed()
        self._bye()
        self._end(408, "the other side never confirmed the answer (no ACK)")
        self.agent.retire(self)  # one that was hung up here has waited for nothing else

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
