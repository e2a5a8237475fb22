"""What is not there, made up: pitch periods repeated and faded, from both sides where both are known; and sound made
shorter or longer by a period, unheard. In the manner of ITU-T G.711 Appendix I.

All work on `pcm`, the sound on its way in offset binary: history, then what waits to be handed on. Signed values in `s` are
read back modulo 2^32 on 64-bit machines, where such a load knows no sign: sums of their products are cut to 29 bits.
"""

import micropython
from micropython import const

_N = const(0)  # of the state, see jitter.py
_WIDE = const(1)
_WAITING = const(4)
_EXCESS = const(17)
_HISTORY = const(26)  # samples before those that wait
_RUN = const(27)  # samples concealed in a row
_LAG = const(28)  # samples of a period
_PHASE = const(29)  # of it to be used next
_GAIN = const(30)  # 32768 for 1
_SLOPE = const(31)  # what the gain loses a sample, down to _KNEE, and after it
_KNEE = const(32)
_SLOWER = const(33)
_SCORE = const(34)  # how alike two periods are, 256 for the same
_LEVEL = const(35)  # mean magnitude of the last frame
_PEAK = const(36)  # and of the loud ones
_QUIET = const(37)
_FLOOR = const(63)  # and of the quietest of late, times 16
_CUT = const(38)  # codes cut, and put in
_PUT_IN = const(39)
_CLOCK = const(13)
_HURRY = const(65)

_ROOM = const(72)  # what history may grow to in pcm, before it is moved to the beginning

_ZERO = const(1048576)
_PERIOD = const(73)  # bytes into pcm, behind all the rest: the period that is repeated, and 86 words of scratch to find it


@micropython.viper
def pitch(pcm: ptr16, s: ptr32, end: int, way: int, top: int) -> int:
    """The period of what comes before pcm[end] (way -1), or of what begins there (1). -> samples, also in _LAG.

    5 ms of sound are compared with what is 4.5 to (top / 4) ms away (top up to 65), at 4 kHz, and then 1 code more closely.
    """
    points = ptr32(uint(pcm) + uint(int(s[_PERIOD])))
    wide = int(s[_WIDE])
    # From the gap outwards, two codes at a time
    pair = 2 << wide
    at = ptr16(int(pcm) + ((end if way > 0 else end - pair) << 1))
    jump = way * pair * 2
    most = 1
    n = 0
    while n < top + 21:
        x = at[0] + at[1] - 65536
        if wide:
            x += at[2] + at[3] - 65536
        at = ptr16(int(at) + jump)
        points[n] = x
        if x < 0:
            x = -x
        if x > most:
            most = x
        n += 1
    if way < 0:
        end -= 1
    shift = 0
    while most >> shift > 1023:
        shift += 1
    b = points
    if shift:
        while n:
            b[0] = (((b[0] + 0x100000) & 0x1FFFFF) - 0x100000) >> shift
            b = ptr32(uint(b) + 4)
            n -= 1
    energy = 0
    whole = 0
    i = 0
    while i < 20:
        energy += points[i + 18] * points[i + 18]
        whole += points[i] * points[i]
        i += 1
    best = -1
    lag = 18
    i = 18
    b = ptr32(uint(points) + 72)
    while i <= top:
        c = (
            points[0] * b[0] + points[1] * b[1] + points[2] * b[2] + points[3] * b[3]
            + points[4] * b[4] + points[5] * b[5] + points[6] * b[6] + points[7] * b[7]
            + points[8] * b[8] + points[9] * b[9] + points[10] * b[10] + points[11] * b[11]
            + points[12] * b[12] + points[13] * b[13] + points[14] * b[14] + points[15] * b[15]
            + points[16] * b[16] + points[17] * b[17] + points[18] * b[18] + points[19] * b[19]
        )
        c = (((c + 0x10000000) & 0x1FFFFFFF) - 0x10000000) >> 9
        if c > 0:
            c = c * c // (((energy & 0x1FFFFFFF) >> 9) + 1)
            if c > best:
                best = c
                lag = i
        energy += b[20] * b[20] - b[0] * b[0]
        b = ptr32(uint(b) + 4)
        i += 1
    c = 0
    if best > 0:
        c = best * 256 // (((whole & 0x1FFFFFFF) >> 9) + 1)
    s[_SCORE] = c
    # More closely, at the full rate
    shift -= 1 + wide
    if shift < 0:
        shift = 0
    lag = lag << (1 + wide)
    step = 1 << wide
    jump = way * step * 4
    here = lag - step
    last = lag + step
    best = -1
    while here <= last:
        c = 0
        energy = 0
        at = ptr16(int(pcm) + (end << 1))
        to = ptr16(int(at) + way * here * 2)
        n = 20
        while n:
            x = (to[0] - 32768) >> shift
            c += ((at[0] - 32768) >> shift) * x
            energy += x * x
            at = ptr16(int(at) + jump)
            to = ptr16(int(to) + jump)
            n -= 1
        c >>= 9
        if c > 0:
            c = c * c // ((energy >> 9) + 1)
            if c > best:
                best = c
                lag = here
        here += step
    return lag


@micropython.viper
def period(pcm: ptr16, s: ptr32, end: int, way: int, lag: int):
    """Take the last period before pcm[end], or backwards the first from there on, its end smoothed to meet its beginning."""
    target = ptr16(uint(pcm) + uint(int(s[_PERIOD])))
    if way < 0:
        end -= 1
    i = end - way + way * lag
    n = 0
    while n < lag:
        target[n] = pcm[i]
        i -= way
        n += 1
    n = lag >> 2
    if n > 32 << int(s[_WIDE]):
        n = 32 << int(s[_WIDE])
    step = 16384 // n
    weight = step >> 1
    i = end + way * (lag + n - 1)
    n = lag - n
    while n < lag:
        x = target[n]
        target[n] = x + ((pcm[i] - x) * weight >> 14)
        weight += step
        i -= way
        n += 1
    s[_LAG] = lag
    s[_PHASE] = 0


@micropython.viper
def extend(pcm: ptr16, s: ptr32, n: int):
    """n samples made up after what waits; the first of a gap look for the period. They do not wait yet."""
    at = int(s[_HISTORY]) + int(s[_WAITING])
    wide = int(s[_WIDE])
    if int(s[_RUN]) == 0:
        period(pcm, s, at, -1, int(pitch(pcm, s, at, -1, 65)))
        # Sound that gets quieter goes on doing so.
        last = 0
        before = 0
        i = 2 << wide
        while i <= 80 << wide:
            x = pcm[at - i] - 32768
            last += x if x > 0 else -x
            x = pcm[at - i - (80 << wide)] - 32768
            before += x if x > 0 else -x
            x = pcm[at - i - (160 << wide)] - 32768
            before += x if x > 0 else -x
            i += 2 << wide
        knee = 19660
        if last * 2 < before:
            knee = (last >> 4) * 19660 // ((before >> 5) + 1)
        s[_KNEE] = knee
        s[_GAIN] = 32768
        s[_SLOPE] = (32768 - knee) // (160 << wide)
        s[_SLOWER] = knee // 6 // (160 << wide) + 1
    s[_RUN] = int(s[_RUN]) + n
    target = ptr16(uint(pcm) + uint(at << 1))
    lag = int(s[_LAG])
    phase = int(s[_PHASE])
    gain = int(s[_GAIN])
    knee = int(s[_KNEE])
    while n:
        # To the period's end, or to where the gain falls otherwise
        slope = int(s[_SLOPE])
        i = (gain - knee) // (slope + 1)
        if i <= 0:
            slope = int(s[_SLOWER])
            i = gain // slope
            if i == 0:
                slope = gain = 0
                i = n
        if i > lag - phase:
            i = lag - phase
        if i > n:
            i = n
        n -= i
        source = ptr16(uint(pcm) + uint(int(s[_PERIOD]) + phase * 2))
        phase += i
        if phase == lag:
            phase = 0
        while i:
            target[0] = ((source[0] - 32768) * gain >> 15) + 32768
            target = ptr16(uint(target) + 2)
            source = ptr16(uint(source) + 2)
            gain -= slope
            i -= 1
    s[_PHASE] = phase
    s[_GAIN] = gain


@micropython.viper
def bridge(pcm: ptr16, s: ptr32, n: int, there: int):
    """n samples are missing after what waits, and after them `there` are known: both sides' periods meet in the gap."""
    extend(pcm, s, n)
    wide = int(s[_WIDE])
    end = int(s[_HISTORY]) + int(s[_WAITING]) + n
    top = there // (2 << wide) - 22
    lag = int(s[_LAG])
    if top > 20:
        if top > 50:
            top = 50
        lag = int(pitch(pcm, s, end, 1, top))
    while lag + (lag >> 2) > there:
        lag >>= 1
    period(pcm, s, end, 1, lag)
    if n > 160 << wide:
        n = 160 << wide
    step = 16384 // n
    weight = 16384 - (step >> 1)
    gain = 32768
    fade = 40 >> wide
    target = ptr16(uint(pcm) + uint(end << 1))
    while n:
        source = ptr16(uint(pcm) + uint(int(s[_PERIOD])))
        i = lag if lag < n else n
        n -= i
        while i:
            target = ptr16(int(target) - 2)
            x = target[0]
            target[0] = x + ((((source[0] - 32768) * gain >> 15) + 32768 - x) * weight >> 14)
            source = ptr16(uint(source) + 2)
            weight -= step
            gain -= fade
            i -= 1
    s[_RUN] = 0


@micropython.viper
def meet(pcm: ptr16, s: ptr32):
    """What comes next, already there after what waits, is faded in over what was made up."""
    n = 16 << int(s[_WIDE])
    target = ptr16(uint(pcm) + uint((int(s[_HISTORY]) + int(s[_WAITING])) << 1))
    source = ptr16(uint(pcm) + uint(int(s[_PERIOD])))
    lag = int(s[_LAG])
    phase = int(s[_PHASE])
    gain = int(s[_GAIN])
    step = 16384 // n
    weight = step >> 1
    while n:
        x = ((source[phase] - 32768) * gain >> 15) + 32768
        target[0] = x + ((target[0] - x) * weight >> 14)
        target = ptr16(uint(target) + 2)
        weight += step
        phase += 1
        if phase == lag:
            phase = 0
        n -= 1
    s[_RUN] = 0


@micropython.viper
def level(pcm: ptr16, at: int, n: int) -> int:
    """Mean magnitude of n samples (a multiple of 32), of every eighth of them."""
    pcm = ptr16(uint(pcm) + uint(at << 1))
    total = 0
    i = n >> 3
    n = i
    while i:
        x = pcm[0] - 32768
        total += x if x > 0 else -x
        x = pcm[8] - 32768
        total += x if x > 0 else -x
        x = pcm[16] - 32768
        total += x if x > 0 else -x
        x = pcm[24] - 32768
        total += x if x > 0 else -x
        pcm = ptr16(uint(pcm) + 64)
        i -= 4
    return total // n


@micropython.viper
def fit(pcm: ptr16, s: ptr32):
    """Make what waits shorter or longer by some of _EXCESS: in silence by just so much, in speech by a period."""
    if int(s[_RUN]):
        return  # what is being made up needs its period
    excess = int(s[_EXCESS]) - _ZERO
    n = int(s[_N])
    wide = int(s[_WIDE])
    waiting = int(s[_WAITING])
    history = int(s[_HISTORY])
    most = waiting - n if excess > 0 else n
    if most > 160 << wide:
        most = 160 << wide
    lag = excess << wide
    if lag < 0:
        lag = -lag
        if waiting > 2 * n:
            return
    if lag > most:
        lag = most
    if lag < 16:
        if excess > 0:
            return
        lag = 16
    x = int(level(pcm, history, waiting & 0xFFE0))
    if x >= 16 and (x > int(s[_FLOOR]) >> 3 or x > int(s[_PEAK]) >> 3):
        if excess < 0 and int(s[_HURRY]) <= 40:
            return  # the pause for which it grows is over
        lag = int(pitch(pcm, s, history + (waiting if excess > 0 else 80 << wide), -1, 65))
        if excess > 0 and (lag > most or lag > excess << wide or int(s[_SCORE]) < 128):
            return
    step = 16384 // lag
    weight = step >> 1
    if excess > 0:
        target = ptr16(uint(pcm) + uint(history << 1))
        source = ptr16(uint(target) + uint(lag << 1))
        i = lag
        n = waiting - lag
        while n:
            if i:
                x = target[0]
                target[0] = x + ((source[0] - x) * weight >> 14)
                weight += step
                i -= 1
            else:
                target[0] = source[0]
            target = ptr16(uint(target) + 2)
            source = ptr16(uint(source) + 2)
            n -= 1
        s[_CUT] = int(s[_CUT]) + (lag >> wide)
        s[_WAITING] = waiting - lag
        return
    i = history + waiting - 1
    while i >= history:
        pcm[i + lag] = pcm[i]
        i -= 1
    target = ptr16(uint(pcm) + uint(history << 1))
    source = ptr16(uint(pcm) + uint((history - lag) << 1))
    i = lag
    while i:
        x = target[0]
        target[0] = x + ((source[0] - x) * weight >> 14)
        target = ptr16(uint(target) + 2)
        source = ptr16(uint(source) + 2)
        weight += step
        i -= 1
    s[_PUT_IN] = int(s[_PUT_IN]) + (lag >> wide)
    s[_WAITING] = waiting + lag


@micropython.viper
def hand(pcm: ptr16, s: ptr32, samples: ptr16, at: int):
    """The frame that is due, to samples[at..]; it becomes history, the clock goes on."""
    n = int(s[_N])
    history = int(s[_HISTORY])
    samples = ptr16(uint(samples) + uint(at << 1))
    source = ptr16(uint(pcm) + uint(history << 1))
    i = n
    while i:
        samples[0] = source[0]
        samples[1] = source[1]
        samples[2] = source[2]
        samples[3] = source[3]
        samples = ptr16(uint(samples) + 8)
        source = ptr16(uint(source) + 8)
        i -= 4
    x = int(level(pcm, history, n))
    s[_LEVEL] = x
    peak = int(s[_PEAK])
    peak = x if x > peak else peak - (peak >> 9)
    s[_PEAK] = peak
    floor = int(s[_FLOOR])
    floor = x << 4 if x << 4 < floor else floor + (floor >> 7) + 1
    s[_FLOOR] = floor
    s[_QUIET] = int(s[_QUIET]) + 1 if x < 16 or (x <= floor >> 3 and x <= peak >> 3) else 0
    waiting = int(s[_WAITING]) - n
    s[_WAITING] = waiting
    wide = int(s[_WIDE])
    history += n
    if history > int(s[_ROOM]):
        # No room for another frame: the last 30 ms of history and what waits go to the beginning.
        target = ptr32(pcm)
        words = ptr32(uint(pcm) + uint((history - (240 << wide)) << 1))
        i = (240 << wide) + waiting
        while i > 0:
            target[0] = words[0]
            target[1] = words[1]
            target[2] = words[2]
            target[3] = words[3]
            target = ptr32(uint(target) + 16)
            words = ptr32(uint(words) + 16)
            i -= 8
        history = 240 << wide
    s[_HISTORY] = history
    s[_CLOCK] = (int(s[_CLOCK]) + 160) & 0x3FFFFFFF
