"""What is done with streams now and then: opened, let in, looked after, lost. Loaded for the moment by stream.py, whose
Streams is the `streams` of each function."""

import select
import socket
from errno import EAGAIN, EINPROGRESS

from lend import lend
from micropython import const

from .message import ParseError, parse, response
from .transaction import CALLING, ERROR, token

# A flow's states, as in stream.py, which may not be imported again.
_WAITING = const(0)
_CONNECTING = const(1)
_SHAKING = const(2)
_OPEN = const(3)
_ENDING = const(4)
_BROKEN = const(5)

_FLOWS = const(4)  # connections at once: an ESP32 has ten sockets in all

_CONNECT_MS = const(5000)
_SHAKE_MS = const(15000)  # a TLS handshake; an ESP32 calculates for seconds
_WAIT_MS = const(28000)  # for the time, or for the end of a call: a transaction lives 32 s
_AGAIN_MS = const(1000)
_STUCK_MS = const(20000)  # nothing that was to be written has gone
_SILENT_MS = const(15000)  # who connects has something to say
_IDLE_MS = const(100000)  # connections that nothing needs any more
_PING_MS = const(60000)  # those that something needs (RFC 5626 4.4.1)
_PONG_MS = const(10000)


def opened(streams, peer):
    """A new Flow to a peer, on its way; None when there is no room, or it failed at once."""
    if not _room(streams):
        return None
    flow = streams.flow(peer[:3], _WAITING, True)
    if peer[2] == b"TLS" and _must_wait(streams, flow):
        streams.flows.append(flow)
        streams.look_after(flow, _AGAIN_MS)
        return flow
    return flow if _connect(streams, flow) else None


def _connect(streams, flow):
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
            return False
    if flow not in streams.flows:
        streams.flows.append(flow)
    streams.take(flow, raw)
    streams.watch(flow, True)
    flow.state = _CONNECTING
    flow.since = flow.used = streams.now()
    streams.look_after(flow, _CONNECT_MS)
    return True


def let_in(streams, raw, address):
    """Takes up a connection of theirs; False when there is no room for it."""
    if not _room(streams):
        return False
    raw.setblocking(False)
    host, port = streams.transport.unpack(address)
    flow = streams.flow((host, port, b"TCP"), _OPEN, False)
    streams.take(flow, raw)
    streams.look_after(flow, _SILENT_MS)
    streams.flows.append(flow)
    return True


def _room(streams):
    """Whether there may be one more. The oldest that nothing needs makes room; when all are needed, it is counted."""
    if len(streams.flows) < _FLOWS:
        return True
    oldest = None
    for flow in streams.flows:
        if not _is_needed(streams, flow):
            if oldest is None or streams.since_ms(flow.used) > streams.since_ms(oldest.used):
                oldest = flow
    if oldest is None:
        streams.transport.flows_refused += 1
        return False
    streams.drop(oldest)
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
    return False


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
    age_ms = streams.since_ms(flow.since)
    idle_ms = streams.since_ms(flow.used)
    why = None
    again_ms = _AGAIN_MS
    if state == _WAITING:
        if not _must_wait(streams, flow):
            if _connect(streams, flow):
                return
            why = "no connection"
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
            streams.drop(flow)
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
        lost(streams, flow, OSError(why))
    elif flow in streams.flows:
        streams.look_after(flow, again_ms)


def lost(streams, flow, error):
    """It could not be opened, or it broke: who waits for something on it is told, in words."""
    if flow not in streams.flows:
        return
    agent = streams.agent
    again = flow.state == _OPEN or flow.state == _BROKEN
    streams.drop(flow)
    streams.transport.send_errors += 1
    agent.flow_lost(flow.key, _why(agent, flow.key, error), again)
    if again and agent.registration:
        agent.registration.lost(flow.key)


def tell(transactions, peer, why, again):
    """See Agent.flow_lost()."""
    for one in list(transactions._table.values()):
        if one.is_client and one.is_live and one.peer[:3] == peer[:3]:
            # What has not been answered at all may go once more: its branch tells a server that has had it already.
            resent = again and one.state == CALLING and not one.why and transactions.send(one.data, one.peer)
            one.why = why
            if not resent and not one.fire(ERROR):
                one.why = ""  # an INVITE that is being answered: the answer may come another way


def refusal(data, code, source):
    """The answer to a request whose end on the stream cannot be told, as far as its header can be read; None when nothing
    can be answered. `code`: 400 or 513."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    try:
        request = parse(data[: end + 4])
        reason = b"Content-Length missing or wrong" if code == 400 else None
        if not request.is_request or request.method == b"ACK":
            return None
        return response(request, code, reason, token(4), source=source)
    except (ParseError, ValueError):
        return None


def sent_by(message):
    """The port of a request's topmost Via, 0 when it cannot be told."""
    start = message.find(b"SIP/2.0/TCP ")
    if start < 0:
        return 0
    end = message.find(b"\r\n", start)
    port = message[start + 12 : end].split(b";")[0].split(b",")[0].strip().rsplit(b":", 1)
    if len(port) > 1 and port[1].isdigit() and len(port[1]) < 6:
        return int(port[1])
    return 5060


def _why(agent, key, error):
    """"TCP: connection refused"."""
    kind = key[2].decode()
    words = lend("sip.tls").words(agent, key[0], error) if kind == "TLS" else ""
    number = error.args[0] if error.args else 0
    for sign, known in ((111, "connection refused"), (104, "connection reset"), (113, "no way there"), (101, "no way there")):
        if number == sign:
            words = words or known
    return "%s: %s" % (kind, words or str(error))
