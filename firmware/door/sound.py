"""Sound begins: for a call, or to tell the visitor that there is none. Loaded for the moment by lend()."""

import asyncio
from time import ticks_add, ticks_ms

from micropython import const

from .config import Mistake

_TONE_MS = const(4000)  # how long the visitor hears that nobody comes


def start(door):
    """Opens a port for sound and starts playing. -> the port. Mistake, in words."""
    if door._sound is not None and not door._closing:
        return door._port
    door._stop_sound()
    if door._stream is None:
        raise Mistake("the sound is not ready yet: try again in a moment")
    get = door.config.get
    try:
        door._port = door._stream.open(door._agent.host, get("rtp.first_port"), get("rtp.last_port"))
    except OSError as e:
        raise Mistake("%s; see door.show('rtp')" % e)
    door._sound = asyncio.create_task(door._keep(door._stream.run))
    return door._port


def fail_tone(door, name):
    """Tells the visitor that nobody comes, for a while."""
    try:
        door._stop_sound()  # no more is sent to who was called
        start(door)
        door._stream.tone(name)
    except Exception as e:
        if not isinstance(e, (Mistake, AttributeError)):
            door._fault(e)
        return
    door._closing = True
    door._deadline = ticks_add(ticks_ms(), _TONE_MS)
