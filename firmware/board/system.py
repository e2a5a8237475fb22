"""The chip itself: watchdog, resets, identity."""

import machine
from micropython import const

_HAND_OVER_MS = const(1000)


class Watchdog:
    """Resets the board unless fed within timeout_ms. It cannot be stopped; a second one only changes its time."""

    def __init__(self, timeout_ms):
        self._wdt = machine.WDT(timeout=timeout_ms)
        self._timer = None

    def feed(self):
        self._wdt.feed()

    def hand_over(self):
        """From now on a timer feeds it: for the plain REPL, where a copy by mpremote takes its time."""
        if self._timer is None:
            self._timer = machine.Timer(0)
            self._timer.init(period=_HAND_OVER_MS, mode=machine.Timer.PERIODIC, callback=self._feed)

    def _feed(self, timer):
        self._wdt.feed()


def reset_words():
    """Why the board last started."""
    cause = machine.reset_cause()
    for name, words in (
        ("PWRON_RESET", "power on"),
        ("WDT_RESET", "the watchdog"),
        ("SOFT_RESET", "a soft reset"),
        ("DEEPSLEEP_RESET", "deep sleep"),
        ("HARD_RESET", "a reset"),
    ):
        if getattr(machine, name, None) == cause:
            return words
    return "an unknown reset (%s)" % cause


def reset():
    machine.reset()


def unique():
    """The chip's own number, in hex."""
    return "".join("%02x" % b for b in machine.unique_id())
