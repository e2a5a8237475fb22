"""TCP on real sockets: an agent under CPython in a thread, and peers that are plain sockets."""

import asyncio
import socket
import subprocess
import sys
import threading
import time

import pytest

from host_tests.rig import addresses
from host_tests.pure import virtual_sip
from tools import build

SDP = virtual_sip.SDP
SCRIPT = build.ROOT / "host_tests" / "agent_script.py"


def pack(host, port):
    socket.inet_aton(host)
    return host, port


class Running:
    """An agent whose loop runs in a thread of its own; `do(function)` calls it there."""

    def __init__(self, host, **more):
        from sip.agent import Agent

        from sip.timers import Timers

        self.faults = []
        self.skipped_ms = 0
        self.loop = asyncio.new_event_loop()
        timers = Timers(lambda: time.ticks_add(time.ticks_ms(), self.skipped_ms))
        self.agent = Agent(host, 5060, pack, lambda address: address[:2], timers=timers, **more)
        self.agent.print_fault = self.faults.append
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        self.do(self.agent.start)

    def _run(self):
        self.loop.run_forever()
        self.loop.close()

    def do(self, function, *args):
        async def call():
            result = function(*args)
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(15)

    def skip(self, ms):
        """Time leaps ahead, for what the agent measures."""
        self.do(self._skip, ms)

    def _skip(self, ms):
        self.skipped_ms += ms

    def request(self, peer, method=b"OPTIONS", more=()):
        """Sends a request -> an object whose `outcome` becomes the status, or why there is none."""
        return self.do(self._request, peer, method, more)

    def _request(self, peer, method, more):
        from sip.message import request

        class User:
            outcome = None

            def on_response(self, transaction, message):
                self.outcome = message.status if message else transaction.why

        agent, user = self.agent, User()
        branch = agent.new_branch()
        data = request(method, b"sip:" + peer[0].encode(), agent.via(branch, peer), b"<sip:a@b>;tag=1", b"<sip:b@c>", branch, 1,
                       (), more)
        agent.transactions.client(method, branch, data, peer, user)
        return user

    def until(self, test, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.do(test):
                return
            time.sleep(0.005)
        raise AssertionError("it did not come to that within %d s" % seconds)

    def flows(self):
        streams = self.agent.transport.streams
        return [flow.key for flow in streams.flows] if streams else []

    def stop(self):
        self.do(self.agent.stop)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        assert not self.faults and not self.agent.faults, self.faults


@pytest.fixture
def ends():
    """A function: makes an agent on an address of its own -> Running; and the address of the other side."""
    running, taken = [], []

    def make(**more):
        address = addresses.take()
        taken.append(address)
        running.append(Running(address, **more))
        return running[-1]

    make.peer = addresses.take()
    yield make
    for one in running:
        one.stop()
    for address in taken + [make.peer]:
        addresses.give_back(address)


def connect(ends, agent):
    sock = socket.socket()
    sock.bind((ends.peer, 0))
    sock.settimeout(10)
    sock.connect((agent.agent.host, 5060))
    return sock


def options(branch=b"z9hG4bKo", body=b"", method=b"OPTIONS", more=()):
    message = virtual_sip.request(method, branch=branch, body=body, more=more, host=b"127.0.0.9")
    return message.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")


def read(sock, count=1):
    """`count` messages from the stream, parsed."""
    from sip.message import parse
    from sip.stream import frame

    data, found = b"", []
    while len(found) < count:
        more = sock.recv(5000)
        assert more, "closed; before that came %r" % data
        data += more
        while data and frame(data):
            end = frame(data)
            assert end > 0, data
            found.append(parse(data[:end]))
            data = data[end:]
    assert not data
    return found


def test_a_request_is_answered_on_its_own_connection(ends):
    agent = ends()
    with connect(ends, agent) as sock:
        sock.sendall(options())
        answer = read(sock)[0]
        assert answer.status == 200 and b"SIP/2.0/TCP" in answer.vias[0]
        assert b";transport=tcp" in answer.contact_uri
        assert agent.do(agent.flows) == [(ends.peer, sock.getsockname()[1], b"TCP")]
    agent.until(lambda: not agent.flows())
    assert agent.agent.transport.streams is None


def test_any_chunking_is_the_same(ends):
    agent = ends()
    whole = b"\r\n" + options(b"z9hG4bK1", SDP) + b"\r\n\r\n" + options(b"z9hG4bK2") + options(b"z9hG4bK3", SDP)
    with connect(ends, agent) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for size in (1, 7, 300, 5000):
            for at in range(0, len(whole), size):
                sock.sendall(whole[at : at + size])
            got = b""
            while got.count(b"SIP/2.0 200 ") < 3 or got.count(b"\r\n\r\n") < 3:
                got += sock.recv(5000)
            assert got.count(b"SIP/2.0 200 ") == 3, got
            assert [got.count(b"branch=z9hG4bK%d" % n) for n in (1, 2, 3)] == [1, 1, 1]


def ended(sock):
    """Everything until the other side closes."""
    data = b""
    while True:
        try:
            more = sock.recv(5000)
        except ConnectionResetError:
            return data
        if not more:
            return data
        data += more


def without(message, name):
    return b"\r\n".join(line for line in message.split(b"\r\n") if not line.startswith(name))


@pytest.mark.parametrize(
    "data, answer",
    [
        (without(options(), b"Content-Length"), b"SIP/2.0 400 Content-Length missing or wrong"),
        (options(more=(b"l: 5",)), b"SIP/2.0 400 Content-Length missing or wrong"),
        (without(options(), b"Content-Length").replace(b"\r\n\r\n", b"\r\nContent-Length: 20000\r\n\r\n"), b"SIP/2.0 513 "),
        (without(options(method=b"ACK"), b"Content-Length"), b""),
        (without(options(), b"Content-Length").replace(b"OPTIONS sip:door@192.0.2.1 SIP/2.0", b"SIP/2.0 200 OK"), b""),
        (b"GET / HTTP/1.1\r\nHost: door\r\n\r\n", b""),
        (b"\x16\x03\x01\x02\x00\x01" + b"\x00" * 2000, b""),
        (b"OPTIONS sip:a SIP/2.0\r\n" + b"Subject: x\r\n" * 800, b""),
    ],
    ids=["no length", "two lengths", "long", "ack", "response", "http", "tls", "header"],
)
def test_what_has_no_end_is_answered_where_it_can_be_and_the_connection_is_closed(ends, data, answer):
    agent = ends()
    with connect(ends, agent) as sock, connect(ends, agent) as other:
        sock.sendall(data)
        said = ended(sock)
        assert said.startswith(answer) and bool(said) == bool(answer), said
        assert not answer or b"z9hG4bKo" in said and b";tag=" in said
        other.sendall(options())
        assert read(other)[0].status == 200


def test_pings_are_answered_whatever_comes_between_their_bytes(ends):
    agent = ends()
    with connect(ends, agent) as sock:
        sock.sendall(b"\r\n\r\n")
        assert sock.recv(100) == b"\r\n"
        for byte in b"\r\n\r\n":
            sock.sendall(bytes((byte,)))
            time.sleep(0.01)
        assert sock.recv(100) == b"\r\n"


def test_the_oldest_connection_that_nothing_needs_makes_room(ends):
    agent = ends()
    socks = []
    for number in range(4):
        socks.append(connect(ends, agent))
        socks[-1].sendall(options())
        read(socks[-1])
        agent.skip(10)
    socks[0].sendall(options(b"z9hG4bKagain"))  # so that the second is the oldest
    read(socks[0])
    socks.append(connect(ends, agent))
    socks[4].sendall(options())
    assert read(socks[4])[0].status == 200
    assert ended(socks[1]) == b""
    assert agent.do(lambda: len(agent.flows())) == 4 and not agent.agent.transport.flows_refused
    for sock in socks:
        sock.close()


def test_when_all_are_needed_another_is_refused_and_counted(ends):
    agent = ends(on_call=lambda call: call.ring())
    socks = []
    for number in range(4):
        socks.append(connect(ends, agent))
        message = virtual_sip.request(b"INVITE", body=SDP, branch=b"z9hG4bK%d" % number, call_id=b"c%d" % number)
        socks[-1].sendall(message.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP"))
        assert read(socks[-1])[0].status == 180
    socks.append(connect(ends, agent))
    assert ended(socks[4]) == b""
    assert agent.agent.transport.flows_refused == 1
    for sock in socks:
        sock.close()


def test_silent_and_idle_connections_are_closed_in_the_end(ends):
    agent = ends()
    with connect(ends, agent) as silent, connect(ends, agent) as idle:
        idle.sendall(options())
        read(idle)
        agent.until(lambda: len(agent.flows()) == 2)
        agent.skip(16000)
        assert ended(silent) == b""
        agent.skip(70000)
        idle.sendall(options(b"z9hG4bK2"))
        read(idle)
        agent.skip(99000)
        assert agent.do(lambda: len(agent.flows())) == 1
        agent.skip(2000)
        assert ended(idle) == b""


def test_a_phone_s_connection_is_kept_for_as_long_as_it_is_registered(ends):
    from sip.server import location
    from sip.server.house import House

    class Owner:
        passed_s = 0

        def now_s(self):
            return self.passed_s

    agent, owner = ends(), Owner()
    with connect(ends, agent) as sock:
        sock.sendall(options())
        read(sock)
        house = House(b"house", b"100", owner)
        house.bindings.append(location.write(b"101", b"sip:101@x", 1000, 300, b"123456", 1, (), agent.do(agent.flows)[0], b"", 0, 300))
        agent.agent.house = house
        for _ in range(2):
            agent.skip(101000)
            assert sock.recv(100) == b"\r\n\r\n"
            sock.sendall(b"\r\n")
            agent.until(lambda: not agent.agent.transport.streams.flows[0].pinged)
        owner.passed_s = 301
        agent.skip(101000)
        assert not ended(sock).strip()


def listening(ends, backlog=5):
    sock = socket.create_server((ends.peer, 0), backlog=backlog)
    sock.settimeout(10)
    return sock, (ends.peer, sock.getsockname()[1], b"TCP")


def test_one_connection_for_all_that_goes_to_a_place(ends):
    from sip.message import response

    agent = ends()
    server, peer = listening(ends)
    with server:
        users = [agent.request(peer) for _ in range(3)]
        sock, source = server.accept()
        assert source[0] == agent.agent.host
        with sock:
            for message in read(sock, 3):
                sock.sendall(response(message, 200, to_tag=b"t"))
            agent.until(lambda: [user.outcome for user in users] == [200] * 3)
            last = agent.request(peer)
            sock.sendall(response(read(sock)[0], 404, to_tag=b"t"))
            agent.until(lambda: last.outcome == 404)


def test_nobody_there_is_said_at_once_and_silence_after_five_seconds(ends):
    agent = ends()
    server, peer = listening(ends)
    server.close()
    user = agent.request(peer)
    agent.until(lambda: user.outcome)
    assert user.outcome == "TCP: connection refused; nothing listens at that port there"
    server, peer = listening(ends, 0)
    waiting = []
    for _ in range(3):  # so that the queue of who knocks is full and no more is answered
        waiting.append(socket.socket())
        waiting[-1].setblocking(False)
        waiting[-1].connect_ex(peer[:2])
    user = agent.request(peer)
    agent.until(lambda: agent.flows())
    time.sleep(0.1)
    assert user.outcome is None
    agent.skip(5100)
    agent.until(lambda: user.outcome)
    assert user.outcome == "TCP: no connection within 5 s"
    for sock in waiting + [server]:
        sock.close()


def test_what_the_network_does_not_take_waits_and_has_a_bound(ends):
    agent = ends()
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.bind((ends.peer, 0))
        server.listen()
        server.settimeout(10)
        peer = (ends.peer, server.getsockname()[1], b"TCP")
        send = agent.agent.send
        assert agent.do(send, b"first", peer)
        sock, _ = server.accept()
        agent.until(lambda: not agent.agent.transport.streams.flows[0].queue)
        sent = 0
        piece = bytes(range(256)) * 4000
        while agent.do(send, piece, peer):
            sent += 1
            assert sent < 100
        assert 8 <= sent and agent.agent.transport.send_errors == 1
        with sock:
            wanted = b"first" + piece * sent
            got = bytearray()
            while len(got) < len(wanted):
                got += sock.recv(100000)
            assert got == wanted
        agent.until(lambda: not agent.flows())


def test_a_broken_connection_is_opened_again_and_what_it_carried_unanswered_goes_once_more(ends):
    from sip.message import response

    agent = ends()
    server, peer = listening(ends)
    with server:
        first = agent.request(peer)
        sock, _ = server.accept()
        sock.sendall(response(read(sock)[0], 200, to_tag=b"t"))
        agent.until(lambda: first.outcome == 200)
        second = agent.request(peer)
        wanted = read(sock)[0]
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()  # with a reset: the server was started again
        sock, _ = server.accept()
        again = read(sock)[0]
        assert again.data == wanted.data
        sock.sendall(response(again, 200, to_tag=b"t"))
        agent.until(lambda: second.outcome == 200)
        third = agent.request(peer)
        read(sock)
        sock.close()
        sock, _ = server.accept()
        read(sock)
        server.close()
        sock.close()
        agent.until(lambda: third.outcome)
        assert third.outcome.startswith("TCP: ")


def test_an_answer_whose_connection_is_gone_goes_to_where_the_via_says(ends):
    calls = []

    def on_call(call):
        call.ring()
        calls.append(call)

    agent = ends(on_call=on_call)
    server, peer = listening(ends)
    with server:
        invite = virtual_sip.request(b"INVITE", body=SDP, host=ends.peer.encode()).replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
        with connect(ends, agent) as sock:
            sock.sendall(invite.replace(b":5060;branch", b":%d;branch" % peer[1]))
            assert read(sock)[0].status == 180
        agent.until(lambda: not agent.flows())
        agent.do(calls[0].reject, 486)
        sock, _ = server.accept()
        with sock:
            assert read(sock)[0].status == 486


def test_requests_to_where_a_peer_listens_take_the_connection_that_it_has_opened(ends):
    agent = ends()
    server, peer = listening(ends)
    with server, connect(ends, agent) as sock:
        sock.sendall(options().replace(b"127.0.0.9:5060;branch", b"%s:%d;branch" % (ends.peer.encode(), peer[1])))
        read(sock)
        agent.request(peer)
        assert read(sock)[0].method == b"OPTIONS"
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


LONG = (b"X-Padding: " + b"x" * 1300,)


def test_a_request_too_long_for_udp_goes_by_tcp(ends):
    from sip.message import response

    agent = ends()
    server, peer = listening(ends)
    with server:
        user = agent.request(peer[:2], more=LONG)
        sock, _ = server.accept()
        with sock:
            message = read(sock)[0]
            assert message.vias[0].startswith(b"SIP/2.0/TCP ")
            sock.sendall(response(message, 200, to_tag=b"t"))
            agent.until(lambda: user.outcome == 200)


def test_and_by_udp_after_all_where_nobody_takes_the_connection(ends):
    from sip.message import parse, response

    agent = ends()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((ends.peer, 0))
        sock.settimeout(10)
        user = agent.request(sock.getsockname(), more=LONG)
        data, source = sock.recvfrom(5000)
        message = parse(data)
        assert message.vias[0].startswith(b"SIP/2.0/UDP ") and source == (agent.agent.host, 5060)
        sock.sendto(response(message, 200, to_tag=b"t"), source)
        agent.until(lambda: user.outcome == 200)


def register(agent, server, peer):
    from sip.message import response

    registration = agent.do(lambda: agent.agent.register("%s:%d" % peer[:2], "door", "x", transport="tcp"))
    sock, _ = server.accept()
    message = read(sock)[0]
    assert message.method == b"REGISTER" and b";transport=tcp" in message.contact_uri
    sock.sendall(response(message, 200, to_tag=b"t", lines=(b"Expires: 300",)))
    agent.until(lambda: registration.is_registered)
    return registration, sock


def answer_register(sock):
    from sip.message import response

    message = read(sock)[0]
    assert message.method == b"REGISTER"
    sock.sendall(response(message, 200, to_tag=b"t", lines=(b"Expires: 300",)))


def test_the_registrar_s_connection_is_kept_alive_and_its_silence_noticed(ends):
    agent = ends()
    server, peer = listening(ends)
    with server:
        registration, sock = register(agent, server, peer)
        agent.skip(61000)
        assert sock.recv(100) == b"\r\n\r\n"
        sock.sendall(b"\r\n")
        agent.until(lambda: agent.agent.transport.streams.flows[0].ponged)
        agent.skip(61000)
        assert sock.recv(100) == b"\r\n\r\n"
        agent.skip(11000)  # no answer
        again, _ = server.accept()
        answer_register(again)
        agent.until(lambda: registration.is_registered and len(agent.flows()) == 1)
        stop = threading.Thread(target=lambda: (answer_register(again), again.close()))
        stop.start()
        agent.do(agent.agent.stop)
        stop.join()
        sock.close()


def test_a_registrar_that_never_answers_pings_is_not_taken_for_gone(ends):
    agent = ends()
    server, peer = listening(ends)
    with server:
        registration, sock = register(agent, server, peer)
        for _ in range(3):
            agent.skip(61000)
            assert sock.recv(100) == b"\r\n\r\n"
        assert agent.do(lambda: len(agent.flows())) == 1 and registration.is_registered
        stop = threading.Thread(target=lambda: (answer_register(sock), sock.close()))
        stop.start()
        agent.do(agent.agent.stop)
        stop.join()


def test_a_closed_connection_is_made_again_by_the_registration(ends):
    agent = ends()
    server, peer = listening(ends)
    with server:
        registration, sock = register(agent, server, peer)
        sock.close()
        agent.until(lambda: not agent.flows())
        agent.skip(3000)
        sock, _ = server.accept()
        answer_register(sock)
        agent.until(lambda: registration.is_registered)
        stop = threading.Thread(target=lambda: (answer_register(sock), sock.close()))
        stop.start()
        agent.do(agent.agent.stop)
        stop.join()


def test_with_no_room_for_streams_who_knocks_is_turned_away_and_udp_goes_on(ends, monkeypatch):
    import sip.transport

    agent = ends()

    def full(name):
        raise MemoryError

    monkeypatch.setattr(sip.transport, "lend", full)
    with connect(ends, agent) as sock:
        assert ended(sock) == b""
    assert agent.agent.transport.flows_refused == 1 and not agent.do(agent.agent.send, b"x", (ends.peer, 5060, b"TCP"))
    monkeypatch.undo()
    with connect(ends, agent) as sock:
        sock.sendall(options())
        assert read(sock)[0].status == 200


@pytest.mark.parametrize("interpreter", ["cpython", "micropython"])
@pytest.mark.parametrize("kind", ["UDP", "TCP"])
@pytest.mark.parametrize("version", [4, 6])
def test_an_agent_asks_over_ipv4_and_ipv6(built, interpreter, kind, version):
    from sip.message import parse, response

    host = addresses.take() if version == 4 else "::1"
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    seen = []

    def answer(data, source):
        message = parse(data)
        seen.append(message)
        return response(message, 200, to_tag=b"t", source=source)

    def serve():
        peer = sock.accept()[0] if kind == "TCP" else sock
        try:
            while len(seen) < 2:
                data, source = (peer.recv(5000), ("", 0)) if kind == "TCP" else peer.recvfrom(5000)
                if not data:
                    return
                data = answer(data, source[:2])
                peer.sendall(data) if kind == "TCP" else peer.sendto(data, source)
        finally:
            peer.close()

    with socket.socket(family, socket.SOCK_STREAM if kind == "TCP" else socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.bind((host, 0))
        if kind == "TCP":
            sock.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        with socket.socket(family, socket.SOCK_DGRAM) as free:
            free.bind((host, 0))
            port = free.getsockname()[1]
        if interpreter == "cpython":
            command = [sys.executable, str(SCRIPT), "%s,%s" % (build.BUILD / "plain", build.ROOT / "boards/PC")]
        else:
            command = [build.interpreter(), "-X", "heapsize=1M", str(SCRIPT), str(built)]
        done = subprocess.run(command + [host, str(port), str(sock.getsockname()[1]), kind], capture_output=True, text=True,
                              timeout=30)
        thread.join()
    if version == 4:
        addresses.give_back(host)
    lines = [line.split(" ", 1) for line in done.stdout.splitlines()]
    assert [line[1] for line in lines if line[0] == "outcome"] == ["200", "200"], done.stdout + done.stderr
    where = "%s:%d" % ("[::1]" if version == 6 else host, port)
    assert dict(lines)["via"].startswith("SIP/2.0/%s %s;rport;" % (kind, where))
    assert dict(lines)["contact"] == "sip:door@" + where + (";transport=tcp" if kind == "TCP" else "")
    assert seen[0].via.host == host.encode() and seen[0].via.port == port


def test_what_meets_a_full_heap_is_read_again_for_nobody_repeats_it_on_a_stream(ends):
    agent = ends()
    receive = agent.agent._receive
    times = []

    def full(message, source):
        times.append(time.monotonic())
        if len(times) < 7:  # each time it is read it is tried twice
            raise MemoryError
        receive(message, source)

    agent.agent._receive = full
    with connect(ends, agent) as sock:
        sock.sendall(options())
        assert read(sock)[0].status == 200
    times = times[::2]
    waits = [later - sooner for sooner, later in zip(times, times[1:])]
    assert len(waits) == 3 and 0.1 <= waits[0] < waits[1] < waits[2], waits
    assert agent.agent.out_of_memory == 3


class Talking:
    """A call, as far as streams look at it."""

    state = "up"

    def __init__(self, peer):
        self.peer = peer

    def hangup(self):
        pass


def test_no_handshake_begins_while_a_call_talks_unless_it_is_the_call_s_own_connection(ends):
    agent = ends()
    server, peer = listening(ends)
    tls = peer[:2] + (b"TLS",)
    call = Talking(("192.0.2.9", 5060))
    with server:
        agent.do(agent.agent.calls.append, call)
        user = agent.request(tls)
        agent.until(lambda: agent.flows() == [tls])
        agent.skip(5000)
        server.setblocking(False)
        time.sleep(0.1)
        with pytest.raises(BlockingIOError):
            server.accept()
        assert user.outcome is None
        server.settimeout(10)
        call.state = "ended"
        agent.skip(1100)
        server.accept()[0].close()
        agent.until(lambda: user.outcome)  # there was no certificate to judge it by, or it was closed: in words
        assert user.outcome.startswith("TLS: ")
        call.state = "up"
        agent.request(tls)
        agent.skip(28100)
        agent.until(lambda: not agent.flows())
        call.peer = (ends.peer, 5061, b"TLS")
        agent.request(tls)
        server.accept()[0].close()
        agent.do(agent.agent.calls.clear)
