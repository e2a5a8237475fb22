#!/usr/bin/env python3
"""What a playout's frame costs: MicroPython runs bench_playout.py BUILT KIND N, callgrind counts.

KIND: good (every packet is there), bridge (every second one is lost and the next is there), hold (none comes after a
second), noise (comfort noise); with "wide" after it at 16 kHz.
"""

import sys
from array import array


def _measured(built, kind, n):
    sys.path[:] = [built, ".frozen"]
    from media import g711, playout, rtp, tables

    table = tables.decoding_table(0)
    wide = kind.endswith("wide")
    calls = [0]

    def twice(codes, at, samples, to, table, n):
        g711.decode(codes, at, samples, to, table, n)
        g711.decode(codes, at, samples, to + n, table, n)

    receiver = playout.Playout()
    receiver.set_codec(twice if wide else g711.decode, table, 1 if wide else 0)
    fields = array("i", bytes(32))
    samples = array("H", bytes(640))
    packet = bytearray(172)
    packet[0] = 0x80
    x = 1
    for i in range(12, 172):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
        packet[i] = x >> 16 & 255

    def put(i):
        packet[2] = i >> 8
        packet[3] = i & 255
        packet[4:8] = (1000 + 160 * i).to_bytes(4, "big")
        rtp.parse(packet, 0, 172, fields)
        receiver.put(packet, fields)

    for i in range(20):
        if i > 3:
            put(i)
            put(i + 1)
        receiver.frame(samples, 0)
    state = receiver.state
    if kind.startswith("noise"):
        fields[3] = 1000 + 160 * 20
        fields[6] = 0
        fields[7] = 5
        receiver.noise(b"\x28\x60\xa0\x70\x90", fields)
    # What is measured begins here: the loop without and with the frame, see figures()
    for i in range(20, 20 + n):
        if kind.startswith("good"):
            put(i + 1)
        elif kind.startswith("bridge") and i % 2 == 0:
            put(i + 2)
        receiver.frame(samples, 0)
    print(state[25], state[12], state[38], state[39])


def instructions(kind):
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tools import unix_port

    few, many = (10, 110) if not kind.startswith("hold") else (1, 11)
    return (unix_port.instructions(__file__, kind, str(many)) - unix_port.instructions(__file__, kind, str(few))) // (many - few)


def figures():
    return {"playout_%s_instructions" % kind: instructions(kind) for kind in ("good", "bridge", "hold", "noise", "goodwide", "bridgewide")}


if __name__ == "__main__":
    if sys.implementation.name == "micropython":
        _measured(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        import json

        print(json.dumps(figures(), indent=2))
