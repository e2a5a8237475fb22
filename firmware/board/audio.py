"""Microphone and loudspeaker on two I2S peripherals."""

from machine import I2S, Pin
from micropython import const
from select import POLLIN, POLLOUT, poll

_FRAMES = const(256)  # of a DMA buffer: 16 ms at 16 kHz
_RX_BUFFERS = const(6)  # one is under way, so the program may be 80 ms late before sound is lost
_TX_BUFFERS = const(6)


class Audio:
    """Sound of both ways, mono at `rate_hz`; nothing here blocks, and read() and write() allocate nothing."""

    def __init__(self, wiring):
        self.rate_hz = wiring.RATE_HZ
        self._microphone = wiring.MICROPHONE
        self._speaker = wiring.SPEAKER
        self._rx = self._tx = None

    def start(self):
        """Start both; sound is lost from here on if nobody reads. OSError in words."""
        if self._rx:
            return
        try:
            self._rx = self._open(self._microphone, I2S.RX, 32, 8 * _FRAMES * _RX_BUFFERS)
            self._tx = self._open(self._speaker, I2S.TX, 16, 2 * _FRAMES * _TX_BUFFERS)
        except Exception as e:
            self.stop()
            raise OSError("no sound: I2S does not start (%s); look at MICROPHONE and SPEAKER in wiring.py" % e)
        # One poll makes the driver hand over what there is, from then on; before, it would wait for all.
        poller = poll()
        poller.register(self._rx, POLLIN)
        poller.register(self._tx, POLLOUT)
        for _ in poller.ipoll(0):
            pass

    def _open(self, part, mode, bits, ibuf):
        return I2S(
            part["id"],
            sck=Pin(part["sck"]),
            ws=Pin(part["ws"]),
            sd=Pin(part["sd"]),
            mode=mode,
            bits=bits,
            format=I2S.MONO,
            rate=self.rate_hz,
            ibuf=ibuf,
        )

    def stop(self):
        """Stop both and give the DMA memory back."""
        for i2s in (self._rx, self._tx):
            if i2s:
                i2s.deinit()
        self._rx = self._tx = None

    def read(self, buf):
        """Fill buf with what the microphone has, 32-bit samples; -> bytes, 0 for none yet."""
        return self._rx.readinto(buf) if self._rx else 0

    def write(self, buf):
        """Give 16-bit samples to the loudspeaker; -> bytes taken, which may be fewer."""
        return self._tx.write(buf) if self._tx else 0

    @property
    def overruns(self):
        """Times that microphone sound was lost since start(), where the driver counts them."""
        return getattr(self._rx, "overruns", 0)

    @property
    def underruns(self):
        """Gaps played since start(), where the driver counts them."""
        return getattr(self._tx, "underruns", 0)
