"""A call between an agent and a phone played by hand, up, in virtual time."""

from virtual_sip import SDP, World, reply, request

from sip.sdp import parse as parse_sdp


class Log:
    """Collects a call's events."""

    def __init__(self):
        self.events = []

    def __call__(self, call, event):
        self.events.append(event)


def calling():
    """The door calls a phone played by hand: (world, agent, phone, call, log, the INVITE)."""
    world = World()
    agent = world.agent("192.0.2.1")
    phone = world.phone("192.0.2.2")
    log = Log()
    call = agent.call("sip:phone@192.0.2.2", "192.0.2.1", 5000, log)
    return world, agent, phone, call, log, phone.last(method=b"INVITE")


def each_third():
    """For World.lose: of three datagrams the first is lost."""
    count = [0]

    def lose(data, source, peer):
        count[0] += 1
        return count[0] % 3 == 1

    return lose


class There:
    """A phone played by hand in a call that is up; `incoming`: it called the door."""

    def __init__(self, incoming, body=SDP, answer=SDP, more=(), session_expires_s=0):
        self.world = World()
        self.agent = self.world.agent("192.0.2.1", on_call=self._answer)
        self.agent.session_expires_s = session_expires_s
        self.phone = self.world.phone("192.0.2.2")
        self.sequence = 0
        self.log = Log()
        if incoming:
            self.phone.send(request(b"INVITE", body=body, more=more))
            self.first = self.phone.last(200)
            self.to = self.first.get(3)
            self.tag, self.call_id = b"me", b"c1"
            self.sequence = 1
            self.ack(1)
        else:
            self.call = self.agent.call("sip:phone@192.0.2.2", "192.0.2.1", 5000, self.log)
            self.first = self.phone.last(method=b"INVITE")
            self.phone.send(reply(self.first, 200, body=answer, more=more))
            self.to, self.tag, self.call_id = self.first.get(2), b"them", self.first.call_id
        self.call = self.agent.calls[0]
        assert self.call.state == "up"
        del self.phone.got[:]
        del self.log.events[:]

    def _answer(self, call):
        call.on_event = self.log
        call.answer("192.0.2.1", 5000)

    def ask(self, method, body=b"", more=(), sequence=None):
        """A request of the phone inside the call; the newest response to it, None when there is none."""
        if sequence is None:
            self.sequence = sequence = self.sequence + 1
        known = len(self.phone.got)
        # From has the phone's URI as request() writes it: tags and Call-ID are what counts
        self.phone.send(request(method, sequence, b"z9hG4bK%s%d" % (method, sequence), self.to, self.tag, self.call_id, body, more))
        self.world.deliver()
        answers = [one for one in self.phone.got[known:] if one.status]
        return answers[-1] if answers else None

    def ack(self, sequence=None, body=b""):
        self.phone.send(request(b"ACK", sequence or self.sequence, b"z9hG4bKack%d" % self.sequence, self.to, self.tag, self.call_id, body))

    def answer(self, status, body=b"", more=(), method=b"INVITE"):
        """The phone's response to the newest request of the door's; gives that request."""
        asked = self.phone.last(method=method)
        self.phone.send(reply(asked, status, body=body, more=more))
        return asked

    def direction(self, message):
        return parse_sdp(message.body).media[0].direction

    def version(self, message):
        return int(parse_sdp(message.body).origin.split()[2])

    def is_quiet(self):
        """All is over: nothing lies in any table, and no fault was met."""
        self.call.hangup()
        self.world.run(70000)
        agent = self.agent
        return not agent.calls and not len(agent.transactions) and not len(agent.timers) and not agent.faults
