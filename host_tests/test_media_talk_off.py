"""Keys in the sound: how many of them are found, and that talk and music have none. After one pass through G.711, by the
Unix port's native code."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from host_tests.rig import sounds
from tools import build

pytestmark = pytest.mark.needs("micropython")
HERE = Path(__file__).parent


def found(folder, recordings, rate_hz=8000):
    """-> [[(frame, code), ...] of each recording]"""
    paths = [sounds.save(folder / ("%d.raw" % k), samples) for k, samples in enumerate(recordings)]
    command = [build.interpreter(), "-X", "heapsize=1M", str(HERE / "inband_script.py"), str(build.BUILD / build.host_arch())]
    out = subprocess.run(command + [str(rate_hz)] + paths, check=True, capture_output=True, text=True, timeout=300).stdout
    keys = [[] for _ in recordings]
    for line in out.splitlines():
        k, frame, code = [int(word) for word in line.split()]
        keys[k].append((frame, code))
    return keys


def dialled(n, tone_ms, gap_ms, snr_db=None, rate_hz=8000, **how):
    """-> (n codes by chance, their sound): every key begins at another place in a frame, with other phases."""
    chance = np.random.default_rng(n)
    codes = [int(code) for code in chance.integers(0, 16, n)]
    pieces = [np.zeros(rate_hz // 5)]
    for code in codes:
        phases = chance.uniform(0, 2 * np.pi, 2)
        pieces.append(sounds.key(code, tone_ms, rate_hz=rate_hz, phases=phases, **how))
        pieces.append(np.zeros(round(gap_ms * rate_hz / 1000) + chance.integers(0, rate_hz // 200)))
    samples = np.concatenate(pieces + [np.zeros(rate_hz // 5)])
    if snr_db is not None:
        samples += chance.normal(0, sounds.amplitude(how.get("dbm0", -10)) * 10 ** (-snr_db / 20), len(samples))
    return codes, samples if rate_hz != 8000 else sounds.g711(samples)


FOUND = {  # ITU-T Q.24, table A-1, and what the issue asks
    "50 ms, 50 ms": dict(),
    "40 ms, 40 ms": dict(tone_ms=40, gap_ms=40),
    "0 dBm0 each": dict(dbm0=0),
    "-30 dBm0 each": dict(dbm0=-30),
    "higher one 4 dB up": dict(twist_db=4),
    "lower one 8 dB up": dict(twist_db=-8),
    "+1.5 %": dict(deviation=(0.015, 0.015)),
    "-1.5 %": dict(deviation=(-0.015, -0.015)),
    "+1.5 % and -1.5 %": dict(deviation=(0.015, -0.015)),
    "noise 15 dB down": dict(snr_db=15),
    "wideband": dict(rate_hz=16000),
}


@pytest.mark.parametrize("how", FOUND)
def test_keys_are_found(how, tmp_path):
    kind = dict({"tone_ms": 50, "gap_ms": 50}, **FOUND[how])
    codes, samples = dialled(200, **kind)
    keys = [code for _, code in found(tmp_path, [samples], kind.get("rate_hz", 8000))[0]]
    print("%s: %d of %d" % (how, len(keys), len(codes)))
    if how in ("50 ms, 50 ms", "40 ms, 40 ms", "wideband"):
        assert keys == codes
    assert set(keys) <= set(codes) and 196 <= len(keys) <= 200


NOTHING = {
    "20 ms": dict(tone_ms=20),
    "-45 dBm0": dict(dbm0=-45),
    "higher one 10 dB up": dict(twist_db=10),
    "lower one 14 dB up": dict(twist_db=-14),
    "lower one +3.5 %": dict(deviation=(0.035, 0)),
    "lower one -3.5 %": dict(deviation=(-0.035, 0)),
    "higher one +3.5 %": dict(deviation=(0, 0.035)),
    "higher one -3.5 %": dict(deviation=(0, -0.035)),
}


@pytest.mark.parametrize("how", NOTHING)
def test_what_is_no_key_is_not_found(how, tmp_path):
    _, samples = dialled(200, **dict({"tone_ms": 100, "gap_ms": 50}, **NOTHING[how]))
    assert found(tmp_path, [samples]) == [[]]


def test_1122_at_every_phase(tmp_path):
    key, gap = 50 * 8, np.zeros(50 * 8)
    recordings = []
    for begin in range(0, 160, 4):
        samples = [np.zeros(800 + begin)]
        for code in (1, 1, 2, 2):
            samples += [sounds.key(code, 50), gap]
        recordings.append(sounds.g711(np.concatenate(samples + [np.zeros(800)])))
    assert key == len(sounds.key(1, 50))
    for keys in found(tmp_path, recordings):
        assert [code for _, code in keys] == [1, 1, 2, 2]


def test_how_long_it_takes(tmp_path):
    """From the beginning of a tone to the end of the frame in which it is found: below 60 ms."""
    recordings = [np.concatenate([np.zeros(1600 + begin), sounds.key(code, 100), np.zeros(400)])
                  for begin in range(0, 160, 20) for code in range(16)]
    for k, keys in enumerate(found(tmp_path, recordings)):
        begin = 1600 + k // 16 * 20
        assert len(keys) == 1 and (keys[0][0] + 1) * 160 - begin <= 60 * 8


@pytest.mark.needs("espeak-ng")
def test_talk_and_music_have_no_keys(tmp_path):
    """Thirty minutes: fifteen of each, at six levels. (Two flutes that play the very frequencies of a key as pure tones would be
    one: no receiver could tell.)"""
    recordings = [sounds.g711(sounds.talk(15, 1)), sounds.g711(sounds.music(15, 2))]
    assert sum(len(samples) for samples in recordings) == 30 * 60 * 8000
    assert found(tmp_path, recordings) == [[], []]
