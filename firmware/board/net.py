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
    if len(parts) != 4:
        raise ValueError("'%s' is not an IPv4 address" % host)
    for part in parts:
        if not (1 <= len(part) <= 3 and part.isdigit() and int(part) < 256):
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
        self._wifi = wiring.NETWORK == "wifi"
        if self._wifi:
            self._if = network.WLAN(network.STA_IF)
        else:
            self._if = network.LAN(**_lan(getattr(wiring, "LAN", {})))

    async def up(self, ssid="", password=""):
        """One attempt to get an address; returns when there is one, or after 20 s without. `is_up()` tells.

        A connection that stands is left and made again only for another network name.
        """
        if self.is_up() and ssid == self._ssid:
            return
        self._ssid = ssid
        interface = self._if
        try:
            interface.active(True)
            if self._wifi:
                # Power saving would hold packets back by 100 ms and more.
                interface.config(pm=network.WLAN.PM_NONE)
                try:
                    interface.disconnect()  # it may be connecting to what was set before
                except OSError:
                    pass
                interface.connect(ssid, password)
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
        if self.is_up():
            return "%s: %s" % ("Wi-Fi '%s'" % self._ssid if self._wifi else "Ethernet", self.address())
        if not self._wifi:
            return "Ethernet: no address yet; is the cable in, and is there a DHCP server?"
        status = self._if.status()
        for name, words in (
            ("STAT_WRONG_PASSWORD", "refuses the password; see wifi.password"),
            ("STAT_HANDSHAKE_TIMEOUT", "refuses the password; see wifi.password"),
            ("STAT_NO_AP_FOUND", "is not in reach; see wifi.ssid"),
            ("STAT_ASSOC_FAIL", "does not take us; is its list of devices full?"),
            ("STAT_BEACON_TIMEOUT", "has gone silent"),
            ("STAT_CONNECTING", "is being connected"),
        ):
            if getattr(network, name, None) == status:
                return "Wi-Fi '%s' %s" % (self._ssid, words)
        return "Wi-Fi '%s' is not connected (%s)" % (self._ssid, status)


def _lan(setting):
    # wiring.py is data: pins are numbers there, and the PHY its name.
    from machine import Pin

    out = {}
    for key in setting:
        value = setting[key]
        if key in ("mdc", "mdio", "power", "reset", "ref_clk") and isinstance(value, int):
            value = Pin(value)
        elif isinstance(value, str):
            value = getattr(network, value)
        out[key] = value
    return out
