"""A network between a caller and a receiver: loss, bursts of it, jitter with and without reordering, duplicates, drift.

The fate of packet n depends on the seed alone: neither on time, nor on the receiver, nor on what else the condition does
(each effect draws from numbers of its own), so that "3 % and jitter" loses what "3 %" loses.
"""

import random

PTIME_MS = 20
BURST = 3  # packets lost in a row, in the mean
_COPY_MS = 1  # after the packet, its duplicate comes
_GAMMA_SHAPE = 1.4  # of delays of 20 ms in the mean, which overtake each other in 17 % of the packets


class Network:
    """loss: share of packets lost at random; bursts: True where they are lost in bursts (Gilbert, BURST in the mean);
    jitter_ms: delay of up to so much, uniform, each packet behind the one before; gamma_ms: mean of delays that let packets
    overtake each other; twice: share of packets that come twice; drift_ppm: the sender's clock is so much slow."""

    def __init__(self, loss=0.0, bursts=False, jitter_ms=0, gamma_ms=0, twice=0.0, drift_ppm=0):
        self.loss, self.bursts, self.jitter_ms, self.gamma_ms = loss, bursts, jitter_ms, gamma_ms
        self.twice, self.drift_ppm = twice, drift_ppm

    def lost(self, seed, n):
        """-> for each of n packets whether it is lost."""
        chance = random.Random("loss %s" % seed)
        if not self.bursts:
            return [chance.random() < self.loss for _ in range(n)]
        leaves = 1 / BURST  # the bad state, with each packet; and the good one so often that the share is as wanted
        enters = leaves * self.loss / (1 - self.loss)
        bad, found = False, []
        for _ in range(n):
            bad = chance.random() >= leaves if bad else chance.random() < enters
            found.append(bad)
        return found

    def fates(self, seed, n, ptime_ms=PTIME_MS):
        """-> for each of n packets when it arrives, a tuple of milliseconds after the first was due: empty if it is lost,
        two of them if it comes twice."""
        jitter, twice = random.Random("jitter %s" % seed), random.Random("twice %s" % seed)
        slow = 1 + self.drift_ppm / 1e6
        found, last = [], 0.0
        for i, lost in enumerate(self.lost(seed, n)):
            at = i * ptime_ms * slow
            if self.jitter_ms:
                at = last = max(last, at + jitter.random() * self.jitter_ms)
            elif self.gamma_ms:
                at += jitter.gammavariate(_GAMMA_SHAPE, self.gamma_ms / _GAMMA_SHAPE)
            again = twice.random() < self.twice
            found.append(() if lost else (at, at + _COPY_MS) if again else (at,))
        return found


def schedule(fates):
    """-> [(milliseconds, number of the packet), ...] in the order of arriving."""
    return sorted((at, n) for n, fate in enumerate(fates) for at in fate)


def reordered(fates):
    """-> the share of arrivals that come after a packet with a higher number."""
    highest, late, all_ = -1, 0, 0
    for _, n in schedule(fates):
        late += n < highest
        all_ += 1
        highest = max(highest, n)
    return late / max(all_, 1)


CONDITIONS = {
    "loss0": Network(),
    "loss1": Network(loss=0.01),
    "loss3": Network(loss=0.03),
    "loss5": Network(loss=0.05),
    "loss10": Network(loss=0.10),
    "burst5": Network(loss=0.05, bursts=True),
    "jitter40": Network(jitter_ms=40),
    "jitter80": Network(jitter_ms=80),
    "reorder": Network(gamma_ms=20),
    "dup2": Network(twice=0.02),
    "mix": Network(loss=0.03, jitter_ms=40),
}
