"""Flows of datagrams: the only file in sip/ that opens a socket (RFC 3261 section 18, UDP)."""

import asyncio
import select
import socket
import sys

from micropython import const

try:
    from asyncio import core

    def readable(sock):
        """Awaitable: until there is something to read."""
        yield core._io_queue.queue_read(sock)

except ImportError:
    # CPython's asyncio has no such queue; boards/PC waits in its own way.
    from pc import readable

_USUAL = const(1536)  # bytes of a datagram, taken from the heap in one piece for each
_LONGEST = const(4096)  # the same once a longer one has come and was dropped: its sender repeats it
_LONG_FOR = const(8)  # datagrams that may come in between
_BURST = const(8)  # datagrams in a row before the loop's other tasks have their turn
# A piece of heap is kept whole for the next datagram, as a list of so many pointers: list.clear() gives it back at once,
# where other objects wait for a collection. Without it, small objects that stay would sooner or later lie so that no
# piece of that size is left, and the door would be deaf with a third of its heap free.
_RESERVE = (_USUAL + 64) // (8 if sys.maxsize >> 32 else 4)
_PEERS = const(8)  # packed addresses remembered


class UdpTransport:
    """One UDP socket. `on_datagram(data, (host, port))` is called for each datagram, and `trace`, if it is not None, before
    that and after each that was sent: trace("<" or ">", data, peer). It must neither raise nor wait."""

    trace = None

    def __init__(self, pack, unpack, on_datagram, on_full):
        self.pack = pack  # pack(host, port) -> what the port's sockets take for an address
        self.unpack = unpack
        self.on_datagram = on_datagram
        self.on_full = on_full  # the heap has no room: on_full() makes some, if it can
        self.received = 0
        self.sent = 0
        self.send_errors = 0
        self.out_of_memory = 0
        self._socket = None
        self._long = 0
        self._reserve = [None] * _RESERVE
        self._buffer = bytearray(_USUAL)
        self._packed = {}

    def open(self, host, port):
        """Binds; OSError when the address or the port is not to be had."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.bind(self.pack(host, port))
        except OSError:
            sock.close()
            raise
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        # CPython's poll() gives a list where MicroPython's ipoll() allocates nothing.
        self._ready = getattr(poll, "ipoll", poll.poll)
        self._socket = sock

    def close(self):
        sock, self._socket = self._socket, None
        if sock:
            sock.close()

    def send(self, data, peer):
        """Sends one datagram to (host, port). False when the stack refused it, which is counted."""
        address = self._packed.get(peer)
        try:
            if address is None:
                if len(self._packed) >= _PEERS:
                    self._packed.clear()
                address = self._packed[peer] = self.pack(*peer)
            self._socket.sendto(data, address)
        except (OSError, ValueError, AttributeError):
            # No route, no buffer, a port of 0, a socket that is closed already: lost, as on the wire. The
            # transaction repeats it or gives up.
            self.send_errors += 1
            return False
        self.sent += 1
        if self.trace:
            self.trace(">", data, peer)
        return True

    def _discard(self):
        """Takes the datagram that there was no room for off the queue."""
        try:
            self._socket.recv(16)
        except (OSError, MemoryError):
            pass

    async def run(self):
        """Reads until closed."""
        while self._socket:
            await readable(self._socket)
            for _ in range(_BURST):
                if self._socket is None:
                    return
                self._read()
                if not self._waiting():
                    break
            await asyncio.sleep_ms(0)

    def _waiting(self):
        """Whether another datagram is there: asked of the poll, since a recvfrom in vain leaves its buffer as garbage."""
        for _ in self._ready(0):
            return True
        return False

    def _read(self):
        size = _LONGEST if self._long else _USUAL
        self._reserve.clear()
        try:
            data, address = self._socket.recvfrom(size)
        except OSError:
            # Nothing there after all, or an ICMP error of an earlier datagram: nothing to read, nothing broken.
            size = 0
        except MemoryError:
            # This one is lost, as on the wire.
            self.out_of_memory += 1
            self._discard()
            size = 0
            self._long = 0
        if size:
            n = len(data)
            if n > _USUAL:
                copy = data
            else:
                # What came lies in the piece that was kept: it is copied out before anything that stays is made.
                copy = None
                self._buffer[:n] = data
            data = None
        try:
            self._reserve = [None] * _RESERVE
        except MemoryError:
            self.on_full()
        if not size:
            return
        self.received += 1
        if self._long:
            self._long -= 1
        elif n == size:
            self._long = _LONG_FOR
            return
        data = copy or bytes(memoryview(self._buffer)[:n])
        address = self.unpack(address)
        if self.trace:
            self.trace("<", data, address)
        self.on_datagram(data, address)
