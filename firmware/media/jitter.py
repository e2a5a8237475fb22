"""The playout buffer: puts packets back into their order and plays them at a small fixed delay.

A ring of G.711 bytes addressed by RTP timestamp, so packets of any length fit, and reordering, gaps and wrap-around need
no cases of their own. Nothing is allocated after the start.
"""

import micropython
from micropython import const
from .resample import fill
from .rtp import timestamp_difference

_TIMESTAMP = const(3)  # of the fields of rtp.parse
_PAYLOAD_BYTES = const(7)

_FRAME = const(160)  # samples taken at a time: 20 ms at 8 kHz
_BLOCK = const(80)  # what is known to be there is counted in blocks of 10 ms
_RING = const(1600)  # 200 ms
_DELAY = const(320)  # samples between a packet's coming and its playing, when it comes on time
_MOST = const(640)
_JUMP = const(-8000)  # later than this is no longer late, it is another clock
_LATE_RUN = const(3)  # so many late in a row, and the playing waits a frame
_EMPTY_RUN = const(10)  # so many empty frames, and the next packet sets the clock anew
_LOOK = const(64)  # frames over which too much delay must last before one is dropped


class Jitter:
    """put() packets as they come, take() a frame every 20 ms."""

    def __init__(self):
        self.ring = bytearray(_RING)
        self._have = bytearray(_RING // _BLOCK)  # samples there, a block
        self.late = 0  # packets that came when their time was over
        self.dropped = 0  # frames skipped because the delay had grown
        self.inserted = 0  # frames waited because packets came late
        self.empty = 0  # frames for which nothing was there, while the source was sending
        self.reset(0xFF)

    def reset(self, silence=-1):
        """Forget what is there: another source, or a jump. `silence` is the codec's byte for it."""
        if silence >= 0:
            self.silence = silence
        fill(self.ring, 0, _RING >> 1, self.silence * 257)
        fill(self._have, 0, _RING // _BLOCK >> 1, 0)
        self.active = False
        self._timestamp = 0  # of the frame to be taken next
        self._at = 0  # where in the ring it begins, always a multiple of _FRAME
        self.ahead = 0  # samples from there to the end of the newest packet: what waits to be played, if above 0
        self._late_run = 0
        self._empty_run = 0
        self._least = _RING
        self._looked = 0

    def put(self, packet, fields):
        """Store the payload of a packet that `rtp.parse` took apart into `fields`."""
        offset = timestamp_difference(fields[_TIMESTAMP], self._timestamp)
        if not self.active or offset + fields[_PAYLOAD_BYTES] > _RING - _FRAME or offset < _JUMP:
            # The first, or the clock jumped, or the buffer was not emptied: begin anew with this packet.
            self.reset()
            self.active = True
            self._timestamp = (fields[_TIMESTAMP] - _DELAY) & 0x3FFFFFFF
            offset = _DELAY
        if offset < 0:
            self.late += 1
            self._late_run += 1
            if self._late_run >= _LATE_RUN and self.ahead < _MOST:
                self._late_run = 0
                self.inserted += 1
                self._move(-_FRAME)  # play a frame later from now on
            return
        self._late_run = 0
        store(self.ring, self._have, self._at + offset, packet, fields)
        offset += fields[_PAYLOAD_BYTES]
        if offset > self.ahead:
            self.ahead = offset

    def take(self):
        """-> where in `ring` the next _FRAME bytes begin, or -1: nothing there. They stay until the next take."""
        if not self.active:
            return -1
        if self.ahead < self._least:
            self._least = self.ahead
        self._looked += 1
        if self._looked >= _LOOK:
            while self._least > _DELAY + _FRAME:
                self._least -= _FRAME
                self.dropped += 1
                self._move(_FRAME)
            self._looked = 0
            self._least = _RING
        at = self._at
        block = at // _BLOCK
        there = self._have[block] + self._have[block + 1]
        self._move(_FRAME)
        if there:
            self._empty_run = 0
            return at
        self.empty += 1
        self._empty_run += 1
        if self._empty_run >= _EMPTY_RUN and self.ahead <= 0:
            self.active = False
        return -1

    def _move(self, samples):
        # Play so much later in the sound, or earlier. The ring keeps one frame behind the playing: going on, what has just
        # been played is still read and the frame before it gets free; going back, it is the frame to be played.
        at = (self._at + samples) % _RING
        self._at = at
        self._timestamp = (self._timestamp + samples) & 0x3FFFFFFF
        self.ahead -= samples
        if samples > 0:
            at = (at - 2 * _FRAME) % _RING
        fill(self.ring, at >> 1, _FRAME >> 1, self.silence * 257)
        at //= _BLOCK
        self._have[at] = self._have[at + 1] = 0


@micropython.viper
def store(ring: ptr8, have: ptr8, to: int, packet: ptr8, fields: ptr32):
    """The payload of a packet (at most 1,280 bytes) into the ring at `to`, round its end; counted in its blocks."""
    if to >= 1600:
        to -= 1600
    block = 0
    room = 80 - to
    while room <= 0:
        room += 80
        block += 1
    packet = ptr8(uint(packet) + uint(fields[6]))
    n = int(fields[7])
    while n:
        # As much as goes into one block
        if room > n:
            room = n
        n -= room
        there = have[block] + room
        have[block] = there if there < 80 else 80
        target = ptr8(uint(ring) + uint(to))
        to += room
        while room > 3:
            target[0] = packet[0]
            target[1] = packet[1]
            target[2] = packet[2]
            target[3] = packet[3]
            target = ptr8(uint(target) + 4)
            packet = ptr8(uint(packet) + 4)
            room -= 4
        while room:
            target[0] = packet[0]
            target = ptr8(uint(target) + 1)
            packet = ptr8(uint(packet) + 1)
            room -= 1
        room = 80
        block += 1
        if to == 1600:
            to = 0
            block = 0
