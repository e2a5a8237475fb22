"""network of the virtual board: WLAN and LAN with the ESP32 port's names and manners, on this computer's loopback.

Connecting takes a moment, as it does in life; the address is the one tools/virtual_board.py was given.
"""

import machine
import os
import time
from micropython import const

ETH_STOPPED = 2
ETH_CONNECTED = 3
ETH_DISCONNECTED = 4
ETH_GOT_IP = 5
PHY_LAN8720 = 1

_CONNECTING_MS = const(20)
_linked = True  # cable in, access point there
_interfaces = []
_hostname = "mpy-esp32"


def link(up):
    """Not of MicroPython: the world outside pulls the cable and puts it back."""
    global _linked
    _linked = bool(up)
    for interface in _interfaces:
        interface._since = time.ticks_ms()


def __getattr__(name):
    import _wlan  # whoever has a cable saves its memory

    return getattr(_wlan, name)


def hostname(name=None):
    global _hostname
    if name is None:
        return _hostname
    _hostname = name


class Interface:
    _active = False
    _since = None  # when it began to connect

    def isconnected(self):
        machine._listen()
        since = self._since
        return _linked and since is not None and time.ticks_diff(time.ticks_ms(), since) >= _CONNECTING_MS

    def ifconfig(self, setting=None):
        if setting is not None:
            return None
        address = machine._address if self.isconnected() else "0.0.0.0"
        return (address, "255.0.0.0", "0.0.0.0", os.getenv("VIRTUAL_BOARD_DNS") or "0.0.0.0")


class LAN(Interface):
    def __init__(self, *args, **setting):
        _interfaces.append(self)

    def active(self, on=None):
        if on is None:
            return self._active
        self._active = bool(on)
        self._since = time.ticks_ms() if on else None
        return self._active

    def status(self):
        if not self._active:
            return ETH_STOPPED
        return ETH_GOT_IP if self.isconnected() else ETH_CONNECTED if _linked else ETH_DISCONNECTED

    def config(self, name=None, **setting):
        if name == "mac":
            return machine.unique_id()
        if name or not setting:
            raise ValueError("unknown config param")
