"""A line with `await` as it runs, beside everything else. Loaded for the moment by lend(), and there as long as the line runs:
so it is short, and what is done before and after that is in enter.py."""

from micropython import kbd_intr
from time import ticks_diff, ticks_ms


def stepped(coroutine, held_ms):
    """A task: runs it step by step; each is timed, and only within one can Ctrl-C interrupt. -> (True, its value) or (False, what
    it raised), and for how many ms it held everything else at the longest."""
    error = outcome = None
    while True:
        start = ticks_ms()
        kbd_intr(3)
        try:
            step = coroutine.send(None) if error is None else coroutine.throw(error)
            error = None
        except StopIteration as e:
            outcome = True, e.value
        except BaseException as e:
            outcome = False, e
        finally:
            kbd_intr(-1)
        held_ms = max(held_ms, ticks_diff(ticks_ms(), start))
        if outcome:
            return outcome + (held_ms,)
        try:
            yield step
        except BaseException as e:
            error = e
