"""The bindings of the house on the flash, so that after a reset the bell rings at once. Loaded for the moment by lend().

bindings.txt has a line for each, as sip.server.location writes it, in hex. Its end tells whether it is whole; it is replaced by a
rename, so that after a power cut the old one or the new one is there. A file that cannot be used is no fault: phones register
again by themselves, within the time that they were granted."""

import os
from binascii import hexlify, unhexlify
from hashlib import sha256

from lend import lend
from micropython import const
from sip.address import parse_uri

_FILE = "bindings.txt"
_MAX_FILE = const(32768)
_USER = const(0)  # of a binding; see sip/server/house.py
_URI = const(1)
_EXPIRES = const(3)
_PEER = const(7)
_FLAGS = const(9)
_GRANTED_S = const(10)
_MD5 = const(2)  # of the flags


def save(house):
    """Writes what there is. A flash that refuses is told of, and asked again at the next change."""
    owner = house.owner
    owner.saving = None
    owner.saved_s = owner.now_s()
    seal = sha256()
    try:
        with open(_FILE + ".new", "wb") as f:
            for record in house.bindings:
                seal.update(record)
                f.write(hexlify(record))
                f.write(b"\n")
            f.write(hexlify(seal.digest()))
            f.flush()
        os.rename(_FILE + ".new", _FILE)
    except OSError as e:
        owner.tell("%s could not be written (%s): after a reset the bell is silent until the phones register again." % (_FILE, e))


def restore(agent, house):
    """Puts those of the file in force, each for as long as it was once granted: nobody knows for how long the power was off, and
    a phone that is there renews it within that time."""
    location = lend("sip.server.location")
    seal = sha256()
    found = []
    try:
        if os.stat(_FILE)[6] > _MAX_FILE:
            return
        with open(_FILE, "rb") as f:
            for line in f:
                line = unhexlify(line.strip())
                if not line:
                    continue
                if len(line) == 32 and line == seal.digest():
                    break
                seal.update(line)
                found.append(line)
            else:
                return
    except (OSError, ValueError, MemoryError):
        return
    for line in found[: house.LIMIT]:
        try:
            one = list(location.read(line))
            parse_uri(one[_URI])
            agent.pack(*one[_PEER][:2])
            if not house.owner.account(one[_USER]):
                continue
            one[_EXPIRES] = house.owner.now_s() + one[_GRANTED_S]
            if len(one[_PEER]) > 2:
                one[_PEER] = agent.address_of(one[_URI])
                one[_FLAGS] &= _MD5  # nothing is known of it yet, and no way is left but this
            house.bindings.append(location.write(*one))
        except Exception:  # of another version, or of nothing that we know: no such line keeps a door from starting
            continue
