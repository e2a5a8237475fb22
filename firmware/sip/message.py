"""A request or a response: a lazy view over the received bytes, and builders for what is sent (RFC 3261 7, 20).

Every value is bytes. A Message reads a field when it is first asked for and keeps what it read.
"""

from array import array

from micropython import const

from .address import parse_name_addr, split_list, unquote
from .scan import (
    FIELDS, H_AUTHORIZATION, H_CALL_ID, H_CONTACT, H_CSEQ, H_EXPIRES, H_FROM, H_PROXY_AUTHENTICATE, H_RECORD_ROUTE,
    H_TIMESTAMP, H_TO, H_VIA, MAX_FIELDS, PARTS, decode, each, fill, find, scan,
)  # fmt: skip

# where scan() writes; a Message takes a copy of what it needs
_scratch = array("H", bytes(2 * (FIELDS + 4 * MAX_FIELDS)))
_MAX_FORWARDS = const(7)
# found at once among a module's own names, slowly among the built-in ones
_len = len

# Default reason phrases (RFC 3261 21 and those of later RFCs): one string that is searched, since a dictionary of
# them would take five times the heap.
_REASONS = b"""
100 Trying
180 Ringing
181 Call Is Being Forwarded
183 Session Progress
200 OK
202 Accepted
400 Bad Request
401 Unauthorized
403 Forbidden
404 Not Found
405 Method Not Allowed
406 Not Acceptable
407 Proxy Authentication Required
408 Request Timeout
413 Request Entity Too Large
415 Unsupported Media Type
416 Unsupported URI Scheme
420 Bad Extension
421 Extension Required
422 Session Interval Too Small
423 Interval Too Brief
480 Temporarily Unavailable
481 Call/Transaction Does Not Exist
482 Loop Detected
483 Too Many Hops
486 Busy Here
487 Request Terminated
488 Not Acceptable Here
489 Bad Event
491 Request Pending
500 Server Internal Error
501 Not Implemented
503 Service Unavailable
505 Version Not Supported
513 Message Too Large
600 Busy Everywhere
603 Decline
"""


def reason_of(status):
    """The default reason phrase of a status code, or b"Unknown"."""
    start = _REASONS.find(b"\n%d " % status)
    return _REASONS[start + 5 : _REASONS.find(b"\n", start + 1)] if start >= 0 else b"Unknown"


class ParseError(ValueError):
    """What was received breaks the grammar. `code` and `reason` (bytes) are what to answer; `message` is the Message
    as far as it was read when an answer can be built from it (a request with a top Via), else None."""

    def __init__(self, code, reason, message=None):
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.message = message


def _unfold(text):
    # RFC 3261 7.3.1: a fold is one space
    return b" ".join([one.strip() for one in text.split(b"\n")])


def _display(text):
    return unquote(b'"' + _unfold(text) + b'"')


# The bits of decode()'s answer in the order in which they are told, each followed by what it says.
_BAD = b"10Missing Via,1Bad Via,0Bad Via,14Missing CSeq,5Bad CSeq,13Missing Call-ID,4Bad Call-ID,11Missing From,2Bad From,12Missing To,3Bad To,7Bad Max-Forwards,8Bad Content-Length"


def parse(data):
    """One datagram (or one framed message of a stream), bytes, into a Message.

    Raises ParseError for what is not SIP/2.0, is cut off in its header, or has more than 64 header fields. Whether the
    fields that every message must have are there and make sense, check() says: call it before believing a message.
    """
    n = _len(data)
    if n > 65535:
        raise ParseError(513, b"Message Too Large")
    n = scan(data, 0, n, _scratch)
    if _scratch[7] & 17 == 17:
        raise ParseError(400, b"Not SIP")
    bad = decode(data, 8, n, _scratch, PARTS)
    msg = Message()
    if bad:
        msg._bad = bad
    msg.data = data
    msg._index = _scratch[:n]
    escaped = fill(msg, data, _scratch, _len(data))
    if escaped & 1:
        msg.from_display = _display(msg.from_display)
    if escaped & 2:
        msg.to_display = _display(msg.to_display)
    if _scratch[7]:
        msg.check()
    return msg


class Message:
    """See parse(). What every message has is there at once, as bytes unless said otherwise:

    is_request          bool
    method, uri         of a request, else b""
    status              int, 0 of a request
    cseq, cseq_method   cseq is an int
    call_id
    via                 the topmost, an address.Via
    from_display, from_uri, from_tag, to_display, to_uri, to_tag    display names unquoted; tags None when absent
    contact_uri         of the first Contact; None when there is none or it is malformed; b"*"
    content_length      int, -1 when absent
    body                cut to Content-Length where that is present and shorter (RFC 3261 18.3)
    data                the message as it came

    and, made when asked for, as attributes:

    branch              the topmost Via's, None when absent
    vias                every Via value, raw, topmost first
    from_, to, contact  address.NameAddr, for parameters and display names; contact is None when absent
    reason              the response's reason phrase
    max_forwards        int, -1 when absent or no number
    expires             seconds, -1 when absent or no number (RFC 3261 20.19 leaves the default to the receiver)

    from_, to and contact raise ParseError(400, b"Bad ...") when malformed; the rest never raises. Of a field that is
    missing or malformed the value is what it is when absent; check() says so.
    """

    # No properties here: a class that has any pays for them each time an attribute is set.
    is_request = True
    method = uri = cseq_method = call_id = from_uri = to_uri = from_display = to_display = body = b""
    status = cseq = 0
    from_tag = to_tag = contact_uri = None
    content_length = -1
    _bad = 0

    def __getattr__(self, name):
        if name == "branch":
            return self.via.branch
        if name == "vias":
            return self.all(H_VIA)
        if name == "contact":
            return self._address(H_CONTACT, b"Contact")
        if name == "from_":
            return self._address(H_FROM, b"From")
        if name == "to":
            return self._address(H_TO, b"To")
        if name == "expires" or name == "max_forwards":
            value = self.get(H_EXPIRES if name == "expires" else _MAX_FORWARDS)
            if value is None or not value.isdigit():
                return -1
            # 999,999,999 s and more: for ever, as far as anyone here is concerned
            return int(value) if len(value) < 10 else 999999999
        if name == "reason":
            index = self._index
            return self.data[index[5] + 1 : index[1]] if self.status else b""
        raise AttributeError(name)

    def _value(self, k):
        index = self._index
        if index[k] & 256:
            return _unfold(self.data[index[k + 2] : index[k + 3]])
        return self.data[index[k + 2] : index[k + 3]]

    def get(self, header):
        """The first field line's value of H_... of scan, unfolded and trimmed, or None."""
        k = find(self._index, header, 8)
        return None if k < 0 else self._value(k)

    def raw(self, header):
        """Every field line's value of H_..., unfolded and trimmed, not split at commas."""
        out = []
        k = find(self._index, header, 8)
        while k >= 0:
            out.append(self._value(k))
            k = find(self._index, header, k + 4)
        return out

    def all(self, header):
        """Every value of H_..., split at commas: for fields whose grammar is a list, Via and Contact and Route among
        them. Challenges and credentials, whose parameters have the commas, are one a line."""
        out = self.raw(header)
        if H_AUTHORIZATION <= header <= H_PROXY_AUTHENTICATE:
            return out
        for value in out:
            if not value or b"," in value:
                return [one for value in out for one in split_list(value)]
        return out

    def each_via(self):
        """Every Via, topmost first, each an address.Via. ValueError when one of the further ones is malformed."""
        vias = [self.via]
        if not each(self.data, self._index, H_VIA, vias):
            raise ValueError("not a Via")
        return vias

    def uris(self, header):
        """The URI, raw, of every value of H_... that lists addresses: Contact, Record-Route, Route, Path and their like.
        ValueError when one of them is malformed."""
        out = []
        if not each(self.data, self._index, header, out):
            raise ValueError("not an address")
        return out

    def _address(self, header, name):
        values = self.all(header)
        if not values:
            return None
        try:
            return parse_name_addr(values[0])
        except ValueError:
            self._refuse(b"Bad " + name)

    def check(self):
        """Raises ParseError for a message that is not to be acted on: a field that RFC 3261 8.1.1 wants in every message
        is missing, malformed or there twice, a header line is no field, the version is not 2.0 (505), CSeq names
        another method (8.1.1.5), the body is shorter than Content-Length says (18.3)."""
        flags = self._index[7]
        bad = self._bad & ~64
        if flags & 16:
            self._refuse(b"Bad Start Line")
        if flags & 2:
            self._refuse(b"Too Many Header Fields", 513)
        if flags & 8:
            self._refuse(reason_of(505), 505)
        if flags & 1:
            self._refuse(b"No Blank Line After Header")
        if bad:
            for one in _BAD.split(b","):
                reason = one.lstrip(b"0123456789")
                if bad >> int(one[: _len(one) - _len(reason)]) & 1:
                    self._refuse(reason)
        if flags & 4:
            self._refuse(b"Bad Header Line")
        if not self.status and self.cseq_method != self.method:
            self._refuse(b"CSeq Names Another Method")
        if self.content_length > _len(self.data) - self._index[2]:
            self._refuse(b"Body Shorter Than Content-Length")

    def _refuse(self, reason, code=400):
        # an answer needs a Via to go back by; a response or an ACK gets none
        answerable = not (self.status or self._bad & (1 << 10 | 1 << 1) or self.method == b"ACK")
        raise ParseError(code, reason, self if answerable else None)


def compose(start, lines, body=b"", content_type=None):
    """A whole message: `start` (the start line, and what header lines it brings along), header lines b"Name: value",
    Content-Length and the body."""
    parts = [start]
    parts.extend(lines)
    if content_type:
        parts.append(b"Content-Type: " + content_type)
    parts.append(b"Content-Length: %d\r\n" % _len(body))
    parts.append(body)
    return b"\r\n".join(parts)


def request(method, uri, via, sender, to, call_id, sequence, routes=(), lines=(), body=b"", content_type=None):
    """A whole request (RFC 3261 8.1.1). `via`, `sender` (From), `to` and each of `routes` are values, as bytes."""
    start = b"%s %s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s" % (
        method, uri, via, sender, to, call_id, sequence, method,
    )  # fmt: skip
    for route in routes:
        start += b"\r\nRoute: " + route
    return compose(start, lines, body, content_type)


def response(req, status, reason=None, to_tag=None, lines=(), body=b"", content_type=None, source=None):
    """The answer to a request (RFC 3261 8.2.6): every Via, From, To, Call-ID and CSeq as they came; To gets `to_tag`
    when it has none and status is over 100; Record-Route for 101..299; Timestamp for 100. With source=(host, port) the
    top Via says where the request came from (RFC 3261 18.2.1, RFC 3581)."""
    out = [b"SIP/2.0 %d %s" % (status, reason or reason_of(status))]
    vias = req.raw(H_VIA)
    if source:
        vias[0] = _stamp(vias[0], req.via, source)
    for value in vias:
        out.append(b"Via: " + value)
    if 100 < status < 300:
        for value in req.raw(H_RECORD_ROUTE):
            out.append(b"Record-Route: " + value)
    to = req.get(H_TO) or b""
    if to_tag and status > 100 and req.to_tag is None:
        to = b"%s;tag=%s" % (to, to_tag)
    out.append(
        b"From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s"
        % (req.get(H_FROM) or b"", to, req.get(H_CALL_ID) or b"", req.get(H_CSEQ) or b"")
    )
    if status == 100:
        value = req.get(H_TIMESTAMP)
        if value:
            out.append(b"Timestamp: " + value)
    out.extend(lines)
    return compose(b"\r\n".join(out), (), body, content_type)


def _stamp(line, via, source):
    # the top Via line with what its sender cannot know
    host = source[0] if isinstance(source[0], bytes) else source[0].encode()
    rport = via.rport
    if rport is None and via.received is None and via.host == host:
        return line
    values = split_list(line)
    parts = split_list(values[0], 59)
    out = [parts[0]]
    for one in parts[1:]:
        # received and rport are ours to say, not the sender's
        key = one.split(b"=")[0].strip().lower()
        if key != b"received" and key != b"rport":
            out.append(one)
    if rport is not None or via.host != host:
        out.append(b"received=" + host)
    if rport is not None:
        out.append(b"rport=%d" % source[1])
    values[0] = b";".join(out)
    return b", ".join(values)
