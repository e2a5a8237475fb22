"""What happens within a call beside its sound: hold, transfer, texts, keys by INFO. Loaded for the moment by lend()."""

from lend import lend
from micropython import const

from .config import Mistake
from .console import Lines

_TEXT = const(300)  # characters of a text that are shown
_EACH_S = const(3)  # a text is shown in so many seconds,
_AT_ONCE_S = const(15)  # and so much of that in advance
_BY_INFO = const(1)  # of media.digits


def hold(door):
    """Lets the other side wait: it does not hear the visitor until resume()."""
    call = talking(door)
    if call.on_hold:
        return Lines("It is on hold already; door.resume() goes on.")
    call.hold()
    return Lines("Asking the other side to wait.")


def resume(door):
    """Goes on with who was put on hold."""
    call = talking(door)
    if not call.on_hold:
        return Lines("The other side has put us on hold, and only it can end that." if door._held else "It is not on hold; door.hold() lets it wait.")
    call.resume()
    return Lines("Asking the other side to go on.")


def transfer(door, target):
    """Asks the other side to go on with a target, "102"; the door is then out of it. Mistake, in words, if that cannot be."""
    call = talking(door)
    if isinstance(target, int):
        target = str(target)
    if not isinstance(target, str):
        raise Mistake('door.transfer() takes a number or an address: door.transfer("102")')
    try:
        call.refer(target)
    except ValueError as e:
        raise Mistake(str(e))
    return Lines("Asking the other side to call %s." % target)


def talking(door):
    """The call that is up, or a Mistake."""
    call = door._call
    if call is None or call.state != "up":
        raise Mistake("there is no call that is answered: " + (call.words() if call else 'door.call("101") makes one.'))
    return call


def told(door, what):
    """See Door._told()."""
    if len(what) == 2:
        return _replaced(door, *what)
    if isinstance(what[0], str):
        return _message(door, *what)
    return _info(door, *what)


def _replaced(door, old, new):
    """The other side has put another call in the place of ours."""
    if old is not door._call:
        return
    door._call = new
    new.on_event = door._on_event
    door._limits("call.max_s" if new.state == "up" or new.incoming else "call.ring_s")
    media = old.media
    if new.media and new.state == "up":
        door._on_event(new, "media")
    elif media:
        # Who has left hears no more of the door while another phone rings.
        door._stream.send_to(media.host, media.port, media.payload, media.events, False, False, media)
    door.say("The call goes on with %s." % (new.display or new.peer_uri))


def held(door, call):
    """Somebody is on hold, or is no longer."""
    who = call.display or call.peer_uri
    if call.on_hold != door._holds:
        door._holds = call.on_hold
        door.say("%s is on hold." % who if door._holds else "Going on with %s." % who)
    if call.media.held != door._held:
        door._held = call.media.held
        door.say("%s has put us on hold." % who if door._held else "%s goes on." % who)


def _message(door, sender, text, call):
    """A text: shown, if there are not too many."""
    now_s = door._up_s
    if door._messages_s > now_s + _AT_ONCE_S:
        door._tell("More texts come than are shown.")
        return
    door._messages_s = max(door._messages_s, now_s) + _EACH_S
    text = text.replace("\n", " / ")
    door.say("%s writes: %s" % (sender[:80], text[:_TEXT] + "..." if len(text) > _TEXT else text))


def _info(door, call, kind, body):
    """Keys that are told beside the sound. True if the kind is one of those (there is no standard for them)."""
    if kind not in (b"application/dtmf-relay", b"application/dtmf"):
        return False
    keypad = lend("door.keypad")
    digit, since_ms = keypad.read_key(body)
    if digit >= 0 and call is door._call and call.state == "up":
        keypad.pressed(door, _BY_INFO, digit, since_ms)
    return True
