"""Our own offers (RFC 3264 5): all that a call needs before the other side has said anything. Loaded for the moment by call.py
and sdp.py."""

from lend import lend
from micropython import const

_NAMES = {0: b"PCMU", 8: b"PCMA", 9: b"G722", 13: b"CN"}
_EVENTS = const(101)  # the payload type that we give telephone-event


def offer(host, port, session_id, version, codecs=(0, 8), direction=b"sendrecv", events=_EVENTS, mux=False, secure=0):
    """Our offer's body. `host` is a str, an IPv4 or IPv6 literal; `version` must go up with each change (RFC 3264 8);
    `codecs`: payload types, the best first; `events`: the payload type of telephone-event; `mux`: RTCP on RTP's port
    (RFC 5761), if they can; `secure`: 1 with keys, if they can, 2 with keys or not at all.

    For 1 the keys stand in RTP/AVP, against RFC 4568 3 and as phones do it: each phone can answer that, so that where a proxy
    rings several, none stays silent. What insists on RTP/SAVP refuses, and is asked again so (call.py)."""
    formats = b"".join([b" %d" % payload for payload in codecs])
    maps = b"".join([b"a=rtpmap:%d %s/8000\r\n" % (payload, _NAMES[payload]) for payload in codecs])
    return b"%sm=audio %d RTP/%s%s %d\r\n%sa=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\n%sa=ptime:20\r\na=%s\r\n%s" % (
        lend("sip.head", False).head(host, session_id, version), port, b"SAVP" if secure == 2 else b"AVP", formats, events, maps, events, events,
        b"a=rtcp-mux\r\n" if mux else b"", direction, lend("sip.crypto").lines() if secure else b"",
    )  # fmt: skip


def of(call, direction=b"sendrecv", events=_EVENTS):
    """What `call` offers, by its agent's wishes; None when it may offer nothing."""
    agent = call.agent
    host, port = call._media_address
    secure = agent.secure
    if secure:
        secure = 2 if call._must else lend("sip.crypto").secrecy(agent, call.peer)
        if secure < 0:
            return None
    call._version += 1
    return offer(
        host, port, call._session, call._version, agent.codecs, direction, events, agent.rtcp_mux, secure
    )  # fmt: skip
