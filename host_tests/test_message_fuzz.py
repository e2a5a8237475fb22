"""Whatever arrives, the parser raises nothing but ParseError; what is built parses back; viper and plain agree."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sip import sdp
from sip.address import parse_name_addr, parse_uri, parse_via, quote
from sip.digest import parse_challenge
from sip.message import ParseError, compose, parse, response
from sip.scan import H_CONTACT, H_VIA
from tools import build

MESSAGES = [p.read_bytes() for p in sorted((Path(__file__).parent / "messages").glob("*.sip"))]
calm = settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

PIECES = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b'"', b"\\", b"<", b">", b";", b",", b":", b"=", b"[", b"]", b"%", b"@", b"?",
     b"\r\n ", b"\r\n\r\n", b"SIP/2.0", b"Via: ", b"tag=", b"Content-Length: 9999999999", b"\xff", b"v:", b"CSeq: 1 INVITE"]
)  # fmt: skip


@st.composite
def mangled(draw):
    data = bytearray(draw(st.sampled_from(MESSAGES)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        what = draw(st.integers(0, 3))
        if what == 0:
            data[at:at] = draw(PIECES)
        elif what == 1:
            del data[at : at + draw(st.integers(1, 40))]
        elif what == 2:
            data[at : at + 1] = bytes([draw(st.integers(0, 255))])
        else:
            data[at:at] = data[draw(st.integers(0, len(data))) :][:60]
    return bytes(data)


def read_all(data):
    """Everything that can be asked of a message, and whatever can be asked of the answer to it."""
    try:
        m = parse(data)
    except ParseError as e:
        return [e.code, e.reason]
    got = [m.method, m.uri, m.status, m.reason, tuple(m.via), m.cseq, m.cseq_method, m.call_id, m.from_display, m.from_uri, m.from_tag,
           m.to_display, m.to_uri, m.to_tag, m.contact_uri, m.max_forwards, m.content_length, m.body, m.branch, m.expires]  # fmt: skip
    for ask in (lambda: m.contact, lambda: m.from_, lambda: m.to, m.check):
        try:
            ask()
        except ParseError as e:
            got.append(e.reason)
            if e.message is not None:
                response(e.message, e.code, e.reason, b"t", source=("192.0.2.1", 5060))
    for header in range(52):
        m.all(header)
    try:
        m.each_via()
    except ValueError:
        pass
    return got


@calm
@given(st.one_of(mangled(), st.binary(max_size=300), st.lists(PIECES, max_size=40).map(b"".join)))
def test_nothing_but_parse_error(data):
    read_all(data)


@calm
@given(st.one_of(st.binary(max_size=80), st.lists(PIECES, max_size=20).map(b"".join)))
def test_parts_raise_nothing_but_value_error(data):
    for read in (parse_uri, parse_name_addr, parse_via, parse_challenge, sdp.parse):
        for prefix in (b"", b"sip:a@b", b"SIP/2.0/UDP h;", b"<sip:a@b>;", b"Digest realm=", b"v=0\r\nm=audio 4 RTP/AVP 0\r\n"):
            try:
                read(prefix + data)
            except ValueError:
                pass


@calm
@given(st.sampled_from(MESSAGES), st.data())
def test_mangled_sdp(message, data):
    body = bytearray(parse(message).body)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 6))] = data.draw(st.one_of(PIECES, st.binary(max_size=4)))
    try:
        session = sdp.parse(bytes(body))
    except sdp.SdpError:
        return
    answer, agreed = sdp.answer(session, "192.0.2.1", 4000, 1, 1)
    if agreed:
        lines = [one for one in sdp.parse(answer).media]
        assert len(lines) == len(session.media) and lines[agreed.index].port == 4000
    sdp.accept(session, sdp.offer("192.0.2.1", 4000, 1, 1))


token = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=12).map(str.encode)
display = st.binary(max_size=20).map(lambda b: bytes(c for c in b if c >= 32))


@calm
@given(token, display, token, token, st.integers(0, 2**31 - 1), st.lists(token, min_size=1, max_size=4), st.binary(max_size=60))
def test_what_is_built_parses_back(method, name, tag, call_id, cseq, branches, body):
    lines = [b"Via: SIP/2.0/UDP h.example.com:5061;branch=" + one for one in branches]
    lines += [b"From: " + quote(name) + b" <sip:a@b;x=1>;tag=" + tag, b"To: <sip:c@d>", b"Call-ID: " + call_id,
              b"CSeq: %d %s" % (cseq, method), b"Contact: <sip:e@f>"]  # fmt: skip
    m = parse(compose(method + b" sip:a@b SIP/2.0", lines, body, b"a/b"))
    m.check()
    assert (m.method, m.uri, m.cseq, m.cseq_method, m.call_id) == (method, b"sip:a@b", cseq, method, call_id)
    assert (m.from_display, m.from_uri, m.from_tag, m.to_tag) == (name, b"sip:a@b;x=1", tag, None)
    assert [v.branch for v in m.each_via()] == branches and m.contact_uri == b"sip:e@f" and m.body == body
    assert m.all(H_CONTACT) == [b"<sip:e@f>"]
    r = parse(response(m, 200, to_tag=b"tt", source=("192.0.2.9", 5061)))
    r.check()
    assert r.to_tag == b"tt" and r.via.received == b"192.0.2.9" and len(r.raw(H_VIA)) == len(branches)


PROGRAM = """
import json, sys
sys.path[:] = [sys.argv[1], ".frozen"]
from array import array
from sip.scan import scan, decode, parts
with open(sys.argv[2]) as f:
    for line in f:
        data = bytes(json.loads(line))
        w = array("H", bytes(2 * 264)); p = parts()
        n = scan(data, 0, len(data), w)
        bad = decode(data, 8, n, w, p) if not w[7] & 16 else 0
        print(json.dumps([n, bad, list(w[:n]), list(p)]))
"""


def test_viper_and_plain_agree():
    """The kernels on CPython, every access checked, and as machine code find the same in the same 3,000 messages."""
    messages = []

    @settings(calm, max_examples=3000)
    @given(mangled())
    def collect(data):
        messages.append(data)

    collect()
    with tempfile.TemporaryDirectory() as folder:
        program, inputs = Path(folder, "agree.py"), Path(folder, "inputs")
        program.write_text(PROGRAM)
        inputs.write_text("".join(json.dumps(list(one)) + "\n" for one in messages))
        outputs = []
        for command, arch in (([sys.executable], "plain"), ([build.interpreter(), "-X", "heapsize=16M"], build.host_arch())):
            path = [str(program), str(build.BUILD / arch), str(inputs)]
            if arch == "plain":
                path = ["-c", "import sys; sys.path[:0] = [%r]; import micropython; sys.argv[:] = %r\nexec(open(%r).read().replace("
                        "'sys.path[:] = [sys.argv[1], \".frozen\"]', 'sys.path[:0] = [sys.argv[1]]'))"
                        % (str(build.ROOT / "boards" / "PC"), path, str(program))]  # fmt: skip
            done = subprocess.run(command + path, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stderr[-2000:]
            outputs.append(done.stdout.splitlines())
    assert len(outputs[0]) == len(messages)
    for data, plain, viper in zip(messages, *outputs):
        assert json.loads(plain) == json.loads(viper), data
