"""Whatever comes as RTCP: what is believed of it is what a plain reading of RFC 3550 finds, and viper and plain agree."""

import json
import struct
import subprocess
from array import array

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media import rtcp
from tools import build

calm = settings(max_examples=600, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

OURS, THEIRS = 0xFEDCBA98, 0xDEADBEEF
PACKET = b"\x80\x00\x12\x34\xf1\x02\x03\x04" + struct.pack("!I", OURS)
LSR, LOSS, LOST, JITTER, GONE, HEARD, BAD, TOLD, TRIP, TRIP_MS = (22, 23, 25), 29, 30, 31, 32, 33, 34, 26, 27, 28

ssrcs = st.sampled_from([OURS, THEIRS, 0, 0xDEAD0000, OURS ^ 1])
words = st.one_of(st.integers(0, 0xFFFFFFFF), st.sampled_from([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x12345678]))


@st.composite
def one(draw):
    """One packet of a compound, mostly as it should be."""
    kind = draw(st.sampled_from([200, 201, 201, 202, 203, 203, 204, 205, 207, 199, 0]))
    count = draw(st.sampled_from([0, 1, 1, 1, 2, 2, 3, 3, 3, 31]))
    blocks = b"".join(struct.pack("!I", draw(ssrcs)) + b"".join(struct.pack("!I", draw(words)) for _ in range(5))
                      for _ in range(min(count, 3)))
    body = {200: struct.pack("!IIIIII", draw(ssrcs), draw(words), draw(words), 0, 0, 0) + blocks,
            201: struct.pack("!I", draw(ssrcs)) + blocks,
            203: b"".join(struct.pack("!I", draw(ssrcs)) for _ in range(min(count, 3)))}.get(kind)
    if body is None:
        body = draw(st.binary(max_size=12))
        body += bytes(-len(body) % 4)
    body += draw(st.sampled_from([b"", b"", b"", bytes(4)]))  # a profile's own, or a reason
    padding = draw(st.sampled_from([b""] * 12 + [b"\0\0\0\4", b"\0\0\0\4", b"\0\0\0\3", bytes(7) + b"\x08", b"\0\0\0\xfc"]))
    first = 0x80 | count | (0x20 if padding else 0)
    length = (len(body) + len(padding)) // 4 + draw(st.sampled_from([0] * 30 + [1, -1, 200]))
    return struct.pack("!BBH", first, kind, max(length, 0)) + body + padding


@st.composite
def compound(draw):
    parts = draw(st.lists(one(), max_size=3))
    if draw(st.integers(0, 3)):
        parts.insert(0, struct.pack("!BBHI", 0x80, 201, 1, THEIRS))
    data = bytearray(b"".join(parts) + draw(st.sampled_from([b"\0", b"\x80\xc9", b"\x80\xc9\0\1"])) if draw(st.integers(0, 3)) == 0 else b"".join(parts))
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 0, 1, 3]))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[:500])


def plainly(data):
    """RFC 3550 A.2 and 6.4 to 6.6 once more, in other words -> None, or what it says."""
    found = {"told": None, "gone": False, "lsr": None}
    at = 0
    while at == 0 or at < len(data):
        head = data[at:at + 4]
        if len(head) < 4 or head[0] >> 6 != 2:
            return None
        kind, count, padded = head[1], head[0] & 31, head[0] & 32
        whole = data[at:at + 4 + 4 * struct.unpack("!H", head[2:])[0]]
        if len(whole) != 4 + 4 * struct.unpack("!H", head[2:])[0]:
            return None
        if at == 0 and (padded or kind not in (200, 201)):
            return None
        at += len(whole)
        body = whole[4:]
        least = {200: 24 + 24 * count, 201: 4 + 24 * count, 203: 4 * count, 204: 8}.get(kind, 0)
        if padded:
            if not body or body[-1] == 0 or body[-1] % 4 or body[-1] > len(body):
                return None
            body = body[:-body[-1]]
        if len(body) < least:
            return None
        if kind == 203 and THEIRS in struct.unpack("!%dI" % count, body[:4 * count]):
            found["gone"] = True
        if kind == 200 and body[:4] == struct.pack("!I", THEIRS):
            found["lsr"] = struct.unpack("!I", body[6:10])[0]
        if kind in (200, 201):
            for i in range(count):
                block = body[least - 24 * (count - i):][:24]
                ssrc, loss, _, jitter, _, _ = struct.unpack("!IIIIII", block)
                if ssrc == OURS:
                    lost = loss & 0xFFFFFF
                    found["told"] = loss >> 24, lost - (lost >> 23 << 24), jitter & 0x3FFFFFFF
    return found


def state():
    made = array("i", bytes(4 * 50))
    made[11], made[12], made[13] = 1, THEIRS >> 16, THEIRS & 0xFFFF
    made[0], made[37] = 40000, 0x12345678
    return made


@calm
@given(compound())
def test_what_is_believed_is_what_is_there(data):
    known = state()
    wanted = plainly(data)
    assert rtcp.read(data, 0, len(data), PACKET, known) == (wanted is not None)
    assert (known[HEARD], known[BAD]) == ((0, 1) if wanted is None else (1, 0))
    told = (known[LOSS], known[LOST], known[JITTER]) if known[TOLD] else None
    assert told == (wanted and wanted["told"])
    assert bool(known[GONE]) == bool(wanted and wanted["gone"])
    high, low, there = (known[i] for i in LSR)
    assert (high << 16 | low if there else None) == (wanted and wanted["lsr"])
    assert 0 <= known[TRIP_MS] < 30000


def test_viper_reads_the_same(tmp_path):
    if build.host_arch() == "bytecode":
        pytest.skip("this MicroPython has no native emitter to compare with")
    asked, answers = [], []

    @settings(calm, max_examples=300)
    @given(compound())
    def collect(data):
        known = state()
        got = rtcp.read(b"??" + data, 2, 2 + len(data), PACKET, known)
        asked.append(list(data))
        answers.append([got, list(known)])

    collect()
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    (tmp_path / "ask.py").write_text('''
import json, sys
sys.path[:] = [sys.argv[1], ".frozen"]
from array import array
from media import rtcp
packet = bytes(%r)
out = []
for data in json.load(open("asked.json")):
    known = array("i", bytes(4 * 50))
    known[11], known[12], known[13], known[0], known[37] = 1, 0xDEAD, 0xBEEF, 40000, 0x12345678
    got = rtcp.read(b"??" + bytes(data), 2, 2 + len(data), packet, known)
    out.append([got, list(known)])
print(json.dumps(out))
''' % list(PACKET))
    done = subprocess.run([build.interpreter(), "-X", "heapsize=32M", "ask.py", str(build.BUILD / build.host_arch())],
                          cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)
    assert len(theirs) == len(answers) > 200
    for data, ours, viper in zip(asked, answers, theirs):
        assert ours == viper, bytes(data)


def test_most_of_what_is_tried_is_read():
    """A fuzzer whose inputs are all refused at once would prove nothing."""
    good = []

    @settings(calm, max_examples=300)
    @given(compound())
    def count(data):
        good.append(plainly(data) is not None)

    count()
    assert 0.15 < sum(good) / len(good) < 0.9
