"""The beginning of a call, ours or another's. Loaded for the moment by lend()."""

from time import ticks_add, ticks_ms

from lend import lend
from micropython import const

from .config import Mistake
from .console import Lines

_QUIET_S = const(10)  # a flood of calls that are refused is one line in ten seconds


def call(door, target):
    """See Door.call()."""
    if door._call is not None:
        raise Mistake("there is a call already: %s door.hangup() ends it." % door._call.words())
    target = target or door.config.get("button.1.target")
    if not target:
        raise Mistake('the button has nobody to call: door.set("button.1.target", "sip:101@192.0.2.10")')
    if door._agent is None:
        raise Mistake("not ready for a call yet; the network: %s" % lend("door.words").network_words(door))
    port = lend("door.sound").start(door)
    try:
        new = door._agent.call(target, door._agent.host, port, door._on_event)
    except ValueError as e:
        door._stop_sound()
        raise Mistake(str(e))
    if new.state != "ended":
        door._call = new
        door._limits("call.ring_s")
    return lend("door.wait").Calling(new)


def press(door, n):
    """See Door.press()."""
    here = door._call
    if here is not None:
        if here.incoming and here.state == "incoming":
            return _answer(door, here)
        return Lines("Nothing to do: %s" % here.words())
    try:
        return call(door, door.config.get("button.%d.target" % (n + 1)))
    except Mistake:
        lend("door.sound").fail_tone(door, "error")
        raise


def pressed(door, n):
    """Button n itself was pressed."""
    try:
        door.say("The button: %s" % door.press(n))
    except Mistake as e:
        door.say("The button: %s" % e)
    except Exception as e:
        door._fault(e)


def incoming(door, new):
    """See Door._on_call()."""
    door._call = new
    new.on_event = door._on_event
    new.ring()  # first of all: the caller waits
    facts = new.facts()
    # Who is let in may also ask to be answered at once, as intercoms and paging do: so it is not for just anyone.
    after_s = 0 if door.config.get("call.incoming") == "answer" else facts["answer_after_s"]
    new.display = facts["display"]
    door.say(new.words())
    if facts["diverted"]:
        door.say("It was meant for %s." % facts["diverted"])
    try:
        if after_s == 0:
            _answer(door, new)
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


def _answer(door, new):
    new.answer(door._agent.host, lend("door.sound").start(door))
    return Lines(new.words())
