"""Keys on the wire and at the door: a key counts once whichever ways tell of it, and ours go as the configuration says."""

import time

import numpy as np
import pytest

from host_tests.rig import sounds
from host_tests.rig.door import Door
from host_tests.rig.wire import Wire

pytestmark = pytest.mark.needs("micropython")
EVENTS = 101


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """With the heap of a board."""
    with Door(tmp_path_factory.mktemp("door"), {"door.code": "1122", "door.open_s": 1}) as door:
        yield door


class Phone:
    """Plays frames of 20 ms into a call by an absolute schedule, with keys in all ways that are asked for."""

    def __init__(self, wire, ok):
        self.wire, self.ok = wire, ok
        self.sequence = self.frame = 0
        self.cseq = 1
        self.begin = time.monotonic()

    def send(self, payload_type, payload, frame):
        self.wire.send_rtp(self.ok.media, self.sequence, payload_type, payload, timestamp=(1000 + frame * 160) & 0xFFFFFFFF)
        self.sequence += 1

    def info(self, code, kind="application/dtmf-relay"):
        self.cseq += 1
        name = "0123456789*#ABCD"[code]
        body = ("Signal=%s\r\nDuration=50\r\n" % name if kind.endswith("relay") else name).encode()
        head = self.wire.request("INFO", uri=self.wire.contact(self.ok), to_tag=self.ok.to_tag, cseq=self.cseq,
                                 headers=("Content-Type: " + kind,))
        self.wire.send(head.replace(b"Content-Length: 0", b"Content-Length: %d" % len(body)) + body)

    def play(self, frames, presses=(), ways=("rtp", "info", "sound"), early=0, lost=()):
        """`presses`: (frame, code) of keys of 50 ms; INFO goes `early` frames before. `lost`: (way, place) of some that do not go."""
        loud = np.zeros(frames * 160)
        for n, (at, code) in enumerate(presses):
            if "sound" in ways and ("sound", n) not in lost:
                loud[at * 160:at * 160 + 400] = sounds.key(code, 50)
        codes = ulaw(loud)
        for i in range(frames):
            self.send(0, codes[i * 160:i * 160 + 160], self.frame)
            for n, (at, code) in enumerate(presses):
                if "rtp" in ways and at <= i < at + 5 and ("rtp", n) not in lost:
                    duration = min((i - at + 1) * 160, 400)
                    end = 0x8A if i >= at + 2 else 0x0A
                    self.send(EVENTS, bytes([code, end, duration >> 8, duration & 255]), self.frame - i + at)
                if "info" in ways and i == at - early and ("info", n) not in lost:
                    self.info(code)
            self.frame += 1
            time.sleep(max(0, self.begin + self.frame * 0.02 - time.monotonic()))

    def over(self, door):
        self.wire.bye(self.ok, self.cseq + 1)
        door.wait_no_call()


def ulaw(samples):
    return sounds.audioop.lin2ulaw(np.clip(np.round(samples), -32768, 32767).astype("<i2").tobytes(), 2)


def keys_1122(first=20):
    """50 ms of tone, 50 ms of gap."""
    return [(first + 5 * n, code) for n, code in enumerate((1, 1, 2, 2))]


def open_count(door):
    return door.said().count("The right code")


@pytest.mark.parametrize("ways", [("rtp",), ("info",), ("sound",), ("rtp", "sound"), ("rtp", "info", "sound")], ids="+".join)
@pytest.mark.parametrize("early", [0, 12], ids=["with", "before"])
def test_1122_is_1122(door, wire, ways, early):
    """One key more or less, and the code would be wrong: the second time too, for none may be left over from the first."""
    phone = Phone(wire, wire.call())
    phone.play(20)
    opened = open_count(door)
    for n in range(2):
        phone.play(90, keys_1122(), ways, early)
        door.expect("The right code", "A wrong code")
        assert open_count(door) == opened + n + 1
    assert "wrong code" not in door.said()[-2000:]
    phone.over(door)


@pytest.mark.parametrize("lost", [(("sound", 0), ("sound", 3)), (("rtp", 1), ("info", 2)), (("info", 0), ("info", 1), ("sound", 2))],
                         ids=str)
def test_what_one_way_loses_another_has(door, wire, lost):
    phone = Phone(wire, wire.call())
    phone.play(20)
    opened = open_count(door)
    phone.play(100, [(20 + 10 * n, code) for n, code in enumerate((1, 1, 2, 2))], lost=lost)
    assert "The right code" in door.expect("The right code", "A wrong code")
    assert open_count(door) == opened + 1
    phone.over(door)


def test_keys_before_the_call_and_from_strangers_count_for_nothing(door, wire):
    """An INFO with another Call-ID is of no call; events of another SSRC, from another address, are not the peer's."""
    ok = wire.call()
    phone = Phone(wire, ok)
    phone.play(30)
    opened = open_count(door)
    with Wire((door.address, 5060)) as other:
        for code in (1, 1, 2, 2):
            body = b"Signal=%d\r\n" % code
            info = other.request("INFO", to_tag=ok.to_tag, headers=("Content-Type: application/dtmf-relay",))
            got = other.transact(info.replace(b"Content-Length: 0", b"Content-Length: %d" % len(body)) + body, 200, 481)
            assert got.status == 481
        for n, code in enumerate((1, 1, 2, 2)):
            for ends in range(3):
                other.send_rtp(ok.media, n * 3 + ends, EVENTS, bytes([code, 0x8A, 1, 0x90]), ssrc=0x666, timestamp=n * 800)
    phone.play(80)
    assert open_count(door) == opened
    phone.play(90, keys_1122())
    door.expect("The right code")
    phone.over(door)


def test_a_flash_of_the_hook_is_no_key(door, wire):
    phone = Phone(wire, wire.call())
    phone.play(20)
    opened = open_count(door)
    for at, code in ((20, 1), (25, 1), (30, 16), (35, 2), (40, 2)):
        phone.play(25, [(5, code)], ("rtp",))
    door.expect("The right code")
    assert open_count(door) == opened + 1
    phone.over(door)


def test_keys_in_the_sound_can_be_off(door, wire):
    door.set("dtmf.inband", "off")
    try:
        phone = Phone(wire, wire.call())
        phone.play(20)
        opened = open_count(door)
        phone.play(90, keys_1122(), ("sound",))
        assert open_count(door) == opened
        phone.play(90, keys_1122(), ("rtp",))
        door.expect("The right code")
        phone.over(door)
    finally:
        door.set("dtmf.inband", "on")


def test_our_keys_as_events(door, wire):
    door.set("dtmf.tone_ms", 60)
    door.set("dtmf.gap_ms", 140)
    ok = wire.call()
    wire.send_rtp(ok.media, 1)
    assert "Sending 12#." in door.console('door.keys("12#")')
    found = {}
    while len(found) < 3 or found[max(found)][2] < 3:
        payload_type, _, timestamp, _, payload, _ = wire.receive_rtp()
        if payload_type == EVENTS:
            _, _, ends = found.get(timestamp, (0, 0, 0))
            found[timestamp] = payload[0], payload[2] << 8 | payload[3], ends + (payload[1] >> 7)
    assert [found[t] for t in sorted(found)] == [(1, 480, 3), (2, 480, 3), (11, 480, 3)]
    first, second, third = sorted(found)
    assert second - first == third - second == 1600
    wire.bye(ok)
    door.wait_no_call()


def test_our_keys_by_info(door, wire):
    door.set("dtmf.send", "info")
    door.set("dtmf.tone_ms", 60)
    try:
        ok = wire.call()
        assert "by INFO" in door.console("door.keys(5)")
        info = wire.expect("INFO")
        assert info.get("content-type") == "application/dtmf-relay"
        assert info.body == b"Signal=5\r\nDuration=60\r\n"
        wire.send(wire.answer(info, 200, "OK"))
        door.console('door.keys("*A")')
        for name in ("*", "A"):  # the second waits for the first one's answer
            info = wire.expect("INFO")
            assert info.body.startswith(b"Signal=%s\r\n" % name.encode())
            assert wire.nothing(0.4)
            wire.send(wire.answer(info, 200, "OK"))
        door.console('door.keys("12")')
        wire.send(wire.answer(wire.expect("INFO"), 415, "Unsupported Media Type"))
        door.expect("takes no keys by INFO")
        assert wire.nothing(1)
        door.wait_status("In a call with")
        wire.bye(ok)
    finally:
        door.set("dtmf.send", "rtp")


def test_keys_that_can_not_be(door, wire):
    assert "there is no call that is answered" in door.console('door.keys("1")')
    wire.fresh_call()
    ok = wire.transact(wire.request("INVITE", body=wire.offer("0").split(b"a=")[0]), 200)
    wire.ack(ok)
    assert "takes no keys with the sound" in door.console('door.keys("1")')
    for keys in ('""', '"1x"', "-1", "None", '"%s"' % ("1" * 17)):
        assert "door.keys() takes 1 to 16" in door.console("door.keys(%s)" % keys)
    wire.bye(ok)
