"""Keys of the peer, as telephone events (RFC 4733 2.3): each press is one digit. Our own are in keys.py."""

from collections import deque
from micropython import const
from .rtp import timestamp_difference

_TIMESTAMP = const(3)  # of the fields of rtp.parse
_PAYLOAD_AT = const(6)
_PAYLOAD_BYTES = const(7)

_QUEUE = const(16)  # digits waiting
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
