"""The status light: what it shows for each state of the door."""

from time import ticks_add, ticks_diff

# Milliseconds on, off, on, ...; one figure alone is steady.
IDLE = (60, 2940)  # a short flash: ready
TROUBLE = (100, 200, 100, 1600)  # two flashes: no network, or not registered
CALLING = (150, 150)  # fast: somebody is rung
TALKING = (1000,)  # steady: the call is up


class Light:
    """Blinks an output; `tick` allocates nothing."""

    def __init__(self, output):
        self._output = output
        self._pattern = None
        self._step = 0
        self._next = 0

    def tick(self, pattern, now_ms):
        if pattern is not self._pattern:
            self._pattern = pattern
            self._step = 0
            self._next = now_ms
        if ticks_diff(now_ms, self._next) < 0:
            return
        if self._step & 1:
            self._output.off()
        else:
            self._output.on()
        self._next = ticks_add(now_ms, pattern[self._step])
        self._step = (self._step + 1) % len(pattern)

    def rest(self):
        self._pattern = None
        self._output.rest()
