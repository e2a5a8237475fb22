"""What a session description says, line by line, and what we and they agreed on by it (RFC 8866, RFC 3264). Loaded for the
moment by sdp.py, which reads one; these outlive it until the answer is made.
"""

from micropython import const

from .dialog import Negotiated

_NOISE = const(13)
_SEND = const(1)
_RECEIVE = const(2)
# RFC 3551 6; G722's clock is 8000 by an old mistake, its sound is 16 kHz
_STATIC = {b"0": b"PCMU", b"8": b"PCMA", b"9": b"G722", b"13": b"CN"}


class SdpError(ValueError):
    """A body that is no session description, or one that cannot be understood."""


class Media:
    """One m= line with what belongs to it. `kind`, `protocol` and each of `formats` are bytes; `port` 0 means refused;
    `host` is its own c= address or the session's (bytes, b"" when neither); `maps` {format: (NAME, rate_hz)};
    `direction` is the sender's: 1 sends, 2 receives, 3 both, 0 neither; `ptime_ms`, `maxptime_ms` 0 when absent; `rtcp`: the
    a=rtcp line, b"" when absent; `mux`: a=rtcp-mux is there; `crypto`: the a=crypto lines."""

    ptime_ms = maxptime_ms = 0
    rtcp = b""
    mux = False
    crypto = ()

    def __init__(self, kind, port, protocol, formats, host, direction):
        self.kind = kind
        self.port = port
        self.protocol = protocol
        self.formats = formats
        self.host = host
        self.direction = direction
        self.maps = {}

    def codec(self, form):
        """A format's name, upper case (b"PCMU", b"PCMA", b"TELEPHONE-EVENT", ...) or b"" when it is not known or not at 8 kHz."""
        if form in self.maps:
            name, rate_hz = self.maps[form]
            return name if rate_hz == 8000 else b""
        # static payload types need no rtpmap (RFC 3551 6)
        return _STATIC.get(form, b"")

    def sound(self, codecs):
        """The first of its formats that is one of `codecs`, or None."""
        for form in self.formats:
            if form in _STATIC and form != b"13" and int(form) in codecs and self.codec(form) == _STATIC[form]:
                return form
        return None

    def noise(self):
        """13 if comfort noise is among its formats, else -1."""
        return _NOISE if b"13" in self.formats and self.codec(b"13") == b"CN" else -1

    def fits(self, six, keyed):
        """Whether it may carry the sound. `six`: we are at an IPv6 address, and sound does not cross from one version to the
        other; `keyed`: with SRTP's keys, which RFC 4568 has in RTP/SAVP, and phones that would rather than must in RTP/AVP."""
        if self.kind != b"audio" or not self.port or not self.host or (b":" in self.host) != six:
            return False
        protocol = self.protocol.upper()
        return protocol in (b"RTP/AVP", b"RTP/AVPF") or keyed and protocol in (b"RTP/SAVP", b"RTP/SAVPF")

    def negotiated(self, index, form, events, direction, mux):
        """What we and they, who said this, agreed on. `direction`: ours; `mux`: we would have RTCP on RTP's port."""
        ptime_ms = self.ptime_ms or 20
        if self.maxptime_ms and ptime_ms > self.maxptime_ms:
            ptime_ms = self.maxptime_ms
        # an address of zeroes is hold as RFC 2543 had it: they still may send
        zero = self.host == b"0.0.0.0" or self.host == b"::"
        agreed = Negotiated(index, self.host.decode(), self.port, int(form), _STATIC[form], events, ptime_ms)
        agreed.send = bool(direction & _SEND) and not zero
        agreed.receive = bool(direction & _RECEIVE)
        agreed.held = zero or not self.direction & _RECEIVE
        if self.noise() >= 0:
            agreed.noise = _NOISE
        if mux and self.mux:
            agreed.rtcp_mux = True
            agreed.rtcp = self.port
        else:
            port = (self.rtcp[7:].split() or (b"",))[0]
            if port.isdigit() and len(port) < 6 and int(port) < 65536:
                agreed.rtcp = int(port)
        return agreed

    def events(self):
        """The payload type of telephone-event at 8 kHz, or -1."""
        for form in self.formats:
            if self.codec(form) == b"TELEPHONE-EVENT":
                # formats of RTP media are numbers
                return int(form) if form.isdigit() and len(form) < 4 and int(form) < 128 else -1
        return -1


class Session:
    """`origin` is the o= value; `media` the list of Media in order."""

    def __init__(self, origin, media):
        self.origin = origin
        self.media = media
