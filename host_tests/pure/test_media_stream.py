"""A whole stream: real sockets on loopback, sound that can be compared, and a heap that does not move."""

import gc
import math
import select
import socket
import sys
from array import array

import media.stream
from expect import raises
from media import resample
from media.stream import Stream
from own_net import NET

try:
    from micropython import mem_total  # bytes ever allocated; not in every build
except ImportError:
    mem_total = gc.mem_alloc

PLAIN = sys.implementation.name == "cpython"


if PLAIN:
    # CPython's sockets under the names that MicroPython gives them.
    import select

    class _Socket(socket.socket):
        def readinto(self, buffer, n):
            # As MicroPython does it: on and on until n bytes are there, or nothing is left.
            got = 0
            while got < n:
                try:
                    more = self.recv_into(memoryview(buffer)[got:n])
                except BlockingIOError:
                    return got or None
                if not more:
                    break
                got += more
            return got

        def write(self, buffer, n=512):
            try:
                return self.send(memoryview(buffer)[:n])
            except BlockingIOError:
                return None

    class _Poll:
        def register(self, sock, events):
            self.sock = sock

        def unregister(self, sock):
            pass

        def ipoll(self, timeout):
            return select.select([self.sock], [], [], 0)[0]

    class _socket:
        AF_INET, SOCK_DGRAM, socket = socket.AF_INET, socket.SOCK_DGRAM, _Socket

    class _select:
        POLLIN, poll = 1, _Poll

    lend = media.stream.lend

    def _lend(name):
        module = lend(name)
        if hasattr(module, "lend"):
            module.lend = _lend
        if name == "media.setup":
            module.socket = _socket
        elif name == "media.latch":
            module.select = _select
        return module

    media.stream.lend = _lend

    def pack(host, port):
        return (host, port)

    def unpack(address):
        return address

else:

    def pack(host, port):
        return socket.getaddrinfo(host, port)[0][-1]

    def unpack(address):
        family, host, port = socket.sockaddr(address)[:3]
        return ".".join([str(n) for n in host]), port


def ticker(*streams):
    """-> a function: so many ticks of all of these, in a time that passes for all of them at once. It allocates nothing."""
    now = 0

    def ticks(n):
        nonlocal now
        while n:  # one more iterator, and MicroPython would take this function's frame from the heap
            now += 20
            for stream in streams:
                stream._audio.wait(20)
                stream.tick(now)
            n -= 1

    return ticks


class Audio:
    """I2S as the ESP32 has it, six DMA buffers of 256 frames each way, in a time that passes when it is told to."""

    rate_hz = 16000

    def __init__(self, tone_hz=0, keep=0):
        self.passed = self.read_frames = 0
        self.put = 6 * 256  # what is written first is heard when the buffers have been round once
        self.calls = []
        # Whole turns in 256 frames: multiples of 62.5 Hz
        wave = [int(12000 * math.sin(2 * math.pi * tone_hz * i / 16000)) << 16 for i in range(256)]
        self.wave = bytes(array("i", wave))
        self.heard = array("h", bytes(2 * keep))
        self.heard_frames = 0
        self.underruns = 0
        self.deaf = False

    @property
    def held(self):
        return self.put - self.passed

    def start(self):
        self.calls.append("start")

    def stop(self):
        self.calls.append("stop")

    def wait(self, ms):
        self.passed += ms * 16

    def read(self, buf):
        if self.deaf:
            return 0
        done = self.passed // 256 * 256
        if self.read_frames < done - 1280:
            self.read_frames = done - 1280
        n = min(len(buf) // 4, done - self.read_frames)
        self.give(buf, (self.read_frames & 255) * 2, 2 * n)
        self.read_frames += n
        return 4 * n

    def give(self, buf, at, n):  # in halves of a frame
        if PLAIN:
            buf[: 2 * n] = self.wave[2 * at : 2 * (at + n)]
        else:  # the same without allocating
            resample.copy(buf, 0, self.wave, at, n)

    def write(self, buf):
        done = self.passed // 256
        if self.put < (done + 1) * 256:  # the buffer under way can not be filled any more
            if self.heard_frames:
                self.underruns += 1
            self.put = (done + 1) * 256
        done = min(len(buf) // 2, (done + 6) * 256 - self.put)
        self.put += done
        if self.heard_frames < len(self.heard):
            self.keep(buf, min(done, len(self.heard) - self.heard_frames))
        self.heard_frames += done
        return 2 * done

    def keep(self, buf, n):
        for i in range(n):
            self.heard[self.heard_frames + i] = ((buf[2 * i] | buf[2 * i + 1] << 8) ^ 32768) - 32768


class Peer:
    """The other end, packet by packet."""

    def __init__(self, host=NET + "2"):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for port in range(29000, 29900, 2):
            try:
                self.socket.bind(pack(host, port))
                break
            except OSError:
                pass
        self.socket.setblocking(False)
        self.host, self.port = host, port
        self.sequence = 100
        self.timestamp = 5000
        self.ssrc = b"PEER"
        self.at = None

    def send(self, payload=b"\xff" * 160, payload_type=0, samples=160):
        packet = bytes([0x80, payload_type]) + (self.sequence & 0xFFFF).to_bytes(2, "big")
        packet += (self.timestamp & 0xFFFFFFFF).to_bytes(4, "big") + self.ssrc + payload
        self.socket.sendto(packet, self.at)
        self.sequence += 1
        self.timestamp += samples
        return packet

    def receive(self):
        """-> all that came"""
        packets = []
        while True:
            try:
                packets.append(self.socket.recvfrom(2000)[0])
            except OSError:
                return packets


HOST = NET + "1"


class Call:
    """One stream and one peer, in a time that passes when it is told to."""

    def __init__(self, payload_type=0, event_type=101, tone_hz=0, keep=0, peer=None, start=True):
        self.audio = Audio(tone_hz, keep)
        self.stream = Stream(self.audio, pack, unpack)
        self.peer = peer or Peer()
        port = self.stream.open(HOST, 28000, 28900)
        self.peer.at = pack(HOST, port)
        self.now = 1000
        if start:
            self.stream.send_to(self.peer.host, self.peer.port, payload_type, event_type)

    def tick(self, n=1, speak=None):
        for _ in range(n):
            if speak:
                speak()
            self.audio.wait(20)
            self.now += 20
            self.stream.tick(self.now)

    def end(self):
        self.stream.close()
        self.peer.socket.close()


def lost(stream):
    """Packets that never came."""
    return stream._fields[9]


def late(stream):
    """Packets too late to be played."""
    return stream._playout.state[12]


def _level(samples, frequency_hz, rate_hz):
    re = sum(samples[i] * math.cos(2 * math.pi * frequency_hz * i / rate_hz) for i in range(len(samples)))
    im = sum(samples[i] * math.sin(2 * math.pi * frequency_hz * i / rate_hz) for i in range(len(samples)))
    return math.sqrt(re * re + im * im) * 2 / len(samples)


def test_the_port():
    audio = Audio()
    stream = Stream(audio, pack, unpack)
    ports = []
    for _ in range(8):
        ports.append(stream.open(HOST, 28001, 28999))
        assert ports[-1] == stream.port and ports[-1] % 2 == 0 and 28002 <= ports[-1] <= 28998
        stream.close()
    assert len(set(ports)) > 1
    assert audio.calls == ["start", "stop"] * 8
    stream.open(HOST, 27000, 27001)
    other = Stream(Audio(), pack, unpack)
    error = raises(OSError, other.open, HOST, 27000, 27001)
    assert "no free UDP port" in str(error) and "rtp.last_port" in str(error)
    assert other.open(HOST, 27000, 27003) == 27002
    raises(OSError, other.open, HOST, 27001, 27001)
    stream.close()
    stream.close()  # twice is no harm
    stream.tick(0)
    other.close()
    assert "no sound" in stream.status()


def test_wrong_figures_are_refused_in_words():
    audio = Audio()
    audio.rate_hz = 8000
    assert "16000" in str(raises(ValueError, Stream, audio, pack, unpack))
    call = Call()
    assert "PCMU" in str(raises(ValueError, call.stream.send_to, HOST, 4000, 3))
    raises(ValueError, call.stream.send_digit, 16)
    raises(ValueError, call.stream.tone, "dial")
    raises(ValueError, call.stream.gain_db, 99)
    call.end()


def test_rtp_from_the_first_tick_and_even():
    call = Call()
    call.tick()
    assert len(call.peer.receive()) == 1
    arrivals = []
    for _ in range(60):
        call.tick()
        arrivals.append(call.peer.receive())
    assert sum(len(packets) for packets in arrivals) in (59, 60, 61)
    assert [len(packets) for packets in arrivals[2:]] == [1] * 58
    packets = [packet for packets in arrivals for packet in packets]
    for before, after in zip(packets, packets[1:]):
        assert len(after) == 172 and after[:2] == b"\x80\0"
        assert int.from_bytes(after[2:4], "big") == int.from_bytes(before[2:4], "big") + 1
        assert (int.from_bytes(after[4:8], "big") - int.from_bytes(before[4:8], "big")) & 0xFFFFFFFF == 160
        assert after[8:12] == before[8:12]
    call.end()


def test_a_header_begins_by_chance():
    headers = []
    for _ in range(2):
        call = Call()
        call.tick(1)
        headers.append(call.peer.receive()[0])
        assert headers[-1][:2] == b"\x80\x80" and headers[-1][2] < 128
        call.end()
    a, b = headers
    assert a[2:4] != b[2:4] and a[4:8] != b[4:8] and a[8:12] != b[8:12]


def test_marker_once():
    call = Call()
    call.tick(5)
    assert [packet[1] for packet in call.peer.receive()] == [0x80] + [0] * 4
    call.stream.send_to(call.peer.host, call.peer.port, 8, -1, False)
    call.tick(5)
    assert call.peer.receive() == []
    call.stream.send_to(call.peer.host, call.peer.port, 8, -1)
    call.tick(3)
    assert [packet[1] for packet in call.peer.receive()] == [0x88] + [8] * 2
    call.end()


def test_a_microphone_that_is_not_there_does_not_silence_the_call():
    call = Call()
    call.audio.deaf = True
    call.tick(50)
    packets = call.peer.receive()
    assert len(packets) == 50 and packets[-1][12:] == b"\xff" * 160
    call.end()


def test_sound_each_way():
    call = Call(8, tone_hz=1000, keep=16000)
    code = bytearray(160)
    from media import g711, tables

    samples = array("h", [int(9000 * math.sin(2 * math.pi * 500 * i / 8000)) for i in range(160)])
    g711.encode_alaw(samples, code, tables.encoding_table(8), 160)
    call.tick(50, lambda: call.peer.send(bytes(code), 8))
    assert call.audio.underruns == 0
    heard = call.audio.heard[8000:11200]
    assert abs(_level(heard, 500, 16000) - 9000) < 150
    table = tables.decoding_table(8)
    said = [table[c] - 32768 for packet in call.peer.receive()[10:20] for c in packet[12:]]
    assert abs(_level(said, 1000, 8000) - 12000) < 200
    assert call.stream.received == 50 and lost(call.stream) == late(call.stream) == call.stream.bad == 0
    call.end()


def test_volume():
    call = Call(keep=16000)
    call.stream.volume_db(-6)
    call.stream.tone("error")
    call.tick(12)
    loud = max(call.audio.heard)
    assert abs(loud - 6500 / 2) < 100
    call.end()


def _delays_are_small(call, extra=0):
    # After a tick: a DMA buffer under way, the lead, the frame of this tick.
    assert call.audio.held + call.stream._wide_level <= 256 + 448 + 320 + extra
    assert call.stream._mic_level < 576
    state = call.stream._playout.state
    assert state[7] + state[4] <= 480  # codes in the ring, samples decoded


def test_delay_does_not_grow():
    call = Call(keep=1)
    call.tick(2000 if not PLAIN else 100, call.peer.send)
    assert call.audio.underruns == 0
    _delays_are_small(call)
    call.end()


def test_ticks_that_come_late_and_early():
    call = Call(keep=1)
    call.tick(20, call.peer.send)
    early = 0
    for i in range(500 if not PLAIN else 100):
        late = i * 7919 % 13  # up to 12 ms after its time
        call.audio.wait(20 + late - early)
        call.now += 20 + late - early
        early = late
        call.peer.send()
        call.stream.tick(call.now)
    assert call.audio.underruns == 0
    _delays_are_small(call)
    call.end()


def test_a_held_up_loop_leaves_no_delay():
    for held_ms, caught_up in ((60, True), (200, True), (300, False), (2000, False))[:: 3 if PLAIN else 1]:
        call = Call(keep=1)
        call.tick(50, call.peer.send)
        for _ in range(held_ms // 20):
            call.audio.wait(20)
            call.peer.send()
        call.now += held_ms
        for _ in range(held_ms // 20 if caught_up else 1):
            call.stream.tick(call.now)
        call.tick(200 if not PLAIN else 100, call.peer.send)
        underruns = call.audio.underruns
        call.tick(200 if not PLAIN else 20, call.peer.send)
        assert call.audio.underruns == underruns
        _delays_are_small(call, 192)
        call.end()


def test_ringing_until_the_peer_is_heard_and_again():
    call = Call(keep=1)
    call.stream.tone("ringback")
    # What the speaker is given, as the loudest of each frame.
    loud = []

    class Speaker:
        def near(self, samples, n, ahead):
            pass

        def far(self, samples, at, n):
            sound = bytes(samples)[2 * at : 2 * (at + n)]
            loud.append(max(abs((sound[i] | sound[i + 1] << 8) - 32768) for i in range(0, 2 * n, 2)) > 1000)

        def reset(self):
            pass

    call.stream._echo = Speaker()
    for _ in range(10):
        call.tick()
    assert loud[-8:] == [True] * 8
    for _ in range(20):
        call.peer.send()
        call.tick()
    assert not any(loud[-15:])
    assert 0 <= call.stream.silence_ms() <= 20
    for _ in range(95):
        call.tick()
    assert not any(loud[-90:])
    for _ in range(10):  # it goes on where it was silenced
        call.tick()
    assert all(loud[-4:])
    assert call.stream.silence_ms() == 105 * 20
    call.stream.tone(None)
    call.tick(2)
    assert not loud[-1]
    call.end()


def test_latches_to_the_address_of_the_sdp():
    call = Call()
    stranger = Peer(NET + "3")
    stranger.at = call.peer.at
    for _ in range(5):
        stranger.send()
        call.tick()
    assert call.stream.received == 0 and call.stream.strangers == 5 and call.stream.silence_ms() == -1
    call.peer.send()
    stranger.send()
    stranger.send()
    call.tick()
    assert call.stream.received == 1 and call.stream.strangers == 7
    call.tick(2)
    for _ in range(20):
        stranger.send()
        call.peer.send()
        call.tick()
    assert call.stream.received == 21 and call.stream.strangers == 7  # the stack drops them now
    assert stranger.receive() == []
    stranger.socket.close()
    call.end()


def test_latches_to_another_port_of_the_same_host():
    # A NAT in between: what the SDP says is not where it comes from.
    call = Call()
    call.stream.send_to(call.peer.host, 9, 0)
    call.tick(3)
    assert call.peer.receive() == []
    call.tick(5, call.peer.send)
    assert call.stream.received == 3 and call.stream.strangers == 2
    assert len(call.peer.receive()) >= 2
    call.end()


def test_latches_to_another_host_after_ten_packets_of_one():
    call = Call()
    call.stream.send_to(NET + "9", 29998, 0)
    other = Peer(NET + "3")
    other.at = call.peer.at
    for _ in range(12):  # two who take turns prove nothing
        call.peer.send()
        other.send()
        call.tick()
    assert call.stream.received == 0
    call.tick(20, call.peer.send)  # and who is quick only when the SDP's own host had half a second
    assert call.stream.received == 7
    assert call.peer.host in call.stream.status()
    other.socket.close()
    call.end()


def test_junk_proves_nothing():
    call = Call()
    call.stream.send_to(call.peer.host, 9, 0)
    for _ in range(20):
        call.peer.socket.sendto(b"\x80\0junk", call.peer.at)
        call.peer.socket.sendto(b"", call.peer.at)
        call.peer.send(payload_type=99)
        call.tick()
    assert call.stream.received == 0 and call.stream.strangers == 60
    call.end()


def test_bad_packets_of_the_peer_are_counted():
    call = Call()
    call.tick(3, call.peer.send)
    for packet in (b"", b"x", b"\x80" * 11, b"\x80\0" + b"x" * 1400, b"\0" * 172, b"\x80\x63" + b"x" * 170):
        call.peer.socket.sendto(packet, call.peer.at)
        call.tick()
    assert call.stream.bad == 6
    call.tick(3, call.peer.send)
    assert call.stream.received == 6 and call.stream.bad == 6
    call.end()


def test_the_peer_moves():
    call = Call()
    call.tick(10, call.peer.send)
    port = call.stream.port
    moved = Peer(NET + "4")
    moved.at = call.peer.at
    moved.ssrc = b"MOVE"
    call.peer.receive()
    call.stream.send_to(moved.host, moved.port, 8, 97)
    call.tick(10, lambda: moved.send(b"\xd5" * 160, 8))
    assert call.stream.port == port
    assert len(moved.receive()) == 10 and call.peer.receive() == []
    assert call.stream.received == 19 and lost(call.stream) == 0
    moved.socket.close()
    call.end()


def test_the_same_peer_again_keeps_what_is_latched():
    call = Call()
    call.stream.send_to(call.peer.host, 9, 0)
    call.tick(5, call.peer.send)
    call.peer.receive()
    call.stream.send_to(call.peer.host, 9, 0)
    call.tick(5, call.peer.send)
    assert len(call.peer.receive()) == 5
    assert call.stream.strangers == 2
    call.end()


def test_on_hold_nothing_is_played():
    call = Call(keep=16000)
    call.stream.send_to(call.peer.host, call.peer.port, 0, 101, True, False)
    call.tick(20, lambda: call.peer.send(b"\x80" * 160))  # full scale
    assert call.stream.received == 20
    assert max(call.audio.heard) == 0
    call.end()


def test_another_source_is_played_at_once():
    call = Call()
    call.tick(20, call.peer.send)
    call.peer.ssrc = b"NEXT"
    call.peer.sequence = 60000
    call.peer.timestamp = 77
    call.tick(20, call.peer.send)
    stream = call.stream
    # The first packet of it proves nothing yet.
    assert (stream.received, lost(stream), late(stream), stream.bad, stream.duplicates) == (39, 0, 0, 1, 0)
    assert stream._playout.state[6]  # active
    call.end()


def test_loss_and_duplicates():
    call = Call()
    for i in range(40):
        if i in (10, 20, 21):
            call.peer.sequence += 1
            call.peer.timestamp += 160
        else:
            packet = call.peer.send()
            if i == 30:
                call.peer.socket.sendto(packet, call.peer.at)
        call.tick()
    assert (call.stream.received, lost(call.stream), call.stream.duplicates) == (37, 3, 1)
    assert "lost 3" in call.stream.status()
    call.end()


def test_packets_that_waited_together():
    # Several in one tick: a stream read of MicroPython joins datagrams.
    call = Call(keep=16000)
    call.tick(5, call.peer.send)
    for n in (2, 3, 5, 0, 0, 0):
        for _ in range(n):
            call.peer.send()
        call.tick()
    assert (call.stream.received, call.stream.bad, lost(call.stream)) == (15, 0, 0)
    start = call.peer.timestamp
    for i in range(4):
        call.peer.timestamp = start
        call.peer.send(bytes([3, 10, 0, 160 + i]), 101)
    call.peer.send()
    call.tick(2)
    assert (call.stream.received, call.stream.bad, lost(call.stream)) == (20, 0, 0)
    assert (call.stream.next_digit(), call.stream.next_digit()) == (3, -1)
    call.end()


def test_the_peer_changes_its_packets_length():
    call = Call()
    call.tick(10, call.peer.send)
    for n, pattern in ((80, (2,)), (480, (1, 0, 0)), (160, (1,)), (240, (1, 1, 0)), (160, (2, 0))):
        for i in range(60 if not PLAIN else 24):
            for _ in range(pattern[i % len(pattern)]):
                call.peer.send(b"\x80" * n, 0, n)
            call.tick()
        assert call.stream._fields[25] == 12 + n, n
    # Every one counted; a bit of one or two was cut off where the length changed.
    assert call.stream.received == call.peer.sequence - 100
    assert (call.stream.bad, lost(call.stream), call.stream.duplicates) == (0, 0, 0)
    call.end()


def test_keys_both_ways():
    call = Call()
    call.tick(3, call.peer.send)
    for code in (1, 1, 2, 11):
        start = call.peer.timestamp
        for duration in (160, 320, 480, 640, 640, 640):
            call.peer.timestamp = start
            call.peer.send(bytes([code, 0x8A if duration == 640 else 10, duration >> 8, duration & 255]), 101)
            call.tick()
        call.peer.timestamp = start + 960
        call.tick(3, call.peer.send)
    heard = [call.stream.next_digit() for _ in range(5)]
    assert heard == [1, 1, 2, 11, -1]
    assert lost(call.stream) == call.stream.bad == call.stream.duplicates == 0
    call.peer.receive()
    assert call.stream.send_digit(4) and call.stream.send_digit(4)
    call.tick(30)
    packets = call.peer.receive()
    events = [packet for packet in packets if packet[1] & 127 == 101]
    assert len(events) == 14 and len(packets) in (29, 30, 31)
    assert [packet[1] for packet in events] == ([0xE5] + [0x65] * 6) * 2
    assert len(set(packet[4:8] for packet in events)) == 2
    assert [int.from_bytes(packet[14:16], "big") for packet in events] == [160, 320, 480, 640, 800, 800, 800] * 2
    numbers = [int.from_bytes(packet[2:4], "big") for packet in packets]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    sound = [packet for packet in packets if packet[1] & 127 == 0]
    assert int.from_bytes(sound[-1][4:8], "big") - int.from_bytes(packets[0][4:8], "big") in (
        160 * (len(packets) - 1),
        160 * (len(packets) - 1) - (1 << 32),
    )
    call.stream.send_to(call.peer.host, call.peer.port, 0, -1)
    assert not call.stream.send_digit(4)
    call.end()


def test_a_refusing_peer_is_a_counted_loss():
    call = Call()
    call.peer.send()
    call.tick(2)
    call.peer.socket.close()
    refusal = select.poll()
    refusal.register(call.stream._socket, select.POLLIN)
    before = call.stream.sent
    for _ in range(100):
        sent, failed = call.stream.sent, call.stream.send_errors
        call.tick()
        if call.stream.sent > sent and call.stream.send_errors == failed:
            refusal.poll(1000)  # the kernel may take longer than this tick, which takes no time
    assert call.stream.send_errors >= 8
    assert call.stream.sent - before < 30  # only every tenth was tried
    assert "not sent" in call.stream.status()
    call.end()


class Refusing:
    """A connected socket to a port where nobody is, as Linux has it: what comes back is met by whatever is done next."""

    def __init__(self, ticks):
        self.ticks, self.now, self.back, self.open = ticks, 0, [], False

    def _meet(self):
        if self.back and self.back[0] <= self.now:
            del self.back[0]
            raise OSError(111)  # ECONNREFUSED

    def write(self, packet):
        self.now += 1
        self._meet()
        if not self.open:
            self.back.append(self.now + self.ticks)
        return len(packet)

    def readinto(self, buffer, n):
        self._meet()

    def close(self):
        pass


def test_a_refusal_may_come_a_tick_late():
    for ticks in range(2):
        call = Call()
        call.peer.send()
        call.tick(2)
        call.stream._socket.close()
        nobody = call.stream._socket = Refusing(ticks)
        before = call.stream.sent
        call.tick(200)
        assert 8 < call.stream.sent - before < 60, (ticks, call.stream.sent - before)
        nobody.open = True
        call.tick(30)
        before = call.stream.sent
        call.tick(10)
        assert call.stream.sent - before == 10  # all of them again
        call.end()


def test_nothing_came_is_said():
    call = Call()
    call.tick(160)
    assert "NAT or firewall?" in call.stream.status()
    call.tick(1, call.peer.send)
    assert "NAT" not in call.stream.status()
    call.end()


class Keys(Audio):
    """A microphone that hears the keys 1, 1, 2, 2, 50 ms each with 50 ms between, again and again."""

    def read(self, buf):
        n = super().read(buf)
        for i in range(0, n, 4):
            t = self.at = getattr(self, "at", -1) + 1
            key = t // 1600 % 4
            w = 2 * math.pi * t / 16000
            sound = math.sin(697 * w) + math.sin((1209 if key < 2 else 1336) * w) if t % 1600 < 800 else 0
            buf[i : i + 4] = (int(8000 * sound) << 16 & 0xFFFFFFFF).to_bytes(4, "little")
        return n


def test_keys_are_heard_in_the_sound(payload_type=8):
    a, b = Stream(Keys(), pack, unpack), Stream(Audio(), pack, unpack)
    there, here = a.open(NET + "8", 28000, 28900), b.open(NET + "9", 28000, 28900)
    a.send_to(NET + "9", here, payload_type)
    b.send_to(NET + "8", there, payload_type)
    heard = []
    for on in (True, False):
        b.inband(on)
        heard.clear()
        for now in range(0, 1500 if not PLAIN else 800, 20):
            a._audio.wait(20)
            b._audio.wait(20)
            a.tick(now)
            b.tick(now)
            digit = b.next_digit()
            if digit >= 0:
                heard.append(digit)
        if on:
            assert len(heard) > 5 and "33 33 34 34" in " ".join([str(digit) for digit in heard])
            assert set(heard) == {33, 34}
    assert heard == []
    a.close()
    b.close()


def test_keys_are_heard_in_wideband_sound():
    test_keys_are_heard_in_the_sound(9)


def test_a_tick_allocates_nothing(payload_type=0):
    # 3,000 ticks of a live call between two streams, keys, a stranger and a change of source included. Not a byte of
    # heap is taken, not even for a moment.
    ticks = 3000 if not PLAIN else 60
    a, b = Stream(Audio(1000), pack, unpack), Stream(Audio(500), pack, unpack)
    c = Stream(Audio(), pack, unpack)
    there, here = a.open(NET + "5", 28000, 28900), b.open(NET + "6", 28000, 28900)
    c.open(NET + "7", 28000, 28900)
    a.send_to(NET + "6", here, payload_type, 101)
    b.send_to(NET + "5", there, payload_type, 101)
    c.send_to(NET + "6", here, payload_type, 101)
    a.tone("ringback")
    assert a.send_digit(1) and b.send_digit(2)  # the first one makes what sends them
    a.inband(True)
    b.inband(True)
    ticks_of_all = ticker(a, b, c)
    c._rtcp_socket.close()  # nobody listens there for a stranger, and what is refused raises: that is its, not theirs
    c._rtcp_socket = None
    ticks_of_all(10)
    assert not a._latch and not b._latch
    source = bytes(a._packet[8:12])
    gc.collect()
    gc.disable()
    try:
        sent, received = a.sent, b.received
        allocated, total = gc.mem_alloc(), mem_total()
        ticks_of_all(ticks // 3)
        a.send_digit(5)
        b.send_digit(11)
        ticks_of_all(ticks // 3)
        a._packet[8] ^= 1  # another SSRC
        ticks_of_all(ticks // 3)
        grown, passing = gc.mem_alloc() - allocated, mem_total() - total
    finally:
        gc.enable()
    assert grown == 0, grown
    assert passing == 0, passing
    assert a.sent - sent >= ticks - 1 and b.received - received >= ticks - 3
    assert a.received >= ticks and c.sent >= ticks
    assert (b.next_digit(), b.next_digit(), b.next_digit()) == (1, 5, -1)
    assert (a.next_digit(), a.next_digit(), a.next_digit()) == (2, 11, -1)
    assert bytes(b._fields[4:5])[0] == source[1] and b._fields[8] < ticks // 2
    assert (lost(a), lost(b), late(a), late(b), a.bad, b.bad, b.send_errors) == (0, 0, 0, 0, 0, 1, 0)
    assert b.strangers < 40
    for stream in (a, b, c):
        stream.close()


def test_a_wideband_tick_allocates_nothing():
    test_a_tick_allocates_nothing(9)


def test_wideband_sound_each_way():
    # 6 kHz: no call of G.711 has it.
    from media import g722, wideband

    call = Call(9, tone_hz=6000, keep=16000)
    state = wideband.state()
    code = bytearray(160)

    def speak():
        start = call.peer.sequence * 320
        samples = [int(9000 * math.sin(2 * math.pi * 5000 * (start + i) / 16000)) for i in range(320)]
        g722.encode(array("h", samples), code, state, 160)
        call.peer.send(bytes(code), 9)

    call.tick(50, speak)
    assert call.audio.underruns == 0
    assert abs(_level(call.audio.heard[8000:11200], 5000, 16000) - 9000) < 700
    state = wideband.state()
    said = array("H")
    words = array("H", bytes(640))
    for packet in call.peer.receive():
        assert len(packet) == 172 and packet[1] & 127 == 9
        g722.decode(packet, 12, words, 0, state, 160)
        said += words
    assert abs(_level([x - 32768 for x in said[6400:9600]], 6000, 16000) - 12000) < 1000
    assert call.stream.received == 50 and lost(call.stream) == late(call.stream) == call.stream.bad == 0
    call.end()


def test_from_one_codec_to_another_and_back():
    # As a re-INVITE may have it: the sound goes on, each time as the codec has it.
    from media import g722, tables, wideband

    call = Call(0, tone_hz=1000, keep=1)
    sample = tables.decoding_table(0)
    for payload_type in (0, 9, 0, 9):
        call.stream.send_to(call.peer.host, call.peer.port, payload_type, 101)
        call.peer.receive()
        call.tick(12)
        packets = call.peer.receive()
        assert [packet[1] & 127 for packet in packets] == [payload_type] * len(packets)
        if payload_type:
            state = wideband.state()
            words, said = array("H", bytes(640)), []
            for packet in packets:
                g722.decode(packet, 12, words, 0, state, 160)
                said += [x - 32768 for x in words]
            said = said[-1600:]
            assert abs(_level(said, 1000, 16000) - 12000) < 500
        else:
            said = [sample[c] - 32768 for packet in packets[-5:] for c in packet[12:]]
            assert abs(_level(said, 1000, 8000) - 12000) < 200
    call.end()


def test_a_tone_in_a_wideband_call():
    call = Call(9, keep=16000)
    call.stream.volume_db(-6)
    call.stream.tone("error")
    call.tick(12)
    assert abs(max(call.audio.heard) - 6500 / 2) < 100
    heard = call.audio.heard[4 * 320 : 7 * 320]
    assert abs(_level(heard, 425, 16000) - 6500 / 2) < 400
    assert call.audio.underruns == 0
    call.end()


def test_a_missing_microphone_in_a_wideband_call():
    from media import g722, wideband

    call = Call(9)
    call.audio.deaf = True
    call.tick(50)
    packets = call.peer.receive()
    assert len(packets) == 50
    state = wideband.state()
    words = array("H", bytes(640))
    for packet in packets:
        g722.decode(packet, 12, words, 0, state, 160)
    assert max(words) - min(words) < 60
    call.end()


def test_run_keeps_the_pace():
    import asyncio
    import time

    audio = Audio()
    stream = Stream(audio, pack, unpack)
    stream.open(HOST, 28000, 28900)
    times = []
    tick = stream.tick

    def timed(now_ms):
        times.append(now_ms)
        audio.wait(20)
        tick(now_ms)
        if len(times) == 15:
            stream.close()

    stream.tick = timed
    begun = time.ticks_ms()
    asyncio.run(stream.run())
    assert len(times) == 15
    assert time.ticks_diff(times[-1], begun) >= 14 * 20 - 2
