"""What is done with streams now and then: opened, let in, looked after, closed. Loaded for the moment by stream.py, whose
Streams is the `streams` of each function."""

import select
import socket
from errno import EAGAIN, EINPROGRESS

from lend import lend
from micropython import const

try:
    from asyncio import core  # noqa: F401  (MicroPython's)

    def _stream(sock):
        return sock

except ImportError:
    # CPython's sockets raise where MicroPython's answer None.
    from pc import Stream as _stream

# A flow's states, as in stream.py, which may not be imported again.
_WAITING = const(0)
_CONNECTING = const(1)
_SHAKING = const(2)
_OPEN = const(3)
_ENDING = const(4)

_FLOWS = const(4)  # connections at once: an ESP32 has ten sockets in all

_ENFILE = const(23)  # see sockets.py

_CONNECT_MS = const(5000)
_SHAKE_MS = const(15000)  # a TLS handshake; an ESP32 calculates for seconds
_WAIT_MS = const(28000)  # for the time, or for the end of a call: a transaction lives 32 s
_AGAIN_MS = const(1000)
_STUCK_MS = const(20000)  # nothing that was to be written has gone
_SILENT_MS = const(15000)  # who connects has something to say
_IDLE_MS = const(100000)  # connections that nothing needs any more
_PING_MS = const(60000)  # those that something needs (RFC 5626 4.4.1)
_PONG_MS = const(10000)


def begin(streams):
    """A new Streams: what it is polled by."""
    streams.poll = poll = select.poll()
    # CPython's poll() gives a list of file numbers where MicroPython's ipoll() allocates nothing.
    streams.ready = getattr(poll, "ipoll", poll.poll)
    if streams.listener:
        streams.fd = streams.listener.fileno()
        poll.register(streams.listener, select.POLLIN)


def _flow(streams, key, state):
    """A new Flow."""
    flow = streams.kind()
    flow.key = key
    flow.state = state
    flow.queue = []
    flow.since = flow.used = streams.agent.timers.due(0)
    return flow


def _take(streams, flow, raw):
    flow.raw = raw
    flow.sock = _stream(raw)
    flow.fd = raw.fileno()
    streams.poll.register(raw, flow.watched)


def _look(streams, flow, delay_ms):
    """Has due() look at it then."""
    timers = streams.agent.timers
    timers.cancel(flow.timer)
    flow.timer = timers.after(delay_ms, streams.look_after, flow)


def _since_ms(streams, at):
    return -streams.agent.timers.left_ms(at)


def drop(streams, flow):
    """Closes it without a word."""
    if flow not in streams.flows:
        return
    streams.flows.remove(flow)
    streams.agent.timers.cancel(flow.timer)
    if flow.raw is None:
        return
    streams.poll.unregister(flow.raw)
    for sock in (flow.sock, flow.raw):
        try:
            sock.close()  # TLS leaves the socket open when the handshake failed
        except OSError:
            pass


def opened(streams, peer):
    """A new Flow to a peer, on its way; None when there is no room, or it failed at once."""
    if not _room(streams):
        return None
    flow = _flow(streams, peer[:3], _WAITING)
    flow.ours = True
    error = None
    waits = peer[2] == b"TLS" and _must_wait(streams, flow)
    if not waits:
        error = _connect(streams, flow)
        waits = error and error.args[0] == _ENFILE  # one may be free in a moment; if not, it is told in words
    if waits:
        streams.flows.append(flow)
        _look(streams, flow, _AGAIN_MS)
    elif error:
        return None
    return flow


def _connect(streams, flow):
    """Begins to connect. -> None, or the error."""
    transport = streams.transport
    host, port, _ = flow.key
    raw = None
    try:
        raw = lend("sip.sockets").bound(transport, streams.agent.host, 0, socket.SOCK_STREAM)
        raw.connect(transport.pack(host, port))
    except (OSError, ValueError) as error:
        if raw is None or error.args[0] not in (EINPROGRESS, EAGAIN):
            if raw:
                raw.close()
            return error
    if flow not in streams.flows:
        streams.flows.append(flow)
    flow.watched = select.POLLIN | select.POLLOUT
    _take(streams, flow, raw)
    flow.state = _CONNECTING
    flow.since = flow.used = streams.agent.timers.due(0)
    _look(streams, flow, _CONNECT_MS)


def let_in(streams, raw, address):
    """Takes up a connection of theirs, if there is room for it; `raw` is None where not even a socket was left for it."""
    if raw is None:
        streams.transport.flows_refused += 1
        if streams.agent.house:
            lend("sip.server.flows").tell(streams.agent.house)
        return
    if not _room(streams):
        raw.close()
        if streams.agent.house:
            lend("sip.server.flows").tell(streams.agent.house, streams.transport.unpack(address)[0])
        return
    raw.setblocking(False)
    host, port = streams.transport.unpack(address)
    flow = _flow(streams, (host, port, b"TCP"), _OPEN)
    _take(streams, flow, raw)
    streams.flows.append(flow)
    _look(streams, flow, _SILENT_MS)


def _room(streams):
    """Whether there may be one more. The oldest that nothing needs makes room; when all are needed, it is counted."""
    house = streams.agent.house
    if len(streams.flows) < (max(_FLOWS, house.max_tcp + 1) if house else _FLOWS):
        return True  # one more than phones have: to say so to the next
    oldest = None
    for flow in streams.flows:
        if not _is_needed(streams, flow):
            if oldest is None or _since_ms(streams, flow.used) > _since_ms(streams, oldest.used):
                oldest = flow
    if oldest is None:
        streams.transport.flows_refused += 1
        return False
    drop(streams, oldest)
    return True


def _is_needed(streams, flow):
    """Whether a registration, a call or a transaction lives on it."""
    agent = streams.agent
    key = flow.key
    if flow.queue and flow.state < _ENDING:
        return True
    registration = agent.registration
    while registration:
        if registration.is_active and registration.peer == key:
            return True
        registration = registration.second
    for call in agent.calls:
        if call.state != "ended" and _carries(flow, call):
            return True
    for one in agent.transactions._table.values():
        if one.is_live and one.peer[:3] == key:
            return True
    return bool(agent.house) and lend("sip.server.flows").needed(agent.house, key)


def _carries(flow, call):
    peer = call.peer
    return peer is not None and peer[0] == flow.key[0] and peer[2:3] == flow.key[2:]


def _knows_time(agent):
    return agent.time_known is None or agent.time_known()


def _must_wait(streams, flow):
    """TLS: until the time is known, without which no certificate can be judged; and while a call talks that goes by another
    connection, since a handshake holds everything up for as long as it calculates."""
    agent = streams.agent
    if not _knows_time(agent):
        return True
    talks = False
    for call in agent.calls:
        if call.state == "up":
            if _carries(flow, call):
                return False
            talks = True
    return talks


def due(streams, flow):
    """The time that a flow was given is over."""
    state = flow.state
    age_ms = _since_ms(streams, flow.since)
    idle_ms = _since_ms(streams, flow.used)
    why = None
    again_ms = _AGAIN_MS
    if state == _WAITING:
        if flow.key[2] != b"TLS" or not _must_wait(streams, flow):
            error = _connect(streams, flow)
            if error is None:
                return
            why = lend("sip.sockets").words(error) if error.args[0] == _ENFILE else "no connection"
        elif age_ms >= _WAIT_MS:
            why = "a call is not over yet"
            if not _knows_time(streams.agent):
                why = "no time server has told the time, and without it no certificate can be judged; see net.ntp"
    elif state == _CONNECTING:
        why = "no connection within 5 s"
    elif state == _SHAKING:
        again_ms = _SHAKE_MS
        if age_ms >= _SHAKE_MS:
            why = "no handshake within 15 s"
    elif flow.queue or state != _OPEN:
        again_ms = _PONG_MS
        if idle_ms >= _STUCK_MS:
            why = "nothing can be sent"
    elif not _is_needed(streams, flow):
        again_ms = (_IDLE_MS if flow.heard or flow.ours else _SILENT_MS) - idle_ms
        if again_ms <= 0:
            drop(streams, flow)
            return
    elif flow.pinged and flow.ponged:
        # Who has answered one ping answers all, or is gone; of others nothing is known.
        why = "no sign of life"
    elif idle_ms < _PING_MS:
        again_ms = _PING_MS - idle_ms
    else:
        flow.pinged = True
        again_ms = _PONG_MS if flow.ponged else _PING_MS
        flow.queue.append(b"\r\n\r\n")
        streams.work(flow)
    if why:
        lend("sip.losing").lost(streams, flow, OSError(why))
    elif flow in streams.flows:
        _look(streams, flow, again_ms)
