"""What help(door) says. Loaded for the moment by lend(): only people need it."""

from .console import Lines
from .intercom import Door

# For help(door): a command, and what it does.
_HELP = """\
door.status()                          how it is, in sentences
door.show()                            the configuration; door.show("sip") a part of it
door.set("sip.server", "192.0.2.10")   changes and saves a value; None makes it the default again
await door.call("sip:101@192.0.2.10")  calls, returns when answered or ended; without await at once
door.call()                            calls the button's target
door.press()                           as if the button were pressed
door.hangup()                          ends the call
door.hold(), door.resume()             lets the other side wait, and goes on
door.keys("12#")                       presses keys for the other side
door.transfer("102")                   asks the other side to go on with somebody else
door.open()                            opens the door
door.add_phone("kitchen")              a new phone of the house; door.phones() lists them, door.remove_phone("kitchen")
door.play("ring.wav", "both")          plays a WAV file to the visitor, the caller or both
door.audio_test()                      tries microphone and speaker, and says what it finds
door.trace(True)                       shows each SIP message; "ladder": a line for each; False ends it
Ctrl-C ends a line that runs; on an empty line it leaves for the plain MicroPython REPL (mpremote works there),
and Ctrl-D there starts the door again. Tab completes, Up and Down bring lines back."""


def help(*things):
    """help(door) lists its commands; help() too, and with anything else it is MicroPython's own."""
    import builtins

    if not things or isinstance(things[0], Door):
        return Lines(_HELP.split("\n"))
    return builtins.help(*things)
