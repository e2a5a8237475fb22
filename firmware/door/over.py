"""The end of a call, and what is wrong with one. Loaded for the moment by lend()."""

from time import ticks_add, ticks_ms

from lend import lend
from micropython import const

_REPORTS = const(5)  # of silence, in a call
_COUNTDOWN_S = const(10)  # tones tell that a call will end


def over(door, call):
    """The call that we were in has ended."""
    door._call = None
    door._limit = 0
    door._held = door._holds = False
    door._merger = None
    lend("door.keypad").Keypad(door._keys).start()
    door._last = call.words()
    door.say(door._last)
    if door._sound is not None and call.media is not None:
        door.say(door._stream.status())
    if not call.incoming and 400 <= call.status < 700 and call.status != 487:
        lend("door.sound").fail_tone(door, "busy" if call.status in (486, 600, 603) else "error", "nobody")
    else:
        door._stop_sound()


def limit(door, call, limit):
    """It has rung for as long as it may, or talked so and has 10 of the seconds of its limit left, or none."""
    if call.state == "up" and limit > _COUNTDOWN_S:
        door._limit = _COUNTDOWN_S
        door._deadline = ticks_add(ticks_ms(), _COUNTDOWN_S * 1000)
        lend("door.prompts").prompt(door, "countdown", 3)
    elif call.state == "up":
        door.say("The call reached call.max_s and is ended.")
        call.hangup()
    elif call.answers_itself:
        door._pressed(0)
    elif call.incoming:
        door.say("Nobody answered here.")
        call.reject(480)
    else:
        door.say("Nobody answered within call.ring_s, %d s." % door.config.get("call.ring_s"))
        call.hangup()
        lend("door.sound").fail_tone(door, "busy", "nobody")


def dead(door, call):
    """Neither sound nor RTCP has come for rtp.timeout_s."""
    door.say("Nothing has come from %s for %d s, neither sound nor RTCP: the call is ended, as rtp.timeout_s says."
             % (call.media.host, door._patience_ms // 1000))
    door._patience_ms = 0
    call.hangup()


def silence(door, media):
    """The other side's sound has stopped, or is there again."""
    door._silent = not door._silent
    if door._reports >= _REPORTS:
        return
    if door._silent:
        door._reports += 1
        text = "No sound received from %s for 3 s: is its microphone off, or does a firewall stop UDP to port %d of %s?"
        door.say(text % (media.host, door._port, door._agent.host))
    else:
        door.say("Sound from %s is there again." % media.host)
