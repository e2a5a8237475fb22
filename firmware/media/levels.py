"""Decibels as the kernels of gain.py want them. Lent when a level is set."""


def microphone_gain(gain_db):
    """-> (factor, shift) for `condition`: 0 dB hands over the upper 16 of the 32 bits. -60 to 48 dB, else ValueError."""
    if not -60 <= gain_db <= 48:
        raise ValueError("microphone gain: %s dB is not between -60 and 48" % gain_db)
    factor = 10 ** (gain_db / 20) / 16  # of 20 bits to 16
    shift = 0
    while factor < 512:  # keep ten significant bits: 20 + 1 + 10 stay within 32
        factor *= 2
        shift += 1
    return min(int(factor + 0.5), 1023), shift


def volume_gain(volume_db):
    """-> factor for `volume`, 4096 for 0 dB. -60 to 18 dB, else ValueError."""
    if not -60 <= volume_db <= 18:
        raise ValueError("speaker volume: %s dB is not between -60 and 18" % volume_db)
    return int(4096 * 10 ** (volume_db / 20) + 0.5)
