"""A house that hears anything: what phones say, broken at random, in the middle of what is under way. Nothing of it may be more than
refused or dropped, nothing may be kept for longer than its time, and phones that speak rightly go on."""

from house_sip import Home
from virtual_sip import SDP

from sip.message import ParseError, response
from sip.scan import H_RECORD_ROUTE

WOUNDS = (
    b"\r\n", b" ", b'"', b"<", b">", b";", b",", b":", b"%", b"\0", b"@", b"\xc3", b"99999999999", b"\r\nVia:", b"=", b"?", b"-1",
    b"\r\nRoute: <sip:192.0.2.1;lr;house=", b";lr", b"_", b"%4", b"*", b"sips:", b"\r\nContact: *", b"\r\nMax-Breadth: 1",
)  # fmt: skip


class Chance:
    """The same row of numbers on every interpreter."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = self.state * 1103515245 + 12345 & 0x7FFFFFFF
        return (self.state >> 8) % n

    def broken(self, data):
        """These bytes with up to three wounds."""
        data = bytearray(data)
        for _ in range(1 + self.below(3)):
            at = self.below(len(data))
            kind = self.below(4)
            if kind == 0:
                data[at] ^= 1 << self.below(8)
            elif kind == 1:
                data = data[:at] + data[at + self.below(30) :]
            else:
                data = data[:at] + WOUNDS[self.below(len(WOUNDS))] + data[at + self.below(3) * self.below(9) :]
            if not data:
                return b"\r\n"
        return bytes(data)


def said(home, a, b):
    """What the two say in a call, as (who, bytes): each is right where it stands."""
    a.invite(b"102")
    invite = b.last(method=b"INVITE")
    for status in (100, 180, 486, 302, 401, 200, 603):
        body = SDP if status == 200 else b""
        yield b, response(invite, status, to_tag=b"h102", lines=(b"Contact: " + b.uri, b"Record-Route: <sip:x;lr>"), body=body)
    yield a, a.text(b"CANCEL", b"sip:102@192.0.2.1", sequence=a.sequence, call_id=b"call-101")
    routes = [one for one in reversed(invite.all(H_RECORD_ROUTE))]
    for method in (b"BYE", b"ACK", b"INFO", b"REFER", b"MESSAGE", b"DANCE"):
        yield a, a.text(method, b"sip:102@192.0.2.12:5060", to_tag=b"h102", call_id=b"call-101", routes=routes, body=SDP)
    line = a.authenticator.line(b"REGISTER", b"sip:192.0.2.1")
    contact = b"Contact: " + a.uri + b';q=0.5;+sip.instance="<urn:uuid:1>";reg-id=1;expires=300'
    yield a, a.text(b"REGISTER", b"sip:192.0.2.1", to=b"sip:101@house", more=(contact, b"Supported: path, outbound", line, b"Path: <sip:x;lr>"))
    yield a, a.text(b"INVITE", b"sip:100@house", call_id=b"more", more=(b"Max-Breadth: 9", contact, b"Proxy-Require: x", b"Route: <sip:192.0.2.1;lr>"))
    yield a, a.text(b"OPTIONS", b"sip:192.0.2.1", call_id=b"options")
    yield a, b"\0\1\0\0\x21\x12\xa4\x42" + b"0123456789ab"


def hearing(receive):
    """A phone that bears with what is no SIP."""

    def hear(data, source):
        try:
            receive(data, source)
        except ParseError:
            pass

    return hear


def test_whatever_is_heard():
    faults = []
    chance = Chance(3261)
    home = Home()
    home.door.print_fault = faults.append
    home.tcp = True
    sizes = (len(home.house.asked), len(home.house.answered))
    a, b = home.member(b"101", 11), home.member(b"102", 12)
    b.phone.address += (b"TCP",)
    for member in (a, b):
        member.phone.receive = hearing(member.phone.receive)
    for _ in range(5):
        del a.got[:], b.got[:]
        home.house.wrong.clear()
        home.trusted = ()
        a.authenticator._answers.clear()
        b.authenticator._answers.clear()
        assert a.register().status == 200 and b.register().status == 200
        home.trusted = (a.host,)
        for who, data in said(home, a, b):
            broken = chance.broken(data)
            who.phone.send(broken)
            home.wire.append((who.phone.address, ("192.0.2.1", 5060), data if chance.below(3) == 0 else chance.broken(broken)))
            home.deliver()
            assert not faults, (faults, broken)
        home.run(100)
        house = home.house
        assert len(house.forwards) <= 8 and len(house.bindings) <= 24 and len(home.door.transactions) <= 16
        assert len(house.wrong) <= 8 and sizes == (len(house.asked), len(house.answered))
        for call in list(home.calls):
            call.hangup()
        home.run(400000)
        assert not faults and not house.forwards, faults
        del house.bindings[:]
