"""Addresses as sockets want them, and the network interface that wiring.py names."""

import asyncio
import network
import socket
from micropython import const
from time import ticks_diff, ticks_ms

_ATTEMPT_MS = const(20000)  # a busy access point with DHCP takes some seconds
_STEP_MS = const(100)


def pack(host, port):
    """(host, port) -> what bind(), connect() and sendto() take. ValueError unless host is an IPv4 address.

    Never asks DNS, for that would stop everything for as long as it takes.
    """
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
    return "%d.%d.%d.%d" % tuple(address[4:8]), address[2] << 8 | address[3]


class Network:
    """The interface of wiring.NETWORK, "wifi" or "lan"."""

    def __init__(self, wiring, hostname=""):
        if hostname:
            network.hostname(hostname)
        self._ssid = ""
        self._wifi = None
        if wiring.NETWORK == "wifi":
            from . import wifi

            self._wifi = wifi
            self._if = wifi.interface()
        else:
            from .lan import interface

            self._if = interface(getattr(wiring, "LAN", {}))

    async def up(self, ssid="", password=""):
        """One attempt to get an address; returns when there is one, or after 20 s without. `is_up()` tells.

        A connection that stands is left and made again only for another network name.
        """
        if self.is_up() and ssid == self._ssid:
            return
        self._ssid = ssid
        try:
            self._if.active(True)
            if self._wifi:
                self._wifi.connect(self._if, ssid, password)
        except OSError:
            pass  # words() tells from the status
        since = ticks_ms()
        while not self.is_up() and ticks_diff(ticks_ms(), since) < _ATTEMPT_MS:
            await asyncio.sleep_ms(_STEP_MS)

    def is_up(self):
        return self._if.isconnected()

    def address(self):
        """Our IPv4 address, "" without."""
        return self._if.ifconfig()[0] if self.is_up() else ""

    def words(self):
        """The state in words."""
        if self._wifi:
            return "Wi-Fi '%s' %s" % (self._ssid, self.address() or self._wifi.trouble(self._if))
        return "Ethernet: " + (self.address() or "no address yet; is the cable in, and is there a DHCP server?")
