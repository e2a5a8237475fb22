"""Our own keys, as telephone events (RFC 4733 2.3). Lent with the first one pressed, for as long as the call lasts."""

from collections import deque
from micropython import const

from .resample import copy
from .rtp import advance

_QUEUE = const(16)  # digits waiting
_LONGEST_MS = const(60000)
_SEGMENT = const(0xFFFF)  # the longest duration there is: what lasts longer is sent in such parts (RFC 4733 2.5.1.3)


class Sender:
    """Digits in, telephone events out: one packet a frame while a tone lasts, its end three times, and the pause."""

    def __init__(self):
        self.digits = deque((), _QUEUE)  # codes 0 to 15: 0 to 9, * 10, # 11, A to D 12 to 15
        self.packet = bytearray(16)
        self._code = -1
        self._frame = self._tone = self._end = self._last = self._before = 0
        self._full = False  # this part of a long event
        self.lengths(100, 100)

    def lengths(self, tone_ms, gap_ms):
        """How long the keys to come sound, 20 to 60,000 ms, and how long the pause after each is, 20 ms or more. A key
        begins with a frame, and not before the end of the one before was told three times: a pause may be longer."""
        if not 20 <= tone_ms <= _LONGEST_MS or gap_ms < 20:
            raise ValueError("a key's tone lasts 20 to %d ms, its pause 20 or more, not %d and %d" % (_LONGEST_MS, tone_ms, gap_ms))
        self._tone_ms = tone_ms
        self._gap_ms = gap_ms

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
        timestamp of its first, or of its part's.
        """
        if self._code < 0:
            if not self.digits:
                return False
            self._begin()
        self._frame += 1
        if self._frame > self._end + 2:
            if self._frame >= self._last:
                self._code = -1
            return False
        copy(self.packet, 0, sound, 0, 6 if self._frame == 1 else 2)
        self._make(self.packet, self._frame, event_type)
        if self._frame == self._last:
            self._code = -1
        return True

    def _begin(self):
        self._code = self.digits.popleft()
        self._frame = self._before = 0
        self._tone = self._tone_ms * 8
        self._end = (self._tone_ms + 19) // 20  # the frame in which the tone ends
        self._last = max((self._tone_ms + self._gap_ms + 19) // 20, self._end + 2)

    def _make(self, packet, frame, event_type):
        if self._full:
            self._full = False
            self._before += _SEGMENT
            advance(packet, _SEGMENT)
        samples = min(frame * 160, self._tone) - self._before
        packet[1] = event_type | (0x80 if frame == 1 else 0)
        packet[12] = self._code
        packet[13] = 10  # -10 dBm0
        if samples > _SEGMENT:  # the rest comes with the next packet, and the next part
            self._full = True
            samples = _SEGMENT
        elif frame >= self._end:
            packet[13] = 0x8A  # E: this is the end
        packet[14] = samples >> 8
        packet[15] = samples & 255
