"""Decibels as the kernels of gain.py and level.py want them. Lent when a level is set."""


def microphone_gain(gain_db):
    """-> (factor, shift) for `condition`: 0 dB hands over the upper 16 of the 32 bits. -60 to 48 dB, else ValueError.

    Up to 12 dB of what amplifies come later, in level.py, so that the limiter has whole what it is to limit.
    """
    if not -60 <= gain_db <= 48:
        raise ValueError("microphone gain: %s dB is not between -60 and 48" % gain_db)
    factor = 10 ** ((gain_db - _last_db(gain_db) - 0.28) / 20) / 16  # of 20 bits to 16; the high-pass has a gain of 0.28 dB
    shift = 0
    while factor < 512:  # keep ten significant bits: 20 + 1 + 10 stay within 32
        factor *= 2
        shift += 1
    return min(int(factor + 0.5), 1023), shift


def _last_db(gain_db):
    return min(max(gain_db, 0), 12)


def set(gain, level, gain_db, auto, silence, quiet):
    """Stream.gain_db: into the states of `condition` and of `level.frame`. -> a quiet.Quiet where silence is not sent, the one
    there was if there was, or None."""
    gain[1], gain[2] = microphone_gain(gain_db)
    level[0] = int(4096 * 10 ** (_last_db(gain_db) / 20) + 0.5)
    level[3] = auto
    if not auto:
        level[1] = 1024
    if silence and not quiet:
        from .quiet import Quiet

        quiet = Quiet()
    return quiet if silence else None


def volume_gain(volume_db):
    """-> factor for `volume`, 4096 for 0 dB. -60 to 18 dB, else ValueError."""
    if not -60 <= volume_db <= 18:
        raise ValueError("speaker volume: %s dB is not between -60 and 18" % volume_db)
    return int(4096 * 10 ** (volume_db / 20) + 0.5)
