"""The voice at one level: limiter, gentle automatic gain, and whether anybody speaks. One pass over a frame, at need another.

Speech is told from noise by the mean magnitude of a frame and by that of its steps from sample to sample, in which traffic
is quiet and an s is loud. Each has its floor: the least of its last 1.3 to 2.6 s, as speech never goes on so long without a
gap. Speech is 6 dB above one of them, and 200 ms more.

The automatic gain listens while somebody speaks well above the noise, 0.4 s at a time. Speech of -30 to -19 dBov, which is
comfortable, it leaves as it is; other it moves by 1 dB, up to 12 dB either way, and not so far that the noise comes above -50
dBov. In pauses it rests.

The limiter keeps all below -0.8 dBov. It has the whole frame before it: the gain slides down in the eighth of it before a
peak, and up again by 54 dB a second, so that no top is cut and a tone stays a tone. Only a peak in the first eighth it meets at once.
"""

import micropython

# state, array("i") of 25: 0 gain behind the limiter, 4096 for 0 dB   1 automatic gain, 1024 for 0 dB   2 gain at the end of the last
# frame, 65536 for 0 dB   3 whether the automatic gain may move   4 the least magnitude of this window   5 of the one before
# 6 the magnitude, smoothed   7, 8, 9 the same of the steps   10 frames that are still speech   11 frames of this window
# 12, 13 what the automatic gain heard: sum, frames   14 mean magnitude of what is sent without a voice in it   15 all
# magnitudes or-ed   16 to 24 what gain each eighth of the frame bears, and no end behind it. Magnitudes are 16 times what they are.
@micropython.viper
def frame(samples, n: int, state) -> int:
    """n (160 at 8 kHz, 320 at 16) signed samples, levelled in place. -> 1 while somebody speaks, else 0."""
    n = int(listen(samples, n, state)) | n << 1
    limit(samples, n >> 1, state)
    return n & 1


@micropython.viper
def start(state: ptr32):
    """A call begins: nothing is known of its noise, and for a second all is taken for speech."""
    state[1] = 1024
    state[2] = state[0] << 4
    i = 4
    while i < 25:
        state[i] = 0x100000 if i < 10 else 0x1000000
        i += 1
    state[10] = 50
    state[11] = 0
    state[12] = 0
    state[13] = 0
    state[14] = 256  # a quiet room


@micropython.viper
def listen(samples: ptr16, n: int, state: ptr32) -> int:
    """The first pass: magnitudes, also how many bits they take; whether that is speech; the automatic gain. -> 1 for speech"""
    total = 0
    steps = 0
    bits = 0
    i = n
    while i:
        # A step between two, as each costs; one of more than half the range, which is no speech, counts for what it lacks.
        x = samples[0]
        y = samples[1]
        step = (x - y) & 0xFFFF
        steps += 65536 - step if step >> 15 else step
        if x >> 15:
            x = 65536 - x
        if y >> 15:
            y = 65536 - y
        bits |= x | y
        total += x + y
        x = samples[2]
        y = samples[3]
        step = (x - y) & 0xFFFF
        steps += 65536 - step if step >> 15 else step
        if x >> 15:
            x = 65536 - x
        if y >> 15:
            y = 65536 - y
        bits |= x | y
        total += x + y
        samples = ptr16(uint(samples) + 8)
        i -= 4
    state[15] = bits
    total = (total << 4) // n
    steps = (steps << 5) // n

    # The floors
    x = int(state[6])
    x = total if x >> 20 else x + ((total - x) >> 2)
    state[6] = x
    if x < state[4]:
        state[4] = x
    y = int(state[9])
    y = steps if y >> 20 else y + ((steps - y) >> 2)
    state[9] = y
    if y < state[7]:
        state[7] = y
    i = state[11] + 1
    if i >> 6:
        i = 0
        state[5] = state[4]
        state[4] = x
        state[8] = state[7]
        state[7] = y
    state[11] = i
    floor = int(state[4])
    if state[5] < floor:
        floor = int(state[5])
    y = int(state[7])
    if state[8] < y:
        y = int(state[8])

    # Speech
    hang = int(state[10])
    voiced = 0
    if total > (floor << 1) + 32 or steps > (y << 1) + 32:
        voiced = 1
        if hang < 11:
            hang = 11
    if hang:
        hang -= 1
    state[10] = hang

    # What the other side gets of it
    agc = int(state[1])
    gain = (state[0] * agc) >> 10
    y = ((total >> 2) * (gain >> 6)) >> 4
    if not voiced:
        x = int(state[14])
        state[14] = x + ((y - x) >> 3)
    elif state[3] and total > floor << 2 and y > 1024:
        state[12] = state[12] + (y >> 4)
        i = state[13] + 1
        if i == 20:
            y = state[12] // 20
            if y < 280:
                if agc < 4096 and ((floor >> 2) * (gain >> 6)) >> 4 < 1300:
                    agc += agc >> 3
            elif y > 3600 and agc > 256:
                agc -= agc >> 3
            state[1] = agc
            state[12] = 0
            i = 0
        state[13] = i
    return 1 if hang else 0


@micropython.viper
def limit(samples: ptr16, n: int, state: ptr32):
    """The second pass: the gains, if there are any, and no sample above 30000."""
    wanted = (state[0] * state[1]) >> 6
    gain = int(state[2])
    most = gain if gain > wanted else wanted
    size = n >> 3
    least = wanted
    k = 0
    if (state[15] * (most >> 8)) >> 8 > 30000:
        p = samples
        while k < 8:
            peak = 1
            i = size
            while i:
                x = p[0]
                y = p[1]
                if x >> 15:
                    x = 65536 - x
                if y >> 15:
                    y = 65536 - y
                if x > peak:
                    peak = x
                if y > peak:
                    peak = y
                p = ptr16(uint(p) + 4)
                i -= 2
            x = ((30000 << 15) // peak) << 1 if peak > 1000 else 0x1000000
            state[16 + k] = x
            if x < least:
                least = x
            k += 1
        if gain > state[16]:
            gain = int(state[16])
    elif gain == wanted and wanted == 65536:
        return
    i = 0
    while i < 8:
        # Sliding from what this eighth bears to what the next bears, it never is above either.
        to = wanted
        if k:
            if state[16 + i] < to:
                to = int(state[16 + i])
            if i < 7 and state[17 + i] < to:
                to = int(state[17 + i])
        if to > gain:
            # Up by 54 dB a second, but no further than the whole frame bears: what is loud again and again keeps one gain.
            x = gain + (gain >> 6)
            if x > least:
                x = least if least > gain else gain
            if x < to:
                to = x
        slide = (to - gain) // (size >> 1)
        x = size
        while x:
            gain += slide
            y = gain >> 4
            samples[0] = (((samples[0] ^ 32768) - 32768) * y + 2048) >> 12
            samples[1] = (((samples[1] ^ 32768) - 32768) * y + 2048) >> 12
            samples = ptr16(uint(samples) + 4)
            x -= 2
        gain = to
        i += 1
    state[2] = gain
