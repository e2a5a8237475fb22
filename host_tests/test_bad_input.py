"""What no peer should send, sent: the door lives, says 400 and why where RFC 3261 asks for it, and the call goes on."""
import random
import socket
import struct

import pytest

from host_tests.rig.door import Door
from host_tests.rig.wire import Wire


pytestmark = pytest.mark.needs("micropython")

FUZZ_SEED = 3261
FUZZ_MESSAGES = 3000


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with Door(tmp_path_factory.mktemp("door"), {}) as door:
        yield door


@pytest.fixture
def wire(door):
    with Wire((door.address, 5060)) as wire:
        yield wire
        door.settle()
        assert "Traceback" not in door.said()


def _lives(wire):
    """It answers OPTIONS, and what it says meanwhile is passed over."""
    branch = None
    for _ in range(5):
        wire.send(wire.request("OPTIONS", branch=branch, call_id="lives" + wire.call_id))
        branch = wire.branch
        try:
            if wire.expect(200, cseq="1 OPTIONS", timeout_s=1):
                return True
        except Exception:
            continue
    return False


NOT_SIP = [b"", b"\0", b"\r\n\r\n", b"\r\n" * 20, b"hello", b"\xff" * 400, bytes(range(256)) * 4, b"GET / HTTP/1.1\r\n\r\n",
           b"SIP/2.0", b"SIP/2.0 \r\n\r\n", b"INVITE", b"INVITE sip:door", b" \r\n\r\n", b"\x80\x00" + bytes(170),
           b"\x16\x03\x01\x02\x00\x01\x00", b":" * 1400, b"\r\n:\r\n" * 200, b"A" * 60000]


@pytest.mark.parametrize("data", NOT_SIP, ids=lambda data: "%r*%d" % (data[:8], len(data)))
def test_not_sip_is_dropped(wire, data):
    wire.send(data)
    assert _lives(wire)
    assert not [m for m in wire.skipped if m.status and m.status < 400]


# (name, change to a good INVITE, what is answered: a status, or 0 for silence)
BROKEN = [
    ("no Call-ID", lambda m: _without(m, b"Call-ID"), 400),
    ("no CSeq", lambda m: _without(m, b"CSeq"), 400),
    ("no From", lambda m: _without(m, b"From"), 400),
    ("no To", lambda m: _without(m, b"To"), 400),
    ("no Via", lambda m: _without(m, b"Via"), 0),
    ("CSeq of another method", lambda m: m.replace(b"CSeq: 1 INVITE", b"CSeq: 1 BYE"), 400),
    ("CSeq not a number", lambda m: m.replace(b"CSeq: 1 ", b"CSeq: one "), 400),
    ("CSeq far too large", lambda m: m.replace(b"CSeq: 1 ", b"CSeq: 99999999999999999999 "), 400),
    ("To never closed", lambda m: m.replace(b"To: <", b"To: \"x <"), 400),
    ("body shorter than Content-Length", lambda m: m[:-40], 400),
    ("Content-Length not a number", lambda m: m.replace(b"Content-Length: ", b"Content-Length: x"), 400),
    ("Content-Length negative", lambda m: m.replace(b"Content-Length: ", b"Content-Length: -"), 400),
    ("another version", lambda m: m.replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1), 505),
    ("SDP that is none", lambda m: m.replace(b"m=audio", b"m?audio"), (400, 488)),
    ("SDP with a bad port", lambda m: m.replace(b"m=audio 7000", b"m=audio 70000000"), (400, 488)),
    ("SDP without an address", lambda m: m.replace(b"c=IN IP4 ", b"x=IN IP4 "), (400, 488)),
    ("body that is no SDP", lambda m: m.replace(b"application/sdp", b"application/pdf"), 415),
    ("Request-URI of another scheme", lambda m: m.replace(b"INVITE sip:door", b"INVITE soap:door", 1), (400, 416)),
    ("no Contact", lambda m: _without(m, b"Contact"), 400),
    ("Max-Forwards not a number", lambda m: m.replace(b"Max-Forwards: 70", b"Max-Forwards: many"), None),
]


def _without(message, name):
    head, _, body = message.partition(b"\r\n\r\n")
    return b"\r\n".join(line for line in head.split(b"\r\n") if not line.startswith(name + b":")) + b"\r\n\r\n" + body


@pytest.mark.parametrize("name, change, wanted", BROKEN, ids=[row[0] for row in BROKEN])
def test_broken_invite(wire, name, change, wanted):
    good = wire.request("INVITE", body=wire.offer())
    bad = change(good)
    assert bad != good
    if "Content-Length" not in name:
        bad = _right_length(bad)                            # only what is said to be wrong is wrong
    wire.send(bad)
    if wanted == 0:
        assert wire.nothing()
    else:
        answer = wire.expect(400, 415, 416, 488, 505, 200)
        if wanted is not None:
            assert answer.status in (wanted if isinstance(wanted, tuple) else (wanted,)), answer
            assert len(answer.reason) > 3 and answer.reason != "Bad Request", "a 400 says why"
            if answer.get("cseq").endswith("INVITE"):
                wire.send(wire.request("ACK", branch=wire.branch, to_tag=answer.to_tag))
        elif answer.status == 200:
            wire.ack(answer)
            wire.bye(answer)
    assert _lives(wire)


def _right_length(message):
    head, _, body = message.partition(b"\r\n\r\n")
    lines = [b"Content-Length: %d" % len(body) if line.startswith(b"Content-Length:") else line
             for line in head.split(b"\r\n")]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_every_truncation_of_an_invite(wire, door):
    good = wire.request("INVITE", body=wire.offer())
    for length in range(0, len(good), 3):
        wire.send(good[:length])
        if length % 60 == 0:
            assert _lives(wire)
    assert _lives(wire)
    assert not [m for m in wire.skipped if m.status in (180, 200) and "INVITE" in m.get("cseq")]


def test_huge_messages(wire):
    good = wire.request("INVITE", body=wire.offer())
    for padding in (b"X-Long: " + b"y" * 3000 + b"\r\n", b"X-Many: y\r\n" * 300, b"Via: SIP/2.0/UDP h;branch=z9hG4bKx\r\n" * 100,
                    b"X-Long: " + b"y" * 60000 + b"\r\n"):
        wire.send(good.replace(b"Max-Forwards", padding + b"Max-Forwards", 1))
        assert _lives(wire)
    for m in wire.skipped:                                  # whoever was let in is sent away again
        if m.status == 200 and "INVITE" in m.get("cseq"):
            wire.ack(m)
            wire.bye(m)


def test_response_to_nothing(wire):
    answer = (b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKnobody\r\nFrom: <sip:a@b>;tag=1\r\n"
              b"To: <sip:c@d>;tag=2\r\nCall-ID: nothing\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
    for status in (b"100", b"180", b"200", b"401", b"486", b"699"):
        wire.send(answer.replace(b"200", status, 1))
    assert wire.nothing()
    assert _lives(wire)


def test_bad_input_during_a_call_does_not_touch_it(wire, door):
    ok = wire.call()
    with Wire((door.address, 5060)) as other:
        for data in NOT_SIP:
            other.send(data)
        for _, change, _ in BROKEN:
            other.send(change(other.request("INVITE", body=other.offer())))
        assert _lives(other)
    first = wire.receive_rtp()
    for n in range(25):
        wire.send_rtp(ok.media, n)
        last = wire.receive_rtp()
    assert last[3] == first[3]                              # the same stream, still sending
    door.wait_status("In a call with")
    assert wire.bye(ok).status == 200


def test_rtp_from_a_stranger(wire, door):
    """Before the peer is known a stranger's packets are counted and do not turn our sound to him; then they never arrive."""
    ok = wire.call()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.98.7", 0))
        for n in range(10):
            wire.send_rtp(ok.media, n)
            wire.receive_rtp()
        for n in range(50):
            wire.send_rtp(ok.media, 1000 + n, ssrc=0x66, socket_=stranger)
            wire.receive_rtp()
        stranger.settimeout(0.3)
        with pytest.raises(TimeoutError):
            stranger.recv(2000)
    wire.receive_rtp()
    assert wire.bye(ok).status == 200


@pytest.mark.parametrize("data", [b"", b"\x80", bytes(11), b"\x80\x00" + bytes(10), b"\x80\x00" + bytes(9000), b"\xff" * 172,
                                  b"\x8f\x00" + bytes(20), b"\x90\x00" + bytes(10) + b"\xff\xff\xff\xff", b"\xa0\x00" + bytes(9) + b"\xff" * 20,
                                  b"\x80\x65" + bytes(10), b"\x80\x65" + bytes(10) + b"\x05", b"not rtp"],
                         ids=lambda data: "%s*%d" % (data[:3].hex(), len(data)))
def test_bad_rtp_from_the_peer(wire, door, data):
    ok = wire.call()
    wire.send_rtp(ok.media, 1)
    for _ in range(3):
        wire.rtp.sendto(data, ok.media)
    for n in range(5):
        wire.send_rtp(ok.media, 2 + n)
        wire.receive_rtp()
    door.wait_status("In a call with")
    assert wire.bye(ok).status == 200


def _mutate(random_, message):
    """One to four small wounds."""
    data = bytearray(message)
    for _ in range(random_.randint(1, 4)):
        at = random_.randrange(len(data)) if data else 0
        kind = random_.randrange(7)
        if kind == 0 and data:
            data[at] = random_.randrange(256)
        elif kind == 1:
            del data[at:at + random_.randint(1, 20)]
        elif kind == 2:
            data[at:at] = random_.choice((b"\r\n", b"\r\n\r\n", b" ", b"\t", b"\"", b"<", b">", b";", b",", b":", b"%", b"\0",
                                          b"@", b"=", b"\xc3", b"99999999999", b"-1", b";tag=", b"sip:", b"\r\nVia:"))
        elif kind == 3:
            data[at:at] = data[at:at + random_.randint(1, 60)]
        elif kind == 4:
            lines = bytes(data).split(b"\r\n")
            random_.shuffle(lines)
            data = bytearray(b"\r\n".join(lines))
        elif kind == 5:
            data = data[:at]
        elif data:
            data[at] ^= 1 << random_.randrange(8)
    return bytes(data)


def _rarely_full(door):
    """Of all datagrams at most one in a hundred was lost because the heap had no room for it at that moment."""
    counts = door.console("a = door._agent; print('lost', a.out_of_memory + a.transport.out_of_memory, a.transport.received)")
    lost, received = [int(word) for word in counts.split("lost ")[1].split()[:2]]
    return lost * 100 <= received


def test_fuzz(wire, door):
    """Mutated requests and answers, the same ones each run; a call is up meanwhile and is still there afterwards."""
    random_ = random.Random(FUZZ_SEED)
    ok = wire.call()
    with Wire((door.address, 5060)) as other:
        for n in range(FUZZ_MESSAGES):
            method = random_.choice(("OPTIONS", "OPTIONS", "BYE", "CANCEL", "ACK", "INFO", "REGISTER", "INVITE"))
            other.fresh_call()
            body = other.offer() if method == "INVITE" else b""
            if method == "INVITE":                          # a second call is busy anyway: nothing piles up
                message = other.request(method, body=body)
            else:
                message = other.request(method, to_tag=random_.choice(("", "x")))
            if n % 10 == 0:
                message = b"SIP/2.0 180 Ringing\r\n" + message.partition(b"\r\n")[2]
            other.send(_mutate(random_, message))
            if n % 25 == 24:
                assert _lives(other), "dead after fuzz message %d (seed %d)" % (n, FUZZ_SEED)
                other.skipped.clear()
    door.wait_status("In a call with")
    wire.receive_rtp()
    assert wire.bye(ok).status == 200
    assert _rarely_full(door)
    with Wire((door.address, 5060)) as fresh:               # what the fuzz left half open makes room again
        fresh.send(fresh.request("OPTIONS"))
        fresh.expect(200)


def test_fuzzed_sdp(wire, door):
    """Mutated offers in sound INVITEs: each is answered, and what was accepted ends as any call."""
    random_ = random.Random(FUZZ_SEED + 1)
    statuses = set()
    for _ in range(400):
        wire.fresh_call()
        body = wire.offer() + b"m=video 7010 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        invite = wire.request("INVITE", body=_mutate(random_, body) or body)
        answer = wire.transact(invite, 200, 400, 415, 488, cseq="1 INVITE")
        statuses.add(answer.status)
        if answer.status == 200:
            wire.ack(answer)
            assert wire.bye(answer).status == 200
        else:
            wire.send(wire.request("ACK", branch=wire.branch, to_tag=answer.to_tag))
        wire.skipped.clear()
    assert {200, 400, 488} <= statuses
    assert _rarely_full(door)


def test_fuzzed_rtp(wire, door):
    """Mutated packets from the peer's own port: sound goes on both ways."""
    random_ = random.Random(FUZZ_SEED + 2)
    ok = wire.call()
    wire.send_rtp(ok.media, 0)
    wire.receive_rtp()
    for n in range(1, 600):
        kind, payload = random_.choice(((0, b"\xff" * 160), (101, b"\x05\x0a\x03\x20"), (101, b"\x05\x8a\x03\x20")))
        packet = struct.pack("!BBHII", 0x80, kind, n, n * 160, 0x51D00001) + payload
        wire.rtp.sendto(_mutate(random_, packet), ok.media)
        wire.send_rtp(ok.media, n)
        if n % 8 == 0:
            wire.receive_rtp()                              # its clock is ours
    door.wait_status("In a call with")
    assert wire.bye(ok).status == 200
