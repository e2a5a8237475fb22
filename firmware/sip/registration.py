"""Keeping one account registered at its registrar (RFC 3261 section 10.2): the state that lasts, and the way to the
code in registering.py, which is there only for as long as it works: a moment every few minutes."""

from lend import lend

from .address import parse_uri
from .transaction import token


class Account:
    """Who we are to a server, and its challenges that we answer. digest.py too is there only while it is at work."""

    def __init__(self, user, password):
        self._user = user
        self._password = password
        self._answers = {}

    def _authenticator(self):
        return lend("sip.digest").Authenticator(self._user, self._password, self._answers)

    def answer(self, message, sent):
        """The header field lines with which the challenged request `sent` makes sense again; None when nothing does."""
        return self._authenticator().answer(message, sent)

    def line(self, method, uri, body=b""):
        """The header field lines of a request to a server that asked earlier, None while nothing was asked."""
        return self._authenticator().line(method, uri, body) if self._answers else None


class Registration:
    """One account at one registrar. Made by `Agent.register`; `words()` is its state for people."""

    def __init__(self, agent, uri, user, password, auth_user="", expires_s=300):
        self.agent = agent
        self.server = uri  # bytes "sip:192.0.2.10:5060"
        self.peers = []  # (host, port) of each server that the name stands for, best first
        self.user = user
        self.expires_s = expires_s  # what we ask for
        self.granted_s = 0  # what we got
        self.expires_at = 0  # on the timers' clock
        self.account = Account(auth_user or user, password)
        host = parse_uri(uri).host
        self.address_of_record = (b"sip:%s@[%s]" if b":" in host else b"sip:%s@%s") % (user.encode(), host)
        self.is_registered = False
        self.is_active = True  # False once stopped
        self.refreshes = 0
        self.problem = ""  # why the last attempt failed, in words
        self.call_id = token()
        self.tag = token(4)
        self.sequence = 0
        self.attempts = 0  # challenges and the like answered in this attempt
        self.retry_ms = 0  # back-off
        self.timer = None
        self.done = None  # called once with no argument when the running REGISTER is over: `stop` waits so
        self.changed = None  # changed(registration): the application is told of each new state

    @property
    def peer(self):
        """(host, port) of the server in use, None while its name is being looked up."""
        return self.peers[0] if self.peers else None

    def is_server(self, host):
        """Whether an address (text) is one of the registrar's."""
        return host in [peer[0] for peer in self.peers]

    def start(self, _=None):
        """Looks the server up where it has a name, and sends a REGISTER."""
        self.attempts = 0
        self.agent.locate(self.server, self._located)

    def _located(self, peers, problem):
        lend("sip.registering").located(self, peers, problem)

    def stop(self, done=None):
        """Un-registers (10.2.2) and stops. `done()` is called when the registrar has answered or will not."""
        self.is_active = False
        self.timer = self.agent.timers.cancel(self.timer)
        if self.is_registered:
            self.is_registered = False
            self.done = done
            self.attempts = 0
            lend("sip.registering").send(self, 0)
        elif done:
            done()

    def on_response(self, transaction, message):
        """From the client transaction."""
        lend("sip.registering").on_response(self, transaction, message)

    def words(self):
        """The state as a sentence."""
        return lend("sip.registering").words(self)
