"""Answering digest challenges (RFC 7616 and, for what still speaks it, RFC 2617; choice of algorithm RFC 8760)."""

import hashlib
import os
from binascii import hexlify

from micropython import const

from .address import quote, split_list, unquote
from .scan import H_AUTHORIZATION, H_PROXY_AUTHENTICATE, H_WWW_AUTHENTICATE, field


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
_COUNT = const(1)  # how often its nonce was used
_CNONCE = const(2)
_STRIKES = const(3)  # how often in a row a nonce was called stale that had never been accepted

_REALMS = const(4)  # kept at once, a server's and its proxies'
_PATIENCE = const(2)  # strikes that are forgiven


def _qop(challenge):
    # b"auth" before b"auth-int"; b"" when the server names none (RFC 2069); None when it names only unknown ones
    if b"qop" not in challenge:
        return b""
    names = [one.strip().lower() for one in challenge[b"qop"].split(b",")]
    for name in (b"auth", b"auth-int"):
        if name in names:
            return name
    return None if any(names) else b""


def _read(value):
    try:
        return parse_challenge(value)
    except ValueError:
        return {}


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
        # (is it a proxy's, realm) -> challenge: a request may need a server's and those of several proxies
        self._answers = {} if answers is None else answers

    def answer(self, message, sent):
        """Takes up the challenges of a 401 or 407 (`message`) to the request `sent`, both Messages. Returns the header
        field lines, joined by CRLF, with which the request makes sense again, or None: a second refusal is final.

        Of several challenges for a realm the best is taken (RFC 8760 2.3). What an earlier proxy on the way asked for is
        answered again beside it (22.3). A refusal of a nonce that was accepted before counts as stale, whether the server
        says so or not; each nonce is counted as long as it is used. So no server, however it answers, makes us repeat
        a request for ever.
        """
        proxy = message.status == 407
        best = {}
        for value in message.all(H_PROXY_AUTHENTICATE if proxy else H_WWW_AUTHENTICATE):
            challenge = _read(value)
            rank = _rank(challenge)
            if rank:
                realm = challenge[b"realm"]
                # the topmost wins among equals
                if realm not in best or rank > _rank(best[realm]):
                    best[realm] = challenge
        used = {}
        for kind in (H_AUTHORIZATION, field(b"proxy-authorization")):
            for value in sent.all(kind):
                challenge = _read(value)
                used[(kind != H_AUTHORIZATION, challenge.get(b"realm"))] = challenge.get(b"nonce")
        chain = [key for key in used if key in self._answers]
        again = False
        for realm in best:
            key = (proxy, realm)
            if self._take(key, best[realm], used.get(key)):
                again = True
                if key not in chain:
                    chain.append(key)
        if len(self._answers) > _REALMS:
            for key in list(self._answers):
                if key not in chain:
                    del self._answers[key]
        if not again or len(chain) > _REALMS:
            return None
        return self._lines(chain, sent.method, sent.uri, sent.body)

    def _take(self, key, challenge, used):
        """Keeps a challenge; False when it says no to what was answered. `used`: the nonce that the request had."""
        old = self._answers.get(key)
        strikes = 0
        if old and used == old[_CHALLENGE][b"nonce"]:
            accepted = old[_COUNT] > 1
            if not accepted:
                strikes = old[_STRIKES] + 1
            stale = challenge.get(b"stale", b"").lower() == b"true" or accepted and challenge[b"nonce"] != used
            if not stale or strikes > _PATIENCE:
                # The next attempt, minutes later, begins anew: with a challenge of its own.
                del self._answers[key]
                return False
        elif old and old[_CHALLENGE][b"nonce"] == challenge[b"nonce"]:
            return True  # the same nonce for another request: it is counted on
        self._answers[key] = [challenge, 0, hexlify(os.urandom(8)), strikes]
        return True

    def line(self, method, uri, body=b""):
        """The header field lines to add to a request with this method and exactly this request URI, to a server that
        asked earlier; None when nothing was asked yet. Counts the nonces' use."""
        return self._lines(self._answers, method, uri, body)

    def next_nonce(self, value):
        """Authentication-Info of a 2xx from the server (RFC 7616 3.5): the nonce to use from now on."""
        # It has the form of a challenge's parameters.
        nonce = _read(b"Digest " + value).get(b"nextnonce")
        keys = [key for key in self._answers if not key[0]]
        if nonce and len(keys) == 1:
            kept = self._answers[keys[0]]
            if kept[_CHALLENGE][b"nonce"] != nonce:
                kept[_CHALLENGE][b"nonce"] = nonce
                kept[_COUNT] = 0

    def _lines(self, keys, method, uri, body):
        lines = [self._line(key[0], self._answers[key], method, uri, body) for key in keys]
        return b"\r\n".join(lines) if lines else None

    def _line(self, proxy, answer, method, uri, body):
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
            b"Proxy-" if proxy else b"", quote(self.user), quote(realm), quote(nonce), uri, response,
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
