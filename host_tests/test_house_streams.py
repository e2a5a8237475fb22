"""The house on real sockets, on the Unix port: phones over UDP and by connections, how many there may be, and connections that
break. What is said by whom is in pure/test_house_flows.py; here it is about sockets."""

import re
import socket
import struct
import time

import pytest

from host_tests.rig import speech
from host_tests.rig.alone import Alone
from host_tests.rig.baresip import Baresip
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.handset import Handset
from host_tests.rig.linphone import Linphone
from host_tests.rig.wire import Message

pytestmark = pytest.mark.needs("micropython")


class Connected(Handset):
    """A Handset that sends and is reached by one TCP connection."""

    def __init__(self, user, password, host):
        super().__init__(user, password, host)
        self.stream = None
        self.got = b""
        self.connect()

    def connect(self):
        """A new connection, from a port of its own, which is that of its Contact too."""
        self.stream = socket.socket()
        self.stream.bind((self.address, 0))
        self.stream.connect(self.target)
        self.port = self.stream.getsockname()[1]
        self.got = b""

    @property
    def uri(self):
        return super().uri + ";transport=tcp"

    def send(self, data):
        self.stream.sendall(data.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP", 1) if not data.startswith(b"SIP/2.0 ") else data)

    def receive(self, timeout_s=5):
        end = time.monotonic() + timeout_s
        while True:
            self.got = self.got.lstrip(b"\r\n")
            head, found, rest = self.got.partition(b"\r\n\r\n")
            if found:
                size = len(head) + 4 + int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
                if len(self.got) >= size:
                    data, self.got = self.got[:size], self.got[size:]
                    return Message(data)
            self.stream.settimeout(max(0.001, end - time.monotonic()))
            try:
                more = self.stream.recv(4096)
            except socket.timeout:
                return None
            assert more, "closed by the house"
            self.got += more

    def cut(self):
        """The connection is reset, as by a phone that lost its power and is back."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.close()

    def close(self):
        self.stream.close()
        super().close()


@pytest.fixture
def house():
    with Alone("house") as house:
        house.phones = []
        yield house
        counts = house.counts()
        for phone in house.phones:
            phone.close()
        assert counts["faults"] == 0 and counts["out_of_memory"] == 0, counts


def phone(house, number, kind=Handset):
    made = kind(str(number), "secret-of-%d" % number, house.address)
    house.phones.append(made)
    return made


def invite(caller, number):
    """Sends an INVITE for this number."""
    caller.fresh_call()
    caller.send(caller.request("INVITE", "sip:%d@%s" % (number, caller.target[0]), body=caller.offer()))


def test_twenty_phones_over_udp_three_by_connections_and_no_more(house):
    over_udp = [phone(house, number) for number in range(101, 121)]
    for one in over_udp:
        assert one.register().status == 200
    connected = [phone(house, number, Connected) for number in (121, 122, 123)]
    for one in connected:
        assert one.register().status == 200
    late = phone(house, 124, Connected)
    for _ in range(2):
        answer = late.register()
        assert answer.status == 503 and "register over UDP" in answer.reason and answer.get("retry-after") == "60"
    counts = house.counts()
    assert counts["bindings"] == 23 and counts["flows"] <= 4, counts
    told = [words for words in counts["said"] if "is registered" not in words]
    assert len(told) == 1 and "house.max_tcp" in told[0], counts
    # Whoever else connects is heard, too, and those that are registered keep what they have.
    another = phone(house, 125, Connected)
    assert another.register().status == 503
    assert all(one.register().status == 200 for one in connected)
    # All 23 ring, on what they have registered by.
    caller = phone(house, 130)
    invite(caller, 100)
    for one in over_udp + connected:
        ringing = one.expect("INVITE")
        one.send(one.answer(ringing, 486, "Busy Here", "h"))
        one.expect("ACK")
    assert caller.expect(486)
    # One goes, and there is room.
    connected[0].cut()
    house.wait(flows=3)
    late.connect()
    assert late.register().status == 200


def test_a_call_to_a_connection_and_all_that_follows(house):
    a, b = phone(house, 101), phone(house, 102, Connected)
    b.register()
    invite(a, 102)
    asked = b.expect("INVITE")
    assert asked.uri == "sip:102@%s:%d;transport=tcp" % (b.address, b.port)
    b.send(b.answer(asked, 180, "Ringing", "h"))
    assert a.expect(180)
    b.send(b.answer(asked, 200, "OK", "h", b.offer()))
    ok = a.expect(200)
    routes = ok.all("record-route")
    assert len(routes) == 2
    back = ["Route: " + one for one in reversed(routes)]
    a.send(a.request("ACK", a.contact(ok), 1, ok.to_tag, headers=back))
    b.expect("ACK")
    # Who was called hangs up: over its connection to the house, from there over UDP.
    bye = b.request("BYE", a.uri, 1, headers=["Route: " + one for one in asked.all("record-route")], call_id=a.call_id, tag="h", to_tag=a.tag)
    b.send(bye)
    heard = a.expect("BYE")
    a.send(a.answer(heard, 200, "OK"))
    assert b.expect(200).get("cseq") == "1 BYE"
    # Line breaks ask for one (RFC 5626 4.4.1).
    b.stream.sendall(b"\r\n\r\n")
    b.stream.settimeout(5)
    assert b.stream.recv(100) == b"\r\n"


def test_a_connection_that_breaks_is_no_way_any_more(house):
    a, b = phone(house, 101), phone(house, 102, Connected)
    b.register()
    invite(a, 102)
    b.expect("INVITE")
    began = time.monotonic()
    b.cut()
    assert a.expect(480) and time.monotonic() - began < 1
    invite(a, 102)
    assert a.expect(480) and time.monotonic() - began < 2
    b.connect()
    assert b.register().status == 200
    invite(a, 102)
    assert b.expect("INVITE")


@pytest.mark.needs("baresip", "espeak-ng")
@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_a_real_phone_that_keeps_its_flow(house, tmp_path, kind):
    a = phone(house, 101)
    with Baresip(tmp_path, speech.wav("phone", 8000), user="102", registrar=house.address, password="secret-of-102", answers="manual",
                 transport=kind, keeps_flow=True) as b:
        assert house.counts()["flows"] == (kind == "tcp")
        invite(a, 102)
        b.wait("CALL_INCOMING")
        assert a.expect(180)
        b.accept()
        ok = a.expect(200)
        back = ["Route: " + one for one in reversed(ok.all("record-route"))]
        assert len(back) == (2 if kind == "tcp" else 0)
        ack = a.request("ACK", a.contact(ok), 1, ok.to_tag, headers=back)
        if back:
            a.send(ack)  # its Contact leads nowhere, but its flow does
        else:
            a.socket.sendto(ack, (b.address, b.port))
        b.wait("CALL_ESTABLISHED")
        b.hangup()
        a.send(a.answer(a.expect("BYE"), 200, "OK"))
        b.wait("CALL_CLOSED")
        said = b.process.said()
        assert "reg-id=1" in said and "Require: outbound" in said


def test_keep_alives_over_udp(house):
    a = phone(house, 101)
    ask = b"\0\1\0\0\x21\x12\xa4\x42" + b"0123456789ab"
    a.send(ask)
    assert a.nothing(0.3)
    a.register()
    a.send(ask)
    a.socket.settimeout(5)
    answer = a.socket.recv(100)
    assert answer[:4] == b"\1\1\0\x0c" and answer[4:20] == ask[4:]
    port, address = struct.unpack("!H4s", answer[26:])
    assert port ^ 0x2112 == a.port
    assert socket.inet_ntoa(bytes(x ^ y for x, y in zip(address, ask[4:8]))) == a.address


def test_the_door_rings_a_phone_by_its_connection_and_says_when_that_is_gone(tmp_path):
    with Door(tmp_path, {"sip.mode": "house"}, heap=BURST_HEAP) as door:
        said = door.console('door.add_phone("kitchen")')
        number, password = re.search(r"account +(\S+)\n +password +(\S+)", said).groups()
        with Connected(number, password, door.address) as one:
            assert one.register().status == 200
            door.expect("%s (kitchen) is registered" % number)
            door.press()
            ringing = one.expect("INVITE")
            one.send(one.answer(ringing, 180, "Ringing", "h"))
            door.hangup()
            one.send(one.answer(one.expect("CANCEL"), 200, "OK", "h"))
            one.send(one.answer(ringing, 487, "Request Terminated", "h"))
            one.expect("ACK")
            listed = door.console("door.phones()")
            assert "%s:%d over TCP" % (one.address, one.port) in listed and "gone" not in listed, listed
            one.cut()
            listed = door.console("door.phones()")
            assert "its connection is gone" in listed, listed
            door.press()
            door.wait_no_call()


@pytest.mark.needs("baresip", "linphonec", "espeak-ng")
def test_real_phones_on_connections_call_each_other(house, tmp_path):
    sound = speech.wav("phone", 8000)
    with Baresip(tmp_path / "b", sound, user="101", registrar=house.address, password="secret-of-101", answers="manual", transport="tcp") as b, \
            Linphone(tmp_path / "l", sound, user="102", registrar=house.address, password="secret-of-102", answers="manual",
                     transport="tcp", realm="house") as l:
        house.wait(bindings=2, flows=2)
        b.dial("sip:102@%s;transport=tcp" % house.address)
        l.expect("Receiving new incoming call")
        l.say("answer")
        b.wait("CALL_ESTABLISHED")
        b.hangup()
        l.expect("ended")
        l.say("call sip:101@" + house.address)
        b.wait("CALL_INCOMING")
        b.accept()
        l.expect("connected")
        l.hangup()
        b.wait("CALL_CLOSED")
        house.wait(forwards=0)
