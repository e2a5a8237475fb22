"""Putting a changed configuration in force. Loaded for the moment by lend()."""

from time import ticks_add, ticks_ms

from lend import lend
from micropython import const

_SETTLE_MS = const(1000)  # sip.server, sip.user and sip.password are set one after the other, and used once


def words(door, key, changed):
    """-> for who has set a value: what it is, and when it takes effect, for which this sees to it."""
    text = "%s = %s." % (key, lend("door.listed").shown(door.config, key))
    return text + (_apply(door, key) if changed else " It was so before.")


def levels(door):
    """Gain and volume, at once."""
    if door._stream:
        door._stream.gain_db(door.config.get("audio.gain_db"))
        door._stream.volume_db(door.config.get("audio.volume_db"))


def _apply(door, key):
    door._refused = ""  # the words of a refusal name call.peers
    if key == "sip.port":
        door._moved = True
        if door._call is not None:
            return " It takes effect when the call has ended."
    if key == "sip.session_s":
        if door._agent:
            door._agent.session_expires_s = door.config.get(key)
        return " It takes effect at the next call."
    if key == "net.ntp" and door._clock_s > 0:
        door._clock_s = door._up_s
    if key == "net.hostname":
        return " It takes effect at the next start."
    if key.startswith(("sip.", "wifi.")):
        door._renew = max(door._renew, 2 if key[0] == "w" else 1)
        door._renew_at = ticks_add(ticks_ms(), _SETTLE_MS)
        return " Connecting again." if key[0] == "w" else " In effect in a second."
    if key.startswith("audio."):
        levels(door)
    if key.startswith("rtp."):
        return " It takes effect at the next call."
    if key == "door.code" and not door.config.get(key):
        return " Calls cannot open the door now."
    return " In effect now."
