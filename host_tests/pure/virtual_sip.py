"""Agents on a network that exists only here: time is a number, datagrams are list entries, nothing waits."""

from sip.agent import Agent
from sip.message import parse
from sip.timers import Timers


class World:
    """A clock in ms, and agents that send to each other; `lose(data, source, peer)` may drop a datagram.

    Streams: nobody takes connections while `tcp` is False; then whoever is there does, and peers and sources are
    (host, port, b"TCP" or b"TLS"), each one's own port standing for all its connections."""

    tcp = False
    gone = ()  # peers whose connections are

    def __init__(self):
        self.now_ms = 5
        self.agents = {}
        self.wire = []
        self.log = []  # (ms, sender, receiver, bytes), all that was ever sent
        self.lose = None

    def agent(self, host, **more):
        """A real Agent whose transport is this world."""
        agent = Agent(host, 5060, pack, None, timers=Timers(lambda: self.now_ms), **more)
        agent.transport = Wire(self, (host, 5060))
        self.agents[(host, 5060)] = agent
        return agent

    def phone(self, host, port=5060):
        """A place that only records: what is sent there is kept in `.got`, parsed."""
        phone = Phone(self, (host, port))
        self.agents[(host, port)] = phone
        return phone

    def deliver(self):
        """Hands over all datagrams under way, and those that they cause."""
        count = 0
        while self.wire:
            count += 1
            assert count < 500, "the agents send to each other for ever"
            source, peer, data = self.wire.pop(0)
            place = peer[:2]
            if place in self.agents and not (self.lose and self.lose(data, source, peer)):
                self.agents[place].receive(data, source)

    def run(self, ms):
        """Lets `ms` pass, deadline by deadline."""
        end = self.now_ms + ms
        self.deliver()
        while self.now_ms < end:
            step = end - self.now_ms
            for agent in self.agents.values():
                wait = agent.timers.run() if agent.timers is not None else -1
                if 0 <= wait < step:
                    step = wait
            self.deliver()
            self.now_ms += max(1, step)
        for agent in self.agents.values():
            if agent.timers is not None:
                agent.timers.run()
        self.deliver()

    def sent(self, start, since=0):
        """The times at which datagrams beginning with `start` were sent."""
        return [entry[0] for entry in self.log[since:] if entry[3].startswith(start)]


class Wire:
    reserve = []

    def __init__(self, world, source):
        self.world = world
        self.source = source
        self.broken = False

    @property
    def streams(self):
        return self if self.world.tcp else None

    def find(self, peer):
        """As of a stream.Streams: whoever is there has a connection, unless it is said to be gone."""
        return peer if peer[:2] in self.world.agents and peer not in self.world.gone else None

    def send(self, data, peer):
        if self.broken or len(peer) > 2 and not self.world.tcp:
            return False
        self.world.log.append((self.world.now_ms, self.source, peer, bytes(data)))
        self.world.wire.append((self.source + peer[2:3], peer, bytes(data)))
        return True

    def close(self):
        pass


class Phone:
    """The other side, by hand."""

    timers = None

    def __init__(self, world, address):
        self.world = world
        self.address = address
        self.got = []

    def receive(self, data, source):
        if data.strip():
            self.got.append(parse(data))

    def send(self, data, peer=("192.0.2.1", 5060)):
        self.world.wire.append((self.address, peer, data))
        self.world.deliver()

    def statuses(self):
        self.world.deliver()
        return [message.status for message in self.got if not message.is_request]

    def methods(self):
        self.world.deliver()
        return [message.method for message in self.got if message.is_request]

    def last(self, status=None, method=None):
        self.world.deliver()
        for message in reversed(self.got):
            if message.status == status if status else message.method == method:
                return message
        raise AssertionError("no %s among %s %s" % (status or method, self.methods(), self.statuses()))


def pack(host, port):
    if not host or not all([char in "0123456789." for char in host]):
        raise ValueError("'%s' is not an IPv4 address" % host)
    return (host, port)


SDP = b"""v=0\r
o=- 1 1 IN IP4 192.0.2.2\r
s=-\r
c=IN IP4 192.0.2.2\r
t=0 0\r
m=audio 4000 RTP/AVP 0 8 101\r
a=rtpmap:101 telephone-event/8000\r
"""


def request(method, sequence=1, branch=b"z9hG4bKa", to=b"<sip:door@192.0.2.1>", tag=b"me", call_id=b"c1", body=b"", more=(), uri=b"sip:door@192.0.2.1", host=b"192.0.2.2"):
    """A request as the phone at 192.0.2.2 writes it."""
    lines = [
        method + b" " + uri + b" SIP/2.0",
        b"Via: SIP/2.0/UDP " + host + b":5060;branch=" + branch,
        b"Max-Forwards: 70",
        b"From: <sip:phone@" + host + b">;tag=" + tag,
        b"To: " + to,
        b"Call-ID: " + call_id,
        b"CSeq: %d %s" % (sequence, method),
        b"Contact: <sip:phone@" + host + b":5060>",
    ]
    lines.extend(more)
    if body:
        lines.append(b"Content-Type: application/sdp")
    lines.append(b"Content-Length: %d\r\n" % len(body))
    return b"\r\n".join(lines) + b"\r\n" + body


def reply(to, status, tag=b"them", body=b"", more=(), contact=b"<sip:phone@192.0.2.2:5060>"):
    """A response of the phone to a request (a Message) of the agent."""
    from sip.message import response

    lines = ((b"Contact: " + contact,) if contact else ()) + tuple(more)
    return response(to, status, to_tag=tag, lines=lines, body=body, content_type=b"application/sdp" if body else None)
