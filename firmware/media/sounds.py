"""Sounds of our own begin: a tone while nothing comes, or one or a file over what comes and goes. Lent for the moment.

What tones sound like where (ITU-T E.180 supplement 2; UK: BT SIN 350; AU: AS/CA S002; NZ: TNA 102): a line a country, with
ring-back, busy, error (congestion). A tone: its frequencies, which sound together, then how many frames of 20 ms it sounds
and, below 0, pauses. E.180 recommends 425 Hz: that is "eu". Japan's ring-back beats 16 times a second.
"""

from lend import lend

_NATIONS = """
eu 425Hz 50 -200, 425Hz 25 -25, 425Hz 12 -13
at 420Hz 50 -250, 420Hz 20 -20, 420Hz 10 -10
au 413+438Hz 20 -10 20 -100, 425Hz 19 -19, 425Hz 19 -19
be 425Hz 50 -150, 425Hz 25 -25, 425Hz 8 -8
br 425Hz 50 -200, 425Hz 12 -13, 425Hz 12 -13 37 -13
ch 425Hz 50 -200, 425Hz 25 -25, 425Hz 10 -10
cn 450Hz 50 -200, 450Hz 17 -18, 450Hz 35 -35
cz 425Hz 50 -200, 425Hz 16 -17, 425Hz 8 -8
de 425Hz 50 -200, 425Hz 24 -24, 425Hz 12 -12
dk 425Hz 50 -200, 425Hz 25 -25, 425Hz 10 -10
es 425Hz 75 -150, 425Hz 10 -10, 425Hz 10 -10 10 -10 10 -30
fi 425Hz 50 -200, 425Hz 15 -15, 425Hz 10 -10
fr 440Hz 75 -175, 440Hz 25 -25, 440Hz 12 -13
hu 425Hz 62 -188, 425Hz 15 -15, 425Hz 15 -15
it 425Hz 50 -200, 425Hz 25 -25, 425Hz 10 -10
jp 392+408Hz 50 -100, 400Hz 25 -25, 400Hz 25 -25
nl 425Hz 50 -200, 425Hz 25 -25, 425Hz 12 -13
no 425Hz 50 -200, 425Hz 25 -25, 425Hz 10 -10
nz 400+450Hz 20 -10 20 -100, 400Hz 25 -25, 400Hz 12 -13
pl 425Hz 50 -200, 425Hz 25 -25, 425Hz 25 -25
pt 425Hz 50 -250, 425Hz 25 -25, 425Hz 10 -10
ru 425Hz 50 -200, 425Hz 17 -18, 425Hz 9 -9
se 425Hz 50 -250, 425Hz 12 -13, 425Hz 12 -38
tw 440+480Hz 50 -100, 480+620Hz 25 -25, 480+620Hz 12 -13
uk 400+450Hz 20 -10 20 -100, 400Hz 19 -19, 400Hz 20 -17 11 -26
us 440+480Hz 100 -200, 480+620Hz 25 -25, 480+620Hz 12 -13
"""
_PROGRESS = ("ringback", "busy", "error")

# Ours, the same everywhere, and how often: the door opens; the call ends in ten seconds.
_OWN_TONES = {"open": ("660Hz 8 880Hz 16", 1), "countdown": ("1000Hz 5 -45", 10)}


def tone(name, nation):
    """-> the `tones.Tone` of this name as it sounds there. ValueError names those there are."""
    if name in _OWN_TONES:
        text, times = _OWN_TONES[name]
    else:
        if name not in _PROGRESS:
            raise ValueError("there is no tone '%s'; there are %s" % (name, ", ".join(sorted(_PROGRESS + tuple(_OWN_TONES)))))
        at = _NATIONS.find("\n" + nation + " ")
        if at < 0:
            there = ", ".join([line[:2] for line in _NATIONS.split("\n") if line])
            raise ValueError("there are no tones for '%s'; there are %s" % (nation, there))
        text = _NATIONS[at + 4 : _NATIONS.find("\n", at + 1)].split(", ")[_PROGRESS.index(name)]
        times = 0
    return lend("media.tones").Tone(name, text, times)


def play(stream, name, to, n):
    """Stream.play; n: samples of a frame."""
    made = []
    for side in (1, 2):
        if not to & side:
            continue
        if "." not in name:
            made.append(tone(name, stream.tones))
            if not made[-1].ms:
                raise ValueError("'%s' has no end: only open and countdown can be played, or a WAV file" % name)
        elif made:
            made.append(made[0].__class__(name, n))
        else:
            made.append(lend("media.wav").Wav(name, n))
    stop(stream, to)
    ms = made[-1].ms
    if to & 2:
        stream._prompt = made.pop()
    if to & 1:
        stream._over = made.pop()
    return ms


def stop(stream, to=3):
    """What plays to the visitor (1), the caller (2) or both ends."""
    if to & 1 and stream._over:
        stream._over.close()
        stream._over = None
    if to & 2 and stream._prompt:
        stream._prompt.close()
        stream._prompt = None
