#!/usr/bin/env python3
"""What G.722 costs on the Unix port beside libg722 in C, and a whole tick of a call with it.

    bench_g722.py    prints the figures of speech as JSON: microseconds and callgrind's instructions for 20 ms, bytes of heap
"""

import gc
import sys
from array import array

_FEW, _MANY = 20, 60  # callgrind counts both and the difference is what the frames between cost


# -- On the Unix port


def _frames(folder, what, n):
    """So many frames of `what`, encode or decode, of what is in the folder."""
    from media import g722, wideband

    state, codes, words, samples = wideband.state(), bytearray(160), array("H", bytes(640)), array("h", bytes(640))
    with open(folder + ("/samples" if what == "encode" else "/codes"), "rb") as source:
        if what == "encode":
            for _ in range(n):
                source.readinto(samples)
                g722.encode(samples, codes, state, 160)
        else:
            for _ in range(n):
                source.readinto(codes)
                g722.decode(codes, 0, words, 0, state, 160)


def _timed(folder):
    """Prints the least microseconds of a frame, encoded and decoded."""
    from time import ticks_diff, ticks_us

    from media import g722, wideband

    state, codes, words, samples = wideband.state(), bytearray(160), array("H", bytes(640)), array("h", bytes(640))
    encode_us = decode_us = 1000000
    with open(folder + "/samples", "rb") as source:
        while source.readinto(samples) == 640:
            t = ticks_us()
            g722.encode(samples, codes, state, 160)
            encode_us = min(encode_us, ticks_diff(ticks_us(), t))
            t = ticks_us()
            g722.decode(codes, 0, words, 0, state, 160)
            decode_us = min(decode_us, ticks_diff(ticks_us(), t))
    print(encode_us, decode_us)


def _heap():
    """Prints how much more heap a call with G.722 takes than one with PCMU: the first time, and after calls of both kinds."""
    import bench_media

    stream = bench_media._call()[0]

    def used(payload_type):
        stream.send_to("127.0.62.2", 26000, payload_type, 101)
        gc.collect()
        return gc.mem_alloc()

    narrow = used(0)
    wide = used(9)
    print(wide - narrow, -used(0) + used(9))


def _ticks(n):
    """So many ticks of a call between two streams."""
    import bench_media

    a, b = bench_media._call()
    for stream in (a, b):
        stream.send_to(*stream._peer, 9, 101)
    bench_media._ticks(a, b, n, 0)


def _measured(argv):
    sys.path[:] = [argv[0], sys.path[0], ".frozen"]
    if argv[1] == "timed":
        _timed(argv[2])
    elif argv[1] == "heap":
        _heap()
    elif argv[1] == "ticks":
        _ticks(int(argv[2]))
    else:
        _frames(argv[2], argv[1], int(argv[3]))


# -- On CPython


def _c_us(samples, codes):
    """libg722's own: microseconds of a frame each way, at its best."""
    from timeit import repeat

    from G722 import G722

    codec = G722(16000, 64000)
    frames = [samples[at : at + 320] for at in range(0, 6400, 320)]
    coded = [codes[at : at + 160] for at in range(0, 3200, 160)]
    return (min(repeat(lambda: [codec.encode(frame) for frame in frames], number=1, repeat=60)) / 20 * 1e6,
            min(repeat(lambda: [codec.decode(frame) for frame in coded], number=1, repeat=60)) / 20 * 1e6)  # fmt: skip


def figures():
    """-> dict of figures; microseconds are of this computer, instructions and bytes repeat anywhere."""
    import shutil
    import tempfile
    from pathlib import Path

    root = Path(__file__).resolve().parent.parent
    sys.path.insert(0, str(root))
    import soundfile
    from G722 import G722

    from host_tests.rig import speech
    from tools import unix_port

    samples, _ = soundfile.read(speech.wav("visitor", 16000), dtype="int16")
    samples = samples[16000 : 16000 + 64000]
    codes = bytes(G722(16000, 64000).encode(samples))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "samples").write_bytes(samples.astype("<i2").tobytes())
        (Path(folder) / "codes").write_bytes(codes)

        def numbers(*arguments):
            return [float(word) for word in unix_port.run(__file__, *arguments).stdout.split()]

        def instructions(*arguments):
            few, many = (unix_port.instructions(__file__, *arguments, str(n)) for n in (_FEW, _MANY))
            return (many - few) // (_MANY - _FEW)

        c_encode_us, c_decode_us = _c_us(samples, codes)
        encode_us, decode_us = numbers("timed", folder)
        heap, again = numbers("heap")
        found = {
            "g722_encode_us": encode_us,
            "g722_decode_us": decode_us,
            "g722_encode_ratio_c": round(c_encode_us / encode_us, 3),
            "g722_decode_ratio_c": round(c_decode_us / decode_us, 3),
            "g722_heap_bytes": int(heap),
            "g722_heap_again_bytes": int(again),
        }
        if shutil.which("valgrind"):
            found["g722_encode_instructions"] = instructions("encode", folder)
            found["g722_decode_instructions"] = instructions("decode", folder)
            found["g722_tick_instructions"] = instructions("ticks") // 2  # two streams
    return found


if __name__ == "__main__":
    if sys.implementation.name == "micropython":
        _measured(sys.argv[1:])
    else:
        import json

        print(json.dumps(figures(), indent=1))
