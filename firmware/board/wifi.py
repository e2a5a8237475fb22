"""What is particular to Wi-Fi."""

import network

_TROUBLE = (
    "WRONG_PASSWORD refuses the password; see wifi.password\n"
    "HANDSHAKE_TIMEOUT refuses the password; see wifi.password\n"
    "NO_AP_FOUND is not in reach; see wifi.ssid\n"
    "ASSOC_FAIL does not take us; is its list of devices full?\n"
    "BEACON_TIMEOUT has gone silent\n"
    "CONNECTING is being connected"
)


def interface():
    return network.WLAN(network.STA_IF)


def connect(wlan, ssid, password):
    """Begin to connect. OSError."""
    wlan.config(pm=wlan.PM_NONE)  # power saving would hold packets back by 100 ms and more
    try:
        wlan.disconnect()  # it may be connecting to what was set before
    except OSError:
        pass
    wlan.connect(ssid, password)


def trouble(wlan):
    """Why there is no connection, in words."""
    status = wlan.status()
    for line in _TROUBLE.split("\n"):
        name, _, words = line.partition(" ")
        if getattr(network, "STAT_" + name, None) == status:
            return words
    return "is not connected (%s)" % status
