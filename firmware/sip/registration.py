"""Keeping one account registered at its registrar (RFC 3261 section 10.2): refresh, challenges, recovery, words."""

from os import urandom

from micropython import const

from lend import lend

from .address import parse_name_addr, parse_uri
from .message import request
from .scan import H_CONTACT, H_EXPIRES, H_MIN_EXPIRES
from .transaction import token
from .words import text

_FIRST_RETRY_MS = const(2000)
_LAST_RETRY_MS = const(300000)  # five minutes: a PBX that was away is found again within that
_LONGEST_S = const(86400)


class Account:
    """Who we are to a server, and its challenges that we answer. digest.py is there only while it is at work."""

    def __init__(self, user, password):
        self._user = user
        self._password = password
        self._answers = {}

    def _authenticator(self):
        return lend("sip.digest").Authenticator(self._user, self._password, self._answers)

    def challenged(self, message, was_sent):
        """Takes up a 401 or 407; True if the request should be sent again. `was_sent`: it had credentials."""
        try:
            return self._authenticator().challenged(message.status, message, was_sent)
        except ValueError:
            return False

    def line(self, method, uri, body=b""):
        """The header field that a request needs, None while nothing was asked."""
        return self._authenticator().line(method, uri, body) if self._answers else None


class Registration:
    """One account at one registrar. Made by `Agent.register`; `words()` is its state for people."""

    def __init__(self, agent, uri, user, password, auth_user="", expires_s=300):
        self.agent = agent
        self.server = uri  # bytes "sip:192.0.2.10:5060"
        self.peers = []  # (host, port) of each server that the name stands for, best first
        self.user = user
        self.expires_s = expires_s
        self.granted_s = 0
        self.account = Account(auth_user or user, password)
        host = parse_uri(uri).host
        if b":" in host:
            host = b"[" + host + b"]"
        self.address_of_record = b"sip:%s@%s" % (user.encode(), host)
        self.is_registered = False
        self.refreshes = 0
        self._problem = ""
        self._call_id = token()
        self._tag = token(4)
        self._sequence = 0
        self._attempts = 0
        self._retry_ms = 0
        self._timer = None
        self._sent_auth = False
        self._expires_at = 0
        self._active = True
        self._answered = None  # called once with no argument when the running REGISTER is over: `stop` waits so
        self.changed = None  # changed(registration): the application is told of each new state

    @property
    def peer(self):
        """(host, port) of the server in use, None while its name is being looked up."""
        return self.peers[0] if self.peers else None

    @property
    def server_host(self):
        """The registrar as people know it: its address, or its name with the address in use."""
        name = text(self.server[4:])
        host = self.peer[0] if self.peers else name
        return host if name.split(":")[0] == host else "%s (%s)" % (name, host)

    def is_server(self, host):
        """Whether an address (text) is one of the registrar's."""
        return host in [peer[0] for peer in self.peers]

    def start(self, _=None):
        """Looks the server up where it has a name, and sends a REGISTER."""
        self._attempts = 0
        self.agent.locate(self.server, self._located)

    def _located(self, peers, problem):
        if not self._active:
            return
        if problem:
            self._failed(problem)
            return
        # The one that answered last stays first while the name still stands for it.
        if self.is_registered and self.peer in peers:
            peers.remove(self.peer)
            peers.insert(0, self.peers[0])
        self.peers = peers
        self._send(self.expires_s)

    def stop(self, done=None):
        """Un-registers (10.2.2) and stops. `done()` is called when the registrar has answered or will not."""
        self._active = False
        self._timer = self.agent.timers.cancel(self._timer)
        if not self.is_registered:
            if done:
                done()
            return
        self.is_registered = False
        self._answered = done
        self._attempts = 0
        self._send(0)

    def words(self):
        """The state as a sentence."""
        where = "%s as %s" % (self.server_host, self.user)
        if self.is_registered:
            left_s = max(0, self.agent.timers.left_ms(self._expires_at) // 1000)
            text = "Registered at %s, for %d s more." % (where, left_s)
            if self._problem:
                text += " The refresh failed: %s. Trying again." % self._problem
            return text
        if not self._active:
            return "Not registered: stopped."
        if self._problem:
            return "Not registered at %s: %s. Trying again." % (where, self._problem)
        return "Registering at %s." % where

    def _send(self, expires_s):
        agent = self.agent
        self._sequence += 1
        branch = agent.new_branch()
        name = b"<%s>" % self.address_of_record
        contact = b"Contact: <%s>\r\nExpires: %d" % (agent.contact_uri(self.user), expires_s)
        lines = [contact, agent.ABOUT]
        credentials = self.account.line(b"REGISTER", self.server)
        self._sent_auth = credentials is not None
        if credentials:
            lines.append(credentials)
        sender = b"%s;tag=%s" % (name, self._tag)
        data = request(
            b"REGISTER", self.server, agent.via(branch), sender, name, self._call_id, self._sequence, (), lines
        )
        if agent.transactions.client(b"REGISTER", branch, data, self.peer, self) is None:
            self._failed("the table of transactions is full")

    def on_response(self, transaction, message):
        """From the client transaction."""
        status = message.status if message else 0
        if (status == 0 or status == 503) and len(self.peers) > 1 and self._active:
            # RFC 3263 4.3: the next server of the same name, at once.
            self.peers.pop(0)
            self._send(self.expires_s)
            return
        if message is None:
            self._failed("%s from %s" % (transaction.why, self.server_host))
            return
        if status < 200:
            return
        if status < 300:
            self._succeeded(message)
        elif status in (401, 407) and self._attempts < 3 and self.account.challenged(message, self._sent_auth):
            self._attempts += 1
            self._send(self.expires_s if self._active else 0)
        elif status == 423 and self._attempts < 3 and self._longer(message):
            self._attempts += 1
            self._send(self.expires_s)
        else:
            reason = "refused with %d %s" % (status, text(message.reason))
            if status in (401, 403, 407):
                reason += "; check sip.user, sip.auth_user and sip.password"
            elif status == 404:
                reason += "; check sip.user: the server does not know it"
            self._failed(reason)

    def _longer(self, message):
        """423: the registrar wants Min-Expires at least (10.2.8)."""
        value = message.get(H_MIN_EXPIRES)
        if value is None or not value.isdigit() or len(value) > 6:
            return False
        wanted_s = int(value)
        if not self.expires_s < wanted_s <= _LONGEST_S:
            return False
        self.expires_s = wanted_s
        return True

    def _granted(self, message):
        """Seconds granted to our own Contact in a 200 (10.2.4): its expires parameter, else Expires, else what we asked for."""
        ours = parse_uri(self.agent.contact_uri(self.user))
        value = message.get(H_EXPIRES)
        try:
            for item in message.all(H_CONTACT):
                contact = parse_name_addr(item)
                uri = parse_uri(contact.uri)
                if (uri.host, uri.port or 5060, uri.user) == (ours.host, ours.port, ours.user):
                    value = contact.param(b"expires") or value
                    break
        except ValueError:
            # A foreign binding we cannot read is not ours to judge.
            pass
        if value is None or not value.isdigit() or len(value) > 9:
            return self.expires_s
        return min(int(value), _LONGEST_S)

    def _succeeded(self, message):
        self._problem = ""
        self._retry_ms = 0
        self._attempts = 0
        if not self._active:
            self._finish()
            return
        timers = self.agent.timers
        self.granted_s = self._granted(message)
        self._expires_at = timers.due(self.granted_s * 1000)
        was = self.is_registered
        self.is_registered = self.granted_s > 0
        self.refreshes += 1 if was else 0
        # Early enough for a lost datagram's 32 s, and never in the last fifth (RFC 5626 4.4.1 has 80 to 100 %).
        refresh_s = max(self.granted_s - 40, self.granted_s // 2, 1)
        self._timer = timers.cancel(self._timer)
        self._timer = timers.after(refresh_s * 1000, self.start)
        self._tell()

    def _failed(self, problem):
        """Doubling back-off with jitter, so that a street of doors does not knock in step after a power cut."""
        self._problem = problem
        if not self._active:
            self._finish()
            return
        timers = self.agent.timers
        if self.is_registered and timers.left_ms(self._expires_at) <= 0:
            self.is_registered = False
        self._retry_ms = min(max(2 * self._retry_ms, _FIRST_RETRY_MS), _LAST_RETRY_MS)
        delay_ms = self._retry_ms // 2 + self._retry_ms // 2 * urandom(1)[0] // 255
        self._timer = timers.cancel(self._timer)
        self._timer = timers.after(delay_ms, self.start)
        self._tell()

    def _finish(self):
        done, self._answered = self._answered, None
        if done:
            done()

    def _tell(self):
        if self.changed:
            self.changed(self)
