"""Sound through media/level.py: micropython level_script.py BUILT IN OUT last agc

IN, OUT: 8 kHz, 16 bits; last: the gain behind the limiter, 4096 for 0 dB; agc: 0 or 1. Prints a 1 for each frame that is
speech, else a 0, and then the automatic gain of each frame, 1024 for 0 dB.
"""

import sys
from array import array

built, source, target, last, agc = sys.argv[1:]
sys.path[:] = [built, ".frozen"]

from media import level  # noqa: E402

state = array("i", bytes(100))
state[0], state[3] = int(last), int(agc)
level.start(state)
samples = array("h", bytes(320))
speaks, gains = [], []
with open(source, "rb") as before, open(target, "wb") as after:
    while before.readinto(samples) == 320:
        speaks.append(str(level.frame(samples, 160, state)))
        gains.append(str(state[1]))
        after.write(samples)
print("".join(speaks))
print(" ".join(gains))
