"""The phones of the house, as a person asks for them. Loaded for the moment by lend()."""

import os

from lend import lend
from micropython import const

from .config import Mistake
from .console import Lines

_LETTERS = b"abcdefghijkmnpqrstuvwxyz23456789"  # 32 that nobody takes for another
_LONG = const(12)  # 60 bits
_LONGEST = const(16)


def phones(door):
    """Each phone of the house, where it is registered, and which cannot be reached."""
    house(door)
    return Lines(lend("door.household").each(door))


def add_phone(door, name):
    """A new account, with a number and a password of its own; for a phone that there is, a new password, and the one that it had is
    void. -> what to give the phone. Mistake, in words."""
    here = house(door)
    accounts = lend("door.accounts")
    if not isinstance(name, str) or not _is_name(name):
        raise Mistake('a phone has a name of 1 to %d letters, digits and hyphens: door.add_phone("kitchen")' % _LONGEST)
    get = door.config.get
    taken = get("house.all"), get("sip.user")
    if name.lower() in [one.lower() for one in taken]:
        raise Mistake("%s is what rings all phones, or the door itself (house.all, sip.user): give the phone another name" % name)
    known = accounts.number_of(name)
    password = bytes([_LETTERS[byte & 31] for byte in os.urandom(_LONG)]).decode()
    number = accounts.add(name, get("house.realm"), password, taken)
    accounts = None
    if known:
        _forget(door, here, known)
    return Lines(lend("door.provision").lines(door, name, number, password, known))


def remove_phone(door, which):
    """Forgets a phone, by its name or its number, and where it is registered. Mistake, in words."""
    here = house(door)
    accounts = lend("door.accounts")
    number = accounts.number_of(str(which))
    if not number:
        raise Mistake("there is no phone %s; door.phones() lists them" % which)
    name = accounts.name_of(number)
    accounts.remove(number)
    accounts = None
    _forget(door, here, number)
    return Lines("%s, %s, is no phone of this house any more." % (name, number.decode()))


def _forget(door, here, number):
    """The phone of a number (bytes) has to register anew, if it can."""
    lend("sip.server.location").remove(here, number)
    lend("door.bindings").save(here)  # at once: who has this number next is not to be rung, after a power cut, where it was
    if door._offered and door._offered[2][2].encode() == number:
        lend("door.provision").end(door)


def advice(user):
    """What to do about wrong passwords of who says to be `user` (bytes)."""
    account = lend("door.accounts").account(user)
    if not account:
        return "No phone of this house has that account: door.phones() lists those there are."
    number, name = [one.decode() for one in account[2:]]
    if user != account[2]:
        return "%s is what the phone is called: its account is %s." % (name, number)
    return '%s is the account of %s: door.add_phone("%s") gives that a new password, if the old one is lost.' % (number, name, name)


def house(door):
    """The house that this door is. Mistake, in words, when it is none."""
    here = door._agent and door._agent.house
    if not here:
        if door.config.get("sip.mode") == "house":
            raise Mistake("not ready yet; the network: %s" % lend("door.words").network_words(door))
        raise Mistake('the phones are registered elsewhere; door.set("sip.mode", "house") lets them register at this door')
    return here


def _is_name(name):
    """Letters of the alphabets from Latin to Arabic (U+00C0 to U+07FF), digits, - and _, by their bytes: each character by itself
    would become a name of the interpreter, for good."""
    data = name.encode()
    for byte in data:
        if byte != 0xC2 and 0x80 <= byte < 0xE0:
            continue
        if not (48 <= byte < 58 or 65 <= byte < 91 or 97 <= byte < 123 or byte == 45 or byte == 95):
            return False
    return 0 < len(name) <= _LONGEST and data[0] != 45 and not 48 <= data[0] < 58
