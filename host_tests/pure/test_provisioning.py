"""What is answered at the address where a phone fetches its account, and when that address closes; no sockets."""

import asyncio
import random

from door import offered, provision

_PATH = b"/AbCdEfGhIjKlMnOp"
_ACCOUNT = ("192.0.2.7", "house", "101", "kitchen", "s3cret")
_GET = b"GET " + _PATH + b" HTTP/1.1\r\nUser-Agent: Unknown\r\nHost: 192.0.2.7:8080\r\n\r\n"  # as linphone sends it


def _answer(request):
    return provision.answer(request, _PATH, _ACCOUNT)


def _body(response):
    head, body = response.split(b"\r\n\r\n", 1)
    assert b"\r\nContent-Length: %d\r\n" % len(body) in head and b"\r\nConnection: close" in head
    return body


def test_the_phone_is_given_its_account():
    is_given, response = _answer(_GET)
    assert is_given and response.startswith(b"HTTP/1.1 200 OK\r\n")
    body = _body(response)
    for entry in (
        b'<section name="misc">\n<entry name="transient_provisioning" overwrite="true">1</entry>\n</section>',
        b'<entry name="sip_port" overwrite="true">-1</entry>',  # a door on the same computer has 5060
        b'<entry name="reg_proxy" overwrite="true">&lt;sip:192.0.2.7;transport=udp&gt;</entry>',
        b'<entry name="reg_identity" overwrite="true">"kitchen" &lt;sip:101@192.0.2.7&gt;</entry>',
        b'<section name="auth_info_0">\n<entry name="username" overwrite="true">101</entry>\n'
        b'<entry name="passwd" overwrite="true">s3cret</entry>\n<entry name="realm" overwrite="true">house</entry>\n</section>',
    ):
        assert entry in body, entry
    assert body.count(b"<section ") == body.count(b"</section>") == 4 and body.endswith(b"</config>\n")


def test_more_has_to_come_until_the_head_is_whole():
    for n in range(len(_GET)):
        assert _answer(_GET[:n]) == (False, b""), n


def test_nothing_else_is_told_from_anything_else():
    other = []
    for wrong in (
        b"GET /AbCdEfGhIjKlMnOq HTTP/1.1", b"GET " + _PATH + b"/ HTTP/1.1", b"GET " + _PATH + b"? HTTP/1.1", b"GET / HTTP/1.1",
        b"GET http://192.0.2.7:8080" + _PATH + b" HTTP/1.1", b"HEAD " + _PATH + b" HTTP/1.1", b"POST " + _PATH + b" HTTP/1.1",
        b"get " + _PATH + b" HTTP/1.1", b"GET " + _PATH, b"GET  " + _PATH + b" HTTP/1.1", b"GET " + _PATH + b" HTTP/2",
        b"GET " + _PATH + b" HTTP/1.1 ", b"GET \xff\xfe\x00 HTTP/1.1", b"", b"INVITE sip:100@192.0.2.7 SIP/2.0", b"\x16\x03\x01\x02",
    ):  # fmt: skip
        is_given, response = _answer(wrong + b"\r\nHost: 192.0.2.7\r\n\r\n")
        assert not is_given and b"s3cret" not in response, wrong
        other.append(response)
    assert other[0].startswith(b"HTTP/1.1 404 ") and other == [other[0]] * len(other)


def test_a_browser_is_told_what_the_code_is_for():
    is_given, response = _answer(_GET[:-2] + b"Accept: text/html,application/xhtml+xml;q=0.9\r\n\r\n")
    assert not is_given and response.startswith(b"HTTP/1.1 403 ")
    assert b"Linphone" in _body(response) and b"s3cret" not in response


def test_a_request_has_a_bound():
    assert _answer(b"GET " + _PATH + b" HTTP/1.1\r\nX: " + b"x" * 900) == (False, b"")
    is_given, response = _answer(b"GET " + _PATH + b" HTTP/1.1\r\nX: " + b"x" * 1024)
    assert not is_given and response.startswith(b"HTTP/1.1 431 ")


def test_rubbish():
    random.seed(7)
    pieces = (_GET, _PATH, b"GET ", b" HTTP/1.1", b"\r\n", b"\r\n\r\n", b"\x00", b"\xff", b" ", b"/", b"text/html", b"%s", b"A" * 300)
    for _ in range(400):
        request = b"".join([pieces[random.randrange(len(pieces))] for _ in range(random.randrange(12))])
        if random.randrange(2) and request:
            at = random.randrange(len(request))
            request = request[:at] + bytes([random.randrange(256)]) + request[at + 1 :]
        is_given, response = _answer(request)
        assert is_given == (b"s3cret" in response)
        if is_given:
            assert request.startswith(b"GET " + _PATH + b" HTTP/1.")
        assert response or b"\r\n\r\n" not in request and len(request) < 1024


class _Socket:
    """Of one who sends a byte at a time, and takes ten at a time."""

    def __init__(self, request):
        self.left = request
        self.got = b""
        self.is_open = True

    def accept(self):  # it is the one that listens, too
        return self, ("192.0.2.9", 1024)

    def setblocking(self, _):
        pass

    def recv(self, _):
        data, self.left = self.left[:1], self.left[1:]
        return data

    def send(self, data):
        self.got += data[:10]
        return len(data[:10])

    def close(self):
        self.is_open = False


class _Offering:
    """A door that offers this."""

    def __init__(self, sock):
        self._offered = sock, _PATH, _ACCOUNT


def _take(sock, step_ms, has_more=True, door=None):
    """What take() makes of it with a clock that goes so many ms each time it is asked."""
    real = provision.ticks_ms, provision.lend
    now = [0]

    def ticks_ms():
        now[0] += step_ms
        return now[0]

    class Sockets:
        @staticmethod
        def ready(_):
            return lambda _: (1,) if sock.left or not has_more else ()

    async def sleep_ms(_):
        pass

    class Asyncio:
        pass

    Asyncio.sleep_ms = sleep_ms
    whole = provision.asyncio
    door = door or _Offering(sock)
    try:
        provision.ticks_ms = ticks_ms
        provision.asyncio = Asyncio
        provision.lend = lambda name: Sockets
        return asyncio.run(provision.take(door, door._offered)), now[0]
    finally:
        provision.ticks_ms, provision.lend = real
        provision.asyncio = whole


def test_byte_by_byte():
    sock = _Socket(_GET)
    assert _take(sock, 5)[0] is True and not sock.is_open
    assert sock.got == _answer(_GET)[1]


def test_a_full_heap_is_waited_for():
    real = provision.answer
    failing = [3]

    def answer(*given):
        if failing[0] and given[0].endswith(b"\r\n\r\n"):
            failing[0] -= 1
            raise MemoryError
        return real(*given)

    sock = _Socket(_GET)
    try:
        provision.answer = answer
        assert _take(sock, 5)[0] is True and failing == [0]
    finally:
        provision.answer = real
    assert sock.got == _answer(_GET)[1]


def test_who_is_slow_is_left_alone():
    for request in (b"", _GET[:-1], b"\x00" * 900):
        sock = _Socket(request)
        is_given, took_ms = _take(sock, 3)
        assert is_given is False and 3000 <= took_ms < 3100 and not sock.is_open and sock.got == b""
    sock = _Socket(_GET)
    is_given, took_ms = _take(sock, 20)  # and who takes his answer slowly
    assert is_given is False and took_ms < 3100 and not sock.is_open and b"</config>" not in sock.got


def test_what_is_offered_no_more_is_not_given_to_who_asks_already():
    for at in (0, 1, len(_GET) - 2):  # bytes that have come
        sock = _Socket(_GET)
        door = _Offering(sock)
        recv = sock.recv

        def received(n, sock=sock, door=door, recv=recv, at=at):
            if len(_GET) - len(sock.left) == at:
                door._offered = None
            return recv(n)

        sock.recv = received
        assert _take(sock, 5, door=door)[0] is False and sock.got == b"" and not sock.is_open, at


class _Agent:
    host, port = "192.0.2.7", 5060

    class house:
        realm = b"house"

    def place(self):
        return b"%s:%d" % (self.host.encode(), self.port)


def test_what_would_not_register_any_more_is_closed():
    """Key of the agent or the house, its new value, and whether the account is still what is offered."""
    for key, value, is_offered in (
        ("user", "another", True), ("port", 5060, True), ("port", 5070, False), ("host", "192.0.2.8", False), ("house", None, False),
        ("realm", b"another", False),
    ):  # fmt: skip
        door = _Door()
        door._agent = _Agent()
        if key == "realm":

            class House:
                realm = value

            key, value = "house", House
        setattr(door._agent, key, value)
        provision.check(door)
        assert (door._offered is not None) == is_offered and len(door.said) == (0 if is_offered else 2), key
        if not is_offered:
            assert door.said[0] == "closed" and 'door.add_phone("kitchen")' in door.said[1]


def test_who_goes_is_forgotten():
    sock = _Socket(_GET[:20])
    assert _take(sock, 5, has_more=False)[0] is False and not sock.is_open


class _Door:
    def __init__(self):
        self.said = []
        self._offered = self, _PATH, _ACCOUNT

    def close(self):  # it is the socket, too
        self.said.append("closed")

    def say(self, words):
        self.said.append(words)


def _offer(door, meanwhile):
    """Runs offer() with a clock that goes some minutes each time it is asked, and a socket where nobody ever comes."""
    real = offered.ticks_ms, offered.lend
    now = [0]

    def ticks_ms():
        now[0] += 200000
        meanwhile(now[0])
        return now[0]

    class Sockets:
        @staticmethod
        def ready(_):
            return lambda _: ()

    try:
        offered.ticks_ms = ticks_ms
        offered.lend = lambda name: Sockets if name == "sip.sockets" else real[1](name)
        asyncio.run(offered.offer(door, door._offered))
    finally:
        offered.ticks_ms, offered.lend = real
    return now[0]


def test_it_closes_after_ten_minutes():
    door = _Door()
    assert _offer(door, lambda now: None) >= 600000
    assert door._offered is None and door.said[0] == "closed"
    assert "kitchen" in door.said[1] and "ten minutes" in door.said[1] and len(door.said) == 2


def test_it_makes_room_for_another():
    door = _Door()

    def meanwhile(now):
        if now == 400000:
            door._offered = "another"

    assert _offer(door, meanwhile) <= 600000
    assert door._offered == "another" and door.said == []
