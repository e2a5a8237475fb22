"""door.audio_test(): microphone and loudspeaker are tried. Loaded for the moment by lend()."""

import asyncio
from time import ticks_add, ticks_ms

from lend import lend
from micropython import const

from .config import Mistake
from .console import Lines

_LONGEST_MS = const(15000)


def audio_test(door):
    """Plays a tone and a sweep, and tells what the microphone hears of it, in words. Mistake during a call."""
    if door._call is not None or door._sound is not None:
        raise Mistake("the sound is in use: door.hangup() ends the call; then try again")
    if door._stream is None:
        raise Mistake("the sound is not ready yet: try again in a moment")
    try:
        door._stream._audio.start()
    except OSError as e:
        raise Mistake(str(e))
    door._sound = asyncio.create_task(_run(door))
    # Like a tone that ends a call: a new one takes the sound over at once, and it ends at the latest then.
    door._closing = True
    door._deadline = ticks_add(ticks_ms(), _LONGEST_MS)
    return Lines("Silence, a tone and two sweeps: some 4 seconds.")


async def _run(door):
    mine = door._sound
    try:
        found = await lend("media.hearing").measure(door._stream)
        for line in lend("door.heard").words(door, *found):
            door.say(line)
    except Exception as e:
        door._fault(e)
    finally:
        # A call that came meanwhile has taken the sound over.
        if door._sound is mine or door._sound is None:
            door._sound = None
            door._closing = False
            door._stream._audio.stop()
