"""The network of the sound bench: what happens to a packet is the seed's word, and as often as the condition says."""

import random

import pytest

from tools import sound_network
from tools.sound_network import CONDITIONS, Network

N = 100000


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_fate_of_a_packet_is_the_seeds_word_alone(name):
    network = CONDITIONS[name]
    fates = network.fates(1, 2000)
    random.seed(7)  # nobody else's chance is asked
    assert network.fates(1, 2000) == fates
    assert network.fates(1, 3000)[:2000] == fates  # nor the length of the call
    if name != "loss0":
        assert network.fates(2, 2000) != fates


@pytest.mark.parametrize("name, share", [("loss0", 0), ("loss1", 0.01), ("loss3", 0.03), ("loss5", 0.05), ("loss10", 0.1),
                                         ("burst5", 0.05), ("mix", 0.03), ("jitter80", 0), ("reorder", 0), ("dup2", 0)])
def test_as_much_is_lost_as_is_said(name, share):
    lost = CONDITIONS[name].lost(1, N)
    assert sum(lost) / N == pytest.approx(share, rel=0.1)
    assert [not fate for fate in CONDITIONS[name].fates(1, N)] == lost


def _runs(lost):
    runs, run = [], 0
    for gone in lost + [False]:
        if gone:
            run += 1
        elif run:
            runs.append(run)
            run = 0
    return runs


def test_bursts_are_three_packets_long_in_the_mean():
    runs = _runs(CONDITIONS["burst5"].lost(1, N))
    assert sum(runs) / len(runs) == pytest.approx(3, rel=0.05)
    # Gilbert's are geometric: a third ends with each packet
    assert runs.count(1) / len(runs) == pytest.approx(1 / 3, abs=0.02)
    assert runs.count(2) / len(runs) == pytest.approx(2 / 9, abs=0.02)
    single = _runs(CONDITIONS["loss5"].lost(1, N))
    assert sum(single) / len(single) == pytest.approx(1 / 0.95, rel=0.02)


def test_jitter_and_loss_take_the_packets_that_loss_takes():
    assert CONDITIONS["mix"].lost(3, 2000) == CONDITIONS["loss3"].lost(3, 2000)
    jittered = CONDITIONS["jitter40"].fates(3, 2000)
    for fate, alone in zip(CONDITIONS["mix"].fates(3, 2000), jittered):
        assert fate == () or fate == alone


@pytest.mark.parametrize("name, most", [("jitter40", 40), ("jitter80", 80)])
def test_jitter_in_order(name, most):
    fates = CONDITIONS[name].fates(1, N)
    delays = [fate[0] - 20 * n for n, fate in enumerate(fates)]
    assert min(delays) >= 0 and 0.99 * most < max(delays) <= most
    assert sound_network.reordered(fates) == 0
    # What waits for nobody is uniform: with 40 ms that is all but those that the one before holds up
    assert min(delays) < most / 20


def test_gamma_jitter_overtakes_in_every_sixth_packet():
    fates = CONDITIONS["reorder"].fates(1, N)
    delays = [fate[0] - 20 * n for n, fate in enumerate(fates)]
    assert sum(delays) / N == pytest.approx(20, rel=0.02)
    assert sound_network.reordered(fates) == pytest.approx(0.17, abs=0.01)


def test_duplicates():
    fates = CONDITIONS["dup2"].fates(1, N)
    assert sum(len(fate) - 1 for fate in fates) / N == pytest.approx(0.02, rel=0.1)
    order = sound_network.schedule(fates)
    assert order == sorted(order) and len(order) == sum(map(len, fates))
    assert sound_network.reordered(fates) == 0  # a copy comes before the next packet


def test_drift():
    fates = Network(drift_ppm=200).fates(1, 30001)
    assert fates[30000][0] == pytest.approx(600000 + 120)  # ten minutes
    assert Network(drift_ppm=-200).fates(1, 30001)[30000][0] == pytest.approx(600000 - 120)
