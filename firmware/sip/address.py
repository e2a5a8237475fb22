"""URIs, name-addr, Via and their parameters (RFC 3261 19.1, 20.10, 20.42, 25.1; IPv6 by RFC 5118).

Everything goes in and comes out as bytes, unfolded. Escapes (%40) are kept as they came: a URI that is only
passed on must not change.
"""


def _number(text, most):
    # int() would also take b" 5", b"+5" and b"5_0"
    if not text or len(text) > 10 or not text.isdigit():
        raise ValueError("not a number")
    n = int(text)
    if n > most:
        raise ValueError("number too big")
    return n


def unquote(text):
    """A quoted-string's content: b'"a \\\\" b"' gives b'a " b'. Anything else comes back trimmed."""
    text = text.strip()
    if len(text) < 2 or text[0] != 34 or text[-1] != 34:
        return text
    text = text[1:-1]
    if b"\\" not in text:
        return text
    out = bytearray()
    skip = False
    for c in text:
        if c == 92 and not skip:
            skip = True
        else:
            out.append(c)
            skip = False
    return bytes(out)


def quote(text):
    """b'a " b' as a quoted-string, with the quotes."""
    if b"\\" in text or b'"' in text:
        text = text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"' + text + b'"'


def find_outside(text, wanted, start=0):
    """Where the byte `wanted` first stands outside quotes and <>, or -1."""
    i = start
    n = len(text)
    quoted = angle = False
    while i < n:
        c = text[i]
        if quoted:
            if c == 92:
                i += 1
            elif c == 34:
                quoted = False
        elif c == 34 and not angle:
            quoted = True
        elif c == wanted and not angle:
            return i
        elif c == 60:
            angle = True
        elif c == 62:
            angle = False
        i += 1
    return -1


def split_list(text):
    """A comma-joined list's values, trimmed; commas in quotes and in <> do not count; empty ones are left out."""
    if b"," not in text:
        text = text.strip()
        return [text] if text else []
    out = []
    start = 0
    while start >= 0:
        end = find_outside(text, 44, start)
        one = (text[start:end] if end >= 0 else text[start:]).strip()
        if one:
            out.append(one)
        start = end + 1 if end >= 0 else -1
    return out


def param(params, name):
    """One of `;name=value;flag`: None when absent, b"" for a flag, else its value, unquoted. Case of names is ignored."""
    if name not in params and name not in params.lower():
        return None
    start = 0
    while start >= 0:
        end = find_outside(params, 59, start)
        one = params[start:end] if end >= 0 else params[start:]
        eq = one.find(b"=")
        key = one if eq < 0 else one[:eq]
        if key.strip().lower() == name:
            return b"" if eq < 0 else unquote(one[eq + 1 :])
        start = end + 1 if end >= 0 else -1
    return None


def host_port(text):
    """b"host", b"host:5060", b"[::1]:5060" into (host without brackets, port or 0). ValueError when it is neither."""
    port = 0
    if text[:1] == b"[":
        end = text.find(b"]")
        host = text[1:end]
        if end < 3 or host.count(b":") < 2:
            raise ValueError("bad IPv6 reference")
        for c in host:
            if c not in b"0123456789abcdefABCDEF:.":
                raise ValueError("bad IPv6 reference")
        rest = text[end + 1 :].strip()
        if rest:
            if rest[0] != 58:
                raise ValueError("bad port")
            port = _number(rest[1:].strip(), 65535)
        return host, port
    colon = text.find(b":")
    host = text
    if colon >= 0:
        host = text[:colon].rstrip()
        port = _number(text[colon + 1 :].strip(), 65535)
    if not host:
        raise ValueError("no host")
    for c in host:
        # letters, digits, "-", "." (and "_", which RFC 3261 forbids and people use)
        if not (c > 96 and c < 123 or c > 47 and c < 58 or c > 64 and c < 91 or c in b"-._"):
            raise ValueError("bad host")
    return host, port


class Uri:
    """A URI. For sip: and sips: `user` (raw, with its password if any), `host` (no brackets), `port` (0 when absent),
    `params` and `headers` (raw, without the leading ; or ?); of any other scheme `user` is all that follows it."""

    def __init__(self, raw):
        self.raw = raw
        self.user = self.host = self.params = self.headers = b""
        self.port = 0
        colon = raw.find(b":")
        if colon < 1:
            raise ValueError("URI without scheme")
        self.scheme = scheme = raw[:colon].lower()
        for c in raw:
            if c <= 32 or c == 60 or c == 62 or c == 34 or c == 127:
                raise ValueError("bad byte in URI")
        for c in scheme:
            if not (c > 96 and c < 123 or c > 47 and c < 58 or c in b"+-."):
                raise ValueError("bad URI scheme")
        rest = raw[colon + 1 :]
        if scheme != b"sip" and scheme != b"sips":
            if not rest:
                raise ValueError("empty URI")
            if scheme == b"tel":
                semi = rest.find(b";")
                if semi >= 0:
                    self.params = rest[semi + 1 :]
                    rest = rest[:semi]
            self.user = rest
            return
        at = rest.find(b"@")
        if at >= 0:
            # ";" and "?" may stand in the user part (RFC 4475 3.1.1.9), never in the host
            if not at:
                raise ValueError("empty user in URI")
            self.user = rest[:at]
            rest = rest[at + 1 :]
        mark = rest.find(b"?")
        if mark >= 0:
            self.headers = rest[mark + 1 :]
            rest = rest[:mark]
        semi = rest.find(b";")
        if semi >= 0:
            self.params = rest[semi + 1 :]
            rest = rest[:semi]
        self.host, self.port = host_port(rest)

    def param(self, name):
        """As param() of this module, for the URI's own parameters."""
        return param(self.params, name)

    @property
    def lr(self):
        """True when it names a loose router (RFC 3261 19.1.1)."""
        return param(self.params, b"lr") is not None


def parse_uri(raw):
    """bytes into Uri; ValueError when it is none."""
    return Uri(raw)


class NameAddr:
    """`"Bob" <sip:bob@example.com>;tag=1` or the bare addr-spec form, whose parameters are the header's
    (RFC 3261 20.10). `display` is unquoted, `uri` and `params` are raw."""

    def __init__(self, display, uri, params):
        self.display = display
        self.uri = uri
        self.params = params

    def param(self, name):
        """As param() of this module, for the header's parameters."""
        return param(self.params, name)

    @property
    def tag(self):
        """The tag's value, or None."""
        return param(self.params, b"tag")


def parse_name_addr(value):
    """bytes into NameAddr; ValueError when it is none. The URI itself is only looked at by parse_uri()."""
    value = value.strip()
    left = find_outside(value, 60)
    if left >= 0:
        right = value.find(b">", left)
        if right < 0:
            raise ValueError("no > after <")
        display = value[:left].strip()
        if display[:1] == b'"':
            if len(display) < 2 or display[-1] != 34:
                raise ValueError("quote left open")
            display = unquote(display)
        elif b'"' in display:
            raise ValueError("stray quote")
        uri = value[left + 1 : right].strip()
        params = value[right + 1 :].strip()
        if params:
            if params[0] != 59:
                raise ValueError("text after >")
            params = params[1:]
    else:
        semi = value.find(b";")
        display = b""
        uri = value
        params = b""
        if semi >= 0:
            uri = value[:semi].rstrip()
            params = value[semi + 1 :]
        if b'"' in uri or b" " in uri or b"," in uri or b"?" in uri:
            raise ValueError("needs <>")
    if uri.find(b":") < 1:
        raise ValueError("no URI")
    return NameAddr(display, uri, params)


class Via:
    """One Via value: `transport` (upper case), `host` (no brackets), `port` (0 when absent), `params` raw."""

    def __init__(self, transport, host, port, params):
        self.transport = transport
        self.host = host
        self.port = port
        self.params = params

    def param(self, name):
        """As param() of this module."""
        return param(self.params, name)

    @property
    def branch(self):
        return param(self.params, b"branch")

    @property
    def received(self):
        return param(self.params, b"received")

    @property
    def rport(self):
        """None, b"" (asked for) or its value (RFC 3581)."""
        return param(self.params, b"rport")


def parse_via(value):
    """bytes of one Via value into Via; ValueError when it is none."""
    semi = find_outside(value, 59)
    params = b""
    if semi >= 0:
        params = value[semi + 1 :]
        value = value[:semi]
    parts = value.split(b"/", 2)
    if len(parts) != 3 or parts[0].strip().upper() != b"SIP" or parts[1].strip() != b"2.0":
        raise ValueError("not SIP/2.0")
    parts = parts[2].strip().split(None, 1)
    if len(parts) != 2:
        raise ValueError("no sent-by")
    host, port = host_port(parts[1].strip())
    return Via(parts[0].upper(), host, port, params)
