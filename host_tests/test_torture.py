"""The messages of RFC 4475 and RFC 5118, from the folder that TORTURE_DIR names: each is read, or refused as this table says.

The table is the reader's part: what parse(), check() and the Request-URI make of each. What the agent then answers is
tested with the agent.
"""

import json
import os
from pathlib import Path

import pytest

from sip.address import parse_uri
from sip.message import ParseError, parse
from sip.scan import H_CONTACT, H_REQUIRE, H_VIA

FOLDER = os.environ.get("TORTURE_DIR")

# (code, reason, can it be answered); every other message is understood
REFUSED = {
    "badinv01": (400, b"Bad Via", True),  # commas and semicolons too many, but it says where it came from
    "clerr": (400, b"Body Shorter Than Content-Length", True),
    "ncl": (400, b"Bad Content-Length", True),
    "scalar02": (400, b"Bad CSeq", True),
    "scalarlg": (400, b"Bad CSeq", False),
    "quotbal": (400, b"Bad To", True),
    "ltgtruri": (400, b"Request-URI", True),
    "lwsruri": (400, b"Bad Start Line", True),
    "lwsstart": (400, b"Bad Start Line", True),
    "trws": (400, b"Bad Start Line", True),
    "baddn": (400, b"Bad From", True),
    "badvers": (505, b"Version Not Supported", True),
    "mismatch01": (400, b"CSeq Names Another Method", True),
    "mismatch02": (400, b"CSeq Names Another Method", True),
    "bigcode": (400, b"Bad Start Line", False),
    "insuf": (400, b"Missing Call-ID", True),
    "multi01": (400, b"Bad CSeq", True),
    "mcl01": (400, b"Bad Content-Length", True),
    "ipv6-bad": (400, b"Request-URI", True),
}

# what some of the understood ones say: attribute -> value
UNDERSTOOD = {
    "wsinv": {
        "uri": b"sip:vivekg@chair-dnrc.example.com;unknownparam", "method": b"INVITE", "cseq": 9, "max_forwards": 68,
        "to_uri": b"sip:vivekg@chair-dnrc.example.com", "to_tag": b"1918181833n", "from_display": b'J Rosenberg \\"',
        "from_uri": b"sip:jdrosen@example.com", "from_tag": b"98asjd8", "call_id": b"wsinv.ndaksdj@192.0.2.1",
        "content_length": 150,
    },
    "intmeth": {"method": b"!interesting-Method0123456789_*+`.%indeed'~", "from_display": b"token1~` token2'+_ token3*%!.-"},
    "esc01": {"uri": b"sip:sips%3Auser%40example.com@example.net", "from_uri": b"sip:I%20have%20spaces@example.net"},
    "escnull": {"from_uri": b"sip:null-%00-null@example.com", "contact_uri": b"sip:%00@host5.example.com"},
    "esc02": {"method": b"RE%47IST%45R"},
    "lwsdisp": {"from_display": b"caller", "from_uri": b"sip:caller@example.com", "from_tag": b"323"},
    "dblreq": {"method": b"REGISTER", "content_length": 0, "body": b""},
    "semiuri": {"uri": b"sip:user;par=u%40example.net@example.com"},
    "unreason": {"status": 200, "cseq_method": b"INVITE"},
    "noreason": {"status": 100, "reason": b""},
    "badaspec": {"to_uri": b"sip:t.watson@example.org", "to_display": b"Watson, Thomas"},
    "zeromf": {"max_forwards": 0},
    "inv2543": {"from_tag": None, "branch": None, "max_forwards": -1, "content_length": -1},
    "ipv6-good": {"uri": b"sip:[2001:db8::10]"},
    "regbadct": {"contact_uri": None},
}  # fmt: skip


def torture():
    if not FOLDER:
        return []
    return json.loads(Path(FOLDER, "manifest.json").read_text())


needs_folder = pytest.mark.skipif(not FOLDER, reason="TORTURE_DIR names no folder with the messages of RFC 4475 and RFC 5118")


def test_the_folder_is_named():
    if not FOLDER:
        pytest.skip("TORTURE_DIR names no folder with the messages of RFC 4475 and RFC 5118")
    assert len(torture()) == 61


@needs_folder
@pytest.mark.parametrize("entry", torture(), ids=lambda entry: entry["name"])
def test_message(entry):
    name = entry["name"]
    data = Path(FOLDER, entry["wire"]).read_bytes()
    try:
        message = parse(data)
        message.check()
        if message.is_request:
            try:
                parse_uri(message.uri)
            except ValueError:
                raise ParseError(400, b"Request-URI", message) from None
        refused = None
    except ParseError as e:
        refused = (e.code, e.reason, e.message is not None)
    assert refused == REFUSED.get(name)
    if refused:
        assert entry["cls"] != "valid"
        return
    assert message.is_request == (entry["kind"] == "request")
    for attribute, value in UNDERSTOOD.get(name, {}).items():
        assert getattr(message, attribute) == value, attribute
    if message.is_request:
        assert message.via.transport == entry["via_transport"].encode()
        assert message.via.host == entry["via_sent_by"].partition(":")[0].encode() or b":" in message.via.host
    vias = message.each_via()
    assert len(vias) == len(message.all(H_VIA)) >= 1
    if name == "regbadct":
        with pytest.raises(ParseError):
            message.contact
    elif message.all(H_CONTACT):
        assert message.contact.uri == message.contact_uri
    message.all(H_REQUIRE)


@needs_folder
def test_every_truncation_of_every_message():
    for entry in torture():
        data = Path(FOLDER, entry["wire"]).read_bytes()
        for n in range(0, len(data), 7 if len(data) > 2000 else 1):
            try:
                parse(data[:n]).check()
            except ParseError:
                pass
