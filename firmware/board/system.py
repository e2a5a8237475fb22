"""The chip itself: watchdog, resets, identity."""

import machine
from micropython import const

_HAND_OVER_MS = const(1000)


class Watchdog:
    """Resets the board unless fed within timeout_ms. It cannot be stopped; a second one only changes its time."""

    def __init__(self, timeout_ms):
        self.feed = machine.WDT(timeout=timeout_ms).feed

    def hand_over(self):
        """From now on a timer feeds it: for the plain REPL, where a copy by mpremote takes its time."""
        timer = machine.Timer(0)
        timer.init(period=_HAND_OVER_MS, mode=timer.PERIODIC, callback=lambda timer: self.feed())


def reset_words():
    """Why the board last started."""
    cause = machine.reset_cause()
    for name in ("PWRON", "WDT", "SOFT", "DEEPSLEEP", "HARD"):
        if getattr(machine, name + "_RESET", None) == cause:
            break
    return {"PWRON": "power on", "WDT": "the watchdog", "SOFT": "a soft reset", "DEEPSLEEP": "deep sleep"}.get(
        name, "a reset")


def reset():
    machine.reset()


def unique():
    """The chip's own number, in hex."""
    return machine.unique_id().hex()
