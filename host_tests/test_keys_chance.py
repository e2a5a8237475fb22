"""Keys by chance: events that are lost, doubled and out of order, bodies of INFO that nobody foresaw, and three ways that tell of
the same keys in their own time."""

from array import array
from collections import deque

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from door.keypad import read_key
from media import dtmf, keys, rtp
from test_media_digits import merged

calm = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
codes = st.lists(st.sampled_from([1, 1, 2, 5, 10, 15]), min_size=1, max_size=8)


# -- RFC 4733


def heard(packets):
    fields, waiting, digits = array("i", bytes(4 * 26)), deque((), 16), []
    for packet in packets:
        if rtp.parse(packet, 0, len(packet), fields):
            dtmf.put(packet, fields, waiting)
        while waiting:
            digits.append(waiting.popleft())
    return digits


@st.composite
def presses(draw):
    """(codes, the packets that arrive): of each press some are lost, never all; some come twice, some change places."""
    timestamp = draw(st.integers(0, 2**32 - 1))
    payload_type = draw(st.integers(96, 127))
    wanted, packets = draw(codes), []
    for code in wanted:
        frames = draw(st.integers(2, 30))
        made = []
        for i in range(1, frames + 3):
            end = 0x8A if i >= frames else 0x0A
            duration = min(i, frames) * 160
            made.append(bytes([0x80, payload_type | (0x80 if i == 1 else 0), 0, 0]) + (timestamp % 2**32).to_bytes(4, "big") + b"SSRC"
                        + bytes([code, end, duration >> 8, duration & 255]))
        kept = draw(st.lists(st.sampled_from(range(len(made))), min_size=1, max_size=len(made) + 3))
        packets += [made[i] for i in (kept if draw(st.booleans()) else sorted(kept))]
        timestamp += (frames + draw(st.integers(1, 50))) * 160
    return wanted, packets


@calm
@given(presses())
def test_each_press_is_one_digit_whatever_is_lost(case):
    wanted, packets = case
    assert heard(packets) == wanted


@calm
@given(presses(), st.data())
def test_packets_of_the_press_before_change_nothing(case, data):
    wanted, packets = case
    late = []
    for i, packet in enumerate(packets):
        late.append(packet)
        if i and data.draw(st.booleans()):
            late.append(packets[data.draw(st.integers(0, i))])
    assert heard(late) == wanted


@calm
@given(st.lists(st.binary(min_size=0, max_size=12), max_size=30))
def test_any_payload(payloads):
    packets = [b"\x80\x65\0\0" + bytes([n >> 4 & 255, 0, 0, 0]) + b"SSRC" + payload for n, payload in enumerate(payloads)]
    assert all(0 <= digit < 16 for digit in heard(packets))


@settings(calm, max_examples=100)
@given(codes, st.integers(20, 12000), st.integers(20, 3000))
def test_what_we_send_is_heard(wanted, tone_ms, gap_ms):
    sender, sound, packets = keys.Sender(), bytearray(b"\x80\x80\0\0\xff\xff\xf0\0SSRC"), []
    sender.lengths(tone_ms, gap_ms)
    assert all(sender.press(code) for code in wanted)
    for _ in range(len(wanted) * ((tone_ms + gap_ms) // 20 + 5)):
        if sender.frame(sound, 101):
            packets.append(bytes(sender.packet))
        rtp.advance(sound, 160)
    assert heard(packets) == wanted


# -- INFO


@calm
@given(st.binary(max_size=60) | st.text(alphabet="SIGNALsignalDurtion=: \r\n0123456789*#ABCD!", max_size=60).map(str.encode))
def test_any_body(body):
    code, ms = read_key(body)
    assert -1 <= code < 16 and 0 <= ms <= 5000


@calm
@given(st.integers(0, 15), st.integers(0, 99999), st.sampled_from(["\r\n", "\n"]), st.sampled_from(["", " "]), st.booleans())
def test_what_phones_write(code, ms, end, space, small):
    name = "0123456789*#ABCD"[code]
    name = name.lower() if small else name
    for body in ("Signal=%s%s%sDuration=%d%s" % (space, name, end, ms, end), "signal%s=%s" % (space, name),
                 "Duration=%d%sSignal=%s" % (ms, end, name)):
        assert read_key(body.encode()) == (code, min(ms, 5000) if "Duration" in body else 0)
    for body in (name, name + end, "%d" % code):
        assert read_key(body.encode()) == (code, 0)
    for body in ("16", "Signal=16", "!", "Signal=!", "flash", "Signal=", "", "Signal=12x", "11 1"):
        assert read_key(body.encode())[0] == -1


# -- All three


@st.composite
def told(draw):
    """(codes, what the ways tell of them): events and INFO up to half a second apart, sound 20 to 200 ms after the events, some of
    the three not at all, one with losses."""
    wanted = draw(codes)
    times, at = [], 0
    for _ in wanted:
        times.append(at)
        at += draw(st.sampled_from([100, 100, 140, 250, 700]))
    late = [0, draw(st.integers(-500, 500)), draw(st.integers(20, 200))]
    ways = draw(st.sampled_from([(0,), (1,), (2,), (0, 1), (0, 2), (0, 1, 2)]))
    lossy = draw(st.sampled_from([None, 2])) if len(ways) > 1 else None
    found = []
    for way in ways:
        last = -10000
        for ms, code in zip(times, wanted):
            last = max(last + 1, ms + late[way] + draw(st.integers(0, 19)))
            if way != lossy or draw(st.integers(0, 2)):
                found.append((last, way, code))
    return wanted, found


@calm
@given(told())
def test_a_key_is_one_whichever_ways_it_comes(case):
    wanted, found = case
    assert merged(found) == wanted


def _in_order(some, of):
    rest = iter(of)
    return all(code in rest for code in some)


@calm
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 2), st.integers(0, 3)), max_size=14))
def test_whatever_ways_tell_no_key_is_lost_or_made_up(found):
    """Of each way all its keys are there, in their order; and there are no more than were told."""
    out = merged(found)
    found.sort()
    assert len(out) <= len(found)
    for way in range(3):
        assert _in_order([code for _, w, code in found if w == way], out)
