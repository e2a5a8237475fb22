"""Who may call, and which keys open the door. No clock, no socket, no pin: times are given in."""

from time import ticks_add, ticks_diff

from micropython import const

_MAX_WRONG = const(3)
_LOCK_MS = const(30000)
_PAUSE_MS = const(5000)  # a pause this long begins the code again


def may_call(host, server_host, peers):
    """True if a call from this address is let in: this computer, the registrar, or a listed peer.

    `host` and `server_host` are addresses as text (`server_host` may be ""), `peers` is what call.peers holds."""
    if host.startswith("127.") or host == "::1" or (host and host == server_host):
        return True
    return host in peers.split(",") if peers else False


class Keypad:
    """Compares the keys that the other party presses with the door's code.

    A code is complete when it is as long as the right one, or at `#`; `*` begins again (unless the code itself
    has these keys). After three wrong codes nothing is heard for 30 s, across calls."""

    def __init__(self):
        self._entered = ""
        self._wrong = 0
        self._locked = False
        self._until = 0
        self._last_ms = 0

    def start(self):
        """A new call: what another one began is forgotten, what it got wrong is not."""
        self._entered = ""

    def tick(self, now_ms):
        """Ends the lock-out; called every few seconds at least, so that a wrapping clock cannot revive it."""
        if self._locked and ticks_diff(now_ms, self._until) >= 0:
            self._locked = False
            self._wrong = 0

    def locked_s(self, now_ms):
        """Seconds until keys count again, 0 if they do."""
        self.tick(now_ms)
        return (ticks_diff(self._until, now_ms) + 999) // 1000 if self._locked else 0

    def press(self, event, code, now_ms):
        """One key (RFC 4733 event 0 to 15). -> None while the code is incomplete, else "open", "wrong", "locked"
        (the wrong one that locks), "ignored" (while locked) or "unset" (there is no code)."""
        if not 0 <= event < 16:
            return None
        if not code:
            return "unset"
        self.tick(now_ms)
        if self._locked:
            return "ignored"
        if ticks_diff(now_ms, self._last_ms) > _PAUSE_MS:
            self._entered = ""
        self._last_ms = now_ms
        key = "0123456789*#ABCD"[event]  # RFC 4733 3.2
        if key == "*" and "*" not in code:
            self._entered = ""
            return None
        if key == "#" and "#" not in code:
            if not self._entered:
                return None
        else:
            self._entered += key
            if len(self._entered) < len(code):
                return None
        right = self._entered == code
        self._entered = ""
        if right:
            self._wrong = 0
            return "open"
        self._wrong += 1
        if self._wrong < _MAX_WRONG:
            return "wrong"
        self._locked = True
        self._until = ticks_add(now_ms, _LOCK_MS)
        return "locked"
