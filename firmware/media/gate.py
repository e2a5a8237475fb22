"""The voice-switched gate: while the loudspeaker talks the microphone is turned down, softly, unless somebody talks to it.

A frame is judged in four parts of 5 ms. What the loudspeaker plays is known, and how loud the microphone hears it (the
coupling) is learnt; what is 9 dB louder than that is a person, and opens the gate for 150 ms. When the loudspeaker falls
silent its echo is expected to die with the room (60 dB in 250 ms), and the gate opens with it. It opens within 5 ms, and
before the sound that opened it wherever that stands later in the same frame; it closes in 10 ms.

Levels are logarithms: 16 units are 6 dB. All state is in one array, and a frame is two kernels.
"""

from array import array

import micropython
from micropython import const

_STATE = const(96)  # words: 32 of state, 64 of the loudspeaker's levels, 5 ms each
_CLOSED = const(130)  # of 4096: -30 dB
_LESS = const(410)  # -20 dB


class Gate:
    """near() with every frame of the microphone, far() with every frame for the loudspeaker; 160 or 320 samples.

    It turns down by 30 dB.
    """

    kind = "gate"

    def __init__(self):
        self._state = array("i", bytes(4 * _STATE))
        self.reset()

    def reset(self):
        """Another call: all that was learnt is forgotten."""
        _reset(self._state)

    def trust(self, canceller):
        """Behind a canceller: whether it has learnt its room. Then 20 dB more will do; else the gate goes on learning fast."""
        state = self._state
        if canceller:
            state[12] = _LESS
        else:
            state[12] = _CLOSED
            state[8] = 0

    def near(self, samples, n, ahead=0):
        """n signed samples of the microphone, turned down in place; `ahead`: samples at 16 kHz that the speaker holds."""
        measure(samples, 0, n, 32768, self._state)
        _gate(samples, n, ahead, self._state)

    def far(self, samples, at, n):
        """n samples in offset binary from samples[at] on are about to go to the loudspeaker."""
        measure(samples, at, n, 0, self._state)
        _remember(self._state)


# state: 0-3 levels of the frame's four parts; 4 where in the ring the next level goes; 5 the loudspeaker's level with its
# decay, times 16; 6 coupling times 256, plus 65536; 7 parts in which a person still counts as talking; 8 parts the coupling
# has learnt from, up to 200; 9 gain now, of 4096; 10 the microphone's envelope; 11 parts of the microphone since far(); 12 the closed gate's gain; 13-16 the gains wanted of the four parts; 17 the
# noise's level times 256


@micropython.viper
def _reset(state: ptr32):
    i = 0
    while i < 96:
        state[i] = 0
        i += 1
    state[6] = 65536
    state[9] = 4096
    state[12] = 130
    state[17] = 65536


@micropython.viper
def measure(samples: ptr16, at: int, n: int, flip: int, levels: ptr32):
    """The levels of n samples in four parts, to levels[0..3]; of every second sample. n: 160 or 320; flip: 0 for offset
    binary, 32768 for signed."""
    samples = ptr16(uint(samples) + uint(at << 1))
    shift = 2 if n < 200 else 3
    part = 0
    while part < 4:
        total = 0
        k = n
        while k > 0:
            at = (int(samples[0]) ^ flip) - 32768
            total += at if at > 0 else 0 - at
            at = (int(samples[2]) ^ flip) - 32768
            total += at if at > 0 else 0 - at
            at = (int(samples[4]) ^ flip) - 32768
            total += at if at > 0 else 0 - at
            at = (int(samples[6]) ^ flip) - 32768
            total += at if at > 0 else 0 - at
            samples = ptr16(uint(samples) + 16)
            k -= 32
        total >>= shift  # five times the mean
        at = 0
        while total > 31:
            total >>= 1
            at += 16
        levels[part] = at + total
        part += 1


@micropython.viper
def _remember(state: ptr32):
    at = int(state[4])
    part = 0
    while part < 4:
        state[32 + ((at + part) & 63)] = state[part]
        part += 1
    state[4] = (at + 4) & 63
    state[11] = 0


@micropython.viper
def _gate(samples: ptr16, n: int, ahead: int, state: ptr32):
    # What the microphone hears now left far() so many parts ago: what the speaker holds (80 samples at 16 kHz are a part),
    # and between nothing and 60 ms for the buffers of both sides and the way through the air.
    waited = int(state[11])
    if waited < 64:
        state[11] = waited + 4
    end = int(state[4])
    newest = end + waited - ahead // 80 + 1
    # (Once for the four parts.)
    played = 0
    k = 18
    while k and waited < 56:
        age = (end - newest + k - 5) & 63
        if 0 < age < 56:  # else it was not given yet: silence
            x = int(state[32 + ((end - age) & 63)])
            if x > played:
                played = x
        k -= 1
    played <<= 4
    part = 0
    while part < 4:
        level = int(state[part])
        tail = int(state[5]) - 51  # 60 dB in 250 ms
        if played > tail:
            tail = played
        if tail < 0:
            tail = 0
        state[5] = tail
        coupling = int(state[6]) - 65536
        target = 4096
        talk = int(state[7])
        # The noise of the place: down at once, up 1.5 dB a second.
        noise = int(state[17]) + 5
        if level << 8 < noise:
            noise = level << 8
        state[17] = noise
        # Voices beat with their pitch: what is learnt is the envelope's, which falls 0.6 dB a millisecond.
        held = int(state[10]) - 8
        if level > held:
            held = level
        state[10] = held if held > 0 else 0
        over = held - (tail >> 4) - (coupling >> 8)
        # It is closed while something plays, and then for as long as the echo is not below the noise.
        if played > 1600 or tail > 1024 and held - over > (noise >> 8) - 16:
            if level - (tail >> 4) - (coupling >> 8) > 24 and level > (noise >> 8) + 32:
                talk = 30
            elif talk:
                talk -= 1
            if played == tail and played > 1600:
                # The coupling is what four of five stay below: it follows 6 dB a second upwards, ten times that at first, and
                # hardly while a person talks.
                learnt = int(state[8])
                step = 4
                if learnt < 200:
                    state[8] = learnt + 1
                    step = 40
                elif talk:
                    step = 1
                state[6] = coupling + 65536 + (5 * step if over > 0 else 0 - step)
            if not talk:
                target = int(state[12])
        else:
            talk = 0
        state[7] = talk
        state[13 + part] = target
        part += 1
    # It opens before what opened it.
    part = 2
    while part >= 0:
        if state[14 + part] > state[13 + part]:
            state[13 + part] = state[14 + part]
        part -= 1
    gain = int(state[9])
    n >>= 2
    part = 0
    while part < 4:
        target = int(state[13 + part])
        part += 1
        if target == gain and gain == 4096:
            samples = ptr16(uint(samples) + uint(n << 1))
            continue
        # At most the whole way up in a part, half the way down.
        if target < gain - 2048:
            target = gain - 2048
        step = (target - gain << 8) // n
        slope = gain << 8
        gain = target
        k = n
        while k:
            slope += step
            ahead = (int(samples[0]) ^ 32768) - 32768
            samples[0] = ahead * (slope >> 8) >> 12
            samples = ptr16(uint(samples) + 2)
            k -= 1
    state[9] = gain
