"""Prompts: what visitor and caller are told in a call, and beside one. Loaded for the moment by lend()."""

from lend import lend

from .config import Mistake
from .console import Lines


def prompt(door, name, to):
    """What belongs to sound.<name>: its WAV file, or the tone of this name if there is one; to the visitor 1, the caller 2,
    both 3."""
    try:
        if not (name != "countdown" and file(door, name, to)) and name in ("open", "countdown"):
            door._stream.play(name, to)
    except MemoryError:  # it opens unheard
        pass
    except Exception as e:  # whatever it is, the door opens and the call goes on
        door._fault(e)


def play(door, name, to="visitor"):
    """Plays a WAV file once to the "visitor", to the "caller" or to "both". Mistake, in words, if that cannot be."""
    sides = ("visitor", "caller", "both")
    if to not in sides:
        raise Mistake('door.play("welcome.wav", "visitor"): the second is visitor, caller or both')
    to = sides.index(to) + 1
    if to & 2 and (door._call is None or door._call.state != "up"):
        raise Mistake("there is no call in which somebody could hear it; \"visitor\" needs none")
    begun = door._sound is None or door._closing
    if begun:
        if door._agent is None:
            raise Mistake("the sound is not ready yet: try again in a moment")
        lend("door.sound").start(door)
    try:
        last_ms = door._stream.play(name, to)
    except (OSError, ValueError) as e:
        if begun:
            door._stop_sound()
        raise Mistake("%s; mpremote fs cp FILE : puts one there" % e if isinstance(e, OSError) else str(e))
    if begun:
        lend("door.sound").end_after(door, last_ms)
    return Lines("Playing %s, %d s." % (name, (last_ms + 500) // 1000))


def file(door, name, to):
    """Plays the WAV file that sound.<name> names. -> ms it lasts, 0 if there is none; what is wrong with it is said once."""
    key = "sound." + name
    name = door.config.get(key)
    if name:
        try:
            return door._stream.play(name, to)
        except (OSError, ValueError) as e:
            door._tell("%s cannot be played: %s." % (key, e))
    return 0
