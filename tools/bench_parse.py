#!/usr/bin/env python3
"""What reading a message costs: ours on MicroPython's Unix port beside aiosipua and sippy on CPython.

All three read the same fields of the same message: start line; every Via with transport, host, port, branch, rport and
received; From and To with name, URI and tag; CSeq; Call-ID; Contact and Record-Route URIs; Content-Length; body. Every
value is compared with aiosipua's before anything is timed, sippy's with it too. Then their bodies, offers and an answer, by
sip.sdp.

`figures()` measures; run as a program it prints them as one JSON object. The same file is the measured program when
MicroPython runs it: bench_parse.py BUILT values | time | allocated | loop N | sdp N, FILE last
"""

import gc
import sys

NAMES = ("driver_invite", "linphone_invite", "pjsua_invite", "kamailio_invite", "pjsua_200")
_FEW, _MANY = 20, 120  # counted: the difference is free of what starting costs; an SDP body a quarter as often


# -- On MicroPython


def _read(data):
    # Statements, not a list: a caller has each value in hand, and need not keep 25 of them on the stack.
    m = _parse(data)
    m.method
    m.uri
    m.status
    for via in m.each_via():
        via.transport
        via.host
        via.port
        via.branch
        via.rport
        via.received
    m.from_display
    m.from_uri
    m.from_tag
    m.to_display
    m.to_uri
    m.to_tag
    m.cseq
    m.cseq_method
    m.call_id
    m.contact_uri
    for route in m.uris(10):  # H_RECORD_ROUTE
        route
    m.content_length
    m.body


def _values(data):
    """The same as _read() reads, as a list of str, int and None."""
    from sip.message import parse
    from sip.scan import H_RECORD_ROUTE

    m = parse(data)
    values = [m.method, m.uri, m.status]
    for via in m.each_via():
        values += [via.transport, via.host, via.port, via.branch, via.rport, via.received]
    values += [m.from_display, m.from_uri, m.from_tag, m.to_display, m.to_uri, m.to_tag, m.cseq, m.cseq_method, m.call_id]
    values += [m.contact_uri, [one.decode() for one in m.uris(H_RECORD_ROUTE)], m.content_length, m.body]
    return [one.decode() if isinstance(one, bytes) else one for one in values]


def _measured(argv):
    global _parse

    sys.path[:] = [argv[0], ".frozen"]
    from sip.message import parse as _parse

    with open(argv[-1], "rb") as f:
        data = f.read()
    _read(data)
    gc.collect()
    if argv[1] == "values":
        import json

        print(json.dumps(_values(data)))
    elif argv[1] == "allocated":
        gc.disable()
        before = gc.mem_alloc()
        _read(data)
        print(gc.mem_alloc() - before)
    elif argv[1] == "sdp":
        from sip import sdp

        body = _parse(data).body
        gc.disable()
        for _ in range(int(argv[2]) // 4):
            sdp.parse(body)
    elif argv[1] == "loop":
        gc.disable()
        for _ in range(int(argv[2])):
            _read(data)
    else:
        import time

        least = 1e9
        for _ in range(20):
            t = time.ticks_us()
            for _ in range(200):
                _read(data)
            least = min(least, time.ticks_diff(time.ticks_us(), t))
        print(least / 200)


# -- On CPython


def _run(*arguments):
    from tools import unix_port

    return unix_port.run(__file__, *arguments)


def _instructions(what, path):
    """What one message costs: a difference, so free of what starting costs."""
    from tools import unix_port

    few, many = [unix_port.instructions(__file__, what, str(n), path) for n in (_FEW, _MANY)]
    return (many - few) // (_MANY - _FEW)


def _aiosipua(text):
    """The fields, in the same order, from aiosipua. URIs as its objects."""
    import aiosipua

    m = aiosipua.SipMessage.parse(text)
    request = isinstance(m, aiosipua.SipRequest)
    values = [m.method, m.uri, 0] if request else ["", "", m.status_code]
    for via in m.via:
        values += [via.transport, via.host, via.port, via.params.get("branch"), via.params.get("rport", 0), via.params.get("received")]
    sender, target, cseq = m.from_addr, m.to_addr, m.cseq
    values += [sender.display_name, sender.uri, sender.params.get("tag"), target.display_name, target.uri, target.params.get("tag")]
    values += [cseq.seq, cseq.method, m.call_id, m.contact[0].uri]
    values += [[aiosipua.parse_address(one).uri for one in m.get_header_values("record-route")], m.content_length, m.body]
    return values


def _sippy(text):
    """The fields, in the same order, from sippy. URIs as its objects."""
    from sippy.SipRequest import SipRequest
    from sippy.SipResponse import SipResponse

    if text.startswith("SIP/"):
        m = SipResponse(text)
        values = ["", "", m.scode]
    else:
        m = SipRequest(text)
        values = [m.getMethod(), m.getRURI(), 0]
    for via in m.getHFBodys("via"):
        p = via.params
        values += [via.transport, via.hostname, via.port, p.get("branch"), p.get("rport", 0), p.get("received")]
    for name in ("from", "to"):
        address = m.getHFBody(name).address
        values += [address.name, address.url, address.params.get("tag")]
    cseq = m.getHFBody("cseq")
    values += [cseq.cseq, cseq.method, m.getHFBody("call-id").body, m.getHFBody("contact").address.url]
    m.init_body()
    body = str(m.getBody())
    return values + [[one.address.url for one in m.getHFBodys("record-route")], len(body), body]


def _text(one):
    """A value of another library as text: URIs are its objects."""
    if isinstance(one, bytes):
        return one.decode()
    if type(one).__name__ == "SipUri":  # aiosipua's
        import aiosipua

        return aiosipua.stringify_uri(one)
    return str(one)


def _plain(values):
    """Another library's values as ours are: URIs as text, nothing for None where ours is empty."""
    vias = (len(values) - 16) // 6
    plain = []
    for k, one in enumerate(values):
        field = (k - 3) % 6 if 3 <= k < 3 + 6 * vias else -1
        if field == 2:
            one = one or 0
        elif field == 4:
            # aiosipua and sippy have None for a flag; asked with a default of 0, that is what absent gives
            one = 0 if one is None else None if one == 0 else int(one)
        elif isinstance(one, list):
            one = [_text(uri) for uri in one]
        elif k in (3 + 6 * vias, 6 + 6 * vias):
            one = (one or "").strip()
        elif one is not None and not isinstance(one, int):
            one = _text(one)
        plain.append(one)
    return plain


def _check(ours, theirs, whose, name):
    theirs = _plain(theirs)
    if whose == "sippy":
        # sippy gives a Via without port the default one, and writes SDP and default ports anew
        theirs[5::6] = [a if b == 5060 and a == 0 else b for a, b in zip(ours[5::6], theirs[5::6])]
        theirs[-2:] = ours[-2:]
    if ours != theirs:
        wrong = [(a, b) for a, b in zip(ours, theirs) if a != b]
        raise AssertionError("%s: ours and %s's values differ: %r" % (name, whose, wrong or (len(ours), len(theirs))))


def figures():
    """-> dict of figures; microseconds are of this computer, instructions and bytes repeat anywhere. AssertionError when a
    value differs from aiosipua's. parse_allocated_bytes and sdp_offer_instructions are the most that any of the five takes."""
    import json
    import logging
    import shutil
    from pathlib import Path
    from timeit import repeat

    folder = Path(__file__).resolve().parent.parent
    sys.path.insert(0, str(folder))
    folder = folder / "host_tests" / "messages"
    logging.getLogger("aiosipua").setLevel(logging.ERROR)  # it remarks on each body that is too long
    paths = {name: str(folder / (name + ".sip")) for name in NAMES}
    texts = {name: (folder / (name + ".sip")).read_bytes().decode() for name in NAMES}
    for name in NAMES:
        ours = json.loads(_run("values", paths[name]).stdout)
        _check(ours, _aiosipua(texts[name]), "aiosipua", name)
    invite = texts["driver_invite"]
    _check(json.loads(_run("values", paths["driver_invite"]).stdout), _sippy(invite), "sippy", "driver_invite")

    # Turn and turn about, and each at its best: other programs run here too.
    us = aiosipua_us = sippy_us = 1e9
    for _ in range(3):
        aiosipua_us = min(aiosipua_us, min(repeat(lambda: _aiosipua(invite), number=300, repeat=5)) / 300 * 1e6)
        us = min(us, float(_run("time", paths["driver_invite"]).stdout))
        sippy_us = min(sippy_us, min(repeat(lambda: _sippy(invite), number=300, repeat=5)) / 300 * 1e6)
    found = {
        "parse_invite_us": round(us, 1),
        "parse_invite_ratio_aiosipua": round(aiosipua_us / us, 2),
        "parse_invite_ratio_sippy": round(sippy_us / us, 2),
        "parse_allocated_bytes": max(int(_run("allocated", paths[name]).stdout) for name in NAMES),
    }
    if shutil.which("valgrind"):
        for name in NAMES:
            found["parse_%s_instructions" % name] = _instructions("loop", paths[name])
            found["sdp_%s_instructions" % name] = 4 * _instructions("sdp", paths[name])
        found["sdp_offer_instructions"] = max(found["sdp_%s_instructions" % name] for name in NAMES)
    return found


if __name__ == "__main__":
    if sys.implementation.name == "micropython":
        _measured(sys.argv[1:])
    else:
        import json

        print(json.dumps(figures(), indent=1))
