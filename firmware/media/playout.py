"""From packets to sound: put() them as they come, and every 20 ms frame() hands on 20 ms of sound, come what may.

The delay follows the network (jitter.py), what is missing is made up (conceal.py), silence between talks is as RFC 3389 has
it (noise.py). Everything is allocated at the start.
"""

from array import array

import micropython
from micropython import const

from . import conceal, jitter, noise
from .resample import fill

_WIDE = const(1)  # of the state, see jitter.py
_WAITING = const(4)
_HELD = const(5)
_ACTIVE = const(6)
_WINDOW = const(11)
_PAD = const(15)
_LOSSY = const(16)
_EXCESS = const(17)
_WANT = const(18)
_GAP = const(21)
_BRIDGE = const(24)
_CONCEALED = const(25)
_HISTORY = const(26)
_RUN = const(27)
_AMPLITUDE = const(46)
_ORDER = const(47)
_DELAYS = const(56)
_FROM = const(68)
_LOOKED = const(69)
_TIGHT = const(70)
_SOONER = const(71)
_ROOM = const(72)
_PERIOD = const(73)
_PACE = const(75)
_STATE = const(76)

_ZERO = const(1048576)
_NONE = const(2097152)
_RING = const(2400)
_SAMPLES = const(900)  # of pcm; twice that, if wide
_FAST = const(75)
_MOST_SOONER = const(15)  # ms: what more the I2S may hold


class Playout:
    """A receiver's sound. state: see jitter.py; words.py makes figures of it."""

    def __init__(self):
        self._ring = bytearray(_RING)
        self._have = bytearray(_RING // 80)
        self.state = array("i", bytes(4 * _STATE))
        self._pcm = None
        self._decode = self._table = None
        self.set_codec(None, None)

    def set_codec(self, decode, table, wide=0):
        """decode(codes, at, samples, to, table, n) makes n codes to samples in offset binary, n of them or, `wide`, 2 n."""
        self.widen(wide)  # first: what finds no room leaves all as it was
        self._decode = decode
        self._table = table
        s = self.state
        for i in range(_STATE):
            s[i] = 0
        s[0] = 160 << wide
        s[_WIDE] = wide
        s[_HISTORY] = 240 << wide
        for i in range(_DELAYS, _DELAYS + 7):
            s[i] = 65536
        s[_WINDOW] = _FAST
        # 30 ms of history, 60 ms that may wait, one ms more; then a period.
        n = _SAMPLES << wide
        s[_ROOM] = 240 << wide
        s[_PERIOD] = 728 << wide + 1
        fill(self._pcm, 0, n, 32768)

    def widen(self, wide):
        """Room for `wide` sound, if it is to be."""
        n = _SAMPLES << wide
        if not self._pcm or len(self._pcm) < n:
            pcm = array("H", bytes(2 * n))
            self._pcm = pcm

    def reset(self):
        """Another source: what the last one left is forgotten."""
        s = self.state
        s[_ACTIVE] = s[_AMPLITUDE] = s[_ORDER] = s[_LOSSY] = 0

    def put(self, packet, fields):
        """Store the payload of a packet of sound that `rtp.parse` took apart into `fields`. -> 1, 0 if it is of no use."""
        return jitter.put(self.state, self._ring, self._have, packet, fields)

    def noise(self, packet, fields):
        """Take a packet of comfort noise (RFC 3389)."""
        s = self.state
        if fields[7] and jitter.hush(s, self._have, fields):
            noise.learn(s, packet, fields[6], fields[7])

    def soon(self):
        """Packets that are put from now on come in the last 5 ms before the next frame()."""
        self.state[_LOOKED] = 1

    def sooner(self):
        """-> ms by which the next frame may be due sooner: 1 if its packets wait and none of them came only just in time; -2 if
        it was too soon, as one came too late; else 0."""
        s = self.state
        if s[_PACE] < 0:
            s[_PACE] *= -2
            ms = -min(2, s[_SOONER])
        elif s[_TIGHT] or not s[_ACTIVE] or s[_SOONER] >= _MOST_SOONER:
            return 0
        else:
            s[_TIGHT] = s[_PACE]
            ms = 1
        s[_SOONER] += ms
        return ms

    def hold(self):
        """No frame this time: the I2S still has plenty, after a loop that was held up. So the clock stays behind, and what comes
        is the earlier for it; it is known at once how much waits too long, not after the windows of jitter.py."""
        s = self.state
        for i in b"\x08\x09\x37\x42\x28\x2a":  # all that are offsets: _LEAST, _LEAST_BEFORE, _SECOND, _SHORT, _DRIFT_*
            if s[i] != _NONE:
                s[i] += 160

    # (A kernel, as it calls kernels: bytecode with so many locals would run on the heap.)
    @micropython.viper
    def frame(self, samples, at: int) -> int:
        """20 ms of sound (160 samples, 320 if wide, in offset binary) to samples[at..]. -> 1, 0 if there is no source."""
        state = self.state
        have = self._have
        ring = self._ring
        pcm = self._pcm
        s = ptr32(state)
        wide = int(s[_WIDE])
        if not int(jitter.begin(state, have)):
            s[_RUN] = s[_ORDER] = s[_AMPLITUDE] = 0
            n = int(s[0]) - int(s[_WAITING])
            if n > 0:
                noise.fill(state, pcm, int(s[_HISTORY]) + int(s[_WAITING]), n)
                s[_WAITING] = int(s[0])
            conceal.hand(pcm, state, samples, at)
            return 0
        while int(s[_WAITING]) < int(s[_WANT]) or int(s[_PAD]):
            codes = int(jitter.step(state, have))
            if codes == 0:
                break
            to = int(s[_HISTORY]) + int(s[_WAITING])
            going = codes
            if codes > 0:
                self._decode(ring, int(s[_FROM]), pcm, to, self._table, codes)
                going = 0
                if int(s[_RUN]):
                    conceal.meet(pcm, state)
            elif codes == -3:
                # Both sides of what is missing are there.
                codes = int(s[_GAP])
                self._decode(ring, int(s[_FROM]), pcm, to + (codes << wide), self._table, int(s[_BRIDGE]))
                conceal.bridge(pcm, state, codes << wide, int(s[_BRIDGE]) << wide)
                s[_CONCEALED] = int(s[_CONCEALED]) + codes
                going = codes = codes + int(s[_BRIDGE])
            elif codes == -4:
                codes = 80
                noise.fill(state, pcm, to, 80 << wide)
                if int(s[_RUN]):
                    conceal.meet(pcm, state)
                going = int(jitter.adjust(state, have))
            else:
                if codes == -1:
                    # Lost or late, nobody knows: time is held.
                    codes = (int(s[0]) - int(s[_WAITING])) >> wide
                    s[_HELD] = int(s[_HELD]) + codes
                    going = 0
                else:
                    codes = int(s[_PAD])
                    s[_PAD] = going = 0
                    if codes == 0:
                        going = codes = 80
                conceal.extend(pcm, state, codes << wide)
                s[_CONCEALED] = int(s[_CONCEALED]) + codes
            s[_WAITING] = int(s[_WAITING]) + (codes << wide)
            if going > 0:
                jitter.forward(state, have, going)
        if int(s[_EXCESS]) != _ZERO:
            conceal.fit(pcm, state)
        conceal.hand(pcm, state, samples, at)
        return 1
