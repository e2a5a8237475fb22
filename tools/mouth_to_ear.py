"""From the microphone of one door to the loudspeaker of another that it calls: both DMA chains, G.711, the network's stack
and the jitter buffer, all that there is but air."""

import re
import sys
import time
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from host_tests.rig.door import Door  # noqa: E402
from tools import sound_speech  # noqa: E402
from tools.sound_receivers import DoorReceiver  # noqa: E402

_RATE_HZ = 16000
_SECONDS = 10
_SETTLED_S = 3


def _clocks(door):
    """When sample 0 of the microphone came and when the first sample given to the speaker is heard, time.monotonic()."""
    door.console("import machine")
    said = door.console("[(i._t0, i._first) for i in machine.I2S._taken]")
    (mic, _), (speaker, first) = [tuple(map(int, pair)) for pair in re.findall(r"\((\d+), (\d+)\)", said)]
    return mic / 1e6, speaker / 1e6 + first / _RATE_HZ


def delays_ms(folder, seconds=_SECONDS):
    """-> [(ms from a chirp's entering the one door's I2S to its leaving the other's, ms of these from when the other's firmware
    had handed it over), ...]"""
    track = sound_speech.chirps(seconds)
    folder.mkdir(parents=True, exist_ok=True)
    wav = folder / "chirps.wav"
    soundfile.write(wav, resample_poly(track.samples, 2, 1) / 32768, _RATE_HZ, subtype="PCM_16")
    receiver = DoorReceiver(folder / "listens")
    try:
        with Door(folder / "speaks", mic=str(wav)) as speaks:
            receiver.listen()
            speaks.call(receiver.door.uri)
            time.sleep(seconds)
            said = receiver.said()
            mic, _ = _clocks(speaks)
            _, ear = _clocks(receiver.door)
            heard = receiver.heard()
            speaks.hangup()
    finally:
        receiver.close()
    found = []
    for begin, at in sound_speech.chirp_places(track, _from(heard.samples, mic - ear)):
        if at is not None and begin / sound_speech.RATE_HZ >= _SETTLED_S:
            sounds = mic + at / sound_speech.RATE_HZ
            handed = heard.at(at + round((mic - ear) * sound_speech.RATE_HZ))
            found.append((1000 * (at - begin) / sound_speech.RATE_HZ, 1000 * (sounds - handed)))
    if len(found) < 2 * (seconds - _SETTLED_S) - 4:
        raise RuntimeError("only %d chirps came through\n%s" % (len(found), said))
    return found


def _from(samples, seconds):
    """The samples from so many seconds after their first."""
    n = round(seconds * sound_speech.RATE_HZ)
    return samples[n:] if n >= 0 else np.concatenate((np.zeros(-n), samples))


def figures(folder):
    delays = delays_ms(folder)
    return {
        "mouth_to_ear_ms": round(float(np.mean([whole for whole, _ in delays])), 1),
        "mouth_to_ear_speaker_ms": round(float(np.mean([last for _, last in delays])), 1),
    }
