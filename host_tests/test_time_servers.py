"""Asking time servers over real sockets, on CPython and on the Unix port."""

import socket
import subprocess
import sys
import threading

import pytest

from host_tests.rig import addresses
from tools import build

ROOT = build.ROOT
SCRIPT = """
import sys
sys.path[:0] = %r
try:
    import pc
except ImportError:
    pass
import asyncio
from board import clock
from board.net import pack

async def outcome():
    # Caught in the task itself: MicroPython prints what a task ends with while nobody awaits it yet.
    try:
        return "told %%d" %% await clock.ask(%r, pack, %d)
    except (OSError, ValueError) as error:
        return "not told: %%s" %% error

async def main():
    loops = 0
    asking = asyncio.create_task(outcome())
    while not asking.done():
        await asyncio.sleep_ms(1)
        loops += 1
    words = await asking
    print(words, loops > 1) if words.startswith("told") else print(words)

asyncio.run(main())
"""


class Server(threading.Thread):
    """A time server that says what `answer(question)` gives, None: nothing."""

    def __init__(self, address, answer):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.port = self.socket.getsockname()[1]
        self.answer = answer
        self.start()

    def run(self):
        while True:
            try:
                data, peer = self.socket.recvfrom(100)
                reply = self.answer(data)
                if reply:
                    self.socket.sendto(reply, peer)
            except OSError:
                return


def good(question):
    return b"\x24\x02" + bytes(22) + question[40:] + bytes(8) + bytes((0xEE, 0x5B, 0x0F, 0x80)) + bytes(4)


@pytest.fixture(params=["cpython", "micropython"])
def ask(request, built):
    def go(address, answer):
        server = Server(address, answer)
        if request.param == "cpython":
            command, folders = [sys.executable, "-c"], [str(ROOT / "build/plain"), str(ROOT / "boards/PC")]
        else:
            command, folders = [build.interpreter(), "-c"], [str(built)]
        try:
            done = subprocess.run(command + [SCRIPT % (folders, address, server.port)], capture_output=True, text=True, timeout=30)
        finally:
            server.socket.close()
        assert not done.stderr, done.stderr
        return done.stdout.strip()

    return go


@pytest.fixture
def address():
    taken = addresses.take()
    yield taken
    addresses.give_back(taken)


def test_the_time_is_told_and_the_loop_goes_on_meanwhile(ask, address):
    assert ask(address, good) == "told %d True" % 0xEE5B0F80


def test_over_ipv6_too(ask):
    assert ask("::1", good) == "told %d True" % 0xEE5B0F80


def test_silence_and_nonsense_are_said(ask, address):
    assert ask(address, lambda question: None) == "not told: no answer"
    assert ask(address, lambda question: good(bytes(48))) == "not told: it is no answer"
    assert "does not want to tell" in ask(address, lambda question: good(question).replace(b"\x24\x02", b"\x24\x00"))
