"""A phone of the house without sound: it registers with a password, rings when it is called, and hangs up when it is told to.

    with Handset("101", "secret", door.address) as phone:
        phone.register()
        phone.answers()                 what has come is answered: INVITE with 180, CANCEL with 200 and 487
"""
import hashlib
import re
import selectors
import time

from .process import RigError
from .wire import Wire


def _hash(name, *parts):
    return getattr(hashlib, name)(":".join(parts).encode()).hexdigest()


class Handset(Wire):
    """`user` with `password` at a door `host`, by one of the algorithms that it offers. `lasts_s`: what it asks to be registered for."""

    def __init__(self, user, password, host, algorithm="SHA-256", lasts_s=300, port=5060):
        super().__init__((host, 5060), port)
        self.user = user
        self.password = password
        self.algorithm = algorithm
        self.lasts_s = lasts_s
        self.sequence = 0
        self.rung = []              # the INVITEs that came
        self.reasons = []           # the Reason of each CANCEL
        self.challenge = None       # nonce, and how often it was used
        self.registration = self._fresh()

    @property
    def uri(self):
        return "sip:%s@%s:%d" % (self.user, self.address, self.port)

    def credentials(self, method, uri, header):
        """The line that answers the newest challenge."""
        name = {"MD5": "md5", "SHA-256": "sha256"}[self.algorithm]
        realm, nonce, count = self.challenge
        self.challenge = realm, nonce, count + 1
        count, own = "%08x" % (count + 1), self._fresh()
        response = _hash(name, _hash(name, self.user, realm, self.password), nonce, count, own, "auth", _hash(name, method, uri))
        return '%s: Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=%s, qop=auth, nc=%s, cnonce="%s"' % (
            header, self.user, realm, nonce, uri, response, self.algorithm, count, own)

    def take_challenge(self, message):
        """Keeps the nonce of a 401 or 407, for the algorithm that we like if it is offered."""
        offered = {}
        for value in message.all("www-authenticate") + message.all("proxy-authenticate"):
            found = {key: re.search(key + '="?([^",]*)', value).group(1) for key in ("realm", "nonce", "algorithm")}
            offered[found["algorithm"]] = found["realm"], found["nonce"], 0
        if offered and self.algorithm not in offered:
            self.algorithm = list(offered)[0]
        self.challenge = offered.get(self.algorithm)
        return bool(offered)

    def register_text(self, lasts_s=None):
        """A REGISTER, with an answer to the newest challenge if there was one."""
        uri = "sip:%s" % self.target[0]
        self.sequence += 1
        lines = ["Expires: %d" % (self.lasts_s if lasts_s is None else lasts_s)]
        if self.challenge:
            lines.append(self.credentials("REGISTER", uri, "Authorization"))
        return self.request("REGISTER", uri, self.sequence, headers=lines, call_id=self.registration, tag="r" + self.registration)

    def register(self, lasts_s=None):
        """-> the final answer. A nonce that was good once is used again, as phones do."""
        for _ in range(3):
            answer = self.transact(self.register_text(lasts_s), 200, 401, 403, 423, 500, 503, cseq="%d REGISTER" % self.sequence)
            if answer.status != 401 or self.challenge and self.challenge[2] == 1 or not self.take_challenge(answer):
                return answer
        return answer

    def request(self, method, uri=None, cseq=1, to_tag="", **more):
        text = super().request(method, uri, cseq, to_tag, **more)
        if method == "REGISTER":
            return text.replace(("To: <%s>" % uri).encode(), ("To: <sip:%s@%s>" % (self.user, self.target[0])).encode(), 1)
        return text

    def take(self, message):
        """What a phone that rings does with a message: -> its method, or status."""
        if message.method == "INVITE":
            if not any(one.get("call-id") == message.get("call-id") for one in self.rung):
                self.rung.append(message)
            self.send(self.answer(message, 180, "Ringing", "h" + self.user))
        elif message.method == "CANCEL":
            self.reasons.append(message.get("reason"))
            self.send(self.answer(message, 200, "OK", "h" + self.user))
            self.send(self.answer(self.rung[-1], 487, "Request Terminated", "h" + self.user))
        elif message.method in ("OPTIONS", "BYE"):
            self.send(self.answer(message, 200, "OK", "h" + self.user))
        return message.method or message.status


def until(phones, done, what, timeout_s=10):
    """Lets all these handsets do what phones do, until `done()` is true."""
    end = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        for phone in phones:
            selector.register(phone.socket, selectors.EVENT_READ, phone)
        while not done():
            if time.monotonic() > end:
                raise RigError("not in %g s: %s" % (timeout_s, what))
            for key, _ in selector.select(0.05):
                message = key.data.receive(0.5)
                if message:
                    key.data.take(message)


def accounts(folder, numbers, realm="house"):
    """Writes phones.txt for a door that is yet to start -> {number: password}."""
    passwords = {number: "secret-of-" + number for number in numbers}
    with open("%s/phones.txt" % folder, "w") as f:
        for number, password in passwords.items():
            f.write("%s p%s %s %s\n" % (number, number, _hash("md5", number, realm, password), _hash("sha256", number, realm, password)))
    return passwords
