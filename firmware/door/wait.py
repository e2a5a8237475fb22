"""Waiting for a call. Loaded by lend(), and there as long as somebody holds what door.call() gave."""

import asyncio

from .console import Lines


class Calling:
    """What door.call() gives: `await` it until the call is answered or has ended."""

    is_passing = True

    def __init__(self, call):
        self._call = call

    def __repr__(self):
        return self._call.words()

    async def _wait(self):
        while self._call.state not in ("up", "ended"):
            await asyncio.sleep_ms(20)
        return Lines(self._call.words())

    def __iter__(self):
        return self._wait()
