"""A key that the other party presses. Loaded for the moment by lend()."""

from lend import lend


def press(door, digit):
    """Opens the door at the right code."""
    outcome = lend("door.keypad").Keypad(door._keys).press(digit, door.config.get("door.code"), door._up_s)
    if outcome == "open":
        door.open()
        door.say("The right code: the door is open for %d s." % door.config.get("door.open_s"))
    elif outcome == "unset":
        door._tell('A key was pressed, but no code is set: door.set("door.code", "...") lets calls open the door.')
    elif outcome == "wrong":
        door.say("A wrong code.")
    elif outcome == "locked":
        door.say("A third wrong code: keys are not heard for 30 s.")
