"""Issuing digest challenges and judging what comes back (RFC 7616; both algorithms offered, RFC 8760 2.1). Loaded for the
moment by the registrar; what lasts is in House.

A nonce is `when it was made, some chance, a seal`, in hex: nothing need be remembered of one before it was answered rightly, so
that asking costs no memory. After that its highest count is kept (and no count is taken twice); of those that had to be
forgotten, the newest is, and nothing as old is believed without having been kept.
"""

import os
from binascii import hexlify, unhexlify
from hashlib import sha256

from lend import lend
from micropython import const

from ..address import parse_uri
from ..scan import H_AUTHORIZATION, H_REQUIRE
from ..words import text

_hashes = lend("sip.hashes")  # not imported: what a file imports stays when the file itself is gone again

# sip.scan.field() of their names
_H_USER_AGENT = const(16)
_H_PROXY_AUTHORIZATION = const(18)
_H_REPLACES = const(29)

_LIFE_S = const(300)  # of a nonce
_HOSTS = const(8)  # whose wrong answers are counted
_FREE = const(3)  # wrong answers in a row before a host has to wait
_SHORTEST_S = const(5)
_LONGEST_S = const(300)
_MARK = const(6)
_MADE = const(8)  # bytes of what stands for a nonce, and
_COUNTED = const(12)  # with its count
_SLOT = const(18)  # and with the mark of its newest request
_SIMPLE = (b"baresip v0", b"baresip v1")
_PEER = const(7)  # of a binding; see house.py
_MD5 = const(2)
_NUMBER = const(2)  # of an account

_OK = const(0)
_STALE = const(1)  # right, but not with this nonce any more
_WRONG = const(2)
_NONE = const(3)  # not asked yet


def _seal(house, made):
    return sha256(house.secret + made).digest()[:8]


def _ask(house, request, source, proxy):
    """-> (0, None, (), user, flags) when the request shows a password of this house, the flags being those of the binding that may
    come of it; else (status, reason, header lines, b"", 0) that ask for one, as a registrar or as a proxy."""
    kept = house.wrong.get(source[0])
    wait_s = kept[1] - house.owner.now_s() if kept else 0
    if wait_s > 0:
        return 503, b"Too many wrong passwords", (b"Retry-After: %d" % wait_s,), b"", 0
    verdict, user, flags = _verdict(house, request, source[0], proxy)
    if verdict:
        return 407 if proxy else 401, None, _lines(house, request, source, verdict == _STALE, proxy), b"", 0
    return 0, None, (), user, flags


def register(house, agent, request, source):
    """10.3: a REGISTER."""
    lacking = request.get(H_REQUIRE) is not None and lend("sip.outside").lacking(agent, request, b":path, outbound")
    if lacking:
        status, reason, lines = 420, None, (lacking,)
    else:
        status, reason, lines, user, flags = _ask(house, request, source, False)
        if not status:
            return "registrar", "register", user, flags
    agent._reply(request, source, status, lines, reason)
    return True


def admit(house, agent, request, source, user, uri, routes, loop):
    """A request of who must show that he is a user of the house."""
    status, reason, lines, caller, _ = _ask(house, request, source, True)
    if not status:
        try:
            if _number(house, parse_uri(request.from_uri).user, caller) == caller:
                value = house.bridged and request.method == b"INVITE" and request.get(_H_REPLACES)
                leg = value and lend("sip.server.replaced").find(house, value)
                if leg:
                    return "replaced", "take", caller, leg, value
                if user != b"":
                    return "targets", "way", caller, user, uri, routes, loop
                house.guest = request
                return False
        except ValueError:
            pass
        status, reason, lines = 403, b"Not your number", ()
    if request.method != b"ACK":
        agent._reply(request, source, status, lines, reason)
    return True


def _number(house, user, caller):
    """Whose number a From's user part is, which may be a name."""
    if user == caller:
        return user
    account = house.owner.account(lend("sip.server.location").plain(user))
    return account and account[_NUMBER]


def _lines(house, request, source, stale, proxy):
    # best algorithm first
    made = house.owner.now_s().to_bytes(4, "big") + os.urandom(4)
    nonce = hexlify(made + _seal(house, made))
    more = b", stale=true" if stale else b""
    return tuple([
        b'%s-Authenticate: Digest realm="%s", nonce="%s", algorithm=%s, qop="auth"%s'
        % (b"Proxy" if proxy else b"WWW", house.realm, nonce, algorithm, more)
        for algorithm in ((b"MD5",) if _is_simple(house, request, source) else (b"SHA-256", b"MD5"))
    ])  # fmt: skip


def _is_simple(house, request, source):
    """Whether a phone is asked for MD5 alone: it has registered so, or it gives up when it meets an algorithm that it does not
    know, where it should take the next (RFC 8760 2.4). Who leaves out SHA-256 on the way could read the rest, too."""
    for one in house.bindings:
        if one[0] & _MD5 and lend("sip.server.record").read(one)[_PEER][0] == source[0]:
            return True
    agent = request.get(_H_USER_AGENT) or b""
    for start in _SIMPLE:
        if agent.startswith(start):
            return True
    who = sha256(request.call_id).digest()[:_MARK]
    asked = house.asked
    for at in range(0, len(asked), _MARK):
        if asked[at : at + _MARK] == who:
            return request.get(H_AUTHORIZATION) is None  # asked, and here again without an answer
    asked[:] = asked[_MARK:] + who
    return False


def _verdict(house, request, host, proxy):
    # -> (_OK, _STALE, _WRONG or _NONE, user, flags)
    for value in request.raw(_H_PROXY_AUTHORIZATION if proxy else H_AUTHORIZATION):
        try:
            answer = _hashes.parse_challenge(value)
        except ValueError:
            continue
        if answer[b""] == b"digest" and answer.get(b"realm") == house.realm:
            break
    else:
        return _NONE, b"", 0
    user = answer.get(b"username", b"")
    verdict = _judge(house, request, answer, user)
    if verdict == _WRONG:
        _strike(house, host, user)
    elif verdict == _OK:
        house.wrong.pop(host, None)
    return verdict, user, _MD5 if answer.get(b"algorithm", b"MD5").upper() == b"MD5" else 0


def _judge(house, request, answer, user):
    algorithm = answer.get(b"algorithm", b"MD5").upper()
    count = answer.get(b"nc", b"")
    hashes = house.owner.account(user)
    # Only what was asked for: qop, and one of two algorithms.
    if hashes is None or answer.get(b"qop") != b"auth" or algorithm not in (b"MD5", b"SHA-256") or len(count) != 8:
        return _WRONG
    nonce = answer.get(b"nonce", b"")
    wanted = _hashes.digest_of(
        algorithm, hashes[algorithm != b"MD5"], request.method, answer.get(b"uri", b""), nonce, count,
        answer.get(b"cnonce", b""), b"auth",
    )  # fmt: skip
    if not _same(wanted, answer.get(b"response", b"").lower()):
        return _WRONG
    try:
        raw = unhexlify(nonce)
        count = int(count, 16)
    except ValueError:
        return _WRONG
    made = raw[:8]
    if len(raw) != 16 or not _same(_seal(house, made), raw[8:]) or house.owner.now_s() - int.from_bytes(made[:4], "big") > _LIFE_S:
        return _STALE
    mark = sha256(request.data).digest()[:_MARK]
    now = made + count.to_bytes(4, "big") + mark
    answered = house.answered
    oldest = None
    for at in range(0, len(answered), _SLOT):
        one = bytes(memoryview(answered)[at : at + _SLOT])
        if one[:_MADE] == made:
            # The very same message: our answer was lost.
            if now != one and now[:_COUNTED] <= one[:_COUNTED]:
                return _STALE
            break
        if oldest is None or one < oldest:
            oldest, slot = one, at
    else:
        if made[:4] <= house.forgotten:
            return _STALE
        if oldest != bytes(_SLOT):
            house.forgotten = oldest[:4]
        at = slot
    answered[at : at + _SLOT] = now
    return _OK


def _same(a, b):
    # In a time that does not tell where they differ
    if len(a) != len(b):
        return False
    differ = 0
    for i in range(len(a)):
        differ |= a[i] ^ b[i]
    return not differ


def _strike(house, host, user):
    kept = house.wrong.get(host)
    if kept is None:
        if len(house.wrong) >= _HOSTS:
            del house.wrong[min(house.wrong, key=lambda one: house.wrong[one][1])]
        kept = house.wrong[host] = [0, 0]
    kept[0] += 1
    if kept[0] >= _FREE:
        pause_s = min(_SHORTEST_S << min(kept[0] - _FREE, 8), _LONGEST_S)
        kept[1] = house.owner.now_s() + pause_s
        words = "Wrong passwords from %s, %d in a row, the last for '%s': it is not heard for %d s."
        house.owner.tell(words % (host, kept[0], text(user), pause_s))
        if kept[0] == _FREE:
            house.owner.changed(user, None)  # who keeps the accounts knows what to do, and says so once
