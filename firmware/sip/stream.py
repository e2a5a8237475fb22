"""Streams of messages: TCP and TLS connections, ours and theirs (RFC 3261 section 18, RFC 5626). Loaded by transport.py with
the first connection, and gone with the last; what is done with them now and then is in streaming.py.

A connection is found by its key, (host, port, b"TCP" or b"TLS"): the far end of it. All is done from `tick()`, and nothing
ever waits: what the network does not take yet stays in the flow's queue.
"""

from select import POLLIN, POLLOUT

from lend import lend
from micropython import const

from .message import _scratch
from .scan import find, scan

_QUEUED = const(8)  # messages that wait to be written, for each
_LONGEST = const(8192)  # bytes of one message
_H_CONTENT_LENGTH = const(8)
_LINE = const(1024)  # bytes within which a first line must end
_AGAIN_MS = const(100)  # then double that, and so on
_LAST_MS = const(3200)
_ENFILE = const(23)  # see sockets.py
_BURST = const(6)  # reads of one connection before the others have their turn

# A flow's states
_CONNECTING = const(1)
_SHAKING = const(2)  # TLS: not a byte of ours has gone yet
_OPEN = const(3)
_ENDING = const(4)  # what is queued goes out, then it is closed
_BROKEN = const(5)  # seen while sending, to be told by the next tick

# What frame() finds wrong.
_NONSENSE = const(-1)
_NO_LENGTH = const(-400)
_TOO_LONG = const(-513)


def frame(data, start=0):
    """Where the message that begins at `start` of `data` (bytes) ends; 0 while more has to come to tell. Less than 0: it
    never will: -1, it is no SIP; -400, its Content-Length is missing or wrong (18.3); -513, it is too long."""
    line = data.find(b"\r\n", start)
    if line < 0:
        return _NONSENSE if len(data) - start > _LINE else 0
    if b"sip/" not in data[start:line].lower():
        return _NONSENSE
    head = data.find(b"\r\n\r\n", line)
    if head < 0:
        return _TOO_LONG if len(data) - start > _LONGEST else 0
    head += 4
    if head - start > _LONGEST:
        return _TOO_LONG
    index = _scratch
    scan(data, start, head, index)
    size = None
    k = find(index, _H_CONTENT_LENGTH, 8)
    while k >= 0:
        value = data[index[k + 2] : index[k + 3]].strip()
        if not value.isdigit() or len(value) > 6 or size is not None and size != int(value):
            return _NO_LENGTH
        size = int(value)
        k = find(index, _H_CONTENT_LENGTH, k + 4)
    if size is None:
        return _NO_LENGTH
    head += size
    if head - start > _LONGEST:
        return _TOO_LONG
    return head if head <= len(data) else 0


class Flow:
    """One connection. `key`: (host, port, b"TCP" or b"TLS")."""

    raw = None  # the socket
    sock = None  # what is read and written: the socket, or TLS upon it
    fd = -1
    state = _OPEN
    event = 0  # what the poll said of it, until it is looked at
    got = b""  # the beginning of a message
    blank = 0  # bytes of line breaks in a row: four are a ping
    alias = 0  # theirs: the port that their Via says they listen on (RFC 5923)
    watched = POLLIN  # what it is polled for
    heard = False  # a message has come
    pinged = False
    ponged = False  # their side answers pings
    timer = None
    ours = False  # opened from here


class Streams:
    """All connections of a Transport."""

    kind = Flow

    def __init__(self, transport):
        self.transport = transport
        self.agent = transport.agent
        self.flows = []
        self.listener = transport.listener
        self.fd = -1
        lend("sip.streaming").begin(self)

    def look_after(self, flow):
        """Its time is over."""
        if flow in self.flows:
            lend("sip.streaming").due(self, flow)

    # --- For the transport.

    def send(self, data, peer):
        """Sends on the connection to `peer`, opening one where there is none. A fourth part of the peer is the port to
        connect to in place of the second (18.2.2: for a response whose connection is gone)."""
        transport = self.transport
        flow = self.find(peer)
        try:
            if flow is None:
                if len(peer) > 3:
                    return self.send(data, (peer[0], peer[3], peer[2]))
                flow = lend("sip.streaming").opened(self, peer)
            if flow is None or len(flow.queue) >= _QUEUED:
                transport.send_errors += 1
                return False
            flow.queue.append(data)
        except MemoryError:
            transport.send_errors += 1
            self.agent.make_room()
            return False
        if flow.state == _OPEN:
            try:
                self._drain(flow)
            except (OSError, ValueError):
                # Whoever else waits for something on it is told by the next tick; this goes on a new one.
                flow.event |= POLLIN
                flow.state = _BROKEN
                return self.send(data, peer)
        transport.sent += 1
        if transport.trace:
            transport.trace(">", data, flow.key)
        return True

    def find(self, peer):
        """The connection that goes to a peer, or None."""
        host, port, kind = peer[:3]
        for flow in self.flows:
            if flow.key[0] == host and flow.key[2] == kind and flow.state < _ENDING:
                if flow.key[1] == port or flow.alias == port:
                    return flow
        return None

    def tick(self):
        """See Transport.tick()."""
        knocked = False
        for one, event in self.ready(0):
            if one is self.listener or one == self.fd:
                knocked = True
            for flow in self.flows:
                if one is flow.raw or one == flow.fd:
                    flow.event |= event
        if knocked:
            self._let_in()
        busy = False
        for flow in list(self.flows):
            if flow.event:
                busy = True
                self.work(flow)
        if not self.flows:
            self.transport.streams = None
        return busy

    def _let_in(self):
        try:
            raw, address = self.listener.accept()
        except OSError as error:
            if error.args[0] == _ENFILE:  # else who knocked is gone again
                lend("sip.streaming").let_in(self, None, None)
            return
        try:
            lend("sip.streaming").let_in(self, raw, address)
        except MemoryError:
            self.transport.flows_refused += 1
            raw.close()
            self.agent.make_room()

    def work(self, flow):
        """Reads and writes what there is. Whatever comes of it, this returns; MemoryError when even that has no room."""
        flow.event = 0
        try:
            if flow.state == _BROKEN:
                raise OSError("broken")
            if flow.state == _CONNECTING:
                flow.state = _OPEN
                if flow.key[2] == b"TLS":
                    lend("sip.tls").begin(self.agent, flow)
            self._read(flow)
            if flow in self.flows:
                self._drain(flow)
                if flow.state == _ENDING and not flow.queue:
                    lend("sip.streaming").drop(self, flow)
        except (OSError, ValueError) as error:
            lend("sip.losing").lost(self, flow, error)
        except MemoryError as error:
            # What has come cannot be kept, and what follows would make no sense without it.
            self.transport.out_of_memory += 1
            self.agent.make_room()
            lend("sip.losing").lost(self, flow, error)

    def _drain(self, flow):
        """Writes what the network takes of the queue. OSError when it is broken."""
        queue = flow.queue
        while queue:
            n = flow.sock.write(queue[0])
            if not n:
                break
            flow.used = self.agent.timers.due(0)
            if flow.state == _SHAKING:
                flow.state = _OPEN
            if n < len(queue[0]):
                queue[0] = queue[0][n:]
            else:
                queue.pop(0)
        # During a handshake TLS waits for the other side; of our own the poll would tell again and again.
        wanted = POLLIN | POLLOUT if queue and flow.state != _SHAKING else POLLIN
        if flow.watched != wanted:
            flow.watched = wanted
            self.poll.modify(flow.raw, wanted)

    def _read(self, flow):
        buffer = self.transport.buffer
        for _ in range(_BURST):
            n = flow.sock.readinto(buffer)
            if n is None:
                return
            if n == 0:
                raise OSError("closed by the other side")
            flow.used = self.agent.timers.due(0)
            if flow.state == _SHAKING:
                flow.state = _OPEN
            data = self._cut(buffer, 0, n)
            self._split(flow, flow.got + data if flow.got else data)
            flow.pinged = False
            if flow not in self.flows or flow.state == _ENDING:
                return
        # More may wait inside TLS, where no poll sees it.
        flow.event |= POLLIN

    def _cut(self, data, at, end):
        """Bytes of their own. Where there is no room the connection is lost with them: all that can be spared goes first."""
        try:
            return bytes(memoryview(data)[at:end])
        except MemoryError:
            self.agent.make_room()
            return bytes(memoryview(data)[at:end])

    def _split(self, flow, data):
        """Hands on the messages that `data` holds."""
        flow.got = b""
        at = 0
        n = len(data)
        while at < n:
            if data[at] == 13 or data[at] == 10:
                at += 1
                flow.blank += 1
                if flow.pinged:
                    flow.ponged = True
                if flow.blank == 4:
                    # 3.5.1 of RFC 5626: two line breaks ask for one.
                    flow.blank = 0
                    if len(flow.queue) < _QUEUED:
                        flow.queue.append(b"\r\n")
                continue
            flow.blank = 0
            end = frame(data, at)
            if end == 0:
                flow.got = self._cut(data, at, n)
                return
            if end < 0:
                self.agent.bad += 1
                flow.state = _ENDING
                if end != _NONSENSE:
                    lend("sip.refusing").refuse(flow, data[at:], -end)
                return
            self._hand_on(flow, data if end - at == n else self._cut(data, at, end))
            at = end

    def _hand_on(self, flow, message):
        transport = self.transport
        transport.received += 1
        if not flow.heard:
            flow.heard = True
            if not flow.ours:
                flow.alias = lend("sip.refusing").sent_by(message)
        if transport.trace:
            transport.trace("<", message, flow.key)
        self._receive((message, flow.key, _AGAIN_MS))

    def _receive(self, what):
        """What meets a full heap comes again over UDP; here nobody repeats it but we ourselves."""
        message, source, again_ms = what
        agent = self.agent
        before = agent.out_of_memory
        agent.receive(message, source)
        if agent.out_of_memory != before and again_ms <= _LAST_MS:
            agent.timers.after(again_ms, self._receive, (message, source, 2 * again_ms))
