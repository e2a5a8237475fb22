"""Keys of the peer, as telephone events (RFC 4733 2.3): each press is one digit. Our own are in keys.py."""

import micropython
from micropython import const

_QUEUE = const(16)  # digits waiting
_LONGEST = const(0xFFFF)  # an event longer than this goes on as a further segment (RFC 4733 2.5.1.3)


@micropython.viper
def put(packet, fields, digits) -> int:
    """An event packet that rtp.parse took apart into `fields`: a new press to `digits`, a deque of codes, 0 to 9, * 10, # 11, A
    to D 12 to 15. -> 0 if it is lost: too short, a code above 15, or nobody fetched the ones before.

    What makes a new press is a new timestamp: the marker may be lost, the end may come three times or never, updates may be
    lost or come late. Of the last event fields 14 to 16 know the timestamp, the code and 1 (0: none), the duration.
    """
    f = ptr32(fields)
    event = ptr8(uint(ptr8(packet)) + uint(f[6]))
    if f[7] < 4:
        return 0
    code = int(event[0])
    if code > 15:
        return 0
    duration = event[2] << 8 | event[3]
    if f[15]:
        ahead = ((f[3] - f[14] + 0x20000000) & 0x3FFFFFFF) - 0x20000000
        if ahead < 0:
            return 1
        if ahead == 0 or (ahead == _LONGEST and f[16] == _LONGEST and code + 1 == f[15]):
            # The same press goes on. (A late update must not make the duration shorter.)
            f[14] = f[3]
            if ahead or duration > f[16]:
                f[16] = duration
            return 1
    f[14] = f[3]
    f[15] = code + 1
    f[16] = duration
    if int(len(digits)) == _QUEUE:
        return 0
    digits.append(code)
    return 1
