"""A request or a response: a lazy view over the received bytes, and builders for what is sent (RFC 3261 7, 20).

Every value is bytes. A Message reads a field when it is first asked for and keeps what it read.
"""

from array import array

from .address import parse_name_addr, parse_via, split_list
from .scan import (
    FIELDS, H_CALL_ID, H_CONTACT, H_CONTENT_LENGTH, H_CSEQ, H_EXPIRES, H_FROM, H_MAX_FORWARDS, H_RECORD_ROUTE,
    H_TIMESTAMP, H_TO, H_VIA, MAX_FIELDS, scan,
)  # fmt: skip

_scratch = array("H", bytes(2 * (FIELDS + 4 * MAX_FIELDS)))

REASONS = {
    100: b"Trying",
    180: b"Ringing",
    181: b"Call Is Being Forwarded",
    183: b"Session Progress",
    200: b"OK",
    202: b"Accepted",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    406: b"Not Acceptable",
    407: b"Proxy Authentication Required",
    408: b"Request Timeout",
    413: b"Request Entity Too Large",
    415: b"Unsupported Media Type",
    416: b"Unsupported URI Scheme",
    420: b"Bad Extension",
    421: b"Extension Required",
    422: b"Session Interval Too Small",
    423: b"Interval Too Brief",
    480: b"Temporarily Unavailable",
    481: b"Call/Transaction Does Not Exist",
    482: b"Loop Detected",
    483: b"Too Many Hops",
    486: b"Busy Here",
    487: b"Request Terminated",
    488: b"Not Acceptable Here",
    489: b"Bad Event",
    491: b"Request Pending",
    500: b"Server Internal Error",
    501: b"Not Implemented",
    503: b"Service Unavailable",
    505: b"Version Not Supported",
    513: b"Message Too Large",
    600: b"Busy Everywhere",
    603: b"Decline",
}


class ParseError(ValueError):
    """What was received breaks the grammar. `code` and `reason` (bytes) are what to answer; `message` is the Message
    as far as it was read when an answer can be built from it (a request with a top Via), else None."""

    def __init__(self, code, reason, message=None):
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.message = message


def number(text, most=0xFFFFFFFF):
    """Digits into an int of at most `most`; ValueError otherwise (also for signs, spaces and underscores)."""
    if not text.isdigit() or len(text) > 20:
        raise ValueError("not a number")
    n = int(text)
    if n > most:
        raise ValueError("number too big")
    return n


def _unfold(text):
    # RFC 3261 7.3.1: a fold is one space
    return b" ".join([one.strip() for one in text.split(b"\n")])


def parse(data):
    """One datagram (or one framed message of a stream) into a Message.

    Raises ParseError when it is not SIP at all or cannot be trusted to be whole; fields are not looked at before
    they are asked for (see check()).
    """
    if len(data) > 65535:
        raise ParseError(513, b"Message Too Large")
    end = scan(data, len(data), _scratch)
    flags = _scratch[7]
    if flags & 16:
        raise ParseError(400, b"Bad Start Line")
    msg = Message(data, _scratch[:end])
    if flags & 8:
        raise _answerable(ParseError(505, b"Version Not Supported", msg))
    if flags & 1:
        raise _answerable(ParseError(400, b"Missing Blank Line", msg))
    if flags & 2:
        raise _answerable(ParseError(513, b"Too Many Header Fields", msg))
    return msg


def _answerable(error):
    msg = error.message
    try:
        if not msg.is_request or msg.method == b"ACK":
            error.message = None
        else:
            msg.via
    except ParseError:
        error.message = None
    return error


class Message:
    """See parse(). Attributes raise ParseError(400, b"Bad ...") when their field is malformed or missing."""

    def __init__(self, data, index):
        self.data = data
        self._index = index
        self.status = index[6]
        self.is_request = not self.status
        self._vias = self._from = self._to = self._cseq = self._contact = None

    def _bad(self, reason):
        return ParseError(400, reason, self if self.is_request else None)

    @property
    def method(self):
        """The request's method, or b"" of a response."""
        index = self._index
        return self.data[index[0] : index[4]] if self.is_request else b""

    @property
    def uri(self):
        index = self._index
        return self.data[index[4] + 1 : index[5]] if self.is_request else b""

    @property
    def reason(self):
        """The response's reason phrase."""
        index = self._index
        return b"" if self.is_request else self.data[index[5] + 1 : index[1]]

    @property
    def body(self):
        """The body, cut to Content-Length where that is present and shorter (RFC 3261 18.3)."""
        length = self.content_length
        start = self._index[2]
        if 0 <= length:
            return self.data[start : start + length]
        return self.data[start:]

    @property
    def content_length(self):
        """Content-Length, -1 when absent."""
        text = self.get(H_CONTENT_LENGTH)
        if text is None:
            return -1
        try:
            return number(text)
        except ValueError:
            raise self._bad(b"Bad Content-Length")

    def _value(self, k):
        index = self._index
        value = self.data[index[k + 2] : index[k + 3]]
        return _unfold(value) if index[k] & 256 else value

    def raw(self, header):
        """Every field line's value of H_... or of a lower-case name (bytes), unfolded, not split at commas."""
        index = self._index
        out = []
        for k in range(8, len(index), 4):
            h = index[k] & 255
            if h == header or not h and isinstance(header, bytes) and self._name(k) == header:
                out.append(self._value(k))
        return out

    def _name(self, k):
        start = self._index[k + 1]
        return self.data[start : self.data.find(b":", start)].strip().lower()

    def get(self, header):
        """The first field line's value of H_... or of a lower-case name (bytes), or None."""
        index = self._index
        for k in range(8, len(index), 4):
            h = index[k] & 255
            if h == header or not h and isinstance(header, bytes) and self._name(k) == header:
                return self._value(k)
        return None

    def all(self, header):
        """Every value, comma-split: for fields whose grammar is a list, Via and Contact and Route among them.
        Challenges and credentials (RFC 7235) are one a line."""
        out = []
        for value in self.raw(header):
            if header in _NOT_LISTS:
                out.append(value)
            else:
                out.extend(split_list(value))
        return out

    @property
    def call_id(self):
        value = self.get(H_CALL_ID)
        if not value:
            raise self._bad(b"Missing Call-ID")
        return value

    def _read_cseq(self):
        value = self.get(H_CSEQ)
        if value is None:
            raise self._bad(b"Missing CSeq")
        parts = value.split()
        try:
            if len(parts) != 2:
                raise ValueError
            self._cseq = (number(parts[0]), parts[1])
        except ValueError:
            raise self._bad(b"Bad CSeq")
        return self._cseq

    @property
    def cseq(self):
        return (self._cseq or self._read_cseq())[0]

    @property
    def cseq_method(self):
        return (self._cseq or self._read_cseq())[1]

    def _address(self, header, name):
        value = self.get(header)
        if value is None:
            raise self._bad(b"Missing " + name)
        try:
            return parse_name_addr(value)
        except ValueError:
            raise self._bad(b"Bad " + name)

    @property
    def from_(self):
        if not self._from:
            self._from = self._address(H_FROM, b"From")
        return self._from

    @property
    def to(self):
        if not self._to:
            self._to = self._address(H_TO, b"To")
        return self._to

    @property
    def from_tag(self):
        """From's tag or None."""
        return self.from_.tag

    @property
    def to_tag(self):
        """To's tag or None."""
        return self.to.tag

    @property
    def vias(self):
        """Every Via value, raw, topmost first."""
        return self.all(H_VIA)

    @property
    def via(self):
        """The topmost Via."""
        if not self._vias:
            values = self.all(H_VIA)
            if not values:
                raise self._bad(b"Missing Via")
            try:
                self._vias = parse_via(values[0])
            except ValueError:
                raise self._bad(b"Bad Via")
        return self._vias

    @property
    def branch(self):
        """The topmost Via's branch or None."""
        return self.via.branch

    @property
    def contact(self):
        """The first Contact as a NameAddr, or None; b"*" has that as its uri."""
        if not self._contact:
            values = self.all(H_CONTACT)
            if not values:
                return None
            try:
                self._contact = parse_name_addr(values[0])
            except ValueError:
                raise self._bad(b"Bad Contact")
        return self._contact

    def _int(self, header, name):
        value = self.get(header)
        if value is None:
            return -1
        try:
            return number(value)
        except ValueError:
            raise self._bad(b"Bad " + name)

    @property
    def max_forwards(self):
        """-1 when absent."""
        return self._int(H_MAX_FORWARDS, b"Max-Forwards")

    @property
    def expires(self):
        """-1 when absent or malformed (RFC 3261 20.19 leaves the default to the receiver)."""
        try:
            return self._int(H_EXPIRES, b"Expires")
        except ParseError:
            return -1

    def check(self):
        """Raises ParseError for what RFC 3261 8.1.1 and 8.2 want refused: a mandatory field missing, twice or malformed,
        CSeq naming another method, a body shorter than Content-Length."""
        index = self._index
        if index[7] & 4:
            raise self._bad(b"Bad Header Line")
        self.via
        for h, name in ((H_FROM, b"From"), (H_TO, b"To"), (H_CALL_ID, b"Call-ID"), (H_CSEQ, b"CSeq")):
            if len(self.raw(h)) > 1:
                raise self._bad(b"Repeated " + name)
        self.call_id
        if self.from_tag is None:
            pass  # RFC 2543 phones send none; matching treats it as empty
        self.to_tag
        if self.cseq > 0x7FFFFFFF:
            raise self._bad(b"Bad CSeq")
        if self.is_request and self.cseq_method != self.method:
            raise self._bad(b"CSeq Method Differs")
        if self.is_request and self.max_forwards > 255:
            raise self._bad(b"Bad Max-Forwards")
        if self.content_length > len(self.data) - index[2]:
            raise self._bad(b"Body Shorter Than Content-Length")


_NOT_LISTS = (17, 18, 19, 20)


def compose(start, lines, body=b"", content_type=None):
    """A whole message: start line (without CRLF), header lines b"Name: value", Content-Length and the body."""
    parts = [start]
    parts.extend(lines)
    if content_type:
        parts.append(b"Content-Type: " + content_type)
    parts.append(b"Content-Length: %d\r\n" % len(body))
    parts.append(body)
    return b"\r\n".join(parts)


def response(req, status, reason=None, to_tag=None, lines=(), body=b"", content_type=None, source=None):
    """The answer to a request (RFC 3261 8.2.6): every Via, From, To, Call-ID and CSeq as they came; To gets `to_tag`
    when it has none and status is over 100; Record-Route for 101..299; Timestamp for 100. With source=(host, port) the
    top Via says where the request came from (RFC 3261 18.2.1, RFC 3581)."""
    if reason is None:
        reason = REASONS.get(status, b"Unknown")
    out = []
    first = True
    for value in req.vias:
        if first and source:
            value = _stamp(value, req, source)
        first = False
        out.append(b"Via: " + value)
    if 100 < status < 300:
        for value in req.raw(H_RECORD_ROUTE):
            out.append(b"Record-Route: " + value)
    out.append(b"From: " + (req.get(H_FROM) or b""))
    to = req.get(H_TO) or b""
    if to_tag and status > 100:
        try:
            if req.to_tag is None:
                to += b";tag=" + to_tag
        except ParseError:
            pass
    out.append(b"To: " + to)
    out.append(b"Call-ID: " + (req.get(H_CALL_ID) or b""))
    out.append(b"CSeq: " + (req.get(H_CSEQ) or b""))
    if status == 100:
        value = req.get(H_TIMESTAMP)
        if value:
            out.append(b"Timestamp: " + value)
    out.extend(lines)
    return compose(b"SIP/2.0 %d %s" % (status, reason), out, body, content_type)


def _stamp(value, req, source):
    host = source[0] if isinstance(source[0], bytes) else source[0].encode()
    via = req.via
    rport = via.rport
    if rport is None and via.host == host:
        return value
    # what was there of received and rport is ours to say, not the sender's
    semi = value.find(b";")
    out = [value[:semi].rstrip() if semi >= 0 else value]
    if semi >= 0:
        for one in value[semi + 1 :].split(b";"):
            key = one.split(b"=")[0].strip().lower()
            if key != b"received" and key != b"rport":
                out.append(one.strip())
    out.append(b"received=" + host)
    if rport is not None:
        out.append(b"rport=%d" % source[1])
    return b";".join(out)
