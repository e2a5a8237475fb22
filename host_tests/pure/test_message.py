from expect import raises
from sip import message as m
from sip.address import parse_via
from sip.message import Message, ParseError, compose, parse, response
from sip.scan import H_CALL_ID, H_CONTACT, H_FROM, H_RECORD_ROUTE, H_ROUTE, H_TO, H_VIA, H_WWW_AUTHENTICATE, field

H_ALLOW = field(b"allow")
H_SUBJECT = field(b"subject")
H_SUPPORTED = field(b"supported")

INVITE = (
    b"INVITE sip:bob@b.com SIP/2.0\r\n"
    b"Via: SIP/2.0/TCP p.b.com;branch=z9hG4bKp, SIP/2.0/UDP q.b.com\r\n"
    b"Via: SIP/2.0/UDP a.com:5070;branch=z9hG4bKa\r\n"
    b"Record-Route: <sip:p.b.com;lr>\r\n"
    b"Record-Route: <sip:q.b.com;lr>, <sip:r.b.com;lr>\r\n"
    b"Max-Forwards: 69\r\n"
    b'From: "Al, \\"ice\\"" <sip:alice@a.com>;tag=1\r\n'
    b"To: Bob <sip:bob@b.com>\r\n"
    b"Call-ID: c1@a.com\r\n"
    b"CSeq: 4294967 INVITE\r\n"
    b'Contact: "A, B" <sip:alice@192.0.2.1:5070;ob>;expires=60, <sip:other@h>\r\n'
    b"Timestamp: 54\r\n"
    b"Subject: a\r\n  folded\r\n\tline\r\n"
    b"Expires: 120\r\n"
    b"X-Door: one, two\r\n"
    b"Content-Type: text/plain\r\n"
    b"Content-Length: 4\r\n\r\nbodyrest"
)


def test_what_every_message_has():
    r = parse(INVITE)
    r.check()
    assert r.is_request and r.method == b"INVITE" and r.uri == b"sip:bob@b.com" and r.status == 0 and r.reason == b""
    assert r.via == (b"TCP", b"p.b.com", 0, b"z9hG4bKp", None, None) and r.branch == b"z9hG4bKp"
    assert (r.cseq, r.cseq_method, r.call_id) == (4294967, b"INVITE", b"c1@a.com")
    assert (r.from_display, r.from_uri, r.from_tag) == (b'Al, "ice"', b"sip:alice@a.com", b"1")
    assert (r.to_display, r.to_uri, r.to_tag) == (b"Bob", b"sip:bob@b.com", None)
    assert r.contact_uri == b"sip:alice@192.0.2.1:5070;ob" and r.max_forwards == 69 and r.content_length == 4
    assert r.body == b"body" and r.data == INVITE and isinstance(r, Message)


def test_what_is_read_when_asked_for():
    r = parse(INVITE)
    assert [v.host for v in r.each_via()] == [b"p.b.com", b"q.b.com", b"a.com"] and len(r.vias) == 3
    assert r.from_.tag == b"1" and r.from_.display == b'Al, "ice"' and r.to.uri == b"sip:bob@b.com"
    assert r.contact.display == b"A, B" and r.contact.param(b"expires") == b"60" and r.expires == 120
    assert r.get(H_SUBJECT) == b"a folded line" and r.get(H_ALLOW) is None and r.all(H_ALLOW) == []
    assert r.all(H_RECORD_ROUTE) == [b"<sip:p.b.com;lr>", b"<sip:q.b.com;lr>", b"<sip:r.b.com;lr>"]
    assert r.raw(H_RECORD_ROUTE)[1] == b"<sip:q.b.com;lr>, <sip:r.b.com;lr>"
    raises(AttributeError, getattr, r, "no_such_thing")


def test_responses():
    r = parse(b"SIP/2.0 486 Busy \xc3\xa9\r\nv: SIP/2.0/UDP h;branch=x;rport=5;received=::1\r\nf: <sip:a@b>;tag=1\r\nt: sip:c@d;tag=2\r\ni: 1\r\ncseq: 0 BYE\r\n\r\n")
    r.check()
    assert not r.is_request and r.status == 486 and r.reason == b"Busy \xc3\xa9" and r.method == b"" and r.uri == b""
    assert r.to_tag == b"2" and r.to_uri == b"sip:c@d" and r.cseq == 0 and r.cseq_method == b"BYE" and r.body == b""
    assert r.via.rport == 5 and r.via.received == b"::1" and r.contact is None and r.contact_uri is None
    assert r.max_forwards == r.expires == r.content_length == -1


def test_challenges_are_not_split():
    value = b'Digest realm="a, b", nonce="c", qop="auth,auth-int"'
    r = parse(b"SIP/2.0 401 U\r\nWWW-Authenticate: " + value + b"\r\nWWW-Authenticate: Basic realm=x\r\n\r\n")
    assert r.all(H_WWW_AUTHENTICATE) == [value, b"Basic realm=x"]


def broken(old, new):
    assert old in INVITE
    e = raises(ParseError, lambda: parse(INVITE.replace(old, new)).check())
    return e.code, e.reason, e.message is not None


def test_what_check_refuses():
    cases = (
        (b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia", 505, b"Version Not Supported"),
        (b"SIP/2.0\r\nVia", b"SIP/2.0 \r\nVia", 400, b"Bad Start Line"),
        (b"sip:bob@b.com SIP", b" sip:bob@b.com SIP", 400, b"Bad Start Line"),
        (b"sip:bob@b.com SIP", b"sip:bob@b.com; lr SIP", 400, b"Bad Start Line"),
        (b"CSeq: 4294967 INVITE", b"CSeq: 4294967 BYE", 400, b"CSeq Names Another Method"),
        (b"CSeq: 4294967 INVITE", b"CSeq: 4294967INVITE", 400, b"Bad CSeq"),
        (b"CSeq: 4294967 INVITE", b"CSeq: 4294967 INV ITE", 400, b"Bad CSeq"),
        (b"CSeq: 4294967 INVITE", b"CSeq: INVITE", 400, b"Bad CSeq"),
        (b"CSeq: 4294967 INVITE", b"CSeq: -1 INVITE", 400, b"Bad CSeq"),
        (b"CSeq: 4294967 INVITE", b"CSeq: 2147483648 INVITE", 400, b"Bad CSeq"),
        (b"CSeq: 4294967 INVITE", b"CSeq: 36893488147419103233 INVITE", 400, b"Bad CSeq"),
        (b"CSeq: 4294967 INVITE\r\n", b"", 400, b"Missing CSeq"),
        (b"Call-ID: c1@a.com\r\n", b"", 400, b"Missing Call-ID"),
        (b"Call-ID: c1@a.com\r\n", b"Call-ID:\r\n", 400, b"Bad Call-ID"),
        (b"Call-ID: c1@a.com\r\n", b"Call-ID: 1\r\ni: 1\r\n", 400, b"Bad Call-ID"),
        (b"From: ", b"From: <", 400, b"Bad From"),
        (b"From: ", b"Fron: ", 400, b"Missing From"),
        (b"To: Bob", b'To: "Bob', 400, b"Bad To"),
        (b"To: Bob", b"T: <sip:a@b>\r\nTo: Bob", 400, b"Bad To"),
        (b"To: ", b"Tu: ", 400, b"Missing To"),
        (b"Max-Forwards: 69", b"Max-Forwards: 256", 400, b"Bad Max-Forwards"),
        (b"Max-Forwards: 69", b"Max-Forwards: x", 400, b"Bad Max-Forwards"),
        (b"Content-Length: 4", b"Content-Length: -1", 400, b"Bad Content-Length"),
        (b"Content-Length: 4", b"Content-Length: 4\r\nl: 4", 400, b"Bad Content-Length"),
        (b"Content-Length: 4", b"Content-Length: 9", 400, b"Body Shorter Than Content-Length"),
        (b"Content-Length: 4", b"Content-Length: 99999999999999999999999999", 400, b"Bad Content-Length"),
        (b"\r\n\r\nbodyrest", b"\r\n", 400, b"No Blank Line After Header"),
        (b"X-Door: ", b"X Door: ", 400, b"Bad Header Line"),
        (b"X-Door: ", b"a:b\r\n" * 64, 513, b"Too Many Header Fields"),
    )
    for old, new, code, reason in cases:
        assert broken(old, new) == (code, reason, True), new


def test_what_has_no_via_to_answer_by_gets_no_answer():
    lines = INVITE.split(b"\r\n")
    e = raises(ParseError, parse(b"\r\n".join([one for one in lines if not one.startswith(b"Via")])).check)
    assert (e.code, e.reason, e.message) == (400, b"Missing Via", None)
    e = raises(ParseError, parse(INVITE.replace(b"SIP/2.0/TCP p", b"SIP/2.0/TCP ?p")).check)
    assert (e.reason, e.message) == (b"Bad Via", None)
    e = raises(ParseError, parse(INVITE.replace(b"INVITE", b"ACK").replace(b"To: ", b"Tu: ")).check)
    assert e.message is None
    for status in (b"200", b"000", b"2000", b"4294967301", b"x", b""):
        e = raises(ParseError, lambda: parse(b"SIP/2.0 " + status + b" OK\r\nVia: SIP/2.0/UDP h\r\n\r\n").check())
        assert e.message is None


def test_what_is_not_sip():
    for data in (b"", b"\r\n\r\n", b"\0", b"GET / HTTP/1.0\r\n\r\n", b"INVITE", b"\xff" * 500, b"\n" * 9000, b"SIP/2.0 \r\n\r\n"):
        e = raises(ParseError, parse, data)
        assert e.code == 400 and e.message is None, data
    e = raises(ParseError, parse, INVITE + b"x" * 65536)
    assert e.code == 513 and e.message is None


def test_an_answer_can_be_built_from_what_is_broken():
    r = raises(ParseError, parse(INVITE.replace(b"From: ", b"From: <").replace(b"To: Bob", b"To: \xff<")).check).message
    got = response(r, 400, b"Bad From", to_tag=b"t", source=("192.0.2.7", 5071))
    assert got.startswith(b"SIP/2.0 400 Bad From\r\nVia: SIP/2.0/TCP p.b.com;branch=z9hG4bKp;received=192.0.2.7, SIP/2.0/UDP q.b.com\r\n")
    bare = raises(ParseError, parse(b"BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n").check).message
    assert b"SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h\r\n" in response(bare, 400, to_tag=b"t")


def test_a_malformed_contact_is_told_when_asked_for():
    r = parse(INVITE.replace(b'Contact: "A', b"Contact: A"))
    r.check()
    assert r.contact_uri is None
    e = raises(ParseError, lambda: r.contact)
    assert (e.code, e.reason, e.message) == (400, b"Bad Contact", r)


def test_responses_built():
    r = parse(INVITE)
    ok = parse(response(r, 200, to_tag=b"tt", lines=(b"Contact: <sip:d@h>",), body=b"v=0", content_type=b"application/sdp"))
    ok.check()
    assert ok.raw(H_VIA) == r.raw(H_VIA) and ok.raw(H_RECORD_ROUTE) == r.raw(H_RECORD_ROUTE) and ok.get(H_FROM) == r.get(H_FROM)
    assert ok.to_tag == b"tt" and ok.reason == b"OK" and ok.body == b"v=0" and ok.get(H_CALL_ID) == r.call_id
    trying = response(r, 100, to_tag=b"tt")
    assert b"tag=tt" not in trying and b"\r\nTimestamp: 54\r\n" in trying and b"Record-Route" not in trying
    refused = response(r, 603, to_tag=b"tt")
    assert b"Record-Route" not in refused and b"Timestamp" not in refused and refused.endswith(b"Content-Length: 0\r\n\r\n")
    tagged = parse(INVITE.replace(b"<sip:bob@b.com>", b"<sip:bob@b.com>;tag=x"))
    assert parse(response(tagged, 180, to_tag=b"tt")).get(H_TO) == b"Bob <sip:bob@b.com>;tag=x"


def stamped(via, host="192.0.2.7", port=5071):
    r = parse(INVITE.replace(b"SIP/2.0/TCP p.b.com;branch=z9hG4bKp, SIP/2.0/UDP q.b.com", via))
    return parse(response(r, 200, source=(host, port))).vias[0]


def test_where_a_request_came_from():
    # RFC 3261 18.2.1 and RFC 3581 4
    assert stamped(b"SIP/2.0/UDP 192.0.2.7;branch=x") == b"SIP/2.0/UDP 192.0.2.7;branch=x"
    assert stamped(b"SIP/2.0/UDP h;branch=x") == b"SIP/2.0/UDP h;branch=x;received=192.0.2.7"
    v = parse_via(stamped(b"SIP/2.0/UDP 192.0.2.7;rport;branch=x"))
    assert (v.received, v.rport, v.branch) == (b"192.0.2.7", 5071, b"x")
    # a sender's own lies are replaced; quotes are no obstacle
    v = stamped(b'SIP/2.0/UDP h;x="a;rport";received=1.1.1.1;rport=1;branch=x')
    assert v == b'SIP/2.0/UDP h;x="a;rport";branch=x;received=192.0.2.7;rport=5071'
    assert stamped(b"SIP/2.0/UDP 192.0.2.7;received=1.1.1.1") == b"SIP/2.0/UDP 192.0.2.7"


def test_compose():
    data = compose(b"OPTIONS sip:a@b SIP/2.0", [b"Subject: x"], b"hey", b"text/plain")
    assert data == b"OPTIONS sip:a@b SIP/2.0\r\nSubject: x\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nhey"
    assert compose(b"A b SIP/2.0", ()) == b"A b SIP/2.0\r\nContent-Length: 0\r\n\r\n"
    assert parse(data).body == b"hey" and parse(data).get(H_SUBJECT) == b"x"


def test_a_body_without_content_length_goes_to_the_end():
    assert parse(INVITE.replace(b"Content-Length: 4\r\n", b"")).body == b"bodyrest"
    assert parse(INVITE.replace(b"Content-Length: 4", b"Content-Length: 0")).body == b""


def test_unknown_methods_and_case():
    r = parse(INVITE.replace(b"INVITE", b"invite"))
    r.check()
    assert r.method == r.cseq_method == b"invite"
    odd = b"!interesting-Method0123456789_*+`.%indeed'~"
    r = parse(INVITE.replace(b"INVITE", odd))
    r.check()
    assert r.method == odd and r.all(H_SUPPORTED) == [] and r.all(H_ROUTE) == []


def test_default_reasons():
    assert m.reason_of(100) == b"Trying" and m.reason_of(486) == b"Busy Here" and m.reason_of(603) == b"Decline"
    assert m.reason_of(299) == b"Unknown" and m.reason_of(0) == b"Unknown"


# Messages of our own with what RFC 4475 (3.1.1, 3.1.2, 3.3) and RFC 5118 found parsers to stumble over.
TORTUOUS = (
    b"\r\n\r\n!odd.Method~`' sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@h.example.com;x SIP/2.0\r\n"
    b"TO :\r\n sip:b@[2001:db8::10]   ;   tag    = 1918181833n ; tag2=x\r\n"
    b"from   : \"J Rosenberg \\\\\\\"\"       <sip:j%20r@h.example.com;lr?Route=%3Csip:x%3E>\r\n  ;\r\n  tag = 98asjd8\r\n"
    b"MaX-fOrWaRdS: 0068\r\n"
    b"Call-ID: 0ha0isnda977644900765@192.0.2.15!~\r\n"
    b"cseq:   0009\r\n  !odd.Method~`'\r\n"
    b"v:  SIP  / 2.0  / TCP     192.0.2.2   ;branch = z9hG4bK30239 , sip/2.0/UDP [2001:db8::9:1]:5070;received=[2001:db8::9:255];\r\n"
    b"\thidden;branch=\";no\"\r\n"
    b"Via: SIP / 2.0 / TLS-SCTP\r\n spindle.example.com ;\r\n  rport  = 65535 ; branch  =   z9hG4bK9ikj8\r\n"
    b"NewFangledHeader:   newfangled value\r\n continued newfangled value\r\n"
    b"UnknownHeaderWithUnusualValue: ;;,,;;,;\"<\r\n"
    b"Route:\r\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n"
    b"m:\"Quoted, <string>; \\\"\\\"\" <sip:j@h;x=\"> ; newparam =\r\n  newvalue ;\r\n  q = 0.33, <tel:+1>\r\n"
    b"l : 4\r\nempty:\r\n\r\nbodytrailing"
)


def test_a_tortuous_message_is_understood():
    broken = raises(ParseError, lambda: parse(TORTUOUS).contact)
    assert broken.reason == b"Bad Contact"  # a quote in a URI
    r = parse(TORTUOUS.replace(b'h;x=">', b"h;x=1>"))
    r.check()
    assert r.method == r.cseq_method == b"!odd.Method~`'" and r.cseq == 9 and r.max_forwards == 68
    assert r.uri.startswith(b"sip:1_unusual.URI~(") and r.uri.endswith(b"@h.example.com;x")
    assert (r.to_display, r.to_uri, r.to_tag) == (b"", b"sip:b@[2001:db8::10]", b"1918181833n")
    assert (r.from_display, r.from_tag) == (b'J Rosenberg \\"', b"98asjd8")
    assert r.from_uri == b"sip:j%20r@h.example.com;lr?Route=%3Csip:x%3E"
    assert [tuple(one) for one in r.each_via()] == [
        (b"TCP", b"192.0.2.2", 0, b"z9hG4bK30239", None, None),
        (b"UDP", b"2001:db8::9:1", 5070, b'";no"', b"[2001:db8::9:255]", None),
        (b"TLS-SCTP", b"spindle.example.com", 0, b"z9hG4bK9ikj8", None, 65535),
    ]
    assert r.uris(H_ROUTE) == [b"sip:services.example.com;lr;unknownwith=value;unknown-no-value"]
    assert r.uris(H_CONTACT) == [b"sip:j@h;x=1", b"tel:+1"] and r.contact.display == b'Quoted, <string>; ""'
    assert r.contact.param(b"q") == b"0.33" and r.contact.param(b"newparam") == b"newvalue"
    assert r.body == b"body" and r.call_id == b"0ha0isnda977644900765@192.0.2.15!~"


def test_tortures_that_are_refused():
    good = TORTUOUS.replace(b'h;x=">', b"h;x=1>")
    for old, new, code, reason in (
        (b"0009", b"36893488147419103232", 400, b"Bad CSeq"), (b"l : 4", b"l : -999", 400, b"Bad Content-Length"),
        (b"0068", b"300", 400, b"Bad Max-Forwards"), (b"l : 4", b"l : 13", 400, b"Body Shorter Than Content-Length"),
        (b"@h.example.com;x SIP/2.0", b"@h.example.com; x SIP/2.0", 400, b"Bad Start Line"),
        (b"@h.example.com;x SIP/2.0", b"@h.example.com;x SIP/2.0  ", 400, b"Bad Start Line"),
        (b"@h.example.com;x SIP/2.0", b"@h.example.com;x SIP/7.0", 505, b"Version Not Supported"),
        (b"TO :\r\n sip:", b"TO :\r\n \"unterminated <sip:", 400, b"Bad To"), (b"j%20r@h", b"j r@h", 400, b"Bad From"),
        (b"from   : ", b"from   : Bell, Alexander <sip:a@b>;tag=1\r\nX: ", 400, b"Bad From"),
        (b"<sip:j%20r@h.example.com;lr?Route=%3Csip:x%3E>", b"sip:j@h?Route=%3Csip:x%3E", 400, b"Bad From"),
        (b"TO :", b"t: sip:a@b\r\nTO :", 400, b"Bad To"), (b"empty:", b"not a field", 400, b"Bad Header Line"),
        (b"  !odd.Method~`'\r\nv", b"  INVITE\r\nv", 400, b"CSeq Names Another Method"),
    ):  # fmt: skip
        assert old in good, old
        e = raises(ParseError, lambda: parse(good.replace(old, new)).check())
        assert (e.code, e.reason, e.message is not None) == (code, reason, True), new
    for old in (b", sip/2.0/UDP [2001:db8::9:1]:5070", b"SIP / 2.0 / TLS-SCTP\r\n spindle"):
        raises(ValueError, parse(good.replace(old, b", ")).each_via)
    raises(ValueError, parse(good.replace(b"<tel:+1>", b"<tel:+1")).uris, H_CONTACT)


def test_uris_of_a_field_that_lists_addresses():
    r = parse(INVITE)
    assert r.uris(H_RECORD_ROUTE) == [b"sip:p.b.com;lr", b"sip:q.b.com;lr", b"sip:r.b.com;lr"]
    assert r.uris(H_CONTACT) == [b"sip:alice@192.0.2.1:5070;ob", b"sip:other@h"] and r.uris(H_ROUTE) == []


def test_the_highest_cseq():
    r = parse(INVITE.replace(b"4294967 ", b"2147483647 "))
    r.check()
    assert r.cseq == 2147483647


def test_received_that_begins_like_the_host():
    for received in (b"a.com", b"a.co", b"a.com.", b"b.com", b"A.com"):
        r = parse(INVITE.replace(b"SIP/2.0/TCP p.b.com", b"SIP/2.0/TCP a.com;received=" + received))
        assert (r.via.host, r.via.received) == (b"a.com", received)
