"""Requests that go round: doors that send to each other, contacts that name the door itself. All end in 482 or 483 (RFC 3261
16.3) within 2 s of virtual time, whatever is forked on the way (RFC 5393), with a bounded number of messages and nothing kept."""

from house_sip import Home

SOON_MS = 2000


class Doors:
    """Two houses, at 192.0.2.1 and .2, that believe each other, and a caller who is believed by the first."""

    def __init__(self):
        self.one, self.two = Home(), Home()
        far = self.one.agent("192.0.2.2")
        far.house = self.two.house
        far.timers.clock = self.one.door.timers.clock
        self.agents = (self.one.door, far)
        self.one.trusted = self.two.trusted = ("192.0.2.1", "192.0.2.2", "192.0.2.11")
        self.two.now_s = self.one.now_s
        self.caller = self.one.member(b"101", 11)
        self.invite = None
        self.receive = self.caller.phone.receive
        self.caller.phone.receive = self._hear

    def _hear(self, data, source):
        self.receive(data, source)
        final = self.caller.got[-1]
        if final.status >= 300:
            ack = self.invite.replace(b"INVITE", b"ACK")
            at = ack.find(b"To: ")
            ack = ack[: at + 4] + final.get(3) + ack[ack.find(b"\r\n", at) :]
            self.one.wire.append((self.caller.phone.address, source, ack))

    def send_on(self, here, user, there, *others):
        """`user` of the first (1) or second (2) is at these users of the other."""
        home, peer = ((self.one, "192.0.2.2"), (self.two, "192.0.2.1"))[here - 1]
        for other in (there,) + others:
            home.bind(user, b"sip:%s@%s:5060" % (other, peer.encode()), (peer, 5060))

    def call(self, user=b"102", change=None):
        """-> (status that the caller has got within 2 s, how many messages that took)."""
        mark = len(self.one.log)
        data = self.caller.text(b"INVITE", b"sip:%s@192.0.2.1" % user, more=(b"Contact: " + self.caller.uri,))
        if change:
            data = data.replace(change[0], change[1], 1)
        del self.caller.got[:]
        self.invite = data
        self.caller.phone.send(data)
        self.one.run(SOON_MS)
        final = [one for one in self.caller.got if one.status >= 200]
        assert len(final) == 1, self.caller.phone.statuses()
        sent = len(self.one.log) - mark
        self.one.run(70000)
        for agent in self.agents:
            left = (len(agent.house.forwards), len(agent.transactions), len(agent.timers), agent.faults)
            assert left == (0, 0, 0, 0), left
        return final[0].status, sent


def test_doors_that_are_each_others_phones():
    doors = Doors()
    doors.send_on(1, b"102", b"103")
    doors.send_on(2, b"103", b"102")
    status, sent = doors.call()
    assert status == 482 and sent < 20, (status, sent)


def test_hops_run_out_before_a_loop_is_closed():
    doors = Doors()
    doors.send_on(1, b"102", b"103")
    doors.send_on(2, b"103", b"104")
    doors.send_on(1, b"104", b"101")
    doors.send_on(2, b"101", b"102")
    status, sent = doors.call(change=(b"Max-Forwards: 70", b"Max-Forwards: 2"))
    assert status == 483 and sent < 20, (status, sent)
    status, sent = doors.call()
    assert status == 482 and sent < 40, (status, sent)


def test_a_fork_that_comes_back_and_forks_again():
    # RFC 5393 3: each door asks all phones of the other, whichever is called.
    doors = Doors()
    everybody = b"101", b"102", b"103"
    for user in everybody:
        doors.send_on(1, user, *everybody)
        doors.send_on(2, user, *everybody)
    status, sent = doors.call()
    assert status == 482 and sent < 250, (status, sent)


def test_a_phone_rings_even_so():
    doors = Doors()
    everybody = b"102", b"103"
    for user in everybody:
        doors.send_on(1, user, *everybody)
        doors.send_on(2, user, *everybody)
    b = doors.one.member(b"102", 12)
    doors.one.bind(b"102", b.uri[1:-1], b.phone.address)
    doors.caller.phone.send(
        doors.caller.text(b"INVITE", b"sip:102@192.0.2.1", more=(b"Contact: " + doors.caller.uri,))
    )
    doors.one.run(400)
    assert b.phone.methods().count(b"INVITE") == 1
    b.reply(b.last(method=b"INVITE"), 200)
    assert doors.caller.last(200)


def test_a_contact_that_names_the_door():
    for contact in (
        b"sip:102@192.0.2.1", b"sip:102@192.0.2.1:5060;transport=tcp", b"sip:102@house", b"sip:100@HOUSE:5060", b"sip:192.0.2.1",
        b"sip:door@192.0.2.1", b"sip:103@192.0.2.1;maddr=192.0.2.1",
    ):  # fmt: skip
        home = Home()
        a, b = home.member(b"101", 11), home.member(b"102", 12)
        home.trusted = (a.host,)
        assert b.register(contact=b"<%s>" % contact).status == 200
        del b.got[:]
        mark = len(home.log)
        a.phone.send(a.text(b"INVITE", b"sip:102@192.0.2.1"))
        home.run(SOON_MS)
        assert a.phone.statuses() == [482] and not b.got and not home.calls, (contact, a.phone.statuses())
        assert len(home.log) - mark == 1 and not home.house.forwards


def test_a_3xx_to_the_door_itself():
    home = Home()
    a, b = home.member(b"101", 11), home.member(b"102", 12)
    home.trusted = (a.host,)
    b.register()
    for contact in (b"<sip:102@192.0.2.1>", b"<sip:102@house>, <sip:door@192.0.2.1>, <sip:100@house>"):
        a.phone.send(a.text(b"INVITE", b"sip:102@192.0.2.1", call_id=b"c%d" % len(contact)))
        b.reply(b.last(method=b"INVITE"), 302, more=(b"Contact: " + contact,), contact=False)
        assert a.phone.statuses()[-1] == 302 and not home.calls
    assert b.phone.methods().count(b"INVITE") == 2
