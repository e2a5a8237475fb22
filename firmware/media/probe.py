"""What the audio test measures with: how loud samples are, and where in them a sound known before lies. Samples in offset binary."""

import micropython


@micropython.viper
def weigh(samples: ptr16, n: int, found: ptr32):
    """n samples (at most 256). found, array("i"): [0] their energy / 256, [1] their loudest, magnitude; [2] and [3], the least
    and the greatest sample since they were set."""
    energy = 0
    peak = 0
    least = int(found[2])
    most = int(found[3])
    while n:
        x = int(samples[0])
        if x < least:
            least = x
        if x > most:
            most = x
        x -= 32768
        energy += x * x >> 8
        if x < 0:
            x = 0 - x
        if x > peak:
            peak = x
        samples = ptr16(uint(samples) + 2)
        n -= 1
    found[0] = energy
    found[1] = peak
    found[2] = least
    found[3] = most


@micropython.viper
def every_fourth(samples: ptr16, n: int, to: ptr16, at: int) -> int:
    """Of n samples the mean of every four, to to[at..]; -> the next place."""
    to = ptr16(uint(to) + uint(at << 1))
    while n > 3:
        to[0] = (int(samples[0]) + int(samples[1]) + int(samples[2]) + int(samples[3])) >> 2
        samples = ptr16(uint(samples) + 8)
        to = ptr16(uint(to) + 2)
        n -= 4
        at += 1
    return at


@micropython.viper
def alike(samples: ptr16, at: int, known: ptr16, n: int) -> int:
    """How much of `known`, n samples up to +-1024, is in samples[at..]: the magnitude of their correlation / 1024."""
    samples = ptr16(uint(samples) + uint(at << 1))
    total = 0
    while n:
        total += (int(samples[0]) - 32768) * (int(known[0]) - 32768) >> 10
        samples = ptr16(uint(samples) + 2)
        known = ptr16(uint(known) + 2)
        n -= 1
    return total if total > 0 else 0 - total
