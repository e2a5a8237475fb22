"""Keys pressed at the far end, and by us: each press once."""

from array import array
from collections import deque

from expect import raises
from media import dtmf, keys, rtp


class Receiver:
    """dtmf.put with what it remembers."""

    def __init__(self):
        self.fields = array("i", bytes(4 * 26))
        self.digits = deque((), 16)

    def put(self, packet):
        assert rtp.parse(packet, 0, len(packet), self.fields)
        return dtmf.put(packet, self.fields, self.digits)

    def restart(self):
        """What rtp.news does when another source comes."""
        self.fields[14:17] = array("i", bytes(12))


class Phone:
    def __init__(self):
        self.receiver = Receiver()

    def send(self, code, timestamp, duration, end=False, payload=None):
        if payload is None:
            payload = bytes([code, 0x8A if end else 0x0A, duration >> 8, duration & 255])
        packet = b"\x80\x65\0\0" + (timestamp & 0xFFFFFFFF).to_bytes(4, "big") + b"SSRC" + payload
        return self.receiver.put(packet)

    def press(self, code, timestamp, updates=5, ends=3, first=1):
        for i in range(first, updates + 1):
            self.send(code, timestamp, i * 160)
        for _ in range(ends):
            self.send(code, timestamp, updates * 160 + 160, True)

    def heard(self):
        codes = []
        while self.receiver.digits:
            codes.append(self.receiver.digits.popleft())
        return codes


def test_each_press_once():
    phone = Phone()
    for i, code in enumerate((1, 1, 2, 2, 10, 11, 0)):
        phone.press(code, 1000 + i * 1600)
    assert phone.heard() == [1, 1, 2, 2, 10, 11, 0]


def test_heard_with_the_first_packet():
    phone = Phone()
    phone.send(5, 1000, 160)
    assert phone.heard() == [5]


def test_lost_packets():
    phone = Phone()
    phone.press(1, 1000, first=4)  # its beginning, with the marker
    phone.press(2, 3000, ends=0)  # its end
    phone.press(3, 5000, updates=0, ends=1)  # all but one of the ends
    assert phone.heard() == [1, 2, 3]


def test_reordered_and_repeated():
    phone = Phone()
    phone.press(1, 1000)
    phone.send(2, 3000, 320)
    phone.send(2, 3000, 160)
    phone.send(1, 1000, 960, True)  # a straggler of the press before
    phone.send(2, 3000, 480, True)
    phone.send(2, 3000, 480, True)
    assert phone.heard() == [1, 2]


def test_a_long_press_goes_on_as_segments():
    phone = Phone()
    phone.send(7, 1000, 160)
    phone.send(7, 1000, 0xFFFF)
    phone.send(7, 1000, 65000)  # a late update in between
    phone.send(7, 1000 + 0xFFFF, 160)
    phone.send(7, 1000 + 0xFFFF, 0xFFFF)
    phone.send(7, 1000 + 2 * 0xFFFF, 800, True)
    assert phone.heard() == [7]
    phone.send(7, 1000 + 3 * 0xFFFF, 160)
    assert phone.heard() == [7]


def test_timestamp_wraps():
    phone = Phone()
    phone.press(1, 0xFFFFFFFF)
    phone.press(2, 1600)
    assert phone.heard() == [1, 2]


def test_another_source_may_begin_anywhere():
    phone = Phone()
    phone.press(1, 900000)
    phone.receiver.restart()
    phone.press(2, 5)
    assert phone.heard() == [1, 2]


def test_not_a_key():
    phone = Phone()
    for code in (16, 32, 255):  # 16 is the hook flash
        assert not phone.send(code, 1000 * code, 160)
    for payload in (b"", b"\1", b"\1\x0a\0"):
        assert not phone.send(0, 1, 0, payload=payload)
    assert phone.heard() == []


def test_too_many_are_said():
    phone = Phone()
    for i in range(20):
        assert phone.send(i & 15, 1000 + i * 1600, 160) == (i < 16)
    assert phone.heard() == list(range(16))
    phone.press(3, 100000)
    assert phone.heard() == [3]


HEADER = b"\x80\x88ab\0\0\x12\x34SSRC"


def test_what_we_send():
    sender = keys.Sender()
    sound = bytearray(HEADER)
    assert not sender.frame(sound, 101)
    assert sender.press(11) and sender.press(11)
    packets = []
    for i in range(30):
        sound[2] = i
        if sender.frame(sound, 101):
            packets.append(bytes(sender.packet))
        else:
            packets.append(None)
        sound[7] += 1  # its timestamp goes on
    assert [packet is not None for packet in packets] == ([True] * 7 + [False] * 3) * 2 + [False] * 10
    for first in (0, 10):
        press = packets[first : first + 7]
        assert [packet[1] for packet in press] == [0xE5] + [0x65] * 6
        assert [packet[2] for packet in press] == list(range(first, first + 7))
        assert [packet[7] for packet in press] == [0x34 + first] * 7
        assert all(packet[:1] + packet[3:7] + packet[8:12] == b"\x80b\0\0\x12SSRC" for packet in press)
        tone = [bytes([11, 0x0A]) + (160 * i).to_bytes(2, "big") for i in range(1, 5)]
        assert [packet[12:] for packet in press] == tone + [b"\x0b\x8a\x03\x20"] * 3


def sent(sender, frames):
    """-> the event packets of so many frames, None for those of sound; and what a receiver makes of them."""
    sound, phone = bytearray(HEADER), Phone()
    packets = []
    for _ in range(frames):
        packets.append(None)
        if sender.frame(sound, 101):
            packets[-1] = bytes(sender.packet)
            phone.receiver.put(packets[-1])
        rtp.advance(sound, 160)
    return packets, phone.heard()


def events(packets):
    """-> (timestamp, duration, how often its end was told) of each event or part of one, in samples."""
    found = []
    for packet in packets:
        if packet:
            timestamp = int.from_bytes(packet[4:8], "big")
            duration, end = packet[14] << 8 | packet[15], packet[13] >> 7
            if found and found[-1][0] == timestamp:
                assert duration >= found[-1][1]
                end += found.pop()[2]
            found.append((timestamp, duration, end))
    return found


def test_tone_and_gap_lengths():
    for tone_ms, gap_ms in ((50, 50), (100, 100), (40, 40), (160, 500), (45, 300), (20, 20), (70, 1000)):
        sender = keys.Sender()
        sender.lengths(tone_ms, gap_ms)
        for code in (1, 1, 2, 2):
            assert sender.press(code)
        packets, heard = sent(sender, 2 + 4 * ((tone_ms + gap_ms) // 20 + 4))
        assert heard == [1, 1, 2, 2]
        found = events(packets)
        assert [(duration, ends) for _, duration, ends in found] == [(tone_ms * 8, 3)] * 4
        steps = set([b[0] - a[0] for a, b in zip(found, found[1:])])
        assert len(steps) == 1
        step_ms = steps.pop() // 8
        # To the frame, if three ends fit in
        least_ms = max(tone_ms + gap_ms, (tone_ms + 19) // 20 * 20 + 40)
        assert least_ms <= step_ms < least_ms + 20, (tone_ms, gap_ms, step_ms)
        assert not any(packets[-2:])


def test_a_long_press_in_parts():
    sender = keys.Sender()
    for tone_ms, parts in ((8191, 1), (8192, 2), (20000, 3), (60000, 8)):
        sender.lengths(tone_ms, 100)
        sender.press(9)
        packets, heard = sent(sender, tone_ms // 20 + 20)
        assert heard == [9]
        found = events(packets)
        assert len(found) == parts
        assert sum(duration for _, duration, _ in found) == tone_ms * 8
        for a, b in zip(found, found[1:]):
            assert a[1:] == (0xFFFF, 0) and b[0] == a[0] + 0xFFFF
        assert found[-1][2] >= 2
        assert [packet[1] >> 7 for packet in packets if packet].count(1) == 1  # the marker


def test_lengths_that_can_not_be():
    sender = keys.Sender()
    for tone_ms, gap_ms in ((0, 100), (19, 100), (60001, 100), (100, 0), (100, -5)):
        assert "a key's tone lasts" in str(raises(ValueError, sender.lengths, tone_ms, gap_ms))


def test_what_we_send_is_heard():
    sender, phone = keys.Sender(), Phone()
    for code in (1, 1, 2, 2):
        sender.press(code)
    sound = bytearray(HEADER)
    for _ in range(60):
        if sender.frame(sound, 101):
            packet = bytes(sender.packet)
            phone.receiver.put(packet)
        rtp.advance(sound, 160)
    assert phone.heard() == [1, 1, 2, 2]


def test_no_more_keys_than_fit():
    sender = keys.Sender()
    assert [sender.press(1) for _ in range(17)] == [True] * 16 + [False]
    for code in (-1, 16):
        assert "0 to 15" in str(raises(ValueError, sender.press, code))
