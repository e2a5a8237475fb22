from expect import raises
from sip.digest import Authenticator, digest_response, parse_challenge
from sip.message import parse


def reply(status, *challenges):
    head = b"SIP/2.0 %d No\r\nVia: SIP/2.0/UDP h;branch=x\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n" % status
    name = b"Proxy-Authenticate: " if status == 407 else b"WWW-Authenticate: "
    return parse(head + b"".join([name + one + b"\r\n" for one in challenges]) + b"\r\n")


def test_rfc_2617_and_7616_vectors():
    circle = (b"Mufasa", b"testrealm@host.com", b"Circle Of Life", b"GET", b"/dir/index.html", b"dcd98b7102dd2f0e8b11d0f600bfb0c093")
    assert digest_response(b"MD5", *circle, b"00000001", b"0a4f113b", b"auth") == b"6629fae49393a05397450978507c4ef1"
    life = (b"Mufasa", b"http-auth@example.org", b"Circle of Life", b"GET", b"/dir/index.html", b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v")
    cnonce = b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    assert digest_response(b"MD5", *life, b"00000001", cnonce, b"auth") == b"8ca523f5e9506fed4657c9700eebdbec"
    assert (
        digest_response(b"sha-256", *life, b"00000001", cnonce, b"auth")
        == b"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    )


def test_responses_of_each_kind():
    # computed with another implementation (Python's hashlib, by the formulae of RFC 7616 3.4)
    from binascii import hexlify
    from hashlib import md5, sha256

    def h(kind, text):
        return hexlify(kind(text).digest())

    for name, kind in ((b"MD5", md5), (b"SHA-256", sha256)):
        a1 = h(kind, b"u:r:p")
        a2 = h(kind, b"BYE:sip:x")
        assert digest_response(name, b"u", b"r", b"p", b"BYE", b"sip:x", b"n") == h(kind, a1 + b":n:" + a2)
        session = h(kind, a1 + b":n:c")
        got = digest_response(name + b"-sess", b"u", b"r", b"p", b"BYE", b"sip:x", b"n", b"00000002", b"c", b"auth")
        assert got == h(kind, session + b":n:00000002:c:auth:" + a2)
        a2 = h(kind, b"BYE:sip:x:" + h(kind, b"body"))
        got = digest_response(name, b"u", b"r", b"p", b"BYE", b"sip:x", b"n", b"00000001", b"c", b"auth-int", b"body")
        assert got == h(kind, a1 + b":n:00000001:c:auth-int:" + a2)


def test_challenges_as_they_come():
    got = parse_challenge(b'Digest realm="a, \\"b\\" = c", NONCE=abc,qop="auth,auth-int" , Stale=TRUE, algorithm=md5, opaque=""')
    assert got == {
        b"": b"digest", b"realm": b'a, "b" = c', b"nonce": b"abc", b"qop": b"auth,auth-int", b"stale": b"TRUE",
        b"algorithm": b"md5", b"opaque": b"",
    }  # fmt: skip
    for bad in (b"", b"Digest", b"Digest realm", b'Digest ="x"', b"Digest a=b, c"):
        raises(ValueError, parse_challenge, bad)


def fields(line):
    name, _, rest = line.partition(b": ")
    found = parse_challenge(rest)
    found[b"name"] = name
    return found


def answered(challenge, status=401, method=b"REGISTER", uri=b"sip:r.com", user="u", password="p"):
    a = Authenticator(user, password)
    assert a.line(method, uri) is None and a.challenged(status, reply(status, challenge), False)
    return fields(a.line(method, uri))


def test_an_answer_to_each_kind_of_challenge():
    got = answered(b'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth", opaque="o"')
    assert (got[b"name"], got[b"username"], got[b"realm"], got[b"nonce"], got[b"uri"]) == (b"Authorization", b"u", b"r", b"n", b"sip:r.com")
    assert got[b"algorithm"] == b"SHA-256" and got[b"qop"] == b"auth" and got[b"nc"] == b"00000001" and got[b"opaque"] == b"o"
    wanted = digest_response(b"SHA-256", b"u", b"r", b"p", b"REGISTER", b"sip:r.com", b"n", b"00000001", got[b"cnonce"], b"auth")
    assert got[b"response"] == wanted
    # RFC 2069: no qop, and no algorithm said means MD5
    got = answered(b'Digest realm="r", nonce="n"', 407)
    assert got[b"name"] == b"Proxy-Authorization" and b"qop" not in got and b"nc" not in got and b"algorithm" not in got
    assert got[b"response"] == digest_response(b"MD5", b"u", b"r", b"p", b"REGISTER", b"sip:r.com", b"n")
    # the algorithm goes back as it was spelt; -sess needs the cnonce even without qop
    got = answered(b'Digest realm="r", nonce="n", algorithm=md5-SESS')
    assert got[b"algorithm"] == b"md5-SESS" and b"cnonce" in got
    # what is quoted stays quoted
    got = answered(b'Digest realm="a \\"b\\", c", nonce="n\\\\m"', user='us"er', password="p\u00e4")
    assert got[b"realm"] == b'a "b", c' and got[b"nonce"] == b"n\\m" and got[b"username"] == b'us"er'
    wanted = digest_response(b"MD5", b'us"er', b'a "b", c', "p\u00e4".encode(), b"REGISTER", b"sip:r.com", b"n\\m")
    assert got[b"response"] == wanted


def test_the_quotes_on_the_wire():
    # RFC 7616 3.4: these are quoted, these are not
    a = Authenticator("u", "p")
    a.challenged(401, reply(401, b'Digest realm="r", nonce="n", algorithm=MD5, qop="auth", opaque="o"'), False)
    line = a.line(b"INVITE", b"sip:x")
    for part in (b'username="u"', b'realm="r"', b'nonce="n"', b'uri="sip:x"', b'opaque="o"', b"algorithm=MD5", b"qop=auth", b"nc=00000001"):
        assert part in line, part
    assert b'response="' in line and b'cnonce="' in line


def test_each_use_of_a_nonce_is_counted():
    a = Authenticator("u", "p")
    a.challenged(401, reply(401, b'Digest realm="r", nonce="n", qop="auth"'), False)
    assert [fields(a.line(b"BYE", b"sip:x"))[b"nc"] for _ in range(3)] == [b"00000001", b"00000002", b"00000003"]
    a.challenged(401, reply(401, b'Digest realm="r", nonce="m", qop="auth", stale=true'), True)
    got = fields(a.line(b"BYE", b"sip:x"))
    assert got[b"nc"] == b"00000001" and got[b"nonce"] == b"m"


def test_the_best_of_several_challenges():
    # RFC 8760 2.3
    a = Authenticator("u", "p")
    assert a.challenged(
        401,
        reply(
            401,
            b'Digest realm="r", nonce="sha512", algorithm=SHA-512-256',
            b'Digest realm="r", nonce="md5", algorithm=MD5',
            b'Digest realm="r", nonce="sha", algorithm=SHA-256',
            b"Basic realm=x",
            b"nonsense",
        ),
        False,
    )
    assert fields(a.line(b"BYE", b"sip:x"))[b"nonce"] == b"sha"


def test_what_cannot_be_answered_is_not():
    for challenge in (
        b'Digest realm="r", nonce="n", algorithm=SHA-512-256', b'Digest realm="r", nonce="n", qop="future"', b'Digest realm="r"',
        b'Digest nonce="n"', b'Basic realm="r"', b"", b"Digest",
    ):  # fmt: skip
        a = Authenticator("u", "p")
        assert not a.challenged(401, reply(401, challenge), False) and a.line(b"BYE", b"sip:x") is None, challenge


def test_a_second_refusal_is_final_unless_stale():
    a = Authenticator("u", "p")
    assert a.challenged(401, reply(401, b'Digest realm="r", nonce="n"'), False)
    a.line(b"REGISTER", b"sip:x")
    assert not a.challenged(401, reply(401, b'Digest realm="r", nonce="n"'), True)
    assert not a.challenged(401, reply(401, b'Digest realm="r", nonce="new"'), True)
    assert a.challenged(401, reply(401, b'Digest realm="r", nonce="new", stale=TRUE'), True)
    # a later request went without: that is no refusal of the password
    assert a.challenged(401, reply(401, b'Digest realm="r", nonce="later"'), False)


def test_a_server_and_a_proxy_may_both_ask():
    a = Authenticator("u", "p")
    assert a.challenged(407, reply(407, b'Digest realm="proxy", nonce="1"'), False)
    a.line(b"INVITE", b"sip:x")
    assert a.challenged(401, reply(401, b'Digest realm="server", nonce="2"'), True)
    lines = sorted(a.line(b"INVITE", b"sip:x").split(b"\r\n"))
    assert lines[0].startswith(b"Authorization: ") and lines[1].startswith(b"Proxy-Authorization: ")
