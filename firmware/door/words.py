"""What door.status() says. Loaded for the moment by lend(): only people need it."""

import gc

from lend import lend, sweep

from .console import Lines

_VERSION = "0.1"


def banner(door):
    """The first lines at the console."""
    text = "\nsipdoor %s on %s. This is Python, beside the calls; help(door) says what there is.\n"
    return text % (_VERSION, door._wiring.NAME)


def status(door):
    """How the door is, in sentences."""
    return Lines(_status(door))


def _status(door):
    get = door.config.get
    yield "sipdoor %s on %s, up for %s; started by %s." % (
        _VERSION, door._wiring.NAME, _duration(door._up_s), lend("board.system").reset_words())
    yield network_words(door)
    agent = door._agent
    if door._trouble:
        yield door._trouble
    if agent:
        lines = agent.words()
        house = agent.house
        if house:
            yield lend("door.household").words(door)
            lines.extend([one.words() for one in house.bridged if one.account])
        for line in lines[1:] if door._trouble or house and not agent.registration else lines:  # the first is about the registration
            yield line
        if agent.refused or agent.bad:
            yield 'Turned away: %d requests, and %d datagrams that were no SIP; door.trace("ladder") shows whose.' % (
                agent.refused, agent.bad)
    registration = door._registration
    if registration and registration.peer and len(registration.peer) > 2:
        yield "The way to the server is %s." % registration.peer[2].decode()
    if door._clock_s >= 0:
        yield "The clock is not set, and TLS waits for it: %s is asked." % (get("net.ntp") or "nobody, for net.ntp is empty,")
    if door._held or door._holds:
        yield "The call is on hold%s." % (": door.resume() goes on" if door._holds else " by the other side")
    if door._call is None:
        yield "No call. " + (door._last if door._last else "None since the start.")
    target = get("button.1.target")
    if not target and agent and agent.house:
        target = "all phones of the house"
    yield "The button calls %s." % target if target else (
        'The button has nobody to call: door.set("button.1.target", "sip:101@192.0.2.10").')
    if door._call is not None and door._stream:
        sound = door._stream.status()
        yield "Sound: %s%s" % (sound, "" if sound[-1] == "?" else ".")
    locked_s = door._keys.get("until", 0) - door._up_s  # as keypad.py has it
    if door._relay.is_on:
        yield "The door is open."
    elif not get("door.code"):
        yield 'The door is shut. Calls cannot open it, as no code is set: door.set("door.code", "...").'
    elif locked_s > 0:
        yield "The door is shut. After three wrong codes keys are not heard for %d s more." % locked_s
    else:
        yield "The door is shut. The code opens it for %d s." % get("door.open_s")
    if agent and agent.transport.trace:
        yield "The trace is on.%s door.trace(False) ends it." % lend("door.trace").words(agent.transport.trace)
    sweep()
    yield "Memory: %d KB free, %d KB used." % (gc.mem_free() // 1024, gc.mem_alloc() // 1024)
    if door._faults or (agent and agent.faults):
        yield "%d faults were caught; each is a bug to report, with what was printed." % (
            door._faults + (agent.faults if agent else 0))


def network_words(door):
    if door._wiring.NETWORK == "wifi" and not door.config.get("wifi.ssid"):
        return 'No Wi-Fi is set: door.set("wifi.ssid", "..."), then door.set("wifi.password", "...").'
    return door._network.words() if door._network else "The network is being started."


def _duration(s):
    if s < 120:
        return "%d s" % s
    if s < 7200:
        return "%d min" % (s // 60)
    if s < 172800:
        return "%d h" % (s // 3600)
    return "%d days" % (s // 86400)
