"""The first phone in a minute: door.add_phone() opens an address, a phone fetches its account there, registers and is rung."""
import http.client
import re
import socket
import time

import pytest

from host_tests.rig import speech
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.linphone import Linphone
from host_tests.test_qr_codes import seen

pytestmark = pytest.mark.needs("micropython")


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with Door(tmp_path_factory.mktemp("door"), {"sip.mode": "house"}, heap=BURST_HEAP) as door:
        yield door


class Offer:
    """What door.add_phone() prints, and the way to its address."""

    def __init__(self, door, name):
        self.said = door.console('door.add_phone("%s")' % name)
        self.number = re.search(r"account +(\d+)\n", self.said).group(1)
        self.password = re.search(r"password +(\S+)\n", self.said).group(1)
        self.address = re.search(r"http://\S+", self.said).group(0)
        self.host, self.port, self.path = re.match(r"http://([\d.]+):(\d+)(/\S+)", self.address).groups()

    def ask(self, method="GET", path=None, headers=()):
        """-> (status, body)"""
        connection = http.client.HTTPConnection(self.host, int(self.port), timeout=10)
        try:
            connection.request(method, path or self.path, headers=dict(headers))
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()


def test_once_and_to_nobody_else(door):
    offer = Offer(door, "hall")
    assert len(offer.path) == 17 and offer.host == door.address
    for _ in range(3):
        assert offer.ask(path="/") == (404, "")
    assert offer.ask(path=offer.path[:-1] + "-")[0] == offer.ask(method="POST")[0] == 404
    with socket.create_connection((offer.host, int(offer.port))) as silent:
        silent.send(b"GET ")                    # and goes
    with socket.create_connection((offer.host, int(offer.port))) as endless:
        endless.send(b"GET %s HTTP/1.1\r\nX: " % offer.path.encode() + b"x" * 1200)
        try:
            assert endless.recv(100)[:13] in (b"HTTP/1.1 431 ", b"")
        except ConnectionResetError:            # it hangs up on what it has not read
            pass
    assert offer.ask(headers={"Accept": "text/html"})[0] == 403
    status, body = offer.ask()
    assert status == 200 and ">%s<" % offer.number in body and ">%s<" % offer.password in body
    door.expect("hall has fetched its account")
    with pytest.raises(ConnectionRefusedError):
        offer.ask()
    assert "Traceback" not in door.said()


def test_another_takes_its_place(door):
    first = Offer(door, "one")
    second = Offer(door, "two")
    assert first.path != second.path
    assert first.port == second.port and first.ask()[0] == 404
    assert second.ask()[0] == 200
    door.expect("two has fetched its account")


def test_it_closes_with_what_it_offers(door):
    """A line at the prompt, and what is said of it; what is no more than another setting leaves it open."""
    for line, words in (
        ('door.remove_phone("%s")', "is no phone of this house any more"),
        ('door.add_phone("%s")', "has a new password"),
        ('door.set("house.realm", "other")', "its address is closed"),
        ('door.set("sip.mode", "pbx")', "its address is closed"),
    ):
        offer = Offer(door, "shed")
        door.set("house.max_tcp", 2)
        door.forget()
        said = door.console(line.replace("%s", "shed"))
        assert words in said or words in door.expect(words), said
        if "add_phone" in line:
            assert offer.ask()[0] == 404                    # that of the new one is open
            door.console('door.remove_phone("shed")')
        with pytest.raises(ConnectionRefusedError):
            offer.ask()
        for key in ("sip.mode", "house.realm"):
            door.set(key, {"sip.mode": "house"}.get(key))
        door.wait_status("This door is the PBX of its house")
        door.console('door.remove_phone("shed")')
    assert "Traceback" not in door.said()


def test_nothing_of_it_stays(door):
    def used():
        return int(re.search(r"\d+", door.console("gc.collect(); print(gc.mem_alloc())")).group(0))

    door.console("import gc")
    after = []
    for name in ("three", "four"):
        offer = Offer(door, name)
        opened = used()
        offer.ask()
        door.expect(name + " has fetched its account")
        end = time.monotonic() + 10
        while used() > opened - 1000:           # the interpreter's stack still points at this and that for a moment
            assert time.monotonic() < end, (opened, used())
            door.status()
        after.append(used())
    assert after[1] - after[0] < 200, after


def test_lines_that_take_their_time_are_lines_for_print_too(door):
    out = door.console('from door.console import Lines; print(Lines(iter(("a", None, None, "b"))))')
    assert out == "a\nb"


@pytest.mark.needs("segno", "zxingcpp")
def test_the_picture_on_the_terminal(door):
    import zxingcpp
    offer = Offer(door, "picture")
    lines = [line for line in offer.said.split("\n") if "█" in line or "▀" in line]
    assert all(len(line) <= 80 for line in offer.said.split("\n"))
    image = seen(["m%s\x1b[0m" % line for line in lines], (255, 0), 0)
    assert [one.text for one in zxingcpp.read_barcodes(image)] == [offer.address]


@pytest.mark.needs("linphonec", "espeak-ng")
def test_from_the_prompt_to_the_ringing_phone(tmp_path):
    sound = speech.wav("phone", 8000)
    with Door(tmp_path / "door", {"sip.mode": "house"}, heap=BURST_HEAP) as door:
        offer = Offer(door, "kitchen")
        with Linphone(tmp_path / "phone", sound, provision=offer.address) as phone:
            door.expect("kitchen has fetched its account")
            door.expect("%s (kitchen) is registered" % offer.number)
            phone.plays(sound)
            door.press()
            door.expect("In a call with")
            door.wait_flow()
            # And another is told its account while they talk.
            another = Offer(door, "office")
            assert another.ask()[0] == 200
            door.expect("office has fetched its account")
            door.wait_flow()
            phone.hangup()
            door.wait_no_call()
            phone.say("quit")
            phone.process.wait(10)
        assert "Traceback" not in door.said()
    rc = (tmp_path / "phone/rc").read_text()
    assert offer.address not in rc, rc          # it will not ask again


def test_the_way_out_closes_it(door):
    offer = Offer(door, "last")
    door.leave()
    with pytest.raises(ConnectionRefusedError):
        offer.ask()
    door.enter()
