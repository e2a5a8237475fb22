"""A receiver without its sockets: micropython playout_script.py BUILT EVENTS OUT

EVENTS: of each packet in the order of their coming, 4 bytes when (units of 0.1 ms), 2 bytes its length, itself; one without a
length ends it. OUT: of each frame 4 bytes when, 4 bytes the timestamp that it begins with, and its 160 samples in offset
binary. Prints figures of the playout's state.
"""

import sys
from array import array

built, events, target = sys.argv[1:4]
sys.path[:] = [built, ".frozen"]

from media import g711, playout, rtp, tables  # noqa: E402

receiver = playout.Playout()
receiver.set_codec(g711.decode, tables.decoding_table(0))
fields = array("i", bytes(4 * 26))
samples = array("H", bytes(320))
state = receiver.state


def packets(f, until):
    """Those that come until then; -> when the next comes."""
    global when, n
    while when <= until and n:
        packet = f.read(n)
        if rtp.parse(packet, 0, n, fields) and rtp.news(fields) > 0:
            receiver.put(packet, fields)
        following(f)


def following(f):
    global when, n
    head = f.read(6)
    when = int.from_bytes(head[:4], "big")
    n = int.from_bytes(head[4:], "big")


due = 200
with open(events, "rb") as f, open(target, "wb") as out:
    following(f)
    while n or due <= when:
        packets(f, due - 50)
        receiver.soon()
        packets(f, due)
        receiver.frame(samples, 0)
        out.write(due.to_bytes(4, "little"))
        out.write(((state[2] - (state[4] >> state[1]) - state[15] - 160) & 0x3FFFFFFF).to_bytes(4, "little"))
        out.write(samples)
        due += 200 - 10 * receiver.sooner()
print(state[12], fields[9], state[25], state[38], state[39])
