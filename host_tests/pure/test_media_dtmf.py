"""Keys pressed at the far end, and by us: each press once."""

from array import array

from expect import raises
from media import dtmf, keys, rtp


class Phone:
    def __init__(self):
        self.receiver = dtmf.Receiver()
        self.fields = array("i", bytes(32))

    def send(self, code, timestamp, duration, end=False, payload=None):
        if payload is None:
            payload = bytes([code, 0x8A if end else 0x0A, duration >> 8, duration & 255])
        packet = b"\x80\x65\0\0" + (timestamp & 0xFFFFFFFF).to_bytes(4, "big") + b"SSRC" + payload
        assert rtp.parse(packet, 0, len(packet), self.fields)
        return self.receiver.put(packet, self.fields)

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
    assert [packet is not None for packet in packets] == ([True] * 7 + [False] * 4) * 2 + [False] * 8
    for first in (0, 11):
        press = packets[first : first + 7]
        assert [packet[1] for packet in press] == [0xE5] + [0x65] * 6
        assert [packet[2] for packet in press] == list(range(first, first + 7))
        assert [packet[7] for packet in press] == [0x34 + first] * 7
        assert all(packet[:1] + packet[3:7] + packet[8:12] == b"\x80b\0\0\x12SSRC" for packet in press)
        tone = [bytes([11, 0x0A]) + (160 * i).to_bytes(2, "big") for i in range(1, 5)]
        assert [packet[12:] for packet in press] == tone + [b"\x0b\x8a\x03\x20"] * 3


def test_what_we_send_is_heard():
    sender, phone = keys.Sender(), Phone()
    for code in (1, 1, 2, 2):
        sender.press(code)
    sound = bytearray(HEADER)
    for _ in range(60):
        if sender.frame(sound, 101):
            packet = bytes(sender.packet)
            assert rtp.parse(packet, 0, 16, phone.fields)
            phone.receiver.put(packet, phone.fields)
        rtp.advance(sound, 160)
    assert phone.heard() == [1, 1, 2, 2]


def test_no_more_keys_than_fit():
    sender = keys.Sender()
    assert [sender.press(1) for _ in range(17)] == [True] * 16 + [False]
    for code in (-1, 16):
        assert "0 to 15" in str(raises(ValueError, sender.press, code))
