"""One clock and its deadlines: everything in sip/ that happens later asks here.

The clock is a function that gives milliseconds as `time.ticks_ms` does, so that a test can put a virtual one in its
place and walk an hour of RFC 3261 timers in a millisecond.
"""

from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

_AGAIN_MS = const(250)


class Timer:
    """A deadline: `action(arg)` is called once when it is reached."""

    def __init__(self, due, action, arg):
        self.due = due
        self.action = action
        self.arg = arg


class Timers:
    """Deadlines on one wrapping millisecond clock.

    A plain list, searched as a whole: a door has a few dozen deadlines, and `ticks_ms` wraps every 12 days on a
    32-bit board, so that a heap ordered by plain numbers would be wrong twice a month.
    """

    def __init__(self, clock=ticks_ms):
        self.clock = clock
        self._list = []

    def after(self, delay_ms, action, arg=None):
        """Calls `action(arg)` in `delay_ms` (at most six days). Returns the Timer, for `cancel`."""
        timer = Timer(self.due(delay_ms), action, arg)
        self._list.append(timer)
        return timer

    def cancel(self, timer):
        """Forgets a Timer; None and one that has fired are fine. Returns None, to assign in one line."""
        if timer is not None:
            timer.action = None
            if timer in self._list:
                self._list.remove(timer)

    def due(self, delay_ms):
        """The clock's value `delay_ms` from now."""
        return ticks_add(self.clock(), delay_ms)

    def left_ms(self, due):
        """Milliseconds from now to a value of `due`; negative when it has passed."""
        return ticks_diff(due, self.clock())

    def run(self):
        """Fires what is due, earliest first. Returns the milliseconds to the next deadline, -1 when there is none."""
        while True:
            now = self.clock()
            first = None
            wait_ms = -1
            for timer in self._list:
                left_ms = ticks_diff(timer.due, now)
                if first is None or left_ms < wait_ms:
                    first = timer
                    wait_ms = left_ms
            if first is None:
                return -1
            if wait_ms > 0:
                return wait_ms
            self._list.remove(first)
            try:
                first.action(first.arg)
            except MemoryError:
                # A refresh or a retransmission that found the heap full must not be the last one, unless it was cancelled.
                if first.action:
                    first.due = ticks_add(now, _AGAIN_MS)
                    self._list.append(first)
                raise

    def __len__(self):
        return len(self._list)
