"""network.WLAN of the virtual board."""

import machine
import network
import time

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


class WLAN(network.Interface):
    IF_STA = 0
    IF_AP = 1
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2
    SEC_OPEN = 0
    SEC_WPA2 = 3
    _station = None

    def __new__(cls, interface=0):
        if interface:
            raise ValueError("the virtual board has no access point")
        if WLAN._station is None:
            WLAN._station = object.__new__(cls)
            network._interfaces.append(WLAN._station)
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
        self._since = time.ticks_ms()

    def disconnect(self):
        self._since = None

    def status(self, name=None):
        if name == "rssi":
            return -50
        if self.isconnected():
            return STAT_GOT_IP
        if self._since is None:
            return STAT_IDLE
        return STAT_CONNECTING if network._linked else STAT_NO_AP_FOUND

    def scan(self):
        return []

    def config(self, name=None, **setting):
        if name is not None:
            if name == "mac":
                return machine.unique_id()
            if name in ("hostname", "dhcp_hostname"):
                return network.hostname()
            if name not in self._config:
                raise ValueError("unknown config param")
            return self._config[name]
        for key in setting:
            if key in ("hostname", "dhcp_hostname"):
                network.hostname(setting[key])
            elif key in self._config or key == "txpower":
                self._config[key] = setting[key]
            else:
                raise ValueError("unknown config param")
