"""A house without a PBX on a network that exists only here: the door at 192.0.2.1, and phones that know their passwords."""

from binascii import hexlify
from hashlib import md5, sha256

from sip.digest import Authenticator
from sip.message import response
from sip.server import location
from sip.server.house import House
from virtual_sip import SDP, World

REALM = b"house"
PEOPLE = {b"101": b"one", b"102": b"two", b"103": b"three", b"104": b"four"}


def hashes(user):
    """What the house keeps of a phone, by its number or its name, which here is its password."""
    for number in PEOPLE:
        if user.lower() in (number, PEOPLE[number]):
            return hashes_of(number, PEOPLE[number]) + (number, PEOPLE[number])
    return None


def hashes_of(user, password):
    """HA1 by MD5 and by SHA-256, in hex."""
    text = b"%s:%s:%s" % (user, REALM, password)
    return hexlify(md5(text).digest()), hexlify(sha256(text).digest())


class Home(World):
    """A door with its house, and what it said."""

    def __init__(self):
        World.__init__(self)
        self.said = []
        self.tell = self.said.append
        self.changes = 0
        self.door = self.agent("192.0.2.1")
        self.trusted = ()
        self.house = self.door.house = House(REALM, b"100", self)
        self.calls = []
        self.door.on_call = self.calls.append

    def deliver(self):
        """And what is to be done a moment later."""
        while True:
            World.deliver(self)
            for agent in self.agents.values():
                if agent.timers is not None:
                    agent.timers.run()
            if not self.wire:
                return

    # What a House asks of its owner.

    def account(self, user):
        return hashes(user)

    def now_s(self):
        return self.now_ms // 1000

    def changed(self, user, is_here):
        if is_here is None:
            self.said.append("wrong: %s" % user.decode())
        else:
            self.changes += 1

    def lets_in(self, host, itself):
        return host in self.trusted

    def contacts(self, user):
        """The bindings of a user."""
        return location.contacts(self.house, user)

    def bind(self, user, uri, peer, parameters=""):
        """A binding that nobody has asked for; `parameters`: "q=0.5"."""
        q = int(float(parameters[2:]) * 1000 + 0.5) if parameters[:2] == "q=" else 1000
        self.house.bindings.append(location.write(user, uri, q, 10**6, b"123456", 1, (), peer, b"", 0, 3600))

    def member(self, user, n, port=5060):
        """A phone of `user` at 192.0.2.n."""
        return Member(self, user, "192.0.2.%d" % n, port)


class Member:
    """A phone of the house, by hand: what it sends has what a phone's requests have."""

    def __init__(self, home, user, host, port=5060):
        self.home = home
        self.user = user
        self.host = host
        self.port = port
        self.phone = home.phone(host, port)
        self.authenticator = Authenticator(user, PEOPLE.get(user, b""))
        self.sequence = 0
        self.branch = 0
        self.call_id = b"%s-%s" % (user, host.encode())
        self.uri = b"<sip:%s@%s:%d>" % (user, host.encode(), port)

    @property
    def got(self):
        return self.phone.got

    def text(self, method, uri, to=None, tag=b"", to_tag=b"", call_id=None, body=b"", more=(), sequence=None, routes=(), sender=None):
        if sequence is None:
            self.sequence += 1
            sequence = self.sequence
        self.branch += 1
        lines = [
            b"%s %s SIP/2.0" % (method, uri),
            b"Via: SIP/2.0/UDP %s:%d;branch=z9hG4bK%s.%d;rport" % (self.host.encode(), self.port, self.user, self.branch),
            b"Max-Forwards: 70",
        ]
        lines.extend([b"Route: " + one for one in routes])
        lines.extend([
            b"From: <sip:%s@house>;tag=%s" % (sender or self.user, tag or b"t" + self.user),
            b"To: <%s>" % (to or uri) + (b";tag=" + to_tag if to_tag else b""),
            b"Call-ID: " + (call_id or self.call_id),
            b"CSeq: %d %s" % (sequence, method),
        ])
        lines.extend(more)
        if body:
            lines.append(b"Content-Type: application/sdp")
        lines.append(b"Content-Length: %d\r\n" % len(body))
        return b"\r\n".join(lines) + b"\r\n" + body

    def send(self, data):
        self.phone.send(data)
        return self.phone.got[-1] if self.phone.got else None

    def ask(self, method, uri, more=(), **rest):
        """Sends a request, answers the challenge, and gives what comes then."""
        from sip.message import parse

        first = self.text(method, uri, more=more, **rest)
        answer = self.send(first)
        if answer.status not in (401, 407):
            return answer
        if method == b"INVITE":
            self.send(self.text(b"ACK", uri, sequence=self.sequence))  # on a branch of its own, which is never mind here
        lines = self.authenticator.answer(answer, parse(first))
        assert lines, "refused for good"
        second = self.text(method, uri, more=tuple(more) + (lines,), **rest)
        return self.send(second)

    def register(self, contact=None, expires=None, more=()):
        lines = [] if contact == b"" else [b"Contact: " + (contact or self.uri)]
        if expires is not None:
            lines.append(b"Expires: %d" % expires)
        return self.ask(b"REGISTER", b"sip:192.0.2.1", to=b"sip:%s@house" % self.user, more=tuple(lines) + tuple(more))

    def invite(self, user, more=(), **rest):
        return self.ask(b"INVITE", b"sip:%s@192.0.2.1" % user, more=(b"Contact: " + self.uri,) + tuple(more), body=SDP.encode() if isinstance(SDP, str) else SDP, call_id=b"call-%s" % self.user, **rest)

    def reply(self, request, status, more=(), body=b"", tag=None, contact=True):
        lines = ((b"Contact: " + self.uri,) if contact else ()) + tuple(more)
        self.phone.send(response(request, status, to_tag=tag or b"h" + self.user, lines=lines, body=body, content_type=b"application/sdp" if body else None))

    def last(self, status=None, method=None):
        return self.phone.last(status, method)


def dialog(a, b):
    """a calls b, who is 102 -> (the INVITE that b has got, the 200 that a has got)."""
    a.invite(b"102")
    invite = b.last(method=b"INVITE")
    b.reply(invite, 200, body=SDP)
    return invite, a.last(200)
