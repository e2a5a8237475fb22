"""The location service (RFC 3261 10.2): where the users of the house are. Loaded for the moment; the bindings are in House."""

from lend import lend
from micropython import const

from ..address import parse_uri

record = lend("sip.server.record")
mark, write, read, to, seal = record.mark, record.write, record.read, record.to, record.seal

_USER = const(0)  # of a binding that was read; see house.py
_URI = const(1)
_Q = const(2)
_EXPIRES = const(3)
_INSTANCE = const(8)
_USUAL = const(5060)


def plain(user):
    """The user part of a URI without escapes: %31 and 1 are the same (RFC 3261 19.1.4)."""
    if b"%" not in user:
        return user
    parts = user.split(b"%")
    out = [parts[0]]
    for one in parts[1:]:
        try:
            out.append(bytes((int(one[:2], 16),)) + one[2:])
        except ValueError:
            out.append(b"%" + one)
    return b"".join(out)


def is_ours(house, agent, uri):
    """Whether a Uri names this house: its address, or the realm; a maddr must be its address, too (16.4)."""
    here = agent.host.encode()
    if uri.params and uri.param(b"maddr") not in (None, here):
        return False
    host = uri.host.lower()
    port = uri.port
    if host == house.realm.lower() or host in house.names:
        port = port or agent.port  # name servers could say which
    elif host != here:
        return False
    port = port or _USUAL
    return port == agent.port or port == agent.port + 1


def sweep(house):
    """Forgets what has expired."""
    now_s = house.owner.now_s()
    for kept in list(house.bindings):
        one = read(kept)
        if one[_EXPIRES] <= now_s:
            house.bindings.remove(kept)
            house.owner.changed(one[_USER], False)


def remove(house, user):
    """Forgets where a user is."""
    for kept in list(house.bindings):
        if read(kept)[_USER] == user:
            house.bindings.remove(kept)
            house.owner.changed(user, False)


def records(house, user, but=b""):
    """The bindings of a user, or of all but one for None, as they are kept, the most wanted first."""
    sweep(house)
    found = []
    for kept in house.bindings:
        one = read(kept)[_USER]
        if one == user or user is None and one != but:
            found.append(kept)
    # Stable, so that of equals the one that registered first rings first.
    return sorted(found, key=lambda kept: -read(kept)[_Q])


def contacts(house, user=None):
    """The bindings of a user (bytes), or of all for None, that have not expired, as they are read, the most wanted first."""
    return [read(kept) for kept in records(house, user)]


def find(house, user, uri, instance):
    """What House keeps of the binding that a Contact of this user, or of anybody for None, renews: of the same instance and reg-id
    (RFC 5626 6), or of an equal URI (RFC 3261 19.1.4). None when it is a new one. `instance`: their mark(), b"" for none."""
    for kept in house.bindings:
        one = read(kept)
        if user is not None and one[_USER] != user:
            continue
        if instance == one[_INSTANCE] if instance and one[_INSTANCE] else same(uri, one[_URI]):
            return kept
    return None


def same(a, b):
    """Whether two Contact URIs are equal (RFC 3261 19.1.4), as far as it matters for where requests go: scheme, user, host,
    port, transport."""
    if a == b:
        return True
    a, b = parse_uri(a), parse_uri(b)
    return (
        (a.scheme, plain(a.user), a.host.lower(), a.port) == (b.scheme, plain(b.user), b.host.lower(), b.port)
        and (a.param(b"transport") or b"").lower() == (b.param(b"transport") or b"").lower()
    )  # fmt: skip
