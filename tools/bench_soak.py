#!/usr/bin/env python3
"""A call of ten minutes, in real time, whose sender's clock is 200 ppm slow, and beside it one whose is as much fast.

    bench_soak.py [--seconds 600] [--ppm 200]       figures as JSON, in build/soak.json if it was the whole

The delay at the end may differ from that at the start by 20 ms, and no packet may be lost to drift: neither come too late,
nor thrown away, nor missed where it should have been played.
"""

import argparse
import concurrent.futures
import json
import re
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import bench_sound, sound_call, sound_network, sound_receivers, sound_speech  # noqa: E402

SECONDS, PPM = 600, 200
_SETTLED_S = 4
_SPAN_S = 20  # at each end, over which the delay is averaged


def call(ppm, seconds, folder):
    """-> dict: delay_start_ms, delay_end_ms (from a packet's coming to its first sample's going to I2S), worst_ms, lost, late
    (the door's own words), unheard (chirps that never came out of it), held_up (share sent late by this computer)."""
    track = sound_speech.chirps(seconds)
    receiver = sound_receivers.DoorReceiver(Path(folder) / ("soak%d" % ppm), {"call.max_s": 0})
    try:
        result = sound_call.play(receiver, track, sound_network.Network(drift_ppm=ppm), 1)
    finally:
        receiver.close()
    found = bench_sound.delays(track, result)
    span = min(_SPAN_S, (seconds - _SETTLED_S) / 3)
    start = [ms for s, _, ms in found if _SETTLED_S <= s < _SETTLED_S + span]
    end = [ms for s, _, ms in found if s >= seconds - span]
    if len(start) < span or len(end) < span:
        raise RuntimeError("the chirps do not come through: %d of %d\n%s" % (len(found), len(track.places), result.said))
    counts = {name: int((re.search(name + r" (\d+)", result.said) or [0, 0])[1]) for name in ("lost", "late")}
    return dict(counts, delay_start_ms=round(float(np.mean(start)), 1), delay_end_ms=round(float(np.mean(end)), 1),
                worst_ms=round(max(ms for s, _, ms in found if s >= _SETTLED_S), 1),
                unheard=len(track.places) - len(found), held_up=round(result.held_up, 5))


def figures(seconds=SECONDS, ppm=PPM):
    """-> flat figures of both calls."""
    with concurrent.futures.ProcessPoolExecutor(2, initializer=bench_sound.hurry) as pool, tempfile.TemporaryDirectory(prefix="soak-") as folder:
        calls = {"slow": pool.submit(call, ppm, seconds, folder), "fast": pool.submit(call, -ppm, seconds, folder)}
        found = {"soak_s": seconds, "soak_drift_ppm": ppm}
        for name, job in calls.items():
            for key, value in job.result().items():
                found["soak_%s_%s" % (key, name)] = value
    found["soak_delay_change_ms"] = round(max(
        abs(found["soak_delay_end_ms_" + name] - found["soak_delay_start_ms_" + name]) for name in calls), 1)
    return found


def main():
    parser = argparse.ArgumentParser(description="Hold two long calls with drifting clocks; figures as JSON.")
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--ppm", type=int, default=PPM)
    options = parser.parse_args()
    bench_sound.say("soak: two calls of %d s" % options.seconds)
    found = figures(options.seconds, options.ppm)
    text = json.dumps(found, indent=1)
    print(text)
    if options.seconds >= SECONDS:
        (ROOT / "build" / "soak.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
