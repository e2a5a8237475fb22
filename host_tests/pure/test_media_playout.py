"""The playout: whatever becomes of packets on their way, 20 ms of sound every 20 ms, in order, and soon."""

import gc
import math
import sys
from array import array

from media import g711, playout, rtp, words

PLAIN = sys.implementation.name == "cpython"
try:
    from micropython import mem_total  # bytes ever allocated; not in every build
except ImportError:
    mem_total = gc.mem_alloc if not PLAIN else int

# A code is its sample, divided by 64: what a test puts in can be seen in what comes out.
TABLE = array("H", [32768 + 64 * c for c in range(256)])
LATE, LOST, CUT, PUT_IN = 12, 25, 38, 39  # of the state: packets, and codes


def wide_decode(codes, at, samples, to, table, n):
    for i in range(n):
        samples[to + 2 * i] = samples[to + 2 * i + 1] = table[codes[at + i]]


class Line:
    """Packets in, sound out. The sound of packet n is the code n % 125 + 1."""

    def __init__(self, timestamp=1000, n=160, wide=0, table=TABLE):
        self.playout = playout.Playout()
        self.playout.set_codec(wide_decode if wide else g711.decode, table, wide)
        self.base = timestamp
        self.n = n
        self.size = 160 << wide
        self.fields = array("i", bytes(32))
        self.samples = array("H", bytes(2 * (23 + self.size)))
        self.there = None

    @property
    def figures(self):
        return [self.playout.state[i] for i in (LATE, CUT, PUT_IN)]

    def put(self, number, shift=0, payload=None):
        timestamp = (self.base + number * self.n + shift) & 0xFFFFFFFF
        packet = b"\x80\x00" + bytes([number >> 8 & 255, number & 255]) + timestamp.to_bytes(4, "big") + b"SSRC"
        packet += payload or bytes([number % 125 + 1]) * self.n
        assert rtp.parse(packet, 0, len(packet), self.fields)
        return self.playout.put(packet, self.fields)

    def noise(self, number, payload):
        timestamp = (self.base + number * self.n) & 0xFFFFFFFF
        packet = b"\x80\x0d\0\0" + timestamp.to_bytes(4, "big") + b"SSRC" + payload
        assert rtp.parse(packet, 0, len(packet), self.fields)
        self.playout.noise(packet, self.fields)

    def frame(self):
        self.there = self.playout.frame(self.samples, 23)
        return self.samples

    def sound(self):
        """The next 20 ms as signed samples."""
        self.frame()
        return [x - 32768 for x in self.samples[23:]]

    def heard(self):
        """The next frame: a packet's number % 125, if at least three quarters of it are that packet's; None for silence."""
        sound = self.sound()
        x = sound[self.size // 4]
        if not self.there or not any(sound):
            return None
        if sound[self.size // 4 :] == [x] * (self.size - self.size // 4) and x % 64 == 0:
            return x // 64 - 1
        return "made up"

    def play(self, events):
        """Each event is what comes before a frame: a list of packet numbers. -> what is heard, a frame each."""
        heard = []
        for numbers in events:
            for number in numbers:
                self.put(number)
            heard.append(self.heard())
        return heard


def _each(first, last):
    return [[n] for n in range(first, last)]


def _numbers(first, last):
    return [n % 125 for n in range(first, last)]


def test_nothing_there_is_silence():
    line = Line()
    assert line.play([[]] * 5) == [None] * 5 and line.there == 0


def test_in_order_nothing_waits():
    for wide in (0, 1):
        line = Line(wide=wide)
        assert line.play(_each(0, 20)) == _numbers(0, 20)
        assert line.there == 1


def test_a_long_time_round_the_ring():
    last = 1000 if not PLAIN else 60
    line = Line()
    assert line.play(_each(0, last)) == _numbers(0, last)
    assert line.figures == [0, 0, 0] and line.playout.state[LOST] == 0


def test_timestamp_wraps():
    for timestamp in (0xFFFFFFFF - 500, 0x3FFFFFFF - 777):
        assert Line(timestamp=timestamp).play(_each(0, 12)) == _numbers(0, 12)


def test_packets_of_10_30_and_60_ms():
    for n, events, first in (
        (80, [[2 * i, 2 * i + 1] for i in range(20)], 0),
        (240, [[i // 3 * 2 + i % 3] if i % 3 < 2 else [] for i in range(30)], 0),
        (480, [[i // 3] if i % 3 == 0 else [] for i in range(30)], 0),
    ):
        line = Line(n=n)
        sound = []
        for numbers in events:
            for number in numbers:
                line.put(number)
            sound += line.sound()
        expected = []
        for i in range(len(sound) // n):
            expected += [64 * (i % 125 + 1)] * n
        assert sound[: len(expected)] == expected
        assert line.figures == [0, 0, 0]


def test_reordered_is_put_in_order():
    line = Line()
    line.play([[0], [1], [], [3], [2], [5, 4], [6, 7]])
    heard = line.play([[9, 8], [10], [12, 11], [13], [15, 14], [16]])
    assert line.playout.state[LATE] <= 1
    assert heard == sorted(heard)


def test_lost_is_made_up_and_the_next_is_in_its_place():
    line = Line()
    heard = line.play([[0], [1], [2], [3], [], [5], [6], [7]])
    assert heard[:4] == [0, 1, 2, 3] and heard[5:] == [5, 6, 7]
    assert heard[4] not in (None, 4)
    assert line.playout.state[LOST] == 160 and line.playout.state[LATE] == 0


def test_losses_do_not_make_it_grow():
    # One frame is held where packets get lost, to see both sides of a gap; not one for each of them.
    line = Line()
    last = 597 if not PLAIN else 120
    events = [[] if n % 7 == 3 else [n] for n in range(last)]
    heard = line.play(events)
    assert heard[-3:] in (_numbers(last - 3, last), _numbers(last - 4, last - 1))
    assert line.playout.state[PUT_IN] < 300 and words.depth_ms(line.playout) < 30


def test_the_frame_that_losses_cost_is_given_back():
    if PLAIN:
        return  # 20 s of sound
    line = Line()
    quiet = b"\0" * 160
    for n in range(1000):
        if n not in (50, 60, 70):
            line.put(n, payload=None if n < 100 else quiet)
        line.frame()
        if n == 120:
            assert line.playout.state[7] + line.playout.state[4] >= 160  # of the ring, and decoded
    assert line.playout.state[7] + line.playout.state[4] < 80


def test_frames_are_due_sooner_while_none_of_their_packets_is_just_in_time():
    def run(last_moment):
        line = Line()
        line.put(0)
        line.frame()
        sooner = 0
        for n in range(1, 400):
            if not last_moment(n + 20 * sooner):
                line.put(n)
            line.playout.soon()
            if last_moment(n + 20 * sooner):
                line.put(n)
            line.frame()
            sooner += line.playout.sooner()
        return sooner, line.figures

    assert run(lambda n: False) == (15, [0, 0, 0])
    assert run(lambda n: n % 10 == 7) == (0, [0, 0, 0])
    assert run(lambda n: n > 200)[0] in (4, 5, 6)


def test_frames_that_were_due_too_soon_are_due_later_again():
    line = Line()
    sooner = [0] * 200
    for n in range(200):
        if n != 150:
            line.put(n)
        if n == 151:
            line.put(150)
        line.playout.soon()
        line.frame()
        sooner[n] = line.playout.sooner()
    assert sum(sooner[:150]) > 5 and sooner[150:153].count(-2) == 1 and min(sooner) == -2
    assert sooner[153:].count(1) <= 2  # and not as fast as before


def test_awaited_and_late_is_played_and_not_lost():
    line = Line()
    heard = line.play([[0], [1], [2], [], [3, 4]] + _each(5, 30))
    assert heard[4:10] == _numbers(3, 9)
    assert line.playout.state[LATE] == 0


def test_late_after_what_followed_is_counted():
    line = Line()
    heard = line.play([[0], [1], [], [3], [4, 2], [5], [6]])
    assert heard[3:] == [3, 4, 5, 6]
    assert line.playout.state[LATE] == 1


def test_it_grows_at_once_where_packets_come_late():
    line = Line()
    events = _each(0, 20)
    # From now on every third packet comes 40 ms late, overtaken by others.
    for n in range(20, 60):
        came = [] if n % 3 == 0 else [n]
        if (n - 2) % 3 == 0:
            came.append(n - 2)
        events.append(came)
    line.play(events)
    assert line.playout.state[LATE] <= 5
    assert words.depth_ms(line.playout) <= 80


def test_one_of_many_that_overtake_each_other_makes_not_all_wait():
    # Every fifth packet comes 40 ms late, overtaken by others; once in the second that follows one comes after 180 ms.
    line = Line()
    quiet = b"\0" * 160
    waits = []
    last = 130 if PLAIN else 400
    for n in range(last):
        for number in (n,) if n % 5 != 2 else ():
            if number != 80:
                line.put(number, payload=quiet)
        if n % 5 == 4:
            line.put(n - 2, payload=quiet)
        if n == 89:
            line.put(80, payload=quiet)
        line.frame()
        waits.append(line.playout.state[7] + line.playout.state[4])
    assert line.playout.state[LATE] <= 2
    assert max(waits[90:]) <= max(waits[60:80])


def test_what_finds_no_room_pushes_out_what_is_next():
    # 160 ms wait, and then packets come still sooner: they do not begin anew.
    line = Line()
    line.play([[0]])
    line.put(1)
    heard = line.play([[n + k for k in range(9)] for n in range(2, 10)])
    assert heard == _numbers(1, 9) and line.playout.state[7] > 1280
    for n in range(18, 21):
        line.put(n)
    heard = line.play([[]] * 11)
    assert heard == _numbers(10, 21) and line.playout.state[CUT] == 160
    assert line.there == 1


def test_frames_that_nobody_had_room_for_are_cut_in_the_next_pause():
    line = Line()
    quiet = b"\0" * 160
    for n in range(80):
        line.put(n)
        line.frame()
    for n in range(80, 83):
        line.put(n)
        line.playout.hold()  # the I2S had plenty
    for n in range(83, 105):
        line.put(n, payload=quiet)
        line.frame()
    assert line.playout.state[CUT] == 480 and line.playout.state[7] + line.playout.state[4] <= 160
    assert line.playout.state[LATE] == 0


def test_duplicates_change_nothing():
    line = Line()
    last = 200 if not PLAIN else 80
    heard = line.play([[n, n, n - 1, n - 3] if n > 3 else [n] for n in range(last)])
    assert heard == _numbers(0, last)
    assert line.figures == [0, 0, 0]


def test_one_early_packet_makes_no_leap():
    for early in (37, 100, 5000):
        line = Line()
        line.play(_each(0, 30))
        line.put(30 + early)
        heard = line.play(_each(30, 60))
        assert heard == _numbers(30, 60), early
        assert line.figures[1:] == [0, 0]


def test_one_packet_long_after_its_time_makes_none_either():
    line = Line()
    line.play(_each(0, 25) + [[]] + _each(26, 60))
    held = line.figures[2]
    line.put(25)
    for n in range(60, 100):
        line.put(n, payload=b"\0" * 160)
        line.frame()
    assert line.playout.state[LATE] == 1 and line.figures[2] <= held + 160
    # And where all come so late, what waits is bounded.
    for n in range(100, 400):
        line.put(n - 60)
        line.put(n - 61)
        line.frame()
    assert line.playout.state[7] <= 1760


def test_the_clock_jumps():
    for jump in (500000, -500000, 100000000):
        line = Line()
        line.play(_each(0, 10))
        line.base += jump
        heard = line.play(_each(10, 20))
        assert heard[1:] == _numbers(11, 20) or heard[2:] == _numbers(11, 19), (jump, heard)


def test_another_source():
    line = Line()
    line.play(_each(0, 10))
    line.playout.reset()
    line.base += 12345
    assert line.play(_each(10, 20)) == _numbers(10, 20)


def test_a_pause_with_its_time():
    # The sender is silent for two seconds, and its timestamps go on.
    line = Line()
    line.play(_each(0, 20))
    heard = line.play([[]] * 100)
    assert heard[-1] is None and line.there == 0
    assert line.play(_each(120, 140)) == _numbers(120, 140)
    heard = line.play([[]] * 10)  # shorter
    assert line.play(_each(150, 160)) == _numbers(150, 160)
    assert line.figures == [0, 0, 0]


def test_a_pause_in_which_the_senders_clock_stood_still():
    line = Line()
    line.play(_each(0, 20))
    line.play([[]] * 100)
    heard = line.play(_each(20, 40))
    assert heard == _numbers(20, 40)


def test_it_shrinks_again_in_silence():
    # A second of packets 100 ms late, and then the network is well again: what is waited for is given up in a pause.
    line = Line()
    quiet = b"\0" * 160
    for n in range(50):
        line.put(n)
        line.frame()
    line.play([[]] * 5)
    for n in range(50, 100):
        line.put(n)
        line.frame()
    waits = words.depth_ms(line.playout)
    for n in range(100, 106):
        line.put(n)  # six at once
    frames = 0
    for n in range(106, 1300):
        line.put(n, payload=quiet)
        line.frame()
        frames += 1
        if line.playout.state[CUT] >= 800:
            break
    assert waits < 30 and frames < 700
    assert line.playout.state[LATE] == 0
    assert line.playout.state[7] + line.playout.state[4] <= 320


def _sine(first, n, hz=200, level=100):
    return bytes([128 + int(level * math.sin(2 * math.pi * hz * i / 8000)) for i in range(first, first + n)])


SIGNED = array("H", [32768 + 128 * (c - 128) for c in range(256)])


def _roughest(sound):
    return max([abs(sound[i + 1] - 2 * sound[i] + sound[i - 1]) for i in range(1, len(sound) - 1)])


def test_it_shrinks_by_periods_in_speech():
    # A voice without a pause: no step in it is larger than the tone's own. At once if it is much, else the later the less it is.
    line = Line(table=SIGNED)
    sound = []
    last = 200 if PLAIN else 700
    for n in range(20):
        line.put(n, payload=_sine(160 * n, 160))
        line.frame()
    for n in range(20, 28):
        line.put(n, payload=_sine(160 * n, 160))
    for n in range(28, last):
        line.put(n, payload=_sine(160 * n, 160))
        sound += line.sound()
    state = line.playout.state
    assert state[CUT] >= 8 * 160 - (640 if PLAIN else 280) and state[PUT_IN] == 0 and state[LATE] == 0
    assert _roughest(sound) < 3 * _roughest([128 * int(100 * math.sin(math.pi * i / 20)) for i in range(80)])


def test_a_gap_in_a_tone_is_hardly_there():
    for hz in (125, 200, 320):
        line = Line(table=SIGNED)
        sound = []
        for n in range(40):
            if n not in (10, 20, 30):
                line.put(n, payload=_sine(160 * n, 160, hz))
            sound += line.sound()
        assert line.playout.state[LOST] == 480
        wanted = [12800 * math.sin(2 * math.pi * hz * i / 8000) for i in range(6400)]
        # After the first loss one more frame is held.
        held = line.playout.state[PUT_IN]
        found = 0
        for gap in (10 * 160, 20 * 160 + held):
            power = sum([x * x for x in sound[gap : gap + 160]])
            found += 1
            assert power > 0.3 * sum([x * x for x in wanted[160:320]]), (hz, gap)
        assert found == 2 and max([abs(x) for x in sound]) < 13000


def test_wideband_gaps_are_bridged_too():
    def decode(codes, at, samples, to, table, n):
        for i in range(n):
            samples[to + 2 * i] = samples[to + 2 * i + 1] = table[codes[at + i]]

    line = Line(wide=1, table=SIGNED)
    line.playout.set_codec(decode, SIGNED, 1)
    loud = []
    for n in range(60 if not PLAIN else 25):
        if n % 10 != 7:
            line.put(n, payload=_sine(160 * n, 160))
        sound = line.sound()
        assert len(sound) == 320
        loud.append(max([abs(x) for x in sound]))
    assert min(loud) > 6000 and max(loud) < 13000
    assert line.playout.state[LOST] == (960 if not PLAIN else 320)


def test_what_is_made_up_fades():
    line = Line(table=SIGNED)
    for n in range(10):
        line.put(n, payload=_sine(160 * n, 160))
        line.frame()
    loud = [max([abs(x) for x in line.sound()]) for _ in range(25)]
    assert loud[0] > 6000 and loud[1] < loud[0] and loud[8:] == [0] * 17
    assert line.there == 0


def test_comfort_noise_has_its_level_and_ends_with_speech():
    for level_db, coefficients in ((40, b""), (30, b"\x40\x90")):
        line = Line()
        line.play(_each(0, 10))
        line.noise(10, bytes([level_db]) + coefficients)
        noise = []
        for _ in range(60):
            noise += line.sound()
            assert line.there == 1
        noise = noise[1600:]
        power = sum([x * x for x in noise]) / len(noise)
        db = 10 * math.log(power / 32768**2) / math.log(10)
        assert abs(db + level_db) < 1.5, db
        alike = sum([noise[i] * noise[i + 1] for i in range(len(noise) - 1)]) / (power * len(noise))
        assert alike > 0.3 if coefficients else abs(alike) < 0.1, alike
        assert line.play(_each(70, 80)) == _numbers(70, 80)
        assert line.figures == [0, 0, 0] and line.playout.state[LOST] == 0


def test_comfort_noise_that_comes_first_or_late():
    line = Line()
    line.noise(0, b"\x28")
    assert any(line.sound()) and line.there == 1
    assert line.play(_each(1, 10))[1:] == _numbers(2, 10)
    line.noise(3, b"\x28")  # overtaken by the speech after it
    assert line.play(_each(10, 20)) == _numbers(10, 20)
    assert line.play([[]] * 30)[-1] is None  # nothing is no comfort noise
    line.noise(60, b"")  # no level: nothing learned, no error


def test_a_stateful_decoder_is_asked_in_order_and_by_blocks():
    asked = []

    def decode(codes, at, samples, to, table, n):
        assert n in (80, 160) and at % 80 == 0 and at + n <= 2400
        asked.extend([codes[at + i] for i in range(0, n, 80)])
        for i in range(2 * n):
            samples[to + i] = 32768

    line = Line(wide=1)
    line.playout.set_codec(decode, None, 1)
    line.play([[n] if n % 9 else [] for n in range(1, 100)] + [[]] * 3)
    expected = []
    for n in range(1, 100):
        if n % 9:
            expected += [n + 1, n + 1]
    assert asked == expected


def _drift(ppm, frames):
    line = Line()
    quiet = b"\x01" * 160
    sent = waits = 0
    line.base = 5000
    packet = bytearray(b"\x80\0\0\0\0\0\0\0SSRC" + quiet)
    first = last = 0
    for tick in range(frames):
        now = (tick + 1) * 20000000 + 7000000  # in millionths of a ms
        while sent * (20000000 - 20 * ppm) <= now:
            timestamp = 5000 + 160 * sent
            packet[2] = sent >> 8 & 255
            packet[3] = sent & 255
            packet[4:8] = timestamp.to_bytes(4, "big")
            # Words with pauses: 600 ms in 1,000
            for i in range(12, 172, 2) if PLAIN else (12, 50, 100):
                packet[i] = 100 if sent % 50 < 30 else 1
            rtp.parse(packet, 0, 172, line.fields)
            assert line.playout.put(packet, line.fields) == 1
            sent += 1
        line.playout.frame(line.samples, 23)
        s = line.playout.state
        waits = (5000 + 160 * sent - (s[2] - s[4])) // 8  # ms of sound that wait
        if tick == 200:
            first = waits
        last = waits
    return line, sent, first, last


def test_an_hour_of_drift():
    # 200 ppm either way: 36 steps of 20 ms. A few ticks of it on CPython, where a frame takes ten thousand times as long.
    frames = 180000 if not PLAIN else 300
    for ppm in (200, -200):
        line, sent, first, last = _drift(ppm, frames)
        state = line.playout.state
        assert abs(sent - frames) <= frames // 5000 + 2
        assert state[LATE] == 0
        assert abs(last - first) <= 20, (first, last)
        if not PLAIN:
            assert state[CUT if ppm > 0 else LOST] >= 35 * 160
            assert state[CUT if ppm > 0 else LOST] <= 38 * 160
            assert abs(words.drift_ppm(line.playout) - ppm) <= 12, words.drift_ppm(line.playout)


def test_a_flood_is_not_kept():
    line = Line()
    line.play([list(range(100))])
    assert line.playout.state[7] <= 1760
    line.play(_each(100, 200))
    assert line.there == 1


def test_lengths_that_fit_nowhere():
    line = Line(n=160)
    line.play(_each(0, 3))
    for n in (1, 33, 79, 81, 500, 1280, 1281):
        line.put(3, payload=b"\x05" * n)
        line.frame()
    line.fields[7] = 0
    assert line.playout.put(b"", line.fields) == 0
    for shift in range(0, 2400, 80):
        line = Line(n=480)
        line.put(0)
        for _ in range(shift // 160):
            line.frame()
        line.put(1, shift - 480)
        line.put(2, shift - 480)
        line.frame()


def test_a_frame_allocates_nothing():
    line = Line()
    ticks = 3000 if not PLAIN else 50
    packets = [bytearray(b"\x80\0\0\0\0\0\0\0SSRC" + _sine(i * 160, 160)) for i in range(5)]
    fields = array("i", bytes(32))
    put, frame, parse = line.playout.put, line.playout.frame, rtp.parse
    samples = line.samples
    state = line.playout.state

    def run(first, last):
        for n in range(first, last):
            late = n % 11 == 5
            if n % 20 and not late:
                packet = packets[n % 5]
                parse(packet, 0, 172, fields)
                fields[2] = n & 0xFFFF
                fields[3] = 1000 + 160 * n
                put(packet, fields)
            if n % 11 == 7:
                fields[3] = 1000 + 160 * (n - 2)
                put(packet, fields)
            frame(samples, 23)

    run(0, 20)
    gc.collect()
    gc.disable()
    try:
        total = mem_total()
        run(20, 21)
        own = mem_total() - total  # what this test's function takes
        allocated = gc.mem_alloc() if not PLAIN else 0
        total = mem_total()
        run(21, 21 + ticks)
        grown = gc.mem_alloc() - allocated if not PLAIN else 0
        passing = mem_total() - total - own
    finally:
        gc.enable()
    assert grown in (0, own) and passing == 0, (grown, passing)
    assert state[LOST] > ticks // 25 * 160 and state[PUT_IN] > 0


def test_figures_in_words():
    line = Line()
    line.play([[0], [1], [], [3]] + _each(4, 40))
    assert words.concealed_ms(line.playout) == 20
    assert 0 <= words.depth_ms(line.playout) <= 20
    assert words.drift_ppm(line.playout) == 0
