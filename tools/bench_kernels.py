#!/usr/bin/env python3
"""What each kernel of sound costs for 20 ms: microseconds, instructions, and beside C where CPython ships the like.

`figures()` measures; run as a program it prints them as one JSON object (bench_kernels.py [NAME ...]). The same file is the
measured program when MicroPython runs it: bench_kernels.py BUILT us | count NAME N

An entry of KERNELS makes what a frame needs and gives back the step that is measured, which gets the number of the frame.
What this firmware has not is left out.
"""

import sys
from array import array

_FEW, _MANY = 50, 150  # counted: the difference is free of what starting costs
_ROUNDS = 8  # timed: the best of so many

_FRAME = 160


def speech_like(n):
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


def _voiced(n, period=57):
    """n samples in offset binary of something with a pitch, 57 samples of 8 kHz long."""
    noise = speech_like(period)
    return array("H", [32768 + noise[i % period] // (1 + i % period // 8) for i in range(n)])


def _offset(n):
    """speech_like() in offset binary."""
    return array("H", [x + 32768 for x in speech_like(n)])


# -- The kernels, on MicroPython


def _encode_ulaw(payload_type=0):
    from media import tables

    samples, codes = speech_like(_FRAME), bytearray(_FRAME)
    table, encode = tables.encoding_table(payload_type), tables.encoder(payload_type)
    return lambda i: encode(samples, codes, table, _FRAME)


def _decode_ulaw(payload_type=0):
    from media import g711, tables

    codes, words = bytearray(range(_FRAME)), array("H", bytes(2 * _FRAME))
    table, decode = tables.decoding_table(payload_type), g711.decode
    return lambda i: decode(codes, 0, words, 0, table, _FRAME)


def _encode_alaw():
    return _encode_ulaw(8)


def _decode_alaw():
    return _decode_ulaw(8)


def _decimate():
    from media.resample import decimate

    words, samples = _offset(2 * _FRAME + 46), array("H", bytes(2 * _FRAME))
    return lambda i: decimate(words, samples, _FRAME)


def _interpolate():
    from media.resample import interpolate

    words, samples = _offset(_FRAME + 23), array("H", bytes(4 * _FRAME))
    return lambda i: interpolate(words, samples, 0, _FRAME)


def _condition():
    from media import levels
    from media.gain import condition

    n = 2 * _FRAME
    raw, samples = array("i", [x << 12 for x in speech_like(n)]), array("H", bytes(2 * n))
    state = array("i", [1 << 28] + [0] * 31)
    state[1:3] = array("i", levels.microphone_gain(6)[:2])
    return lambda i: condition(raw, samples, 0, n, state)


def _volume():
    from media.gain import volume

    samples = _offset(_FRAME)
    return lambda i: volume(samples, 0, _FRAME, 4095)


def _level():
    from media.level import frame, start

    samples, state = speech_like(_FRAME), array("i", bytes(100))
    state[0], state[3] = 4096, 1
    start(state)
    return lambda i: frame(samples, _FRAME, state)


def _playout(lost):
    """A playout buffer that gets a packet a frame, of which each `lost`th does not come."""
    from media import g711, tables
    from media.playout import Playout

    playout = Playout()
    playout.set_codec(g711.decode, tables.decoding_table(0))
    samples = array("H", bytes(2 * _FRAME))
    encoded = bytearray(1600)
    tables.encoder(0)(array("h", [x - 32768 for x in _voiced(1600)]), encoded, tables.encoding_table(0), 1600)
    fields = array("i", [0, 0, 0, 0, 0, 0, 0, _FRAME])  # as rtp.parse has them: sequence, timestamp, ..., where the payload is

    def step(i):
        if not lost or i % lost or i < 10:
            fields[2] = i
            fields[3] = i * _FRAME
            fields[6] = i % 10 * _FRAME
            playout.put(encoded, fields)
        playout.frame(samples, 0)

    return step


def _playout_plain():
    return _playout(0)


def _playout_lossy():
    return _playout(3)


def _gate():
    from media.gate import Gate

    return _echo(Gate())


def _canceller():
    from media.echo import Canceller

    return _echo(Canceller())


def _echo(what):
    """The loudspeaker's sound, louder and softer by turns, comes back at half its level 80 ms later. Two seconds are heard
    before it is measured."""
    from media.resample import copy

    far = _offset(100 * _FRAME)
    for i in range(len(far)):
        if i // 1600 & 1:
            far[i] = 32768 + (far[i] - 32768) // 16
    echo = array("h", [(far[i - 4 * _FRAME] - 32768) // 2 for i in range(len(far))])
    near = array("h", bytes(2 * _FRAME))

    def step(i):
        at = i % 100 * _FRAME
        what.far(far, at, _FRAME)
        copy(near, 0, echo, at, _FRAME)
        what.near(near, _FRAME, 640)

    for i in range(100):
        step(i)
    return step


def _inband():
    from media import inband, q23

    samples, detector = _voiced(_FRAME), q23.detector()
    return lambda i: inband.hear(samples, 0, _FRAME, detector)


def _secured(other):
    from media import keying

    ours, theirs = bytes(range(30)), bytes(range(100, 130))
    return keying.secured(None, (10, theirs, ours) if other else (10, ours, theirs), 172)


def _packet(i):
    return bytearray(b"\x80\x00" + bytes((i >> 8, i & 255)) + bytes(4) + b"\x12\x34\x56\x78" + bytes(_FRAME))


def _protect():
    secure = _secured(False)
    packets = [_packet(i) for i in range(_MANY)]
    return lambda i: secure.protect(packets[i])


def _unprotect():
    secure, other = _secured(True), _secured(False)
    packets = [bytearray(bytes(other.protect(_packet(i)))) for i in range(_MANY)]
    if secure.unprotect(bytearray(packets[0]), 0, len(packets[0])) != 172:
        raise RuntimeError("what is protected is not authentic")
    secure = _secured(True)
    return lambda i: secure.unprotect(packets[i], 0, len(packets[i]))


def _nothing():
    return lambda i: None


# name: (what makes the step, the like of it in CPython's audioop)
KERNELS = {
    "g711_encode": (_encode_ulaw, "lin2ulaw"),
    "g711_encode_alaw": (_encode_alaw, "lin2alaw"),
    "g711_decode": (_decode_ulaw, "ulaw2lin"),
    "g711_decode_alaw": (_decode_alaw, "alaw2lin"),
    "resample_decimate": (_decimate, "ratecv 16 to 8"),
    "resample_interpolate": (_interpolate, "ratecv 8 to 16"),
    "gain_condition": (_condition, "lin2lin and mul"),
    "gain_volume": (_volume, "mul"),
    "level": (_level, None),
    "conceal_nothing": (_playout_plain, None),  # a whole step of the playout buffer, nothing lost; and every third packet
    "conceal_loss": (_playout_lossy, None),
    "echo_gate": (_gate, None),
    "echo_canceller": (_canceller, None),
    "dtmf_inband": (_inband, None),
    "srtp_protect": (_protect, None),
    "srtp_unprotect": (_unprotect, None),
}


def _run(make, n):
    """n frames; -> microseconds each."""
    import gc
    import time

    step = make()
    gc.collect()
    gc.disable()
    t = time.ticks_us()
    for i in range(n):
        step(i)
    t = time.ticks_diff(time.ticks_us(), t)
    gc.enable()
    return t / n


def _measured(argv):
    sys.path[:] = [argv[0], ".frozen"]
    if argv[1] == "count":
        _run(KERNELS[argv[2]][0] if argv[2] in KERNELS else _nothing, int(argv[3]))
        return
    call = min(_run(_nothing, _MANY) for _ in range(_ROUNDS))
    for name in KERNELS:
        try:
            print(name, min(_run(KERNELS[name][0], _MANY) for _ in range(_ROUNDS)) - call)
        except (ImportError, AttributeError) as e:
            print(name, "-", e)


# -- On CPython


def _port():
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tools import unix_port

    return unix_port


def _us():
    """-> {name: microseconds a frame} of the kernels that are there."""
    found = {}
    for line in _port().run(__file__, "us").stdout.splitlines():
        name, us, *why = line.split()
        if us == "-":
            if why[:3] != ["no", "module", "named"]:
                raise RuntimeError("%s can not be measured: %s" % (name, " ".join(why)))
            continue
        found[name] = float(us)
    return found


def _instructions(name):
    few, many = (_port().instructions(__file__, "count", name, str(n)) for n in (_FEW, _MANY))
    return (many - few) // (_MANY - _FEW)


def _audioop_us():
    """-> {words of KERNELS: microseconds a frame in C}."""
    import warnings
    from timeit import repeat

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop  # CPython's own until 3.12, then PyPI's audioop-lts

    frame, wide = speech_like(_FRAME).tobytes(), speech_like(2 * _FRAME).tobytes()
    raw = array("i", [x << 12 for x in speech_like(2 * _FRAME)]).tobytes()
    codes = bytes(range(_FRAME))
    ways = {
        "lin2ulaw": lambda: audioop.lin2ulaw(frame, 2),
        "lin2alaw": lambda: audioop.lin2alaw(frame, 2),
        "ulaw2lin": lambda: audioop.ulaw2lin(codes, 2),
        "alaw2lin": lambda: audioop.alaw2lin(codes, 2),
        "ratecv 16 to 8": lambda: audioop.ratecv(wide, 2, 1, 16000, 8000, None),
        "ratecv 8 to 16": lambda: audioop.ratecv(frame, 2, 1, 8000, 16000, None),
        "lin2lin and mul": lambda: audioop.mul(audioop.lin2lin(raw, 4, 2), 2, 2.0),
        "mul": lambda: audioop.mul(frame, 2, 0.9),
    }
    return {words: min(repeat(way, number=500, repeat=10)) / 500 * 1e6 for words, way in ways.items()}


def figures(names=()):
    """-> dict of figures; microseconds are of this computer, instructions repeat anywhere."""
    import concurrent.futures
    import shutil

    # Turn and turn about, and each at its best: other programs run here too.
    ours, theirs = {}, {}
    for _ in range(3):
        for best, new in ((theirs, _audioop_us()), (ours, _us())):
            best.update({name: min(us, best.get(name, us)) for name, us in new.items()})
    found = {}
    for name, us in ours.items():
        like = KERNELS[name][1]
        if names and name not in names:
            continue
        found[name + "_us"] = round(us, 3)
        if like:
            found[name + "_ratio_audioop"] = round(theirs[like] / us, 2)
    if shutil.which("valgrind"):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            wanted = [name for name in ours if not names or name in names]
            call, *counts = pool.map(_instructions, ["nothing"] + wanted)
            found.update({name + "_instructions": count - call for name, count in zip(wanted, counts)})
    return found


if __name__ == "__main__":
    if sys.implementation.name == "micropython":
        _measured(sys.argv[1:])
    else:
        import json

        print(json.dumps(figures(sys.argv[1:]), indent=1))
