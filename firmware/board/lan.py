"""What is particular to a cable."""

import network
from machine import Pin


def interface(setting):
    """network.LAN with wiring.LAN, which is data: pins are numbers there, and the PHY its name."""
    ready = {}
    for key in setting:
        value = setting[key]
        if key in ("mdc", "mdio", "power", "reset", "ref_clk"):
            value = Pin(value)
        elif isinstance(value, str):
            value = getattr(network, value)
        ready[key] = value
    return network.LAN(**ready)
