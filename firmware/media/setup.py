"""A stream's port and its peer: what is done once a call. Lent for the moment."""

import errno
import gc
import os
import socket
from binascii import b2a_base64

from lend import lend
from micropython import const

from . import rtcp

_EXPEDITED = const(46)  # DSCP of sound (RFC 4594 4.1)
# Places of the state of rtcp.py
_SEED = const(3)
_PACKETS = const(7)  # and three more: what the reports tell of a source of ours
_QUIET_MS = const(35)
_EPOCH = const(37)
_CNAME = const(38)
_FAILED = const(44)
_BEFORE = const(45)
_HELD = const(46)
_PORT = const(47)
_WITHOUT = const(48)
_MUX = const(50)
_STATE = const(51)
_WIDE_BYTES = const(1456)  # of wideband.state()
_ROOM = const(45000)  # bytes free for the canceller: its own, and what a call wants beside it


def open(stream, host, first_port, last_port):
    """Stream.open, all but the I2S. -> port"""
    if stream._echo:
        stream._echo.reset()
    first = first_port + (first_port & 1)
    n = (last_port - first) // 2 + 1
    if n < 1:
        raise OSError("rtp.first_port %d to rtp.last_port %d: no even port" % (first_port, last_port))
    chance = os.urandom(2)
    start = (chance[0] << 8 | chance[1]) % n
    for i in range(n):
        port = first + (start + i) % n * 2
        try:
            stream._here = (host, port)
            _bind(stream)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        return port
    raise OSError("no free UDP port from %d to %d: widen rtp.first_port to rtp.last_port" % (first_port, last_port))


def echo(stream, kind):
    """What the stream does about its echo from the next call on: "gate", "cancel" or "off". -> "", or in words why it is not
    that."""
    if stream._echo:
        if stream._echo.kind == kind:
            return ""
        stream._echo = None
    if kind == "off":
        return ""
    gc.collect()
    if kind == "cancel" and gc.mem_free() >= _ROOM:
        from .echo import Canceller

        stream._echo = Canceller()
        return ""
    from .gate import Gate

    stream._echo = Gate()
    stream._echo.kind = kind  # as asked for: it need not be tried again at every call
    if kind == "gate":
        return ""
    return "audio.echo: the canceller wants %d KB of memory more, so the gate does its work" % ((_ROOM - gc.mem_free() >> 10) + 1)


def _bind(stream):
    stream._socket = _bound(stream, *stream._here)


def _bound(stream, host, port):
    here = stream._pack(host, port)
    # An IPv6 address is a tuple of four, or packed in 28 bytes.
    made = socket.socket(socket.AF_INET6 if len(here) in (4, 28) else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        if stream.mark:
            stream.mark(made, _EXPEDITED)
        made.bind(here)
    except (OSError, MemoryError):
        made.close()
        raise
    return made


def send_to(stream, peer, payload_type, event_type, more):
    """Stream.send_to, all but the directions; peer: (host, port)."""
    if payload_type not in (0, 8, 9):
        raise ValueError("payload type %d is not PCMU (0), PCMA (8) or G722 (9)" % payload_type)
    if stream._address is None:
        _new_header(stream)
        _begin(stream._rtcp)
    _secure(stream, getattr(more, "keys", None))
    if payload_type != stream._payload_type:
        stream._payload_type = payload_type
        if payload_type == 9:
            _wide(stream)
        else:
            _narrow(stream, payload_type)
    stream._event_type = event_type
    stream._noise_type = getattr(more, "noise", -1)
    state = stream._rtcp
    port = getattr(more, "rtcp", 0)
    moved = port != state[_PORT]
    state[_PORT] = port
    held = getattr(more, "held", False)
    if state[_HELD] and not held:
        state[_QUIET_MS] = 0
    state[_HELD] = held
    if peer != stream._peer:
        stream._peer = peer
        if stream._address is None:
            # Whoever has sent something before there was a peer was none.
            for _ in range(500):
                if stream._read_packet() is None:
                    break
        elif not stream._latch or stream._latch.done:
            # A connected socket hears nobody else: a fresh one, on the same port.
            stream._socket.close()
            stream._socket = stream._latch = None
            _bind(stream)
        if stream._latch:
            stream._latch.restart()
        else:
            stream._latch = lend("media.latch").Latch(stream._socket)
        stream._address = stream._pack(*peer)
        stream._refused = 0
        state[_QUIET_MS] = 0
        moved = True
    if moved:
        connect(stream)


def _begin(state):
    # Another call: nothing is known, and we are somebody else (RFC 7022 4.2: a CNAME of 96 bits by chance).
    chance = os.urandom(24)
    name = b"\x01\x10" + b2a_base64(chance[:12])[:16] + bytes(2)
    for i in range(_STATE):
        state[i] = 0
    state[_SEED] = int.from_bytes(chance[12:16], "big") >> 2
    state[_EPOCH] = int.from_bytes(chance[16:20], "big") >> 1
    for i in range(5):
        state[_CNAME + i] = int.from_bytes(name[4 * i : 4 * i + 4], "big")


def connect(stream):
    """RTCP goes to the peer whose sound comes from stream._address, and is heard from there alone: its port is the one that
    SDP says, or the next (RFC 3605, RFC 3550 11); the same is both (RFC 5761)."""
    state = stream._rtcp
    host, port = stream._peer
    if host == "0.0.0.0" or host == "::":  # on hold, as RFC 2543 had it
        return
    state[_FAILED] = state[_BEFORE] = 0
    mux = 0 < state[_PORT] == port
    if stream._rtcp_socket and (mux or state[_MUX]):
        _let_go(stream)
    state[_MUX] = mux
    if mux:
        stream._rtcp_socket = None if stream._latch and not stream._latch.done else stream._socket
        return
    if stream._latch is None or stream._latch.done:
        host, port = stream._unpack(stream._address)[:2]
    try:
        if not stream._rtcp_socket:
            stream._rtcp_socket = _bound(stream, stream._here[0], stream._here[1] + 1)
        stream._rtcp_socket.connect(stream._pack(host, state[_PORT] or port + 1))
    except (OSError, ValueError):
        # The port is somebody's, or there is no way: a call does without.
        state[_WITHOUT] += 1
        _let_go(stream)
        return
    # What strangers sent before it was connected
    for _ in range(20):
        if rtcp.receive(stream) is None:
            break


def _let_go(stream):
    if stream._rtcp_socket and not stream._rtcp[_MUX]:
        stream._rtcp_socket.close()
    stream._rtcp_socket = None


def _new_header(stream):
    # Version 2, sequence, timestamp and SSRC by chance (RFC 3550 5.1)
    packet = stream._packet
    packet[:12] = b"\x80\x00" + os.urandom(10)
    packet[2] &= 0x7F  # far from the wrap, which SRTP (RFC 3711 3.3.1) thanks
    for i in range(_PACKETS, _PACKETS + 4):
        stream._rtcp[i] = 0


def _secure(stream, keys):
    old = stream._secure
    if keys is None:
        stream._secure = None
        stream._tag = 0
    elif old is None or old.keys != keys:
        if old and old.keys[1] != keys[1]:
            _new_header(stream)  # with a new key packets are counted afresh; so nobody has to guess from where on
        stream._secure = lend("media.keying").secured(old, keys, len(stream._packet))
        stream._tag = keys[0]


def _narrow(stream, payload_type):
    from . import g711

    tables = lend("media.tables")
    stream._n = 160
    samples = memoryview(stream._code)[512:]
    tables.encoding_table(payload_type, stream._code)
    tables.decoding_table(payload_type, samples)
    stream._encode = tables.encoder(payload_type)
    stream._playout.set_codec(g711.decode, samples)


def widen(stream):
    """Room for G.722, at the start, where it is offered: in the middle of what a call leaves free there may be none."""
    if len(stream._code) < _WIDE_BYTES:
        stream._code = bytearray(_WIDE_BYTES)
    stream._playout.widen(1)


def _wide(stream):
    # Loaded by the first call that wants it, and for good: machine code is never freed.
    from . import g722

    widen(stream)
    lend("media.wideband").state(stream._code)  # in place of the tables of G.711
    stream._encode = g722.encode
    stream._n = 320
    stream._playout.set_codec(g722.decode, stream._code, 1)
