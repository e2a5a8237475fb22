"""Addresses as sockets want them, and the network interface that wiring.py names."""

import socket

from lend import lend


def pack(host, port):
    """(host, port) -> what bind(), connect() and sendto() take. ValueError unless host is an address: IPv4, or IPv6 where
    the port's sockets have it.

    Never asks DNS, for that would stop everything for as long as it takes.
    """
    if ":" in host:
        from .six import pack

        return pack(host, port)
    parts = host.split(".")
    good = len(parts) == 4
    for part in parts:
        good = good and part.isdigit() and len(part) <= 3 and int(part) < 256
    if not good:
        raise ValueError("'%s' is not an IPv4 address" % host)
    return socket.getaddrinfo(host, port)[0][-1]


def unpack(address):
    """What recvfrom() returned -> (host, port). Some ports give the tuple, some a packed sockaddr_in."""
    if isinstance(address, tuple):
        return address[0], address[1]
    if len(address) > 16:
        from .six import unpack

        return unpack(address)
    return "%d.%d.%d.%d" % tuple(address[4:8]), address[2] << 8 | address[3]


def mark(sock, dscp):
    """Asks that what a socket sends bears this DSCP. -> whether the port can. The stock ESP32's cannot."""
    return lend("board.mark").mark(sock, dscp)


class Network:
    """The interface of wiring.NETWORK, "wifi" or "lan". How it comes up, and the words for it, are in link.py."""

    def __init__(self, wiring, hostname=""):
        self._ssid = ""
        self._wifi = wiring.NETWORK == "wifi"
        self._if = lend("board.link").interface(wiring, hostname)

    def up(self, ssid="", password=""):
        """To be awaited: one attempt to get an address; returns when there is one, or after 20 s without. `is_up()`
        tells.

        A connection that stands is left and made again only for another network name.
        """
        return lend("board.link").up(self, ssid, password)

    def is_up(self):
        return self._if.isconnected()

    def address(self):
        """Our IPv4 address, "" without."""
        return self._if.ifconfig()[0] if self.is_up() else ""

    def dns(self):
        """The addresses of the network's name servers, a list."""
        server = self._if.ifconfig()[3]
        return [server] if server and server != "0.0.0.0" else []

    def words(self):
        """The state in words."""
        return lend("board.link").words(self)
