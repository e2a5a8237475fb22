"""A call that comes: let in or not, answered or rung here. Loaded for the moment by lend()."""

from time import ticks_add, ticks_ms

from lend import lend
from micropython import const

from .config import Mistake
from .console import Lines

_QUIET_S = const(10)  # a flood of calls that are refused is one line in ten seconds


def incoming(door, new):
    """See Door._on_call()."""
    door._call = new
    new.on_event = door._on_event
    new.ring()  # first of all: the caller waits
    facts = new.facts()
    # Who is let in may also ask to be answered at once, as intercoms and paging do: so it is not for just anyone.
    after_s = 0 if door.config.get("call.incoming") == "answer" else facts["answer_after_s"]
    new.display = facts["display"]
    house = door._agent.house
    if house and house.guest and not facts["private"]:
        new.display = lend("sip.server.caller").guest(house, door._agent, new.display)
    door.say(new.words())
    if facts["diverted"]:
        door.say("It was meant for %s." % facts["diverted"])
    try:
        if after_s == 0:
            answer(door, new)
        else:
            door._limits("call.ring_s")
            if after_s:
                new.answers_itself = True
                door._limit = after_s
                door._deadline = ticks_add(ticks_ms(), after_s * 1000)
            lend("door.sound").start(door)
            door._stream.tone("ringback")
    except Exception as e:
        door._call = None
        if isinstance(e, Mistake):
            door.say(str(e))
        else:
            door._fault(e)
        new.reject(500)
        door._stop_sound()


def refuse(door, host):
    """A call is not let in: tells the console, now and then. -> the reason for the caller, with what would let it in."""
    peers = door.config.get("call.peers")
    how = "door.set('call.peers', '%s')" % (peers + "," + host if peers else host)
    if door._up_s >= door._refused_s:
        door._refused_s = door._up_s + _QUIET_S
        door.say("Refused a call from %s, which is neither sip.server nor listed: %s lets it in." % (host, how))
    return ("This address is not listed at the door: %s" % how).encode()


def answer(door, new):
    """Takes a call that rings here."""
    port = lend("door.sound").start(door)
    try:
        new.answer(door._agent.host, port)
    except MemoryError:
        # What is kept of calls that are over goes first: a visitor waits. (If the 200 has gone already, this does nothing more.)
        door._agent.make_room()
        new.answer(door._agent.host, port)
    return Lines(new.words())
