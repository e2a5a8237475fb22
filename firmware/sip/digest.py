"""Answering digest challenges (RFC 7616 and, for what still speaks it, RFC 2617; choice of algorithm RFC 8760)."""

import hashlib
import os
from binascii import hexlify

from micropython import const

from .address import quote, split_list, unquote
from .scan import H_PROXY_AUTHENTICATE, H_WWW_AUTHENTICATE


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
_ALGORITHMS = {
    b"md5": ("md5", False),
    b"md5-sess": ("md5", True),
    b"sha-256": ("sha256", False),
    b"sha-256-sess": ("sha256", True),
}


def digest_response(algorithm, user, realm, password, method, uri, nonce, nc=b"", cnonce=b"", qop=b"", body=b""):
    """The 32 or 64 hex digits of `response` (RFC 7616 3.4.1). `qop` is b"" (RFC 2069), b"auth" or b"auth-int".
    KeyError for an unknown algorithm."""
    name, session = _ALGORITHMS[algorithm.lower()]
    a1 = _hash(name, user, realm, password)
    if session:
        a1 = _hash(name, a1, nonce, cnonce)
    if qop == b"auth-int":
        a2 = _hash(name, method, uri, _hash(name, body))
    else:
        a2 = _hash(name, method, uri)
    if qop:
        return _hash(name, a1, nonce, nc, cnonce, qop, a2)
    return _hash(name, a1, nonce, a2)


# A challenge that was taken up, as a list: objects of a class of this file would keep the file in the heap.
_CHALLENGE = const(0)
_PROXY = const(1)
_COUNT = const(2)  # how often its nonce was used
_CNONCE = const(3)


def _qop(challenge):
    # b"auth" before b"auth-int"; b"" when the server names none (RFC 2069); None when it names only unknown ones
    if b"qop" not in challenge:
        return b""
    names = [one.strip().lower() for one in challenge[b"qop"].split(b",")]
    for name in (b"auth", b"auth-int"):
        if name in names:
            return name
    return None if any(names) else b""


def _rank(challenge):
    # 0 when it cannot be answered
    if challenge.get(b"") != b"digest" or b"nonce" not in challenge or b"realm" not in challenge:
        return 0
    algorithm = challenge.get(b"algorithm", b"md5").lower()
    if algorithm not in _ALGORITHMS or _qop(challenge) is None:
        return 0
    return 2 if algorithm.startswith(b"sha") else 1


class Authenticator:
    """One account's answers to 401 and 407. `user` and `password` are bytes or str (sent as UTF-8). `answers` is the
    dictionary that holds what was taken up, for a caller who keeps it longer than this object."""

    def __init__(self, user, password, answers=None):
        self.user = user if isinstance(user, bytes) else user.encode()
        self.password = password if isinstance(password, bytes) else password.encode()
        # (is it a proxy's, realm) -> challenge: a request may need both a server's and a proxy's; at most 4 kept
        self._answers = {} if answers is None else answers

    def challenged(self, status, msg, request_had_credentials):
        """Takes up the challenges of a 401 or 407; True if sending the request again makes sense. Of several for a
        realm the best is taken (RFC 8760 2.3). A second refusal is final unless it says stale=true or, of a
        request that had no credentials for that realm, is its first."""
        proxy = status == 407
        best = {}
        for value in msg.all(H_PROXY_AUTHENTICATE if proxy else H_WWW_AUTHENTICATE):
            try:
                challenge = parse_challenge(value)
            except ValueError:
                continue
            rank = _rank(challenge)
            if rank:
                realm = challenge[b"realm"]
                # the topmost wins among equals
                if realm not in best or rank > _rank(best[realm]):
                    best[realm] = challenge
        again = False
        for realm in best:
            challenge = best[realm]
            key = (proxy, realm)
            old = self._answers.get(key)
            stale = challenge.get(b"stale", b"").lower() == b"true"
            if old and request_had_credentials and not stale:
                # these credentials were in the request and were refused
                if old[_COUNT]:
                    continue
            if len(self._answers) >= 4 and key not in self._answers:
                self._answers.clear()
            self._answers[key] = [challenge, proxy, 0, hexlify(os.urandom(8))]
            again = True
        return again

    def line(self, method, uri, body=b""):
        """The header line (or lines, joined by CRLF, when a server and a proxy both asked) to add to a request with
        this method and exactly this request URI; None when nothing was asked yet. Counts the nonce's use."""
        lines = []
        for key in self._answers:
            answer = self._answers[key]
            lines.append(self._line(answer, method, uri, body))
        return b"\r\n".join(lines) if lines else None

    def _line(self, answer, method, uri, body):
        challenge = answer[_CHALLENGE]
        answer[_COUNT] += 1
        algorithm = challenge.get(b"algorithm", b"MD5")
        qop = _qop(challenge)
        session = algorithm.lower().endswith(b"-sess")
        nc = b"%08x" % answer[_COUNT]
        realm = challenge[b"realm"]
        nonce = challenge[b"nonce"]
        cnonce = answer[_CNONCE]
        response = digest_response(
            algorithm, self.user, realm, self.password, method, uri, nonce, nc, cnonce, qop, body
        )
        line = b'%sAuthorization: Digest username=%s, realm=%s, nonce=%s, uri="%s", response="%s"' % (
            b"Proxy-" if answer[_PROXY] else b"", quote(self.user), quote(realm), quote(nonce), uri, response,
        )  # fmt: skip
        if b"algorithm" in challenge:
            line += b", algorithm=" + algorithm
        if qop:
            line += b", qop=%s, nc=%s" % (qop, nc)
        if qop or session:
            line += b', cnonce="%s"' % cnonce
        if b"opaque" in challenge:
            line += b", opaque=" + quote(challenge[b"opaque"])
        return line
