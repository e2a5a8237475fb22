"""What a house makes of each message of RFC 4475 and RFC 5118, as the registrar and proxy of the domain that it names: its
Request-URI's host is this house, its user has a phone, and who sends it may call. What a user agent answers is in
test_torture_answers.py; the messages come from the folder that TORTURE_DIR names. PASSES has been held against the prose of the
RFCs: where they leave a choice, the comment says which we took."""

import os

from house_sip import Home, hashes_of

from sip.digest import Authenticator
from sip.address import parse_uri
from sip.message import ParseError, parse
from sip.scan import H_ROUTE
from sip.server.location import plain

ON = "to the phone"
SILENCE = None

PASSES = {
    # RFC 4475 3.1.1: valid
    "wsinv": (ON, b"UnknownHeaderWithUnusualValue:", b"Max-Forwards: 67"),  # 0068
    "intmeth": (404,),  # nobody here has a comma in his name
    "esc01": (ON, b"v%61lue%25%34%31"),  # for sips:user@example.com, a user of example.net
    "escnull": (200, b"<sip:%00@host5.example.com>", b"<sip:%00%00@host5.example.com>"),
    "esc02": (501,),  # it names nobody: the door itself, which does not dance so; it is not REGISTER
    "lwsdisp": (ON, b"caller<sip:caller@example.com>;tag=323"),
    "longreq": (ON,),
    "dblreq": (200, b"sip:j.user@host.example.com"),
    "semiuri": (ON,),
    "transports": (ON, b"SIP/2.0/UNKNOWN"),
    "mpart01": (403,),  # its Route is another's, on another port
    "unreason": SILENCE,
    "noreason": SILENCE,
    # 3.1.2: invalid
    "badinv01": (400,),
    "clerr": (400,),
    "ncl": (400,),
    "scalar02": (400,),
    "scalarlg": SILENCE,
    "quotbal": (400,),
    "ltgtruri": (400,),
    "lwsruri": (400,),
    "lwsstart": (400,),
    "trws": (400,),
    "escruri": (ON,),  # "the escaped headers must not appear in the Request-URI of the forwarded request"
    "baddate": (ON, b"EST"),  # Date says nothing to a proxy
    "regbadct": (400,),
    "badaspec": (ON,),  # blanks beside a URI in <> leave no doubt
    "baddn": (400,),
    "badvers": (505,),
    "mismatch01": (400,),
    "mismatch02": (400,),  # "also acceptable"
    "bigcode": SILENCE,
    # 3.2, 3.3
    "badbranch": (ON,),  # taken for a branch of RFC 2543
    "insuf": (400,),
    "unkscm": (416,),
    "novelsc": (416,),
    "unksm2": (400,),  # "the To: header field is required to contain a SIP or SIPS URI"
    "bext01": (420, b"Unsupported: noProxiesSupportThis, norDoAnyProxiesSupportThis\r\n"),  # a proxy lists Proxy-Require's
    "invut": (ON, b"Content-Type: application/unknownformat"),
    "regaut01": (401, b'realm="house"'),
    "multi01": (400,),
    "mcl01": (400,),
    "bcast": SILENCE,  # "proxies should drop such responses"
    "zeromf": (200,),  # OPTIONS may be answered here (RFC 3261 16.3 step 3)
    "cparam01": (200, b"<sip:+19725552222@gw1.example.net>;"),
    "cparam02": (200, b"<sip:+19725552222@gw1.example.net;unknownparam>;"),
    "regescrt": (200, b"?Route=%3Csip:sip.example.com%3E>"),
    "sdp01": (ON, b"Accept: text/nobodyKnowsThis"),
    # 3.4: RFC 2543
    "inv2543": (ON, b"\r\nMax-Forwards: 70\r\n", b"\r\nContent-Length: "),
    # RFC 5118
    "ipv6-good": (200,),
    "ipv6-bad": (400,),
    "port-ambiguous": (200,),
    "port-unambiguous": (200,),
    "via-received-param-with-delim": (481,),  # a BYE to the domain itself
    "via-received-param-no-delim": (200,),  # and an OPTIONS
    "ipv6-in-sdp": (ON,),
    "mult-ip-in-header": (ON,),
    "mult-ip-in-sdp": (ON,),
    "ipv4-mapped-ipv6": (ON,),
    "ipv6-bug-abnf-3-colons": (ON, b"sip:user@[2001:db8:::192.0.2.1]"),  # 4.10: what only passes by is not mended
    "ipv6-correct-abnf-2-colons": (ON,),
}  # fmt: skip


def skip(why):
    try:
        import pytest
    except ImportError:
        print(why)
    else:
        pytest.skip(why)


def read(folder, name):
    with open(folder + "/wire/" + name + ".dat", "rb") as f:
        return f.read()


class Domain(Home):
    """The house of whatever a message is for."""

    def __init__(self, data):
        Home.__init__(self)
        try:
            request = parse(data)
        except ParseError as error:
            request = error.message
        try:
            uri = parse_uri(request.uri)
            hosts = [uri, parse_uri(request.to_uri)] + [parse_uri(one) for one in request.uris(H_ROUTE)]
            self.house.names = [one.host.lower() for one in hosts]
            self.bind(plain(uri.user), b"sip:phone@192.0.2.12", ("192.0.2.12", 5060))
            self.door.port = uri.port or 5060
        except (AttributeError, ValueError):
            pass  # it will not come so far
        self.trusted = ("192.0.2.2",)

    def account(self, user):
        return hashes_of(user, b"secret") + (user, b"phone")


def signed(data):
    """A REGISTER with its user's password."""
    request = parse(data)
    home = Domain(data)
    phone = home.phone("192.0.2.2")
    phone.send(data)
    answer = home.log[-1][3]
    assert answer.startswith(b"SIP/2.0 401 "), answer
    user = plain(parse_uri(request.to_uri).user)
    line = Authenticator(user, b"secret").answer(parse(answer), request)
    start, _, rest = data.partition(b"\r\n")
    return home, start + b"\r\n" + line + b"\r\n" + rest


def outcome(name, data):
    """(status or ON or SILENCE, the message) that comes out."""
    home = Domain(data)
    if data.startswith(b"REGISTER") and PASSES[name][0] in (200, 400):
        try:
            home, data = signed(data)
        except (ParseError, AssertionError, ValueError):
            pass  # refused before anybody is asked for a password
    mark = len(home.log)
    home.wire.append((("192.0.2.2", 5060), ("192.0.2.1", 5060), data))
    home.deliver()
    assert not home.door.faults, name
    out = [(peer, one) for _, source, peer, one in home.log[mark:] if not one.startswith(b"SIP/2.0 100")]
    if not out:
        return SILENCE, b""
    assert len(out) == 1, (name, out)
    peer, one = out[0]
    if peer[0] == "192.0.2.12":
        parse(one).check()
        return ON, one
    assert peer[0] == "192.0.2.2", (name, peer)
    return int(one[8:11]), one


def test_each_message():
    folder = os.getenv("TORTURE_DIR")
    if not folder:
        return skip("TORTURE_DIR names no folder with the messages of RFC 4475 and RFC 5118")
    assert len(PASSES) == 61
    for name in sorted(PASSES):
        wanted = PASSES[name]
        got, message = outcome(name, read(folder, name))
        if wanted is SILENCE:
            assert got is SILENCE, (name, message)
            continue
        assert got == wanted[0], (name, got, message)
        for one in wanted[1:]:
            assert one in message, (name, one, message)
        if got == ON:
            # 16.6: what is not ours to change is as it was.
            sent = read(folder, name)
            body = parse(sent).body
            assert message.endswith(b"\r\n\r\n" + body), name
            assert b" sip:phone@192.0.2.12 SIP/2.0\r\n" in message, (name, message)
            if name == "escruri":
                assert b"Route=" not in message.split(b"\r\n")[0]
