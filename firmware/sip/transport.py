"""Where messages come in and go out (RFC 3261 section 18): UDP here; stream.py, loaded when the first one is needed, has TCP
and TLS. No other file in sip/ opens a socket, but the resolver."""

import asyncio
import sys

from lend import lend
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


class Transport:
    """One UDP socket, one that listens for TCP on the same port, and the streams while there are any.

    For each message `agent.receive(data, source)` is called; `agent.make_room()` when the heap has no room;
    `agent.flow_lost(peer, why, again)` when a stream could not be opened, or broke. `trace`, if it is not None, is called before
    a message is handed on and after one was sent: trace("<" or ">", data, peer). It must neither raise nor wait.
    """

    trace = None
    mark = None  # mark(socket, dscp), where the port's sockets can bear a DSCP
    streams = None  # a stream.Streams while there are connections
    flows_refused = 0
    listener = None
    _knocks = bytes  # of 0: nobody, as long as nobody listens

    def __init__(self, agent, pack, unpack):
        self.agent = agent
        self.pack = pack  # pack(host, port) -> what the port's sockets take for an address
        self.unpack = unpack
        self.received = 0
        self.sent = 0
        self.send_errors = 0
        self.out_of_memory = 0
        self._socket = None
        self._long = 0
        self.reserve = [None] * _RESERVE
        self.buffer = bytearray(_USUAL)
        self._from = self._peer = None  # of the newest datagram: as the socket has it, and as (host, port)

    def open(self, host, port):
        """Binds; OSError when the address or the port is not to be had for UDP. Where TCP has none, nobody can connect."""
        lend("sip.sockets").open(self, host, port)

    def close(self):
        lend("sip.sockets").close(self)

    def tick(self):
        """What concerns streams, to be called often: who knocks is let in, what has come is read, what is to go is written.
        True while there is more to do at once."""
        if self.streams is None:
            for _ in self._knocks(0):
                break
            else:
                return False
        if self._flowing():
            return self.streams.tick()
        try:
            self.listener.accept()[0].close()
        except OSError:
            pass  # gone again
        return False

    def _flowing(self):
        """Whether there is room for streams; they are there then."""
        if self.streams is None:
            try:
                self.streams = lend("sip.stream").Streams(self)
            except MemoryError:
                self.flows_refused += 1
                self.agent.make_room()
                return False
        return True

    def send(self, data, peer):
        """Sends a message to a peer. False when the stack refused it, which is counted; on a stream, when there is none and
        none can be opened."""
        if len(peer) > 2:
            return self._flowing() and self.streams.send(data, peer)
        try:
            self._socket.sendto(data, self._from if peer == self._peer else self.pack(*peer))
        except (OSError, ValueError, AttributeError):
            # No route, no buffer, a port of 0, a socket that is closed already: lost, as on the wire. The
            # transaction repeats it or gives up.
            self.send_errors += 1
            return False
        self.sent += 1
        if self.trace and len(data) > 4:
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
            self.agent.catch_up()
            await asyncio.sleep_ms(0)

    def _waiting(self):
        """Whether another datagram is there: asked of the poll, since a recvfrom in vain leaves its buffer as garbage."""
        for _ in self._ready(0):
            return True
        return False

    def _read(self):
        size = _LONGEST if self._long else _USUAL
        self.reserve.clear()
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
                self.buffer[:n] = data
            data = None
        try:
            self.reserve = [None] * _RESERVE
        except MemoryError:
            self.agent.make_room()
        if not size:
            return
        self.received += 1
        if self._long:
            self._long -= 1
        elif n == size:
            self._long = _LONG_FOR
            return
        data = copy or bytes(memoryview(self.buffer)[:n])
        if address != self._from:
            self._peer = self.unpack(address)
            self._from = address
        if self.trace and n > 4:
            self.trace("<", data, self._peer)
        self.agent.receive(data, self._peer)
