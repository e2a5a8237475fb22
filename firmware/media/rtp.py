"""RTP packets as bytes in place (RFC 3550 5.1), and who sends them (appendix A.1).

Timestamps are kept modulo 2^30 and the SSRC in two halves: on a board a Python integer of more than 30 bits is an object.
"""

import micropython

# What `parse` puts into `fields`, array("i") of 26. Who reads them has private constants for these places.
#   0 payload type   1 marker   2 sequence   3 timestamp modulo 2^30   4, 5 SSRC, upper and lower half
#   6 where the payload begins, from the start of the buffer   7 its bytes
# What is known of their source, all 0 at first:
#   8 packets   9 that never came; one that comes late after all is taken back   10 highest sequence number
#   11 a bit for each of the last 30   12 after a jump the number that would prove it, and 1   13 1: there is a highest
#   14 to 16 its last key, see dtmf.py   17 1: there is a source   18, 19 its SSRC   20 to 22 of another one, to be proved
#   23, 24 timestamp of its last sound, and the sequence number after it   25 bytes of a packet of its sound

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
    joined. What tells them apart is a header of the same source with a sequence number near by (one in 2^44 by chance), or
    one of its reports, where RTCP comes to the same port. A compound packet of RTCP ends by its own lengths.
    """
    k = at
    while n - k >= 4 and packet[k] & 0xC0 == 0x80 and packet[k + 1] >> 5 == 6:
        k += ((packet[k + 2] << 8 | packet[k + 3]) + 1) << 2
    if k != at:
        return k if k < n else n
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
                    if next[4] & 0xC0 == 0x80 and next[5] >> 1 == 100:
                        return k + 4
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


@micropython.viper
def news(fields: ptr32) -> int:
    """The packet that `parse` took apart: -> 1 to be used, 2 too, and the first of another source; 0 a duplicate; -1 not to be
    believed unless the next proves it: another source, or a jump in the numbers (A.1)."""
    wanted = 1
    if fields[17] == 0 or fields[18] != fields[4] or fields[19] != fields[5]:
        # The first is taken as it comes; a change must be proved by a second packet.
        if fields[17] and (fields[20] == 0 or fields[21] != fields[4] or fields[22] != fields[5]):
            fields[20] = 1
            fields[21] = fields[4]
            fields[22] = fields[5]
            return -1
        i = 8
        while i < 17:
            fields[i] = 0
            i += 1
        fields[17] = 1
        fields[18] = fields[4]
        fields[19] = fields[5]
        wanted = 2
    fields[20] = 0
    sequence = int(fields[2])
    ahead = (sequence - fields[10]) & 0xFFFF
    seen = int(fields[11])
    if fields[13] == 0:
        ahead = 1
    elif ahead == 0 or ahead > 65506:  # of the last 30 it is known
        ahead = 1 << (65536 - ahead & 0xFFFF)
        if seen & ahead:
            return 0
        fields[11] = seen | ahead
        fields[8] = fields[8] + 1
        if fields[9]:
            fields[9] = fields[9] - 1
        return wanted
    elif ahead >= 3000:
        if fields[12] != sequence + 1:
            fields[12] = ((sequence + 1) & 0xFFFF) + 1
            return -1
        ahead = 1
        seen = 0
    fields[9] = fields[9] + ahead - 1
    # Of 30 bits: more would be an object for who reads it.
    fields[11] = (seen & 0x3FFFFFFF >> ahead) << ahead | 1 if ahead < 30 else 1
    fields[10] = sequence
    fields[13] = 1
    fields[12] = 0
    fields[8] = fields[8] + 1
    return wanted


@micropython.viper
def learn(fields: ptr32, n: int):
    """A packet of sound had n bytes. A read takes no more than one of the usual length, so that two are never joined: that is
    what came whole, or what the timestamps say when the peer's packets grew."""
    samples = ((fields[3] - fields[23] + 0x20000000) & 0x3FFFFFFF) - 0x20000000
    fields[23] = fields[3]
    payload = int(fields[7])
    if n < fields[25] and n > 16:  # no event
        fields[25] = n
    elif samples > payload and fields[2] == fields[24]:
        n += samples - payload
        fields[25] = n if n < 512 else 512
    fields[24] = (fields[2] + 1) & 0xFFFF
