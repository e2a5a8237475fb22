"""Where messages end on a stream (RFC 3261 18.3, 7.5)."""

from virtual_sip import SDP, request

from sip.stream import frame

WHOLE = request(b"INVITE", body=SDP)


def fields(*lines):
    return b"OPTIONS sip:a@b SIP/2.0\r\nVia: x\r\n" + b"".join([line + b"\r\n" for line in lines]) + b"\r\n"


def test_a_message_ends_where_its_content_length_says():
    assert frame(WHOLE) == len(WHOLE)
    assert frame(WHOLE + b"INVITE") == len(WHOLE)
    assert frame(b"12345" + WHOLE + WHOLE, 5) == 5 + len(WHOLE)


def test_no_part_of_it_is_taken_for_the_whole():
    for size in range(len(WHOLE)):
        assert frame(WHOLE[:size]) == 0, size


def test_content_length_in_every_spelling():
    for line in (b"Content-Length: 3", b"content-length:3", b"CONTENT-LENGTH \t:  3 ", b"l: 3", b"L:3", b"Content-Length:\r\n 3",
                 b"Content-Length: 003"):
        data = fields(b"Subject: x", line, b"Content-Type: text/plain")
        assert frame(data + b"abc") == len(data) + 3 and frame(data + b"ab") == 0, line


def test_what_only_looks_like_it_is_none():
    for line in (b"X-Content-Length: 3", b"Content-Lengthy: 3", b"Subject: a\r\n l: 3", b"Subject: a\r\n\tContent-Length: 3", b"la: 3"):
        assert frame(fields(line)) == -400, line
        data = fields(line, b"Content-Length: 0")
        assert frame(data) == len(data), line


def test_missing_wrong_and_contradicting_lengths():
    for lines in ((), (b"Content-Length:",), (b"Content-Length: -1",), (b"Content-Length: 3a",), (b"Content-Length: 3, 3",),
                  (b"Content-Length: 3", b"l: 4"), (b"Content-Length: 3", b"Content-Length: 0"), (b"l: 9999999",)):
        assert frame(fields(*lines)) == -400, lines
    data = fields(b"Content-Length: 0", b"l: 0")
    assert frame(data) == len(data)


def test_too_long_is_known_at_once():
    assert frame(fields(b"Content-Length: 8192")) == -513
    assert frame(fields(b"Content-Length: 7000")) == 0
    assert frame(fields(b"Content-Length: 999999")) == -513
    assert frame(b"OPTIONS sip:a SIP/2.0\r\n" + b"Subject: 9\r\n" * 700) == -513


def test_what_is_no_sip_is_known_by_its_first_line():
    for data in (b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\r\n", b"x" * 1025, b"\x00" * 2000, b"hello\r\nSIP/2.0 200 OK\r\n"):
        assert frame(data) == -1, data
    assert frame(b"x" * 1024) == 0
    assert frame(b"SIP/2.0 200 OK\r\n") == 0 and frame(b"OPTIONS sip:a sip/2.0\r\n") == 0
