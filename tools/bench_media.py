#!/usr/bin/env python3
"""What sound costs: a whole tick of a call, what it takes of the heap, and each kernel (bench_kernels.py).

`figures()` measures; run as a program it prints them as one JSON object. The same file is the measured program when
MicroPython runs it: bench_media.py BUILT g711 | heap | tick N [echo | srtp]
"""

import gc
import sys

_TICKS = 400  # timed
_FEW, _MANY = 50, 150  # counted: the difference is free of what starting costs


# -- On MicroPython


def _g711():
    """Prints microseconds for: encoding 160, encoding 1600."""
    import time
    from bench_kernels import speech_like
    from media import g711, tables

    samples = speech_like(1600)
    codes = bytearray(1600)
    table = tables.encoding_table(0)
    encode = g711.encode_ulaw

    def best(what):
        least = 1e9
        for _ in range(20):
            t = time.ticks_us()
            what()
            least = min(least, time.ticks_diff(time.ticks_us(), t))
        return least

    def frames():
        for _ in range(500):
            encode(samples, codes, table, 160)

    def blocks():
        for _ in range(50):
            encode(samples, codes, table, 1600)

    print(best(frames) / 500, best(blocks) / 50)


class _Audio:
    """As much I2S as needs no work of its own."""

    rate_hz = 16000

    def __init__(self):
        self.frames = self.lump = 0
        self.sound = None  # what the microphone hears, array("i"), again and again from `at` on; None: silence
        self.at = 0

    def start(self):
        pass

    stop = start

    def read(self, buf):
        if not self.lump:
            if self.frames < 256:
                return 0
            self.frames -= 256
            self.lump = 256
        n = min(self.lump, len(buf) // 4)
        self.lump -= n
        if self.sound:
            self.copy(buf, 0, self.sound, 2 * self.at, 2 * n)
            self.at = (self.at + n) % (len(self.sound) - 128)
        return n * 4

    def write(self, buf):
        return len(buf)


def _call(secret=False):
    import socket

    from media.stream import Stream

    def pack(host, port):
        return socket.getaddrinfo(host, port)[0][-1]

    a, b = Stream(_Audio(), pack, None), Stream(_Audio(), pack, None)
    there, here = a.open("127.0.62.1", 26000, 26998), b.open("127.0.62.2", 26000, 26998)
    a.send_to("127.0.62.2", here, 0, 101, more=_Secret(False) if secret else None)
    b.send_to("127.0.62.1", there, 0, 101, more=_Secret(True) if secret else None)
    return a, b


def _echoing(a, b):
    """What `a` says comes back to b's microphone 100 ms later, half as loud, and b takes it away."""
    from array import array

    from bench_kernels import speech_like
    from media import resample
    from media.echo import Canceller

    loud = speech_like(24000)
    sound = array("i", bytes(4 * (24000 + 128)))
    for i in range(len(sound)):
        sound[i] = loud[i % 24000] << (12 if i // 3200 & 1 else 16)
    a._audio.sound = sound
    b._audio.sound = array("i", [x >> 1 for x in sound])
    b._audio.at = 24000 - 1600
    a._audio.copy = b._audio.copy = resample.copy
    b._echo = Canceller()


class _Secret:
    """What SDP agreed on: keys, for one side and the other."""

    def __init__(self, other):
        ours, theirs = bytes(range(30)), bytes(range(100, 130))
        self.keys = (10, theirs, ours) if other else (10, ours, theirs)
        self.noise = -1
        self.rtcp = 0
        self.ptime_ms = 20


def _ticks(a, b, n, now):
    for _ in range(n):
        now += 20
        a._audio.frames += 320
        b._audio.frames += 320
        a.tick(now)
        b.tick(now)
    return now


def _tick(n, kind):
    """Prints microseconds a tick, bytes allocated in all, ticks and packets received."""
    import time

    a, b = _call(kind == "srtp")
    now = _ticks(a, b, 20, 0)
    if kind == "echo":
        _echoing(a, b)
        now = _ticks(a, b, 150, now)
    gc.collect()
    gc.disable()
    received = a.received
    allocated = gc.mem_alloc()
    t = time.ticks_us()
    _ticks(a, b, n, now)
    t = time.ticks_diff(time.ticks_us(), t)
    allocated = gc.mem_alloc() - allocated
    print(t / n / 2, allocated, n, a.received - received)


def _heap():
    """Prints bytes of heap: code, one stream."""
    import asyncio  # noqa: F401  (the door has it anyhow)

    gc.collect()
    before = gc.mem_alloc()
    from media.stream import Stream

    gc.collect()
    code = gc.mem_alloc() - before
    stream = Stream(_Audio(), None, None)
    gc.collect()
    print(code, gc.mem_alloc() - before - code)
    stream.close()


def _measured(argv):
    sys.path[:] = [argv[0], __file__.rpartition("/")[0], ".frozen"]
    if argv[1] == "g711":
        _g711()
    elif argv[1] == "heap":
        _heap()
    else:
        _tick(int(argv[2]), argv[3] if len(argv) > 3 else None)


# -- On CPython


def _numbers(*arguments):
    return [float(word) for word in _port().run(__file__, *arguments).stdout.split()]


def _port():
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tools import unix_port

    return unix_port


def _instructions(*kind):
    """What a tick of both sides of a call costs."""
    few, many = (_port().instructions(__file__, "tick", str(n), *kind) for n in (_FEW, _MANY))
    return (many - few) // (_MANY - _FEW)


def _ticks_figures(kind=()):
    """-> (least microseconds, most bytes allocated in all) of a tick."""
    runs = [_numbers("tick", str(_TICKS), *kind) for _ in range(3)]
    for _, _, ticks, received in runs:
        if received < ticks - 1:
            raise RuntimeError("only %d packets came in %d ticks: this is no measurement" % (received, ticks))
    return round(min(run[0] for run in runs), 1), int(max(run[1] for run in runs))


def _audioop_us(audioop):
    from timeit import repeat

    from tools.bench_kernels import speech_like

    samples = speech_like(1600).tobytes()
    frame = samples[:320]
    return (
        min(repeat(lambda: audioop.lin2ulaw(frame, 2), number=500, repeat=20)) / 500 * 1e6,
        min(repeat(lambda: audioop.lin2ulaw(samples, 2), number=50, repeat=20)) / 50 * 1e6,
    )


def figures():
    """-> dict of figures; microseconds are of this computer, instructions and bytes repeat anywhere."""
    import shutil
    import warnings

    _port()
    from tools import bench_32bit, bench_kernels

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop  # CPython's own until 3.12, then PyPI's audioop-lts

    # Turn and turn about, and each at its best: other programs run here too.
    frame_us = block_us = audioop_frame_us = audioop_block_us = 1e9
    for _ in range(3):
        theirs = _audioop_us(audioop)
        ours = _numbers("g711")
        audioop_frame_us, audioop_block_us = min(audioop_frame_us, theirs[0]), min(audioop_block_us, theirs[1])
        frame_us, block_us = min(frame_us, ours[0]), min(block_us, ours[1])
    tick_us, tick_bytes = _ticks_figures()
    code, stream = _numbers("heap")
    found = bench_kernels.figures()
    found.update({
        "g711_encode_ratio_audioop": round(audioop_frame_us / frame_us, 2),
        "g711_encode_block_ratio_audioop": round(audioop_block_us / block_us, 2),
        "g711_encode_us": round(frame_us, 3),
        "tick_us": tick_us,
        "tick_allocated_bytes": tick_bytes,
        "tick_echo_allocated_bytes": _ticks_figures(("echo",))[1],
        "tick_srtp_allocated_bytes": _ticks_figures(("srtp",))[1],
        "media_code_bytes": int(code),
        "media_stream_bytes": int(stream),
    })  # fmt: skip
    found.update(bench_32bit.figures())
    if shutil.which("valgrind"):
        found["tick_instructions"] = _instructions() // 2
        found["tick_echo_instructions"] = _instructions("echo") - found["tick_instructions"]  # one side has a canceller
        found["tick_srtp_instructions"] = _instructions("srtp") // 2
    return found


if __name__ == "__main__":
    if sys.implementation.name == "micropython":
        _measured(sys.argv[1:])
    else:
        import json

        print(json.dumps(figures(), indent=1))
