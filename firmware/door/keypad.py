"""Which keys open the door. Loaded for the moment by lend(), when the other party presses one. Times are in seconds since
the start, which never wrap."""

from time import ticks_add, ticks_ms

from lend import lend
from micropython import const

_MAX_WRONG = const(3)
_LOCK_S = const(30)
_PAUSE_S = const(5)  # a pause this long begins the code again
_LONGEST_MS = const(5000)  # that an INFO may come after its key was pressed
_KEYS = const(b"0123456789*#ABCD")  # as RFC 4733 3.2 counts them


class Keypad:
    """Compares the keys that the other party presses with the door's code.

    A code is complete when it is as long as the right one, or at `#`; `*` begins again (unless the code itself
    has these keys). After three wrong codes nothing is heard for 30 s, across calls.

    `state` is what lasts, a dict that is empty at first: "entered" keys, pressed at "last", how many were "wrong" and
    "until" when nothing counts."""

    def __init__(self, state):
        self._state = state

    def start(self):
        """A new call: what another one began is forgotten, what it got wrong is not."""
        self._state["entered"] = ""

    def locked_s(self, now_s):
        """Seconds until keys count again, 0 if they do."""
        left_s = self._state.get("until", 0) - now_s
        return left_s if left_s > 0 else 0

    def press(self, event, code, now_s):
        """One key (RFC 4733 event 0 to 15). -> None while the code is incomplete, else "open", "wrong", "locked"
        (the wrong one that locks), "ignored" (while locked) or "unset" (there is no code)."""
        if not 0 <= event < 16:
            return None
        if not code:
            return "unset"
        if self.locked_s(now_s):
            return "ignored"
        state = self._state
        entered = state.get("entered", "") if now_s - state.get("last", 0) <= _PAUSE_S else ""
        state["last"] = now_s
        state["entered"] = ""
        key = "0123456789*#ABCD"[event]  # RFC 4733 3.2
        if key == "*" and "*" not in code:
            return None
        if key == "#" and "#" not in code:
            if not entered:
                return None
        else:
            entered += key
            if len(entered) < len(code):
                state["entered"] = entered
                return None
        if entered == code:
            state["wrong"] = 0
            return "open"
        wrong = state.get("wrong", 0) + 1
        state["wrong"] = wrong % _MAX_WRONG
        if wrong < _MAX_WRONG:
            return "wrong"
        state["until"] = now_s + _LOCK_S
        return "locked"


def pressed(door, way, digit, since_ms=0):
    """The other party presses a key, says one of the ways of media.digits, since so many ms."""
    if door._merger is None:
        door._merger = lend("media.digits").Merger()
    for digit in door._merger.put(way, digit, ticks_add(ticks_ms(), -since_ms)):
        key(door, digit)


def key(door, digit):
    """A key that was pressed, however it came: opens the door at the right code."""
    outcome = Keypad(door._keys).press(digit, door.config.get("door.code"), door._up_s)
    if outcome == "open":
        door.open()
        door.say("The right code: the door is open for %d s." % door.config.get("door.open_s"))
    elif outcome == "unset":
        door._tell('A key was pressed, but no code is set: door.set("door.code", "...") lets calls open the door.')
    elif outcome == "wrong":
        door.say("A wrong code.")
    elif outcome == "locked":
        door.say("A third wrong code: keys are not heard for 30 s.")


def read_key(body):
    """-> (a key's code or -1, for how many ms it had been pressed) of what an INFO says: "5", or "Signal=5" and perhaps
    "Duration=160" in lines."""
    key = body if b"=" not in body else b""
    since_ms = 0
    for line in body.split(b"\n"):
        name, is_line, value = line.partition(b"=")
        name = name.strip().lower()
        value = value.strip()
        if name == b"signal":
            key = value
        elif name == b"duration" and len(value) < 6 and value.isdigit():
            since_ms = min(int(value), _LONGEST_MS)
    key = key.strip().upper()
    digit = _KEYS.find(key) if len(key) == 1 else -1
    if len(key) == 2 and key.isdigit() and 10 <= int(key) <= 15:  # 16, and "!", is the hook
        digit = int(key)
    return digit, since_ms
