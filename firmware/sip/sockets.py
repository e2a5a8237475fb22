"""The sockets of a Transport: opened, and closed. Loaded for the moment by transport.py and streaming.py."""

import select
import socket

from lend import lend
from micropython import const

_SIGNALLING = const(26)  # DSCP
_ENFILE = const(23)  # lwIP has no socket left; the board's errno has no name for it


def bound(transport, host, port, kind):
    """A socket that does not wait, bound to our address. OSError when that is not to be had."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    try:
        sock.setblocking(False)
        if transport.mark:
            transport.mark(sock, _SIGNALLING)
        if kind == socket.SOCK_STREAM:
            # Else the connections of before a restart keep the port for a minute.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(transport.pack(host, port))
    except (OSError, ValueError, MemoryError):
        sock.close()
        raise
    return sock


def words(error):
    """What an OSError says of why there is no socket, in words."""
    if error.args[0] == _ENFILE:
        return "all sockets of this board are in use: a smaller house.max_tcp leaves more, and so does closing what your own code has opened"
    return str(error)


def ready(sock):
    """A function: given 0, an iterable of what there is to read at the socket, empty when nothing."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    # CPython's poll() gives a list where MicroPython's ipoll() allocates nothing.
    return getattr(poll, "ipoll", poll.poll)


def open(transport, host, port):
    """See Transport.open()."""
    sock = bound(transport, host, port, socket.SOCK_DGRAM)
    transport._ready = ready(sock)
    transport._socket = sock
    try:
        sock = bound(transport, host, port, socket.SOCK_STREAM)
        sock.listen(2)
    except OSError:
        return
    transport.listener = sock
    transport._knocks = ready(sock)


def close(transport):
    """See Transport.close()."""
    if transport.streams:
        for flow in list(transport.streams.flows):
            lend("sip.streaming").drop(transport.streams, flow)
    for sock in (transport._socket, transport.listener):
        if sock:
            sock.close()
    transport._socket = transport.listener = transport.streams = None
