"""machine of the virtual board: what ESP32 firmware asks of it, on the MicroPython Unix port.

tools/virtual_board.py starts the interpreter and is the world outside the chip: it plays the buttons, hears of the
pins, keeps the watchdog and starts the board again after a reset. They talk in records of four bytes over two pipes,
(kind, a, b, c). Sound needs no words: the microphone is an open file of 32-bit samples, the speaker one of 16-bit.
"""

import io
import os
import sys
import time
from micropython import const, schedule

# The numbers are the ESP32 port's own.
PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

_FRAMES = const(256)  # of a DMA buffer, always
_POLL = const(3)  # MP_STREAM_POLL
_POLLIN = const(1)
_POLLOUT = const(4)
_EINVAL = const(22)
_FLOATING = const(2)  # nobody outside drives this pin

# fds of the two record pipes, microphone, its kind, speaker, its kind, rate, reset cause, address
_setup = (os.getenv("VIRTUAL_BOARD") or "").split()
if not _setup:
    raise ImportError("start the virtual board with tools/virtual_board.py")
_in = open(int(_setup[0]), "rb")
_out = open(int(_setup[1]), "wb")
_mic = open(int(_setup[2]), "rb")
_mic_kind = _setup[3]  # "once", "loop" (files) or "pipe"
_speaker = open(int(_setup[4]), "rb+")
_speaker_is_file = _setup[5] == "file"
_rate_hz = int(_setup[6])
_cause = int(_setup[7])
_address = _setup[8]
del _setup

_record = bytearray(4)
_heard = bytearray(4)
_drive = bytearray(b"\x02" * 49)
_pins = {}
_watching = None  # the queue of the event loop that the interrupts' task belongs to


def __getattr__(name):
    # Loaded when asked for, as every byte here is missing to the firmware: Timer, and what the interpreter itself
    # has of machine, like idle and soft_reset.
    if name == "Timer":
        from _timer import Timer

        return Timer
    import umachine

    return getattr(umachine, name)


def tell(kind, a=0, b=0, c=0):
    """Tell the world outside; allocates nothing."""
    _record[0] = kind
    _record[1] = a
    _record[2] = b
    _record[3] = c
    _out.write(_record)


def _listen():
    """Take in what happened outside since last time; allocates nothing when nothing did."""
    while _in.readinto(_heard) == 4:
        n = _heard[1]
        if _heard[0] == 68:  # D: a pin is driven or let go
            pin = _pins.get(n)
            if pin is None:
                _drive[n] = _heard[2]
                continue
            before = pin._level()
            _drive[n] = _heard[2]
            now = pin._level()
            if now != before and pin._handler and pin._trigger & (1 if now else 2):
                try:
                    schedule(pin._handler, pin)
                except RuntimeError:  # its queue is full: as on the board, the interrupt is lost
                    pass
        elif _heard[0] == 78:  # N: the network cable or access point comes and goes
            network = sys.modules.get("network")
            if network:
                network.link(n)


def _watch():
    # An asyncio task in place of the interrupt controller: it wakes when a record comes in.
    while True:
        yield _watching.queue_read(_in)
        _listen()


def unique_id():
    """Six bytes like a MAC address, made of the board's own IP address."""
    return b"\x02\x00" + bytes(map(int, _address.split(".")))


def reset_cause():
    return _cause


def reset():
    """Never returns."""
    tell(82)
    while True:
        try:
            time.sleep(1)
        except KeyboardInterrupt:
            pass


def freq(hz=None):
    return 240000000


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2  # bit 1 is the level it pulls to
    IRQ_RISING = 1
    IRQ_FALLING = 2

    _mode = _pull = _put = _trigger = 0
    _handler = None

    def __new__(cls, id, *args, **kw):
        # As on the ESP32 there is one object a pin, whoever asks.
        if isinstance(id, Pin):
            return id
        if not (isinstance(id, int) and 0 <= id < 49):
            raise ValueError("invalid pin")
        if id not in _pins:
            _pins[id] = pin = object.__new__(cls)
            pin._id = id
        return _pins[id]

    def __init__(self, id, mode=-1, pull=-1, **kw):
        if mode != -1 or pull != -1 or kw:
            self.init(mode, pull, **kw)

    def init(self, mode=-1, pull=-1, value=None, drive=None, hold=None):
        if pull != -1:
            self._pull = pull or 0
        if value is not None:
            self._put = 1 if value else 0
        if mode != -1:
            self._mode = mode
        tell(80 if self._mode & 2 else 73, self._id, self._put if self._mode & 2 else self._pull)

    def _level(self):
        if self._mode == 3 or self._mode == 7 and not self._put:
            return self._put
        outside = _drive[self._id]
        return outside if outside != _FLOATING else self._pull >> 1

    def value(self, x=None):
        if x is None:
            _listen()
            return self._level()
        x = 1 if x else 0
        if x != self._put:
            self._put = x
            if self._mode & 2:
                tell(80, self._id, x)

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def irq(self, handler=None, trigger=3, wake=None, hard=False):
        global _watching
        from asyncio import core

        self._handler = handler
        self._trigger = trigger
        if _watching is not core._io_queue:  # a new event loop has forgotten the tasks of the old one
            _watching = core._io_queue
            core.create_task(_watch())
        return self


class I2S(io.IOBase):
    """One direction of a peripheral, as the ESP32 driver behaves.

    DMA buffers of 256 frames, `ibuf` bytes of them but at least two, filled or emptied by the clock. Of n buffers the
    program ever has n - 1: one is under way. `overruns` and `underruns` count the times sound was lost or a gap was
    played. Blocks until the first poll, afterwards moves what fits and returns.
    """

    RX = 1
    TX = 2
    MONO = 0
    STEREO = 1
    _taken = [None, None]  # who has which peripheral

    def __init__(self, id, **kw):
        if id != 0 and id != 1:
            raise ValueError("invalid id")
        if I2S._taken[id]:  # the driver ends the old one in favour of the new one
            I2S._taken[id].deinit()
        self._id = id
        self.init(**kw)

    def init(self, *, sck, ws, sd, mode, bits, format, rate, ibuf):
        if mode != 1 and mode != 2:
            raise ValueError("invalid mode")
        if format != 0 or bits != (32 if mode == 1 else 16):
            raise ValueError("the virtual board has 32-bit mono in and 16-bit mono out only")
        if rate != _rate_hz:
            raise ValueError("the virtual board runs at RATE_HZ of wiring.py, %d" % _rate_hz)
        self.deinit()
        self.overruns = self.underruns = 0
        self._rx = mode == 1
        # RX moves 8 bytes a frame whatever it hands over: both slots, 32 bits each
        self._buffers = max(2, ibuf // (_FRAMES * (8 if self._rx else 2)))
        self._blocking = True
        self._dry_at = -1  # DMA buffer count at the last short transfer: nothing to poll until the next one
        self._pos = 0 if self._rx else self._buffers * _FRAMES  # frames; TX is heard after the first round
        self._first = self._pos
        if self._rx:
            if _mic_kind != "pipe":
                _mic.seek(0)
            else:  # what was said before anybody listened
                while _mic.read(256):
                    pass
        elif _speaker_is_file:
            self._base = _speaker.seek(0, 2)
            self._at = self._pos * 2  # where the file is to continue: its gaps read as silence
            _speaker.seek(self._base + self._at)
        I2S._taken[self._id] = self
        self._t0 = time.ticks_us()

    def deinit(self):
        if I2S._taken[self._id] is not self:
            return
        I2S._taken[self._id] = None
        if not self._rx and _speaker_is_file:
            end = (self._now() + 1) * _FRAMES * 2
            if self._at < end:
                _speaker.seek(self._base + end - 2)
                _speaker.write(b"\0\0")

    def _now(self):
        # DMA buffers done since the start; from the start, so that nothing drifts
        return time.ticks_diff(time.ticks_us(), self._t0) * _rate_hz // (_FRAMES * 1000000)

    def _short(self, done):
        # Not all was possible. -> True to give back what was; else the next DMA buffer has been waited for
        self._dry_at = done
        while self._blocking and self._now() == done:
            time.sleep_ms(1)
        return not self._blocking

    def ioctl(self, request, arg):
        if request != _POLL:
            return -1  # also to "which file descriptor": there is none
        self._blocking = False
        if self._now() == self._dry_at:
            return 0
        return arg & (_POLLIN if self._rx else _POLLOUT)

    def readinto(self, buf):
        """Bytes handed over; allocates nothing after the first poll."""
        want = self._size(buf, 4, True)
        got = 0
        while True:
            done = self._now()
            oldest = (done - self._buffers + 1) * _FRAMES
            if self._pos < oldest:
                self.overruns += 1
                if _mic_kind != "pipe":  # there it is lost where it waits to be read
                    _mic.seek((oldest - self._pos) * 4, 1)
                self._pos = oldest
            n = (done * _FRAMES - self._pos) * 4
            if n > want - got:
                n = want - got
            if n:
                self._hear(buf, got, n)
                if _echo:
                    for other in I2S._taken:
                        if other and not other._rx:
                            _echo.add(self, other, _rate_hz, buf, got, n)
                self._pos += n // 4
                got += n
            if got == want:
                return got
            if self._short(done):
                return got

    def _hear(self, buf, at, n):
        # What is missing at a file's end or from a dry pipe stays the silence that _size() put there.
        while n:
            if at:  # only when it blocks, or a file begins again
                import uctypes

                got = _mic.readinto(uctypes.bytearray_at(uctypes.addressof(buf) + at, n))
            else:
                got = _mic.readinto(buf, n)
            if not got:
                if _mic_kind != "loop":
                    return
                _mic.seek(0)
            else:
                at += got
                n -= got

    def write(self, buf):
        """Bytes taken; allocates nothing."""
        size = self._size(buf, 2, False)
        taken = 0
        while True:
            done = self._now()
            pos = self._pos
            soonest = (done + 1) * _FRAMES
            if pos < soonest:
                if pos > self._first:
                    self.underruns += 1
                # A pipe cannot have holes; in one that is full nobody listens.
                while not _speaker_is_file and pos < soonest and _speaker.write(_silence):
                    pos += 32
                self._pos = pos = soonest
            n = ((done + self._buffers) * _FRAMES - pos) * 2
            if n > size - taken:
                n = size - taken
            if n:
                if _speaker_is_file and self._at != pos * 2:
                    _speaker.seek(self._base + pos * 2)
                _speaker.write(buf, taken, n)
                self._pos = pos + n // 2
                self._at = self._pos * 2
                taken += n
            if taken == size:
                return taken
            if self._short(done):
                return taken

    def _size(self, buf, frame, rx):
        if I2S._taken[self._id] is not self or self._rx is not rx:
            raise OSError(_EINVAL)
        # Neither an array nor a memoryview tells its bytes, a device that takes all of them does.
        n = _zero.readinto(buf) if rx else _null.write(buf)
        if n % frame:
            raise OSError(_EINVAL)
        return n


_echo = None
if os.getenv("VIRTUAL_BOARD_ECHO"):
    import _echo
_zero = open("/dev/zero", "rb")
_null = open("/dev/null", "wb")
_silence = bytes(64)


class WDT:
    """The watchdog; it bites from outside, as a chip's does. A second one only changes the time-out."""

    _said = 0
    _every = 0

    def __init__(self, id=0, timeout=5000):
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        WDT._every = timeout // 8
        self.feed(True)
        units = (timeout + 9) // 10
        tell(87, units >> 16, units >> 8 & 255, units & 255)

    def feed(self, now=False):
        ms = time.ticks_ms()
        if now or time.ticks_diff(ms, WDT._said) >= WDT._every:  # more often would only be noise
            WDT._said = ms
            tell(70)
