"""The canceller and the gate in the simulated rooms of host_tests/rig/room.py, one voice; `make bench` takes all three."""

import pytest

from tools import bench_echo

pytestmark = pytest.mark.needs("espeak-ng", "scipy", "soundfile", "micropython")
ONE = ["en-us"]


def test_echo_return_loss_enhancement(tmp_path):
    bare, whole, gate = bench_echo.erle(tmp_path, ONE)
    print("ERLE: canceller %.1f dB, with the gate %.1f, the gate alone %.1f" % (bare, whole, gate))
    assert bare >= 25 and whole >= 40 and gate >= 28


def test_a_loudspeaker_that_distorts(tmp_path):
    bare, whole, _ = bench_echo.erle(tmp_path, ONE, share=0.05)
    assert bare >= 15 and whole >= 30


def test_the_delay_is_found_when_the_chain_tells_it_wrong(tmp_path):
    # 300 and 600 samples later than the canceller is told, which begins anew when it has found it
    for delay in (500, 800):
        bare, _, _ = bench_echo.erle(tmp_path, ONE, seconds=8, delay=delay)
        print("ERLE at %d samples: %.1f dB" % (delay, bare))
        assert bare >= 15


def test_first_syllables(tmp_path):
    for kind in ("gate", "cancel"):
        assert bench_echo.first_syllable(tmp_path, kind, None, ONE) == 0
        assert bench_echo.first_syllable(tmp_path, kind, 200, ONE) < 1.5


@pytest.mark.needs("pesq")
def test_double_talk(tmp_path):
    raw, snr, pesq_raw, pesq, kept = bench_echo.double_talk(tmp_path, ONE)
    print("near end's SNR %.1f -> %.1f dB, PESQ %.2f -> %.2f; the gate alone keeps %.1f dB" % (raw, snr, pesq_raw, pesq, kept))
    assert snr > raw + 10 and pesq > pesq_raw + 0.4
    assert kept > -6


@pytest.mark.needs("valgrind")
def test_the_budget(tmp_path):
    assert bench_echo.instructions("learning", 20) < 435000  # 5,000 of them are the measuring program's
