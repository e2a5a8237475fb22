"""A call that is not let in. Loaded for the moment by lend()."""

from micropython import const

_QUIET_S = const(10)  # a flood of them is one line in ten seconds


def refuse(door, host):
    """Tells the console, now and then. -> the reason for the caller, which says what would let it in."""
    peers = door.config.get("call.peers")
    how = "door.set('call.peers', '%s')" % (peers + "," + host if peers else host)
    if door._up_s >= door._refused_s:
        door._refused_s = door._up_s + _QUIET_S
        door.say("Refused a call from %s, which is neither sip.server nor listed: %s lets it in." % (host, how))
    return ("This address is not listed at the door: %s" % how).encode()
