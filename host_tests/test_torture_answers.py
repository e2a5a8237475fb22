"""What the live user agent answers to each message of RFC 4475 and RFC 5118, on real sockets; and that it lives on.

The messages come from the folder that TORTURE_DIR names. ANSWERS has been held against the prose of the RFCs, message by
message: where they leave a choice, the comment says which we took and why.
"""

import asyncio
import json
import os
import re
import socket
from pathlib import Path

import pytest

from host_tests.rig import addresses
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.wire import Wire
from sip.agent import Agent
from sip.message import parse

FOLDER = os.environ.get("TORTURE_DIR")

RINGS = (180, "Ringing")
OPTIONS = (200, "OK")
NOT_OURS = (405, "Method Not Allowed")  # a registrar's: an endpoint refuses (RFC 4475 3.3.7)
SILENCE = None

ANSWERS = {
    # RFC 4475 3.1.1: valid
    "wsinv": (481, "Call/Transaction Does Not Exist"),  # understood; its To tag names a dialog that is not there
    "intmeth": (501, "Not Implemented"),
    "esc01": RINGS,
    "escnull": NOT_OURS,
    "esc02": (501, "Not Implemented"),  # % escapes nothing in a method: it is not REGISTER
    "lwsdisp": OPTIONS,
    "longreq": RINGS,
    "dblreq": NOT_OURS,  # and what follows its body in the datagram is noise
    "semiuri": OPTIONS,
    "transports": OPTIONS,
    "mpart01": (415, "Unsupported Media Type"),  # a MESSAGE that is no text/plain
    "unreason": SILENCE,  # a response to nothing (RFC 3261 18.1.2)
    "noreason": SILENCE,
    # 3.1.2: invalid
    "badinv01": (400, "Bad Via"),
    "clerr": (400, "Body Shorter Than Content-Length"),
    "ncl": (400, "Bad Content-Length"),
    "scalar02": (400, "Bad CSeq"),
    "scalarlg": SILENCE,  # a response: "will simply discard it"
    "quotbal": (400, "Bad To"),
    "ltgtruri": (400, "Bad Request-URI"),
    "lwsruri": (400, "Bad Start Line"),
    "lwsstart": (400, "Bad Start Line"),
    "trws": (400, "Bad Start Line"),
    "escruri": (400, "Header Fields In Request-URI"),
    "baddate": RINGS,  # Date says nothing to a call: "an element shouldn't" refuse for it
    "regbadct": NOT_OURS,  # the method is looked at before the Contact (RFC 3261 8.2.1)
    "badaspec": OPTIONS,  # "may attempt to be liberal": blanks beside a URI in <> leave no doubt
    "baddn": (400, "Bad From"),
    "badvers": (505, "Version Not Supported"),
    "mismatch01": (400, "CSeq Names Another Method"),
    "mismatch02": (400, "CSeq Names Another Method"),  # "400 is also acceptable"; what forwards nothing needs no 501
    "bigcode": SILENCE,  # "should simply drop it"
    # 3.2, 3.3
    "badbranch": OPTIONS,  # taken for a branch of RFC 2543, as 3.2.1 allows
    "insuf": (400, "Missing Call-ID"),
    "unkscm": (416, "Unsupported URI Scheme"),
    "novelsc": (416, "Unsupported URI Scheme"),  # "treat it as unknown": we never accept soap.beep:
    "unksm2": NOT_OURS,
    "bext01": (420, "Bad Extension"),
    "invut": (415, "Unsupported Media Type"),
    "regaut01": NOT_OURS,
    "multi01": (400, "Bad CSeq"),
    "mcl01": (400, "Bad Content-Length"),
    "bcast": SILENCE,
    "zeromf": OPTIONS,  # "as if the Max-Forwards field value were still positive"
    "cparam01": NOT_OURS,
    "cparam02": NOT_OURS,
    "regescrt": NOT_OURS,
    "sdp01": (406, "Not Acceptable"),
    # 3.4: RFC 2543
    "inv2543": RINGS,
    # RFC 5118
    "ipv6-good": NOT_OURS,
    "ipv6-bad": (400, "Bad Request-URI"),
    "port-ambiguous": NOT_OURS,
    "port-unambiguous": NOT_OURS,
    "via-received-param-with-delim": (481, "Call/Transaction Does Not Exist"),  # a BYE
    "via-received-param-no-delim": OPTIONS,
    "ipv6-in-sdp": (488, "Not Acceptable Here"),  # read, but it offers G.726 alone
    "mult-ip-in-header": (481, "Call/Transaction Does Not Exist"),  # a BYE
    "mult-ip-in-sdp": RINGS,  # its IPv4 line is taken
    "ipv4-mapped-ipv6": (488, "Not Acceptable Here"),  # the same
    "ipv6-bug-abnf-3-colons": OPTIONS,  # 4.10: to be read as if the third colon were not there
    "ipv6-correct-abnf-2-colons": OPTIONS,
}  # fmt: skip

# Where a stream makes a difference: the answers on one connection, one after the other; CLOSED ends it.
CLOSED = "closed"
STREAM = {
    # What follows the body is no noise here but the next message: an INVITE, which goes on for five bytes after its end.
    # Where the next one begins can then not be told any more.
    "dblreq": [NOT_OURS, (400, "Contact missing or unreadable"), CLOSED],
    "clerr": [(513, "Message Too Large"), CLOSED],  # 9,999 bytes are more than we hold; else it would wait for them
    "ncl": [(400, "Content-Length missing or wrong"), CLOSED],  # 3.1.2.3: "the framing error is not recoverable, and the connection should be closed"
    "mcl01": [(400, "Content-Length missing or wrong"), CLOSED],
    "inv2543": [(400, "Content-Length missing or wrong"), CLOSED],  # RFC 3261 18.3: on a stream Content-Length must be there
}

# Which header field the answer must have, and what in it.
HAS = {
    "bext01": ("Unsupported", "nothingSupportsThis, nothingSupportsThisEither"),
    "invut": ("Accept", "application/sdp"),
    "mpart01": ("Accept", "text/plain"),
    "sdp01": ("Warning", "399"),
    "escnull": ("Allow", "INVITE"),
    "intmeth": ("Allow", "INVITE"),
}

OPTIONS_OF_OURS = (
    "OPTIONS sip:door@{door} SIP/2.0\r\nVia: SIP/2.0/{transport} {host}:{port};branch=z9hG4bKalive{n}\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:test@{host}>;tag=t\r\nTo: <sip:door@{door}>\r\nCall-ID: alive{n}\r\nCSeq: 1 OPTIONS\r\n"
    "Content-Length: 0\r\n\r\n"
)


def torture():
    return json.loads(Path(FOLDER, "manifest.json").read_text()) if FOLDER else []


needs_folder = pytest.mark.skipif(not FOLDER, reason="TORTURE_DIR names no folder with the messages of RFC 4475 and RFC 5118")


def via_port(data):
    """The port that an answer by UDP goes to: the top Via's, as the agent reads it."""
    try:
        message = parse(data)
    except ValueError as error:
        message = error.message
    return message and message.via.port or 5060


def alive(door, host, port, transport, n=0):
    return OPTIONS_OF_OURS.format(door=door, host=host, port=port, transport=transport, n=n).encode()


def judge(name, answers):
    """Holds what came before the answer to our own OPTIONS against the tables."""
    wanted = ANSWERS[name]
    got = [(message.status, message.reason.decode()) for message in answers]
    assert got == ([wanted] if wanted else []), name
    if name in HAS:
        header, value = HAS[name]
        text = answers[0].data.decode()
        assert re.search("^%s: .*%s" % (header, re.escape(value)), text, re.M), text


class Agents:
    """An agent of its own for each message."""

    def __init__(self):
        self.host = addresses.take()
        self.here = addresses.take()
        self.agent = Agent(self.host, 5060, lambda host, port: (host, port), lambda address: address[:2],
                           on_call=lambda call: call.ring())
        self.agent.on_message = lambda *message: None

    async def udp(self, data):
        """The answers to this datagram."""
        await self.agent.start()
        port = via_port(data)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.setblocking(False)
            peer.bind((self.here, port))
            loop = asyncio.get_running_loop()
            if len(data) > 1536:
                peer.sendto(data, (self.host, 5060))  # the first long one is lost, and repeated
            peer.sendto(data, (self.host, 5060))
            peer.sendto(alive(self.host, self.here, port, "UDP"), (self.host, 5060))
            answers = []
            while not answers or answers[-1].call_id != b"alive0":
                answers.append(parse(await asyncio.wait_for(loop.sock_recv(peer, 65535), 10)))
        assert answers.pop().status == 200
        return answers

    async def tcp(self, data):
        """The answers on one connection, CLOSED for its end; it is alive, on this one or another."""
        await self.agent.start()
        answers = await self._stream(data + alive(self.host, self.here, 5060, "TCP"))
        if answers[-1] is CLOSED:
            again = await self._stream(alive(self.host, self.here, 5060, "TCP"))
        else:
            again = [answers.pop()]
        assert [message.status for message in again] == [200]
        return answers

    async def _stream(self, data):
        reader, writer = await asyncio.open_connection(self.host, 5060, local_addr=(self.here, 0))
        writer.write(data)
        answers = []
        while not answers or answers[-1].call_id != b"alive0":
            try:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            except (asyncio.IncompleteReadError, ConnectionResetError):
                answers.append(CLOSED)
                break
            length = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
            answers.append(parse(head + await reader.readexactly(length)))
        writer.close()
        return answers

    async def stop(self):
        for call in list(self.agent.calls):
            call.hangup()
        await self.agent.stop()
        addresses.give_back(self.host)
        addresses.give_back(self.here)


def test_the_table_has_them_all():
    if not FOLDER:
        pytest.skip("TORTURE_DIR names no folder with the messages of RFC 4475 and RFC 5118")
    assert {entry["name"] for entry in torture()} == set(ANSWERS) and set(HAS) < set(ANSWERS)


@needs_folder
@pytest.mark.parametrize("entry", torture(), ids=lambda entry: entry["name"])
def test_udp(entry):
    async def main():
        agents = Agents()
        try:
            return await agents.udp(Path(FOLDER, entry["wire"]).read_bytes()), agents.agent
        finally:
            await agents.stop()

    answers, agent = asyncio.run(main())
    judge(entry["name"], answers)
    assert agent.faults == 0


@needs_folder
@pytest.mark.parametrize("entry", torture(), ids=lambda entry: entry["name"])
def test_tcp(entry):
    name = entry["name"]

    async def main():
        agents = Agents()
        try:
            return await agents.tcp(Path(FOLDER, entry["wire"]).read_bytes()), agents.agent
        finally:
            await agents.stop()

    answers, agent = asyncio.run(main())
    assert agent.faults == 0
    if name not in STREAM:
        judge(name, answers)
        return
    got = [one if one is CLOSED else (one.status, one.reason.decode()) for one in answers]
    assert got == STREAM[name]


# --- The whole door, on the Unix port: one that takes no calls, so that all of them come to the same one.

NO_CALLS = ("esc01", "longreq", "mpart01", "escruri", "baddate", "invut", "sdp01", "inv2543", "ipv6-in-sdp",
            "mult-ip-in-sdp", "ipv4-mapped-ipv6")  # fmt: skip


@needs_folder
@pytest.mark.needs("micropython")
def test_the_door_answers_them_one_after_the_other(tmp_path):
    with Door(tmp_path, {"call.incoming": "reject"}, heap=BURST_HEAP) as door, Wire((door.address, 5060)) as wire:
        for n, entry in enumerate(torture()):
            name = entry["name"]
            data = Path(FOLDER, entry["wire"]).read_bytes()
            # 22 of them have one branch: to one agent they would be one transaction
            data = re.sub(rb"z9hG4bKkdjuw\w*", b"z9hG4bKtorture%d" % n, data, count=1)
            wanted = (403, "This door takes no calls: call.incoming is reject") if name in NO_CALLS else ANSWERS[name]
            if len(data) > 1536:
                wire.send(data)  # the first long one is lost, and repeated
            wire.send(data)
            wire.send(alive(door.address, wire.address, 5060, "UDP", n))
            got = []
            while True:
                message = wire.receive()
                assert message, "no answer to OPTIONS after " + name
                if message.get("call-id") == "alive%d" % n:
                    break
                got.append((message.status, message.reason))
            assert message.status == 200
            if via_port(data) == 5060:
                assert got == ([wanted] if wanted else []), name
        assert "Traceback" not in door.said()
