"""The connections that phones have registered by, and what keeps a phone's way in open (RFC 5626). Loaded for the moment."""

from lend import lend
from micropython import const

_PEER = const(7)  # of a binding; see house.py
_EXPIRES = const(3)
_COOKIE = b"\x21\x12\xa4\x42"  # RFC 5389 6
_HEADER = const(20)
_ENFILE = const(23)


def keep_alive(agent, data, source):
    """A STUN Binding request: a phone of ours hears from where it came (RFC 5626 4.4.2). Anybody else is not answered: his
    address may be forged."""
    house = agent.house
    size = len(data)
    if size < _HEADER or data[:2] != b"\0\1" or data[4:8] != _COOKIE or data[2] << 8 | data[3] != size - _HEADER:
        agent.bad += 1
        return
    location = lend("sip.server.location")
    for record in house.bindings:
        if location.read(record)[_PEER] == source:
            break
    else:
        return
    try:
        host = bytes([int(part) for part in source[0].split(".")])
    except ValueError:
        return  # IPv6: nobody is behind a NAT there
    port = source[1] ^ 0x2112
    # A success with XOR-MAPPED-ADDRESS alone (RFC 5389 15.2).
    value = b"\0\x20\0\x08\0\1" + bytes((port >> 8, port & 255)) + bytes([host[k] ^ _COOKIE[k] for k in range(4)])
    agent.send(b"\1\1\0\x0c" + data[4:_HEADER] + value, source)


def needed(house, key):
    """Whether a phone is reached by this connection."""
    location = lend("sip.server.location")
    now_s = house.owner.now_s()
    for record in house.bindings:
        one = location.read(record)
        if one[_PEER] == key and one[_EXPIRES] > now_s:
            return True
    return False


def lost(house, key):
    """A connection is gone: so is the way to whoever registered by it, and what was sent there is not answered any more."""
    location = lend("sip.server.location")
    for record in list(house.bindings):
        if location.read(record)[_PEER] == key:
            house.silent(record, 1)
    location = None
    for one in list(house.forwards):
        one.work("lost", key)


def full(house, agent, source, gone, location):
    """Whether one more phone by a connection, from `source`, would be one too many; `gone`: what House keeps of bindings that
    it takes the place of."""
    keys = [source]
    for record in house.bindings:
        peer = location.read(record)[_PEER]
        if record not in gone and len(peer) > 2 and peer not in keys and lend("sip.server.reach").lives(agent, peer):
            keys.append(peer)
    if len(keys) <= house.max_tcp:
        house.told = False
        return False
    tell(house, source[0])
    return True


def tell(house, host=None):
    """A person hears once that there is no room for a connection from `host`; None: from nobody knows whom, for want of a socket."""
    if house.told:
        return
    house.told = True
    house.owner.tell(
        "No room for a connection from %s: %d phones may have one. Let it register over UDP, or raise house.max_tcp." % (host, house.max_tcp)
        if host else "No room for a phone's connection: %s." % lend("sip.sockets").words(OSError(_ENFILE)))
