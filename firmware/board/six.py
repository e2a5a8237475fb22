"""IPv6 addresses as sockets want them. Loaded by net.py with the first one; a board that meets none does without."""

import socket
import sys


def pack(host, port):
    """As net.pack(). ValueError where there is no IPv6."""
    if sys.platform == "esp32" or not hasattr(socket, "inet_pton"):
        raise ValueError("'%s' is an IPv6 address: MicroPython on this board has IPv4 only" % host)
    try:
        socket.inet_pton(socket.AF_INET6, host)
    except (OSError, ValueError):
        raise ValueError("'%s' is not an IPv6 address" % host)
    return socket.getaddrinfo(host, port)[0][-1]


def unpack(address):
    """A packed sockaddr_in6 -> (host, port)."""
    return socket.inet_ntop(socket.AF_INET6, bytes(address[8:24])), address[2] << 8 | address[3]
