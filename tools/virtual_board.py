#!/usr/bin/env python3
"""A board without a board: firmware/ on the MicroPython Unix port, with everything around the chip done here.

    virtual_board.py --state DIR [--address 127.0.0.10] [--mic speech.wav|chime|silence|card] [--speaker out.wav|none|card] [--terminal] ...
    virtual_board.py --state DIR press 0 [ms] | pins | watch | network down | network up | stop

The state folder is the board's flash, its "/": wiring.py and config.json live there, and a main.py of one's own if
wanted. The chip's folder of build/ is at /r, which cannot be written.
The first form starts a board and runs it until SIGTERM. It prints one line of JSON when the serial line, a pty, is
there: `mpremote connect` works on it. The second form talks to a board that runs. Tests use the class VirtualBoard,
which does both.

What it stands for: the power switch (reset, watchdog, crash: boards/UNIX/machine.py says what it wants in records of
four bytes), the USB-serial chip, the fingers on the buttons, the microphone and the loudspeaker.
"""

import argparse
import ctypes
import errno
import fcntl
import json
import math
import operator
import os
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import tty
import wave
from array import array
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import build as builder  # noqa: E402

ROOT = builder.ROOT
POWER_ON, HARD_RESET, WATCHDOG, SOFT_RESET = 1, 2, 3, 5
CAUSES = {POWER_ON: "power on", HARD_RESET: "hard reset", WATCHDOG: "watchdog", SOFT_RESET: "soft reset"}
FLOATING = 2
STALL_S = 1.0  # a serial line that took nothing for this long has nobody at its end
QUEUE = 65536
_BUSY_S = 0.5  # an interpreter that has not waited for anything for this long is in a loop
CONTROL_FILE = ".virtual_board.json"
RAW_PROMPT = b"raw REPL; CTRL-B to exit\r\n>"
BANNER_END = b'for more information.\r\n>>> '


class BoardError(Exception):
    """What is wrong and what to do, in words."""


# --- sound files ------------------------------------------------------------------------------------------------


def read_wav(path):
    """WAV file -> (samples as floats of -1..1, one channel, rate in Hz)."""
    try:
        with wave.open(str(path), "rb") as f:
            channels, width, rate, frames = f.getnchannels(), f.getsampwidth(), f.getframerate(), f.getnframes()
            data = f.readframes(frames)
    except FileNotFoundError:
        raise BoardError("--mic %s: there is no such file" % path) from None
    except (wave.Error, EOFError) as e:
        raise BoardError("--mic %s: %s; plain PCM is read, sox %s -e signed -b 16 plain.wav makes it" % (path, e, path)) from None
    if not data:
        raise BoardError("--mic %s: there is no sound in it" % path)
    if width == 1:
        samples = [b - 128 for b in data]
    elif width == 3:
        samples = [int.from_bytes(data[i : i + 3], "little", signed=True) for i in range(0, len(data) - 2, 3)]
    else:
        samples = array("h" if width == 2 else "i")
        samples.frombytes(data[: len(data) // width * width])
        if sys.byteorder == "big":
            samples.byteswap()
    scale = 1.0 / (channels << (8 * width - 1))
    if channels == 1:
        return [x * scale for x in samples], rate
    return [sum(samples[i : i + channels]) * scale for i in range(0, len(samples), channels)], rate


def resample(samples, rate, wanted):
    """Windowed-sinc resampling by a ratio of whole numbers."""
    if rate == wanted:
        return samples
    common = math.gcd(rate, wanted)
    up, down = wanted // common, rate // common
    cut = min(1.0, up / down) * 0.96
    half = math.ceil(24 / cut)
    phases = []
    for phase in range(up):
        taps = []
        for k in range(-half + 1, half + 1):
            x = k - phase / up
            window = 0.5 + 0.5 * math.cos(math.pi * x / (half + 1))
            taps.append(cut * window * (math.sin(math.pi * x * cut) / (math.pi * x * cut) if x else 1.0))
        total = sum(taps)
        phases.append([t / total for t in taps])
    padded = [0.0] * (half - 1) + list(samples) + [0.0] * (half + 1)
    out = []
    for n in range(len(samples) * up // down):
        at, phase = divmod(n * down, up)
        out.append(sum(map(operator.mul, phases[phase], padded[at : at + 2 * half])))
    return out


def chime():
    """Ding, dong and a pause, 3 s: something to hear for who has no microphone here -> (samples, rate in Hz)."""
    rate = 8000
    samples = []
    for i in range(3 * rate):
        t = i / rate
        ding = math.sin(2 * math.pi * 659.3 * t) * math.exp(-4 * t)
        dong = math.sin(2 * math.pi * 523.3 * (t - 0.5)) * math.exp(-4 * (t - 0.5)) if t > 0.5 else 0
        samples.append(0.2 * (ding + dong))
    return samples, rate


def microphone_samples(path, rate_hz, level_db):
    """WAV file, or "chime" -> bytes as an I2S microphone gives them: 24 bits at the top of 32, little-endian, mono."""
    samples, rate = chime() if path == "chime" else read_wav(path)
    scale = 8388608.0 * 10 ** (level_db / 20)
    words = array("i", (max(-8388608, min(8388607, round(x * scale))) << 8 for x in resample(samples, rate, rate_hz)))
    if sys.byteorder == "big":
        words.byteswap()
    return words.tobytes()


def wav_header(data_bytes, rate_hz):
    """Header of a 16-bit mono WAV file, 44 bytes."""
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + data_bytes, b"WAVE", b"fmt ", 16, 1, 1, rate_hz,
                       2 * rate_hz, 2, 16, b"data", data_bytes)


# --- the board, as the command line runs it -----------------------------------------------------------------------


def read_wiring(state):
    """The board's own wiring.py -> its names as a dict."""
    wiring = {}
    try:
        exec(compile((state / "wiring.py").read_text(), "wiring.py", "exec"), wiring)
    except Exception as e:
        raise BoardError("wiring.py in %s: %s: %s" % (state, type(e).__name__, e)) from None
    return wiring


def pin_names(wiring):
    """-> {name: (pin number, level that means pressed or on)}."""
    names = {}
    for n, button in enumerate(wiring.get("BUTTONS") or ()):
        names["button.%d" % n] = (button["pin"], button.get("active", 0))
    for name in ("relay", "light"):
        part = wiring.get(name.upper())
        if part:
            names[name] = (part["pin"], part.get("active", 1))
    return names


def _die_with_parent():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # closing the line's other end hangs up, wherever this runs
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class _Pty:
    """A pair whose slave is `path`; raw."""

    def __init__(self):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        mode = termios.tcgetattr(self.slave)
        for key in (termios.VINTR, termios.VQUIT, termios.VSUSP):
            mode[6][key] = b"\x03" if key == termios.VINTR else b"\0"
        termios.tcsetattr(self.slave, termios.TCSANOW, mode)
        self.path = os.ttyname(self.slave)
        os.set_blocking(self.master, False)


class Runner:
    """One board, from power on to SIGTERM."""

    def __init__(self, options):
        self.options = options
        self.state = Path(options.state).absolute()
        self.state.mkdir(parents=True, exist_ok=True)
        self.selector = selectors.DefaultSelector()
        self.process = self.line = None
        self.to_board = bytearray()  # from the serial line, waiting for the interpreter
        self.to_host = bytearray()  # from the interpreter, waiting for whoever reads the serial line
        self.taken_at = 0.0
        self.tail = b""
        self.raw_mode = self.binary = self.ready = False
        self.swallow = None  # output kept back until the raw prompt, after a soft reset from there
        self.ending = None  # why the process is being ended: a reset cause, or "stop"
        self.watchdog_s = self.watchdog_due = None
        self.timers = set()
        self.levels = {}
        self.driven = {}
        self.network = True
        self.releases = []  # (when, pin, level)
        self.watchers = {}
        self.helpers = []
        self.crashes = 0
        self.header_due = None
        self.interrupted_at = 0.0
        self.interrupts_from = None  # when a Ctrl-C began to wait for its moment
        self.mic_rate = None
        self.announced = False
        self.temporary = None

    # Starting.

    def prepare(self):
        self.refuse_second()
        if not (self.state / "wiring.py").exists():
            shutil.copyfile(ROOT / "boards" / "UNIX" / "board.py", self.state / "wiring.py")
        self.set_keys()
        try:
            self.interpreter = builder.interpreter() if not self.options.micropython else self.options.micropython
            arch = self.options.arch or (
                builder.interpreter_arch(self.interpreter) if self.options.micropython else builder.host_arch())
            builder.build([arch + "-unix"], say=lambda words: None)
        except builder.BuildError as e:
            raise BoardError(str(e)) from None
        self.arch = arch
        self.wiring = read_wiring(self.state)
        self.serial = _Pty()
        self.selector.register(self.serial.master, selectors.EVENT_READ, self.host_speaks)
        if self.options.serial:
            link = Path(self.options.serial)
            link.unlink(missing_ok=True)
            link.symlink_to(self.serial.path)
        if self.options.terminal:
            self.open_terminal()
        self.open_control()
        self.open_speaker()

    def refuse_second(self):
        try:
            answer = _ask(self.state, "pins")
        except BoardError:
            return
        if answer:
            raise BoardError("a board already runs in %s; stop it, or give another --state" % self.state)

    def set_keys(self):
        if not self.options.set:
            return
        path = self.state / "config.json"
        config = json.loads(path.read_text()) if path.exists() else {"schema": 1}
        for item in self.options.set:
            key, equals, value = item.partition("=")
            if not equals:
                raise BoardError("--set %s: write key=value" % item)
            # A number stays a text where it is one, like a user called 42.
            config[key] = int(value) if value.lstrip("-").isdigit() and key.endswith(
                ("port", "_s", "_db")) else value
        path.write_text(json.dumps(config))

    def open_control(self):
        self.temporary = tempfile.mkdtemp(prefix="virtual_board-")
        self.control = socket.socket(socket.AF_UNIX)
        self.control.bind(self.temporary + "/control")
        self.control.listen(16)
        self.selector.register(self.control, selectors.EVENT_READ, self.accept)
        self.wakeup, out = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(out, False)
        signal.set_wakeup_fd(out, warn_on_full_buffer=False)
        self.stopping = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.on_stop)
        signal.signal(signal.SIGCHLD, lambda *args: None)
        self.selector.register(self.wakeup, selectors.EVENT_READ, lambda: os.read(self.wakeup, 512))

        if self.options.with_parent:
            self.selector.register(0, selectors.EVENT_READ, self.orphaned)

    def orphaned(self):
        if not os.read(0, 64):  # who started us is gone, however that came
            self.stopping = True

    def on_stop(self, number, frame):
        self.stopping = True

    def open_terminal(self):
        self.terminal_mode = None
        if os.isatty(0):
            self.terminal_mode = termios.tcgetattr(0)
            tty.setraw(0)
        try:
            self.selector.register(0, selectors.EVENT_READ, self.person_types)
        except PermissionError:  # no terminal and no pipe, but /dev/null: nobody types
            pass

    def open_microphone(self):
        """Open or convert for this RATE_HZ; -> (fd, kind)."""
        rate, source = self.wiring.get("RATE_HZ", 16000), self.options.mic
        if self.mic_rate == rate:
            return
        self.mic_rate = rate
        if source == "card":
            self.mic = (self.card("arecord", "-t", "raw", "-f", "S32_LE", "-c", "1", "-r", str(rate)), "pipe")
        elif source == "silence":
            self.mic = (os.open("/dev/zero", os.O_RDONLY), "once")
        elif Path(source).is_fifo():
            self.mic = (os.open(source, os.O_RDWR | os.O_NONBLOCK), "pipe")
        else:
            f = tempfile.TemporaryFile()
            f.write(microphone_samples(source, rate, self.options.mic_level_db))
            f.flush()
            self.mic = (os.dup(f.fileno()), "loop" if self.options.mic_loop or source == "chime" else "once")
            f.close()

    def open_speaker(self):
        target = self.options.speaker
        self.speaker_wav = False
        self.echo = ""
        if self.options.echo:
            if target in ("card",) or target != "none" and Path(target).is_fifo():
                raise BoardError("--echo wants --speaker out.wav or none")
            if target == "none":
                self.echo_file = tempfile.NamedTemporaryFile()
                target = self.echo_file.name
            try:
                delay_ms, gain_db = map(float, self.options.echo.split(","))
            except ValueError:
                raise BoardError("--echo %s: write it as DELAY_MS,GAIN_DB like 5,-6" % self.options.echo) from None
            self.echo = "%d %d %s" % (delay_ms * self.wiring.get("RATE_HZ", 16000) / 1000, min(32767, 32768 * 10 ** (gain_db / 20)),
                                      Path(target).absolute())
        if target == "card":
            rate = str(self.wiring.get("RATE_HZ", 16000))
            self.speaker = (self.card("aplay", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", rate), "pipe")
        elif target == "none":
            self.speaker = (os.open("/dev/null", os.O_RDWR), "file")
        elif Path(target).is_fifo():
            self.speaker = (os.open(target, os.O_RDWR | os.O_NONBLOCK), "pipe")
        else:
            self.speaker = (os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644), "file")
            self.speaker_wav = True
            self.write_header()

    def card(self, program, *arguments):
        path = shutil.which(program)
        if path is None:
            raise BoardError("there is no %s here, which the sound card needs: apt-get install alsa-utils, "
                             "or give WAV files (--mic speech.wav --speaker out.wav)" % program)
        ours, theirs = os.pipe() if program == "arecord" else reversed(os.pipe())
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            # Sound that waits in a pipe is a delay. Now, for a pipe that holds more already does not shrink.
            fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 8192)
        self.helpers.append(subprocess.Popen(
            [path, "-q", *arguments], start_new_session=True,
            stdin=subprocess.DEVNULL if program == "arecord" else theirs,
            stdout=theirs if program == "arecord" else subprocess.DEVNULL))
        os.close(theirs)
        os.set_blocking(ours, False)
        return ours

    def write_header(self):
        if self.speaker_wav:
            fd = self.speaker[0]
            size = max(0, os.fstat(fd).st_size - 44)
            os.pwrite(fd, wav_header(size & ~1, self.wiring.get("RATE_HZ", 16000)), 0)
            self.header_due = time.monotonic() + 1

    # The chip: power, resets.

    def boot(self, cause, raw=False):
        try:
            self.wiring = read_wiring(self.state)
        except BoardError as e:  # somebody has just copied it there, and the firmware will say so too
            print("virtual board %s: %s; the world outside stays as it was" % (self.options.address, e), file=sys.stderr)
        self.open_microphone()
        self.names = pin_names(self.wiring)
        self.line = _Pty()
        records_in, to_chip = os.pipe()
        from_chip, records_out = os.pipe()
        os.set_blocking(records_in, False)
        os.set_blocking(from_chip, False)
        setup = (records_in, records_out, *self.mic, *self.speaker, self.mic_rate, cause, self.options.address)
        run = ["/boot.py"] if (self.state / "boot.py").exists() else []
        if not raw:
            if (self.state / "main.py").exists():
                run.append("/main.py")
            elif (builder.BUILD / self.arch / "main.py").exists():
                run.append("/r/main.py")
        start = "import _boot; _boot.run(%r, %r, %r, %r)" % (str(self.state), str(builder.BUILD), self.arch, run)
        environment = dict(os.environ, MICROPYPATH=str(builder.BUILD / (self.arch + "-unix")) + ":.frozen",
                           VIRTUAL_BOARD=" ".join(map(str, setup)), VIRTUAL_BOARD_DNS=self.options.dns,
                           VIRTUAL_BOARD_ECHO=self.echo)
        command = [self.interpreter]
        if self.options.heap:
            command += ["-X", "heapsize=" + self.options.heap]
        self.process = subprocess.Popen(
            self.options.wrap + command + ["-i", "-c", start], cwd=self.state, env=environment,
            stdin=self.line.slave, stdout=self.line.slave, stderr=self.line.slave, preexec_fn=_die_with_parent,
            pass_fds=(records_in, records_out, self.mic[0], self.speaker[0]))
        for fd in (self.line.slave, records_in, records_out):
            os.close(fd)
        self.to_chip, self.from_chip = to_chip, from_chip
        self.selector.register(from_chip, selectors.EVENT_READ, self.chip_tells)
        self.selector.register(self.line.master, selectors.EVENT_READ, self.board_speaks)
        self.cause, self.booted_at = cause, time.monotonic()
        self.ending = self.watchdog_s = self.watchdog_due = None
        self.ready = self.binary = self.raw_mode = False
        self.swallow = b"" if raw else None
        self.tail = b""
        self.timers.clear()
        self.levels = {}
        for pin, level in self.driven.items():
            self.tell(b"D", pin, level)
        if not self.network:
            self.tell(b"N", 0)

    def tell(self, kind, a=0, b=0):
        try:
            os.write(self.to_chip, kind + bytes((a, b, 0)))
        except OSError:
            pass  # it has ended; its successor is told at its start

    def chip_tells(self):
        try:
            records = os.read(self.from_chip, 4096)
        except BlockingIOError:
            return
        if not records:
            self.forget(self.from_chip)
            return
        for i in range(0, len(records) - 3, 4):
            kind, a, b, c = records[i : i + 4]
            if kind == 80:  # P: a pin puts out a level
                self.level(a, b)
            elif kind == 73:  # I: a pin listens, with this pull
                self.level(a, self.driven.get(a, 1 if b & 2 else 0))
            elif kind == 85:  # U: up, input may come
                self.ready = True
                self.event("boot", cause=CAUSES[self.cause])
                if self.swallow is not None:
                    self.put_in(b"\x01")
                self.announce()
            elif kind == 82:  # R: machine.reset()
                self.end(self.ending or HARD_RESET)
            elif kind == 83:  # S: SystemExit out of main.py; the R that follows ends it
                self.ending = SOFT_RESET
            elif kind == 87:  # W: watchdog time-out
                self.watchdog_s = (a << 16 | b << 8 | c) / 100
                self.watchdog_due = time.monotonic() + self.watchdog_s
            elif kind == 70 and self.watchdog_s:  # F: fed
                self.watchdog_due = time.monotonic() + self.watchdog_s
            elif kind == 84:  # T: a timer is set or gone
                self.timers.add(a) if b else self.timers.discard(a)

    def end(self, why):
        self.ending = why
        self.process.kill()

    def forget(self, fd):
        if fd in self.selector.get_map():
            self.selector.unregister(fd)
            os.close(fd)

    def ended(self):
        """The interpreter is gone: say why, and do what a board would do."""
        self.board_speaks()
        self.chip_tells() if self.from_chip in self.selector.get_map() else None
        raw, ending, status = self.raw_mode, self.ending, self.process.returncode
        self.forget(self.line.master)
        self.forget(self.from_chip)
        os.close(self.to_chip)
        self.write_header()
        if ending == "stop":
            return
        self.to_board.clear()
        if ending is None and status < 0:
            self.crashes += 1
            name = signal.Signals(-status).name
            self.event("crash", signal=name)
            print("virtual board %s: the interpreter was ended by %s" % (self.options.address, name), file=sys.stderr)
            self.to_person(b"\r\nvirtual board: the interpreter was ended by %s\r\n" % name.encode())
            if self.crashes > 4:
                raise BoardError("the interpreter crashed %d times; giving up" % self.crashes)
            self.boot(HARD_RESET)
        elif ending in (HARD_RESET, WATCHDOG):
            self.event("reset", cause=CAUSES[ending])
            self.to_person(b"\r\nvirtual board: reset%s\r\n" % (b" by the watchdog" if ending == WATCHDOG else b""))
            self.boot(ending)
        else:
            # Left by Ctrl-D, machine.soft_reset() or SystemExit
            self.event("reset", cause=CAUSES[SOFT_RESET])
            self.to_person(b"MPY: soft reboot\r\n")
            self.boot(SOFT_RESET, raw and ending is None)

    # The serial line. Bytes go through as on a wire; only three things are done on the way, which on a board the
    # interpreter does: 0x03 interrupts, "\n" goes out as "\r\n", and a soft reset comes back into the same REPL.

    def host_speaks(self):
        if len(self.to_board) < QUEUE:
            try:
                self.to_board += os.read(self.serial.master, 4096)
            except BlockingIOError:
                pass
        self.feed_board()

    def person_types(self):
        data = os.read(0, 4096)
        if not data:
            self.selector.unregister(0)
        if b"\x1d" in data and self.terminal_mode:  # Ctrl-]
            self.stopping = True
            data = data[: data.index(b"\x1d")]
        self.to_board += data
        self.feed_board()

    def feed_board(self):
        while self.to_board and self.ready and self.swallow is None and self.process.poll() is None:
            at = self.to_board.find(3)
            if at == 0:
                if not self.interrupt():
                    return
                del self.to_board[0]
                continue
            n = self.put_in(self.to_board[: at if at > 0 else None])
            if not n:
                return
            del self.to_board[:n]

    def put_in(self, data):
        try:
            return os.write(self.line.master, data)
        except OSError:  # full, or just gone
            return 0

    def interrupt(self):
        """Ctrl-C has come. -> False when it has to wait."""
        try:
            flag = termios.tcgetattr(self.line.master)[3] & termios.ISIG
        except termios.error:
            return False
        if not flag:
            self.interrupts_from = None
            return self.put_in(b"\x03") == 1
        now = time.monotonic()
        if now - self.interrupted_at < 0.05:  # the port exits on a second one before it has taken the first
            return True
        if not self.rests(now) or not self.catches_interrupt():
            return False
        self.interrupted_at = now
        self.interrupts_from = None
        self.process.send_signal(signal.SIGINT)
        return True

    def rests(self, now):
        # The port takes the signal wherever it is; in the middle of a garbage collection that would leave its heap locked. While
        # it waits it collects none; one that never waits is a loop of somebody's, and is interrupted all the same.
        if self.interrupts_from is None:
            self.interrupts_from = now
        try:
            with open("/proc/%d/stat" % self.process.pid) as file:
                return file.read().rpartition(")")[2].split()[0] == "S" or now - self.interrupts_from > _BUSY_S
        except OSError:
            return True  # no such files here, or it is just gone

    def catches_interrupt(self):
        # Between two lines the port has no handler for a moment, and would end.
        try:
            for line in open("/proc/%d/status" % self.process.pid):
                if line.startswith("SigCgt:"):
                    return bool(int(line.split()[1], 16) >> (signal.SIGINT - 1) & 1)
        except OSError:
            pass
        return True

    def board_speaks(self):
        if self.line.master not in self.selector.get_map():
            return
        while len(self.to_host) < QUEUE:
            try:
                data = os.read(self.line.master, 4096)
            except OSError as e:
                if e.errno != errno.EIO:
                    return
                data = b""
            if not data:  # the far side has closed: it ends
                self.forget(self.line.master)
                return
            self.interrupted_at = 0.0  # it has been taken, or why would it speak
            self.watch_mode(data)
            if self.swallow is not None:
                self.swallow += data
                at = self.swallow.find(RAW_PROMPT)
                if at < 0:
                    continue
                data, self.swallow = self.swallow[at:], None
                self.to_person(data)
                self.feed_board()
                continue
            self.to_person(self.cooked(data))

    def watch_mode(self, data):
        seen = self.tail + data
        raw, friendly = seen.rfind(RAW_PROMPT), seen.rfind(BANNER_END)
        if raw != friendly:
            self.raw_mode = raw > friendly
        self.last = self.tail[-1:]
        self.tail = seen[-64:]

    def cooked(self, data):
        if b"\x18" in data or self.binary:  # what mpremote's mount sends is no text
            try:
                self.binary = not termios.tcgetattr(self.line.master)[3] & termios.ISIG
            except termios.error:
                self.binary = False
            if self.binary:
                return data
        if b"\n" not in data:
            return data
        out = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return out[1:] if self.last == b"\r" and data[:1] == b"\n" else out

    def to_person(self, data):
        if self.options.terminal:
            try:
                os.write(1, data)
            except OSError:
                self.stopping = True
        self.to_host += data
        self.send_host()

    def send_host(self):
        now = time.monotonic()
        while self.to_host:
            try:
                n = os.write(self.serial.master, self.to_host)
            except OSError:
                if now - self.taken_at > STALL_S:  # as a UART goes on without a listener
                    self.to_host.clear()
                break
            self.taken_at = now
            del self.to_host[:n]
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.to_host else 0)
        self.selector.modify(self.serial.master, events, self.host_speaks)

    # The world: pins and people.

    def level(self, pin, level):
        if self.levels.get(pin) == level:
            return
        self.levels[pin] = level
        self.event("pin", pin=self.name(pin), level=level)

    def name(self, pin):
        for name, (number, active) in self.names.items():
            if number == pin:
                return name
        return str(pin)

    def number(self, name):
        if name.isdigit() and "button." + name in self.names:
            name = "button." + name
        if name in self.names:
            return self.names[name]
        if name.startswith("pin") and name[3:].isdigit():
            return int(name[3:]), 1
        raise BoardError("there is no '%s'; there are %s, or pin7 by its number" % (name, ", ".join(self.names)))

    def drive(self, pin, level):
        """Drive a pin from outside, or let go with 2."""
        if level == FLOATING:
            self.driven.pop(pin, None)
        else:
            self.driven[pin] = level
        self.tell(b"D", pin, level)
        if pin in self.levels:
            self.level(pin, level if level != FLOATING else 1 - self.number(self.name(pin))[1])

    def event(self, kind, **what):
        line = json.dumps(dict({"event": kind, "at": time.monotonic()}, **what)).encode() + b"\n"
        for client in list(self.watchers):
            self.answer(client, line)

    def answer(self, client, line):
        try:
            client.sendall(line)
        except OSError:
            self.hang_up(client)

    def hang_up(self, client):
        self.watchers.pop(client, None)
        if client.fileno() >= 0:
            self.selector.unregister(client)
            client.close()

    def accept(self):
        client = self.control.accept()[0]
        client.settimeout(1)
        pending = bytearray()

        def heard():
            try:
                data = client.recv(4096)
            except OSError:
                data = b""
            if not data:
                return self.hang_up(client)
            pending.extend(data)
            while b"\n" in pending:
                line, _, rest = bytes(pending).partition(b"\n")
                pending[:] = rest
                try:
                    reply = self.order(client, line.decode().split())
                except (BoardError, ValueError, IndexError) as e:
                    reply = {"error": str(e)}
                if reply is not None:
                    self.answer(client, json.dumps(reply).encode() + b"\n")

        self.selector.register(client, selectors.EVENT_READ, heard)

    def order(self, client, words):
        verb, words = words[0], words[1:]
        now = time.monotonic()
        if verb == "press":
            pin, active = self.number(words[0] if words else "0")
            self.drive(pin, active)
            self.releases.append((now + int(words[1] if len(words) > 1 else 100) / 1000, pin))
        elif verb == "hold" or verb == "release":
            pin, active = self.number(words[0])
            self.drive(pin, active if verb == "hold" else FLOATING)
        elif verb == "drive":
            self.drive(self.number(words[0])[0], int(words[1]))
        elif verb == "network":
            self.network = words[0] == "up"
            self.tell(b"N", self.network)
        elif verb == "pins":
            self.chip_tells() if self.from_chip in self.selector.get_map() else None
            pins = {name: self.levels.get(number) for name, (number, active) in self.names.items()}
            pins.update((self.name(p), level) for p, level in self.levels.items())
            return {"at": now, "pins": pins, "pid": self.process.pid}
        elif verb == "watch":
            self.watchers[client] = True
            return dict(self.order(client, ["pins"]), event="watching")
        elif verb == "reset":
            self.end(HARD_RESET)
        elif verb == "stop":
            self.stopping = True
        else:
            raise BoardError("no such order: %s" % verb)
        return {"at": now}

    def announce(self):
        if self.announced:
            return
        self.announced = True
        about = {"pid": os.getpid(), "board_pid": self.process.pid, "serial": self.serial.path,
                 "address": self.options.address, "state": str(self.state), "control": self.temporary + "/control"}
        (self.state / CONTROL_FILE).write_text(json.dumps(about))
        if self.options.terminal:
            print("%s at %s; serial line %s; Ctrl-] ends it\r" % (
                self.wiring.get("NAME"), self.options.address, self.options.serial or self.serial.path), flush=True)
        else:
            print(json.dumps(about), flush=True)

    def run(self):
        self.prepare()
        self.boot(POWER_ON)
        while not self.stopping:
            now = time.monotonic()
            due = [d for d in (self.watchdog_due, self.header_due) if d] + [r[0] for r in self.releases]
            if self.to_host:
                due.append(self.taken_at + STALL_S + 0.01)
            if self.to_board:
                due.append(now + 0.002)
            timeout = max(0.0, min(due) - now) if due else None
            for key, events in self.selector.select(timeout):
                if key.fd == self.serial.master and events & selectors.EVENT_WRITE:
                    self.send_host()
                if key.fd in self.selector.get_map() and events & selectors.EVENT_READ:
                    key.data()
            now = time.monotonic()
            for release in [r for r in self.releases if r[0] <= now]:
                self.releases.remove(release)
                self.drive(release[1], FLOATING)
            if self.header_due and now >= self.header_due:
                self.write_header()
            if self.watchdog_due and now >= self.watchdog_due:
                self.watchdog_due = None
                if self.timers:  # a timer feeds it, which the Unix port cannot run at its prompt
                    self.watchdog_due = now + self.watchdog_s
                elif self.process.poll() is None:
                    self.end(WATCHDOG)
            self.send_host()
            self.board_speaks()
            if self.process.poll() is not None:
                self.ended()
            else:
                self.feed_board()

    def stop(self):
        """Power off; nothing that was started is left."""
        if self.process and self.process.poll() is None:
            self.end("stop")
            self.process.wait()
        for helper in self.helpers:
            helper.kill()
            helper.wait()
        if hasattr(self, "speaker"):
            self.write_header()
        if self.options.terminal and getattr(self, "terminal_mode", None):
            termios.tcsetattr(0, termios.TCSADRAIN, self.terminal_mode)
            print()
        if self.temporary:
            shutil.rmtree(self.temporary, ignore_errors=True)
            (self.state / CONTROL_FILE).unlink(missing_ok=True)
        if self.options.serial and os.path.islink(self.options.serial):
            if hasattr(self, "serial") and os.readlink(self.options.serial) == self.serial.path:
                os.unlink(self.options.serial)


# --- talking to a board that runs -----------------------------------------------------------------------------------


def _connect(state, timeout=10):
    try:
        about = json.loads((Path(state) / CONTROL_FILE).read_text())
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(timeout)
        client.connect(about["control"])
        return client
    except (OSError, ValueError, KeyError):
        raise BoardError("no board runs in %s" % state) from None


def _ask(state, order):
    with _connect(state) as client:
        client.sendall(order.encode() + b"\n")
        answer = client.makefile().readline()
    answer = json.loads(answer or "{}")
    if "error" in answer:
        raise BoardError(answer["error"])
    return answer


class VirtualBoard:
    """A board for a test or a program.

    VirtualBoard(state, address="127.0.0.10", mic="silence", speaker="none", heap="96wK", set={...}, ...).start()
    and stop(), or `with`. `serial` is the path of the serial line. Pins are "relay", "light", "button.0", "pin7";
    levels are the electrical ones, 0 and 1. Waiting is for events, up to a time-out in seconds (TimeoutError).
    """

    def __init__(self, state, address="127.0.0.10", mic="silence", speaker="none", heap="96wK", serial=None,
                 micropython=None, set=None, mic_loop=False, mic_level_db=0, wrap=None, dns=None, echo=None, extra=()):
        # wrap: a command the interpreter runs under, like "valgrind ..."; extra: more words for the command line
        self.state, self.address = Path(state), address
        self.command = [sys.executable, str(Path(__file__).resolve()), "--state", str(state), "--address", address,
                        "--mic", str(mic), "--speaker", str(speaker), "--heap", heap or "", "--mic-level-db",
                        str(mic_level_db)]
        for flag, value in (("--serial", serial), ("--micropython", micropython), ("--wrap", wrap), ("--dns", dns),
                            ("--echo", echo)):
            if value:
                self.command += ["%s=%s" % (flag, value)] if flag == "--echo" else [flag, str(value)]
        if mic_loop:
            self.command.append("--mic-loop")
        for key, value in (set or {}).items():
            self.command += ["--set", "%s=%s" % (key, value)]
        self.command += extra
        self.events = []  # all that happened, as dicts with "event" and "at" (time.monotonic())
        self.levels = {}
        self.process = None
        self._fd = None
        self._unread = b""
        self._watch = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *error):
        self.stop(quiet=error[0] is not None)

    def begin(self):
        """Only switch it on; `start()` then waits until it runs. For many at once."""
        self._errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.command + ["--with-parent"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self._errors, text=True)

    def terminate(self):
        """Only switch it off; `stop()` then waits until all has ended. For many at once."""
        if self.process:
            self.process.terminate()

    def start(self, timeout=60):
        """Switch it on and wait until its interpreter begins boot.py and main.py. BoardError in words."""
        if self.process is None:
            self.begin()
        with selectors.DefaultSelector() as s:
            s.register(self.process.stdout, selectors.EVENT_READ)
            line = self.process.stdout.readline() if s.select(timeout) else ""
        if not line:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process.stdin.close()
            self.process = None
            raise BoardError("the board did not start: " + self.errors())
        self.about = json.loads(line)
        self.serial = self.about["serial"]
        self._watch = _connect(self.state)
        self._watch.sendall(b"watch\n")
        self._pending = b""
        self._next(timeout, lambda e: e["event"] == "watching")
        return self

    def errors(self):
        """What the runner said on stderr."""
        self._errors.seek(0)
        return self._errors.read().strip()

    def stop(self, quiet=False):
        """Power off. Raises BoardError when the interpreter had crashed meanwhile, unless quiet."""
        if self.process is None:
            return
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stdin.close()
        self.process = None
        if self._watch:  # else it has never run
            try:
                self._drain()
            except OSError:
                pass
            self._watch.close()
        crashed = [e for e in self.events if e["event"] == "crash"]
        if crashed and not quiet:
            raise BoardError("the interpreter crashed: %s" % crashed)

    # Pins and events.

    def ask(self, order):
        """One order as on the command line; -> its answer, a dict whose "at" is time.monotonic()."""
        return _ask(self.state, order)

    def press(self, n=0, ms=100):
        """Press button n for so long; -> time.monotonic() of the press."""
        return self.ask("press %s %d" % (n, ms))["at"]

    def hold(self, n=0):
        return self.ask("hold %s" % n)["at"]

    def release(self, n=0):
        return self.ask("release %s" % n)["at"]

    def network(self, up):
        """Plug the network cable, or the access point, in or out."""
        return self.ask("network %s" % ("up" if up else "down"))["at"]

    def reset(self):
        """Press the reset button."""
        return self.ask("reset")["at"]

    def pin(self, name):
        """Level of a pin now: 0, 1, or None before the firmware has set it up."""
        return self.ask("pins")["pins"].get(name)

    def pid(self):
        """Process id of the interpreter, which changes at every reset."""
        return self.ask("pins")["pid"]

    def wait_pin(self, name, level, timeout=10):
        """Wait until the pin has this level; -> time.monotonic() of when it took it."""
        self._drain()
        if self.levels.get(name) == level:
            return next((e["at"] for e in reversed(self.events) if e.get("pin") == name), None)
        return self._next(timeout, lambda e: e.get("pin") == name and e["level"] == level,
                          "%s to be %d, it is %s" % (name, level, self.levels.get(name)))["at"]

    def wait_event(self, kind, timeout=10, **what):
        """Wait for the next event of this kind ("boot", "reset", "crash", "pin") with these values; -> the event."""
        return self._next(timeout, lambda e: e["event"] == kind and all(e.get(k) == what[k] for k in what),
                          "%s %s" % (kind, what))

    def _take(self, timeout):
        self._watch.settimeout(max(0.0, timeout))
        try:
            data = self._watch.recv(65536)
        except (BlockingIOError, TimeoutError):
            return False
        if not data:
            raise BoardError("the board has stopped: " + self.errors())
        self._pending += data
        return True

    def _parse(self):
        line, newline, rest = self._pending.partition(b"\n")
        if not newline:
            return None
        self._pending = rest
        event = json.loads(line)
        self.events.append(event)
        if event["event"] == "pin":
            self.levels[event["pin"]] = event["level"]
        elif "pins" in event:
            self.levels.update(event["pins"])
        return event

    def _drain(self):
        try:
            while self._take(0):
                pass
        except BoardError:
            pass
        while self._parse():
            pass

    def _next(self, timeout, wanted, words=""):
        until = time.monotonic() + timeout
        while True:
            event = self._parse()
            if event:
                if wanted(event):
                    return event
                continue
            left = until - time.monotonic()
            if left <= 0 or not self._take(left):
                raise TimeoutError("waited %g s for %s; on the serial line: %r" % (timeout, words, self.read_serial(0)))

    # The serial line.

    def fd(self):
        """The open serial line, for reading and writing by the test itself."""
        if self._fd is None:
            self._fd = os.open(self.serial, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        return self._fd

    def close_serial(self):
        """Leave the serial line to others, like mpremote."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def write_serial(self, data):
        data = memoryview(data)
        with selectors.DefaultSelector() as s:
            s.register(self.fd(), selectors.EVENT_WRITE)
            while data:
                s.select(10)
                data = data[os.write(self.fd(), data) :]

    def read_serial(self, timeout=0.0):
        """What has come in; waits for the first byte at most so long."""
        out, self._unread = self._unread, b""
        with selectors.DefaultSelector() as s:
            s.register(self.fd(), selectors.EVENT_READ)
            while s.select(0 if out else timeout):
                out += os.read(self.fd(), 65536)
        return out

    def expect(self, *wanted, timeout=10):
        """Read the serial line up to the first of these bytes; -> all up to there. What follows stays to be read."""
        until, out = time.monotonic() + timeout, b""
        while True:
            out += self.read_serial(max(0.0, until - time.monotonic()))
            ends = [out.index(w) + len(w) for w in wanted if w in out]
            if ends:
                self._unread = out[min(ends) :]
                return out[: min(ends)]
            if time.monotonic() >= until:
                raise TimeoutError("waited %g s for %r; got %r" % (timeout, wanted, out))

    def repl(self, line, timeout=10, prompts=(b">>> ", b"--> ", b"door>>> ")):
        """Type a line at the prompt; -> what was printed, as text, without echo and prompt."""
        self.read_serial(0)
        self.write_serial(line.encode() + b"\r")
        out = self.expect(*(b"\n" + p for p in prompts), timeout=timeout).decode(errors="replace")
        out = out.replace("\r\n", "\n")
        out = out[out.find("\n") + 1 :]  # the echo
        return out[: out.rfind("\n") + 1].strip("\n")


def main():
    parser = argparse.ArgumentParser(
        description="A sipdoor board on this computer.", formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Talking to a board that runs: --state DIR press 0 [ms] | hold 0 | release 0 | pins | watch | "
        "network down|up | reset | stop\n"
        "Pipes (mkfifo) carry raw samples at RATE_HZ, mono, little-endian: 32 bits in, 16 bits out.")
    parser.add_argument("--state", required=True, help="folder that is the board's flash; made if missing")
    parser.add_argument("--address", default="127.0.0.10", help="IPv4 address of the board (127.0.0.10)")
    parser.add_argument("--dns", default="", help="name server that the network names, address or address:port (none)")
    parser.add_argument("--mic", default="silence", help="WAV file, silence, chime, a pipe, or card")
    parser.add_argument("--mic-loop", action="store_true", help="play the WAV file again and again")
    parser.add_argument("--mic-level-db", type=float, default=0.0, help="level of the WAV file at the microphone (0)")
    parser.add_argument("--speaker", default="none", help="WAV file to write, none, a pipe, or card")
    parser.add_argument("--echo", metavar="DELAY_MS,GAIN_DB", help="the microphone hears the speaker so much later and softer")
    parser.add_argument("--serial", help="link to make to the serial line")
    parser.add_argument("--heap", default="96wK", help="Python heap, as in -X heapsize= (96wK)")
    parser.add_argument("--micropython", help="a Unix port of one's own")
    parser.add_argument("--arch", help="which build/ to run (the interpreter's)")
    parser.add_argument("--wrap", type=str.split, default=[], help="command to run the interpreter under, like valgrind")
    parser.add_argument("--set", action="append", help="key=value for config.json, before the start")
    parser.add_argument("--terminal", action="store_true", help="this terminal is the serial line; Ctrl-] ends")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    parser.add_argument("order", nargs="*", help="for a board that runs already")
    options = parser.parse_args()
    try:
        if options.order:
            return order(options)
        runner = Runner(options)
        try:
            runner.run()
        finally:
            runner.stop()
    except BoardError as e:
        sys.exit("virtual_board: %s" % e)


def order(options):
    words = " ".join(options.order)
    if options.order[0] == "watch":
        with _connect(options.state) as client:
            client.settimeout(None)
            client.sendall(b"watch\n")
            try:
                for line in client.makefile():
                    event = json.loads(line)
                    print(" ".join("%s=%s" % (k, v) for k, v in event.items() if k != "at"), flush=True)
            except KeyboardInterrupt:
                pass
        return
    answer = _ask(options.state, words)
    for name, level in answer.get("pins", {}).items():
        print(name, "-" if level is None else level)


if __name__ == "__main__":
    main()
