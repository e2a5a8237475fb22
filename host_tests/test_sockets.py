"""A board has ten sockets: the virtual one refuses the eleventh as lwIP does, and a door that has none left says so and lives on."""

import re
import socket

import pytest

from host_tests.rig.door import Door
from host_tests.rig.handset import accounts
from host_tests.rig.wire import Wire
from host_tests.test_house_streams import Connected

pytestmark = pytest.mark.needs("micropython")

ALL = "all sockets of this board are in use"


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("door")
    passwords = accounts(folder, [str(number) for number in range(101, 107)])
    # In 16M, for it is not about memory.
    with Door(folder, {"sip.mode": "house", "house.max_tcp": 4, "call.peers": "127.0.0.1"}, heap="16M") as door:
        door.console("import socket; held = []")
        door.passwords = passwords
        yield door


@pytest.fixture
def door(doors):
    """With the two sockets of SIP in use; what a test takes is given back."""
    yield doors
    doors.console("door.hangup()")
    doors.wait_no_call()
    doors.console("None if [one.close() for one in held] else None; held.clear()")


def take(door, n):
    """A program of one's own beside the door takes n sockets -> what was said of it."""
    return door.console("for _ in range(%d): held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))\r" % n)


def is_refused(said):
    return "OSError" in said and "23" in said.rpartition("OSError")[2]


def test_the_eleventh_is_refused_until_one_is_closed(door):
    assert "OSError" not in take(door, 8)
    assert is_refused(take(door, 1))
    assert is_refused(door.console("socket.socket()"))
    door.console("held.pop().close()")
    assert "OSError" not in take(door, 1)
    assert is_refused(take(door, 1))


def test_a_phone_s_connection_that_no_socket_is_left_for(door):
    assert "OSError" not in take(door, 8)
    phone = Connected("101", door.passwords["101"], door.address)
    try:
        assert phone.stream.recv(1) == b""  # closed, as lwIP does
        door.expect("No room for a phone's connection: " + ALL)
        door.console("held.pop().close()")
        phone.connect()
        assert phone.register().status == 200
        assert phone.register(0).status == 200
    finally:
        phone.close()


def test_a_call_has_no_rtcp_when_one_socket_is_left_and_the_next_has_it(door):
    assert "OSError" not in take(door, 7)
    with Wire((door.address, 5060), address="127.0.0.1") as peer:
        ok = peer.call()
        assert peer.receive_rtp()[0] == 0
        assert "no RTCP: its port is taken, or no socket is free" in door.wait_status("no RTCP")
        assert peer.bye(ok).status == 200
        door.wait_no_call()
        door.console("held.pop().close()")
        ok = peer.call()
        assert "no RTCP" not in door.wait_status("Sound: RTP")
        assert peer.bye(ok).status == 200


def test_no_call_without_a_socket_for_its_sound(door):
    assert "OSError" not in take(door, 8)
    with Wire((door.address, 5060), address="127.0.0.1") as peer:
        assert ALL in door.console("door.call(%r)" % peer.uri)
        assert peer.transact(peer.request("INVITE", body=peer.offer()), 500).status == 500
        door.expect("there is no port for sound: " + ALL)
        door.console("held.pop().close(); held.pop().close()")
        peer.fresh_call()
        ok = peer.call()
        assert "no RTCP" not in door.wait_status("Sound: RTP")
        assert peer.bye(ok).status == 200


def test_all_the_phones_there_may_be_a_call_and_an_address_for_one_more(door):
    """Two for SIP, four phones and one that was told 503, RTP and RTCP, the address of a new phone: ten."""
    phones = []
    try:
        for number in ("101", "102", "103", "104", "105"):
            phones.append(Connected(number, door.passwords[number], door.address))
            assert phones[-1].register().status == (503 if number == "105" else 200)
        door.press()
        for one in phones[:4]:
            asked = one.expect("INVITE")
            if one is phones[0]:
                one.send(one.answer(asked, 200, "OK", "h", one.offer()))
                one.expect("ACK")
            else:
                one.send(one.answer(asked, 486, "Busy Here", "h"))
        assert "no RTCP" not in door.wait_status("In a call")
        said = door.console("door.add_phone('hall')")
        host, port, path = re.search(r"http://([\d.]+):(\d+)(/\S+)", said).groups()
        assert fetch(host, int(port), path) == b""  # nobody is let in: that would be the eleventh
        door.console("door.hangup()")
        phones[0].expect("BYE")
        door.wait_no_call()
        assert fetch(host, int(port), path).startswith(b"HTTP/1.1 200")
        door.expect("hall has fetched its account")
    finally:
        for one in phones:
            one.close()


def fetch(host, port, path):
    with socket.create_connection((host, port), timeout=10) as s:
        try:
            s.sendall(("GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path).encode())
            data = b""
            while True:
                more = s.recv(4096)
                if not more:
                    return data
                data += more
        except ConnectionError:
            return b""


def test_a_server_that_no_socket_leads_to(tmp_path):
    with Door(tmp_path, heap="16M", dns="127.0.0.1:9") as door, socket.socket() as server:
        server.bind((door.address, 0))
        server.listen(1)
        door.console("import socket; held = []")
        assert "OSError" not in take(door, 8)
        door.console("door.set('sip.transport', 'tcp'); door.set('sip.server', '%s:%d')" % server.getsockname())
        door.expect("TCP: " + ALL)
        door.console("door.set('sip.server', 'pbx.example')")
        door.expect("pbx.example' cannot be looked up: " + ALL)
        door.console("door.set('sip.server', '%s:%d'); [one.close() for one in held]" % server.getsockname())
        server.settimeout(20)
        with server.accept()[0] as connection:
            connection.settimeout(10)
            assert connection.recv(8) == b"REGISTER"
