"""WAV files from flash, frame by frame: 8 or 16 kHz, mono; PCM of 16 or 8 bits, or G.711. Lent for as long as one plays.

A frame is read in the tick before the one that plays it, into a buffer that is there already: nothing is allocated. The sound
it is laid over goes on under it, 12 dB quieter.
"""

from array import array

from lend import lend
from micropython import const

from .g711 import decode
from .gain import mix
from .resample import copy, decimate, fill, interpolate

_EXTENSIBLE = const(0xFFFE)
_CHUNKS = const(64)  # more has no file that was made to be heard
_ENDLESS = const(0x3FFFFFFF)

# What a file's sound is coded as: G.711 by its payload type, else
_LINEAR = const(16)
_BYTES = const(1)

_SIGNED = const(10)  # how `mix` lays a signed frame over what there is, which becomes 12 dB quieter,
_BINARY = const(8)  # and one in offset binary
_UP = const(23)  # history of resample.interpolate
_DOWN = const(46)  # and of decimate


class Wav:
    """One file, from its beginning. OSError if it can not be read, ValueError in words if it is none to be played."""

    def __init__(self, name, n):
        self.name = name
        self._fitted = 0  # samples of a frame where it is played: not fitted yet
        self._made = self._old_and_new = self._decoding = None
        self._laid_how = _SIGNED
        try:
            self._flash = open(name, "rb")
        except OSError:
            raise OSError("there is no file '%s' on the board" % name)
        try:
            self._look()
        except Exception as e:
            self.close()
            if isinstance(e, ValueError):
                raise ValueError("'%s': %s" % (name, e))
            raise
        self._fit(n)
        self._fetch()

    def close(self):
        self._flash.close()

    # -- The file

    def _look(self):
        # RIFF: chunks of a name, a length and so many bytes, and one more where that is odd; what is not known is passed over.
        head = self._exactly(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            raise ValueError("this is no WAV file")
        coded = -1
        for _ in range(_CHUNKS):
            head = self._exactly(8)
            size = _little(head, 4, 4)
            if head[:4] == b"data":
                break
            if head[:4] == b"fmt ":
                if size < 16:
                    raise ValueError("its format is cut short")
                taken = min(size, 26)
                coded, self._a_frame = _form_of(self._exactly(taken))
                size -= taken
            size += size & 1
            if size > _ENDLESS:
                raise ValueError("it is damaged: a part is longer than a file can be")
            self._flash.seek(size, 1)
        else:
            raise ValueError("there is no sound in it")
        if coded < 0:
            raise ValueError("its sound comes before its format")
        here = self._flash.seek(0, 1)
        left = self._flash.seek(0, 2) - here
        self._flash.seek(here, 0)
        # Who wrote it without knowing the length wrote 0, or as much as there can be.
        self._to_come = min(size or left, left)  # bytes
        frame = self._a_frame * 2 if coded == _LINEAR else self._a_frame
        if not self._to_come // frame * 20:
            raise ValueError("there is no sound in it")
        self.ms = (self._to_come + frame - 1) // frame * 20
        self._coded = bytearray(frame)
        self._rest = 0
        if coded != _LINEAR:
            self._rest = 0x80 if coded == _BYTES else 0xD5 if coded else 0xFF
            self._decoding = array("H", bytes(512))
            if coded == _BYTES:
                for code in range(256):
                    self._decoding[code] = code << 8
            else:
                lend("media.tables").decoding_table(coded, self._decoding)

    def _exactly(self, n):
        data = self._flash.read(n)
        if len(data) < n:
            raise ValueError("it ends before its sound begins")
        return data

    def _fit(self, n):
        # Once, or when the call becomes a wideband one while it plays.
        self._fitted = n
        self._old_and_new = None
        self._laid_how = _SIGNED
        if n != self._a_frame:
            self._old_and_new = array("H", bytes(2 * (self._a_frame + (_UP if n > self._a_frame else _DOWN))))
            fill(self._old_and_new, 0, len(self._old_and_new), 32768)
            self._made = array("H", bytes(2 * n))
        elif self._decoding:
            self._laid_how = _BINARY
            self._made = array("H", bytes(2 * n))
        else:
            self._made = self._coded

    # -- 20 ms

    def over(self, samples, at, n, side):
        """The next 20 ms over what there is in samples[at..], signed if side is 1: n 160 at 8 kHz, 320 at 16. -> False at
        its end."""
        if n != self._fitted:
            self._fit(n)
        if self._made is not self._coded:
            self._convert(self._old_and_new)
        mix(side + self._laid_how, samples, at, n, self._made)
        if self._to_come and self._fetch():
            return True
        self.close()
        return False

    def _convert(self, work):
        # With more names here the calls would not fit on the stack, and allocate.
        if not work:
            decode(self._coded, 0, self._made, 0, self._decoding, self._fitted)
            return
        n = self._a_frame
        at = len(work) - n
        if self._decoding:
            decode(self._coded, 0, work, at, self._decoding, n)
        else:
            fill(work, at, n, 32768)
            mix(2, work, at, n, self._coded)
        if at == _UP:
            interpolate(work, self._made, 0, n)
        else:
            decimate(work, self._made, n >> 1)
        copy(work, 0, work, n, at)

    def _fetch(self):
        got = min(self._from_file(), self._to_come)
        self._to_come -= got
        if got < len(self._coded):
            self._to_come = 0
            if not self._decoding:
                got &= 0xFFFE
            for i in range(got, len(self._coded)):
                self._coded[i] = self._rest
        return got

    def _from_file(self):
        try:
            return self._flash.readinto(self._coded) or 0
        except OSError:  # flash that can not be read: the sound ends
            return 0


def _little(data, at, n):
    return int.from_bytes(data[at : at + n], "little")


def _form_of(data):
    """-> (what it is coded as, samples in 20 ms). ValueError in words."""
    kind = _little(data, 0, 2)
    channels = _little(data, 2, 2)
    rate_hz = _little(data, 4, 4)
    bits = _little(data, 14, 2)
    if kind == _EXTENSIBLE and len(data) == 26:
        kind = _little(data, 24, 2)
    if channels != 1:
        raise ValueError("it has %d channels, and the door plays one: sox IN.wav -c 1 OUT.wav" % channels)
    if rate_hz not in (8000, 16000):
        raise ValueError("it has %d samples a second, and the door plays 8000 or 16000: sox IN.wav -r 16000 OUT.wav" % rate_hz)
    samples = rate_hz // 50
    if kind == 1 and bits == 16:
        return _LINEAR, samples
    if kind == 1 and bits == 8:
        return _BYTES, samples
    if kind == 7 and bits == 8:
        return 0, samples
    if kind == 6 and bits == 8:
        return 8, samples
    raise ValueError("its sound is neither PCM of 16 or 8 bits nor G.711: sox IN.wav -e signed -b 16 OUT.wav")
