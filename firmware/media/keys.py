"""Our own keys, as telephone events (RFC 4733 2.3). Imported with the first one pressed."""

from collections import deque
from micropython import const

from .resample import copy

_QUEUE = const(16)  # digits waiting
_FRAMES_TONE = const(5)  # 100 ms
_FRAMES_PAUSE = const(4)


class Sender:
    """Digits in, telephone events out: one packet a frame, 100 ms of tone, its end three times, then a pause of 80 ms."""

    def __init__(self):
        self.digits = deque((), _QUEUE)  # codes 0 to 15: 0 to 9, * 10, # 11, A to D 12 to 15
        self.packet = bytearray(16)
        self._code = -1
        self._frame = 0

    def press(self, code):
        """Put a code into the queue. False if it is full."""
        if not 0 <= code <= 15:
            raise ValueError("a key's code is 0 to 15, not %d" % code)
        if len(self.digits) == _QUEUE:
            return False
        self.digits.append(code)
        return True

    def frame(self, sound, event_type):
        """What this frame of 20 ms carries: True if it is the event that is then in `packet`, False for sound.

        `sound` is the packet of sound that it takes the place of, with its header. All packets of an event bear the
        timestamp of its first.
        """
        if self._code < 0:
            if not self.digits:
                return False
            self._code = self.digits.popleft()
            self._frame = 0
        self._frame += 1
        if self._frame > _FRAMES_TONE + 2:
            if self._frame >= _FRAMES_TONE + 2 + _FRAMES_PAUSE:
                self._code = -1
            return False
        copy(self.packet, 0, sound, 0, 6 if self._frame == 1 else 2)
        self._make(self.packet, self._frame, event_type)
        return True

    def _make(self, packet, frame, event_type):
        packet[1] = event_type | (0x80 if frame == 1 else 0)
        packet[12] = self._code
        packet[13] = 10 if frame < _FRAMES_TONE else 0x8A  # -10 dBm0, and E with the end
        duration = min(frame, _FRAMES_TONE) * 160
        packet[14] = duration >> 8
        packet[15] = duration & 255
