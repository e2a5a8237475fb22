"""The house begins and ends, and how it is, in words. Loaded for the moment by lend()."""

import sys

from lend import lend
from micropython import const

_SOON_MS = const(2000)  # from a phone that came to the file: others may come with it
_SELDOM_S = const(60)  # between two writes: flash does not last for ever
_TALKS_MS = const(10000)  # a write may hold up the sound of a call: it waits for the end
_SERVER = const("challenge entry targets sending forward outcome derived registrar flows")
_SIP = const("outside other accounts")
_DOOR = const("accounts phones")
_TRANSACTIONS = const(24)  # at once: requests of the phones are on their way beside the door's own
_EXPIRES = const(3)  # of a binding; see sip/server/house.py
_FLAGS = const(9)


def begin(door, agent):
    """Makes this agent the registrar and proxy of the house, as it is configured now; one that it is already goes on."""
    get = door.config.get
    realm, everybody = get("house.realm").encode(), get("house.all").encode()
    house = agent.house
    if house is None:
        is_first = "sip.server.house" not in sys.modules
        from sip.server.house import House  # these two stay: a door with a PBX does without them

        from .home import Home

        # What they are called comes to lie low, as in setup.py.
        for leaf in _SERVER.split() if is_first else ():
            lend("sip.server." + leaf)
        for leaf in _SIP.split() if is_first else ():
            lend("sip." + leaf)
        for leaf in _DOOR.split() if is_first else ():
            lend("door." + leaf)
        house = House(realm, everybody, Home(door))
        agent.house = house
        lend("door.bindings").restore(agent, house)
    agent.transactions.limit = _TRANSACTIONS
    agent.transactions.near = agent.host, ""
    house.realm = realm
    house.everybody = everybody
    house.max_tcp = get("house.max_tcp")
    house.redirected = tuple(get("house.redirect").encode().split(b",")) if get("house.redirect") else ()
    door._tell(words(door))


def end(agent):
    """The phones are registered elsewhere from now on."""
    house = agent.house
    for leg in list(house.bridged):
        leg.hangup()
    agent.house = None
    agent.transactions.near = ()
    agent.timers.cancel(house.owner.saving)
    house.forwards.clear()


def news(home, what):
    """See Home.later(): says it, and has it written, seldom, and when no call talks."""
    house = home.door._agent.house
    if what is None:
        if home.door._call is None:
            lend("door.bindings").save(house)
            return
        wait_ms = _TALKS_MS
    else:
        user, is_here = what
        if is_here is None:
            home.door.say(lend("door.phones").advice(user))
            return
        name = lend("door.accounts").name_of(user)
        if name:  # who was removed has been said to be
            home.door.say("%s (%s) is %s." % (user.decode(), name, "registered" if is_here else "not registered any more"))
        if home.saving is not None:
            return
        wait_ms = _SOON_MS if home.now_s() - home.saved_s >= _SELDOM_S else _SELDOM_S * 1000
    home.saving = home.door._agent.timers.after(wait_ms, home.later)


def count(house):
    """(how many phones there are, how many of them it is known of where they are)"""
    known = [one[0] for one in lend("door.accounts").each()]
    location = lend("sip.server.location")  # when that other file is gone: in a call there is not room for both
    return len(known), sum([1 for number in known if location.records(house, number)])


def words(door):
    """The house in a sentence."""
    known, here = count(door._agent.house)
    if not known:
        return 'This door is the PBX of its house, which has no phones yet: door.add_phone("kitchen").'
    return "This door is the PBX of its house: %d of %d phones are registered. door.phones() lists them." % (here, known)


def each(door):
    """A line a phone, and what concerns all of them."""
    house = door._agent.house
    now_s = door._up_s
    location = lend("sip.server.location")
    road = lend("sip.server.reach")
    none = True
    for number, name, _, _ in lend("door.accounts").each():
        none = False
        who = (number.decode(), name.decode())
        here = location.records(house, number)
        if not here:
            yield "%-6s%-17s not registered: it does not ring" % who
        for kept in here:
            one = location.read(kept)
            peer = road.reach(door._agent, kept)[1]
            if not peer:
                yield "%-6s%-17s not reachable: its connection is gone" % who
                continue
            note = ""
            if one[_FLAGS] & 1:
                note = "; it did not answer when it was rung last"
            elif not road.lives(door._agent, peer):
                note = "; it has no connection now, and a call tries to make one"
            yield "%-6s%-17s %s:%d over %s, for %d s more%s" % (who + (
                peer[0], peer[1], (peer[2] if len(peer) > 2 else b"UDP").decode(), one[_EXPIRES] - now_s, note))
    if none:
        yield 'The house has no phones yet: door.add_phone("kitchen").'
