"""The chip itself: watchdog, resets, identity. Loaded for the moment by lend()."""

import machine
from micropython import const

_HAND_OVER_MS = const(1000)
_COPY_MS = const(600000)  # a copy by mpremote, over a slow line


def watchdog(timeout_ms):
    """Resets the board unless the function that this gives is called within timeout_ms. It cannot be stopped; a second
    one only changes its time."""
    return machine.WDT(timeout=timeout_ms).feed


def hand_over():
    """From now on a timer feeds the watchdog, for the plain REPL. mpremote begins with a soft reset, which on the ESP32
    ends timers while the watchdog stays armed: so its time becomes long, too."""
    feed = watchdog(_COPY_MS)
    timer = machine.Timer(0)
    timer.init(period=_HAND_OVER_MS, mode=timer.PERIODIC, callback=lambda timer: feed())


def reset_words():
    """Why the board last started."""
    cause = machine.reset_cause()
    for name in ("PWRON", "WDT", "SOFT", "DEEPSLEEP", "HARD"):
        if getattr(machine, name + "_RESET", None) == cause:
            break
    return {"PWRON": "power on", "WDT": "the watchdog", "SOFT": "a soft reset", "DEEPSLEEP": "deep sleep"}.get(
        name, "a reset")


def unique():
    """The chip's own number, in hex."""
    return machine.unique_id().hex()
