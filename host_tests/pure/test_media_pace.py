"""Whether a board has the time and the room for G.722."""

from array import array

from media import pace


class _Stream:
    _mic = array("H", bytes(2 * 686))
    _scratch = bytearray(640)


class _Gc:
    def __init__(self, free):
        self._free = free

    def collect(self):
        pass

    def mem_free(self):
        return self._free


def _is_enough(*taken_us, free=40000):
    """On a chip that takes so long for each decimation, with so many bytes free."""
    times, now = [], 0
    for us in taken_us:
        times += [now, now + us]
        now += us + 100
    times.reverse()
    before = pace.ticks_us
    pace.ticks_us = times.pop
    real = pace.gc
    pace.gc = _Gc(free)
    try:
        return pace.is_enough(_Stream)
    finally:
        pace.ticks_us = before
        pace.gc = real


def test_a_tick_may_take_twelve_milliseconds():
    assert _is_enough(666, 666, 666, 666, 666)
    assert not _is_enough(667, 667, 667, 667, 667)


def test_the_best_counts_as_interrupts_come_in_between():
    assert _is_enough(900, 800, 400, 5000, 700)
    assert not _is_enough(900, 800, 700, 5000, 700)


def test_what_a_bare_chip_has_left_is_for_the_calls_themselves():
    assert not _is_enough(400, 400, 400, 400, 400, free=39999)
