"""The sound bench itself, and one cell of each of its long runs: a call through loss, and one with a drifting clock."""

import numpy as np
import pytest

from host_tests.rig.undisturbed import undisturbed
from tools import bench_sound, sound_call, sound_network, sound_picture, sound_speech

pytestmark = pytest.mark.needs("espeak-ng", "pesq", "scipy", "soundfile", "micropython")


class Clock:
    """Time that passes only when somebody sleeps, and then a little too long."""

    def __init__(self, oversleeps=0.0):
        self.now = 1000.0
        self.oversleeps = oversleeps

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds + self.oversleeps


class Sink:
    def __init__(self, clock, holds=()):
        self.clock, self.holds, self.sent = clock, dict(holds), []

    def sendto(self, data, to):
        self.sent.append((self.clock.now, data))
        self.clock.now += self.holds.get(len(self.sent), 0)


def test_the_sender_keeps_an_absolute_schedule():
    clock = Clock(oversleeps=0.003)
    track = sound_speech.chirps(4)
    sink = Sink(clock, {50: 0.11})  # once the computer is held up for 110 ms
    order = sound_network.schedule(sound_network.Network().fates(1, track.packets))
    began, left, late = sound_call.send(sink, None, track, order, 1, clock.sleep, clock)
    at = [1000 * (when - began) for when, _ in sink.sent]
    assert at[49] == pytest.approx(49 * 20 + 3)
    assert at[50] == pytest.approx(49 * 20 + 3 + 110)  # at once, as are those that were due meanwhile,
    assert at[54] == pytest.approx(49 * 20 + 3 + 110)
    assert at[-1] == pytest.approx((track.packets - 1) * 20 + 3)  # and then as if nothing had been
    assert max(late) == pytest.approx(93)
    assert sorted(left) == list(range(track.packets))


def test_packets_carry_the_track():
    clock = Clock()
    track = sound_speech.chirps(2)
    sink = Sink(clock)
    fates = sound_network.Network(loss=0.1, twice=0.1).fates(5, track.packets)
    sound_call.send(sink, None, track, sound_network.schedule(fates), 1, clock.sleep, clock)
    assert len(sink.sent) == sum(map(len, fates))
    for _, data in sink.sent:
        n = (int.from_bytes(data[2:4], "big") - 64000) & 0xFFFF
        assert data[12:] == track.payload(n) and len(data) == 172
        assert int.from_bytes(data[4:8], "big") == (n * 160 + 0xFFFF0000) & 0xFFFFFFFF


def test_chirps_are_found_to_the_sample():
    track = sound_speech.chirps(6)
    for delay in (0, 153, 3001):
        heard = np.concatenate((np.zeros(delay), track.decoded(), np.zeros(4000)))
        assert [at - begin for begin, at in sound_speech.chirp_places(track, heard)] == [delay] * len(track.places)
    grows = np.concatenate((np.zeros(100), track.decoded()[:24000], np.zeros(160), track.decoded()[24000:]))
    assert [at - begin for begin, at in sound_speech.chirp_places(track, grows)] == [100] * 4 + [260] * (len(track.places) - 4)
    back = np.concatenate((np.zeros(100), track.decoded()[:24000], np.zeros(4800), track.decoded()[24000:32000], track.decoded()[36800:]))
    lags = [at and at - begin for begin, at in sound_speech.chirp_places(track, back)]
    assert lags[:4] == [100] * 4 and set(lags[4:6]) == {4900} and lags[6:8] == [None] * 2 and set(lags[8:]) == {100}
    silenced = track.decoded()
    silenced[track.places[2][1] : track.places[2][2]] = 0
    assert [at is None for _, at in sound_speech.chirp_places(track, silenced)] == [n == 2 for n in range(len(track.places))]


def test_scores_follow_a_delay_that_steps():
    track = sound_speech.speech(("en-us",))
    bare = sound_speech.scores(track, track.decoded())[0]
    assert 3.8 < bare < 4.3
    later = np.concatenate((np.zeros(5000), track.decoded()))
    assert sound_speech.scores(track, later, 5000)[0] == pytest.approx(bare, abs=0.02)
    assert sound_speech.scores(track, later)[0] == pytest.approx(bare, abs=0.02)


def test_offline():
    track = sound_speech.speech(("en-us",))
    lost = [False] * track.packets
    lost[100] = lost[101] = True
    bare = track.decoded()
    zeros, repeat = (sound_speech.offline(track, lost, how) for how in ("zeros", "repeat"))
    assert not zeros[16000:16320].any() and (zeros[:16000] == bare[:16000]).all() and (zeros[16320:] == bare[16320:]).all()
    assert (repeat[16000:16160] == np.trunc(bare[15840:16000] / 2)).all()
    assert (repeat[16160:16320] == np.trunc(np.trunc(bare[15840:16000] / 2) / 2)).all()
    assert np.abs(repeat[16160:16320]).max() > 0


def test_figures_and_goals_and_picture():
    found = {"pesq": {"loss0": {"door": [4.0, 4.1], "baresip": [3.9]}, "loss5": {"door": [3.0], "repeat": [2.9]}},
             "delay": {"jitter40": {"door": [(5, 50.0, 30.0), (6, 60.0, 40.0)]}}}
    flat = bench_sound.figures(found)
    assert flat == {"pesq_loss0": 4.05, "pesq_loss0_baresip": 3.9, "pesq_loss5": 3.0, "pesq_loss5_repeat": 2.9,
                    "playout_delay_ms_jitter40": 35.0, "playout_delay_ms_jitter40_since_due": 55.0}
    assert bench_sound.wanted(flat) == {"pesq_loss0": (">=", 4.025), "pesq_loss5": (">=", 3.1),
                                        "playout_delay_ms_jitter40": ("<=", 55),
                                        "playout_delay_ms_jitter40_since_due": ("<=", 55)}
    picture = sound_picture.svg(flat, ["loss0", "loss5"])
    assert picture.startswith("<svg") and "3.00" in picture and "4.05" in picture


def test_a_cell_of_the_table_and_of_the_delay(tmp_path):
    """One voice through 5 % loss, and chirps through 40 ms of jitter, to the door."""
    from tools.sound_receivers import DoorReceiver

    track, network = sound_speech.speech(("en-us",)), sound_network.CONDITIONS["loss5"]
    chirps = sound_speech.chirps(6)
    lost = network.lost(1, track.packets)
    repeat = sound_speech.scores(track, sound_speech.offline(track, lost, "repeat"), 0)[0]
    receiver = DoorReceiver(tmp_path / "door")

    def score(i):
        result = sound_call.play(receiver, track, network, 1)
        score = sound_speech.scores(track, result.heard.samples[result.heard.at_start(result.began) :], 0)[0]
        print("PESQ %.2f, offline %.2f; held up %.3f" % (score, repeat, result.held_up))
        assert "received %d, lost " % lost.count(False) in result.said
        assert score > repeat + 0.1

    def delay(i):
        delays = bench_sound.delays(chirps, sound_call.play(receiver, chirps, sound_network.CONDITIONS["jitter40"], 1))
        print(delays)
        assert len(delays) >= len(chirps.places) - 1
        settled = [ms for s, ms, _ in delays if s >= 2]
        assert 0 < np.mean(settled) < 100 and max(settled) - min(settled) < 80

    try:
        undisturbed(score)
        undisturbed(delay)
    finally:
        receiver.close()


def test_a_short_soak():
    """Fifteen seconds, and a clock that would be 45 ms off at their end."""
    from tools import bench_soak

    def cell(i):
        found = bench_soak.figures(15, 3000)
        print(found)
        assert found["soak_delay_change_ms"] <= 25
        for name in ("slow", "fast"):
            assert found["soak_lost_" + name] == found["soak_late_" + name] == 0
            assert found["soak_unheard_" + name] <= 1  # a chirp may be where the sound was stretched

    undisturbed(cell)


def test_bench_keeps_what_the_long_runs_have_found(tmp_path, monkeypatch, capsys):
    from tools import bench

    monkeypatch.setattr(bench, "ROOT", tmp_path)
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "bench_sound.json").write_text('{"pesq_loss5": 3.1}')
    assert bench.kept_figures() == {"pesq_loss5": 3.1}
    assert "make soak writes it" in capsys.readouterr().err
    (tmp_path / "build" / "soak.json").write_text('{"soak_delay_change_ms": 1.5}')
    assert bench.kept_figures() == {"pesq_loss5": 3.1, "soak_delay_change_ms": 1.5}


def test_what_is_machine_code_to_the_32_bit_count():
    from tools import bench_32bit

    text = "@micropython.viper\ndef f(a: int, b):\n    pass\nclass C:\n    @micropython.native\n    def g(self): pass\n    def h(self): pass\n"
    assert bench_32bit.kernels(text) == [("f", 2), ("C.g", 1)]
