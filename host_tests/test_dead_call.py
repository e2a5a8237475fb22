"""A call whose other side is gone ends, one that is silent for a reason does not; and what routers read in the door's packets."""

import socket
import struct
import time

import pytest

from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.wire import Wire

pytestmark = pytest.mark.needs("micropython")

_RR = b"\x80\xc9\0\1\x51\xd0\0\1"
_TOS = {"RTP": 46 << 2, "RTCP": 46 << 2, "SIP": 26 << 2}


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    """Four of them, so that one wait does for all."""
    found = []
    try:
        for _ in range(4):
            found.append(Door(tmp_path_factory.mktemp("door"), {"rtp.timeout_s": 5}, heap=BURST_HEAP))
        yield found
    finally:
        for door in found:
            door.stop()


def _with_direction(wire, direction):
    return wire.offer() + b"a=" + direction + b"\r\n"


def _modify(wire, ok, cseq, direction):
    again = wire.request("INVITE", uri=wire.contact(ok), to_tag=ok.to_tag, cseq=cseq,
                         body=_with_direction(wire, direction).replace(b"o=wire 1 1", b"o=wire 1 %d" % cseq))
    wire.ack(wire.transact(again, 200, cseq="%d INVITE" % cseq), cseq)


def test_who_is_gone_and_who_is_silent(doors):
    wires = [Wire((door.address, 5060)) for door in doors]
    try:
        calls = [wire.call() for wire in wires]
        gone, reporting, holding, held = wires
        control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        control.bind((reporting.address, 7001))
        for i in range(20):  # all but one talk for a moment
            for wire, ok in zip(wires[1:], calls[1:]):
                wire.send_rtp(ok.media, i)
            time.sleep(0.02)
        _modify(holding, calls[2], 2, b"inactive")
        doors[3].hold()
        again = held.expect("INVITE")
        held.send(held.answer(again, 200, "OK", again.to_tag, _with_direction(held, b"recvonly")))
        held.expect("ACK")
        host, port = calls[1].media
        begun = time.monotonic()
        while time.monotonic() < begun + 7.5:
            control.sendto(_RR, (host, port + 1))
            time.sleep(0.5)
        assert "Nothing has come from %s for 5 s" % gone.address in doors[0].said()
        bye = gone.expect("BYE")
        gone.send(gone.answer(bye, 200, "OK"))
        doors[0].wait_no_call()
        for door in doors[1:]:
            assert "In a call" in door.status()
            assert "Nothing has come" not in door.said()
        # Who goes on and sends nothing is gone, from when it ought to.
        resumed = time.monotonic()
        _modify(holding, calls[2], 3, b"sendrecv")
        bye = holding.expect("BYE", timeout_s=10)
        assert 4.5 < time.monotonic() - resumed < 8
        holding.send(holding.answer(bye, 200, "OK"))
        doors[2].wait_no_call()
        # ... and who sent reports, and no longer does
        bye = reporting.expect("BYE", timeout_s=1)
        reporting.send(reporting.answer(bye, 200, "OK"))
        held.bye(calls[3])
        control.close()
    finally:
        for wire in wires:
            wire.close()
        for door in doors:
            door.settle()


def _tos(sock):
    """-> the TOS byte of the next packet at a socket that IP_RECVTOS was set on."""
    sock.settimeout(10)
    _, about, _, _ = sock.recvmsg(2048, 64)
    for level, kind, data in about:
        if level == socket.IPPROTO_IP and kind == socket.IP_TOS:
            return data[0]
    raise AssertionError("no TOS came with the packet")


def _listen(wire):
    control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    control.bind((wire.address, 7001))
    sockets = {"RTP": wire.rtp, "RTCP": control, "SIP": wire.socket}
    for sock in sockets.values():
        sock.setsockopt(socket.IPPROTO_IP, 13, 1)  # IP_RECVTOS
    return sockets


def _marks(wire, door):
    sockets = _listen(wire)
    wire.call()
    found = {name: _tos(sock) for name, sock in sockets.items() if name != "SIP"}
    door.hangup()
    found["SIP"] = _tos(sockets["SIP"])
    bye = wire.expect("BYE", timeout_s=2)
    wire.send(wire.answer(bye, 200, "OK"))
    sockets["RTCP"].close()
    return found


def test_routers_see_what_is_sound_and_what_is_signalling(doors):
    with Wire((doors[0].address, 5060)) as wire:
        assert _marks(wire, doors[0]) == _TOS


def test_a_connection_is_marked_too(doors):
    try:
        sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    except OSError:
        pytest.skip("needs root: it looks at the packets themselves")
    with sniffer, Wire((doors[0].address, 5060)) as wire:
        sniffer.bind(("lo", 0))
        sniffer.settimeout(5)
        with socket.create_connection((doors[0].address, 5060), 5) as connection:
            request = wire.request("OPTIONS").replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
            connection.sendall(request)
            assert b" 200 " in connection.recv(4000)
            port = connection.getsockname()[1]
        seen = set()
        end = time.monotonic() + 5
        while not seen and time.monotonic() < end:
            packet = sniffer.recv(4000)
            at = (packet[0] & 15) * 4
            if packet[9] == 6 and struct.unpack_from("!HH", packet, at) == (5060, port) and len(packet) > at + 60:
                seen.add(packet[1])
        assert seen == {26 << 2}


def test_marks_can_be_left_out(tmp_path):
    with Door(tmp_path, {"net.dscp": "off"}, heap=BURST_HEAP) as door, Wire((door.address, 5060)) as wire:
        assert _marks(wire, door) == {"RTP": 0, "RTCP": 0, "SIP": 0}
