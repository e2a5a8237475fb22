"""What a 401 or 407 asks for, taken up (RFC 7616 3.3, RFC 8760 2.3). Loaded for the moment by digest.py."""

import os
from binascii import hexlify

from lend import lend
from micropython import const

from .scan import H_AUTHORIZATION, H_PROXY_AUTHENTICATE, H_WWW_AUTHENTICATE, field

_hashes = lend("sip.hashes")  # not imported: what a file imports stays when the file itself is gone again

# A challenge that was taken up, as a list: objects of a class of this file would keep the file in the heap.
_CHALLENGE = const(0)
_COUNT = const(1)  # how often its nonce was used
_STRIKES = const(3)  # how often in a row a nonce was called stale that had never been accepted; before it, our cnonce

_REALMS = const(4)  # kept at once, a server's and its proxies'
_PATIENCE = const(2)  # strikes that are forgiven


def _read(value):
    try:
        return _hashes.parse_challenge(value)
    except ValueError:
        return {}


def _rank(challenge):
    # 0 when it cannot be answered
    if challenge.get(b"") != b"digest" or b"nonce" not in challenge or b"realm" not in challenge:
        return 0
    algorithm = challenge.get(b"algorithm", b"md5").lower()
    if algorithm not in _hashes.ALGORITHMS or _hashes.qop_of(challenge) is None:
        return 0
    return 2 if algorithm.startswith(b"sha") else 1


def take(answers, message, sent):
    """The first step of Authenticator.answer(): -> the keys of `answers` to be answered, None when that makes no sense."""
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
    chain = [key for key in used if key in answers]
    again = False
    for realm in best:
        key = (proxy, realm)
        if _keep(answers, key, best[realm], used.get(key)):
            again = True
            if key not in chain:
                chain.append(key)
    if len(answers) > _REALMS:
        for key in list(answers):
            if key not in chain:
                del answers[key]
    if not again or len(chain) > _REALMS:
        return None
    return chain


def _keep(answers, key, challenge, used):
    """Keeps a challenge; False when it says no to what was answered. `used`: the nonce that the request had."""
    old = answers.get(key)
    strikes = 0
    if old and used == old[_CHALLENGE][b"nonce"]:
        accepted = old[_COUNT] > 1
        if not accepted:
            strikes = old[_STRIKES] + 1
        stale = challenge.get(b"stale", b"").lower() == b"true" or accepted and challenge[b"nonce"] != used
        if not stale or strikes > _PATIENCE:
            # The next attempt, minutes later, begins anew: with a challenge of its own.
            del answers[key]
            return False
    elif old and old[_CHALLENGE][b"nonce"] == challenge[b"nonce"]:
        return True  # the same nonce for another request: it is counted on
    answers[key] = [challenge, 0, hexlify(os.urandom(8)), strikes]
    return True


def follow(answers, value):
    """See Authenticator.next_nonce()."""
    # It has the form of a challenge's parameters.
    nonce = _read(b"Digest " + value).get(b"nextnonce")
    keys = [key for key in answers if not key[0]]
    if nonce and len(keys) == 1:
        kept = answers[keys[0]]
        if kept[_CHALLENGE][b"nonce"] != nonce:
            kept[_CHALLENGE][b"nonce"] = nonce
            kept[_COUNT] = 0
