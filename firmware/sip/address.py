"""URIs, name-addr, Via and their parameters (RFC 3261 19.1, 20.10, 20.42, 25.1; IPv6 by RFC 5118).

Everything goes in and comes out as bytes, unfolded. Escapes (%40) are kept as they came: a URI that is only
passed on must not change.
"""

from collections import namedtuple

from .scan import H_FROM, H_VIA, PARTS, Via, decode_at, make_via, outside


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


def split_list(text, separator=44):
    """The values of a list joined by commas (or another separator, a byte), trimmed; those in quotes and in <> do not
    count; empty values are left out."""
    out = []
    start = 0
    n = len(text)
    while start <= n:
        end = outside(text, start, n, separator)
        if end < 0:
            end = n
        one = text[start:end].strip()
        if one:
            out.append(one)
        start = end + 1
    return out


def param(params, name):
    """One of `;name=value;flag`: None when absent, b"" for a flag, else its value, unquoted. `name` is lower case, case in
    `params` is ignored."""
    if name not in params.lower():
        return None
    for one in split_list(params, 59):
        eq = one.find(b"=")
        if (one if eq < 0 else one[:eq].rstrip()).lower() == name:
            return b"" if eq < 0 else unquote(one[eq + 1 :])
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


_NameAddr = namedtuple("NameAddr", ("display", "uri", "tag", "params"))


class NameAddr(_NameAddr):
    """`"Bob" <sip:bob@example.com>;tag=1` or the bare addr-spec form, whose parameters are the header's
    (RFC 3261 20.10): `display` unquoted, `uri` raw, `tag` None when absent, `params` raw."""

    def param(self, name):
        """As param() of this module, for the header's parameters."""
        return param(self.params, name)


def _alone(value):
    # positions have 16 bits; a byte that is part of nothing ends the kernel's loops, as the line's end does in a message
    if len(value) > 65534:
        raise ValueError("too long")
    return value + b"\n"


def parse_name_addr(value):
    """bytes into NameAddr; ValueError when it is none. The URI itself is only looked at by parse_uri()."""
    if decode_at(_alone(value), 0, len(value), H_FROM) & 1 << H_FROM:
        raise ValueError("not a name-addr")
    p = PARTS
    display = b""
    if p[13]:
        display = value[p[12] : p[13]]
        if p[18]:
            display = unquote(b'"' + display.replace(b"\r\n", b"") + b'"')
    end = p[15]
    tag = p[16]
    params = value.find(b";", end)
    return NameAddr(
        display, value[p[14] : end], value[tag : p[17]] if tag else None, value[params + 1 :] if params >= 0 else b""
    )


def parse_via(value, first=False):
    """bytes of one Via value into Via; ValueError when it is none. first=True: of several, the first."""
    if decode_at(_alone(value), 0, len(value), H_VIA) & (1 << H_VIA | 1) or PARTS[11] and not first:
        raise ValueError("not a Via")
    return make_via(value)
