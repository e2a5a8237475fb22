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

        self.faults = []
        self.loop = asyncio.new_event_loop()
        self.agent = Agent(host, 5060, pack, lambda address: address[:2], **more)
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
