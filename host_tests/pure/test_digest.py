from expect import raises
from sip.digest import Authenticator
from sip.hashes import digest_response, parse_challenge
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


def sent(method=b"REGISTER", uri=b"sip:r.com", lines=None, body=b""):
    """A request of ours, with the credentials that `lines` are."""
    head = method + b" " + uri + b" SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=x\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 " + method
    return parse(head + b"\r\n" + (lines + b"\r\n" if lines else b"") + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def answered(challenge, status=401, method=b"REGISTER", uri=b"sip:r.com", user="u", password="p"):
    a = Authenticator(user, password)
    assert a.line(method, uri) is None
    return fields(a.answer(reply(status, challenge), sent(method, uri)))


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
    line = a.answer(reply(401, b'Digest realm="r", nonce="n", algorithm=MD5, qop="auth", opaque="o"'), sent(b"INVITE", b"sip:x"))
    for part in (b'username="u"', b'realm="r"', b'nonce="n"', b'uri="sip:x"', b'opaque="o"', b"algorithm=MD5", b"qop=auth", b"nc=00000001"):
        assert part in line, part
    assert b'response="' in line and b'cnonce="' in line


def test_each_use_of_a_nonce_is_counted():
    a = Authenticator("u", "p")
    a.answer(reply(401, b'Digest realm="r", nonce="n", qop="auth"'), sent())
    lines = [a.line(b"BYE", b"sip:x") for _ in range(3)]
    assert [fields(line)[b"nc"] for line in lines] == [b"00000002", b"00000003", b"00000004"]
    # another request that the server challenges with the same nonce: counted on, not begun anew
    assert fields(a.answer(reply(401, b'Digest realm="r", nonce="n", qop="auth"'), sent(b"INVITE")))[b"nc"] == b"00000005"
    got = fields(a.answer(reply(401, b'Digest realm="r", nonce="m", qop="auth", stale=true'), sent(lines=lines[2])))
    assert got[b"nc"] == b"00000001" and got[b"nonce"] == b"m"


def test_the_next_nonce_is_used_when_the_server_names_one():
    a = Authenticator("u", "p")
    a.answer(reply(401, b'Digest realm="r", nonce="n", qop="auth"'), sent())
    a.next_nonce(b'qop=auth, rspauth="00", nextnonce="m, 2"')
    got = fields(a.line(b"REGISTER", b"sip:x"))
    assert got[b"nonce"] == b"m, 2" and got[b"nc"] == b"00000001" and got[b"realm"] == b"r"
    for junk in (b"", b"nextnonce", b'nextnonce=""', b"qop=auth"):
        a.next_nonce(junk)
    assert fields(a.line(b"REGISTER", b"sip:x"))[b"nonce"] == b"m, 2"


def test_the_body_is_covered_where_only_auth_int_is_taken():
    a = Authenticator("u", "p")
    got = fields(a.answer(reply(401, b'Digest realm="r", nonce="n", qop="auth-int"'), sent(b"MESSAGE", b"sip:x", body=b"hello")))
    assert got[b"qop"] == b"auth-int"
    wanted = digest_response(b"MD5", b"u", b"r", b"p", b"MESSAGE", b"sip:x", b"n", b"00000001", got[b"cnonce"], b"auth-int", b"hello")
    assert got[b"response"] == wanted


def test_an_account_without_a_password():
    got = answered(b'Digest realm="tel.t-online.de", nonce="n", qop="auth"', user="anonymous@t-online.de", password="")
    wanted = digest_response(
        b"MD5", b"anonymous@t-online.de", b"tel.t-online.de", b"", b"REGISTER", b"sip:r.com", b"n", b"00000001", got[b"cnonce"], b"auth"
    )
    assert got[b"response"] == wanted


def test_the_best_of_several_challenges():
    # RFC 8760 2.3
    a = Authenticator("u", "p")
    line = a.answer(
        reply(
            401,
            b'Digest realm="r", nonce="sha512", algorithm=SHA-512-256',
            b'Digest realm="r", nonce="md5", algorithm=MD5',
            b'Digest realm="r", nonce="sha", algorithm=SHA-256',
            b"Basic realm=x",
            b"nonsense",
        ),
        sent(),
    )
    assert fields(line)[b"nonce"] == b"sha" and b"\r\n" not in line


def test_what_cannot_be_answered_is_not():
    for challenge in (
        b'Digest realm="r", nonce="n", algorithm=SHA-512-256', b'Digest realm="r", nonce="n", qop="future"', b'Digest realm="r"',
        b'Digest nonce="n"', b'Basic realm="r"', b"", b"Digest",
    ):  # fmt: skip
        a = Authenticator("u", "p")
        assert a.answer(reply(401, challenge), sent()) is None and a.line(b"BYE", b"sip:x") is None, challenge
    a = Authenticator("u", "p")
    assert a.answer(reply(401), sent()) is None, "a 401 without a challenge"


def test_a_second_refusal_is_final_and_the_next_attempt_begins_anew():
    a = Authenticator("u", "p")
    first = a.answer(reply(401, b'Digest realm="r", nonce="n"'), sent())
    assert a.answer(reply(401, b'Digest realm="r", nonce="new"'), sent(lines=first)) is None
    assert a.line(b"REGISTER", b"sip:r.com") is None
    assert a.answer(reply(401, b'Digest realm="r", nonce="later"'), sent())


def test_a_stale_nonce_is_no_refusal_but_not_for_ever():
    a = Authenticator("u", "p")
    line = a.answer(reply(401, b'Digest realm="r", nonce="0"'), sent())
    count = 0
    while line:
        count += 1
        line = a.answer(reply(401, b'Digest realm="r", nonce="%d", stale=TRUE' % count), sent(lines=line))
    assert count == 3


def test_a_server_that_does_not_say_stale():
    # A nonce that was accepted once and is not any more: many registrars send a new one, and nothing else.
    a = Authenticator("u", "p")
    a.answer(reply(401, b'Digest realm="r", nonce="n"'), sent())
    refresh = a.line(b"REGISTER", b"sip:r.com")
    again = a.answer(reply(401, b'Digest realm="r", nonce="m"'), sent(lines=refresh))
    assert fields(again)[b"nonce"] == b"m"
    assert a.answer(reply(401, b'Digest realm="r", nonce="o"'), sent(lines=again)) is None


def test_a_request_that_was_under_way_with_an_older_nonce_is_sent_again():
    a = Authenticator("u", "p")
    old = a.answer(reply(401, b'Digest realm="r", nonce="n"'), sent())
    a.answer(reply(401, b'Digest realm="r", nonce="m"'), sent(b"INVITE"))
    assert fields(a.answer(reply(401, b'Digest realm="r", nonce="o"'), sent(lines=old)))[b"nonce"] == b"o"


def test_a_server_and_its_proxies_may_all_ask():
    a = Authenticator("u", "p")
    line = a.answer(reply(407, b'Digest realm="proxy", nonce="1"'), sent(b"INVITE", b"sip:x"))
    line = a.answer(reply(407, b'Digest realm="second", nonce="2"'), sent(b"INVITE", b"sip:x", line))
    assert line.count(b"Proxy-Authorization: ") == 2
    line = a.answer(reply(401, b'Digest realm="server", nonce="3"'), sent(b"INVITE", b"sip:x", line))
    lines = sorted(line.split(b"\r\n"))
    assert len(lines) == 3 and lines[0].startswith(b"Authorization: ") and lines[1].startswith(b"Proxy-Authorization: ")
    assert b'realm="server"' in lines[0] and b"nc=" not in line
    # a request of another kind is not told what the proxies asked
    only = a.answer(reply(401, b'Digest realm="server", nonce="4"'), sent(b"REGISTER", b"sip:x"))
    assert only.count(b"Authorization: ") == 1


def test_no_number_of_realms_goes_on_for_ever():
    a = Authenticator("u", "p")
    line = a.answer(reply(407, b'Digest realm="0", nonce="1"'), sent(b"INVITE", b"sip:x"))
    count = 0
    while line:
        count += 1
        line = a.answer(reply(407, b'Digest realm="%d", nonce="1"' % count), sent(b"INVITE", b"sip:x", line))
    assert count == 4
    for realm in range(20):
        assert a.answer(reply(401, b'Digest realm="%d", nonce="1"' % realm), sent())
    assert len(a._answers) <= 4
