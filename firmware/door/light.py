"""The status light: what it shows for each state of the door."""

from time import ticks_add, ticks_diff

# Milliseconds on, off, on, ...; one figure alone is steady. By number, as the door has them.
_PATTERNS = (
    (60, 2940),  # idle, a short flash: ready
    (100, 200, 100, 1600),  # trouble, two flashes: no network, or not registered
    (150, 150),  # calling, fast: somebody is rung
    (1000,),  # talking, steady: the call is up
)


class Light:
    """Blinks an output; `tick` allocates nothing."""

    def __init__(self, output):
        self._output = output
        self._pattern = None
        self._step = 0
        self._next = 0

    def tick(self, number, now_ms):
        """`number`: 0 idle, 1 trouble, 2 calling, 3 talking."""
        pattern = _PATTERNS[number]
        if pattern is not self._pattern:
            self._pattern = pattern
            self._step = 0
        elif ticks_diff(now_ms, self._next) < 0:
            return
        self._output.put(not self._step & 1)
        self._next = ticks_add(now_ms, pattern[self._step])
        self._step = (self._step + 1) % len(pattern)

    def rest(self):
        self._pattern = None
        self._output.put(False)
