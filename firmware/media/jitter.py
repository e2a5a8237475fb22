"""The playout buffer's kernels: where a packet goes, and what the next 20 ms are to be made of.

A ring of code bytes addressed by RTP timestamp, so packets of any length fit, and reordering, gaps and wrap-around need no
cases of their own. Time is counted in codes, one per tick of the RTP clock (8000 a second in G.711 and in G.722):

    clock     goes on by 160 a frame, whatever comes
    offset    of a packet: its timestamp less the clock as it came; the smaller the later
    position  what is handed on next, less the clock: a packet comes in time when its offset is not below it

So the position that suits a network is the least offset of the last seconds. Below it: too much delay, to be cut. Above it:
packets come too late, it grows at once. What never comes has no offset, and changes nothing.

Where packets overtake each other it is the least but one: the very last of hundreds is missed less (those after it are
there, so what is made up meets them) than all of them would have to wait for it. Some more is held for those that were not
seen yet, much until a whole window has been; and as none of that is in a hurry, it grows and shrinks in pauses between
sentences, not in the stops within words.

When the next sound is not there and nothing after it either, it is lost or late: nobody knows yet. Then time is held (what
is missing is concealed, and counted in `held`), until something comes: the awaited packet, and the delay has grown by what
was held; or a later one, then it was a loss and what was held counts for it.
"""

import micropython
from micropython import const

# The state of a playout, array("i") of 76; who reads it has private constants for these places.
_N = const(0)  # samples a frame: 160, or 320
_WIDE = const(1)  # 1 if a code is two samples
_TIMESTAMP = const(2)  # of the next code to decode, modulo 2^30
_AT = const(3)  # where it is in the ring, a multiple of 80
_WAITING = const(4)  # samples decoded and not yet handed on
_HELD = const(5)
_ACTIVE = const(6)
_AHEAD = const(7)  # codes from _TIMESTAMP to the end of the newest packet, at least 0
_LEAST = const(8)  # the least offset of this window, plus _ZERO
_LEAST_BEFORE = const(9)  # and of the one before
_SECOND = const(55)  # the least of this window but one
_TICKS = const(10)  # of this window
_WINDOW = const(11)  # ticks a window lasts
_LATE = const(12)  # packets
_CLOCK = const(13)
_STRAY = const(14)  # timestamp of a packet that fits in nowhere
_PAD = const(15)  # codes to conceal before the next step
_LOSSY = const(16)  # ticks for which one more frame is held, as packets get lost
_EXCESS = const(17)  # codes of delay too much, plus _ZERO
_WANT = const(18)  # samples that shall wait before a frame is handed on
_NOISE = const(19)  # 1: from _NOISE_AT on there is comfort noise where nothing else is
_NOISE_AT = const(20)
_GAP = const(21)  # codes to the next sound
_MARGIN = const(22)  # mean codes between a packet's coming and its turn, times 16
_PATIENCE = const(23)  # ticks for which there was too much delay
_BRIDGE = const(24)  # codes beyond the gap that are there
_LOOKED = const(69)  # 1: what comes now comes in the last ms before a frame is due
_TIGHT = const(70)  # ticks until frames may be due sooner: some packets came only just in time
_SOONER = const(71)  # ms by which frames are due sooner than at first
_PACE = const(75)  # ticks from one ms of these to the next; below 0: that was too soon
_FROM = const(68)  # where in the ring the codes are that step() names
_QUIET = const(37)  # frames of silence in a row
_DRIFT_FROM = const(40)  # offset and tick of the first step of the least offset, and of the last
_DRIFT_TICK = const(41)
_DRIFT_TO = const(42)
_DRIFT_LAST = const(43)
_TICK = const(44)
_OVERTAKEN = const(64)  # ticks for which some more is held, as packets overtake each other
_SHORT = const(66)  # the least offset of a second, and its ticks
_SHORT_TICKS = const(67)
_DEEP = const(74)  # codes that are held for that, too, until a window has passed
_HURRY = const(65)  # 32 for each late packet, 1 less a tick
_CUT = const(38)  # codes

_ZERO = const(1048576)
_NONE = const(2097152)
_RING = const(2400)  # 300 ms
_BLOCKS = const(30)  # of 80 codes: what is there is counted in these
_BEHIND = const(480)  # what has been played stays known for so long: the longest packet
_OLDEST = const(24)  # blocks from the one that is decoded to the one that becomes too old, round the ring
_FAR = const(1760)  # so much ahead fits in
_MOST = const(1280)  # with so much ahead it grows no more: some packets come sooner than others, and the ring is no larger
_PAUSE = const(9)  # frames: longer than the stop before a t or k
_SLOW = const(250)  # and then


@micropython.viper
def start(s: ptr32, have: ptr8, timestamp: int):
    """Begin with a packet of this timestamp: from another source, of another clock, or after a long pause."""
    wait = (int(s[_MARGIN]) // 16 + 40) // 80 * 80
    if wait > 800:
        wait = 800
    i = 0
    while i < _BLOCKS:
        have[i] = 0
        i += 1
    s[_ACTIVE] = 1
    timestamp = (timestamp - wait) & 0x3FFFFFFF
    s[_TIMESTAMP] = s[_CLOCK] = s[_NOISE_AT] = timestamp
    s[_NOISE] = 1
    s[_AT] = s[_AHEAD] = s[_HELD] = s[_PAD] = s[_TICKS] = s[_PATIENCE] = s[_WAITING] = 0
    s[_SHORT_TICKS] = 0
    s[_TIGHT] = 50
    s[_PACE] = 20
    s[_LEAST] = s[_SECOND] = s[_LEAST_BEFORE] = s[_SHORT] = s[_DRIFT_FROM] = s[_DRIFT_TO] = _NONE


@micropython.viper
def put(s: ptr32, ring: ptr8, have: ptr8, packet: ptr8, fields: ptr32) -> int:
    """The payload of a packet that rtp.parse took apart into `fields`, to its place. -> 1, or 0 if it has none any more."""
    timestamp = int(fields[3])
    n = int(fields[7])
    if n == 0 or n > 1280:
        return 0
    ahead = ((timestamp - int(s[_TIMESTAMP]) + 0x20000000) & 0x3FFFFFFF) - 0x20000000
    if int(s[_ACTIVE]) == 0:
        start(s, have, timestamp)
        ahead = 0x3FFFFFFF
    elif ahead + n > _FAR and ahead <= _FAR and int(s[_AHEAD]) > _MOST:
        # More waits than there is room for: what is next goes.
        i = (ahead + n - _FAR + 79) // 80 * 80
        forward(s, have, i)
        ahead -= i
        s[_CUT] = int(s[_CUT]) + i
    elif ahead + n > _FAR or ahead < -8000:
        # Far away: another clock, if the next packet says so too. One alone is none.
        if int(s[_HELD]) < 480 and (timestamp - int(s[_STRAY]) - 1) & 0x3FFFFFFF > 1600:
            s[_STRAY] = timestamp
            return 0
        start(s, have, timestamp)
        ahead = 0x3FFFFFFF
    if ahead == 0x3FFFFFFF:
        ahead = ((timestamp - int(s[_TIMESTAMP]) + 0x20000000) & 0x3FFFFFFF) - 0x20000000
    to = int(s[_AT]) + ahead
    if to < 0:
        to += _RING
    if to >= _RING:
        to -= _RING
    if ahead >= -_BEHIND and have[to // 80] == 80:
        return 0  # a duplicate
    # How late is it, and how late are they in the mean?
    offset = ((timestamp - int(s[_CLOCK]) + 0x20000000) & 0x3FFFFFFF) - 0x20000000
    if offset < -8000:
        offset = -8000
    offset += _ZERO
    x = (ahead + (int(s[_WAITING]) >> int(s[_WIDE])) - int(s[_HELD])) * 16
    if x > -1600 * 16 or int(s[_HURRY]) > 40:
        # (One alone that comes after 200 ms is no reason to wait so long for all.)
        if offset < int(s[_LEAST]):
            s[_SECOND] = s[_LEAST]
            s[_LEAST] = offset
        elif offset < int(s[_SECOND]):
            s[_SECOND] = offset
        if offset < int(s[_SHORT]):
            s[_SHORT] = offset
    if x < 0:
        if int(s[_SOONER]) == 0:
            s[_PACE] = 20
        elif x >= -160 * 16 and int(s[_PACE]) > 0:
            s[_PACE] = -int(s[_PACE])  # by less than a frame
        x = 0
        s[_WINDOW] = _SLOW
        s[_TIGHT] = 100
    elif int(s[_LOOKED]):
        i = 160 if int(s[_LOSSY]) == 0 else 320
        if int(s[_OVERTAKEN]):
            i += 160
        if x < i * 16:
            if int(s[_TIGHT]) < 80 and int(s[_PACE]) < 6000:
                s[_PACE] = int(s[_PACE]) * 2
            s[_TIGHT] = 100
    x -= int(s[_MARGIN])
    s[_MARGIN] = int(s[_MARGIN]) + (x >> 5)
    if ahead + n <= 0 or ahead < -_BEHIND:
        s[_LATE] = int(s[_LATE]) + 1
        s[_HURRY] = int(s[_HURRY]) + 32
        return 0
    if ahead + n > int(s[_AHEAD]):
        s[_AHEAD] = ahead + n
    elif ahead + n < int(s[_AHEAD]):
        s[_OVERTAKEN] = 1000
        if int(s[_AHEAD]) - ahead > 320:
            s[_DEEP] = 320
        s[_WINDOW] = _SLOW * 2
    # Into the ring, round its end, and counted in its blocks
    block = to // 80
    room = block * 80 + 80 - to
    packet = ptr8(uint(packet) + uint(fields[6]))
    while n:
        if room > n:
            room = n
        n -= room
        there = have[block] + room
        have[block] = there if there < 80 else 80
        target = ptr8(uint(ring) + uint(to))
        to += room
        while room > 3:
            target[0] = packet[0]
            target[1] = packet[1]
            target[2] = packet[2]
            target[3] = packet[3]
            target = ptr8(uint(target) + 4)
            packet = ptr8(uint(packet) + 4)
            room -= 4
        while room:
            target[0] = packet[0]
            target = ptr8(uint(target) + 1)
            packet = ptr8(uint(packet) + 1)
            room -= 1
        room = 80
        block += 1
        if to == _RING:
            to = 0
            block = 0
    return 1


@micropython.viper
def gap(s: ptr32, have: ptr8) -> int:
    """-> codes from the next one to the first that is there, or to where comfort noise begins; -1 if there is none."""
    codes = 0
    end = int(s[_AHEAD])
    block = int(s[_AT]) // 80
    while codes < end and have[block] != 80:
        codes += 80
        block += 1
        if block == _BLOCKS:
            block = 0
    if int(s[_NOISE]):
        noise = ((int(s[_NOISE_AT]) - int(s[_TIMESTAMP]) + 0x20000000) & 0x3FFFFFFF) - 0x20000000
        if noise < 0:
            noise = 0
        if codes >= end or noise < codes:
            return (noise + 79) // 80 * 80
    return codes if codes < end else -1


@micropython.viper
def forward(s: ptr32, have: ptr8, codes: int):
    """The next code to decode is so many (a multiple of 80) further on."""
    s[_TIMESTAMP] = (int(s[_TIMESTAMP]) + codes) & 0x3FFFFFFF
    ahead = int(s[_AHEAD]) - codes
    s[_AHEAD] = ahead if ahead > 0 else 0
    at = int(s[_AT])
    block = (at + _RING - _BEHIND) // 80
    while codes > 0:
        # What gets too old makes room for what comes.
        if block >= _BLOCKS:
            block -= _BLOCKS
        have[block] = 0
        block += 1
        at += 80
        codes -= 80
    while at >= _RING:
        at -= _RING
    s[_AT] = at


@micropython.viper
def begin(s: ptr32, have: ptr8) -> int:
    """A frame is due. -> 1, or 0 if there is no source."""
    s[_LOOKED] = 0
    if int(s[_ACTIVE]) == 0:
        return 0
    held = int(s[_HELD])
    if held:
        codes = int(gap(s, have))
        if codes >= 0:
            # Something came: the awaited (then the delay has grown), or what comes after it (then that was lost).
            if codes:
                if codes < 800:
                    s[_LOSSY] = 500
                going = (held + 79) // 80 * 80
                if going > codes:
                    going = codes
                if going > held:
                    s[_PAD] = going - held
                forward(s, have, going)
            else:
                s[_WINDOW] = _SLOW
            s[_HELD] = held = 0
        elif held >= 3200:
            s[_ACTIVE] = 0
            return 0
    if int(s[_LOSSY]):
        s[_LOSSY] = int(s[_LOSSY]) - 1
    if int(s[_TIGHT]):
        s[_TIGHT] = int(s[_TIGHT]) - 1
    if int(s[_HURRY]):
        s[_HURRY] = int(s[_HURRY]) - 1
    n = int(s[_N])
    wide = int(s[_WIDE])
    # Windows
    s[_TICK] = (int(s[_TICK]) + 1) & 0x3FFFFFFF
    ticks = int(s[_TICKS]) + 1
    least = int(s[_LEAST])
    if int(s[_OVERTAKEN]) and int(s[_SECOND]) != _NONE:
        least = int(s[_SECOND])
    if ticks >= int(s[_WINDOW]) and least != _NONE:
        ticks = 0
        was = int(s[_DRIFT_TO])
        if was == _NONE:
            s[_DRIFT_TO] = least
        elif least - was > 79 or was - least > 79:
            s[_DRIFT_TO] = least
            s[_DRIFT_LAST] = int(s[_TICK])
            if int(s[_DRIFT_FROM]) == _NONE:
                s[_DRIFT_FROM] = least
                s[_DRIFT_TICK] = int(s[_TICK])
        s[_LEAST_BEFORE] = least
        s[_LEAST] = s[_SECOND] = _NONE
    s[_TICKS] = ticks
    if int(s[_LEAST_BEFORE]) < least:
        least = int(s[_LEAST_BEFORE])
    ticks = int(s[_SHORT_TICKS]) + 1
    if ticks > 49:
        # A second's packets all came much earlier: what held them up, or us, is over.
        ticks = int(s[_SHORT])
        if ticks != _NONE and ticks - least > (959 if int(s[_OVERTAKEN]) else 479):
            s[_LEAST] = s[_SECOND] = s[_LEAST_BEFORE] = least = ticks
        s[_SHORT] = _NONE
        ticks = 0
    s[_SHORT_TICKS] = ticks
    # Where we are and where we should be
    excess = 0
    known = int(s[_LEAST_BEFORE]) != _NONE
    if least != _NONE and held == 0:
        excess = ((int(s[_TIMESTAMP]) - int(s[_CLOCK]) + 0x20000000) & 0x3FFFFFFF) - 0x20000000 - (int(s[_WAITING]) >> wide)
        excess = least - _ZERO - excess + int(s[_PAD])
        # In speech it grows only if more than one packet comes too late, for a reserve in pauses.
        hurry = int(s[_QUIET]) > 1 or (excess < 0 and int(s[_HURRY]) > 40)
        if int(s[_OVERTAKEN]):
            s[_OVERTAKEN] = int(s[_OVERTAKEN]) - 1
            if excess >= 0 and int(s[_QUIET]) < _PAUSE:
                hurry = False
            excess -= 160
            if not known:
                excess -= int(s[_DEEP])
        if int(s[_LOSSY]):
            excess -= 160
        if excess < 0 and (not hurry or int(s[_AHEAD]) > _MOST):
            excess = 0
        if excess > 0:
            # Not until a whole window says so
            if not known or excess < 40:
                excess = 0
    patience = int(s[_PATIENCE])
    if excess > 0:
        s[_PATIENCE] = patience + 1
    else:
        s[_PATIENCE] = patience = 0
    want = n
    if excess > 0:
        codes = excess if excess < 160 else 160
        if int(s[_QUIET]) >= _PAUSE or (excess >= 160 and patience * excess > 160000) or excess > 640:
            want += codes << wide
        else:
            excess = 0
    s[_WANT] = want
    s[_EXCESS] = excess + _ZERO
    return 1


@micropython.viper
def step(s: ptr32, have: ptr8) -> int:
    """What comes next: 80 or 160 codes to decode from ring[_FROM] on; 0 that is enough; -1 to hold, -2 to conceal _PAD codes or a block,
    -3 to bridge _GAP codes with _BRIDGE there at _FROM, -4 comfort noise."""
    waiting = int(s[_WAITING])
    n = int(s[_N])
    if int(s[_PAD]):
        return -2
    if waiting >= int(s[_WANT]):
        return 0
    block = int(s[_AT]) // 80
    if have[block] == 80:
        if int(s[_NOISE]) and (int(s[_TIMESTAMP]) - int(s[_NOISE_AT])) & 0x3FFFFFFF < 0x20000000:
            s[_NOISE] = 0
        # (What forward() does, without the call: this is the way of most frames.)
        at = block * 80
        s[_FROM] = at
        codes = 80
        going = block + _OLDEST
        have[going if going < _BLOCKS else going - _BLOCKS] = 0
        if waiting + (80 << int(s[_WIDE])) < int(s[_WANT]) and block < _BLOCKS - 1 and have[block + 1] == 80:
            codes = 160
            going += 1
            have[going if going < _BLOCKS else going - _BLOCKS] = 0
        s[_TIMESTAMP] = (int(s[_TIMESTAMP]) + codes) & 0x3FFFFFFF
        ahead = int(s[_AHEAD]) - codes
        s[_AHEAD] = ahead if ahead > 0 else 0
        at += codes
        s[_AT] = at if at < _RING else 0
        return codes
    if waiting >= n:
        return 0
    if int(s[_NOISE]) and ((int(s[_TIMESTAMP]) - int(s[_NOISE_AT])) & 0x3FFFFFFF) < 0x20000000:
        return -4
    codes = int(gap(s, have))
    if codes < 0:
        return -1
    s[_GAP] = codes
    if codes < 800:
        s[_LOSSY] = 500
    if codes > 160:
        return -2
    block += codes // 80
    if block >= _BLOCKS:
        block -= _BLOCKS
    if have[block] != 80:
        return -2
    s[_FROM] = block * 80
    s[_BRIDGE] = 160 if block < _BLOCKS - 1 and have[block + 1] == 80 else 80
    return -3


@micropython.viper
def hush(s: ptr32, have: ptr8, fields: ptr32) -> int:
    """A packet of comfort noise came: from its timestamp on there is noise where no sound is. -> 1, or 0: too late."""
    timestamp = int(fields[3])
    if int(s[_ACTIVE]) == 0:
        start(s, have, timestamp)
    ahead = ((timestamp - int(s[_TIMESTAMP]) + 0x20000000) & 0x3FFFFFFF) - 0x20000000
    if ahead > _FAR or ahead < -8000:
        start(s, have, timestamp)
    offset = ((timestamp - int(s[_CLOCK]) + 0x20000000) & 0x3FFFFFFF) - 0x20000000 + _ZERO
    if offset < int(s[_LEAST]) and offset > 0:
        s[_LEAST] = offset
    if ahead + 160 <= 0 and int(s[_NOISE]) == 0 and int(s[_AHEAD]):
        return 0  # there is sound after it already
    s[_NOISE] = 1
    s[_NOISE_AT] = timestamp
    return 1


@micropython.viper
def adjust(s: ptr32, have: ptr8) -> int:
    """A block of comfort noise was made. -> how far to go on: here the delay is set right for nothing."""
    excess = int(s[_EXCESS]) - _ZERO
    if excess <= -80:
        s[_EXCESS] = int(s[_EXCESS]) + 80
        return 0
    block = int(s[_AT]) // 80 + 1
    if block == _BLOCKS:
        block = 0
    if excess < 80 or have[block] == 80:
        return 80
    s[_EXCESS] = int(s[_EXCESS]) - 80
    return 160
