"""The phones of the house: who they are, and what stands for their passwords. Loaded for the moment by lend().

phones.txt has a line for each, `101 kitchen HA1md5 HA1sha256`: number, name, and for each algorithm the hash of number, realm and
password that a registrar needs (RFC 7616 3.4.2). The password itself is nowhere. What is no such line is left as it is."""

import os
from binascii import hexlify
from hashlib import md5, sha256

from micropython import const

from .config import Mistake

_FILE = "./phones.txt"  # not ten letters: a short text would be kept as a name is
_FIRST = const(101)
_LINE = const(160)  # bytes; what is longer is none of ours
_ENOENT = const(2)


def each():
    """(number, name, HA1 by MD5, HA1 by SHA-256) of each phone, the hashes in hex, all of them bytes. A file that cannot be read
    has none: whoever writes it hears why."""
    try:
        with open(_FILE, "rb") as f:
            while True:
                line = f.readline(_LINE)
                if not line:
                    return
                parts = line.split()
                if len(parts) == 4 and len(parts[2]) == 32 and len(parts[3]) == 64 and _is_text(parts[0] + parts[1]):
                    yield parts
    except OSError:
        return


def _is_text(data):
    try:
        data.decode()
    except UnicodeError:
        return False
    return True


def account(user):
    """(HA1 by MD5, HA1 by SHA-256, number, name), all bytes, of who has this number or is called so, whatever the capitals; None
    for no phone of this house."""
    user = user.lower()
    phones = each()
    for number, name, first, second in phones:
        if number == user or name.lower() == user:
            phones.close()  # and the file
            return first, second, number, name
    return None


def number_of(name):
    """The number (bytes) of who is called so (text), or has it; None for nobody."""
    found = account(name.encode())
    return found and found[2]


def numbers(target):
    """A target (text) with numbers in the place of names: "kitchen,102" is "101,102"."""
    if "@" in target or ":" in target:
        return target
    return ",".join([(number_of(one) or one.encode()).decode() for one in target.replace(" ", "").split(",")])


def name_of(number):
    """What the phone of a number (bytes) is called, as text; "" for nobody."""
    found = account(number)
    return found[3].decode() if found else ""


def add(name, realm, password, taken):
    """A phone's number (text): that which it has, or the lowest that is free, from 101 up, and not among `taken`. From now on it
    has this password. Mistake when the flash refuses."""
    known = number_of(name)
    number = known
    if not known:
        used = [one[0] for one in each()] + [one.encode() for one in taken]
        number = _FIRST
        while b"%d" % number in used:
            number += 1
        number = b"%d" % number
    text = b"%s:%s:%s" % (number, realm.encode(), password.encode())
    _write(b"%s %s %s %s\n" % (number, name.encode(), hexlify(md5(text).digest()), hexlify(sha256(text).digest())), known)
    return number.decode()


def remove(number):
    """Forgets the phone of a number (bytes)."""
    _write(b"", number)


def _write(more, without):
    """Replaces the file in one step by a rename: after a power cut the old one or the new one is there, whole. `more` takes the
    place of the line of the number `without`, or is the last."""
    try:
        with open(_FILE + ".new", "wb") as f:
            try:
                with open(_FILE, "rb") as old:
                    line = b"\n"
                    while True:
                        was, line = line, old.readline(_LINE)
                        if not line:
                            break
                        if was.endswith(b"\n") and without and line.split()[:1] == [without]:
                            f.write(more)
                            more = b""
                        else:
                            f.write(line)
                    if not was.endswith(b"\n"):
                        f.write(b"\n")
            except OSError as e:
                if e.args[0] != _ENOENT:
                    raise
            f.write(more)
            f.flush()
        os.rename(_FILE + ".new", _FILE)
    except OSError as e:
        raise Mistake("%s could not be written (%s)" % (_FILE, e))
