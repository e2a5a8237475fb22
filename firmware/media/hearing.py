"""The test of microphone and loudspeaker: silence, a tone and two sweeps are played, and what comes back is measured. Lent for
that."""

import math
import time
from array import array

import asyncio
from micropython import const

from . import gain, probe

_PIECE = const(128)  # frames fetched at a time
_FRAMES = const(160)  # played at a time
_AHEAD = const(640)  # as much is with the I2S as in a call
_LEVEL = const(8000)  # of the tone, of 32767: -15 dB
_STEP = const(4096)  # of 65536 a turn: 1000 Hz at 16 kHz
_SWEEP = const(192)  # samples at 4 kHz: 48 ms
_RECORD = const(686)  # samples at 4 kHz: a sweep that comes up to 115 ms later, and a piece
_SETTLE_MS = const(160)  # see stream._SETTLE


def _db(energy, n):
    return 10 * math.log10(max(energy / n, 1e-3)) - 90.3 if n else -120.0


class _Test:
    def __init__(self, stream):
        self._audio = stream._audio
        self._condition = stream._gain
        self._volume = stream._volume
        self._raw = stream._raw  # the stream's own, as it has no call: a small heap has no such piece twice
        self._heard = array("H", bytes(2 * _PIECE))
        self._out = array("H", bytes(2 * _FRAMES))
        self._found = array("i", [0, 0, 65535, 0])
        self._record = stream._mic
        self._recorded = -1
        self._phase = 0

    def listen(self):
        """Takes in what the microphone has."""
        while True:
            n = self._audio.read(self._raw) >> 2
            if not n:
                return
            gain.condition(self._raw, self._heard, 0, n, self._condition)
            probe.weigh(self._heard, n, self._found)
            self.energy += self._found[0] * 256
            self.n += n
            self.peak = max(self.peak, self._found[1])
            if 0 <= self._recorded <= _RECORD - _PIECE // 4:
                self._recorded = probe.every_fourth(self._heard, n, self._record, self._recorded)

    def fresh(self):
        self.energy = self.n = self.peak = 0

    async def go(self, ms, fill):
        """For so long: hear, and play what fill(samples) makes."""
        start = time.ticks_ms()
        played = 0
        out = memoryview(self._out)
        while True:
            passed_ms = time.ticks_diff(time.ticks_ms(), start)
            self.listen()
            if passed_ms >= ms:
                return
            while fill and played < passed_ms * 16 + _AHEAD:
                fill(self._out)
                gain.volume(self._out, 0, _FRAMES, self._volume)
                for i in range(_FRAMES):
                    self._out[i] ^= 32768
                at = 0
                while at < _FRAMES:
                    at += self._audio.write(out[at:]) >> 1
                    if at < _FRAMES:
                        await asyncio.sleep_ms(4)
                        self.listen()
                played += _FRAMES
            await asyncio.sleep_ms(8)

    def tone(self, samples):
        self._phase = gain.sine(samples, 0, _FRAMES, self._phase, _STEP, _LEVEL, 0)

    async def sweep(self):
        """-> samples at 4 kHz from giving a sweep to the loudspeaker until it is heard, -1 if it is not."""
        known = array("H", bytes(2 * _SWEEP))
        for i in range(_SWEEP):
            known[i] = 32768 + int(1000 * math.sin(math.pi * (0.15 + 0.0018 * i) * i))  # 300 to 1700 Hz
        self._at = 0

        def fill(samples):
            # The sweep, each of its samples four times, then silence
            for i in range(_FRAMES):
                at = self._at + i >> 2
                samples[i] = 32768 + (known[at] - 32768) * 8 if at < _SWEEP else 32768
            if not self._at:
                self._recorded = 0
            self._at += _FRAMES

        self.listen()
        await self.go(240, fill)
        best = most = total = at = 0
        for at in range(self._recorded - _SWEEP):
            found = probe.alike(self._record, at, known, _SWEEP)
            total += found
            if found > most:
                most = found
                best = at
            if not at & 127:
                await asyncio.sleep_ms(0)
        self._recorded = -1
        # Where it is not, all lags are alike.
        return best if most * (at + 1) > 8 * total else -1


async def measure(stream):
    """-> (level of the noise in dB of full scale; level of the tone as heard, its peak of 32768; level of the tone as played;
    ms from giving sound to the I2S until it is heard, -1 if it is not; how far the microphone's samples ever were from each
    other). The I2S runs; some 4 s."""
    test = _Test(stream)
    test.fresh()
    await test.go(_SETTLE_MS, None)  # the mean comes to rest; what the DMA held goes
    test.fresh()
    test._found[2], test._found[3] = 65535, 0
    await test.go(500, None)
    noise = _db(test.energy, test.n)
    await test.go(400, test.tone)
    test.fresh()
    await test.go(600, test.tone)
    heard, peak = _db(test.energy, test.n), test.peak
    await test.go(250, None)
    delay = await test.sweep()
    again = await test.sweep()
    # What is there, is there twice; both as exact as DMA buffers are, of 16 ms on either side.
    if abs(delay - again) > 200 or again < 0:
        delay = -1
    else:
        delay = (delay + again) // 2
    played = 20 * math.log10(_LEVEL / 32768 * stream._volume / 4096) - 3
    return round(noise), round(heard), peak, round(min(played, -3)), delay // 4 if delay >= 0 else -1, test._found[3] - test._found[2]
