"""The beginning of a call of ours, and the end of any. Loaded for the moment by lend()."""

from lend import lend

from .config import Mistake
from .console import Lines


def call(door, target=None):
    """Calls a target, "101" or "sip:101@192.0.2.10", or the button's. Mistake, in words, if that cannot be.

    What it gives may be awaited: until the call is answered or has ended."""
    if door._call is not None:
        raise Mistake("there is a call already: %s door.hangup() ends it." % door._call.words())
    get = door.config.get
    house = get("sip.mode") == "house"
    target = target or get("button.1.target") or house and get("house.all")
    name = ""
    if house and target:
        accounts = lend("door.accounts")
        target = accounts.numbers(target)
        name = accounts.name_of(target.encode())
        accounts = None  # what begins the call wants its room
    if not target:
        raise Mistake('the button has nobody to call: door.set("button.1.target", "sip:101@192.0.2.10")')
    if door._agent is None:
        raise Mistake("not ready for a call yet; the network: %s" % lend("door.words").network_words(door))
    port = lend("door.sound").start(door)
    if house and door._agent.house:
        door._agent.house.met = None  # that of a call which was given up as it was answered
    try:
        new = door._agent.call(target, door._agent.host, port, door._on_event)
    except ValueError as e:
        door._stop_sound()
        raise Mistake(str(e))
    if new.state != "ended":
        new.display = name
        door._call = new
        door._limits("call.ring_s")
    return lend("door.wait").Calling(new)


def hangup(door):
    """Ends the call, whatever its state, or the tone after a failed one."""
    here = door._call
    if here is None:
        door._stop_sound()
        return Lines("There is no call.")
    here.hangup()
    if door._call is here:  # it did not say so itself
        lend("door.over").over(door, here)
    door._stop_sound()


def press(door, n=0):
    """What a press of button `n` does: call, or answer a call that rings here."""
    here = door._call
    if here is not None:
        if here.incoming and here.state == "incoming":
            return lend("door.incoming").answer(door, here)
        return Lines("Nothing to do: %s" % here.words())
    try:
        words = call(door, door.config.get("button.%d.target" % (n + 1)))
    except Mistake:
        lend("door.sound").fail_tone(door, "error")
        raise
    if door._call is not None and door.config.get("sound.ring"):
        lend("door.prompts").prompt(door, "ring", 1)
    return words
