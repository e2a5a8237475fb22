"""machine.Timer of the virtual board."""

import asyncio
import machine


class Timer:
    """A timer whose callback runs while asyncio does; while one is set the watchdog outside is patient."""

    ONE_SHOT = 0
    PERIODIC = 1

    def __init__(self, id, **kw):
        self._id = id
        self._task = None
        if kw:
            self.init(**kw)

    def init(self, *, mode=1, freq=-1, period=-1, callback=None, hard=False):
        self.deinit()
        ms = period if freq == -1 else int(1000 / freq)
        self._task = asyncio.create_task(self._run(ms, mode, callback))
        machine.tell(84, self._id & 255, 1)

    async def _run(self, ms, mode, callback):
        while True:
            await asyncio.sleep_ms(ms)
            if callback:
                callback(self)
            if not mode:
                self._task = None
                machine.tell(84, self._id & 255, 0)
                return

    def deinit(self):
        if self._task:
            self._task.cancel()
            self._task = None
            machine.tell(84, self._id & 255, 0)
