"""Digest access authentication, what both sides of it need (RFC 7616 and, for what still speaks it, RFC 2617): its header
fields read, and the hashes."""

import hashlib
from binascii import hexlify

from .address import split_list, unquote


def parse_challenge(value):
    """`Digest realm="a, b", nonce=...` into {b"realm": b"a, b", ...}: keys lower case, values unquoted, the scheme
    (lower case) under b"". Also reads what stands in an Authorization header field. ValueError when it is none."""
    value = value.strip()
    space = value.find(b" ")
    if space < 1:
        raise ValueError("challenge without parameters")
    out = {b"": value[:space].lower()}
    for one in split_list(value[space + 1 :]):
        eq = one.find(b"=")
        if eq < 1:
            raise ValueError("challenge parameter without =")
        key = one[:eq].rstrip().lower()
        if key not in out:
            out[key] = unquote(one[eq + 1 :])
    return out


def _hash(name, *parts):
    h = getattr(hashlib, name)()
    first = True
    for part in parts:
        if not first:
            h.update(b":")
        h.update(part)
        first = False
    return hexlify(h.digest())


# algorithm -> (hashlib's name, is it -sess), best last
ALGORITHMS = {
    b"md5": ("md5", False),
    b"md5-sess": ("md5", True),
    b"sha-256": ("sha256", False),
    b"sha-256-sess": ("sha256", True),
}


def qop_of(challenge):
    """b"auth" before b"auth-int"; b"" when the server names none (RFC 2069); None when it names only unknown ones."""
    if b"qop" not in challenge:
        return b""
    names = [one.strip().lower() for one in challenge[b"qop"].split(b",")]
    for name in (b"auth", b"auth-int"):
        if name in names:
            return name
    return None if any(names) else b""


def digest_response(algorithm, user, realm, password, method, uri, nonce, nc=b"", cnonce=b"", qop=b"", body=b""):
    """The 32 or 64 hex digits of `response` (RFC 7616 3.4.1). `qop` is b"" (RFC 2069), b"auth" or b"auth-int".
    KeyError for an unknown algorithm."""
    name, session = ALGORITHMS[algorithm.lower()]
    a1 = _hash(name, user, realm, password)
    if session:
        a1 = _hash(name, a1, nonce, cnonce)
    return digest_of(algorithm, a1, method, uri, nonce, nc, cnonce, qop, body)


def digest_of(algorithm, a1, method, uri, nonce, nc=b"", cnonce=b"", qop=b"", body=b""):
    """The same from `a1`, the hash (in hex) that stands for the password: what a registrar keeps."""
    name = ALGORITHMS[algorithm.lower()][0]
    if qop == b"auth-int":
        a2 = _hash(name, method, uri, _hash(name, body))
    else:
        a2 = _hash(name, method, uri)
    if qop:
        return _hash(name, a1, nonce, nc, cnonce, qop, a2)
    return _hash(name, a1, nonce, a2)
