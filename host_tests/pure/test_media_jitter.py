"""The playout buffer: whatever order the packets come in, sound leaves in its own."""

from array import array

from media import jitter, rtp

_DELAY = 2  # frames


class Line:
    """Packets in, bytes out. The sound of packet n is the byte n & 127."""

    def __init__(self, timestamp=1000, n=160):
        self.buffer = jitter.Jitter()
        self.buffer.reset(0xFF)
        self.base = timestamp
        self.n = n
        self.fields = array("i", bytes(32))

    def put(self, number, shift=0):
        timestamp = (self.base + number * self.n + shift) & 0x3FFFFFFF
        packet = b"\x80\x00" + bytes([number >> 8 & 255, number & 255]) + timestamp.to_bytes(4, "big") + b"SSRC"
        packet += bytes([number & 127]) * self.n
        assert rtp.parse(packet, 0, len(packet), self.fields)
        self.buffer.put(packet, self.fields)

    def take(self):
        """The 20 ms that are to be played: None, a number if they are all of one packet, else the bytes."""
        at = self.buffer.take()
        if at < 0:
            return None
        frame = self.buffer.ring[at : at + 160]
        assert len(frame) == 160
        return frame[0] if frame == bytes([frame[0]]) * 160 else bytes(frame)

    def play(self, events):
        """Each event is what comes within one frame's time: a list of packet numbers. -> what is played, a frame each."""
        heard = []
        for numbers in events:
            for number in numbers:
                self.put(number)
            heard.append(self.take())
        return heard


def _each(first, last):
    return [[n] for n in range(first, last)]


def test_in_order():
    assert Line().play(_each(0, 20)) == [None] * _DELAY + list(range(18))


def test_a_long_time_round_the_ring():
    line = Line()
    heard = line.play(_each(0, 1000))
    assert heard[_DELAY:] == [n & 127 for n in range(998)]
    assert (line.buffer.late, line.buffer.dropped, line.buffer.inserted) == (0, 0, 0)


def test_reordered():
    assert Line().play([[0], [], [2, 1], [3], [5], [4]])[_DELAY:] == [0, 1, 2, 3]


def test_lost_is_a_gap_in_its_place():
    assert Line().play([[0], [1], [], [3], [4], [5]])[_DELAY:] == [0, 1, None, 3]


def test_late_is_counted_and_not_played():
    line = Line()
    assert line.play([[0], [1], [], [3], [4], [2, 5], [6]])[_DELAY:] == [0, 1, None, 3, 4]
    assert line.buffer.late == 1


def test_timestamp_wraps():
    line = Line(timestamp=0x3FFFFFFF - 500)
    assert line.play(_each(0, 12))[_DELAY:] == list(range(10))


def test_packets_of_10_30_and_60_ms():
    for n, events in (
        (80, [[2 * i, 2 * i + 1] for i in range(40)]),
        (240, [[i // 3 * 2 + i % 3] if i % 3 < 2 else [] for i in range(60)]),
        (480, [[i // 3] if i % 3 == 0 else [] for i in range(60)]),
    ):
        heard = Line(n=n).play(events)
        assert heard[:_DELAY] == [None] * _DELAY
        sound = b"".join(bytes([x]) * 160 if isinstance(x, int) else x for x in heard[_DELAY:])
        assert sound == b"".join(bytes([i]) * n for i in range(100))[: len(sound)]


def test_half_a_frame_is_played_with_silence():
    line = Line(n=80)
    heard = line.play([[0, 1], [2], [4, 5], [], []])[_DELAY:]
    assert heard == [bytes([0] * 80 + [1] * 80), bytes([2] * 80 + [0xFF] * 80), bytes([4] * 80 + [5] * 80)]


def test_nothing_old_is_played_again():
    # Once round the ring with gaps: where nothing came, nothing is heard.
    line = Line()
    heard = line.play([[n] if n % 3 else [] for n in range(1, 200)])[_DELAY:]
    assert heard == [n & 127 if n % 3 else None for n in range(1, 198)]


def test_a_pause_starts_the_clock_anew():
    line = Line()
    line.play(_each(0, 10))
    heard = line.play([[]] * 30 + [[13]] + _each(14, 20))  # the sender's clock stood still meanwhile
    assert heard[30:] == [None] * _DELAY + list(range(13, 18))


def test_the_clock_jumps():
    for jump in (500000, -500000, 100000000):
        line = Line()
        line.play(_each(0, 10))
        line.base += jump
        heard = line.play(_each(10, 20))
        assert heard[_DELAY:] == list(range(10, 18)), jump


def test_a_burst_after_a_hold_up_is_not_kept_for_ever():
    line = Line()
    line.play(_each(0, 50))
    line.play([[50, 51, 52, 53, 54, 55]])  # the network let go of six at once
    line.play(_each(56, 500))
    assert line.buffer.ahead <= 480
    assert line.buffer.dropped >= 3


def test_a_path_that_became_slower():
    line = Line()
    line.play(_each(0, 50))
    line.play([[]] * 4)
    heard = line.play(_each(50, 150))
    assert line.buffer.late <= 12
    assert heard[-20:] == list(range(heard[-20], heard[-20] + 20))  # in order again, without gaps
    assert line.buffer.ahead <= 480


def test_a_flood_is_not_kept():
    line = Line()
    line.play([list(range(100))])
    assert line.buffer.ahead <= 1600
    line.play(_each(100, 200))
    assert line.buffer.active


def test_longest_packet_anywhere():
    for shift in range(0, 1600, 80):
        line = Line(n=480)
        line.put(0)
        for _ in range(shift // 160):
            line.take()
        line.put(1, shift - 480)
        line.put(2, shift - 480)
