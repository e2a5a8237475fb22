"""Whatever arrives, the parser raises nothing but ParseError; what the grammar allows is understood; what is built parses
back; viper, bytecode and plain agree."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sip import accepting, answering, sdp
from sip.address import parse_name_addr, parse_uri, parse_via, quote
from sip.hashes import parse_challenge
from sip.message import ParseError, compose, parse, request, response
from sip.offer import offer
from sip.scan import H_CONTACT, H_RECORD_ROUTE, H_ROUTE, H_VIA
from tools import build

MESSAGES = [p.read_bytes() for p in sorted((Path(__file__).parent / "messages").glob("*.sip"))]
calm = settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
few = settings(calm, max_examples=150)

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
            m.uris(header)
        except ValueError:
            pass
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
    answer, agreed = answering.answer(session, "192.0.2.1", 4000, 1, 1)
    if agreed:
        lines = [one for one in sdp.parse(answer).media]
        assert len(lines) == len(session.media) and lines[agreed.index].port == 4000
    accepting.accept(session, *accepting.wanted(sdp.parse(offer("192.0.2.1", 4000, 1, 1))))


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


# -- RFC 3261's grammar as agents write it: each strategy draws a value's text and what it means

word = st.text("abcXYZ019", min_size=1, max_size=8).map(str.encode)
gap = st.sampled_from([b"", b"", b"", b" ", b"\t", b"  ", b"\r\n ", b" \r\n\t"])  # between a value's parts; folds too
host = st.one_of(
    word.map(lambda w: (w + b".example.com", w + b".example.com")), st.just((b"192.0.2.4", b"192.0.2.4")),
    st.just((b"[2001:db8::9:1]", b"2001:db8::9:1")), st.just((b"my_host", b"my_host")),
)  # fmt: skip
uri = st.one_of(
    st.sampled_from([
        b"sip:a@b", b"sips:a%40b:p@h.example.com:5061;transport=tcp?Subject=x&y=z", b"tel:+1-201-555;phone-context=+1", b"urn:service:sos",
        b"sip:[2001:db8::1]:5070;lr", b"sip:a;b=c,d@h;lr", b"nobodyKnowsThisScheme:totally;opaque,content", b"http://h/x?y",
    ]),
    st.tuples(word, host).map(lambda p: b"sip:" + p[0] + b"@" + p[1][0]),
)  # fmt: skip


@st.composite
def via(draw):
    """-> (text, (transport, host, port, branch, received, rport))"""
    transport = draw(st.sampled_from([b"UDP", b"TCP", b"TLS", b"udp", b"SCTP", b"TLS-SCTP"]))
    name, plain = draw(host)
    port = draw(st.one_of(st.just(0), st.integers(1, 65535)))
    slash = draw(st.sampled_from([b"/", b"/", b"/", b" / "]))
    text = b"SIP" + slash + b"2.0" + slash + transport + draw(st.sampled_from([b" ", b"  ", b" \r\n "])) + name
    if port:
        text += draw(gap) + b":" + draw(gap) + b"%d" % port
    found = {}
    for kind in draw(st.permutations(("branch", "received", "rport", "ttl", "flag", "quoted"))):
        if not draw(st.booleans()):
            continue
        text += draw(gap) + b";" + draw(gap)
        if kind == "branch":
            found[kind] = draw(word)
            text += draw(st.sampled_from([b"branch", b"BRANCH", b"Branch"])) + draw(gap) + b"=" + draw(gap) + found[kind]
        elif kind == "received":
            found[kind] = draw(st.sampled_from([plain, b"192.0.2.77", b"[2001:db8::77]"]))
            text += b"received=" + found[kind]
        elif kind == "rport":
            found[kind] = draw(st.integers(0, 65535))
            text += b"rport=%d" % found[kind] if found[kind] else b"rport"
        else:
            text += {"ttl": b"ttl=1", "flag": b"hidden", "quoted": b'x=";branch=no,\\";rport=9,"'}[kind]
    return text, (transport.upper(), plain, port, found.get("branch"), found.get("received"), found.get("rport"))


@st.composite
def address(draw):
    """-> (text, (display, uri, tag)), in <> or alone, its parameters the field's own."""
    where = draw(uri)
    name = b""
    form = draw(st.integers(0, 3))
    if form == 0 and b"?" not in where and b"," not in where and b";" not in where:
        text = where
    else:
        text = b"<" + where + b">"
        if form == 1:
            name = draw(st.lists(word, min_size=1, max_size=3).map(b" ".join))
            text = name + draw(st.sampled_from([b" ", b"", b"  "])) + text
        elif form >= 2:
            name = draw(st.text("ab\"\\<>;,=: \u00e9\u4e2d", max_size=10).map(str.encode))
            text = quote(name) + draw(gap) + text
    tag = draw(st.one_of(st.none(), word))
    if draw(st.booleans()):
        text += draw(gap) + b';x="tag=no;\\",<"'
    if tag:
        text += draw(gap) + b";" + draw(gap) + draw(st.sampled_from([b"tag", b"TAG"])) + b"=" + tag
    if draw(st.booleans()):
        text += b";expires=60;tagged=1"
    return text, (name, where, tag)


@st.composite
def wellformed(draw):
    """-> (a request, (its Vias, From, To, Contacts, Record-Route URIs, method, CSeq, Call-ID, body))"""
    method = draw(st.sampled_from([b"INVITE", b"ACK", b"BYE", b"OPTIONS", b"PUBLISH", b"INVITED", b"invite", b"x-!%*_+`'~.9"]))
    vias = draw(st.lists(via(), min_size=1, max_size=4))
    contacts = draw(st.lists(address(), max_size=3))
    routes = draw(st.lists(address(), max_size=3))
    sender, to = draw(address()), draw(address())
    call_id, body = draw(word), draw(st.binary(max_size=40))
    number = draw(st.integers(0, 2**31 - 1))

    def listed(names, values):
        # values of one field, on lines of their own or joined by commas
        lines = []
        for value in values:
            if lines and draw(st.booleans()):
                lines[-1] += draw(gap) + b"," + draw(gap) + value[0]
            else:
                lines.append(draw(st.sampled_from(names)) + draw(st.sampled_from([b": ", b":", b" : ", b"\t:\t"])) + value[0])
        return lines

    groups = [
        listed((b"Via", b"v", b"VIA", b"V"), vias), listed((b"Contact", b"m"), contacts), listed((b"Record-Route", b"record-route"), routes),
        listed((b"From", b"f"), [sender]), listed((b"To", b"t"), [to]), [b"i: " + call_id], [b"CSeq: %d %s" % (number, method)],
        [b"Max-Forwards: 70"], [b"Subject: a\r\n b", b"X-Unknown;: , \"", b"empty:"][: draw(st.integers(0, 2))],
        [draw(st.sampled_from([b"Content-Length: %d", b"l:%d"])) % len(body)],
    ]  # fmt: skip
    lines = [line for group in draw(st.permutations(groups)) for line in group]
    data = draw(st.sampled_from([b"", b"\r\n\r\n"])) + method + b" sip:door@h SIP/2.0\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + body
    return data, (vias, sender, to, contacts, routes, method, number, call_id, body)


@few
@given(wellformed())
def test_what_the_grammar_allows_is_understood(drawn):
    data, (vias, sender, to, contacts, routes, method, number, call_id, body) = drawn
    m = parse(data)
    m.check()
    assert [tuple(one) for one in m.each_via()] == [meaning for text, meaning in vias]
    assert (m.from_display, m.from_uri, m.from_tag) == sender[1] and tuple(m.from_)[:3] == sender[1]
    assert (m.to_display, m.to_uri, m.to_tag) == to[1] and tuple(m.to)[:3] == to[1]
    assert m.uris(H_CONTACT) == [meaning[1] for text, meaning in contacts]
    assert m.contact_uri == (contacts[0][1][1] if contacts else None)
    assert m.uris(H_RECORD_ROUTE) == [meaning[1] for text, meaning in routes]
    assert (m.method, m.cseq_method, m.cseq, m.call_id, m.body) == (method, method, number, call_id, body)
    assert m.content_length == len(body) and m.max_forwards == 70


@few
@given(wellformed(), st.integers(101, 699))
def test_an_answer_has_what_the_request_had(drawn, status):
    data, (vias, sender, to, contacts, routes, method, number, call_id, body) = drawn
    r = parse(response(parse(data), status, to_tag=b"ours", body=body))
    r.check()
    assert [tuple(one) for one in r.each_via()] == [meaning for text, meaning in vias]
    assert (r.status, r.cseq, r.cseq_method, r.call_id, r.body) == (status, number, method, call_id, body)
    assert (r.from_uri, r.from_tag, r.to_uri, r.to_tag) == (sender[1][1], sender[1][2], to[1][1], to[1][2] or b"ours")
    assert r.uris(H_RECORD_ROUTE) == ([meaning[1] for text, meaning in routes] if status < 300 else [])


@calm
@given(token, uri, token, st.lists(uri, max_size=3), st.integers(0, 2**31 - 1), st.binary(max_size=40))
def test_a_request_that_is_built_parses_back(method, target, call_id, routes, number, body):
    data = request(method, target, b"SIP/2.0/TLS [::1]:5061;branch=z9hG4bKx;rport", b'"D" <sip:d@h>;tag=a', b"<sip:p@h>", call_id, number,
                   [b"<%s>" % one for one in routes], [b"Subject: x"], body, b"a/b" if body else None)  # fmt: skip
    m = parse(data)
    m.check()
    assert (m.method, m.uri, m.call_id, m.cseq, m.body) == (method, target, call_id, number, body)
    assert m.uris(H_ROUTE) == routes and tuple(m.via) == (b"TLS", b"::1", 5061, b"z9hG4bKx", None, 0)


PROGRAM = """
import json, sys
sys.path[:] = [sys.argv[1], ".frozen"]
from array import array
from sip.message import ParseError, parse
from sip.scan import decode, parts, scan

def values(data):
    try:
        m = parse(data)
        m.check()
    except ParseError as e:
        m = e.message
        if m is None:
            return [e.code, repr(e.reason)]
    got = [m.method, m.uri, m.status, m.via, m.cseq, m.cseq_method, m.call_id, m.from_display, m.from_uri, m.from_tag, m.to_display,
           m.to_uri, m.to_tag, m.contact_uri, m.content_length, m.body, m.reason, m.expires]
    for ask in (m.each_via, lambda: m.uris(10), lambda: m.uris(6), lambda: m.all(10)):
        try:
            got.append([tuple(one) for one in ask()])
        except ValueError as e:
            got.append("refused")
    return repr([tuple(one) if isinstance(one, tuple) else one for one in got])

with open(sys.argv[2]) as f:
    for line in f:
        data = bytes(json.loads(line))
        w = array("H", bytes(2 * 264)); p = parts()
        n = scan(data, 0, len(data), w)
        bad = decode(data, 8, n, w, p) if not w[7] & 16 else 0
        print(json.dumps([n, bad, list(w[:n]), list(p), values(data)]))
"""


def test_viper_bytecode_and_plain_agree():
    """The kernels on CPython, every access checked, the same as MicroPython's bytecode, and as machine code find the same in
    the same 2,000 messages."""
    messages = []

    @settings(calm, max_examples=1500)
    @given(mangled())
    def collect(data):
        messages.append(data)

    @settings(calm, max_examples=500)
    @given(wellformed())
    def collect_good(drawn):
        messages.append(drawn[0])

    collect()
    collect_good()
    micropython = [build.interpreter(), "-X", "heapsize=32M"]
    with tempfile.TemporaryDirectory() as folder:
        program, inputs = Path(folder, "agree.py"), Path(folder, "inputs")
        program.write_text(PROGRAM)
        inputs.write_text("".join(json.dumps(list(one)) + "\n" for one in messages))
        plain = [str(program), str(build.BUILD / "plain"), str(inputs)]
        cpython = ["-c", "import sys; sys.path[:0] = [%r]; import micropython; sys.argv[:] = %r\nexec(open(%r).read().replace("
                   "'sys.path[:] = [sys.argv[1], \".frozen\"]', 'sys.path[:0] = [sys.argv[1]]'))"
                   % (str(build.ROOT / "boards" / "PC"), plain, str(program))]  # fmt: skip
        machine = [str(program), str(build.BUILD / build.host_arch()), str(inputs)]
        outputs = []
        for command in ([sys.executable] + cpython, micropython + plain, micropython + machine):
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2000:]
            outputs.append(done.stdout.splitlines())
    assert len(outputs[0]) == len(messages)
    for data, checked, bytecode, viper in zip(messages, *outputs):
        assert json.loads(checked) == json.loads(bytecode) == json.loads(viper), data
