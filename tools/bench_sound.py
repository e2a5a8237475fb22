#!/usr/bin/env python3
"""How calls sound over bad networks: the door beside baresip, and beside what the same lost packets give offline.

    bench_sound.py                          the full table, some minutes, into build/bench_sound.json
    bench_sound.py --conditions loss5 mix --receivers door --seeds 1     only these, not written

PESQ narrowband, the mean over three voices and three seeds. `pesq_X` is the door's, `pesq_X_baresip` baresip's,
`pesq_X_repeat` and `pesq_X_zeros` what lost packets give that are replaced by the last frame halved, or by silence.
`playout_delay_ms_X` is the time from a packet's coming until the sound card is handed its first sample, in the mean of those
that carry chirps: it has no part in what the network took. `playout_delay_ms_X_since_due` counts from when the packet would
have come without jitter, and so has: what a caller waits for. The goals hold for both.
build/bench_sound.svg shows it, build/bench_sound_cells.json has every cell.
"""

import argparse
import concurrent.futures
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from host_tests.rig.process import RigError  # noqa: E402
from tools import sound_call, sound_network, sound_picture, sound_receivers, sound_speech  # noqa: E402
from tools.sound_network import CONDITIONS  # noqa: E402

SEEDS = (1, 2, 3)
RECEIVERS = ("door", "baresip")
OFFLINE = ("zeros", "repeat")
DELAYS = {"jitter0": CONDITIONS["loss0"], "jitter40": CONDITIONS["jitter40"], "jitter80": CONDITIONS["jitter80"]}
# Of pesq_<condition>, at least; "repeat": more by so much than what repeating the last frame gives. (4.03 is a bare pass
# through G.711, to two places.)
GOALS = {
    "loss0": (4.025,), "loss1": ("repeat", 0.05), "loss3": ("repeat", 0.25), "loss5": ("repeat", 0.2),
    "loss10": ("repeat", 0.4), "burst5": ("repeat", 0.1), "jitter40": (4.0,), "jitter80": (4.025,), "reorder": (3.95,),
    "dup2": (4.025,), "mix": ("repeat", 0.04),
}  # fmt: skip
DELAY_GOALS = {"jitter0": 19, "jitter40": 55, "jitter80": 85}  # ms, at most
_DELAY_S = 15
_SETTLED_S = 3  # of that, until a jitter buffer has found its depth
_TRIES = 2  # of a call that this computer did not keep up with
_HELD_UP = 0.01  # share of its packets that may leave late,
_LATEST_MS = 20  # and by how much, where delays are measured: to who receives it that is the network's jitter


def say(words):
    print("bench: " + words, file=sys.stderr, flush=True)


def _play(receiver, track, network, seed, words, latest_ms=1000):
    """A call; again if this computer was too busy in the first, and then the better one."""
    results = []
    for _ in range(_TRIES):
        results.append(sound_call.play(receiver, track, network, seed))
        if results[-1].held_up <= _HELD_UP and max(results[-1].late) <= latest_ms:
            break
        say("  %s: this computer sent %.0f %% of the packets late, one by %.0f ms" % (
            words, results[-1].held_up * 100, max(results[-1].late)))
    return min(results, key=lambda result: (result.held_up > _HELD_UP, max(result.late) > latest_ms, result.held_up))


def delays(track, result):
    """-> for each chirp that arrived (seconds into the track, ms from when its packet was due, ms from when it came)."""
    heard = result.heard
    first = heard.at_start(result.began)
    found = []
    for begin, at in sound_speech.chirp_places(track, heard.samples[first:]):
        n = begin // sound_speech.FRAME
        if at is not None and n in result.left:
            handed = heard.at(first + at)
            found.append((n * 0.02, (handed - result.began) * 1000 - n * 20, (handed - result.left[n]) * 1000))
    return found


def hurry():
    """A call keeps time, so it goes before other programs where that is allowed."""
    try:
        os.nice(-10)
    except OSError:
        pass


def lane(who, seed, conditions, delay_conditions, folder, heap=None):
    """All calls of one receiver with one seed -> ({condition: its samples from the track's first on}, {jitter: delays},
    the share of packets that this computer sent late)."""
    heard, delayed, held_up = {}, {}, []
    receiver = sound_receivers.RECEIVERS[who](Path(folder) / ("%s%d" % (who, seed)), heap=heap)
    try:
        track = sound_speech.chirps(_DELAY_S)
        for name in delay_conditions:
            result = _play(receiver, track, DELAYS[name], seed, "%s, %s, delay" % (who, name), _LATEST_MS)
            delayed[name] = [one for one in delays(track, result) if one[0] >= _SETTLED_S]
            held_up.append(result.held_up)
        track = sound_speech.speech()
        for name in conditions:
            result = _play(receiver, track, CONDITIONS[name], seed, "%s, %s" % (who, name))
            heard[name] = result.heard.samples[result.heard.at_start(result.began) :]
            held_up.append(result.held_up)
            say("  %s, seed %d: %s played" % (who, seed, name))
    except RigError as e:
        raise RigError("%s, seed %d: %s\n%s" % (who, seed, e, receiver.log()[-1500:])) from None
    finally:
        receiver.close()
    return heard, delayed, float(np.mean(held_up))


def _score(heard):
    return sound_speech.scores(sound_speech.speech(), heard, 0)


def _score_offline(name, seed, how):
    track = sound_speech.speech()
    return sound_speech.scores(track, sound_speech.offline(track, CONDITIONS[name].lost(seed, track.packets), how), 0)


def cells(receivers=RECEIVERS, seeds=SEEDS, conditions=tuple(CONDITIONS), delay_conditions=tuple(DELAYS), at_once=6, heap=None):
    """Plays and scores all -> {"pesq": {condition: {who: [a score for each voice and seed]}}, "delay": {jitter: {who:
    [(s, ms since due, ms since it came), ...]}}, "held_up": share}."""
    sound_speech.speech()  # is made once
    found = {"pesq": {name: {} for name in conditions}, "delay": {name: {} for name in delay_conditions}, "held_up": 0}
    calls = concurrent.futures.ProcessPoolExecutor(at_once, initializer=hurry)
    with calls, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        lanes = {(who, seed): calls.submit(lane, who, seed, conditions, delay_conditions, folder, heap)
                 for seed in seeds for who in receivers}
        played = {key: lane.result() for key, lane in lanes.items()}
    say("  all calls are over; now their scores")
    with concurrent.futures.ProcessPoolExecutor() as pool:
        jobs = []
        for (who, seed), (heard, delayed, held_up) in played.items():
            found["held_up"] += held_up / len(lanes)
            for name, all_ in delayed.items():
                found["delay"][name].setdefault(who, []).extend(all_)
            jobs += [(name, who, pool.submit(_score, samples)) for name, samples in heard.items()]
        for name in conditions:
            jobs += [(name, how, pool.submit(_score_offline, name, seed, how)) for how in OFFLINE for seed in seeds]
        for name, who, job in jobs:
            found["pesq"][name].setdefault(who, []).extend(job.result())
    return found


def figures(found):
    """Flat figures of what cells() found."""
    flat = {}
    for name, rows in found["pesq"].items():
        for who, scores in rows.items():
            flat["pesq_%s%s" % (name, "" if who == "door" else "_" + who)] = round(float(np.mean(scores)), 3)
    for name, rows in found["delay"].items():
        for who, all_ in rows.items():
            key = "playout_delay_ms_%s%s" % (name, "" if who == "door" else "_" + who)
            if all_:
                flat[key] = round(float(np.mean([since_it_came for _, _, since_it_came in all_])), 1)
                flat[key + "_since_due"] = round(float(np.mean([since_due for _, since_due, _ in all_])), 1)
    return flat


def wanted(flat):
    """-> {key: (">=" or "<=", limit)} of those figures that have a goal."""
    limits = {}
    for name, goal in GOALS.items():
        repeat = flat.get("pesq_%s_repeat" % name)
        if len(goal) == 1 or repeat is not None:
            limits["pesq_" + name] = (">=", goal[0] if len(goal) == 1 else round(repeat + goal[1], 3))
    for name, limit in DELAY_GOALS.items():
        limits["playout_delay_ms_" + name] = limits["playout_delay_ms_%s_since_due" % name] = ("<=", limit)
    return {key: limit for key, limit in limits.items() if key in flat}


def main():
    parser = argparse.ArgumentParser(description="Measure how calls sound over bad networks; figures as JSON.")
    parser.add_argument("--conditions", nargs="*", choices=list(CONDITIONS), default=None)
    parser.add_argument("--delays", nargs="*", choices=list(DELAYS), default=None)
    parser.add_argument("--receivers", nargs="*", choices=list(sound_receivers.RECEIVERS), default=None)
    parser.add_argument("--seeds", nargs="*", type=int, default=None)
    parser.add_argument("--at-once", type=int, default=6, help="calls at the same time (6)")
    parser.add_argument("--heap", help="of the door, as 160wK: sound apart from what the heap does to it (not written)")
    options = parser.parse_args()
    some = [x for x in (options.conditions, options.delays, options.receivers, options.seeds, options.heap) if x is not None]
    began = time.monotonic()
    found = cells(tuple(options.receivers or RECEIVERS), tuple(options.seeds or SEEDS),
                  tuple(CONDITIONS) if not some else tuple(options.conditions or ()),
                  tuple(DELAYS) if not some else tuple(options.delays or ()), options.at_once, options.heap)
    flat = figures(found)
    flat["sound_held_up_share"] = round(found["held_up"], 4)
    text = json.dumps(flat, indent=1)
    print(text)
    for key, (how, limit) in wanted(flat).items():
        if not (flat[key] <= limit if how == "<=" else flat[key] >= limit):
            say("  %s = %s   WANTED %s %g" % (key, flat[key], how, limit))
    say("%.0f s" % (time.monotonic() - began))
    if not some:
        (ROOT / "build" / "bench_sound.json").write_text(text + "\n")
        (ROOT / "build" / "bench_sound.svg").write_text(sound_picture.svg(flat, list(CONDITIONS)))
        (ROOT / "build" / "bench_sound_cells.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
