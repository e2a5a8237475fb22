"""RTCP (RFC 3550 section 6): what each side tells the other of the sound that it got, and how long the way is.

A compound packet each five seconds or so: sender or receiver report, CNAME, BYE at the end. One array("i"), `state`, has all
that is known; the kernels below are machine code and allocate nothing. Times of day go nowhere: an NTP timestamp counts from
a second drawn by chance (6.4.1 lets a clock be relative), a CNAME is 96 bits by chance (RFC 7022 4.2). What is done once a
call is in setup.py.
"""

import micropython
from micropython import const

# Places in `state`. Who else reads it has private constants for these.
_NOW = const(0)  # ms since the sound began
_TICKS = const(1)  # ticks_ms then
_STARTED = const(2)
_SEED = const(3)
_SENT_AT = const(4)  # of the last report of ours, in ms of _NOW
_DUE = const(5)
_REPORTS = const(6)  # that were due
_PACKETS = const(7)  # of RTP that we sent
_OCTETS = const(8)  # of payload in them
_PACKETS_1 = const(9)  # as the last report had it
_PACKETS_2 = const(10)  # and the one before
_SOURCE = const(11)  # 1: the peer's RTP is known
_SSRC_HIGH = const(12)
_SSRC_LOW = const(13)
_BASE = const(14)  # first sequence number
_HIGHEST = const(15)  # extended: 65536 times the wraps, and the number
_RECEIVED = const(16)
_EXPECTED_1 = const(17)  # as the last report had it
_RECEIVED_1 = const(18)
_JITTER = const(19)  # 16 times, in units of 1/8000 s
_TRANSIT = const(20)
_MEASURED = const(21)  # 1: there is a _TRANSIT
_LSR_HIGH = const(22)  # middle of the NTP timestamp of the peer's last sender report
_LSR_LOW = const(23)
_LSR_AT = const(24)  # when it came, in ms of _NOW
_LSR = const(25)  # 1: there was one
_TOLD = const(26)  # report blocks about us that came
_TRIP = const(27)  # round trips measured
_TRIP_MS = const(28)
_LOSS = const(29)  # what the peer says of our sound: the fraction lost, of 256, since its last report
_LOST = const(30)  # and packets in all
_THEIR_JITTER = const(31)  # 1/8000 s
_GONE = const(32)  # 1: the peer said BYE
_HEARD = const(33)  # RTCP packets of the peer
_BAD = const(34)  # what came and was none
_QUIET_MS = const(35)  # since the peer was last heard, by RTP or RTCP
_NOISE = const(36)  # 1: what was last heard of it is comfort noise: it is silent on purpose
_EPOCH = const(37)  # seconds at the start, by chance
_CNAME = const(38)  # five words: the SDES item and its end
_SENT = const(43)  # reports of ours
_FAILED = const(44)  # sends that failed in a row
_BEFORE = const(45)  # the same before the last one, if the next read says that it failed after all
# 46: the peer has put us on hold; 47: where SDP says that it receives RTCP, 0 for the port after that of its sound;
# 48: times that there was no port for ours
_LATER_MS = const(49)  # that a packet which is read now comes after stream._now_ms
_MUX = const(50)  # 1: over the socket of the sound
# In all 51

_COMFORT_NOISE = const(13)  # payload type (RFC 3551)
_IN_BYTES = const(512)  # of stream.py: the scratch buffer
_REFUSED = const(3)  # so many sends in a row, and only every
_RETRY = const(10)  # tenth is tried


@micropython.viper
def due(state: ptr32, now: int) -> int:
    """The reports' clock goes on to `now` (ticks_ms). -> 1 if one is due, and from here on it counts as sent.

    RFC 3550 6.3: 5 s (before the first one half of that) times 0.5 to 1.5, considered again when the time has come. With two
    sides and 64 kbit/s of sound the share of the bandwidth asks for less than that at any time.
    """
    now = now & 0x3FFFFFFF
    if state[_STARTED] == 0:
        state[_STARTED] = 1
        state[_TICKS] = now
    passed = (now - state[_TICKS]) & 0x3FFFFFFF
    if passed >> 29:  # backwards
        passed = 0
    state[_TICKS] = now
    now = state[_NOW] + passed
    state[_NOW] = now
    if state[_NOISE] == 0 or state[_HEARD]:
        state[_QUIET_MS] = state[_QUIET_MS] + passed
    if now < state[_DUE]:
        return 0
    again = 0
    seed = int(state[_SEED])
    while True:
        least = 5000 if state[_REPORTS] else 2500
        seed = (seed * 1664525 + 1013904223) & 0x3FFFFFFF
        # e - 3/2: what considering it again makes longer (6.3.1)
        wait = (((seed >> 14) * least >> 16) + (least >> 1)) * 10000 // 12183
        if again:
            break
        if state[_SENT_AT] + wait > now:
            state[_SEED] = seed
            state[_DUE] = state[_SENT_AT] + wait
            return 0
        state[_SENT_AT] = now
        state[_REPORTS] = state[_REPORTS] + 1
        again = 1
    state[_SEED] = seed
    state[_DUE] = now + wait
    return 1


@micropython.viper
def went(stream, packet):
    """An RTP packet was sent. This and `arrived` want of a stream its _rtcp."""
    state = ptr32(stream._rtcp)
    state[_PACKETS] = state[_PACKETS] + 1
    state[_OCTETS] = state[_OCTETS] + int(len(packet)) - 12


@micropython.viper
def arrived(stream):
    """A packet of the peer, duplicates too, that rtp.parse took apart into stream._fields and rtp.news let through came at
    stream._now_ms. Events (stream._event_type) say nothing of the jitter, as their time stands still. Appendix A.1, A.3, A.8.
    """
    state = ptr32(stream._rtcp)
    fields = ptr32(stream._fields)
    kind = fields[0]
    state[_QUIET_MS] = 0
    state[_NOISE] = 1 if kind == _COMFORT_NOISE else 0
    sequence = int(fields[2])
    ahead = (sequence - state[_HIGHEST]) & 0xFFFF
    if state[_SOURCE] == 0 or state[_SSRC_HIGH] != fields[4] or state[_SSRC_LOW] != fields[5]:
        state[_SOURCE] = 1
        state[_SSRC_HIGH] = fields[4]
        state[_SSRC_LOW] = fields[5]
        state[_JITTER] = 0
        state[_MEASURED] = 0
        state[_LSR] = 0
        state[_GONE] = 0
        ahead = 30000
    if ahead >= 3000 and ahead <= 65506:  # as rtp.news has it: a new row of numbers
        state[_BASE] = sequence
        state[_HIGHEST] = sequence
        state[_RECEIVED] = 0
        state[_EXPECTED_1] = 0
        state[_RECEIVED_1] = 0
    elif ahead < 3000:
        state[_HIGHEST] = state[_HIGHEST] + ahead
    state[_RECEIVED] = state[_RECEIVED] + 1
    if kind == _COMFORT_NOISE or kind == int(stream._event_type):
        return
    transit = ((int(stream._now_ms) + state[_LATER_MS] << 3) - fields[3]) & 0x3FFFFFFF
    if state[_MEASURED]:
        d = ((transit - state[_TRANSIT] + 0x20000000) & 0x3FFFFFFF) - 0x20000000
        if d < 0:
            d = 0 - d
        if d < 80000:  # 10 s: else the timestamps jumped
            jitter = int(state[_JITTER])
            state[_JITTER] = jitter + d - ((jitter + 8) >> 4)
    state[_TRANSIT] = transit
    state[_MEASURED] = 1


@micropython.viper
def build(out: ptr8, packet: ptr8, state: ptr32, bye: int) -> int:
    """Our compound packet into `out`: SR or RR, SDES, and BYE if `bye`. `packet` is the RTP packet that goes next: its SSRC and
    timestamp are ours. -> bytes, at most 88. RFC 3550 6.4.1, 6.4.2, 6.5, 6.6, A.3."""
    now = int(state[_NOW])
    words = ptr32(uint(out))  # until all are there; then each becomes bytes in its place
    ssrc = packet[8] << 24 | packet[9] << 16 | packet[10] << 8 | packet[11]
    words[1] = ssrc
    w = 2
    kind = 201
    if state[_PACKETS] != state[_PACKETS_2]:
        kind = 200
        words[2] = state[_EPOCH] + now // 1000
        words[3] = ((now % 1000) << 16) // 1000 << 16
        words[4] = packet[4] << 24 | packet[5] << 16 | packet[6] << 8 | packet[7]
        words[5] = state[_PACKETS]
        words[6] = state[_OCTETS]
        w = 7
    state[_PACKETS_2] = state[_PACKETS_1]
    state[_PACKETS_1] = state[_PACKETS]
    count = 128
    received = int(state[_RECEIVED])
    if state[_SOURCE] and received != state[_RECEIVED_1]:
        count = 129
        expected = state[_HIGHEST] - state[_BASE] + 1
        lost = expected - received
        if lost > 0x7FFFFF:
            lost = 0x7FFFFF
        if lost < -0x800000:
            lost = -0x800000
        interval = expected - state[_EXPECTED_1]
        missed = interval - received + state[_RECEIVED_1]
        fraction = 0
        if missed > 0 and interval > 0:
            fraction = (missed << 8) // interval
            if fraction > 255:
                fraction = 255
        state[_EXPECTED_1] = expected
        state[_RECEIVED_1] = received
        words[w] = state[_SSRC_HIGH] << 16 | state[_SSRC_LOW]
        words[w + 1] = fraction << 24 | lost & 0xFFFFFF
        words[w + 2] = state[_HIGHEST]
        words[w + 3] = state[_JITTER] >> 4
        since = now - state[_LSR_AT]
        if state[_LSR] and since < 65536000:
            words[w + 4] = state[_LSR_HIGH] << 16 | state[_LSR_LOW]
            words[w + 5] = since // 1000 << 16 | ((since % 1000) << 16) // 1000
        else:
            words[w + 4] = 0
            words[w + 5] = 0
        w += 6
    words[0] = count << 24 | kind << 16 | w - 1
    count = 129  # one source each
    words[w] = count << 24 | 202 << 16 | 6
    words[w + 1] = ssrc
    words[w + 2] = state[_CNAME]
    words[w + 3] = state[_CNAME + 1]
    words[w + 4] = state[_CNAME + 2]
    words[w + 5] = state[_CNAME + 3]
    words[w + 6] = state[_CNAME + 4]
    w += 7
    if bye:
        words[w] = count << 24 | 203 << 16 | 1
        words[w + 1] = ssrc
        w += 2
    i = 0
    while i < w:
        word = int(words[i])
        out[0] = word >> 24
        out[1] = word >> 16
        out[2] = word >> 8
        out[3] = word
        out = ptr8(uint(out) + 4)
        i += 1
    return w << 2


@micropython.viper
def read(buf: ptr8, at: int, end: int, packet: ptr8, state: ptr32) -> int:
    """A compound packet of the peer in buf[at:end]; `packet` is one of ours, for its SSRC. -> 1, or 0 if it is none: then
    nothing of it is believed. Several that a read has joined are one longer. RFC 3550 6.4 to 6.7, A.2.
    """
    k = at
    while True:
        # First all lengths. What is shorter than a header, of another version or not filled to its end, is none.
        size = 0
        if end - k >= 4 and buf[k] & 0xC0 == 0x80:
            size = ((buf[k + 2] << 8 | buf[k + 3]) + 1) << 2
            kind = buf[k + 1]
            least = 4
            if kind == 200:
                least = 28 + (buf[k] & 31) * 24
            elif kind == 201:
                least = 8 + (buf[k] & 31) * 24
            elif kind == 203:
                least = 4 + ((buf[k] & 31) << 2)
            elif kind == 204:
                least = 12
            if k == at and (buf[k] & 0x20 or kind >> 1 != 100):  # the first is a report, without padding
                size = 0
            if size > end - k:
                size = 0
            if size and buf[k] & 0x20:
                least += buf[k + size - 1]
                if buf[k + size - 1] == 0 or buf[k + size - 1] & 3:
                    size = 0
            if size < least:
                size = 0
        if size == 0:
            state[_BAD] = state[_BAD] + 1
            return 0
        k += size
        if k == end:
            break
    state[_HEARD] = state[_HEARD] + 1
    state[_QUIET_MS] = 0
    now = int(state[_NOW])
    k = at
    while k < end:
        size = ((buf[k + 2] << 8 | buf[k + 3]) + 1) << 2
        kind = buf[k + 1]
        count = buf[k] & 31
        one = ptr8(uint(buf) + uint(k))
        k += size
        if kind == 200:
            if state[_SOURCE] and one[4] << 8 | one[5] == state[_SSRC_HIGH]:
                if one[6] << 8 | one[7] == state[_SSRC_LOW]:
                    state[_LSR_HIGH] = one[10] << 8 | one[11]
                    state[_LSR_LOW] = one[12] << 8 | one[13]
                    state[_LSR_AT] = now
                    state[_LSR] = 1
            one = ptr8(uint(one) + 28)
        elif kind == 201:
            one = ptr8(uint(one) + 8)
        elif kind == 203:
            while count:
                if state[_SOURCE] and one[4] << 8 | one[5] == state[_SSRC_HIGH]:
                    if one[6] << 8 | one[7] == state[_SSRC_LOW]:
                        state[_GONE] = 1
                one = ptr8(uint(one) + 4)
                count -= 1
        else:
            count = 0
        while count:
            count -= 1
            if one[0] == packet[8] and one[1] == packet[9] and one[2] == packet[10] and one[3] == packet[11]:
                state[_TOLD] = state[_TOLD] + 1
                state[_LOSS] = one[4]
                lost = one[5] << 16 | one[6] << 8 | one[7]
                state[_LOST] = (lost ^ 0x800000) - 0x800000
                state[_THEIR_JITTER] = (one[12] & 63) << 24 | one[13] << 16 | one[14] << 8 | one[15]
                high = one[16] << 8 | one[17]
                low = one[18] << 8 | one[19]
                if high or low:
                    # Now, less when we sent the report that they mean, less how long they had it; all in ms, round the
                    # 65,536 s that the middle of a timestamp counts.
                    trip = ((state[_EPOCH] + now // 1000) & 0xFFFF) * 1000 + now % 1000
                    trip -= high * 1000 + ((low * 1000 + 32768) >> 16)
                    trip -= (one[20] << 8 | one[21]) * 1000 + (((one[22] << 8 | one[23]) * 1000 + 32768) >> 16)
                    while trip < 0:
                        trip += 65536000
                    if trip > 65535000:  # less than nothing, by what clocks are off
                        trip = 0
                    if trip < 30000:  # what is more is no answer to us
                        state[_TRIP_MS] = trip
                        state[_TRIP] = state[_TRIP] + 1
            one = ptr8(uint(one) + 24)
    return 1


# The reports of a stream, in its _rtcp: `state`. They go over _rtcp_socket, which is connected to where the peer has its own, or
# is the stream's (RFC 5761). Without a socket nothing is sent, and the call goes on.


def tick(stream, now_ms):
    """Once a tick: what came is read, what is due is sent. Allocates nothing."""
    state = stream._rtcp
    report = due(state, now_ms)
    if stream._rtcp_socket:
        if not state[_MUX]:
            n = receive(stream)
            if n is not None:
                put(stream, 0, n)
        if report:
            if state[_FAILED] >= _REFUSED:
                state[_FAILED] += 1
                if state[_FAILED] % _RETRY:
                    return
            _say(stream, 0)


def put(stream, at, end):
    """A compound packet of the peer in the stream's scratch buffer."""
    if stream._secure:
        end = stream._secure.unprotect_rtcp(stream._scratch, at, end)  # -1 for none
    read(stream._scratch, at, end, stream._packet, stream._rtcp)


def _say(stream, bye):
    # A report; with BYE if it is the last one. What was in the scratch buffer is done with.
    state = stream._rtcp
    out = stream._scratch
    n = build(out, stream._packet, state, bye)
    if stream._secure:
        n = stream._secure.protect_rtcp(out, n)
    if _write(stream, n) is None:
        state[_FAILED] += 1
    else:
        state[_BEFORE] = state[_FAILED]
        state[_FAILED] = 0
        state[_SENT] += 1


def _write(stream, n):
    try:
        return stream._rtcp_socket.write(stream._scratch, n)
    except OSError:
        return None


def close(stream):
    """The call is over: BYE, unless nothing was ever sent (6.3.7)."""
    state = stream._rtcp
    if stream._rtcp_socket:
        if state[_SENT] or state[_PACKETS]:
            _say(stream, 1)
        if not state[_MUX]:
            stream._rtcp_socket.close()
        stream._rtcp_socket = None
    state[_MUX] = 0


def receive(stream):
    """-> bytes that came, in the scratch buffer; None for none."""
    try:
        return stream._rtcp_socket.readinto(stream._scratch, _IN_BYTES)
    except OSError:  # nobody there, says our last packet
        stream._rtcp[_FAILED] = stream._rtcp[_BEFORE] + 1
        return None
