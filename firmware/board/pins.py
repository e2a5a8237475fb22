"""Buttons, and outputs like the relay and the light."""

from machine import Pin
from micropython import const
from time import ticks_diff, ticks_ms

_PRESS_MS = const(10)  # a spike on a long wire is shorter
_RELEASE_MS = const(50)  # a contact bounces less long


class Button:
    """A debounced button; spec is {"pin": 4, "active": 0, "pull": "up"}, pull "up", "down" or none.

    `on_press(n)` is called by `poll()`, once a press: when the contact has been closed for 10 ms, which the interrupt
    times, and not again before it was open for 50 ms.
    """

    def __init__(self, spec, on_press, n=0):
        pull = {"up": Pin.PULL_UP, "down": Pin.PULL_DOWN}.get(spec.get("pull"))
        self._pin = Pin(spec["pin"], Pin.IN, pull)
        self._active = spec.get("active", 0)
        self._on_press = on_press
        self._n = n
        self.is_pressed = False
        self._closed = False  # as last seen
        self._since = ticks_ms()  # and since when
        self._pin.irq(self._edge, Pin.IRQ_RISING if self._active else Pin.IRQ_FALLING)

    def _edge(self, pin):
        # An interrupt: the contact closes, or bounces.
        self._closed = True
        self._since = ticks_ms()

    def poll(self, now_ms):
        """Call it every 20 ms or so; allocates nothing by itself."""
        closed = self._pin.value() == self._active
        if closed != self._closed:
            self._closed = closed
            self._since = now_ms
        lasted_ms = ticks_diff(now_ms, self._since)
        if closed and not self.is_pressed and lasted_ms >= _PRESS_MS:
            self.is_pressed = True
            self._on_press(self._n)
        elif not closed and self.is_pressed and lasted_ms >= _RELEASE_MS:
            self.is_pressed = False


class Output:
    """An output at rest from the first moment; spec is {"pin": 5, "active": 1}."""

    def __init__(self, spec):
        self._active = 1 if spec.get("active", 1) else 0
        self._pin = Pin(spec["pin"], Pin.OUT, value=1 - self._active)
        self.is_on = False

    def put(self, on):
        """On, or at rest."""
        self.is_on = on
        self._pin.value(self._active if on else 1 - self._active)
