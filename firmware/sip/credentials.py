"""The header field lines that answer a challenge (RFC 7616 3.4). Loaded for the moment by digest.py."""

from lend import lend
from micropython import const

from .address import quote

_hashes = lend("sip.hashes")  # not imported: what a file imports stays when the file itself is gone again

# What challenged.py has taken up
_CHALLENGE = const(0)
_COUNT = const(1)
_CNONCE = const(2)


def lines(account, answers, keys, method, uri, body):
    """Those for the challenges in `answers` under these keys, joined by CRLF. `account` has user and password (bytes)."""
    return b"\r\n".join([_line(account, key[0], answers[key], method, uri, body) for key in keys])


def _line(account, proxy, answer, method, uri, body):
    challenge = answer[_CHALLENGE]
    answer[_COUNT] += 1
    algorithm = challenge.get(b"algorithm", b"MD5")
    qop = _hashes.qop_of(challenge)
    session = algorithm.lower().endswith(b"-sess")
    nc = b"%08x" % answer[_COUNT]
    realm = challenge[b"realm"]
    nonce = challenge[b"nonce"]
    cnonce = answer[_CNONCE]
    response = _hashes.digest_response(
        algorithm, account.user, realm, account.password, method, uri, nonce, nc, cnonce, qop, body
    )
    line = b'%sAuthorization: Digest username=%s, realm=%s, nonce=%s, uri="%s", response="%s"' % (
        b"Proxy-" if proxy else b"", quote(account.user), quote(realm), quote(nonce), uri, response,
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
