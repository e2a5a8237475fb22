"""network of the virtual board: WLAN and LAN with the ESP32 port's names and manners, on this computer's loopback.

Connecting takes a moment, as it does in life; the address is the one tools/virtual_board.py was given.
"""

import machine
import time
from micropython import const

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_BEACON_TIMEOUT = 200
STAT_ASSOC_FAIL = 203
STAT_HANDSHAKE_TIMEOUT = 204
ETH_INITIALIZED = 0
ETH_STARTED = 1
ETH_STOPPED = 2
ETH_CONNECTED = 3
ETH_DISCONNECTED = 4
ETH_GOT_IP = 5
PHY_LAN8720 = 1

_CONNECTING_MS = const(20)
_linked = True  # cable in, access point there
_hostname = "mpy-esp32"


def link(up):
    """Not of MicroPython: the world outside pulls the cable and puts it back."""
    global _linked
    _linked = bool(up)
    for interface in (WLAN._station, LAN._it):
        if interface:
            interface._since = time.ticks_ms()


def hostname(name=None):
    global _hostname
    if name is None:
        return _hostname
    _hostname = name


def country(code=None):
    return "XX"


class _Interface:
    _active = False
    _since = None

    def _start(self):
        self._since = time.ticks_ms()

    def isconnected(self):
        machine._listen()
        return (
            self._active
            and _linked
            and self._since is not None
            and time.ticks_diff(time.ticks_ms(), self._since) >= _CONNECTING_MS
        )

    def ifconfig(self, setting=None):
        if setting is not None:
            return None
        address = machine._address if self.isconnected() else "0.0.0.0"
        return (address, "255.0.0.0", "0.0.0.0", "0.0.0.0")

    def ipconfig(self, name=None, **setting):
        if name == "addr4":
            return self.ifconfig()[:2]
        if name == "gw4":
            return "0.0.0.0"
        if name == "has_dhcp4":
            return self.isconnected()
        if name or not setting:
            raise ValueError("unknown config param")


class WLAN(_Interface):
    IF_STA = 0
    IF_AP = 1
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2
    SEC_OPEN = 0
    SEC_WPA2 = 3
    _station = None
    _wanted = None

    def __new__(cls, interface=0):
        if interface:
            raise ValueError("the virtual board has no access point")
        if WLAN._station is None:
            WLAN._station = object.__new__(cls)
            WLAN._station._config = {"pm": 1, "ssid": "", "reconnects": -1, "channel": 1}
        return WLAN._station

    def __init__(self, interface=0):
        pass

    def active(self, on=None):
        if on is None:
            return self._active
        self._active = bool(on)
        if not on:
            self._since = None
        return self._active

    def connect(self, ssid=None, key=None, bssid=None):
        if not self._active:
            raise OSError("Wifi Internal State Error")
        if ssid is not None:
            self._config["ssid"] = ssid
        self._start()

    def disconnect(self):
        self._since = None

    def status(self, name=None):
        if name == "rssi":
            return -50
        if self.isconnected():
            return STAT_GOT_IP
        if self._since is None:
            return STAT_IDLE
        return STAT_CONNECTING if _linked else STAT_NO_AP_FOUND

    def scan(self):
        return []

    def config(self, name=None, **setting):
        if name is not None:
            if name == "mac":
                return machine.unique_id()
            if name in ("hostname", "dhcp_hostname"):
                return hostname()
            if name not in self._config:
                raise ValueError("unknown config param")
            return self._config[name]
        for key in setting:
            if key in ("hostname", "dhcp_hostname"):
                hostname(setting[key])
            elif key in self._config or key == "txpower":
                self._config[key] = setting[key]
            else:
                raise ValueError("unknown config param")


class LAN(_Interface):
    _it = None

    def __new__(cls, *args, **setting):
        if LAN._it is None:
            LAN._it = object.__new__(cls)
        return LAN._it

    def __init__(self, *args, **setting):
        pass

    def active(self, on=None):
        if on is None:
            return self._active
        self._active = bool(on)
        self._since = time.ticks_ms() if on else None
        return self._active

    def status(self):
        if not self._active:
            return ETH_STOPPED if self._since is None else ETH_INITIALIZED
        return ETH_GOT_IP if self.isconnected() else ETH_CONNECTED if _linked else ETH_DISCONNECTED

    def config(self, name=None, **setting):
        if name == "mac":
            return machine.unique_id()
        if name or not setting:
            raise ValueError("unknown config param")
