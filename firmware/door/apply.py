"""Putting a changed configuration in force. Loaded for the moment by lend()."""

import os
from time import ticks_add, ticks_ms

from lend import lend
from micropython import const

_SETTLE_MS = const(1000)  # sip.server, sip.user and sip.password are set one after the other, and used once


def levels(door):
    """Gain, volume, tones, and what is heard in the sound, at once."""
    if door._stream:
        get = door.config.get
        door._stream.gain_db(get("audio.gain_db"), get("audio.agc") == "on", get("audio.silence") == "on")
        door._stream.volume_db(get("audio.volume_db"))
        door._stream.tones = get("audio.tones")
        door._stream.inband(get("dtmf.inband") == "on")


def secrecy(door):
    """How secret the sound of the next calls is to be."""
    if door._agent:
        door._agent.secure = ("off", "preferred", "required").index(door.config.get("rtp.secure"))
        door._agent.keys_in_clear = door.config.get("rtp.keys_over") == "any"
        if door._agent.secure:
            # Now, not in the middle of what the first call leaves free
            lend("sip.crypto")
            lend("media.keying")


def transport(door):
    """How messages travel to the servers that are configured, "" for as DNS says."""
    kind = door.config.get("sip.transport")
    if kind != "auto":
        return kind
    agent = door._agent
    try:
        os.stat(agent.tls_ca)
    except OSError:
        agent.tls_ca = ""  # what DNS offers by TLS could not be used
    return ""


def codecs(door):
    """What calls offer and take, by the payload types of RFC 3551 6, the best first."""
    wide = door.config.get("audio.wideband")
    wide = wide == "on" or wide == "auto" and lend("media.pace").is_enough(door._stream)
    if wide and door._stream:
        try:
            lend("media.setup").widen(door._stream)
        except MemoryError:
            wide = False
    noise = (13,) if door.config.get("audio.silence") == "on" else ()
    return ((9, 0, 8) if wide else (0, 8)) + noise


def apply(door, key):
    """A value has changed: -> when it takes effect, for which this sees to it."""
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
    if key == "net.hostname" or key == "net.dscp":
        return " It takes effect at the next start."
    if key.startswith(("sip.", "wifi.", "house.")):
        door._renew = max(door._renew, 2 if key[0] == "w" else 1)
        door._renew_at = ticks_add(ticks_ms(), _SETTLE_MS)
        return " Connecting again." if key[0] == "w" else " In effect in a second."
    if key.startswith("audio.") or key == "dtmf.inband":
        levels(door)
    if key in ("audio.wideband", "audio.silence"):
        if door._agent:
            door._agent.codecs = codecs(door)
        return " It takes effect at the next call."
    if key.startswith("rtp."):
        secrecy(door)
        return " It takes effect at the next call."
    if key == "audio.echo":
        return " It takes effect at the next call."
    if key == "door.code" and not door.config.get(key):
        return " Calls cannot open the door now."
    return " In effect now."
