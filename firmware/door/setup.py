"""Putting the configuration in force: the user agent, its registration, the sound's levels.

Loaded for the moment by lend(), at the start and when a person changes something."""

import asyncio
import gc
from time import ticks_add, ticks_ms

from micropython import const

_SETTLE_MS = const(1000)  # sip.server, sip.user and sip.password are set one after the other, and used once


async def start_agent(door, host):
    """A user agent on this address, in place of the one there was; and its registration."""
    from board.net import pack, unpack
    from sip.agent import Agent

    old, door._agent = door._agent, None
    if old:
        door._registration = None
        await old.stop()
    get = door.config.get
    agent = Agent(host, get("sip.port"), pack, unpack, get("sip.user"), get("sip.display"), door._on_call, door._admit)
    try:
        await agent.start()
    except OSError as e:
        door._trouble = "UDP port %d of %s cannot be used (%s)" % (agent.port, host, e)
        door._tell(door._trouble)
        await asyncio.sleep_ms(2000)
        return
    door._agent = agent
    levels(door)
    door.say("Listening for calls at sip:%s@%s:%d." % (get("sip.user"), host, agent.port))
    await register(door)
    gc.collect()


async def register(door):
    """Begins a registration with what is configured now, in place of the one there was."""
    agent = door._agent
    get = door.config.get
    door._trouble = ""
    door._renew = 0
    old, door._registration = door._registration, None
    if agent is None:
        return
    if old:
        # Its last word first: it may be about the very address that is registered next.
        done = []
        old.stop(lambda: done.append(1))
        for _ in range(50):
            if done:
                break
            await asyncio.sleep_ms(20)
        agent.registration = None
    agent.user = get("sip.user")
    agent.display = get("sip.display")
    server = get("sip.server")
    if not server:
        return
    try:
        registration = agent.register(
            server, get("sip.user"), get("sip.password"), get("sip.auth_user"), get("sip.expires_s"), get("sip.display")
        )
    except ValueError as e:
        door._trouble = "Not registered: %s; write sip.server as an address like 192.0.2.10." % e
        door._tell(door._trouble)
        return
    registration.changed = door._on_registration
    door._registration = registration


def levels(door):
    """Gain and volume, at once."""
    if door._stream:
        door._stream.gain_db(door.config.get("audio.gain_db"))
        door._stream.volume_db(door.config.get("audio.volume_db"))


def apply(door, key):
    """Puts a changed value in force. -> words on when."""
    if key == "sip.port" and door._call is not None:
        return " It takes effect when the call has ended."
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
