"""What stays in the heap while a trace is on: it takes messages as they come and go, and prints them when the serial line
has time. How they look is in sip/redact.py, which is there only while there is something to print."""

import asyncio
import gc
import select
import sys
import time

from lend import lend, sweep
from micropython import const

_ROOM = const(5632)  # bytes of messages that wait to be printed, as many as begin a call; one is taken in any case
_MANY = const(16)  # messages
_AT_ONCE = const(6)  # lines given to the console, once it has printed all it had
_PAUSE_MS = const(10)
# Calls come first: redact.py takes 6 KB, and what answers a challenge or begins a call takes what there is.
_ENOUGH = const(13312)  # bytes that must be free
_BEGINS_MS = const(1500)
_QUIET_MS = const(300)  # since the last message, unless there is hardly room for another
_LATER_MS = const(100)


class Trace:
    """The transport calls it for each message. `only`: b"" for all, or what the CSeq header field or the peer's address must
    hold."""

    _last = 0  # when the newest came
    _missing = 0  # messages that there was no room for, since the last that is waiting
    shown = 0
    lost = 0
    is_on = True

    def __init__(self, door, ladder, only):
        self._door = door
        self._ladder = ladder
        self._only = only
        self._waiting = []  # (direction, milliseconds of the day, peer, data)
        self._room = _ROOM

    def __call__(self, direction, data, peer):
        """Neither waits nor raises."""
        try:
            if len(data) <= 4 and not data.strip(b"\r\n\x00 "):
                return  # keep-alive
            only = self._only
            if only and only != peer[0].encode():
                at = data.find(b"CSeq")
                if at >= 0 and only not in data[at : data.find(b"\n", at)]:
                    return
            waiting = self._waiting
            if not waiting or len(waiting) < _MANY and len(data) <= self._room and not self._missing:
                self._last = time.ticks_ms()
                waiting.append((direction, time.time_ns() // 1000000 % 86400000, peer, data))
                self._room -= len(data)
                return
        except MemoryError:
            pass
        self._missing += 1
        self.lost += 1

    async def run(self):
        """Prints what waits. A line that takes nothing, as a USB line whose reader hangs, is left alone."""
        door = self._door
        poll = select.poll()
        poll.register(sys.stdout, select.POLLOUT)
        waiting = self._waiting
        lines = redact = None
        while self.is_on:
            await asyncio.sleep_ms(_PAUSE_MS)
            if not waiting:
                redact = None
                continue
            if door._console._lines or not poll.poll(0):
                continue
            try:
                if lines is None:
                    call = door._call
                    is_busy = self._room > _ROOM // 4 and time.ticks_diff(time.ticks_ms(), self._last) < _QUIET_MS
                    if is_busy or call and call.state != "up" and call.since_ms() < _BEGINS_MS:
                        redact = None
                        await asyncio.sleep_ms(_LATER_MS)
                        continue
                    if redact is None:
                        sweep()
                        if gc.mem_free() < _ENOUGH:
                            await asyncio.sleep_ms(_LATER_MS)
                            continue
                        redact = lend("sip.redact")
                    lines = redact.told(*waiting[0], self._ladder)
                for _ in range(_AT_ONCE):
                    door.say(next(lines))
            except Exception as e:
                lines = None
                self._room += len(waiting.pop(0)[3])
                if isinstance(e, StopIteration):
                    self.shown += 1
                else:
                    self._missing += 1
                    self.lost += 1
                if self._missing and not waiting:
                    door.say("... %d messages not shown" % self._missing)
                    self._missing = 0
                if not isinstance(e, (StopIteration, MemoryError)):
                    raise
