"""What is known of who calls (RFC 3261 20.4, 20.9, RFC 3323, RFC 3325, RFC 5373, RFC 5806, RFC 7044)."""

from virtual_sip import SDP, World, request


class Registrar:
    """Stands in for a Registration: which host is the server's."""

    def __init__(self, host):
        self.host = host

    def is_server(self, host):
        return host == self.host


def facts(*more, name=b"", trusted=False):
    """The facts of a call whose INVITE has these header fields."""
    world = World()
    calls = []
    agent = world.agent("192.0.2.1", on_call=lambda call: (calls.append(call), call.ring()))
    phone = world.phone("192.0.2.2")
    data = request(b"INVITE", body=SDP, more=more)
    if name:
        data = data.replace(b"From: <", b"From: " + name + b" <")
    phone.send(data)
    if trusted:
        agent.registration = Registrar("192.0.2.2")
    found = calls[0].facts()
    assert not agent.faults
    calls[0].answer("192.0.2.1", 5000)
    assert calls[0].facts() is found, "it is remembered when the INVITE is not"
    return found


def test_a_plain_call():
    found = facts()
    assert found == {
        "display": "", "uri": "sip:phone@192.0.2.2", "trusted": False, "asserted": "", "private": False, "diverted": "",
        "answer_after_s": None, "alert": "",
    }  # fmt: skip


def test_who_asks_late_gets_what_the_call_keeps():
    world = World()
    calls = []
    world.agent("192.0.2.1", on_call=calls.append)
    world.phone("192.0.2.2").send(request(b"INVITE", body=SDP, more=(b"Alert-Info: Auto Answer",)))
    calls[0].answer("192.0.2.1", 5000)
    assert calls[0].facts()["uri"] == "sip:phone@192.0.2.2" and calls[0].facts()["answer_after_s"] is None


def test_names():
    for name, shown in (
        ("Grüße, 東京", "Grüße, 東京"),
        ('a \\"b\\" \\\\c', 'a "b" \\c'),
        ("\x1b[31mred\x9b2J\x07", "?[31mred?2J?"),
        ("a\u202egnp.exe", "a?gnp.exe"),
        ("x" * 500, "x" * 64),
    ):
        assert facts(name=b'"' + name.encode() + b'"')["display"] == shown, shown
    assert facts(name=b'"\xff\xfe caf\xe9"')["display"] == "?? caf?"


ANSWERS = (
    (b"Call-Info: <sip:192.0.2.2>;answer-after=0", 0),
    (b"Call-Info: <sip:a>;purpose=icon, <sip:b>; answer-after=5", 5),
    (b"Call-Info: <sip:a>;answer-after=99999", 0),
    (b"Call-Info: <sip:a>;answer-after=9999", 60),
    (b"Call-Info: <sip:a>;answer-after=-1", 0),
    (b"Call-Info: <http://x/answer-after=1>", None),
    (b"Alert-Info: <http://www.notused.com>;info=alert-autoanswer;delay=0", 0),
    (b"Alert-Info: <sip:>;info=alert-autoanswer;delay=3", 3),
    (b"Alert-Info: info=alert-autoanswer", 0),
    (b"Alert-Info: Auto Answer", 0),
    (b"Alert-Info: Ring Answer", 0),
    (b'Alert-Info: <x:y>;info="Auto Answer"', 0),
    (b"Alert-Info: Intercom", 0),
    (b"Alert-Info: <sip:x>;intercom=true", 0),
    (b"Alert-Info: <http://x/alert-autoanswer.wav>", None),
    (b"Alert-Info: <urn:alert:source:external>", None),
    (b"Alert-Info: ", None),
    (b"Answer-Mode: Auto", 0),
    (b"Answer-Mode: Auto;require", 0),
    (b"Priv-Answer-Mode: auto", 0),
    (b"Answer-Mode: Manual", None),
    (b"Subject: Auto Answer", None),
)


def test_how_it_wants_to_be_answered():
    for line, after_s in ANSWERS:
        assert facts(line)["answer_after_s"] == after_s, line
    assert facts(b"Alert-Info: Auto Answer", b"Answer-Mode: Manual")["answer_after_s"] is None
    assert facts(b"Alert-Info: <urn:alert:source:external>")["alert"] == "<urn:alert:source:external>"


def test_whom_the_registrar_vouches_for():
    line = b'P-Asserted-Identity: "Ann" <sip:101@pbx.example>, <tel:+4930123>'
    assert facts(line)["asserted"] == "" and facts(line)["display"] == ""
    found = facts(line, trusted=True)
    assert found["asserted"] == "sip:101@pbx.example" and found["display"] == "Ann" and found["trusted"]
    found = facts(b"P-Asserted-Identity: <tel:+4930123>", name=b"Bob", trusted=True)
    assert found["asserted"] == "tel:+4930123" and found["display"] == "Bob"
    assert facts(b"P-Asserted-Identity: <<x", trusted=True)["asserted"] == ""
    found = facts(b'Remote-Party-ID: "Cleo" <sip:7@pbx.example>;party=calling;privacy=off', trusted=True)
    assert found["asserted"] == "sip:7@pbx.example" and found["display"] == "Cleo"


def test_who_does_not_want_to_be_known():
    for line, private in ((b"Privacy: id", True), (b"Privacy: none", False), (b"Privacy: header; user ;critical", True)):
        assert facts(line)["private"] == private, line


def test_whom_it_called_first():
    for lines, first in (
        ((b'Diversion: "Desk" <sip:102@pbx.example>;reason=no-answer',), "sip:102@pbx.example"),
        ((b"Diversion: <sip:103@x>;reason=unconditional", b"Diversion: <sip:102@x>;reason=user-busy"), "sip:102@x"),
        ((b"History-Info: <sip:100@x?Reason=SIP%3Bcause%3D302>;index=1, <sip:door@x>;index=1.1",), "sip:100@x"),
        ((b"History-Info: <sip:door@x>;index=1",), ""),
        ((b"Diversion: nonsense",), ""),
    ):
        assert facts(*lines)["diverted"] == first, lines
