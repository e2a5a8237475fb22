from expect import raises
from sip.address import NameAddr, Via, param, parse_name_addr, parse_uri, parse_via, quote, split_list, unquote


def uri(raw):
    u = parse_uri(raw)
    assert u.raw == raw
    return u.scheme, u.user, u.host, u.port, u.params, u.headers


def test_sip_uris():
    assert uri(b"sip:alice@atlanta.com") == (b"sip", b"alice", b"atlanta.com", 0, b"", b"")
    assert uri(b"SIPS:alice:pw@atlanta.com:5061;transport=tcp?a=b&c=d") == (
        b"sips", b"alice:pw", b"atlanta.com", 5061, b"transport=tcp", b"a=b&c=d",
    )  # fmt: skip
    assert uri(b"sip:192.0.2.1") == (b"sip", b"", b"192.0.2.1", 0, b"", b"")
    # RFC 3261 19.1.1: ; and ? may stand in the user part; escapes stay
    assert uri(b"sip:a;b?c%40d@h;lr")[1:5] == (b"a;b?c%40d", b"h", 0, b"lr")


def test_ipv6_references():
    assert uri(b"sip:a@[2001:db8::10]:5070;lr")[2:5] == (b"2001:db8::10", 5070, b"lr")
    assert uri(b"sip:[::ffff:192.0.2.10]")[2:4] == (b"::ffff:192.0.2.10", 0)
    for bad in (b"sip:a@[2001:db8::10", b"sip:a@[]", b"sip:a@[zz::]", b"sip:a@2001:db8::10", b"sip:a@[::1]x", b"sip:a@[::1]:"):
        raises(ValueError, parse_uri, bad)


def test_other_schemes():
    assert uri(b"tel:+1-201-555-0123;phone-context=x") == (b"tel", b"+1-201-555-0123", b"", 0, b"phone-context=x", b"")
    assert uri(b"http://example.com/;a")[:2] == (b"http", b"//example.com/;a")
    assert uri(b"nobodyKnowsThisScheme:totally")[0] == b"nobodyknowsthisscheme"


def test_bad_uris():
    for bad in (
        b"", b"sip", b":a", b"sip:", b"sip:@h", b"sip:a@", b"sip:a@h:", b"sip:a@h:x", b"sip:a@h:65536", b"sip:a@h:-1",
        b"sip:a@h h", b"sip:a b@h", b"<sip:a@h>", b"sip:a@h\r\nX: y", b"sip:a@h/x", b"1 sip:a@h", b"tel:", b"sip:a@h:5 060",
        b"sip:a@h:" + b"0" * 5000,
    ):  # fmt: skip
        raises(ValueError, parse_uri, bad)


def test_lr_and_parameters():
    u = parse_uri(b"sip:h;Transport=UDP;LR;x=%20")
    assert u.lr and u.param(b"transport") == b"UDP" and u.param(b"lr") == b"" and u.param(b"y") is None
    assert u.param(b"x") == b"%20" and not parse_uri(b"sip:h;lrx").lr and parse_uri(b"sip:h;lr=on").lr


def test_parameters_in_quotes():
    p = b' a = "x;b=1, \\"y\\"" ; B ; c=2'
    assert param(p, b"a") == b'x;b=1, "y"' and param(p, b"b") == b"" and param(p, b"c") == b"2" and param(p, b"x") is None


def test_quoting_and_back():
    for text in (b"", b"a", b'a"b', b"a\\b", b'\\"', b"\xc3\xa9 x"):
        assert unquote(quote(text)) == text
    assert unquote(b' token ') == b"token" and unquote(b'"') == b'"' and unquote(b'"a\\') == b'"a\\'


def test_lists():
    assert split_list(b'a, "b, c" <sip:d,e>;f="g,h" ,, i ') == [b"a", b'"b, c" <sip:d,e>;f="g,h"', b"i"]
    assert split_list(b"") == [] and split_list(b" , ") == [] and split_list(b"a;b", 59) == [b"a", b"b"]


def test_name_addrs():
    n = parse_name_addr(b'"Bob \\"the\\" B" <sip:bob@b.com;x=1>;tag=a73;y')
    assert n == (b'Bob "the" B', b"sip:bob@b.com;x=1", b"a73", b"tag=a73;y")
    assert n.param(b"y") == b"" and n.param(b"TAG".lower()) == b"a73" and n.param(b"x") is None
    assert parse_name_addr(b"Bob  B<sip:b@b> ; TAG = x ")[:3] == (b"Bob  B", b"sip:b@b", b"x")
    assert parse_name_addr(b"<sip:b@b;tag=no>") == (b"", b"sip:b@b;tag=no", None, b"")
    assert parse_name_addr(b" < sip:b@b > ").uri == b"sip:b@b"
    assert parse_name_addr(b"\xc3\x89ric <sip:b@b>").display == b"\xc3\x89ric"
    assert parse_name_addr(b'"a;tag=1, <" <sip:b@b>;x="y;tag=2";tag=3').tag == b"3"
    assert parse_name_addr(b"tel:+1;tag=x") == (b"", b"tel:+1", b"x", b"tag=x")
    assert isinstance(n, NameAddr)


def test_the_bare_form_gives_its_parameters_to_the_field():
    # RFC 3261 20.10
    assert parse_name_addr(b"sip:a@b;user=phone;tag=1") == (b"", b"sip:a@b", b"1", b"user=phone;tag=1")
    assert parse_name_addr(b"*").uri == b"*"


def test_bad_name_addrs():
    for bad in (
        b"", b" ", b"bob", b"<bob>", b"<sip:a@b", b'"a <sip:a@b>', b'"a\\" <sip:a@b>', b"sip:a@b x", b"sip:a@b?x=y", b"<:a>",
        b"<<sip:a@b>>", b"<sip:a@b> x", b"Bell, A <sip:a@b>", b'a "b" <sip:a@b>', b"<sip:a@b>,<sip:c@d>", b"<sip:a b@c>",
        b'<sip:a@b>;x="open', b'"a"', b'"a" sip:a@b', b"x" * 65536, b"<>", b"**",
    ):  # fmt: skip
        raises(ValueError, parse_name_addr, bad)


def test_vias():
    assert parse_via(b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;rport") == (
        b"UDP", b"192.0.2.1", 5060, b"z9hG4bKx", None, 0,
    )  # fmt: skip
    v = parse_via(b" sip / 2.0 / tcp  h.example.com : 5070 ; BRANCH = x ; received=192.0.2.9 ; rport=1234;ttl=1;hidden")
    assert v == (b"TCP", b"h.example.com", 5070, b"x", b"192.0.2.9", 1234) and isinstance(v, Via)
    assert parse_via(b"SIP/2.0/TLS [2001:db8::9:1];received=[2001:db8::9:255]")[:5] == (
        b"TLS", b"2001:db8::9:1", 0, None, b"[2001:db8::9:255]",
    )  # fmt: skip
    assert parse_via(b"SIP/2.0/TLS-SCTP my_host;").transport == b"TLS-SCTP"
    # any token is a version (RFC 4475 3.1.2.16 wants 505 sent by such a Via)
    assert parse_via(b"SIP/7.0/UDP h").host == b"h"
    assert parse_via(b"SIP/2.0/UDP h;x=\";branch=no\";branch=yes").branch == b"yes"
    assert parse_via(b"SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b", True).branch == b"1"
    assert parse_via(b"SIP/2.0/UDP h;branch;xbranch=2;branchy=3").branch == b""


def test_bad_vias():
    for bad in (
        b"", b"SIP/2.0", b"SIP/2.0/UDP", b"SIP/2.0/UDP ", b"SIP/2.0/ h", b"SIP/2.0 UDP h", b"SIP/2.0/UDP h;;rport", b"SIP/2.0/UDP h;=x", b"HTTP/2.0/UDP h", b"SIP/2.0/UDP :5060",
        b"SIP/2.0/UDP h:", b"SIP/2.0/UDP h:x", b"SIP/2.0/UDP h:65536", b"SIP/2.0/UDP h:99999999999", b"SIP/2.0/UDP [::1",
        b"SIP/2.0/UDP [", b"SIP/2.0/UDP h h", b"SIP/2.0/UDP h;rport=x", b"SIP/2.0/UDP h;rport=65536", b"SIP/2.0/UDP h@h",
        b'SIP/2.0/UDP h;x="', b"SIP/2.0/UDP a, SIP/2.0/UDP b", b"SIP/2.0/UDP " + b"h" * 65536,
    ):  # fmt: skip
        raises(ValueError, parse_via, bad)
