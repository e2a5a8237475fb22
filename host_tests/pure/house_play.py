"""Rows of a table, played in the house that exists only in the tests: what each phone sends, and what must come out of the door.

A row is words, one after the other. a, b, c, d are phones 101 to 104 at 192.0.2.11 to .14; a calls, without a
password, and is not registered.

    b@102;q=0.5   before all else: this phone is 102, with parameters of its Contact; b@102,tcp: on a connection
    a>102         a sends INVITE for 102; a>102/MESSAGE another method; a>> the same once more
    a!            a sends CANCEL for it; a!SIP;cause=200 with a Reason
    b180          b answers the newest INVITE (or other first request) that it has; b180#x with the To tag x; b302>103 with a Contact
    b200*         b answers the newest CANCEL
    t500          500 ms pass
    =a:100,180    a has got these responses since it was asked last, and nothing else; =b:INVITE,CANCEL these requests, =b: none.
                  INVITE*7 is seven of them
    b~cause=200   the newest that b has got has this in it; b^Route: has it not

In the end 80 s pass, in which nothing comes that was not said: then nobody has got anything more, and the door has forgotten all."""

from house_sip import Home
from sip.message import parse
from virtual_sip import SDP


class Play:
    """One row; `run()` raises AssertionError with its words."""

    def __init__(self, place, words, home=None):
        self.place = place
        self.words = words.split()
        self.home = home or Home()
        self.members = {}
        self.seen = {}
        self.data = None
        self.tcp = []
        numbers = {name: "%d" % (101 + k) for k, name in enumerate("abcd")}
        parameters = {}
        while "@" in self.words[0]:
            name, number = self.words.pop(0).split("@")
            if number.endswith(",tcp"):
                number = number[:-4]
                self.tcp.append(name)
                self.home.tcp = True
            numbers[name], _, parameters[name] = number.partition(";")
        for k, name in enumerate("abcd"):
            member = self.home.member(numbers[name].encode(), 11 + k)
            if name in self.tcp:
                member.phone.address += (b"TCP",)
            self.members[name] = member
            self.seen[name] = 0
            if name == "a":
                continue  # who calls need not be registered
            self.home.bind(
                member.user, b"sip:%s@%s:5060" % (member.user, member.host.encode()), member.phone.address, parameters.get(name, "")
            )
        caller = self.members["a"]
        self.home.trusted = (caller.host,)
        receive = caller.phone.receive

        def hear(data, source):
            receive(data, source)
            self._acknowledge()

        caller.phone.receive = hear

    def run(self):
        try:
            for word in self.words:
                self._step(word)
            self.home.run(80000)
            for name in "abcd":
                left = self._new(name)
                assert not left, "%s has got %s" % (name, left)
            left = (len(self.home.house.forwards), len(self.home.door.transactions), len(self.home.door.timers), self.home.door.faults)
            assert left == (0, 0, 0, 0), "forwards, transactions, timers, faults are left: %s" % (left,)
        except AssertionError as error:
            raise AssertionError("%s: %s: %s" % (self.place, " ".join(self.words), error))

    def _step(self, word):
        name, do = word[0], word[1:2]
        if name == "t":
            self.home.run(int(word[1:]))
        elif name == "=":
            self._check(word[1], word[3:])
        elif do == "~" or do == "^":
            data = self.members[name].got[-1].data
            assert (word[2:].encode() in data) == (do == "~"), "%s is %sthere:\n%s" % (word[2:], "not " * (do == "~"), data.decode())
        elif do == ">":
            self._send(name, word[2:])
        elif do == "!":
            more = (b"Reason: " + word[2:].encode(),) if word[2:] else ()
            self._send_data(name, self._of_invite(b"CANCEL", parse(self.data), None, more))
        else:
            self._answer(self.members[name], word[1:])

    def _send(self, name, what):
        member = self.members[name]
        if what != ">":
            number, _, method = what.partition("/")
            method = method.encode() or b"INVITE"
            more = (b"Contact: " + member.uri,) if method == b"INVITE" else ()
            self.data = member.text(method, b"sip:%s@192.0.2.1" % number.encode(), call_id=b"call", body=SDP, more=more)
        self._send_data(name, self.data)

    def _send_data(self, name, data):
        if name in self.tcp:
            data = data.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP", 1)
        self.members[name].phone.send(data)

    def _of_invite(self, method, invite, to=None, more=()):
        lines = more + (
            b"Via: " + invite.vias[0], b"Max-Forwards: 70", b"From: " + invite.get(2),
            b"To: " + (to or invite.get(3)), b"Call-ID: " + invite.call_id, b"CSeq: %d %s" % (invite.cseq, method),
            b"Content-Length: 0\r\n\r\n",
        )  # fmt: skip
        return b"%s %s SIP/2.0\r\n" % (method, invite.uri) + b"\r\n".join(lines)

    def _acknowledge(self):
        # As a caller does: each refusal of an INVITE.
        caller = self.members["a"]
        message = caller.got[-1]
        if message.status >= 300 and message.cseq_method == b"INVITE":
            ack = self._of_invite(b"ACK", parse(self.data), message.get(3))
            self.home.wire.append((caller.phone.address, ("192.0.2.1", 5060), ack))

    def _answer(self, member, what):
        status = int(what[:3])
        rest = what[3:]
        method = b"CANCEL" if rest == "*" else None
        for request in reversed(member.got):
            if request.is_request and (request.method == method if method else request.method not in (b"CANCEL", b"ACK")):
                break
        else:
            raise AssertionError("there is no request for %s" % what)
        more = ()
        if rest[:1] == ">":
            more = (b"Contact: <sip:%s@192.0.2.1>" % rest[1:].encode(),)
        if status in (401, 407):
            more = (b'%s-Authenticate: Digest realm="%s", nonce="1"' % (b"WWW" if status == 401 else b"Proxy", member.host.encode()),)
        if status == 503:
            more = (b"Retry-After: 1",)
        tag = rest[1:].encode() if rest[:1] == "#" else None
        member.reply(request, status, more, tag=tag, contact=not more, body=SDP if status == 200 and not method else b"")

    def _new(self, name):
        self.home.deliver()
        got = self.members[name].got
        new = got[self.seen[name] :]
        self.seen[name] = len(got)
        return [message.method.decode() if message.is_request else str(message.status) for message in new]

    def _check(self, name, wanted):
        expected = []
        for one in wanted.split(",") if wanted else ():
            one, _, times = one.partition("*")
            expected += [one] * int(times or 1)
        got = self._new(name)
        assert got == expected, "%s has got %s, not %s" % (name, got, expected)


def play(rows):
    """Plays all of [(place in the RFC, words), ...]."""
    for place, words in rows:
        Play(place, words).run()
