"""What a trace shows of a message: everything but what must stay secret."""

from sip import redact


def shown(*lines, body=b""):
    return "\n".join(redact.lines(b"\r\n".join(lines) + b"\r\n\r\n" + body))


REQUEST = b"REGISTER sip:192.0.2.10 SIP/2.0"
DIGEST = (
    b'Digest username="door", realm="a, \\"b\\"", nonce="n0nce", uri="sip:192.0.2.10", algorithm=SHA-256, '
    b'response="5ec4e7", qop=auth, nc=00000001, cnonce="c1ient", opaque="0paque"'
)


def test_a_message_is_shown_line_by_line_and_unfolded():
    data = b"\r\nOPTIONS sip:door@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;rport\r\nSubject: a\r\n  folded\r\n\tone\r\nl: 0\r\n\r\n"
    assert list(redact.lines(data)) == [
        "OPTIONS sip:door@192.0.2.1 SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.2;rport",
        "Subject: a folded one",
        "l: 0",
    ]


def test_answers_to_challenges_are_black_and_the_rest_helps():
    for name in (b"Authorization", b"Proxy-Authorization", b"AUTHORIZATION", b"authorization "):
        out = shown(REQUEST, name + b": " + DIGEST)
        for secret in ("n0nce", "5ec4e7", "c1ient", "0paque"):
            assert secret not in out, out
        assert 'username="door"' in out and 'uri="sip:192.0.2.10"' in out and "algorithm=SHA-256" in out
        assert "response=***" in out and "nonce=***" in out and "nc=00000001" in out
    out = shown(b"SIP/2.0 401 Unauthorized", b'WWW-Authenticate: Digest realm="pbx", nonce="n0nce", stale=TRUE, qop="auth,auth-int"')
    assert out.endswith('WWW-Authenticate: Digest realm="pbx", nonce=***, stale=TRUE, qop=***, ***'), out
    out = shown(b"SIP/2.0 200 OK", b'Authentication-Info: nextnonce="n0nce", rspauth="5ec4e7", qop=auth')
    assert out.endswith("Authentication-Info: nextnonce=***, rspauth=***, qop=auth")
    assert shown(REQUEST, b"Authorization: Basic ZG9vcjpodXNo").endswith("Authorization: ***")
    assert shown(REQUEST, b"X-Auth-Token: aHVzaA==").endswith("X-Auth-Token: ***")


def test_broken_credentials_betray_nothing():
    for value in (
        b'Digest username="x, response="5ec4e7"',
        b"Digest 5ec4e75ec4e75ec4e75ec4e75ec4e75ec4e7",
        b'Digest "5ec4e7"=x',
        b'Digest realm="a" response="5ec4e7"',
        b"Digest response\t=\t5ec4e7",
        b"Digest\r\n response=\"5ec4e7\"",
        b"Digest,response=5ec4e7",
        b"5ec4e7",
        b'username="door\\", response="5ec4e7"',
    ):
        out = shown(REQUEST, b"Authorization: " + value)
        assert "5ec4e7" not in out, out
    for lines in (
        (REQUEST, b"Authorization Digest response=5ec4e7"),  # no header field
        (REQUEST, b" Authorization: Digest response=5ec4e7"),  # what continues no header field
        (REQUEST, b"Subject: x\rAuthorization: Digest response=5ec4e7"),  # lines ended by half
        (REQUEST, b"Subject: x\nAuthorization: Digest response=5ec4e7"),
        (REQUEST, b"Subject: Authorization: Digest response=5ec4e7"),
    ):
        assert "5ec4e7" not in shown(*lines), lines


def test_passwords_in_uris_are_black():
    for uri, out in (
        (b"<sip:bob:hush@192.0.2.10>", "<sip:bob:***@192.0.2.10>"),
        (b"<SIPS:bob:hu@sh@192.0.2.10:5061>;tag=1", "<SIPS:bob:***@192.0.2.10:5061>;tag=1"),
        (b"sip:bob:hush@192.0.2.10;lr", "sip:bob:***@192.0.2.10;lr"),
        (b'"Bob" <sip:bob:hush@h>, <sip:al:hush@h>', '"Bob" <sip:bob:***@h>, <sip:al:***@h>'),
        (b"<http://bob:hush@192.0.2.10/tune.wav>", "<http://bob:***@192.0.2.10/tune.wav>"),
        (b"<sip:bob@h?Authorization=Digest%20response%3Dhush>", "<sip:bob@h?Authorization***"),
        (b"sip:sip:hush@h", "sip:sip:***@h"),
        (b"bobsip:hush@h", "bobsip:***@h"),
        (b"sip:a@h,sip:b:hush@h", "sip:a@h,sip:***@h"),
        (b"<sip:bob@192.0.2.10:5060>;tag=1", "<sip:bob@192.0.2.10:5060>;tag=1"),
        (b"<sip:bob@[2001:db8::1]:5060>", "<sip:bob@[2001:db8::1]:5060>"),
        (b"a84b4c76e66710@192.0.2.10", "a84b4c76e66710@192.0.2.10"),
    ):
        assert shown(REQUEST, b"Contact: " + uri).endswith("\nContact: " + out)
    assert shown(b"INVITE sip:bob:hush@h SIP/2.0") == "INVITE sip:bob:***@h SIP/2.0"
    out = shown(REQUEST, b'Authorization: Digest uri="sip:bob:hush@h"')
    assert 'uri="sip:bob:***@h"' in out


def test_an_offer_is_shown_without_its_keys():
    body = (
        b"v=0\r\nm=audio 20000 RTP/SAVP 0\r\nk=clear:hush\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:hush|2^20|1:4\r\n"
        b"A=CRYPTO:2 AES INLINE:hush\r\na=crypto:3 hush\r\na = crypto:3 hush\r\na=ice-pwd:hush\r\na=key-mgmt:mikey hush\r\na=rtpmap:0 PCMU/8000\r\n"
    )
    for kind in (b"Content-Type: application/sdp", b"c: Application/SDP;charset=utf-8"):
        out = shown(b"INVITE sip:x SIP/2.0", kind, body=body)
        assert "hush" not in out
        assert "\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***\n" in out, out
        assert "\nm=audio 20000 RTP/SAVP 0\n" in out and out.endswith("\na=rtpmap:0 PCMU/8000")


def test_private_texts_and_keys_that_are_pressed_are_not_shown():
    for kind in (b"text/plain", b"application/dtmf-relay", b"application/dtmf", b"multipart/mixed;boundary=x", b"", b"a b"):
        out = shown(b"MESSAGE sip:x SIP/2.0", b"Content-Type: " + kind, body=b"Signal=2580\r\n")
        assert "2580" not in out and "is not shown)" in out
    assert "2580" not in shown(b"INFO sip:x SIP/2.0", body=b"Signal=2580\r\n")


def test_what_comes_cannot_command_the_terminal():
    out = shown(REQUEST, b'From: "\x1b[2J\x07\x9b\xc2\x9bT\xc3\xbcr" <sip:x>', b"Subject: \x00\x7f")
    assert all(" " <= c < "\x7f" or c >= "\xa0" or c == "\n" for c in out)
    assert "T\u00fcr" in shown(REQUEST, b"From: T\xc3\xbcr <sip:x>")
    assert "... (" in shown(REQUEST, b"Subject: " + b"x" * 5000) and len(shown(REQUEST, b"Subject: " + b"x" * 5000)) < 400


def test_what_is_no_sip_is_only_counted():
    for data in (b"", b"\r\n\r\n", b"\x00\x01\x00\x00" * 5, b"GET / HTTP/1.1\r\nAuthorization: Basic hush\r\n\r\n", b"\n\n \n"):
        out = list(redact.lines(data))
        assert out == ["(%d bytes that are no SIP message)" % len(data)], out
    assert list(redact.lines(b"BYE sip:x SIP/2.0")) == ["BYE sip:x SIP/2.0"]


def test_headings():
    assert redact.heading(b"SIP/2.0 180 Ringing\r\nVia: x\r\nCSeq: 2 INVITE\r\n\r\n") == "180 Ringing (INVITE)"
    assert redact.heading(b"SIP/2.0 180 Ringing\r\n\r\nCSeq: 2 INVITE") == "SIP/2.0 180 Ringing"
    assert redact.heading(b"\r\nBYE sip:bob:hush@h SIP/2.0\r\nCSeq: 2 BYE\r\n\r\n") == "BYE sip:bob:***@h"
    assert redact.heading(b"") == "(0 bytes that are no SIP message)"
