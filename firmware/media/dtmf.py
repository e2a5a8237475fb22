"""Keys as telephone events (RFC 4733 2.3): each press is one digit, coming and going."""

from collections import deque
from micropython import const
from .rtp import timestamp_difference

_TIMESTAMP = const(3)  # of the fields of rtp.parse
_PAYLOAD_AT = const(6)
_PAYLOAD_BYTES = const(7)

_QUEUE = const(16)  # digits waiting, each way
_FRAMES_TONE = const(5)  # 100 ms
_FRAMES_PAUSE = const(4)
_LONGEST = const(0xFFFF)  # an event longer than this goes on as a further segment (RFC 4733 2.5.1.3)


class Receiver:
    """Telephone events in, digits out. What makes a new press is a new timestamp: the marker may be lost, the end may
    come three times or never, updates may be lost or come late."""

    def __init__(self):
        self.digits = deque((), _QUEUE)  # codes 0 to 15: 0 to 9, * 10, # 11, A to D 12 to 15
        self.restart()

    def restart(self):
        """Another source: its timestamps are not comparable."""
        self._timestamp = 0
        self._code = -1
        self._duration = 0

    def put(self, packet, fields):
        """An event packet that `rtp.parse` took apart into `fields`. -> False if it is lost: too short,
        a code above 15, or nobody fetched the ones before."""
        at = fields[_PAYLOAD_AT]
        if fields[_PAYLOAD_BYTES] < 4 or packet[at] > 15:
            return False
        duration = packet[at + 2] << 8 | packet[at + 3]
        if self._code >= 0:
            ahead = timestamp_difference(fields[_TIMESTAMP], self._timestamp)
            if ahead < 0:
                return True
            if ahead == 0 or ahead == _LONGEST == self._duration and packet[at] == self._code:
                # The same press goes on. (A late update must not make the duration shorter.)
                self._timestamp = fields[_TIMESTAMP]
                self._duration = max(duration, 0 if ahead else self._duration)
                return True
        self._timestamp = fields[_TIMESTAMP]
        self._duration = duration
        self._code = packet[at]
        if len(self.digits) == _QUEUE:
            return False
        self.digits.append(packet[at])
        return True


class Sender:
    """Digits in, telephone events out: one payload a frame, 100 ms of tone, its end three times, then a pause of 80 ms."""

    def __init__(self):
        self.digits = deque((), _QUEUE)  # codes 0 to 15: 0 to 9, * 10, # 11, A to D 12 to 15
        self.payload = bytearray(4)
        self._code = -1
        self._frame = 0

    def frame(self):
        """What this frame of 20 ms carries: 0 sound, 1 the first packet of an event, 2 a further one, 3 a repeated end.

        With 1 to 3 `payload` is ready. All packets of an event bear the timestamp of its first.
        """
        if self._code < 0:
            if not self.digits:
                return 0
            self._code = self.digits.popleft()
            self._frame = 0
        self._frame += 1
        frame = self._frame
        payload = self.payload
        if frame > _FRAMES_TONE + 2:
            if frame >= _FRAMES_TONE + 2 + _FRAMES_PAUSE:
                self._code = -1
            return 0
        payload[0] = self._code
        payload[1] = 10 if frame < _FRAMES_TONE else 0x8A  # -10 dBm0, and E with the end
        duration = min(frame, _FRAMES_TONE) * 160
        payload[2] = duration >> 8
        payload[3] = duration & 255
        return 1 if frame == 1 else 2 if frame <= _FRAMES_TONE else 3
