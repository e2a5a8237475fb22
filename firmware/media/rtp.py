"""RTP packets as bytes in place (RFC 3550 5.1), and who sends them (appendix A.1).

Timestamps are kept modulo 2^30 and the SSRC in two halves: on a board a Python integer of more than 30 bits is an object.
"""

import micropython
from micropython import const

# What `parse` puts into `fields`, array("i") of eight. Who reads them has private constants for these places.
#   0 payload type   1 marker   2 sequence   3 timestamp modulo 2^30   4, 5 SSRC, upper and lower half
#   6 where the payload begins, from the start of the buffer   7 its bytes

@micropython.viper
def parse(packet: ptr8, first: int, end: int, fields: ptr32) -> int:
    """Take apart the RTP packet in packet[first:end] into `fields`. -> 1, or 0 if it is none."""
    packet = ptr8(uint(packet) + uint(first))
    n = end - first
    if n < 12 or packet[0] & 0xC0 != 0x80:
        return 0
    at = 12 + ((packet[0] & 15) << 2)
    if packet[0] & 0x10:
        if n < at + 4:
            return 0
        at += 4 + ((packet[at + 2] << 8 | packet[at + 3]) << 2)
    if packet[0] & 0x20:
        if packet[n - 1] == 0:
            return 0
        n -= packet[n - 1]
    if n < at:
        return 0
    fields[0] = packet[1] & 127
    fields[1] = packet[1] >> 7
    fields[2] = packet[2] << 8 | packet[3]
    fields[3] = (packet[4] & 63) << 24 | packet[5] << 16 | packet[6] << 8 | packet[7]
    fields[4] = packet[8] << 8 | packet[9]
    fields[5] = packet[10] << 8 | packet[11]
    fields[6] = first + at
    fields[7] = n - at
    return 1


@micropython.viper
def end(packet: ptr8, at: int, n: int) -> int:
    """Where the RTP packet that begins at packet[at] ends: n, or where the next of its source begins.

    A stream read of MicroPython goes on until its buffer is full or nothing waits, over datagrams too: short ones come
    joined. What tells them apart is a header of the same source with a sequence number near by (one in 2^44 by chance).
    """
    if n - at < 24:
        return n
    source = ptr8(uint(packet) + uint(at + 8))
    high = source[0]
    k = at + 12
    while k <= n - 12:
        # Four places at a time: one of them may be where the SSRC of a next packet begins.
        next = ptr8(uint(packet) + uint(k + 8))
        k += 4
        if next[0] == high or next[1] == high or next[2] == high or next[3] == high:
            k -= 4
            here = k + 4
            while k < here and k <= n - 12:
                next = ptr8(uint(packet) + uint(k))
                if next[8] == high and next[9] == source[1] and next[10] == source[2] and next[11] == source[3]:
                    ahead = (next[2] << 8 | next[3]) - (packet[at + 2] << 8 | packet[at + 3])
                    if next[0] & 0xC0 == 0x80 and (ahead + 32) & 0xFFFF < 64:
                        return k
                k += 1
    return n


@micropython.viper
def advance(packet: ptr8, samples: int):
    """The timestamp of packet goes on by so many samples."""
    x = packet[7] + samples
    packet[7] = x
    x = packet[6] + (x >> 8)
    packet[6] = x
    x = packet[5] + (x >> 8)
    packet[5] = x
    packet[4] = packet[4] + (x >> 8)


@micropython.viper
def count(packet: ptr8):
    """The next sequence number."""
    low = packet[3] + 1
    packet[3] = low
    packet[2] = packet[2] + (low >> 8)


@micropython.viper
def timestamp_difference(a: int, b: int) -> int:
    """a - b of two timestamps modulo 2^30, signed."""
    return ((a - b + 0x20000000) & 0x3FFFFFFF) - 0x20000000


_MAX_DROPOUT = const(3000)
_WINDOW = const(30)  # how many sequence numbers back a duplicate is known: bits of one small int


class Source:
    """One synchronization source: which of its packets were there already, and how many never came."""

    def __init__(self):
        self.restart()

    def restart(self):
        self.received = 0
        self.lost = 0  # cumulative; one that comes late after all is taken back
        self.highest = -1
        self._seen = 0  # a bit for each of the last numbers
        self._bad = -1

    def count(self, sequence):
        """-> 1 for a packet to be used, 0 for a duplicate, -1 for a jump in the numbers that the next must prove."""
        ahead = (sequence - self.highest) & 0xFFFF
        if self.highest < 0:
            ahead = 1
            self._seen = 0
        elif ahead == 0 or ahead > 65536 - _WINDOW:
            bit = 1 << (65536 - ahead & 0xFFFF)
            if self._seen & bit:
                return 0
            self._seen |= bit
            self.received += 1
            if self.lost:
                self.lost -= 1
            return 1
        elif ahead >= _MAX_DROPOUT:
            if sequence != self._bad:
                self._bad = (sequence + 1) & 0xFFFF
                return -1
            ahead = 1
            self._seen = 0
        self.lost += ahead - 1
        # Masked before it is shifted: more than 30 bits would be an object.
        self._seen = (self._seen & 0x3FFFFFFF >> ahead) << ahead | 1 if ahead < _WINDOW else 1
        self.highest = sequence
        self._bad = -1
        self.received += 1
        return 1
