#!/usr/bin/env python3
"""What the gate and the echo canceller do in a simulated room, and what they cost.

The same file is the measured program when MicroPython runs it:
bench_echo.py BUILT run KIND FAR MIC OUT AHEAD | cost KIND FRAMES, KIND one of gate, cancel, bare (the canceller, its gate never
closed), learning (in each frame, as before it knows the room), known (in every second), nothing.
FAR, MIC and OUT are files of signed 16-bit samples at 8 kHz; what the far end says and the microphone hears at the same time.
"""

import gc
import sys


def _made(kind):
    if kind == "nothing":
        return _Nothing()
    if kind == "gate":
        from media.gate import Gate

        return Gate()
    from media.echo import Canceller

    made = Canceller()
    if kind == "bare":
        made._gate._state[12] = 4096  # as loud when it is closed
        made._gate.trust = lambda canceller: None
    if kind == "learning":
        made.near = _steady(made, made.near, 1 << 28)
    elif kind == "known":
        made.near = _steady(made, made.near, 1 << 17)
    return made


def _steady(made, near, doubt):
    def again(samples, n, ahead):
        made._state[12] = doubt
        near(samples, n, ahead)

    return again


def _run(kind, far, mic, out, ahead):
    from array import array

    made = _made(kind)
    ahead = int(ahead)
    words, samples = array("H", bytes(320)), array("H", bytes(320))
    with open(far, "rb") as far, open(mic, "rb") as mic, open(out, "wb") as out:
        while far.readinto(words) == 320 and mic.readinto(samples) == 320:
            for i in range(160):
                words[i] ^= 32768
            made.near(samples, 160, ahead)
            made.far(words, 0, 160)
            out.write(samples)


class _Nothing:
    def near(self, samples, n, ahead):
        pass

    def far(self, samples, at, n):
        pass


def _cost(kind, frames):
    """So many frames of an echo with somebody talking; -> prints microseconds a frame, bytes allocated."""
    import time
    from array import array

    from media.resample import copy

    made = _made(kind)
    x = 1
    sounds = []
    for _ in range(25):
        samples, words = array("H", bytes(320)), array("H", bytes(320))
        for i in range(160):
            x = (x * 1103515245 + 12345) & 0x7FFFFFFF
            words[i] = 32768 + ((x >> 16) % 8001 - 4000) * (i % 80) // 80
            samples[i] = ((words[i] - 32768 >> 1) + (x >> 8) % 201 - 100) & 0xFFFF
        sounds.append((samples, words))
    samples = array("H", bytes(320))
    gc.collect()
    gc.disable()
    allocated = gc.mem_alloc()
    t = time.ticks_us()
    for n in range(int(frames)):
        sound = sounds[n % 25]
        copy(samples, 0, sound[0], 0, 160)
        made.near(samples, 160, 320)
        made.far(sound[1], 0, 160)
    t = time.ticks_diff(time.ticks_us(), t)
    print(t / int(frames), gc.mem_alloc() - allocated)


# -- On CPython


def _port():
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tools import unix_port

    return unix_port


def _room():
    _port()
    from host_tests.rig import room

    return room


class Trial:
    """One room with its noise, as the firmware hears it; `folder` for files."""

    def __init__(self, folder, far, mic, ahead=0):
        import numpy as np

        self._np = np
        self._folder = str(folder)
        self.mic = mic
        for name, samples in (("far", far), ("mic", mic)):
            np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2").tofile("%s/%s" % (folder, name))
        self._ahead = str(ahead)

    def made(self, kind):
        """-> what "gate", "cancel" or "bare" (the canceller, its gate never closed) makes of the microphone."""
        files = ["%s/%s" % (self._folder, name) for name in ("far", "mic", "out")]
        _port().run(__file__, "run", kind, *files, self._ahead)
        return self._np.fromfile(files[2], "<i2") / 32768

    def gain(self, before, after):
        """-> what the gate multiplied each sample by, as both its sides tell: by least squares over 1.25 ms."""
        np = self._np
        n = len(after) // 10 * 10
        product = (after[:n] * before[:n]).reshape(-1, 10).sum(1)
        power = (before[:n] ** 2).reshape(-1, 10).sum(1) + 1e-12
        return np.clip(np.repeat(product / power, 10), 0, 1)


def erle(folder, voices=None, share=0.0, seconds=10, delay=210):
    """Echo return loss enhancement from 2 s of far-end speech on, nobody at the near end: the echo's energy at the microphone
    over that of what is left of it, in dB, the mean over the voices. The noise of the room is no echo: it is subtracted from
    what is left, as the filter lets it pass as it is, and behind the gate it is what it was times the gate's gain.
    -> (by the canceller alone, with the gate behind it, by the gate alone)."""
    import numpy as np

    room = _room()

    found = []
    for seed, name in enumerate(voices or room.VOICES):
        far = room.voice(name, seconds)
        echo = room.echo(far, room.response(seed, delay), share)
        noise = room.noise(len(far), seed)
        trial = Trial(folder, far, echo + noise)
        bare, whole, gate = trial.made("bare"), trial.made("cancel"), trial.made("gate")
        n = len(bare) // 10 * 10
        left = bare[:n] - noise[:n]
        rests = left, left * trial.gain(bare, whole), echo[:n] * trial.gain(trial.mic, gate)
        found.append([room.enhancement_db(echo[:n], rest, 2, seconds) for rest in rests])
    return [round(float(x), 1) for x in np.mean(found, 0)]


def first_syllable(folder, kind, pause_ms, voices=None):
    """dB lost of the first 50 ms of the near end's voice, which begins pause_ms after the far end's has ended (None: the far
    end has been silent): the worst of the voices."""
    import numpy as np

    room = _room()

    worst = 0.0
    for seed, name in enumerate(voices or room.VOICES):
        names = list(room.VOICES)
        near = room.voice(names[(seed + 1) % len(names)], 3)
        near = near[np.argmax(np.abs(near) > 0.02) :]
        far = room.voice(name, 5)
        at = 4 * room.RATE_HZ
        while abs(far[at - 1]) < 0.05:  # in the middle of a word
            at += 1
        far[at:] = 0
        if pause_ms is None:
            far[:] = 0
        at += (pause_ms or 0) * 8
        said = np.zeros(len(far))
        said[at:] = near[: len(far) - at]
        mic = room.echo(far, room.response(seed, 210)) + room.noise(len(far), seed) + said
        trial = Trial(folder, far, mic)
        before = mic if kind == "gate" else trial.made("bare")
        gain = trial.gain(before, trial.made(kind))
        part = slice(at, at + 400)
        worst = max(worst, room.level_db(said[part]) - room.level_db(gain[part] * said[part]))
    return round(float(worst), 1)


def double_talk(folder, voices=None, seconds=10):
    """Both talk from the third second on, the near end as loud at the microphone as the far end at its loudspeaker. -> (SNR in
    dB of the near end's voice in what is sent, raw; with the canceller and its gate; PESQ of both; what of the near end's
    level the gate alone keeps, in dB), means over the voices. All that is not the near end's voice is noise here, its own
    echo, the room's noise and whatever the filter or the gate did to it."""
    import numpy as np
    from pesq import pesq

    room = _room()

    found = []
    names = list(voices or room.VOICES)
    for seed, name in enumerate(names):
        every = list(room.VOICES)
        far, near = room.voice(name, seconds), room.voice(every[(every.index(name) + 1) % len(every)], seconds)
        near[: 3 * room.RATE_HZ] = 0
        mic = room.echo(far, room.response(seed, 210)) + room.noise(len(far), seed) + near
        trial = Trial(folder, far, mic)
        out, gate = trial.made("cancel"), trial.made("gate")
        part = slice(3 * room.RATE_HZ, len(out) // 10 * 10)
        row = []
        for heard in (mic, out):
            row.append(room.level_db(near[part]) - room.level_db(heard[part] - near[part]))
        for heard in (mic, out):
            row.append(pesq(8000, near[part].astype("float32"), heard[part].astype("float32"), "nb"))
        kept = trial.gain(mic, gate)[part] * near[part]
        row.append(room.level_db(kept) - room.level_db(near[part]))
        found.append(row)
    return [round(float(x), 2) for x in np.mean(found, 0)]


def instructions(kind, frames):
    """-> callgrind's instructions of one frame, near and far."""
    few, many = [_port().instructions(__file__, "cost", kind, str(n)) for n in (20, 20 + frames)]
    return (many - few) / frames


def figures():
    """-> dict of figures. Rooms, voices and levels: host_tests/rig/room.py."""
    import shutil
    import tempfile

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        found["erle_db"], found["erle_gate_db"], found["gate_db"] = erle(folder)
        found["erle_distorted_db"], found["erle_gate_distorted_db"], _ = erle(folder, share=0.05)
        for kind in ("gate", "cancel"):
            name = "gate_first_syllable" if kind == "gate" else "cancel_first_syllable"
            found[name + "_db"] = first_syllable(folder, kind, None)
            found[name + "_100ms_after_far_db"] = first_syllable(folder, kind, 100)
            found[name + "_200ms_after_far_db"] = first_syllable(folder, kind, 200)
        raw, snr, pesq_raw, pesq, kept = double_talk(folder)
        found["double_talk_snr_raw_db"], found["double_talk_snr_db"] = raw, snr
        found["double_talk_pesq_raw"], found["double_talk_pesq"] = pesq_raw, pesq
        found["double_talk_gate_kept_db"] = kept
    for kind, name in (("gate", "gate"), ("cancel", "echo")):
        found[name + "_us"] = round(min(float(_port().run(__file__, "cost", kind, "300").stdout.split()[0]) for _ in range(3)), 1)
        found[name + "_allocated_bytes"] = int(_port().run(__file__, "cost", kind, "300").stdout.split()[1]) - int(
            _port().run(__file__, "cost", "nothing", "300").stdout.split()[1])  # fmt: skip
    if shutil.which("valgrind"):
        nothing = instructions("nothing", 100)
        found["gate_instructions"] = int(instructions("gate", 100) - nothing)
        found["echo_instructions"] = int(instructions("known", 100) - nothing)
        found["echo_learning_instructions"] = int(instructions("learning", 100) - nothing)
    return found


if __name__ == "__main__":
    if sys.implementation.name == "micropython":
        sys.path[:] = [sys.argv[1], ".frozen"]
        (_run if sys.argv[2] == "run" else _cost)(*sys.argv[3:])
    else:
        import json

        print(json.dumps(figures(), indent=1))
