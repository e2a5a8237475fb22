"""The echo canceller: what the loudspeaker plays, filtered as the room filters it, is taken away from the microphone.

An adaptive filter in the frequency domain, a frame of 160 samples at 8 kHz at a time (overlap-save, 384 points: an echo of
28 ms and more, Soo and Pang's multidelay filter with one block). Every bin has a step of its own, as a Kalman filter has:

    step = P / (P x power of the far end + power of what is left)

so what is not echo, somebody at the door or noise, slows it down by as much as it disturbs: there is no detector of double
talk that could be wrong. P, how far the filter may be off, falls with what is learnt and rises slowly, as rooms change; when
the filter does more harm than good P starts anew, and the frame passes as it came. Where the echo begins is looked for in
the loudness of both sides over the last seconds. Behind it the gate turns down what is left.

All in 16 bits with a common exponent for each frame; filter and powers in 32.
"""

from array import array

import micropython
from micropython import const

from . import fourier
from .gate import Gate, measure

_FRAME = const(160)
_RING = const(1440)  # of the far end, 180 ms
_SURE = const(8388608)  # P, of 2^28: the filter knows the room to 15 dB


class Canceller:
    """near() with every frame of the microphone, far() with every frame for the loudspeaker. 160 samples at 8 kHz; frames of
    320, of a wideband call, have the gate alone."""

    kind = "cancel"

    def __init__(self):
        self._gate = Gate()
        self._turn = fourier.turn()
        self._order = fourier.order()
        self._ring = array("H", bytes(2 * _RING))
        self._block = array("H", bytes(768))
        self._played = array("H", bytes(772))
        self._bins = array("H", bytes(772))
        self._filter = array("i", bytes(4 * 384))
        self._power = array("i", bytes(4 * 384))
        self._state = array("i", bytes(4 * 64))
        self.reset()

    def reset(self):
        """Another call: all that was learnt is forgotten."""
        self._gate.reset()
        _reset(self._state, self._filter, self._power, self._ring)

    def far(self, samples, at, n):
        """n samples in offset binary from samples[at] on are about to go to the loudspeaker."""
        if n == _FRAME:
            _keep(samples, at, self._ring, self._state)
        self._gate.far(samples, at, n)

    def near(self, samples, n, ahead=0):
        """n signed samples of the microphone, their echo taken away in place; `ahead`: samples at 16 kHz that the speaker
        holds."""
        if n == _FRAME and self._aligned(samples, ahead) and _load(self._ring, self._block, self._state):
            block = self._block
            turn = self._turn
            bins = self._bins
            fourier.forward(block, 0, 0, turn)
            fourier.split(self._played, 0, 0, block, turn, self._order)
            _expect(0, 0, 0, self._played, bins, self._filter, self._state)
            fourier.join(bins, 0, 0, block, turn, self._order)
            fourier.inverse(block, 0, 0, turn)
            if _subtract(samples, 0, 0, bins, block, self._state):
                fourier.forward(block, 0, 0, turn)
                fourier.split(bins, 0, 0, block, turn, self._order)
                _rescale(self._power, self._state)
                _adapt(0, 0, 0, self._played, bins, self._filter, self._power, self._state)
        self._gate.trust(n == _FRAME and self._state[12] < _SURE)
        self._gate.near(samples, n, ahead)

    def _aligned(self, samples, ahead):
        state = self._state
        measure(samples, 0, _FRAME, 32768, state)
        return _align(ahead, 0, 0, state, self._gate._state)


# state: 0-3 the levels of the microphone's frame; 4 where in the ring the next frame goes; 5 how many samples of the ring came
# after the one that the filter's first tap meets in the frame's last, and 160 more for each frame that came early: 6, of those
# plus 64; 7, 8 shift of the far end in this frame and the last, plus 16; 9, 10 that of the error; 11 shift of the filter; 12 P
# times 2^28; 13 frames that the search has seen; 14 twice what the speaker holds less 5, 16 times, plus 2^20, on the average, 15
# when 5 was set; 25 whether the last frame was learnt from; 26
# frames since the start, up to 25; 16-24 the peaks of the ring's frames; 32-63 the search: for each delay in parts of 5 ms how alike both sides
# get louder and softer, plus 2^28


@micropython.viper
def _reset(state: ptr32, filter: ptr32, power: ptr32, ring: ptr16):
    i = 0
    while i < 64:
        state[i] = 0
        i += 1
    i = 0
    while i < 384:
        filter[i] = 536870912  # zero: 2^29 is added, as 32-bit loads carry no sign on 64-bit machines
        power[i] = 4096
        i += 1
    i = 0
    while i < 1440:
        ring[i] = 32768
        i += 1
    i = 32
    while i < 64:
        state[i] = 268435456
        i += 1
    state[6] = 64
    i = 7
    while i < 11:
        state[i] = 16
        i += 1
    state[11] = 6
    state[12] = 268435456


@micropython.viper
def _keep(samples: ptr16, at: int, ring: ptr16, state: ptr32):
    samples = ptr16(uint(samples) + uint(at << 1))
    at = int(state[4])
    ring = ptr16(uint(ring) + uint(at << 1))
    low = 32768
    high = 32768
    n = 80
    while n:
        at = int(samples[0])
        ring[0] = at
        if at > high:
            high = at
        elif at < low:
            low = at
        at = int(samples[1])
        ring[1] = at
        if at > high:
            high = at
        elif at < low:
            low = at
        samples = ptr16(uint(samples) + 4)
        ring = ptr16(uint(ring) + 4)
        n -= 1
    high -= 32768
    low = 32768 - low
    at = int(state[4])
    state[16 + at // 160] = high if high > low else low
    at += 160
    state[4] = at if at < 1440 else 0
    state[6] += 1


@micropython.viper
def _align(ahead: int, k: int, alike: int, state: ptr32, gate: ptr32) -> int:
    """Where in the ring the echo of this frame begins. -> 0 if that has not been given yet."""
    early = int(state[6]) - 64
    state[6] = early + 63
    ahead = ahead >> 1 if ahead > 0 else 0
    average = int(state[14])
    k = int(state[26])  # frames since all began: for half a second what the speaker holds comes to rest
    if k < 25:
        state[26] = k + 1
        k = ahead - int(state[5])
        if k > 60 or k < 0 - 60:
            average = 0
    if not average or early < 0 - 3 or early > 3:
        # The first, or the frames of one side went on without the other's.
        state[6] = 63
        early = 0
        state[5] = ahead >> 2 << 2 if ahead < 720 else 720  # always a multiple of 4, as _load wants
        average = 0
    now = (ahead - int(state[5]) - early * 160 << 4) + 1048576
    if not average:
        average = now
        state[15] = now
    average += now - average >> 5
    state[14] = average
    moved = average - int(state[15]) >> 4
    if moved > 60 or moved < 0 - 60:
        moved = now - int(state[15]) >> 4
    # The search: levels that rise in the last part of the frame, beside those that were played so many parts ago
    end = int(gate[4]) - 1 - (early << 2)
    rise = int(state[3]) - int(state[1])
    best = 0
    most = 0
    total = 0
    seen = int(state[13])
    place = ptr32(uint(state) + 128)
    gate = ptr32(uint(gate) + 128)
    last = int(gate[end & 63])
    older = int(gate[(end - 1) & 63])
    ahead = end + 62
    k = 0
    while k < 32:
        oldest = int(gate[ahead & 63])
        alike = int(place[0]) - 268435456
        alike += (last - oldest) * rise - (alike >> 7)
        place[0] = alike + 268435456
        if alike > 0:
            total += alike
            if alike > most:
                most = alike
                best = k
        place = ptr32(uint(place) + 4)
        last = older
        older = oldest
        ahead -= 1
        k += 1
    if gate[(end - best) & 63]:
        seen += 1
    if seen >= 50:
        seen = 25
        if most * 6 > total:
            # 7.5 ms before it: a part and a half
            k = best * 40 - 60 - int(state[5])
            if k > 60 or k < 0 - 60:
                moved = k
    state[13] = seen
    if moved > 60 or moved < 0 - 60:
        k = int(state[5]) + moved
        k = k if k > 0 else 0
        k = k >> 2 << 2 if k < 720 else 720
        average -= k - int(state[5]) << 4
        state[14] = average
        state[15] = average
        if k != int(state[5]):
            state[5] = k
            state[12] = 268435456  # the filter begins anew
            state[13] = 0
    k = int(state[5]) + early * 160
    if k < 0 or k > 1056:
        return 0
    return 1


@micropython.viper
def _load(ring: ptr16, block: ptr16, state: ptr32) -> int:
    """The last 384 samples that count now into block, as loud as fits. -> 0 if they are silence."""
    at = int(state[4]) - int(state[5]) - (int(state[6]) - 63) * 160 - 384 + 2880
    while at >= 1440:
        at -= 1440
    # The loudest of the frames that they lie in
    peak = 0
    i = at // 160
    n = 4
    while n:
        x = int(state[16 + i])
        if x > peak:
            peak = x
        i += 1
        if i == 9:
            i = 0
        n -= 1
    if peak < 40:
        return 0
    # As in the last frame, if that does
    shift = int(state[7])
    down = 16 - shift if shift < 16 else 0
    up = shift - 16 if shift > 16 else 0
    peak = peak << up >> down
    while peak > 8191:
        peak >>= 1
        shift -= 1
    while peak < 2048:
        peak += peak + 1
        shift += 1
    down = 16 - shift if shift < 16 else 0
    up = shift - 16 if shift > 16 else 0
    state[7] = shift
    # 16384 in place of 32768
    offset = 16384 - (32768 << up >> down)
    if down:
        offset += 1 << down >> 1 >> down
    whole = ptr16(ring)
    ring = ptr16(uint(ring) + uint(at << 1))
    n = 1440 - at
    if n > 384:
        n = 384
    rest = 384 - n
    # (at is a multiple of 4.)
    while n:
        block[0] = (int(ring[0]) << up >> down) + offset
        block[1] = (int(ring[1]) << up >> down) + offset
        block[2] = (int(ring[2]) << up >> down) + offset
        block[3] = (int(ring[3]) << up >> down) + offset
        ring = ptr16(uint(ring) + 8)
        block = ptr16(uint(block) + 8)
        n -= 4
        if n == 0 and rest:
            n = rest
            rest = 0
            ring = ptr16(whole)
    return 1


@micropython.viper
def _expect(x: int, y: int, u: int, played: ptr16, bins: ptr16, filter: ptr32, state: ptr32):
    """The spectrum of the echo: what is played, bin by bin times the filter. x, y, u: anything."""
    shift = int(state[11])
    offset = 536870912 >> shift
    played[0] = 16384  # what is at 0 and at 4 kHz does not matter
    played[1] = 16384
    bins[0] = 16384
    bins[1] = 16384
    n = 192
    while n:
        x = int(played[2]) - 16384
        y = int(played[3]) - 16384
        u = (int(filter[0]) >> shift) - offset
        v = (int(filter[1]) >> shift) - offset
        bins[2] = ((x * u - y * v + 8192) >> 14) + 16384
        bins[3] = ((x * v + y * u + 8192) >> 14) + 16384
        played = ptr16(uint(played) + 4)
        bins = ptr16(uint(bins) + 4)
        filter = ptr32(uint(filter) + 8)
        n -= 1


@micropython.viper
def _subtract(samples: ptr16, x: int, y: int, heard: ptr16, block: ptr16, state: ptr32) -> int:
    """The echo at the end of block is taken away from the microphone's frame; what is left goes into block in its place, as
    loud as fits, after silence. x, y: anything; heard: 160 words of room. -> whether to learn from this frame: when the room
    is known, every second will do."""
    place = ptr16(uint(block) + 448)
    shift = int(state[7]) - 10 - int(state[11])
    up = 0
    if shift < 0:
        up = 0 - shift
        shift = 0
    half = (1 << shift >> 1) - (16384 << up)
    before = 0
    after = 0
    peak = 0
    kept = ptr16(samples)
    n = 80
    while n:
        x = int(samples[0])
        heard[0] = x
        x = (x ^ 32768) - 32768
        y = x - ((int(place[0]) << up) + half >> shift)
        if y > 32767:
            y = 32767
        elif y < -32767:
            y = -32767
        samples[0] = y
        if y < 0:
            y = 0 - y
        after += y
        peak |= y
        before += x if x > 0 else 0 - x
        x = int(samples[1])
        heard[1] = x
        y = (x ^ 32768) - 32768 - ((int(place[1]) << up) + half >> shift)
        if y > 32767:
            y = 32767
        elif y < -32767:
            y = -32767
        samples[1] = y
        peak |= y if y > 0 else 0 - y
        samples = ptr16(uint(samples) + 4)
        heard = ptr16(uint(heard) + 4)
        place = ptr16(uint(place) + 4)
        n -= 1
    samples = ptr16(kept)
    shift = int(state[9])
    down = 16 - shift if shift < 16 else 0
    up = shift - 16 if shift > 16 else 0
    peak = peak << up >> down
    while peak > 8191:
        peak >>= 1
        shift -= 1
    while peak < 2048 and shift < 24:
        peak += peak + 1
        shift += 1
    down = 16 - shift if shift < 16 else 0
    up = shift - 16 if shift > 16 else 0
    state[9] = shift
    n = 224
    while n:
        block[0] = 16384
        block[1] = 16384
        block[2] = 16384
        block[3] = 16384
        block = ptr16(uint(block) + 8)
        n -= 4
    n = 160
    while n:
        block[0] = (((int(samples[0]) ^ 32768) - 32768) << up >> down) + 16384
        block[1] = (((int(samples[1]) ^ 32768) - 32768) << up >> down) + 16384
        samples = ptr16(uint(samples) + 4)
        block = ptr16(uint(block) + 4)
        n -= 2
    if after > before + (before >> 2):
        # The filter harms: it has much to learn, and the frame passes as it came.
        if int(state[12]) < 134217728:
            state[12] = 134217728
        heard = ptr16(uint(heard) - 320)
        n = 160
        while n:
            kept[0] = heard[0]
            heard = ptr16(uint(heard) + 2)
            kept = ptr16(uint(kept) + 2)
            n -= 1
    state[25] ^= 1
    return 1 if state[25] or int(state[12]) > 1048576 else 0


@micropython.viper
def _rescale(power: ptr32, state: ptr32):
    """The powers, which are of the last frame's shifts, to this one's."""
    n = 2
    while n:
        i = 7 if n == 2 else 9
        up = int(state[i]) - int(state[i + 1]) << 1
        state[i + 1] = state[i]
        if up:
            down = 0
            if up < 0:
                down = 0 - up
                up = 0
            most = 134217728 >> up
            place = ptr32(power)
            k = 192
            while k:
                x = int(place[0])
                place[0] = 134217728 if x > most else x << up >> down
                place = ptr32(uint(place) + 8)
                k -= 1
        power = ptr32(uint(power) + 4)
        n -= 1


@micropython.viper
def _adapt(far: int, x: int, y: int, played: ptr16, bins: ptr16, filter: ptr32, power: ptr32, state: ptr32):
    """Every bin of the filter one step on. far, x, y: anything; power: the far end's and the error's, in turn."""
    shift = int(state[7]) - 16
    # 2.4 / P, as 64..127 times a power of two
    doubt = int(state[12])
    p = doubt
    scale = 0
    while p < 134217728:
        p <<= 1
        scale += 1
    # 2.4 / P = 2.4 / (p / 2^28) * 2^scale, and p / 2^28 is 0.5 to 1
    inverse = (2516582400 >> 7) // (p >> 14) >> 5
    base = shift - (int(state[9]) - 16)
    scale += 2 * base - 1  # found best: twice as bold
    scale_up = 0
    scale_down = 0
    if scale > 0:
        scale_up = scale if scale < 29 else 29
    else:
        scale_down = 0 - scale if scale > -31 else 31
    most_scaled = 268435456 >> scale_up
    least = 1 << (11 + 2 * shift if shift < 9 else 28)
    base = -4 - base
    known = 0
    biggest = 0
    played = ptr16(uint(played) + 4)
    bins = ptr16(uint(bins) + 4)
    n = 192
    while n:
        x = int(played[0]) - 16384
        y = int(played[1]) - 16384
        u = int(bins[0]) - 16384
        v = int(bins[1]) - 16384
        # The far end's power falls by a sixteenth a frame, and is never below what it is.
        far = int(power[0])
        far -= far >> 4
        now = x * x + y * y
        if now > far:
            far = now
        power[0] = far
        error = int(power[1])
        error += (u * u + v * v - error) >> 2
        power[1] = error
        # far + 2.4 error / P
        error = (error >> 4) * inverse
        if error > most_scaled:
            error = 268435456
        else:
            error = error << scale_up >> scale_down
        far += error + least
        # One over that, to some bits
        if far < 131072:
            if far < 2048:
                half = 0
            else:
                far >>= 6
                half = 3
        elif far < 8388608:
            far >>= 12
            half = 6
        else:
            far >>= 18
            half = 9
        far = 65536 // far
        known += (now >> half + half) * far >> 8
        x = x * far >> half
        y = y * far >> half
        half += base
        if half < 1:
            half = 1
        far = 1 << half >> 1
        now = int(filter[0]) + ((x * u + y * v + far) >> half)
        filter[0] = now
        now -= 536870912
        biggest |= now if now > 0 else 0 - now
        now = int(filter[1]) + ((x * v - y * u + far) >> half)
        filter[1] = now
        played = ptr16(uint(played) + 4)
        bins = ptr16(uint(bins) + 4)
        filter = ptr32(uint(filter) + 8)
        power = ptr32(uint(power) + 8)
        n -= 1
    if biggest >> 26:  # 36 dB louder than what is played: it has run away
        n = 384
        while n:
            filter = ptr32(uint(filter) - 4)
            filter[0] = 536870912
            n -= 1
        biggest = 0
        doubt = 268435456
    # How many bits the filter's largest has above 14
    shift = 6
    while biggest >> shift > 16383:
        shift += 1
    state[11] = shift
    # P falls by what was learnt, 5/16 of the share of the far end's power in all, and rises with time.
    known = known * 5 >> 4  # 192 bins of 256 each
    if doubt < 32768:
        doubt -= doubt * known // 49152
    else:
        doubt -= (doubt >> 14) * known // 3
    doubt += 8192 << (shift - 6 << 1 if shift < 12 else 12)
    state[12] = doubt if doubt < 268435456 else 268435456
