"""A house with a way out on a network that exists only here: its provider is at 198.51.100.9."""

from house_sip import Home
from lend import lend
from virtual_sip import SDP

from sip.message import response

ANSWER = SDP.replace(b"192.0.2.2", b"198.51.100.77")
CHALLENGE = b'WWW-Authenticate: Digest realm="far", nonce="%s", algorithm=MD5, qop="auth"'


class Outside(Home):
    """A house with phones 101, 102, ... at 192.0.2.11, .12, ... and an account 555 at 198.51.100.9."""

    def __init__(self, *numbers, prefixes=(b"0", b"+49"), phones=b""):
        Home.__init__(self)
        self.provider = self.phone("198.51.100.9")
        account = lend("sip.accounts").make(self.door, ("198.51.100.9", "555", "secret", "", 300, "", "", "", ""))
        self.house.out = ((account, prefixes, phones),)
        self.upstream = account
        account.start()
        self.say(self.asked(b"REGISTER"), 200, more=(b"Contact: <sip:555@192.0.2.1:5060>;expires=300",), contact=False)
        assert account.contact
        self.members = [self.member(b"%d" % number, 11 + n) for n, number in enumerate(numbers)]
        for one in self.members:
            assert one.register().status == 200

    def asked(self, method):
        """The newest request of this method that came to the provider."""
        return self.provider.last(method=method)

    def say(self, request, status, body=b"", more=(), tag=b"far", contact=True):
        lines = ((b"Contact: <sip:gw@198.51.100.9:5060>",) if contact else ()) + tuple(more)
        self.provider.send(response(request, status, to_tag=tag, lines=lines, body=body, content_type=b"application/sdp" if body else None))

    def ask(self, method, uri, call_id=b"in1", sequence=1, to=None, sender=b'"Aunt" <sip:0171@far>;tag=aunt', body=b"", more=(), branch=None):
        """A request of the provider's."""
        lines = [
            b"%s %s SIP/2.0" % (method, uri), b"Via: SIP/2.0/UDP 198.51.100.9:5060;branch=z9hG4bK" + (branch or b"%s%d%s" % (call_id, sequence, method)),
            b"Max-Forwards: 70", b"From: " + sender, b"To: " + (to or b"<%s>" % uri), b"Call-ID: " + call_id,
            b"CSeq: %d %s" % (sequence, method), b"Contact: <sip:gw@198.51.100.9:5060>",
        ]  # fmt: skip
        lines.extend(more)
        if body:
            lines.append(b"Content-Type: application/sdp")
        self.provider.send(b"\r\n".join(lines) + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def over(self):
        """Nothing is left of any call."""
        self.run(70000)
        assert not self.house.bridged and not self.house.forwards
        assert not [one for one in self.door.transactions._table.values() if one.key.find(b"REGISTER") < 0]
        assert self.door.faults == 0 and not self.door.calls


def answered(home, phone, number=b"0123"):
    """A call that is up -> (200 at the phone, INVITE at the provider)."""
    phone.invite(number)
    invite = home.asked(b"INVITE")
    home.say(invite, 200, ANSWER)
    ok = phone.last(200)
    inside(phone, ok, b"ACK", sequence=phone.sequence)
    assert home.asked(b"ACK").cseq == invite.cseq
    return ok, invite


def inside(phone, ok, method, **more):
    """A request of the phone in the call that `ok` answered."""
    uri = ok.contact_uri
    return phone.send(phone.text(method, uri, to=ok.to_uri, to_tag=ok.to_tag, call_id=ok.call_id, **more))
