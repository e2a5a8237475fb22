"""Keeping one account registered at its registrar (RFC 3261 section 10.2): the state that lasts, and the way to the
code in registering.py, which is there only for as long as it works: a moment every few minutes."""

from lend import lend
from micropython import const

from .address import parse_uri
from .message import parse
from .transaction import token

_ALIVE_MS = const(25000)  # NATs forget a UDP way after 30 s and more (RFC 4787 4.3 wants two minutes)


class Account:
    """Who we are to a server, and its challenges that we answer. digest.py too is there only while it is at work."""

    def __init__(self, user, password):
        self._user = user
        self._password = password
        self._answers = {}

    def authenticator(self):
        return lend("sip.digest").Authenticator(self._user, self._password, self._answers)

    def answer(self, message, sent):
        """The header field lines with which the challenged request `sent` makes sense again; None when nothing does."""
        return self.authenticator().answer(message, sent)

    def line(self, method, uri, body=b""):
        """The header field lines of a request to a server that asked earlier, None while nothing was asked."""
        return self.authenticator().line(method, uri, body) if self._answers else None


class Registration:
    """One account at one registrar. Made by `Agent.register`; `words()` is its state for people.

    `server` is bytes, "sip:192.0.2.10:5060"; `hop`, the URI of what requests are sent to: the server's own or the outbound
    proxy's, with the transport that is configured.
    """

    # What not every account needs is an attribute of the class until it is needed.
    proxy = ()  # (Route value,) of the outbound proxy
    routes = ()  # Route values of every request outside a dialog: the proxy's, and the Service-Route (RFC 3608)
    route_hosts = ()  # whom the first of them stands for, where it is not the proxy
    second = None  # the Registration at the server that stands in while this one's is away; `first` is its counterpart
    first = None
    moved = b""  # where a 3xx has sent us
    contact = b""  # our binding at the server, a Contact URI; b"" without
    problem = ""  # why the last attempt failed, in words
    transaction = None  # the newest REGISTER
    timer = None
    alive = None  # the timer of keep_alive()
    done = None  # called once with no argument when the running REGISTER is over: `stop` waits so
    changed = None  # changed(registration): the application is told of each new state
    is_registered = False  # here or at the second server
    is_active = True  # False once stopped
    granted_s = 0  # what we got
    expires_at = 0  # on the timers' clock
    refreshes = 0
    sequence = 0
    tried = 0  # servers that did not answer in this attempt
    attempts = 0  # replies of other kinds that were followed in this attempt
    retry_ms = 0  # back-off

    def __init__(self, agent, server, hop, user, account, expires_s):
        self.agent = agent
        self.server = server
        self.hop = hop
        self.peers = []  # of each server that the hop stands for, the one in use first
        self.user = user
        self.account = account
        self.expires_s = expires_s  # what we ask for
        host = parse_uri(server).host
        self.address_of_record = (b"sip:%s@[%s]" if b":" in host else b"sip:%s@%s") % (user.encode(), host)
        self.call_id = token()
        self.tag = token(4)

    @property
    def peer(self):
        """The server in use, None while its name is being looked up."""
        return self.peers[0] if self.peers else None

    def is_server(self, host):
        """Whether an address (text) is one of the registrar's, its proxy's or its stand-in's."""
        for peer in self.peers:
            if peer[0] == host:
                return True
        return host in self.route_hosts or self.second is not None and self.second.is_server(host)

    def start(self, timed=False):
        """Looks the server up where it has a name, and sends a REGISTER. Not `timed`: the network is another."""
        # The next attempt comes even if this one meets a full heap.
        timers = self.agent.timers
        self.timer = timers.cancel(self.timer)
        self.timer = timers.after(60000, self.start, True)
        # What a step needs is loaded one after the other, as there is not room for all of it at once on every board.
        uri = lend("sip.registering").begin(self, timed, self.credentials())
        if uri:
            self.agent.locate(uri, self.located, True)

    def credentials(self):
        """The header field lines for a REGISTER, None while none was asked for."""
        return self.account.line(b"REGISTER", self.moved or self.server)

    def located(self, peers, problem):
        lend("sip.registering").located(self, peers, problem, self.credentials())

    def stop(self, done=None):
        """Un-registers (10.2.2) and stops. `done()` is called when the registrar has answered or will not."""
        lend("sip.registering").stop(self, done, self.credentials() if self.contact else None)

    def finish(self):
        """Un-registered, or not to be."""
        self.contact = b""
        done, self.done = self.done, None
        if done:
            done()

    def lost(self, peer):
        """The connection to `peer` is gone."""
        if self.peers and peer[:3] == self.peers[0][:3]:
            lend("sip.registering").lost(self)
        elif self.second is not None:
            self.second.lost(peer)

    def keep_alive(self, begins):
        """Over UDP: a line break now and then, so that what is between keeps the way open for calls (RFC 5626 3.5 has STUN
        for it, which PBXs do not). Streams have their own."""
        self.alive = None
        if self.contact and len(self.peer) == 2:
            if not begins:
                self.agent.send(b"\r\n", self.peer)
            self.alive = self.agent.timers.after(_ALIVE_MS, self.keep_alive)

    def on_response(self, transaction, message):
        """From the client transaction."""
        if transaction is not self.transaction:
            return
        status = message.status if message else 0
        if 200 <= status < 300:
            lend("sip.registered").succeeded(self, parse(transaction.data), message)
            return
        credentials = None
        if status == 401 or status == 407:
            credentials = self.account.answer(message, parse(transaction.data))
        lend("sip.registering").on_response(self, transaction, message, credentials)

    def tell(self):
        """The application hears of a new state."""
        whole = self.first or self
        second = whole.second
        whole.is_registered = bool(whole.contact or second is not None and second.contact)
        if whole.changed:
            whole.changed(whole)

    def words(self):
        """The state as a sentence."""
        return lend("sip.standing").words(self)
