"""The four transaction machines of RFC 3261 section 17, with RFC 6026's Accepted state, as tables.

A table's row is `state | event, next state, actions`, a byte each; the rows stand one behind the other in bytes, which cost a
twentieth of the heap that a dictionary of tuples would. Rows that are missing are events that the figures do not show in
that state: they are ignored. The machines send bytes by a function they are given and know no socket.
"""

import gc
from binascii import hexlify
from os import urandom

from lend import lend
from micropython import const

from .message import parse, request
from .scan import H_FROM, H_ROUTE, H_TO

# RFC 3261 table 4, milliseconds.
T1 = const(500)
T2 = const(4000)
T4 = const(5000)
_64T1 = const(32000)
_LARGE = const(1300)  # bytes: a longer request does not go by UDP (18.1.1)
_USUAL = const(6)  # transactions at a time
_FINISHED = const(4)  # transactions that are remembered after their end, at the most

# States: the high half of a row's key. CALLING stands for Trying in the non-INVITE machines.
TERMINATED = const(0x00)
CALLING = const(0x10)
PROCEEDING = const(0x20)
COMPLETED = const(0x30)
ACCEPTED = const(0x40)
CONFIRMED = const(0x50)

# Events: the low half. 1xx, 2xx, 3xx-6xx are received by a client machine and come from the user of a server machine.
PROVISIONAL = const(1)
SUCCESS = const(2)
FAILURE = const(3)
AGAIN = const(4)  # timer A, E or G
OVER = const(5)  # timer B, D, F, H, I, J, K, L or M: the state has lasted as long as it may
REQUEST = const(6)  # the request has come again
ACKED = const(7)
ERROR = const(8)  # the transport could not send

# Actions, done in this order.
_STOP = const(1)  # stop the retransmissions
_CALM = const(2)  # stop the deadline too
_SEND = const(4)  # send the newest message (again)
_ACK = const(8)  # acknowledge a final response that is not 2xx (17.1.1.3)
_NEXT = const(16)  # start or double the retransmission timer
_WAIT = const(32)  # start the deadline of the new state
_TELL = const(64)  # hand the response to the user
_FAIL = const(128)  # tell the user that there will be no response

# Figure 5, and figure 7 of RFC 6026.
INVITE_CLIENT = bytes([
    CALLING | AGAIN, CALLING, _SEND | _NEXT,
    CALLING | OVER, TERMINATED, _FAIL,
    CALLING | ERROR, TERMINATED, _FAIL,
    CALLING | PROVISIONAL, PROCEEDING, _STOP | _CALM | _TELL,
    CALLING | SUCCESS, ACCEPTED, _STOP | _WAIT | _TELL,
    CALLING | FAILURE, COMPLETED, _STOP | _ACK | _WAIT | _TELL,
    PROCEEDING | PROVISIONAL, PROCEEDING, _TELL,
    PROCEEDING | SUCCESS, ACCEPTED, _WAIT | _TELL,
    PROCEEDING | FAILURE, COMPLETED, _ACK | _WAIT | _TELL,
    PROCEEDING | OVER, TERMINATED, _FAIL,  # only after `limit`: a CANCEL that was never followed by a final answer
    COMPLETED | FAILURE, COMPLETED, _ACK,
    COMPLETED | ERROR, TERMINATED, 0,
    COMPLETED | OVER, TERMINATED, 0,
    ACCEPTED | SUCCESS, ACCEPTED, _TELL,
    ACCEPTED | OVER, TERMINATED, 0,
])  # fmt: skip

# Figure 6.
CLIENT = bytes([
    CALLING | AGAIN, CALLING, _SEND | _NEXT,
    CALLING | OVER, TERMINATED, _FAIL,
    CALLING | ERROR, TERMINATED, _FAIL,
    CALLING | PROVISIONAL, PROCEEDING, _TELL,
    CALLING | SUCCESS, COMPLETED, _STOP | _WAIT | _TELL,
    CALLING | FAILURE, COMPLETED, _STOP | _WAIT | _TELL,
    PROCEEDING | AGAIN, PROCEEDING, _SEND | _NEXT,
    PROCEEDING | OVER, TERMINATED, _FAIL,
    PROCEEDING | ERROR, TERMINATED, _FAIL,
    PROCEEDING | PROVISIONAL, PROCEEDING, _TELL,
    PROCEEDING | SUCCESS, COMPLETED, _STOP | _WAIT | _TELL,
    PROCEEDING | FAILURE, COMPLETED, _STOP | _WAIT | _TELL,
    COMPLETED | OVER, TERMINATED, 0,
])  # fmt: skip

# Figure 7, and figure 5 of RFC 6026. A 2xx is repeated by the call, not here (13.3.1.4).
INVITE_SERVER = bytes([
    PROCEEDING | REQUEST, PROCEEDING, _SEND,
    PROCEEDING | PROVISIONAL, PROCEEDING, _SEND,
    PROCEEDING | SUCCESS, ACCEPTED, _SEND | _WAIT,
    PROCEEDING | FAILURE, COMPLETED, _SEND | _NEXT | _WAIT,
    PROCEEDING | ERROR, PROCEEDING, 0,
    COMPLETED | REQUEST, COMPLETED, _SEND,
    COMPLETED | AGAIN, COMPLETED, _SEND | _NEXT,
    COMPLETED | ACKED, CONFIRMED, _STOP | _WAIT,
    COMPLETED | OVER, TERMINATED, 0,
    ACCEPTED | SUCCESS, ACCEPTED, _SEND,
    ACCEPTED | OVER, TERMINATED, 0,
    CONFIRMED | OVER, TERMINATED, 0,
])  # fmt: skip

# Figure 8.
SERVER = bytes([
    CALLING | PROVISIONAL, PROCEEDING, _SEND,
    CALLING | SUCCESS, COMPLETED, _SEND | _WAIT,
    CALLING | FAILURE, COMPLETED, _SEND | _WAIT,
    PROCEEDING | REQUEST, PROCEEDING, _SEND,
    PROCEEDING | PROVISIONAL, PROCEEDING, _SEND,
    PROCEEDING | SUCCESS, COMPLETED, _SEND | _WAIT,
    PROCEEDING | FAILURE, COMPLETED, _SEND | _WAIT,
    COMPLETED | REQUEST, COMPLETED, _SEND,
    COMPLETED | OVER, TERMINATED, 0,
])  # fmt: skip


def token(size=8):
    """`size` random bytes as hex: a branch, a tag, a Call-ID (RFC 3261 19.3)."""
    return hexlify(urandom(size))


def derived(method, invite, to=None):
    """ACK for a final response that is not 2xx (17.1.1.3), or CANCEL (9.1), made from the INVITE's own bytes.

    `to`: the To value of the response for an ACK; None repeats the INVITE's, as CANCEL must.
    """
    sent = parse(invite)
    return request(
        method, sent.uri, sent.vias[0], sent.get(H_FROM), to or sent.get(H_TO), sent.call_id, sent.cseq, sent.all(H_ROUTE)
    )


def row_of(table, key):
    """Where in a table the row of `state | event` begins; -1 where the figures show none."""
    for row in range(0, len(table), 3):
        if table[row] == key:
            return row
    return -1


class Transaction:
    """One transaction, client or server.

    `user.on_response(transaction, message)` is called for each response of a client transaction, with None when none
    will come (`why` then says the reason in words).
    """

    # What not every transaction has is an attribute of the class: an object pays for its own.
    data = None  # newest message we sent
    ack = None  # INVITE client: our ACK for a refusal
    request = None  # server: the request, until a final response is sent
    source = None  # server: the peer that the request came from
    datagram = None  # client: what goes by UDP when a request that was too long for it finds no connection
    tag = b""  # server: our To tag
    why = ""
    _interval_ms = 0
    _retry = None
    deadline = None

    def __init__(self, owner, key, table, state, peer, user):
        self.owner = owner
        self.key = key
        self.table = table
        self.state = state
        self.peer = peer  # that our messages go to: (host, port), with b"TCP" or b"TLS" behind it when on a stream
        self.user = user

    @property
    def is_client(self):
        return self.table is CLIENT or self.table is INVITE_CLIENT

    @property
    def is_live(self):
        """False once only the memory of it is left, to answer retransmissions."""
        return self.state == CALLING or self.state == PROCEEDING

    def fire(self, event, message=None):
        """One event; returns False where the table has no row for it."""
        if event == ERROR and self.datagram and self.state == CALLING:
            lend("sip.oversize").by_datagram(self)
            return True
        table = self.table
        was = self.state
        row = row_of(table, was | event)
        if row < 0:
            return False
        self.state = table[row + 1]
        try:
            sent = self._act(table[row + 2], event, was, message)
        except MemoryError:
            # The heap was full: as if the message had been lost on the wire. It comes again, and finds us as we were.
            gc.collect()
            if self.is_client and self.state != was and self.state != TERMINATED:
                self.state = was
                if self._retry is None and was == CALLING:
                    self._again()
                # As long as this state may last; what the one to come may is nothing on a stream, and would end it now.
                if self.deadline is None:
                    self.deadline = self.owner.timers.after(_64T1, self._over)
                else:
                    self.deadline.due = self.owner.timers.due(_64T1)
            raise
        if not sent:
            self.fire(ERROR)
        return True

    def _act(self, do, event, was, message):
        """A row's actions. False when the transport refused what was to be sent."""
        timers = self.owner.timers
        if do & _STOP or self.state != was and do & _WAIT or self.state == TERMINATED:
            self._retry = timers.cancel(self._retry)
            self._interval_ms = 0
        if do & (_CALM | _WAIT) or self.state == TERMINATED:
            self.deadline = timers.cancel(self.deadline)
        if self.state == TERMINATED:
            self.owner.forget(self)
        sent = True
        if do & _SEND and self.data is not None:
            sent = self.owner.send(self.data, self.peer)
        if do & _ACK:
            if self.ack is None:
                self.ack = derived(b"ACK", self.data, message.get(H_TO))
            self.owner.send(self.ack, self.peer)
        if do & _NEXT:
            self._again()
        if do & _WAIT:
            self.deadline = timers.after(self._limit_ms(), self._over)
        if do & _FAIL:
            if not self.why:
                self.why = "not reachable" if event == ERROR else "no answer"
            self.user.on_response(self, None)
        elif do & _TELL:
            self.user.on_response(self, message)
        if self.state != was and not self.is_live:
            # What may still come is answered with the ACK, with a final response that is not 2xx to INVITE, or by the
            # user of such a 2xx: the rest need not wait for it.
            if self.is_client:
                self.data = None
                if self.state != ACCEPTED:
                    self.user = None
            elif self.state == ACCEPTED or self.state == CONFIRMED:
                self.data = None
            self.owner.finished()
        return sent

    def limit(self, delay_ms):
        """Ends a client transaction in `delay_ms` if no final response comes: 9.1 allows 64*T1 after CANCEL."""
        self.deadline = self.owner.timers.cancel(self.deadline)
        self.deadline = self.owner.timers.after(delay_ms, self._over)

    def begin(self):
        """Client: sends the request for the first time, and starts timers A and B, or E and F."""
        if not self.owner.send(self.data, self.peer):
            # The user learns it from the loop, never from inside its own call.
            self.deadline = self.owner.timers.after(0, self._error)
            return
        self._again()
        self.deadline = self.owner.timers.after(_64T1, self._over)

    def respond(self, status, data):
        """Server: sends a response and keeps it for retransmissions."""
        self.data = data
        if status >= 200:
            self.request = self.user = None
        self.fire(PROVISIONAL if status < 200 else SUCCESS if status < 300 else FAILURE)

    def _limit_ms(self):
        state = self.state
        if state == CONFIRMED or state == COMPLETED and self.table is not INVITE_SERVER:
            if len(self.peer) > 2 or self.peer[0] in self.owner.near:
                return 0  # timers D, I, J and K: on a stream nothing comes twice, nor within a house
        if self.table is CLIENT or state == CONFIRMED:
            return T4
        return _64T1

    def _again(self):
        if len(self.peer) > 2:
            return  # timers A, E and G: a stream repeats what it must by itself
        if self._interval_ms == 0:
            self._interval_ms = T1
        elif self.table is CLIENT and self.state == PROCEEDING:
            self._interval_ms = T2
        else:
            # Timer A doubles without end, timers E and G up to T2 (17.1.1.2, 17.1.2.2, 17.2.1).
            self._interval_ms *= 2
            if self.table is not INVITE_CLIENT and self._interval_ms > T2:
                self._interval_ms = T2
        self._retry = self.owner.timers.after(self._interval_ms, self._resend)

    def _resend(self, _):
        self.fire(AGAIN)

    def _over(self, _):
        self.fire(OVER)

    def _error(self, _):
        self.fire(ERROR)


class Transactions:
    """The table of all transactions of an agent, bounded.

    When it is full, the memory of the oldest finished transaction makes room; when all are live, `client` and `server`
    give None and the caller answers 503 or says so.
    """

    near = ()  # hosts from which nothing is lost on the way: this agent itself, where it is the proxy of its house

    def __init__(self, timers, send, limit=16):
        self.timers = timers
        self.send = send  # send(data, peer) -> False when the transport refused
        self.limit = limit
        # Grown now, while it comes to lie low: a call would let it grow in the middle of what it leaves free.
        self._table = dict.fromkeys(range(_USUAL))
        while self._table:
            self._table.popitem()

    def __len__(self):
        return len(self._table)

    def _room(self):
        if len(self._table) < self.limit:
            return True
        done = [one for one in self._table.values() if not one.is_live]
        if not done:
            return False
        min(done, key=self._left_ms).fire(OVER)
        return True

    def finished(self):
        """One more has only retransmissions to expect: of those, the oldest beyond a few are forgotten early.

        What comes again for a forgotten one is answered as what belongs to nothing is: 481, or not at all.
        """
        done = [one for one in self._table.values() if not one.is_live]
        if len(done) > _FINISHED:
            min(done, key=self._left_ms).fire(OVER)

    def purge(self):
        """Forgets all that have only retransmissions to expect."""
        for one in list(self._table.values()):
            if not one.is_live:
                one.fire(OVER)

    def _left_ms(self, transaction):
        return self.timers.left_ms(transaction.deadline.due)

    def client(self, method, branch, data, peer, user):
        """Sends a request and watches over it. Returns the Transaction, or None when the table is full."""
        if not self._room():
            return None
        table = INVITE_CLIENT if method == b"INVITE" else CLIENT
        transaction = Transaction(self, branch + b" " + method, table, CALLING, peer, user)
        transaction.data = data
        if len(data) > _LARGE and len(peer) == 2:
            lend("sip.oversize").by_stream(transaction)
        self._table[transaction.key] = transaction
        transaction.begin()
        return transaction

    def server(self, request, peer, source):
        """A new request's transaction, or None when the table is full.

        `peer`: where responses go; `source`: where the request came from.
        """
        if not self._room():
            return None
        if request.method == b"INVITE":
            transaction = Transaction(self, server_key(request), INVITE_SERVER, PROCEEDING, peer, None)
        else:
            transaction = Transaction(self, server_key(request), SERVER, CALLING, peer, None)
        transaction.request = request
        transaction.source = source
        self._table[transaction.key] = transaction
        return transaction

    def response(self, message):
        """Hands a response to its client transaction (17.1.3); False when there is none."""
        transaction = self._table.get((message.branch or b"") + b" " + message.cseq_method)
        if transaction is None or not transaction.is_client:
            return False
        status = message.status
        transaction.fire(PROVISIONAL if status < 200 else SUCCESS if status < 300 else FAILURE, message)
        return True

    def match(self, request):
        """The server transaction that a request belongs to (17.2.3), or None."""
        return self._table.get(server_key(request))

    def invite_of(self, cancel):
        """The INVITE transaction that a CANCEL names (9.2), or None."""
        return self._table.get(server_key(cancel, b"INVITE"))

    def bye_of(self, request):
        """The call that a request belongs to and that we have just ended: the user of our BYE that is still open, or None."""
        for one in self._table.values():
            if one.is_live and one.is_client and one.key.endswith(b" BYE") and one.user.dialog.matches(request):
                return one.user
        return None

    def forget(self, transaction):
        self._table.pop(transaction.key, None)


def server_key(request, method=None):
    """What identifies a server transaction (RFC 3261 17.2.3): branch, sent-by, method; ACK belongs to its INVITE.

    Without the magic cookie (RFC 2543 peers), or with nothing behind it (RFC 4475 3.2.1), the top Via, Call-ID, CSeq
    number, From and Request-URI stand in for it; To is left out, since the ACK's has our tag.
    """
    if method is None:
        method = request.method
        if method == b"ACK":
            method = b"INVITE"
    via = request.via
    branch = via.branch
    if branch and len(branch) > 7 and branch[:7].lower() == b"z9hg4bk":
        return b"%s %s %d %s" % (branch, via.host, via.port, method)
    return b" ".join((request.vias[0], request.call_id, b"%d" % request.cseq, request.get(H_FROM), request.uri, method))
