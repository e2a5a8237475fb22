"""Answering digest challenges (RFC 7616 and, for what still speaks it, RFC 2617; choice of algorithm RFC 8760). Loaded for the
moment; so is each of its two steps, as a small heap has not room for both: challenged.py and credentials.py."""

from lend import lend


class Authenticator:
    """One account's answers to 401 and 407. `user` and `password` are bytes or str (sent as UTF-8). `answers` is the
    dictionary that holds what was taken up, for a caller who keeps it longer than this object."""

    def __init__(self, user, password, answers=None):
        self.user = user if isinstance(user, bytes) else user.encode()
        self.password = password if isinstance(password, bytes) else password.encode()
        # (is it a proxy's, realm) -> challenge: a request may need a server's and those of several proxies
        self._answers = {} if answers is None else answers

    def answer(self, message, sent):
        """Takes up the challenges of a 401 or 407 (`message`) to the request `sent`, both Messages. Returns the header
        field lines, joined by CRLF, with which the request makes sense again, or None: a second refusal is final.

        Of several challenges for a realm the best is taken (RFC 8760 2.3). What an earlier proxy on the way asked for is
        answered again beside it (22.3). A refusal of a nonce that was accepted before counts as stale, whether the server
        says so or not; each nonce is counted as long as it is used. So no server, however it answers, makes us repeat
        a request for ever.
        """
        chain = lend("sip.challenged").take(self._answers, message, sent)
        return chain and self._lines(chain, sent.method, sent.uri, sent.body)

    def line(self, method, uri, body=b""):
        """The header field lines to add to a request with this method and exactly this request URI, to a server that
        asked earlier; None when nothing was asked yet. Counts the nonces' use."""
        return self._lines(self._answers, method, uri, body) if self._answers else None

    def next_nonce(self, value):
        """Authentication-Info of a 2xx from the server (RFC 7616 3.5): the nonce to use from now on."""
        lend("sip.challenged").follow(self._answers, value)

    def _lines(self, keys, method, uri, body):
        return lend("sip.credentials").lines(self, self._answers, keys, method, uri, body)
