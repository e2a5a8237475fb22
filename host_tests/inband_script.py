"""Keys found in recordings: micropython inband_script.py BUILT RATE FILE ...

FILE: 16-bit samples in offset binary at RATE (8000 or 16000). Prints a line a key: which file, the frame in which it was found,
its code.
"""

import sys
from array import array

built, rate_hz = sys.argv[1:3]
sys.path[:] = [built, ".frozen"]

from media import inband, q23  # noqa: E402

n = int(rate_hz) // 50
samples = array("H", bytes(2 * n))
for k, path in enumerate(sys.argv[3:]):
    detector = q23.detector()
    frame = 0
    with open(path, "rb") as recording:
        while recording.readinto(samples) == 2 * n:
            code = inband.hear(samples, 0, n, detector)
            if code >= 0:
                print(k, frame, code)
            frame += 1
