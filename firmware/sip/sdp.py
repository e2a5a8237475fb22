"""Session descriptions: the answer to an offer, ours and theirs, of one audio stream (RFC 8866, RFC 3264; telephone-event
RFC 4733). Our own offers are in offer.py.

PCMU and PCMA by their own payload types, 0 and 8; every other media line is refused with port 0 and the call goes on.
"""

from lend import lend
from micropython import const

from .dialog import Negotiated

CODECS = ((0, b"PCMU"), (8, b"PCMA"))

_MAX_MEDIA = const(16)
_MAX_FORMATS = const(64)
_SEND = const(1)
_RECEIVE = const(2)
# index: what one side does, as _SEND | _RECEIVE
_DIRECTIONS = (b"inactive", b"sendonly", b"recvonly", b"sendrecv")


class SdpError(ValueError):
    """A body that is no session description, or one that cannot be understood."""


class Media:
    """One m= line with what belongs to it. `kind`, `protocol` and each of `formats` are bytes; `port` 0 means refused;
    `host` is its own c= address or the session's (bytes, b"" when neither); `maps` {format: (NAME, rate_hz)};
    `direction` is the sender's: 1 sends, 2 receives, 3 both, 0 neither; `ptime_ms`, `maxptime_ms` 0 when absent."""

    def __init__(self, kind, port, protocol, formats, host, direction):
        self.kind = kind
        self.port = port
        self.protocol = protocol
        self.formats = formats
        self.host = host
        self.direction = direction
        self.maps = {}
        self.ptime_ms = self.maxptime_ms = 0

    def codec(self, form):
        """A format's name, upper case (b"PCMU", b"PCMA", b"TELEPHONE-EVENT", ...) or b"" when it is not known or not at 8 kHz."""
        if form in self.maps:
            name, rate_hz = self.maps[form]
            return name if rate_hz == 8000 else b""
        # static payload types need no rtpmap (RFC 3551 6)
        return b"PCMU" if form == b"0" else b"PCMA" if form == b"8" else b""

    def events(self):
        """The payload type of telephone-event at 8 kHz, or -1."""
        for form in self.formats:
            if self.codec(form) == b"TELEPHONE-EVENT":
                return _payload(form)
        return -1


class Session:
    """`origin` is the o= value; `media` the list of Media in order."""

    def __init__(self, origin, media):
        self.origin = origin
        self.media = media


def _number(text, most):
    if not text.isdigit() or len(text) > 9 or int(text) > most:
        raise SdpError("not a number up to %d" % most)
    return int(text)


def _negotiated(index, media, form, codec, events, direction):
    ptime_ms = media.ptime_ms or 20
    if media.maxptime_ms and ptime_ms > media.maxptime_ms:
        ptime_ms = media.maxptime_ms
    # an address of zeroes is hold as RFC 2543 had it: they still may send
    zero = media.host == b"0.0.0.0" or media.host == b"::"
    agreed = Negotiated(index, media.host.decode(), media.port, _payload(form), codec, events, ptime_ms)
    agreed.send = bool(direction & _SEND) and not zero
    agreed.receive = bool(direction & _RECEIVE)
    agreed.held = zero or not media.direction & _RECEIVE
    return agreed


def _payload(form):
    # formats of RTP media are numbers; -1 for anything else
    return int(form) if form.isdigit() and len(form) <= 3 and int(form) < 128 else -1


def _connection(value):
    # b"IN IP4 192.0.2.1" or, multicast, b"IN IP4 233.252.0.1/127"
    parts = value.split()
    if len(parts) != 3 or parts[0].upper() != b"IN" or parts[1].upper() not in (b"IP4", b"IP6"):
        raise SdpError("c= is not an IN IP4 or IN IP6 address")
    host = parts[2].split(b"/")[0]
    for c in host:
        if c < 33 or c > 126:
            raise SdpError("c= is not an address")
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
    for line in body.split(b"\n"):
        n = len(line)
        if n < 2 or line[1] != 61:
            if line.strip(b"\r\n \t\0"):
                raise SdpError("a line without =")
            continue
        key = line[0]
        if key == 97:  # a=
            if line.startswith(b"a=rtpmap:"):
                parts = line[9:].split()
                if one and len(parts) >= 2 and len(one.maps) < _MAX_FORMATS:
                    name = parts[1].split(b"/")
                    rate = name[1] if len(name) > 1 else b""
                    # RFC 8866 6.6: one channel when not said
                    mono = len(name) < 3 or name[2] == b"1"
                    rate_hz = int(rate) if mono and rate.isdigit() and len(rate) < 7 else 0
                    one.maps[parts[0]] = (name[0].upper(), rate_hz)
            elif n > 32:
                # longer than anything else that matters: no copy of it is made
                pass
            elif line.startswith(b"a=ptime:") or line.startswith(b"a=maxptime:"):
                value = line.split(b":")[1].strip().split(b".")[0]
                if one and value.isdigit() and len(value) < 5:
                    if line[2] == 112:
                        one.ptime_ms = int(value)
                    else:
                        one.maxptime_ms = int(value)
            elif line.find(b":") < 0:
                line = line[2:].rstrip()
                if line in _DIRECTIONS:
                    if one:
                        one.direction = _DIRECTIONS.index(line)
                    else:
                        direction = _DIRECTIONS.index(line)
        elif key == 109:  # m=
            parts = line[2:].split()
            if len(parts) < 4:
                raise SdpError("m= is not media, port, protocol, formats")
            if len(media) == _MAX_MEDIA:
                raise SdpError("more than 16 media lines")
            port = _number(parts[1].split(b"/")[0], 65535)
            one = Media(parts[0].lower(), port, parts[2], parts[3 : 3 + _MAX_FORMATS], host, direction)
            media.append(one)
        elif key == 99:  # c=
            if one:
                one.host = _connection(line[2:])
            else:
                host = _connection(line[2:])
        elif key == 111:  # o=
            origin = line[2:].strip()
    return Session(origin, media)


def _fits(one, six):
    # six: whether we are at an IPv6 address: sound does not cross from one version to the other
    if one.kind != b"audio" or not one.port or not one.host or (b":" in one.host) != six:
        return False
    return one.protocol.upper() in (b"RTP/AVP", b"RTP/AVPF")


def answer(session, host, port, session_id, version, codecs=CODECS, direction=b"sendrecv"):
    """Our answer to an offer: (body, Negotiated), or (None, None) when no audio line fits (488). `direction` is the most
    we will do. One codec is answered, the first of the offer's that is in `codecs` (RFC 3264 6.1), and telephone-event."""
    ours = _DIRECTIONS.index(direction)
    agreed = None
    out = [lend("sip.offer").head(host, session_id, version)]
    for index, one in enumerate(session.media):
        if not agreed and _fits(one, ":" in host):
            for form in one.formats:
                codec = one.codec(form)
                if (_payload(form), codec) in codecs:
                    # what they send we receive, and the other way round
                    theirs = one.direction
                    mirrored = ours & ((theirs & _SEND) << 1 | (theirs & _RECEIVE) >> 1)
                    agreed = _negotiated(index, one, form, codec, one.events(), mirrored)
                    break
            if agreed:
                out.append(_audio(one, form, agreed, port, mirrored & ~_SEND if not agreed.send else mirrored))
                continue
        out.append(b"m=%s 0 %s %s\r\n" % (one.kind, one.protocol, b" ".join(one.formats)))
    if not agreed:
        return None, None
    return b"".join(out), agreed


def _audio(one, form, agreed, port, direction):
    lines = b"a=rtpmap:%s %s/8000\r\n" % (form, agreed.codec)
    forms = form
    if agreed.events >= 0:
        forms = b"%s %d" % (form, agreed.events)
        lines += b"a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\n" % (agreed.events, agreed.events)
    return b"m=audio %d %s %s\r\n%sa=ptime:20\r\na=%s\r\n" % (port, one.protocol, forms, lines, _DIRECTIONS[direction])


def accept(session, offered):
    """The other side's answer to `offered`, an offer's body of ours: Negotiated, or None when it refused the audio or
    answered with nothing that was offered."""
    index = 0
    for mine in parse(offered).media:
        if mine.port:
            break
        index += 1  # a line that was refused earlier in the call
    if len(session.media) <= index:
        return None
    one = session.media[index]
    if not _fits(one, b":" in mine.host):
        return None
    for form in one.formats:
        codec = one.codec(form) or (b"" if form in one.maps else mine.codec(form))
        if (_payload(form), codec) not in CODECS:
            continue
        for wanted in mine.formats:
            if mine.codec(wanted) == codec:
                theirs = one.direction
                mirrored = mine.direction & ((theirs & _SEND) << 1 | (theirs & _RECEIVE) >> 1)
                events = one.events()
                if events < 0 and b"%d" % mine.events() in one.formats and b"%d" % mine.events() not in one.maps:
                    events = mine.events()
                return _negotiated(index, one, form, codec, events, mirrored)
    return None
