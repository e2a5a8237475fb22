"""The UDP transport on real sockets, under CPython."""

import asyncio
import socket

import pytest

HOST = "127.0.0.1"


class User:
    """What an agent is to its transport."""

    def __init__(self):
        self.got = []

    def receive(self, data, source):
        self.got.append(data)

    def make_room(self):
        pass

    def catch_up(self):
        pass


@pytest.fixture
def arrived():
    """A function: sends datagrams to a transport of its own, one after the other -> what it handed on, and the transport."""
    from sip.transport import Transport

    def run(datagrams, wanted):
        user = User()
        got = user.got
        transport = Transport(user, lambda host, port: (host, port), lambda address: address)

        async def main():
            transport.open(HOST, 0)
            place = transport._socket.getsockname()
            reader = asyncio.create_task(transport.run())
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                for n, data in enumerate(datagrams):
                    peer.sendto(data, place)
                    for _ in range(2000):  # until it has been read, whatever becomes of it
                        if transport.received > n:
                            break
                        await asyncio.sleep(0.005)
            reader.cancel()
            transport.close()

        asyncio.run(main())
        assert [len(data) for data in got] == wanted
        return got, transport

    return run


def test_datagrams_are_handed_on_whole(arrived):
    got, transport = arrived([b"a", b"b" * 1535, b""], [1, 1535, 0])
    assert got[1] == b"b" * 1535 and transport.received == 3


def test_a_long_one_is_heard_when_it_is_repeated(arrived):
    long = bytes(range(256)) * 12
    got, _ = arrived([long, b"between", long, b"after"], [7, 3072, 5])
    assert got[1] == long


def test_after_a_while_the_small_piece_is_enough_again(arrived):
    arrived([b"x" * 2000] + [b"y"] * 8 + [b"x" * 2000, b"x" * 2000], [1] * 8 + [2000])


def test_sending_to_nowhere_is_counted():
    from sip.transport import Transport

    def pack(host, port):
        if host != HOST:
            raise ValueError("'%s' is not an IPv4 address" % host)
        return host, port

    transport = Transport(User(), pack, None)
    assert not transport.send(b"x", (HOST, 9)), "it is not open"
    transport.open(HOST, 0)
    assert transport.send(b"x", (HOST, 9))
    assert not transport.send(b"x", ("pbx.example", 9)) and not transport.send(b"x" * 70000, (HOST, 9))
    assert (transport.sent, transport.send_errors) == (1, 3)
    transport.close()


def test_a_trace_is_told_of_each_message_that_comes_and_goes(arrived):
    from sip.transport import Transport

    seen = []
    Transport.trace = lambda transport, direction, data, peer: seen.append((direction, data))
    try:
        arrived([b"a" * 5, b"b" * 2000], [5])  # one that was dropped is not shown
        transport = Transport(User(), lambda host, port: (host, port), None)
        transport.open(HOST, 0)
        assert transport.send(b"x" * 5, (HOST, 9)) and not transport.send(b"y" * 70000, (HOST, 9))
        assert transport.send(b"\r\n\r\n", (HOST, 9))  # what only keeps a way open says nothing
        transport.close()
    finally:
        Transport.trace = None
    assert seen == [("<", b"a" * 5), (">", b"x" * 5)]
