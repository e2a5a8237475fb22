"""Sound begins: for a call, or to tell the visitor that there is none. Loaded for the moment by lend()."""

import asyncio
from time import ticks_add, ticks_ms

from lend import lend
from micropython import const

from .config import Mistake

_TONE_MS = const(4000)  # how long the visitor hears that nobody comes
_REST_MS = const(200)  # what the loudspeaker has still to play of it


def start(door):
    """Opens a port for sound and starts playing. -> the port. Mistake, in words."""
    if door._sound is not None and not door._closing:
        return door._port
    door._stop_sound()
    if door._stream is None:
        raise Mistake("the sound is not ready yet: try again in a moment")
    get = door.config.get
    try:
        words = lend("media.setup").echo(door._stream, get("audio.echo"))
        if words:
            door._tell(words)
        door._port = door._stream.open(door._agent.host, get("rtp.first_port"), get("rtp.last_port"))
    except OSError as e:
        raise Mistake("there is no port for sound: %s" % lend("sip.sockets").words(e))
    door._sound = asyncio.create_task(door._keep(door._stream.run))
    return door._port


def fail_tone(door, name, prompt=""):
    """Tells the visitor that nobody comes: by the WAV file of sound.<prompt>, if there is one, or a tone for a while."""
    try:
        door._stop_sound()  # no more is sent to who was called
        start(door)
        last_ms = prompt and door.config.get("sound." + prompt) and lend("door.prompts").file(door, prompt, 1)
        if not last_ms:
            door._stream.tone(name)
            last_ms = _TONE_MS
    except Exception as e:
        if not isinstance(e, (Mistake, AttributeError)):
            door._fault(e)
        return
    end_after(door, last_ms)


def end_after(door, ms):
    """The sound, of which nobody has a call, ends by itself."""
    door._closing = True
    door._deadline = ticks_add(ticks_ms(), ms + _REST_MS)
