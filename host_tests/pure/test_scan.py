from array import array

from sip import scan as s
from sip.scan import decode, field, find, outside, parts, scan

TOO_MANY, BAD_LINE, BAD_VERSION, BAD_START = 2, 4, 8, 16
FOLDED = 256

# in the order of their ids, which begin at 1
FULL = (
    b"Via From To Call-ID CSeq Contact Max-Forwards Content-Length Content-Type Record-Route Route Expires Allow Supported "
    b"Require User-Agent Authorization Proxy-Authorization WWW-Authenticate Proxy-Authenticate Session-Expires Min-SE "
    b"Min-Expires RAck RSeq Event Refer-To Referred-By Replaces Retry-After Unsupported Proxy-Require Content-Encoding "
    b"Timestamp Date Subscription-State Alert-Info Call-Info P-Asserted-Identity Privacy Diversion Path Service-Route Accept "
    b"Reason Server Warning Subject Content-Disposition Allow-Events Authentication-Info"
).split()
# RFC 3261 20, RFC 4028, RFC 6665, RFC 3515, RFC 3892
COMPACT = {
    b"v": b"Via", b"f": b"From", b"t": b"To", b"i": b"Call-ID", b"m": b"Contact", b"l": b"Content-Length", b"c": b"Content-Type",
    b"k": b"Supported", b"x": b"Session-Expires", b"o": b"Event", b"r": b"Refer-To", b"b": b"Referred-By",
    b"e": b"Content-Encoding", b"s": b"Subject", b"u": b"Allow-Events",
}  # fmt: skip
NAMES = {name: number for number, name in enumerate(FULL, 1)}
NAMES.update({short: NAMES[COMPACT[short]] for short in COMPACT})
SUBJECT = NAMES[b"Subject"]
# some of an index's flags, and what is added to a folded field's id
TOO_MANY, BAD_LINE, BAD_VERSION, BAD_START = 2, 4, 8, 16
FOLDED = 256


def index(data):
    w = array("H", bytes(2 * (8 + 4 * 64)))
    n = scan(data, 0, len(data), w)
    return w, n


def fields(data):
    w, n = index(data)
    return [(w[k], data[w[k + 2] : w[k + 3]]) for k in range(8, n, 4)], w[7]


def one(line):
    got, flags = fields(b"OPTIONS sip:a@b SIP/2.0\r\n" + line + b"\r\n\r\n")
    return got[0] if got and not flags else None


def test_every_known_name_in_any_case():
    assert [NAMES[name] for name in (b"Via", b"From", b"To", b"Record-Route", b"Timestamp")] == [
        s.H_VIA, s.H_FROM, s.H_TO, s.H_RECORD_ROUTE, s.H_TIMESTAMP,
    ]  # fmt: skip
    for name in NAMES:
        for spelt in (name, name.lower(), name.upper()):
            for after in (b":", b": ", b" : ", b"\t:\t", b":  "):
                assert one(spelt + after + b"value") == (NAMES[name], b"value"), spelt


def test_unknown_names_are_kept_without_an_id():
    for name in (b"y", b"Vi", b"Viaa", b"To-", b"Call_ID", b"CalI-ID", b"Fron", b"g", b"X-Very-Unusual-Header-Name-Of-Some-Length"):
        assert one(name + b": value") == (0, b"value"), name


def test_values_are_trimmed():
    for value in (b"a", b"", b"a b", b"a:b", b"\xc3\xa9\x00"):
        assert one(b"Subject: \t" + value + b" \t ") == (field(b"subject"), value)


def test_folding_is_flagged_and_kept():
    assert one(b"Subject: a\r\n b") == (field(b"subject") | FOLDED, b"a\r\n b")
    assert one(b"Subject:\r\n\tb\r\n  c  ") == (field(b"subject") | FOLDED, b"b\r\n  c")
    assert one(b"y:\r\n ") == (FOLDED, b"")


def test_line_ends_may_be_lf_alone():
    got, flags = fields(b"\r\n\r\nOPTIONS sip:a@b SIP/2.0\nVia: 1\nTo: 2\n\nbody")
    assert got == [(s.H_VIA, b"1"), (s.H_TO, b"2")] and flags == 0


def test_start_lines():
    def start(line):
        data = line + b"\r\nTo: a\r\n\r\n"
        w, n = index(data)
        return data[: w[4]], data[w[4] + 1 : w[5]], w[6], w[7]

    assert start(b"INVITE sip:a@b SIP/2.0") == (b"INVITE", b"sip:a@b", 0, 0)
    assert start(b"INVITE sip:a@b sip/2.0") == (b"INVITE", b"sip:a@b", 0, 0)
    assert start(b"SIP/2.0 200 OK") == (b"SIP/2.0", b"200", 200, 0)
    assert start(b"SIP/2.0 603 \xc3\xa9 \xc3\xa9")[2:] == (603, 0)
    assert start(b"SIP/2.0 200 ")[2:] == (200, 0)
    assert start(b"SIP/2.0 200")[2:] == (200, 0)
    assert start(b"INVITE sip:a@b SIP/7.0")[3] == BAD_VERSION
    assert start(b"SIP/3.0 200 OK")[3] == BAD_VERSION
    for bad in (
        b"INVITE  sip:a@b SIP/2.0", b"INVITE sip:a@b  SIP/2.0", b"INVITE sip:a@b SIP/2.0 ", b" INVITE sip:a@b SIP/2.0",
        b"INVITE sip:a@b; lr SIP/2.0", b"INVITE sip:a@b", b"INVITE", b"", b"SIP/2.0 20 OK", b"SIP/2.0 2000 OK",
        b"SIP/2.0 099 OK", b"SIP/2.0 700 OK", b"SIP/2.0 2x0 OK", b"SIP/2.0", b"GET / HTTP/1.1", b"INVITE\tsip:a@b\tSIP/2.0",
    ):  # fmt: skip
        assert start(bad)[3] & BAD_START, bad


def test_what_is_no_header_field_is_flagged():
    for line in (b"no colon", b": no name", b"two words: x", b"\x00: x", b"a\rb: x"):
        got, flags = fields(b"OPTIONS sip:a@b SIP/2.0\r\n" + line + b"\r\nTo: a\r\n\r\n")
        assert flags == BAD_LINE and got == [(s.H_TO, b"a")], line


def test_every_truncation_is_flagged():
    data = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nSubject: a\r\n b\r\nl: 4\r\n\r\nbody"
    end = data.find(b"\r\n\r\n") + 4
    for n in range(len(data) + 1):
        w, _ = index(data[:n])
        assert bool(w[7]) == (n < end), n
        if n >= end:
            assert w[2] == end


def test_at_most_64_fields():
    head = b"OPTIONS sip:a@b SIP/2.0\r\n"
    assert fields(head + b"a: b\r\n" * 64 + b"\r\n") == ([(0, b"b")] * 64, 0)
    got, flags = fields(head + b"a: b\r\n" * 65 + b"\r\n")
    assert len(got) == 64 and flags == TOO_MANY


def test_the_largest_message():
    data = b"OPTIONS sip:a@b SIP/2.0\r\nSubject: " + b"x" * 65000 + b"\r\nTo: a\r\n\r\n"
    data += b"y" * (65535 - len(data))
    w, n = index(data)
    assert w[7] == 0 and data[w[8 + 6] : w[8 + 7]] == b"a" and w[2] == 65045


def test_find_and_outside():
    w, n = index(b"OPTIONS sip:a@b SIP/2.0\r\nVia: 1\r\nTo: a\r\nv: 2\r\n\r\n")
    assert find(w, s.H_VIA, 8) == 8 and find(w, s.H_VIA, 12) == 16 and find(w, s.H_VIA, 20) == -1
    text = b'"a,\\",b" <sip:a,b>,c'
    assert outside(text, 0, len(text), 44) == 18 and outside(text, 19, len(text), 44) == -1
    assert outside(b'"open,', 0, 6, 44) == -1 and outside(b"<open,", 0, 6, 44) == -1 and outside(b'"\\', 0, 2, 44) == -1


def test_a_message_does_not_keep_parts_of_the_one_before():
    p = parts()
    data = (
        b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h:1;branch=b;rport=2;received=c\r\nFrom: d <e:f>;tag=g\r\n"
        b"To: h <i:j>;tag=k\r\nCall-ID: l\r\nCSeq: 5 OPTIONS\r\nContact: m <n:o>\r\nl: 0\r\nMax-Forwards: 7\r\n\r\n"
    )
    w, n = index(data)
    assert decode(data, 8, n, w, p) == 0 and 0 not in [p[k] for k in (0, 3, 5, 7, 8, 12, 14, 16, 20, 22, 24, 30, 36, 39)]
    bare = b"OPTIONS sip:a@b SIP/2.0\r\n\r\n"
    w, n = index(bare)
    assert decode(bare, 8, n, w, p) == 62 << 9
    # Contact, which need not be there, is absent when its URI is
    assert list(p)[:28] + list(p)[30:31] + list(p)[36:] == [0] * 35 + [65535, 65535, 0]


def test_names_have_numbers():
    for name, number in ((b"via", 1), (b"to", 3), (b"from", 2), (b"expires", 12), (b"min-expires", 23), (b"authentication-info", 51)):
        assert field(name) == number
    for name in (b"v", b"expire", b"xpires", b"INVITE", b"nothing"):
        try:
            field(name)
        except ValueError:
            continue
        raise AssertionError(name)
