"""Keys pressed at the far end, and by us: each press once."""

from array import array

from media import dtmf, rtp


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


def test_what_we_send():
    sender = dtmf.Sender()
    assert sender.frame() == 0
    sender.digits.append(11)
    sender.digits.append(11)
    kinds, payloads = [], []
    for _ in range(30):
        kind = sender.frame()
        kinds.append(kind)
        if kind:
            payloads.append(bytes(sender.payload))
    assert kinds == ([1, 2, 2, 2, 2, 3, 3] + [0] * 4) * 2 + [0] * 8
    tone = [bytes([11, 0x0A]) + (160 * i).to_bytes(2, "big") for i in range(1, 5)]
    assert payloads == (tone + [b"\x0b\x8a\x03\x20"] * 3) * 2


def test_what_we_send_is_heard():
    sender, phone = dtmf.Sender(), Phone()
    for code in (1, 1, 2, 2):
        sender.digits.append(code)
    timestamp = event = 0
    for _ in range(60):
        kind = sender.frame()
        if kind == 1:
            event = timestamp
        if kind:
            phone.send(0, event, 0, payload=bytes(sender.payload))
        timestamp += 160
    assert phone.heard() == [1, 1, 2, 2]
