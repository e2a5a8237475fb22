"""Keys of SRTP in session descriptions (RFC 4568): the a=crypto lines of offers and answers. Loaded for the moment by who
offers and answers.

    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^31|1:4

What is not understood is not chosen: another suite, several keys, a master key identifier (it would stand in each packet), a
lifetime or a session parameter that we do not keep.
"""

from binascii import a2b_base64, b2a_base64
from os import urandom

from lend import lend
from micropython import const

_KEY_BYTES = const(30)  # 16 of the master key, 14 of the master salt
_DIGITS = b"0123456789"
# suite: bytes of a packet's tag (6.2)
_SUITES = {b"AES_CM_128_HMAC_SHA1_80": 10, b"AES_CM_128_HMAC_SHA1_32": 4}


def secrecy(agent, peer):
    """How secret the sound is to be that is agreed on with `peer`, 0 to 2 as in offer.offer(); -1: it would have to be, and cannot,
    since the keys would go there unencrypted."""
    if agent.keys_in_clear or len(peer) > 2 and peer[2] == b"TLS":
        return agent.secure
    return -1 if agent.secure == 2 else 0


def _read(line):
    """(tag, suite, master key and salt) of an a=crypto line, or None for one that is not to be chosen."""
    parts = line[9:].split()
    if len(parts) < 3 or not 0 < len(parts[0]) < 10 or parts[0].strip(_DIGITS):
        return None
    suite = parts[1]
    if suite not in _SUITES:
        return None
    # 6.3: without "-" in front they must be understood, and these change nothing for us but how much is protected
    for one in parts[3:]:
        if not one.startswith(b"WSH=") and not one.startswith(b"-"):
            return None
    inline, _, key = parts[2].partition(b":")
    key, _, rest = key.partition(b"|")
    if inline.lower() != b"inline" or b";" in parts[2] or b":" in rest:
        return None
    if rest and not _lasts(rest):
        return None
    try:
        key = a2b_base64(key)
    except ValueError:
        return None
    return (parts[0], suite, key) if len(key) == _KEY_BYTES else None


def _lasts(lifetime):
    """Whether the key is good for as many packets as a long call has: 2^20 are six hours (6.1)."""
    if lifetime.startswith(b"2^"):
        power = lifetime[2:]
        return power.isdigit() and len(power) < 3 and 20 <= int(power) <= 48
    return lifetime.isdigit() and len(lifetime) < 16 and int(lifetime) >= 1 << 20


def _line(tag, suite, key):
    return b"a=crypto:%s %s inline:%s\r\n" % (tag, suite, b2a_base64(key).strip())


def lines():
    """Those of an offer of ours, each suite with a key of its own."""
    return b"".join([
        _line(b"1", b"AES_CM_128_HMAC_SHA1_80", urandom(_KEY_BYTES)), _line(b"2", b"AES_CM_128_HMAC_SHA1_32", urandom(_KEY_BYTES)),
    ])  # fmt: skip


def renewed(line):
    """An a=crypto line of ours with a new key."""
    tag, suite, _ = _read(line)
    return _line(tag, suite, urandom(_KEY_BYTES))[:-2]


def answer(theirs, local):
    """(our line, Negotiated.keys) that answers the a=crypto lines `theirs`: the first that we can, with its tag (5.1.2). None
    when there is none. `local`: our SDP so far, or None: a key of ours for that suite stays."""
    for line in theirs:
        read = _read(line)
        if read:
            tag, suite, key = read
            ours = None
            for old in (local or b"").split(b"\r\n"):
                if old.startswith(b"a=crypto:"):
                    old = _read(old)
                    if old and old[1] == suite:
                        ours = old[2]
            if ours is None:
                ours = urandom(_KEY_BYTES)
            return _line(tag, suite, ours), (_SUITES[suite], ours, key)
    return None


def accept(mine, theirs):
    """Negotiated.keys of their answer's a=crypto lines to ours; None when it is not one of those that were offered."""
    for line in theirs:
        read = _read(line)
        for own in mine:
            own = _read(own)
            if read and own and own[:2] == read[:2]:
                return _SUITES[own[1]], own[2], read[2]
    return None


def refused(call):
    """488 to an offer with keys. In RTP/AVP they are for who would rather than must encrypt; who must, is asked once more so."""
    if b" RTP/AVP " in call._local:
        call._must = True
        lend("sip.calling").send(call)
    else:
        call._end(488, "the other side does not encrypt its sound, or not G.711 (488)")
