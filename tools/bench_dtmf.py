#!/usr/bin/env python3
"""What it costs to listen for keys in the sound: a frame of 20 ms with a key, and one with noise.

`figures()` measures; run as a program it prints them as one JSON object. The same file is the measured program when
MicroPython runs it: bench_dtmf.py BUILT key|noise|keys FRAMES
"""

import sys

_FRAMES = 2000  # timed
_FEW, _MANY = 50, 150  # counted: the difference is free of what starting costs


def _measured(built, what, n):
    """Runs n frames; prints microseconds a frame."""
    import math
    import time
    from array import array

    sys.path[:] = [built, ".frozen"]
    from media import inband, q23

    # 60 ms of a key, and as much silence: played on and on they are n / 6 keys.
    samples = array("H", [32768] * 960)
    x = 1
    for i in range(480):
        x = (x * 8121 + 28411) % 134456
        w = 2 * math.pi * i / 8000
        key = int(8000 * math.sin(941 * w) + 8000 * math.sin(1336 * w))
        samples[i] = 32768 + (x % 20001 - 10000 if what == "noise" else key)
    detector = q23.detector()
    frames = 6 if what == "keys" else 3
    found = 0
    start = time.ticks_us()
    for k in range(n):
        found += inband.hear(samples, k % frames * 160, 160, detector) == 0
    print(time.ticks_diff(time.ticks_us(), start) / n)
    if found != {"keys": (n + 3) // 6, "noise": 0}.get(what, found):
        raise RuntimeError("%d keys were found in %d frames: this is no measurement" % (found, n))


def _unix_port():
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tools import unix_port

    return unix_port


def figures():
    """-> dict of figures: microseconds are of this computer, instructions repeat anywhere. `dtmf_us` and `dtmf_instructions` are a
    frame's while a key sounds, which is when most is done; `_noise` while there is noise, `_keys` with a key begun every 120 ms,
    in the mean."""
    import shutil

    port = _unix_port()
    found = {"dtmf_us": round(min(float(port.run(__file__, "key", str(_FRAMES)).stdout) for _ in range(3)), 1)}
    if shutil.which("valgrind"):
        for name, what in (("dtmf_instructions", "key"), ("dtmf_instructions_noise", "noise"), ("dtmf_instructions_keys", "keys")):
            many, few = (port.instructions(__file__, what, str(frames)) for frames in (6 * _MANY, 6 * _FEW))
            found[name] = (many - few) // (6 * (_MANY - _FEW))
    return found


if __name__ == "__main__":
    if sys.implementation.name == "micropython":
        _measured(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        import json

        print(json.dumps(figures(), indent=1))
