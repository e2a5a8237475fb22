"""A stream's port and its peer: what is done once a call. Lent for the moment."""

import errno
import os
import socket

from lend import lend


def open(stream, host, first_port, last_port):
    """Stream.open, all but the I2S. -> port"""
    first = first_port + (first_port & 1)
    n = (last_port - first) // 2 + 1
    if n < 1:
        raise OSError("rtp.first_port %d to rtp.last_port %d: no even port" % (first_port, last_port))
    chance = os.urandom(2)
    start = (chance[0] << 8 | chance[1]) % n
    for i in range(n):
        port = first + (start + i) % n * 2
        try:
            _bind(stream, stream._pack(host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        return port
    raise OSError("no free UDP port from %d to %d: widen rtp.first_port to rtp.last_port" % (first_port, last_port))


def _bind(stream, here):
    # An IPv6 address is a tuple of four, or packed in 28 bytes.
    made = socket.socket(socket.AF_INET6 if len(here) in (4, 28) else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.bind(here)
    except OSError:
        made.close()
        raise
    stream._here = here
    stream._socket = made
    stream._latch = lend("media.latch").Latch(made)


def send_to(stream, peer, payload_type, event_type):
    """Stream.send_to, all but the directions; peer: (host, port)."""
    if payload_type not in (0, 8):
        raise ValueError("payload type %d is not PCMU (0) or PCMA (8)" % payload_type)
    if stream._address is None:
        # A fresh header: version 2, sequence, timestamp and SSRC by chance (RFC 3550 5.1)
        packet = stream._packet
        packet[:12] = b"\x80\x00" + os.urandom(10)
        packet[2] &= 0x7F  # far from the wrap, which SRTP (RFC 3711 3.3.1) thanks
    if payload_type != stream._payload_type:
        tables = lend("media.tables")
        stream._payload_type = payload_type
        tables.encoding_table(payload_type, stream._code)
        tables.decoding_table(payload_type, stream._sample)
        stream._encode = tables.encoder(payload_type)
        stream._jitter.reset(tables.silence(payload_type))
    stream._event_type = event_type
    if peer != stream._peer:
        stream._peer = peer
        if stream._latch and not stream._latch.done:
            stream._latch.restart()
        else:
            # A connected socket hears nobody else: a fresh one, on the same port.
            stream._socket.close()
            stream._socket = None
            _bind(stream, stream._here)
        stream._address = stream._pack(*peer)
        stream._refused = 0
