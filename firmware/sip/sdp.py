"""Session descriptions of one audio stream, as they come (RFC 8866, RFC 3264; telephone-event RFC 4733, comfort noise RFC 3389,
RTCP's port RFC 3605 and RFC 5761, keys of SRTP RFC 4568). Our own offers are in offer.py, our answers in answering.py, theirs
in accepting.py.

Sound and comfort noise by their own payload types: G722 9, PCMU 0, PCMA 8, CN 13. Every other media line is refused with port
0 and the call goes on.
"""

from lend import lend
from micropython import const

_described = lend("sip.described")  # not imported: what a file imports stays when the file itself is gone again
SdpError = _described.SdpError
Media = _described.Media
Session = _described.Session

_MAX_MEDIA = const(16)
_MAX_FORMATS = const(64)
_MAX_KEYS = const(8)
_SEND = const(1)
_RECEIVE = const(2)
# index: what one side does, as _SEND | _RECEIVE
_DIRECTIONS = (b"inactive", b"sendonly", b"recvonly", b"sendrecv")


def _connection(value):
    # b"IN IP4 192.0.2.1" or, multicast, b"IN IP4 233.252.0.1/127"
    parts = value.split()
    if len(parts) != 3 or parts[0].upper() != b"IN" or parts[1].upper() not in (b"IP4", b"IP6"):
        return None
    host = parts[2].split(b"/")[0]
    for c in host.strip(b"0123456789."):  # of most addresses nothing is left to look at
        if c < 33 or c > 126:
            return None
    return host


def parse(body):
    """bytes into Session; SdpError when they are no session description. Lines and attributes that are not known are
    passed over (RFC 8866 5.13); at most 16 media lines and 64 formats each are read."""
    if body[:2] != b"v=":
        raise SdpError("does not begin with v=")
    host = origin = b""
    direction = _SEND | _RECEIVE
    media = []
    one = None
    lines = body.split(b"\n")
    lines.reverse()
    while lines:
        line = lines.pop()  # its room is free again when it was read
        n = len(line)
        if n < 3 or line[1] != 61:
            if line.strip(b"\r\n \t\0") and line[1:2] != b"=":
                raise SdpError("a line without =")
            continue
        key = line[0]
        if key == 97:  # a=
            kind = line[2]
            if kind == 114 and line.startswith(b"a=rtpmap:"):
                parts = line[9:].split()
                if one and len(parts) >= 2 and len(one.maps) < _MAX_FORMATS:
                    name = parts[1].split(b"/")
                    rate = name[1] if len(name) > 1 else b""
                    # RFC 8866 6.6: one channel when not said
                    if len(name) > 2 and name[2] != b"1":
                        rate_hz = 0
                    else:
                        rate_hz = 8000 if rate == b"8000" else int(rate) if rate.isdigit() and len(rate) < 7 else 0
                    one.maps[parts[0]] = (name[0].upper(), rate_hz)
            elif kind == 99:
                if one and line.startswith(b"a=crypto:") and len(one.crypto) < _MAX_KEYS:
                    one.crypto += (line,)
            elif n > 32:
                # longer than anything else that matters: no copy of it is made
                pass
            elif kind == 114 and line.startswith(b"a=rtcp:"):
                if one:
                    one.rtcp = line
            elif kind == 112 and line.startswith(b"a=ptime:") or kind == 109 and line.startswith(b"a=maxptime:"):
                value = line.split(b":")[1].strip().split(b".")[0]
                if one and value.isdigit() and len(value) < 5:
                    if kind == 112:
                        one.ptime_ms = int(value)
                    else:
                        one.maxptime_ms = int(value)
            elif n < 16 and (kind == 115 or kind == 105 or kind == 114):
                line = line[2:].rstrip()
                if line in _DIRECTIONS:
                    if one:
                        one.direction = _DIRECTIONS.index(line)
                    else:
                        direction = _DIRECTIONS.index(line)
                elif one and line == b"rtcp-mux":
                    one.mux = True
        elif key == 109:  # m=
            parts = line[2:].split()
            port = parts[1].split(b"/")[0] if len(parts) > 3 else b""
            if not port.isdigit() or len(port) > 5 or int(port) > 65535 or len(media) == _MAX_MEDIA:
                raise SdpError("m= is not media, port, protocol, formats, or there are more than 16")
            one = Media(parts[0].lower(), int(port), parts[2], parts[3 : 3 + _MAX_FORMATS], host, direction)
            media.append(one)
        elif key == 99:  # c=
            where = _connection(line[2:])
            if where is None:
                raise SdpError("c= is not an IN IP4 or IN IP6 address")
            if one:
                one.host = where
            else:
                host = where
        elif key == 111:  # o=
            origin = line[2:].strip()
    return Session(origin, media)
