"""A stream in one line for people. Lent when somebody asks."""

from micropython import const

# Of the state of the playout, see jitter.py
_LATE = const(12)  # packets too late to be played
_MARGIN = const(22)
_CONCEALED = const(25)
_DRIFT_FROM = const(40)
_DRIFT_TICK = const(41)
_DRIFT_TO = const(42)
_DRIFT_LAST = const(43)
_NEVER = const(9)  # of the fields of rtp.py: packets that never came
# Of the state of rtcp.py
_TOLD = const(26)
_TRIP = const(27)
_TRIP_MS = const(28)
_LOSS = const(29)
_LOST = const(30)
_JITTER = const(31)
_GONE = const(32)
_WITHOUT = const(48)


def depth_ms(playout):
    """How long a packet waits for its turn, in the mean."""
    return playout.state[_MARGIN] // 128


def concealed_ms(playout):
    """Sound that was made up."""
    return playout.state[_CONCEALED] // 8


def drift_ppm(playout):
    """How much faster the peer's clock is; 0 until it has gained or lost two steps of 20 ms."""
    s = playout.state
    ticks = s[_DRIFT_LAST] - s[_DRIFT_TICK]
    return (s[_DRIFT_TO] - s[_DRIFT_FROM]) * 6250 // ticks if ticks > 0 else 0


def status(stream):
    """Stream.status"""
    if not stream._socket:
        return "no sound"
    if stream._address is None:
        return "RTP port %d, no peer yet" % stream.port
    host, port = stream._unpack(stream._address)[:2]
    words = "RTP %s:%d %s, sent %d, received %d, lost %d, late %d, delay %d ms, concealed %d ms, drift %d ppm" % (
        host,
        port,
        {0: "PCMU", 8: "PCMA", 9: "G722"}[stream._payload_type] + (" encrypted" if stream._secure else ""),
        stream.sent,
        stream.received,
        stream._fields[_NEVER],
        stream._playout.state[_LATE],
        depth_ms(stream._playout),
        concealed_ms(stream._playout),
        drift_ppm(stream._playout),
    )
    if stream.strangers:
        words += ", %d from strangers" % stream.strangers
    if stream.bad:
        words += ", %d bad" % stream.bad
    if stream.send_errors:
        words += ", %d not sent" % stream.send_errors
    words += _reports(stream._rtcp)
    if stream._receiving and stream._heard_ms < 0 and stream.sent > 150:
        words += "; nothing came in %d s: NAT or firewall?" % (stream.sent // 50)
    return words


def _reports(state):
    # What RTCP brought: how the sound that we send arrives.
    if state[_WITHOUT]:
        return ", no RTCP: its port is taken, or no socket is free"
    words = ""
    if state[_TRIP]:
        words += ", round trip %d ms" % state[_TRIP_MS]
    if state[_TOLD]:
        # of 256; the part is of the last seconds, the number of the call
        words += ", they lost %d %% (%d in all) with jitter %d ms" % (
            (state[_LOSS] * 100 + 128) >> 8, state[_LOST], state[_JITTER] // 8)
    if state[_GONE]:
        words += ", and said that they are gone"
    return words
