"""How the network interface comes up, and its state in words. Loaded for the moment by lend(): a door that is
connected does not keep it."""

import asyncio
import network
from micropython import const
from time import ticks_diff, ticks_ms

from lend import lend

_ATTEMPT_MS = const(20000)  # a busy access point with DHCP takes some seconds
_STEP_MS = const(100)


def interface(wiring, hostname):
    """What MicroPython has for wiring.NETWORK."""
    if hostname:
        network.hostname(hostname)
    if wiring.NETWORK == "wifi":
        return lend("board.wifi").interface()
    return lend("board.lan").interface(getattr(wiring, "LAN", {}))


async def up(net, ssid, password):
    """See Network.up()."""
    if net.is_up() and ssid == net._ssid:
        return
    net._ssid = ssid
    try:
        net._if.active(True)
        if net._wifi:
            lend("board.wifi").connect(net._if, ssid, password)
    except OSError:
        pass  # words() tells from the status
    since = ticks_ms()
    while not net.is_up() and ticks_diff(ticks_ms(), since) < _ATTEMPT_MS:
        await asyncio.sleep_ms(_STEP_MS)


def words(net):
    """See Network.words()."""
    if net._wifi:
        return "Wi-Fi '%s' %s" % (net._ssid, net.address() or lend("board.wifi").trouble(net._if))
    return "Ethernet: " + (net.address() or "no address yet; is the cable in, and is there a DHCP server?")
