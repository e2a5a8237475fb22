"""The lines that an offer and an answer begin with (RFC 8866 5). Loaded for the moment by offer.py and answering.py."""


def head(host, session_id, version):
    """The lines before the first m=, of an offer or an answer."""
    kind = b"IP6" if ":" in host else b"IP4"
    host = host.encode()
    return b"v=0\r\no=- %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n" % (
        session_id, version, kind, host, kind, host,
    )  # fmt: skip
