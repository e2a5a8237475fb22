"""The way out of the house: its accounts at servers outside, as they are configured. Loaded for the moment by lend()."""

import gc
import sys

from lend import lend
from micropython import const

_ROOM = 40960 if sys.maxsize >> 31 else 20480  # bytes that such calls want free; where pointers have 32 bits, half
_SERVER = const("out pair leg bridge")


def begin(door, agent, transport):
    """Makes the accounts of house.out and house.out2. -> the first Registration, None without. ValueError for a bad server."""
    get = door.config.get
    agent.house.out = ()
    made = []
    for group in ("house.out.", "house.out2."):
        server = get(group + "server")
        user = get(group + "user")
        if server and not user:
            door._tell('%s has no account for calls outside: door.set("%suser", "...").' % (server, group))
        if not server or not user:
            continue
        account = lend("sip.accounts").make(
            agent,
            (server, user, get(group + "password"), get(group + "auth_user"), get("sip.expires_s"), "", "", transport, ""),
        )
        prefixes = get(group + "prefixes").replace(" ", "").encode().split(b",")
        phones = lend("door.accounts").numbers(get(group + "phones")).encode()
        made.append((account, tuple([one for one in prefixes if one]), phones))
    agent.house.out = tuple(made)
    if not made:
        return None
    first = made[0][0]
    if len(made) > 1:
        # Who looks for an account's server finds that of the second by the first.
        first.second = made[1][0]
        first.second.first = first
    agent.registration = first
    for leaf in _SERVER.split():
        lend("sip.server." + leaf)  # what it is called comes to lie low, as in setup.py
    for one in made:
        one[0].start()
    gc.collect()
    if gc.mem_free() < _ROOM:
        door._tell("Calls outside may fail: they want %d KB of memory, and this board has %d left; one with PSRAM has more." % (
            _ROOM // 1024, gc.mem_free() // 1024))
    return first
