#!/usr/bin/env python3
"""What sound costs: G.711 beside CPython's audioop, and a whole tick of a call.

`figures()` measures; run as a program it prints them as one JSON object. The same file is the measured program when
MicroPython runs it: bench_media.py BUILT g711 | heap | tick N
"""

import gc
import sys

_TICKS = 400  # timed
_FEW, _MANY = 50, 150  # counted: the difference is free of what starting costs


def speech_like(array, n):
    """n 16-bit samples with the level and the many quiet ones of speech; the same every time."""
    x = 1
    samples = array("h", bytes(2 * n))
    for i in range(n):
        total = 0
        for _ in range(4):
            x = (x * 1103515245 + 12345) & 0x7FFFFFFF
            total += (x >> 12) % 2001 - 1000
        samples[i] = total * (i % 1600) // 800
    return samples


# -- On MicroPython


def _g711():
    """Prints microseconds for: encoding 160, encoding 1600, decoding 160."""
    import time
    from array import array

    from media import g711, tables

    samples = speech_like(array, 1600)
    codes = bytearray(1600)
    words = array("H", bytes(320))
    table = tables.encoding_table(0)
    sample = tables.decoding_table(0)
    encode, decode = g711.encode_ulaw, g711.decode

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

    def back():
        for _ in range(500):
            decode(codes, 0, words, 0, sample, 160)

    print(best(frames) / 500, best(blocks) / 50, best(back) / 500)


class _Audio:
    """As much I2S as needs no work of its own."""

    rate_hz = 16000

    def __init__(self):
        self.frames = self.lump = 0

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
        return n * 4

    def write(self, buf):
        return len(buf)


def _call():
    import socket

    from media.stream import Stream

    def pack(host, port):
        return socket.getaddrinfo(host, port)[0][-1]

    a, b = Stream(_Audio(), pack, None), Stream(_Audio(), pack, None)
    there, here = a.open("127.0.62.1", 26000, 26998), b.open("127.0.62.2", 26000, 26998)
    a.send_to("127.0.62.2", here, 0, 101)
    b.send_to("127.0.62.1", there, 0, 101)
    return a, b


def _ticks(a, b, n, now):
    for _ in range(n):
        now += 20
        a._audio.frames += 320
        b._audio.frames += 320
        a.tick(now)
        b.tick(now)
    return now


def _tick(n):
    """Prints microseconds a tick, bytes allocated in all, ticks and packets received."""
    import time

    a, b = _call()
    now = _ticks(a, b, 20, 0)
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
    sys.path[:] = [argv[0], ".frozen"]
    if argv[1] == "g711":
        _g711()
    elif argv[1] == "heap":
        _heap()
    else:
        _tick(int(argv[2]))


# -- On CPython


def _numbers(*arguments):
    return [float(word) for word in _port().run(__file__, *arguments).stdout.split()]


def _port():
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tools import unix_port

    return unix_port


def _instructions(ticks):
    """What a call of so many ticks costs."""
    return _port().instructions(__file__, "tick", str(ticks))


def _audioop_us(audioop, array):
    from timeit import repeat

    samples = speech_like(array, 1600).tobytes()
    frame = samples[:320]
    return (
        min(repeat(lambda: audioop.lin2ulaw(frame, 2), number=500, repeat=20)) / 500 * 1e6,
        min(repeat(lambda: audioop.lin2ulaw(samples, 2), number=50, repeat=20)) / 50 * 1e6,
    )


def figures():
    """-> dict of figures; microseconds are of this computer, instructions and bytes repeat anywhere."""
    import shutil
    import warnings
    from array import array

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop  # CPython's own until 3.12, then PyPI's audioop-lts

    # Turn and turn about, and each at its best: other programs run here too.
    frame_us = block_us = decode_us = audioop_frame_us = audioop_block_us = 1e9
    for _ in range(3):
        theirs = _audioop_us(audioop, array)
        ours = _numbers("g711")
        audioop_frame_us, audioop_block_us = min(audioop_frame_us, theirs[0]), min(audioop_block_us, theirs[1])
        frame_us, block_us, decode_us = min(frame_us, ours[0]), min(block_us, ours[1]), min(decode_us, ours[2])
    runs = [_numbers("tick", str(_TICKS)) for _ in range(3)]
    for _, _, ticks, received in runs:
        if received < ticks - 1:
            raise RuntimeError("only %d packets came in %d ticks: this is no measurement" % (received, ticks))
    code, stream = _numbers("heap")
    found = {
        "g711_encode_ratio_audioop": round(audioop_frame_us / frame_us, 2),
        "g711_encode_block_ratio_audioop": round(audioop_block_us / block_us, 2),
        "g711_encode_us": round(frame_us, 3),
        "g711_decode_us": round(decode_us, 3),
        "tick_us": round(min(run[0] for run in runs), 1),
        "tick_allocated_bytes": int(max(run[1] for run in runs)),
        "media_code_bytes": int(code),
        "media_stream_bytes": int(stream),
    }
    if shutil.which("valgrind"):
        found["tick_instructions"] = (_instructions(_MANY) - _instructions(_FEW)) // (2 * (_MANY - _FEW))
    return found


if __name__ == "__main__":
    if sys.implementation.name == "micropython":
        _measured(sys.argv[1:])
    else:
        import json

        print(json.dumps(figures(), indent=1))
