"""A SIP message as lines that anybody may see: no password, no answer to a challenge, no key of encrypted sound, no private
text, and nothing that a terminal would obey. Loaded by lend() while a trace has something to print.

What is not known to be harmless is not shown, so that a message that is broken, or of a kind unheard of, betrays nothing."""

from micropython import const

from .words import text

_LONGEST = const(300)  # characters of a line
_WIDTH = const(44)  # of an arrow
# Of credentials and challenges (RFC 7616), what helps whoever looks for a mistake; nonces and all that is made of the
# password are blacked out.
_HARMLESS = const(b" username realm uri algorithm qop nc stale ")


def lines(data):
    """`data`: the bytes of one message, broken or not. Gives its lines as text, headers unfolded; of the body only SDP."""
    held = kind = b""
    count = 0
    rest = _split(data)
    for line in rest:
        if line and line[0] in b" \t":
            if count:  # the first line cannot be continued: what tries to is not looked at
                held += b" " + line.strip()
            continue
        if held:
            if count == 0 and b"SIP/" not in held:
                break
            yield _shown(held, count)
            count += 1
            if held[:13].lower() == b"content-type:" or held[:2] in (b"c:", b"C:"):
                kind = held.partition(b":")[2].strip().lower()
        held = line
        if not line and count:
            break
    if held and (count or b"SIP/" in held):
        yield _shown(held, count)
        count += 1
    if not count:
        yield "(%d bytes that are no SIP message)" % len(data)
    size = 0
    for line in rest:
        if count and kind.startswith(b"application/sdp"):
            yield _shown(line, -1)
        else:
            size += len(line) + 2
    if size and count:
        yield "(a body of %d bytes is not shown)" % size


def told(direction, at_ms, peer, data, ladder):
    """The same with a first line that says when, whither or whence; or only one line, with an arrow, for a `ladder`.
    `direction`: "<" or ">"; `at_ms`: milliseconds of the day; `peer`: (host, port) or (host, port, b"TLS")."""
    at_s = at_ms // 1000
    place = "%02d:%02d:%02d.%03d  %%s%s:%d %s" % (at_s // 3600, at_s // 60 % 60, at_s % 60, at_ms % 1000, peer[0], peer[1],
                                              peer[2].decode() if len(peer) > 2 else "UDP")  # fmt: skip
    if ladder:
        words = heading(data)
        words = words[: _WIDTH - 3] + "..." if len(words) > _WIDTH else words
        dashes = "-" * (_WIDTH - len(words))
        yield place % (("---- %s %s--->  " if direction == ">" else "<--- %s %s----  ") % (words, dashes))
        return
    yield place % ("to " if direction == ">" else "from ")
    for line in lines(data):
        yield "    " + line


def heading(data):
    """One line for a message: "INVITE sip:101@192.0.2.10", "180 Ringing (INVITE)"."""
    first = ""
    for line in lines(data):
        if not first:
            first = line
            at = line.rfind(" SIP/")
            if at > 0:
                return line[:at]
        elif line[:5].lower() == "cseq:":
            return "%s (%s)" % (first[8:], line.split(" ")[-1])
    return first


def _split(data):
    """Its lines, however they end: what one reader takes for two lines must not be one here, or the other way round."""
    start = 0
    size = len(data)
    while start < size:
        end = data.find(b"\n", start)
        if end < 0:
            end = size
        following = end + 1
        cr = data.find(b"\r", start, end)
        if cr >= 0:
            if cr + 1 != end:
                following = cr + 1
            end = cr
        yield data[start:end]
        start = following


def _shown(line, place):
    """A line as text. `place`: 0 for the first, -1 for one of SDP, else a header field."""
    name, colon, value = line.partition(b":")
    low = line.lower()
    if place < 0:
        low = b"".join(low.split())
        at = line.lower().find(b"inline:") + 7  # RFC 4568 9.1: tag and suite come before it
        if low[:2] == b"k=" or at > 6 or low[:9] == b"a=crypto:" or low[:10] in (b"a=ice-pwd:", b"a=key-mgmt"):
            line = line[: at if at > 6 else 9] + b"***"  # also RFC 4566 5.12, RFC 8839, RFC 4567
        else:
            line = _uris(line)
    elif place and not colon:
        line = b"(%d bytes that are no header field)" % len(line)
    elif place and b"auth" in name.lower():
        line = name + b":"
        value = value.strip()
        if value[:7].lower() == b"digest ":
            line += b" Digest"
            value = value[7:]
        elif b"info" not in low[: len(name)]:
            value = b""
        # A comma may stand in quotes: then what it cuts in two is black, too.
        for item in value.split(b","):
            name, _, value = item.partition(b"=")
            name = name.strip()
            value = value.strip()
            if len(value) > 1 and value[0] == 34 == value[-1]:
                item = value[1:-1]
            else:
                item = value
            if b" %s " % name.lower() in _HARMLESS and b'"' not in item and b"\\" not in item and name and b" " not in name:
                line += b" %s=%s," % (name, _uris(value))
            else:
                line += b" %s=***," % name if 0 < len(name) < 12 and b'"' not in name else b" ***,"
        line = line[:-1]
    else:
        line = _uris(line)
    line = text(line.replace(b"\t", b" "))
    return line if len(line) <= _LONGEST else "%s... (%d more)" % (line[:_LONGEST], len(line) - _LONGEST)


def _uris(value):
    """Blacks out the passwords of URIs (19.1.1), which stand between a colon and an @, and credentials that a URI would have
    put into a request."""
    low = value.lower()
    if b"@" in low:
        for mark in (b"<", b">", b'"', b"\t"):
            low = low.replace(mark, b" ")
        at = len(low)
        while True:
            at = low.rfind(b"@", 0, at)
            if at < 0:
                break
            start = low.rfind(b" ", 0, at) + 1
            colon = low.find(b":", start, at)
            if low[start:colon] in (b"sip", b"sips") or low[colon : colon + 3] == b"://":
                colon = low.find(b":", colon + 1, at)
            if colon >= 0:
                value = value[: colon + 1] + b"***" + value[at:]
            at = start
    at = value.lower().find(b"authorization")
    if at >= 0:
        value = value[: at + 13] + b"***"  # and all that follows: this is rare
    return value
