"""The user agent (RFC 3261 section 8): what door/ talks to. It owns the transport, the tables and the two tasks that
drive them; every rule is in the files beside it."""

import asyncio
import gc
import sys
from binascii import hexlify
from hashlib import sha256
from os import urandom

from lend import lend, short
from micropython import const

from .address import parse_uri
from .call import Call  # noqa: F401  (what every call needs comes to lie low, at the start)
from .dialog import Dialog  # noqa: F401
from .message import ParseError, parse, response
from .scan import H_CALL_ID, H_CONTENT_TYPE, H_REQUIRE
from .timers import Timers
from .transaction import ACKED, REQUEST, Transactions, token
from .transport import Transport

_TICK_MS = const(20)
_STREAM_MS = const(5)  # between two looks at open streams
_PORT = const(5060)
_FORGOTTEN_MS = const(300000)
_TIDY_MS = const(100)  # after a call: its last words have been said, and the code that said them is gone

# sip.scan.field() of their names
_H_REPLACES = const(29)
_H_CONTENT_ENCODING = const(33)

# Methods that exist and that we do not do: 405, not 501.
_KNOWN = b" REGISTER PUBLISH "
_IN_CALLS = b" BYE INFO UPDATE PRACK "  # those that say nothing outside a call: 481
_OPTIONS = b"Accept: application/sdp\r\nAccept-Encoding: identity\r\nAccept-Language: en"


class Agent:
    """A SIP user agent on one address.

    `on_call(call)` is called with each new incoming call; `admit(host, request)` before that, and before any state is
    kept, with the address it came from: None lets it in, (status, reason) refuses it; 486 lets in what does not need a
    free line: a MESSAGE, and a call that takes the place of one (Replaces). `dns()` gives the addresses of the name
    servers (text); without it no name is looked up.

    `on_message(sender, text, call)` is called with a text and its sender's address, `call` None outside a call;
    `on_info(call, kind, body)` with an INFO and its Content-Type (both bytes), and gives True for one that it knows;
    `on_refer(call, target)` when the other side wants us to call somebody else (text), and gives False to refuse;
    `on_replaced(old, new)` when the other side has put the call `new` in the place of `old`, before anything else of it.
    """

    house = None  # a server.house.House, where this agent is also the registrar and proxy of a house without a PBX
    on_refer = None
    on_replaced = None
    on_message = None
    on_info = None
    _tidying = None  # the timer of that
    time_known = None  # for TLS: time_known() -> whether the clock is right; None: it is
    CALLS = 4  # dialogs kept at once: one or two that talk, and those that wait for a last ACK
    public = b""  # b"address:port" by which the registrar's side sees us, where that is another than ours
    # Header fields that say who and what we are; one constant, since each costs the heap 64 bytes besides its text. A comma
    # behind a method says to _on_new_request that it is ours: so ACK is the last.
    ABOUT = (
        b"Allow: INVITE, CANCEL, BYE, OPTIONS, REFER, NOTIFY, SUBSCRIBE, INFO, MESSAGE, PRACK, UPDATE, ACK\r\n"
        b"Supported: 100rel, timer, replaces, norefersub\r\nUser-Agent: sipdoor/0.1"
    )
    # What calls offer and answer of sound
    codecs = (0, 8)  # payload types, the best first: G722 9, PCMU 0, PCMA 8; with 13, comfort noise is offered
    rtcp_mux = False  # whether RTCP may share the port of RTP (RFC 5761)
    secure = 0  # SRTP: 0 never, 1 where the other side can, 2 always
    keys_in_clear = False  # whether its keys may go where TLS does not hide them
    session_expires_s = 0  # what calls ask for by themselves (RFC 4028); 0: nothing, and the other side's wish counts

    def __init__(
        self, host, port, pack, unpack, user="door", display="", on_call=None, admit=None, timers=None, dns=None
    ):
        self.host = host
        self.port = port
        self.pack = pack
        self.user = user
        self.display = display
        self.on_call = on_call
        self.admit = admit
        self.dns = dns
        self.dns_cache = {}
        # For TLS; "": what a certificate is judged by is not there, and none is believed.
        self.tls_name = ""  # the name that the server's certificate must have; empty: the server's own
        self.tls_ca = ""  # path of a file with the certificates that we trust, DER, one behind the other
        self.timers = Timers() if timers is None else timers
        self.transport = Transport(self, pack, unpack)
        self.transactions = Transactions(self.timers, self.send)
        self.calls = []
        self.registration = None
        self.bad = 0  # datagrams that were no SIP message
        self.refused = 0  # requests answered with an error and forgotten
        self.unmatched = 0  # responses and ACKs to nothing
        self.faults = 0  # exceptions caught at the edge: each is a bug, here or in the application's rules
        self.out_of_memory = 0
        self.print_fault = sys.print_exception
        self._sdp = None
        self._secret = urandom(8)
        self._tasks = []

    # --- For the application.

    async def start(self):
        """Opens the socket and starts the tasks. OSError when the address or port is not to be had."""
        self.transport.open(self.host, self.port)
        short.append(self.make_room)
        self._tasks = [asyncio.create_task(self.transport.run()), asyncio.create_task(self._clock())]

    async def stop(self):
        """Hangs up, un-registers (waiting a second for the answer) and closes."""
        await lend("sip.accounts").stop(self)
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        short.clear()
        self.transport.close()

    def register(
        self, server, user, password, auth_user="", expires_s=300, display="", proxy="", transport="", backup=""
    ):
        """Keeps `user` registered at `server`, a name or an address, with a port or without. Returns the Registration;
        ValueError in words for a bad one. `proxy`: by which all requests go; `transport`: "udp", "tcp" or "tls", else what
        the name servers say, or udp; `backup`: a second server, used while the first is away."""
        return lend("sip.accounts").register(
            self, (server, user, password, auth_user, expires_s, display, proxy, transport, backup)
        )

    def call(self, target, media_host, media_port, on_event=None):
        """Calls `target`, "sip:101@192.0.2.10" or, through the registrar, "101". Returns the Call.

        ValueError, in words, when the target cannot be called. `media_host`, `media_port`: our RTP socket.
        """
        return lend("sip.outset").call(self, target, media_host, media_port, on_event)

    def words(self):
        """The state in sentences, a list."""
        return lend("sip.accounts").words(self)

    # --- For the files beside this one.

    def new_branch(self):
        """A branch parameter's value, with the magic cookie (8.1.1.7)."""
        return b"z9hG4bK" + token()

    def via(self, branch, peer=None):
        """Our Via value for a request to `peer`, asking for rport (RFC 3581) and, on a stream, that requests to us come on
        it too (RFC 5923)."""
        kind = b"UDP %s;rport"
        if peer and len(peer) > 2:
            kind = peer[2] + b" %s;rport;alias"
        return b"SIP/2.0/%s;branch=%s" % (kind % self.place(), branch)

    def place(self):
        """Our address and port, as URIs and Vias have them."""
        return (b"[%s]:%d" if ":" in self.host else b"%s:%d") % (self.host.encode(), self.port)

    def contact_uri(self, user, peer=None):
        """Our Contact's URI, as bytes, for who hears of us by `peer`."""
        place = self.public
        registration = self.registration
        if not place or not peer or not registration or not registration.is_server(peer[0]):
            place = self.place()
        elif (len(peer) > 2) != (len(registration.peer or peer) > 2):
            place = self.place()  # what was seen of a connection leads nowhere over UDP, nor the other way round
        uri = b"sip:%s@%s" % (user.encode(), place)
        return b"%s;transport=%s" % (uri, peer[2].lower()) if peer and len(peer) > 2 else uri

    def contact_line(self, peer=None):
        """Our Contact header field."""
        return b"Contact: <%s>" % self.contact_uri(self.user, peer)

    def send(self, data, peer):
        """Sends to a peer; False when the transport refused."""
        if self.house and (peer is self.house.here or peer[:2] == (self.host, self.port)):
            return self.house.inside(self, data)
        return self.transport.send(data, peer)

    def flow_lost(self, peer, why="", again=False):
        """From the transport: the stream to `peer` could not be opened, or broke; `why` in words, as far as known. `again`:
        what was sent on it may be sent once more on another."""
        lend("sip.losing").tell(self.transactions, peer, why, again)

    def address_of(self, raw):
        """The peer that a SIP URI whose host is an address stands for; ValueError for anything else. (host, port), for a
        stream with b"TCP" or b"TLS" behind it."""
        uri = parse_uri(raw)
        kind = b"TLS" if uri.scheme == b"sips" else uri.params and (uri.param(b"transport") or b"").upper()
        peer = (uri.host.decode(), uri.port or (_PORT + 1 if kind == b"TLS" else _PORT))
        self.pack(*peer)
        if kind == b"TCP" or kind == b"TLS":
            return peer + (kind,)
        if kind and kind != b"UDP":
            raise ValueError("'%s' is a transport that sipdoor does not have: udp, tcp or tls" % kind.decode())
        return peer

    def resolve(self, raw):
        """Where a request inside a dialog is sent: the URI's own address, or the registrar's when it is a name."""
        try:
            return self.address_of(raw)
        except ValueError:
            if self.registration is None or self.registration.peer is None:
                raise
        return self.registration.peer

    def locate(self, raw, then, anew=False):
        """Calls `then(peers, problem)` with the list of peers that a SIP URI stands for, best first: at once for an
        address or a name of the registrar's (unless `anew`), when DNS has answered for another name. `problem` is "" or
        words."""
        lend("sip.outset").locate(self, raw, then, anew)

    def credentials(self, transaction, message):
        """For each client transaction that is answered with 401 or 407 (`message`), whatever its method: the header field
        lines with which its request is to be sent again, on a new branch and with the next CSeq number; None when that
        makes no sense. To be asked while the response is handled. How often it is asked need not be counted.

        Only the registrar's own challenges are answered, and those met by a call through it: anybody else would collect
        digests of our password.
        """
        registration = self.registration
        if registration is None:
            return None
        if not registration.is_server(transaction.peer[0]):
            peer = getattr(transaction.user, "peer", None)
            if peer is None or not registration.is_server(peer[0]):
                return None
        return registration.account.answer(message, parse(transaction.data))

    def sdp(self):
        """sdp.py, there only while offers and answers are made: `spare()` lets it go."""
        if self._sdp is None:
            self._sdp = lend("sip.sdp", False)
        return self._sdp

    def spare(self):
        """A call is up or over: what only its beginning needed is given back."""
        self._sdp = None

    def is_full(self):
        """Whether no further call can be kept. One that has been neither answered nor ended for five minutes makes room:
        nobody minds it any more, whatever went wrong with it."""
        if len(self.calls) < self.CALLS:
            return False
        for call in list(self.calls):
            if call.state != "up" and call.since_ms() > _FORGOTTEN_MS:
                call.hangup()
                if call in self.calls:
                    self.calls.remove(call)
        return len(self.calls) >= self.CALLS

    def retire(self, call):
        """Forgets a call once nothing is expected for it."""
        if call.is_done and call in self.calls:
            self.calls.remove(call)
            self.timers.cancel(self._tidying)
            self._tidying = self.timers.after(_TIDY_MS, self._tidy)

    def _tidy(self, _):
        lend("sip.tidy").tidy(self)

    def options(self, request, tag, source):
        """The 200 for OPTIONS (11.2), inside a call or outside."""
        lines = (self.contact_line(source), self.ABOUT, _OPTIONS)
        return response(request, 200, to_tag=tag, lines=lines, source=source)

    def refusal(self, request, tag, source):
        """(status, data) for a method that we do not do: 405 for one we know (8.2.1), 501 for the rest (21.5.2)."""
        status = 405 if b" %s " % request.method in _KNOWN else 501
        return status, response(request, status, to_tag=tag, lines=(self.ABOUT,), source=source)

    def session_of(self, message):
        """The session description (bytes) that a message carries, b"" when none; ValueError for a body that we are not
        to ignore and do not understand."""
        body = message.body
        kind = message.get(H_CONTENT_TYPE)
        if body and (kind != b"application/sdp" or message.get(_H_CONTENT_ENCODING) is not None):
            return lend("sip.parts").session(message)
        return body

    # --- The receiving side.

    def receive(self, data, source):
        """One message. Whatever it holds, this returns: what no file beside this one foresaw is counted and printed."""
        try:
            try:
                self._receive(data, source)
            except MemoryError:
                # Once more, as if it had come again, when all that can be spared has been given back.
                self.make_room()
                self._receive(data, source)
        except Exception as error:
            self.fault(error)

    def fault(self, error):
        """An exception that no file here foresaw. Out of memory is no fault, but a message lost, as on the wire."""
        if isinstance(error, MemoryError):
            self.out_of_memory += 1
            self.make_room()
            return
        self.faults += 1
        try:
            self.print_fault(error)
        except Exception:
            pass  # no room to say it; it is counted

    def make_room(self):
        """The heap is full: the memory of ended transactions, kept for what may come again, is the first to go."""
        self.spare()
        self.transactions.purge()
        # And what is kept for the next datagram: the heap may have no other piece of that size.
        self.transport.reserve.clear()
        gc.collect()

    def _receive(self, data, source):
        if len(data) <= 4 and not data.strip(b"\r\n\x00 "):
            return  # keep-alive
        if self.house and not data[0]:
            return lend("sip.server.flows").keep_alive(self, data, source)
        try:
            message = parse(data)
            message.check()
        except ParseError as error:
            self._unparsable(error, source)
            return
        if message.is_request:
            self._on_request(message, source)
        elif not self.transactions.response(message) and not (self.house and self.house.response(self, message, source)):
            self.unmatched += 1

    def _unparsable(self, error, source):
        """Answers a request that is broken but says enough to be answered (8.2, 21.4.1); drops all else."""
        self.bad += 1
        if error.message is not None:
            self._reply(error.message, source, error.code, (), error.reason)

    def _reply(self, request, source, status, lines=(), reason=None):
        """Answers without keeping state (8.2.7): a retransmission gets the same answer, its To tag included."""
        if status > 399 and status != 401 and status != 407:  # who is asked for a password is not turned away
            self.refused += 1
        self._send_reply(request, source, response(request, status, reason, self._tag(request), lines, source=source))

    def _send_reply(self, request, source, data):
        self.send(data, self._reply_to(request, source))

    def _tag(self, request):
        digest = sha256(self._secret + request.vias[0] + (request.get(H_CALL_ID) or b"")).digest()
        return hexlify(digest[:4])

    def _reply_to(self, request, source):
        """Where a response goes: to where the request came from, at rport's or the Via's port (18.2.2, RFC 3581 4); on a
        stream, with the port to connect to when it is gone."""
        via = request.via
        if len(source) > 2:
            return source + (via.port or _PORT,)
        return source if via.rport is not None else (source[0], via.port or _PORT)

    def _on_request(self, request, source):
        method = request.method
        transaction = self.transactions.match(request)
        if method == b"ACK":
            # For a refusal it belongs to the transaction, for a 2xx to the dialog (17.1.1.3, 13.2.2.4).
            if transaction is None or not transaction.fire(ACKED):
                call = self._find(request)
                if call:
                    call.on_ack(request)
                elif not (self.house and self.house.takes(self, request, source)):
                    self.unmatched += 1
        elif transaction is not None:
            transaction.fire(REQUEST)
        elif method == b"CANCEL":
            self._on_cancel(request, source)
        elif self.house and self.house.takes(self, request, source):
            pass
        elif request.to_tag:
            self._on_dialog_request(request, source)
        else:
            self._on_new_request(request, source)

    def _on_new_request(self, request, source):
        """A request outside any dialog, in the order of 8.2."""
        method = request.method
        reason = None
        lines = ()
        try:
            scheme = parse_uri(request.uri).scheme
        except ValueError:
            status, reason = 400, b"Bad Request-URI"
        else:
            if b" %s," % method not in self.ABOUT:
                self.refused += 1
                self._send_reply(request, source, self.refusal(request, self._tag(request), source)[1])
                return
            if scheme != b"sip" and scheme != b"sips":
                status = 416
            elif b" %s " % method in _IN_CALLS:
                status = 481
            elif method == b"OPTIONS" and not request.body and request.get(H_REQUIRE) is None:
                # Max-Forwards of 0 is no hindrance: we forward nothing, so nothing of ours is ever 483 (8.2, 16.3).
                self._send_reply(request, source, self.options(request, self._tag(request), source))
                return
            else:
                verdict = self.admit(source[0], request) if self.admit and method != b"OPTIONS" else None
                if method == b"INVITE":
                    self._on_invite(request, source, verdict)
                    return
                if verdict is not None and verdict[0] != 486:
                    status, reason = verdict
                else:
                    status, reason, lines = lend("sip.outside").on_request(self, request, source)
                    if not status:
                        return
        self._reply(request, source, status, lines, reason)

    def _find(self, request):
        for call in self.calls:
            if call.dialog.matches(request) or call._forks and lend("sip.forks").find(call, request):
                return call
        return self.house and self.house.leg(request) or self.transactions.bye_of(request)

    def _on_cancel(self, request, source):
        invite = self.transactions.invite_of(request)
        if invite is None or invite.is_client:
            self._reply(request, source, 481)
            return
        self._send_reply(request, source, response(request, 200, to_tag=invite.tag, source=source))
        if invite.user:
            invite.user.on_cancel(request)

    def _on_dialog_request(self, request, source):
        call = self._find(request)
        if call is None:
            self._reply(request, source, 481)
            return
        if request.get(H_REQUIRE) is not None:
            lacking = lend("sip.outside").lacking(self, request)
            if lacking:
                self._reply(request, source, 420, (lacking,))
                return
        transaction = self.transactions.server(request, self._reply_to(request, source), source)
        if transaction is None:
            self._reply(request, source, 503, (b"Retry-After: 5",))
            return
        try:
            call.on_request(request, transaction)
        except Exception:
            if transaction.data is None:
                # It came to grief before it was answered: its retransmission must not be taken for one.
                self.transactions.forget(transaction)
            raise

    def _on_invite(self, request, source, verdict):
        for call in self.calls:
            dialog = call.dialog
            if (
                dialog.call_id == request.call_id
                and dialog.remote_tag == request.from_tag
                and dialog.remote_sequence == request.cseq
            ):
                # 8.2.2.2: the same request by another way, through a proxy that forked.
                self._reply(request, source, 482)
                return
        if verdict is None and self.is_full():
            verdict = 486, None
        if verdict is None or verdict[0] == 486 and request.get(_H_REPLACES) is not None:
            old, status, reason, lines = lend("sip.invited").judge(self, request, verdict, source)
        else:
            status, reason = verdict
            lines = old = ()
        if status:
            self.spare()
            self._reply(request, source, status, lines, reason)
            return
        lend("sip.arriving").take(self, request, source, old)

    def catch_up(self):
        """What is due by now, so that what was put off until a file is gone does not wait for the clock as well. Returns the
        milliseconds to the next deadline, -1 when there is none."""
        try:
            return self.timers.run()
        except Exception as error:
            self.fault(error)
            return _TICK_MS

    async def _clock(self):
        while True:
            wait_ms = self.catch_up()
            try:
                if self.transport.tick():
                    wait_ms = 1
                elif self.transport.streams and not 0 < wait_ms < _STREAM_MS:
                    wait_ms = _STREAM_MS
            except Exception as error:
                self.fault(error)
                wait_ms = _TICK_MS
            await asyncio.sleep_ms(wait_ms if 0 < wait_ms < _TICK_MS else _TICK_MS)
