"""Speech through a bad network into the playout of the firmware, in virtual time: what is heard, scored, and how late.

The fate of packet n depends on the seed and n alone; the receiver (playout_script.py on the Unix port) looks at what came
when Stream.run would. Beside each score stands what the same lost packets give when they are replaced by zeros, and by the
last frame halved. As a program: playout_sim.py [condition ...] prints the table: scores, and ms from when a packet was sent,
and from when it came, to when its first sample was handed on (from the third second on).
"""

import random
import subprocess
import sys
import tempfile
from functools import lru_cache
import warnings
from pathlib import Path

import numpy

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop  # CPython's own until 3.12, then PyPI's audioop-lts

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools import build  # noqa: E402

SENTENCES = {
    "en-us": "Good morning, this is the parcel service. I have two boxes for the third floor, and one of them must be "
             "signed for. Could you open the door, please? I can leave the other one with your neighbour if you like.",
    "en+f3": "Hello, it is me. I forgot my key again, would you let me in? The weather is awful out here, and the bus "
             "was late as always. Yes, the blue door, next to the bakery. I will be upstairs in a minute.",
    "de": "Guten Tag, hier ist der Paketdienst. Ich habe zwei Sendungen für den dritten Stock, eine davon muss "
          "unterschrieben werden. Könnten Sie bitte die Tür öffnen? Sonst lege ich alles bei den Nachbarn ab.",
}  # fmt: skip
LEAD = 50
SEEDS = (1, 2, 3)


class Network:
    """What becomes of packet n: when it arrives, in ms after it was sent; None for never; twice for a duplicate."""

    def __init__(self, seed, loss=0, burst=0, uniform_ms=0, gamma_ms=0, duplicates=0, drift_ppm=0, phase_ms=None):
        self.seed, self.loss, self.burst = seed, loss, burst
        self.uniform_ms, self.gamma_ms, self.duplicates, self.drift_ppm = uniform_ms, gamma_ms, duplicates, drift_ppm
        self.phase_ms = random.Random("%d phase" % seed).uniform(0, 20) if phase_ms is None else phase_ms

    def arrivals(self, n):
        """-> [(ms, number)] in order of their coming, for packets 0 to n - 1 sent every 20 ms."""
        found, last, bad = [], 0, False
        for i in range(n):
            dice = random.Random("%d %d" % (self.seed, i))
            lost, delay, copy, inner = dice.random(), dice.random(), dice.random(), dice.gammavariate(1.4, 1 / 1.4)
            sent = i * 20 / (1 + self.drift_ppm * 1e-6) + self.phase_ms
            if self.burst:  # Gilbert: mean burst 1 / leaving
                leaving = 1 / self.burst
                bad = lost >= leaving if bad else lost < self.loss * leaving / (1 - self.loss)
            else:
                bad = lost < self.loss
            if bad:
                continue
            at = sent + delay * self.uniform_ms + inner * self.gamma_ms
            if self.uniform_ms:  # in order
                at = last = max(at, last)
            found.append((at, i))
            if copy < self.duplicates:
                found.append((at + 0.1, i))
        return sorted(found)


CONDITIONS = {
    "loss0": {},
    "loss1": {"loss": 0.01},
    "loss3": {"loss": 0.03},
    "loss5": {"loss": 0.05},
    "loss10": {"loss": 0.10},
    "burst5": {"loss": 0.05, "burst": 3},
    "jitter40": {"uniform_ms": 40},
    "jitter80": {"uniform_ms": 80},
    "reorder": {"gamma_ms": 20},
    "dup2": {"duplicates": 0.02},
    "mix": {"loss": 0.03, "uniform_ms": 40},
}


@lru_cache(None)
def speech(voice):
    """8 kHz, 16 bits, -26 dBov; whole frames."""
    import soundfile
    from scipy.signal import resample_poly

    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/speech.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-w", path, SENTENCES[voice]], check=True, timeout=60)
        samples, _ = soundfile.read(path)
    samples = resample_poly(samples, 160, 441, window=("kaiser", 8.0))
    samples *= 0.05 * 32768 / numpy.sqrt(numpy.mean(samples**2))
    samples = numpy.clip(numpy.round(samples), -32768, 32767).astype(numpy.int16)
    return samples[: len(samples) // 160 * 160]


def receive(codes, network, frame=160):
    """-> (sound, [ms from sending to handing on of each packet], [ms from coming], late, lost)."""
    n = len(codes) // frame
    arrivals = network.arrivals(n)
    events = bytearray()
    for at, i in arrivals:
        packet = b"\x80\x00" + (i & 0xFFFF).to_bytes(2, "big") + (4000 + i * frame).to_bytes(4, "big") + b"SSRC"
        packet += codes[i * frame : i * frame + frame]
        events += int(at * 10).to_bytes(4, "big") + len(packet).to_bytes(2, "big") + packet
    events += int(arrivals[-1][0] * 10 + 8000).to_bytes(4, "big") + bytes(2)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "events").write_bytes(events)
        done = subprocess.run(
            [build.interpreter(), "-X", "heapsize=4M", str(Path(__file__).parent / "playout_script.py"),
             str(build.BUILD / build.host_arch()), folder + "/events", folder + "/out"],
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        out = numpy.frombuffer((Path(folder) / "out").read_bytes(), numpy.uint16).reshape(-1, 164)
    due = [(int(row[0]) | int(row[1]) << 16) / 10 for row in out]
    begins = [int(row[2]) | int(row[3]) << 16 for row in out]
    sound = (out[:, 4:].astype(int) - 32768).reshape(-1)
    came, when = {}, {}
    for at, i in arrivals:
        came.setdefault(i, at)
    where = {}
    for k, begin in enumerate(begins):
        for t in range(begin, begin + 160):
            where.setdefault(t, k)
    for i in came:
        t = 4000 + i * frame
        if t in where:
            when[i] = due[where[t]] + (t - begins[where[t]]) / 8
    sent = [when[i] - i * 20 - network.phase_ms for i in when]
    waited = [when[i] - came[i] for i in when]
    return sound, sent, waited, [int(x) for x in done.stdout.split()]


def lost(codes, network):
    n = len(codes) // 160
    there = {i for _, i in network.arrivals(n)}
    return [i not in there for i in range(n)]


def _filled(codes, network, again):
    sound = numpy.frombuffer(audioop.ulaw2lin(codes, 2), numpy.int16).astype(int)
    for i, gone in enumerate(lost(codes, network)):
        if gone:
            sound[160 * i : 160 * i + 160] = sound[160 * i - 160 : 160 * i] // 2 if again and i else 0
    return sound


def score(reference, heard):
    from pesq import pesq

    return pesq(8000, reference / 32768, heard / 32768, "nb")


def cell(condition, voice, seed):
    """-> (score, zeros, repeat, delay from sending, delay from coming, [late, lost, ...])."""
    samples = speech(voice)
    codes = b"\xff" * 160 * LEAD + audioop.lin2ulaw(samples.tobytes(), 2)
    network = Network(seed, **CONDITIONS[condition])
    sound, sent, waited, counts = receive(codes, network)
    lead = 160 * LEAD
    late = int((numpy.median(sent) + network.phase_ms) * 8)
    heard = sound[max(lead + late - 400, 0) :][: len(samples) + 800]
    scores = [score(samples, heard)]
    scores += [score(samples, _filled(codes, network, again)[lead:]) for again in (False, True)]
    return scores + [float(numpy.mean(sent[150:])), float(numpy.mean(waited[150:]))] + counts


def _job(job):
    return cell(*job)


def table(conditions=CONDITIONS, seeds=(1, 2, 3)):
    from concurrent.futures import ProcessPoolExecutor

    jobs = [(condition, voice, seed) for condition in conditions for voice in SENTENCES for seed in seeds]
    with ProcessPoolExecutor(2) as pool:
        rows = list(pool.map(_job, jobs))
    per = len(SENTENCES) * len(seeds)
    print("condition   ours  zeros repeat  sent  waited | late lost concealed_codes cut put_in")
    for k, condition in enumerate(conditions):
        mean = numpy.mean(rows[k * per : k * per + per], axis=0)
        print("%-9s %6.3f %6.3f %6.3f %6.1f %6.1f |" % (condition, *mean[:5]), " ".join("%.1f" % x for x in mean[5:]))


if __name__ == "__main__":
    table(sys.argv[1:] or CONDITIONS, SEEDS)
