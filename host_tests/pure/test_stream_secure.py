"""A stream whose packets are secret: with a peer that has the keys, with one that has not, and no byte of heap."""

import gc
import math
from array import array

from media import g711, keying, rtcp, tables
from media.stream import Stream
from own_net import NET
from test_media_stream import HOST, PLAIN, Audio, Call, Peer, _level, late, lost, mem_total, pack, ticker, unpack

OURS = bytes(range(30))
THEIRS = bytes(range(100, 130))


class More:
    """As much of sip.dialog.Negotiated."""

    def __init__(self, keys):
        self.keys = keys


class Secret(Peer):
    """A peer with keys."""

    def __init__(self, keys=(10, THEIRS, OURS), host=NET + "2"):
        super().__init__(host)
        self.srtp = keying.secured(None, keys, 500)
        self.refused = 0

    def seal(self, packet):
        return bytes(self.srtp.protect(packet))

    def send(self, payload=b"\xff" * 160, payload_type=0, samples=160):
        packet = bytes([0x80, payload_type]) + (self.sequence & 0xFFFF).to_bytes(2, "big")
        packet += (self.timestamp & 0xFFFFFFFF).to_bytes(4, "big") + self.ssrc + payload
        packet = self.seal(packet)
        self.socket.sendto(packet, self.at)
        self.sequence += 1
        self.timestamp += samples
        return packet

    def receive(self):
        packets = []
        for packet in super().receive():
            packet = bytearray(packet)
            end = self.srtp.unprotect(packet, 0, len(packet))
            if end < 0:
                self.refused += 1
            else:
                packets.append(bytes(packet[:end]))
        return packets


def secret(keys=(10, OURS, THEIRS), peer=None, **more):
    call = Call(peer=peer or Secret((keys[0], keys[2], keys[1])), start=False, **more)
    call.stream.send_to(call.peer.host, call.peer.port, 0, 101, more=More(keys))
    return call


def test_sound_each_way():
    for tag in (10, 4):
        call = secret((tag, OURS, THEIRS), tone_hz=1000, keep=16000)
        code = bytearray(160)
        samples = array("h", [int(9000 * math.sin(2 * math.pi * 500 * i / 8000)) for i in range(160)])
        g711.encode_ulaw(samples, code, tables.encoding_table(0), 160)
        call.tick(50, lambda: call.peer.send(bytes(code)))
        assert abs(_level(call.audio.heard[8000:11200], 500, 16000) - 9000) < 300
        table = tables.decoding_table(0)
        said = [table[c] - 32768 for packet in call.peer.receive()[10:20] for c in packet[12:]]
        assert abs(_level(said, 1000, 8000) - 12000) < 300 and call.peer.refused == 0
        assert call.stream.received == 50 and lost(call.stream) == late(call.stream) == call.stream.bad == 0
        assert "PCMU encrypted" in call.stream.status()
        call.end()


def test_packets_of_any_length_and_some_that_waited_together():
    call = secret()
    for samples in (160, 240, 480, 80, 160):
        for _ in range(3):
            for _ in range(2):
                call.peer.send(b"\xff" * samples, samples=samples)
            call.tick(2)
    call.tick(4)
    # those that grow are cut, and with them their tag
    assert call.stream.received >= 26 and call.stream.bad == 30 - call.stream.received, call.stream.status()
    call.end()


def test_keys_both_ways():
    call = secret()
    call.tick(5, call.peer.send)
    call.peer.receive()
    assert call.stream.send_digit(7)
    for n in range(8):
        call.peer.send(bytes([5, 10 | (128 if n > 4 else 0), (160 * n + 160) >> 8, (160 * n + 160) & 255]), 101, 0)
        call.tick()
    call.tick(20)
    assert call.stream.next_digit() == 5 and call.stream.next_digit() == -1
    events = [packet for packet in call.peer.receive() if packet[1] & 127 == 101]
    assert len(events) >= 6 and events[0][12] == 7 and len(events[0]) == 16 and call.peer.refused == 0
    call.end()


def test_who_has_not_the_key_is_not_heard():
    call = secret(peer=Peer())  # from the very address of the SDP, in the clear
    call.tick(20, call.peer.send)
    assert call.stream.received == 0 and call.stream.bad == 20 and call.stream._latch and not call.stream._latch.done
    # and from elsewhere it proves nothing either, however often
    other = Peer(NET + "3")
    other.at = call.peer.at
    call.tick(30, other.send)
    assert call.stream.received == 0 and not call.stream._latch.done
    # who has it is, from another port too
    owner = Secret((10, THEIRS, OURS))
    owner.at = call.peer.at
    call.tick(10, owner.send)
    assert call.stream.received > 5 and call.stream._latch is None
    bad = call.stream.bad
    # nor in its place, once it is known
    said = owner.send()
    call.tick()
    received = call.stream.received
    owner.socket.sendto(said, owner.at)
    owner.socket.sendto(said[:20] + b"?" + said[21:], owner.at)
    call.tick()
    assert call.stream.received == received and call.stream.bad == bad + 2
    other.socket.close()
    owner.socket.close()
    call.end()


def test_a_call_becomes_secret_changes_its_key_and_is_open_again():
    peer = Secret()
    call = Call(peer=peer)
    call.tick(3)
    assert len(Peer.receive(peer)[0]) == 172
    go = call.stream.send_to
    go(peer.host, peer.port, 0, 101, more=More((10, OURS, THEIRS)))
    call.tick(3, peer.send)
    first = peer.receive()
    assert len(first) == 3 and call.stream.received == 3
    go(peer.host, peer.port, 0, 101, False, False, More((10, OURS, THEIRS)))  # hold, with the same keys
    go(peer.host, peer.port, 0, 101, more=More((10, OURS, THEIRS)))
    call.tick(3, peer.send)
    again = peer.receive()
    assert again[0][8:12] == first[0][8:12] and call.stream.received == 6
    fresh = b"fresh" * 6
    go(peer.host, peer.port, 0, 101, more=More((4, fresh, THEIRS)))
    peer.srtp = keying.secured(peer.srtp, (4, THEIRS, fresh), 500)
    call.tick(3, peer.send)
    third = peer.receive()
    assert len(third) == 3 and third[0][8:12] != first[0][8:12], "with a new key, a new source"
    assert call.stream.received == 9 and peer.refused == 0
    go(peer.host, peer.port, 0, 101)
    call.tick(3)
    assert len(Peer.receive(peer)[0]) == 172
    call.end()


def test_a_tick_allocates_nothing():
    ticks = 3000 if not PLAIN else 60
    a, b, c = [Stream(Audio(1000), pack, unpack) for _ in range(3)]
    there, here = a.open(NET + "5", 28000, 28900), b.open(NET + "6", 28000, 28900)
    c.open(NET + "7", 28000, 28900)
    a.send_to(NET + "6", here, 0, 101, more=More((10, OURS, THEIRS)))
    b.send_to(NET + "5", there, 0, 101, more=More((10, THEIRS, OURS)))
    c.send_to(NET + "6", here, 0, 101)  # a stranger
    assert a.send_digit(1) and b.send_digit(2)
    ticks_of_all = ticker(a, b, c)
    ticks_of_all(10)
    assert not a._latch and not b._latch
    rtcp.close(c)  # its reports meet a port that is not for it: each an exception
    gc.collect()
    gc.disable()
    try:
        sent, received = a.sent, b.received
        allocated, total = gc.mem_alloc(), mem_total()
        ticks_of_all(ticks // 3)
        pressing, pressing_total = gc.mem_alloc(), mem_total()
        a.send_digit(5)  # by a person, not by a tick
        b.send_digit(11)
        allocated += gc.mem_alloc() - pressing
        total += mem_total() - pressing_total
        a._packet[8] ^= 1  # another SSRC, whose numbers
        a._packet[2] = 253  # wrap soon
        ticks_of_all(ticks // 3)
        a._packet[8] ^= 2
        ticks_of_all(ticks // 3)
        grown, passing = gc.mem_alloc() - allocated, mem_total() - total
    finally:
        gc.enable()
    assert a.sent - sent > ticks - 30 and b.received - received > ticks - 60, b.status()
    assert PLAIN or grown == passing == 0, (grown, passing)
    for one in (a, b, c):
        one.close()


def test_keys_are_in_no_status():
    call = secret()
    call.tick(2)
    for text in (call.stream.status(), repr(call.stream._secure)):
        assert repr(OURS)[2:-1] not in text and repr(THEIRS)[2:-1] not in text
    call.end()
