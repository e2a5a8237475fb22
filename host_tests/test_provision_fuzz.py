"""The address where a phone fetches its account, and whatever else may be sent to it."""
from hypothesis import given, settings
from hypothesis import strategies as st

PATH = b"/AbCdEfGhIjKlMnOp"
ACCOUNT = ("192.0.2.7", "house", "101", "kitchen", "s3cret")
PIECES = st.sampled_from([PATH, b"GET ", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\r\n\r\n", b"Host: x\r\n",
                          b"Accept: text/html\r\n", b" ", b"/", b"POST ", b"\x00", b"\n", b"%s%d"])
REQUESTS = st.lists(st.one_of(PIECES, st.binary(max_size=30)), max_size=20).map(b"".join)


@given(st.one_of(REQUESTS, st.binary(max_size=1200), REQUESTS.map(lambda rest: b"GET " + PATH + b" HTTP/1.1\r\n" + rest)))
@settings(max_examples=300, deadline=None)
def test_the_account_is_for_one_request_only(request):
    from door import provision
    is_given, response = provision.answer(request, PATH, ACCOUNT)
    head, _, rest = request.partition(b"\r\n\r\n")
    is_whole = b"\r\n\r\n" in request
    assert bool(response) == (is_whole or len(request) >= 1024)
    line = head.partition(b"\r\n")[0]
    is_right = line in (b"GET " + PATH + b" HTTP/1.1", b"GET " + PATH + b" HTTP/1.0")
    assert is_given == (is_whole and is_right and b"text/html" not in request)
    assert is_given == (b"s3cret" in response)
    if response:
        status, _, body = response.partition(b"\r\n\r\n")
        assert status.startswith(b"HTTP/1.1 ") and b"\r\nContent-Length: %d\r\n" % len(body) in status
