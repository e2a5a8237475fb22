"""A binding of the location service as House keeps it. Loaded for the moment."""

from binascii import hexlify
from hashlib import sha256
from struct import pack, unpack_from

from micropython import const

from ..address import split_list

# These, and behind them user, URI, host and Path. As lists twenty would take 10 KB more.
_FORM = ">BHIHI6s6sHBBBBH"
_HEAD = const(33)
_KINDS = (None, b"TCP", b"TLS")  # of a peer
_NOBODY = b"\0\0\0\0\0\0"
_ROUTED = const(128)  # of the flags: its Path values are all the Route values that a request has


def mark(value):
    """Six bytes that stand for a value, which need only be told from others; those of b"" are six zeros."""
    return sha256(value).digest()[:6] if value else _NOBODY


def write(user, uri, q, expires_s, call, cseq, paths, peer, instance, flags, granted_s):
    """A binding, see house.py, as the bytes that are kept of it; ValueError when a part is too long."""
    host = peer[0].encode()
    path = b", ".join(paths)
    kind = _KINDS.index(peer[2]) if len(peer) > 2 else 0
    if len(user) > 255 or len(uri) > 255 or len(path) > 2000:
        raise ValueError("too long")
    head = pack(
        _FORM, flags, q, expires_s, granted_s, cseq & 0xFFFFFFFF, call, instance or _NOBODY, peer[1], kind,
        len(user), len(uri), len(host), len(path),
    )  # fmt: skip
    return b"".join((head, user, uri, host, path))


def read(record):
    """What write() was given, in a tuple."""
    flags, q, expires_s, granted_s, cseq, call, instance, port, kind, user, uri, host, path = unpack_from(_FORM, record)
    uri += _HEAD + user
    host += uri
    peer = (record[uri:host].decode(), port)
    if kind:
        peer += (_KINDS[kind],)
    return (
        record[_HEAD : _HEAD + user], record[_HEAD + user : uri], q, expires_s, call, cseq,
        tuple(split_list(record[host : host + path])) if path else (), peer, b"" if instance == _NOBODY else instance,
        flags, granted_s,
    )  # fmt: skip


def to(uri, peer, routes):
    """What stands for a binding where a request in a dialog goes to: a URI by a peer, with these Route values alone."""
    return write(b"", uri, 1000, 0, _NOBODY, 0, routes, peer, b"", _ROUTED, 0)


def seal(house, call_id):
    """What tells our own Record-Route of a dialog from anybody's: whoever shows it may pass, nobody else can make us relay."""
    return hexlify(sha256(house.secret + call_id).digest()[:6])


def branch(forward, index):
    """The branch parameter of one of its branches: behind the prefix and the token its number, and what a loop is known by."""
    return b"z9hG4bKh%s%02x%s" % (forward.token, index, forward.loop)
