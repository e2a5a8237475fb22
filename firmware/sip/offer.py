"""Our own offers (RFC 3264 5): all that a call needs before the other side has said anything. Loaded for the moment by call.py
and sdp.py."""

from micropython import const

_CODECS = ((0, b"PCMU"), (8, b"PCMA"))
_EVENTS = const(101)  # the payload type that we give telephone-event


def head(host, session_id, version):
    """The lines before the first m=, of an offer or an answer."""
    kind = b"IP6" if ":" in host else b"IP4"
    host = host.encode()
    return b"v=0\r\no=- %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n" % (
        session_id, version, kind, host, kind, host,
    )  # fmt: skip


def offer(host, port, session_id, version, codecs=_CODECS, direction=b"sendrecv", events=_EVENTS):
    """Our offer's body. `host` is a str, an IPv4 or IPv6 literal; `version` must go up with each change (RFC 3264 8);
    `events`: the payload type of telephone-event."""
    formats = b"".join([b" %d" % payload for payload, name in codecs])
    maps = b"".join([b"a=rtpmap:%d %s/8000\r\n" % one for one in codecs])
    return b"%sm=audio %d RTP/AVP%s %d\r\n%sa=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\na=ptime:20\r\na=%s\r\n" % (
        head(host, session_id, version), port, formats, events, maps, events, events, direction,
    )  # fmt: skip
