"""How the playout sounds over bad networks, in virtual time: some cells of playout_sim.py's table, beside their goals."""

from functools import lru_cache

import pytest

pytestmark = pytest.mark.needs("espeak-ng", "pesq", "scipy", "soundfile", "micropython", "audioop")
VOICES = ("en+f3", "de")


@lru_cache(None)
def mean(condition):
    """-> (score, with zeros, with the last frame halved, ms since it was sent, ms since it came, packets late)"""
    import numpy

    from host_tests import playout_sim

    rows = [playout_sim.cell(condition, voice, 1) for voice in VOICES]
    found = numpy.mean(rows, axis=0)
    print(condition, ["%.2f" % x for x in found])
    return found[:6]


# (The goals are of nine cells each, which take a minute; of the two here bursts scatter the most.)
@pytest.mark.parametrize("condition,more", [("loss3", 0.25), ("loss10", 0.4), ("burst5", 0.03)])
def test_lost_packets_are_missed_less_than_when_the_last_is_repeated(condition, more):
    score, zeros, repeat = mean(condition)[:3]
    assert score >= repeat + more
    assert zeros < repeat < 3.9  # else there was nothing to conceal


@pytest.mark.parametrize("condition,less", [("loss0", 0.01), ("jitter80", 0.02), ("dup2", 0.01), ("reorder", 0.08)])
def test_what_all_arrives_sounds_as_if_nothing_had_happened(condition, less):
    score, bare = mean(condition)[:2]
    assert score >= bare - less


@pytest.mark.parametrize("condition,ms", [("loss0", 19), ("jitter80", 87)])
def test_it_is_handed_on_soon(condition, ms):
    assert mean(condition)[3] <= ms


def test_lost_packets_make_it_wait_one_frame_longer_and_no_more():
    assert mean("loss10")[3] <= mean("loss0")[3] + 25
