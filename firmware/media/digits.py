"""The same key by several ways, once. A phone may tell of it by an RTP event, by a SIP INFO and in its sound, each in its own
time. Lent with the first key of a call, and gone with the call.

Each way tells the keys in their order, though it may miss some. So a key that a way tells is the oldest one of the same code that
this way has not told and that is not before what it told last; if there is none, it is a new one. Where a new one belongs between
others follows from how late its way has been so far. Keys are given out in their order: at once where one way is in use; where
more are, when each has told the key or had the time to, so that one that was lost on the fastest way is not out of place.
"""

from time import ticks_add, ticks_diff

from micropython import const

_WAYS = const(3)  # by RTP event 0, by INFO 1, in the sound 2
_ALIKE_MS = const(900)  # two ways tell of one key within this
_FIRST_MS = const(250)  # a call's first key waits so long for the other ways: until then nobody knows which are in use
_SLACK_MS = const(150)  # a way may be so much later than it was
_LONGEST_MS = const(700)  # no key waits longer
_KEEP_MS = const(2000)
_KEYS = const(16)  # remembered at a time

# What is known of a key
_CODE = const(0)
_CAME = const(1)  # when, by the first way
_TIME = const(2)  # when, had it come by the way that this call's first key came by
_TOLD = const(3)  # by which ways: 1, 2, 4
_GIVEN = const(4)


class Merger:
    """The keys of one call. All times are those of ticks_ms()."""

    def __init__(self):
        self._keys = []
        self._late_ms = [0] * _WAYS  # how late each is, behind the first one
        self._known = 0  # of which ways that is, as in _TOLD
        self._used = 0  # ways, as in _TOLD
        self._given = False  # the first key

    def put(self, way, code, now_ms):
        """A way (0 to 2) tells of a key's code. -> codes, as take()."""
        keys = self._keys
        bit = 1 << way
        while keys and (len(keys) == _KEYS or keys[0][_GIVEN] and ticks_diff(now_ms, keys[0][_CAME]) > _KEEP_MS):
            keys.pop(0)
        first = 0
        for i, key in enumerate(keys):
            if key[_TOLD] & bit:
                first = i + 1
        self._used |= bit
        for key in keys[first:]:
            if key[_CODE] == code and ticks_diff(now_ms, key[_CAME]) <= _ALIKE_MS:
                key[_TOLD] |= bit
                late_ms = ticks_diff(now_ms, key[_TIME])
                if self._known & bit:  # one was lost perhaps, and this is the next: not all at once
                    late_ms = (late_ms + self._late_ms[way]) // 2
                self._late_ms[way] = late_ms
                self._known |= bit
                break
        else:
            time_ms = ticks_add(now_ms, -self._late_ms[way])
            at = len(keys)
            while at > first and not keys[at - 1][_GIVEN] and ticks_diff(time_ms, keys[at - 1][_TIME]) < 0:
                at -= 1
            keys.insert(at, [code, now_ms, time_ms, bit, False])
        return self.take(now_ms)

    def take(self, now_ms):
        """-> a list of the codes that wait no longer. To be asked again soon while there are some that `wait`."""
        codes = []
        for i, key in enumerate(self._keys):
            if not key[_GIVEN]:
                if not self._is_ripe(i, key, now_ms):
                    break
                self._given = key[_GIVEN] = True
                codes.append(key[_CODE])
        return codes

    @property
    def wait(self):
        return bool(self._keys) and not self._keys[-1][_GIVEN]

    def _is_ripe(self, i, key, now_ms):
        waited_ms = ticks_diff(now_ms, key[_CAME])
        if waited_ms >= _LONGEST_MS:
            return True
        told = key[_TOLD]
        if not self._given and waited_ms < _FIRST_MS and told != (1 << _WAYS) - 1:
            return False
        for later in self._keys[i + 1 :]:
            told |= later[_TOLD]
        missing = self._used & ~told
        for way in range(_WAYS):
            if missing & 1 << way and ticks_diff(now_ms, key[_TIME]) < self._late_ms[way] + _SLACK_MS:
                return False
        return True
