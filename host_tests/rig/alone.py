"""sip/ by itself, on the MicroPython Unix port: what it holds of the heap, and how much it stands.

    with Alone("answer", server="127.0.100.7") as agent:
        agent.heap()                bytes in use
        agent.counts()["calls"]
"""
import json
import os
import random
import selectors
import socket
import subprocess
import tempfile
import time

from tools import build

from . import addresses
from .handset import accounts
from .process import RigError, Stopped
from .wire import Message

_SCRIPT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sip_alone_script.py")


class Alone(Stopped):
    """An agent at an address of its own, which answers the first call (`what` "answer") or refuses all ("refuse"), or is that of
    tools/house.py ("house"), with phones from 101 to 125 and accounts() for their passwords."""

    def __init__(self, what, server=None, heap="96wK"):
        self.address = addresses.take()
        self._folder = tempfile.TemporaryDirectory()
        if what == "house":
            accounts(self._folder.name, [str(number) for number in range(101, 126)])
        command = [build.interpreter(), "-X", "heapsize=" + heap, _SCRIPT, str(build.BUILD / build.host_arch()), self.address, what]
        self._child = subprocess.Popen(command + ([server] if server else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True, cwd=self._folder.name)
        self.pid = self._child.pid
        try:
            self._answer("listening")
        except RigError:
            self.stop()
            raise

    def _answer(self, wanted=None):
        with selectors.DefaultSelector() as s:
            s.register(self._child.stdout, selectors.EVENT_READ)
            line = self._child.stdout.readline().strip() if s.select(20) else "nothing in 20 s"
        if wanted and line != wanted or not line:
            raise RigError("the agent says %r\n%s" % (line, "" if self._child.poll() is None else self._child.stdout.read()))
        return line

    def ask(self, order):
        self._child.stdin.write(order + "\n")
        self._child.stdin.flush()
        return self._answer()

    def heap(self):
        """Bytes in use, garbage collected."""
        return int(self.ask("heap"))

    def counts(self):
        line = self.ask("counts")
        if line[:1] != "{":
            time.sleep(0.2)
            self._child.terminate()
            raise RigError("the agent says:\n%s\n%s" % (line, self._child.stdout.read()))
        return json.loads(line)

    def wait(self, **wanted):
        """Until the counts are these -> all of them."""
        end = time.monotonic() + 10
        while True:
            counts = self.counts()
            if all(counts[key] == value for key, value in wanted.items()):
                return counts
            if time.monotonic() > end:
                raise RigError("not %s in 10 s: %s" % (wanted, counts))
            time.sleep(0.02)

    def purge(self):
        self.ask("purge")

    def stop(self):
        self._child.terminate()
        self._child.wait(10)
        self._child.stdin.close()
        self._child.stdout.close()
        self._folder.cleanup()
        addresses.give_back(self.address)


class Registrar:
    """Whoever asks is registered: the least of a registrar that a phone alone can be measured with."""

    def __init__(self):
        self.address = addresses.take()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.address, 5060))
        self.socket.settimeout(10)

    def serve(self):
        """One REGISTER is waited for and accepted."""
        data, source = self.socket.recvfrom(65536)
        request = Message(data)
        lines = ["SIP/2.0 200 OK"] + ["Via: " + via for via in request.all("via")]
        lines += ["%s: %s" % (name, request.get(name)) for name in ("From", "Call-ID", "CSeq", "Contact")]
        lines += ["To: %s;tag=registrar" % request.get("to"), "Expires: 300", "Content-Length: 0", "", ""]
        self.socket.sendto("\r\n".join(lines).encode(), source)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        addresses.give_back(self.address)


def options_per_s(seconds=0.5, rounds=8, at_once=16):
    """Requests answered in a second, at best: OPTIONS from one who always has `at_once` of them under way."""
    best = 0
    with Alone("refuse") as agent, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.connect((agent.address, 5060))
        s.settimeout(2)
        request = (
            "OPTIONS sip:door@{0} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{1};branch=z9hG4bK%08x;rport\r\nMax-Forwards: 70\r\n"
            "From: <sip:bench@127.0.0.1>;tag=bench\r\nTo: <sip:door@{0}>\r\nCall-ID: %08x@127.0.0.1\r\nCSeq: 1 OPTIONS\r\n"
            "Contact: <sip:bench@127.0.0.1:{1}>\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n"
        ).format(agent.address, s.getsockname()[1]).encode()
        n = 0
        for _ in range(at_once):
            n += 1
            s.send(request % (n, n))
        for _ in range(rounds):
            answered = 0
            began = time.monotonic()
            while time.monotonic() - began < seconds:
                if not s.recv(2000).startswith(b"SIP/2.0 200 "):
                    raise RigError("OPTIONS is not answered with 200")
                answered += 1
                n += 1
                s.send(request % (n, n))
            best = max(best, answered / (time.monotonic() - began))
        counts = agent.counts()
        if counts["transactions"] or counts["calls"] or counts["faults"]:
            raise RigError("OPTIONS left something behind: %s" % counts)
    return best


_METHODS = (b"INVITE", b"ACK", b"BYE", b"CANCEL", b"OPTIONS", b"REGISTER", b"PRACK", b"SUBSCRIBE", b"NOTIFY", b"PUBLISH", b"INFO",
            b"REFER", b"MESSAGE", b"UPDATE", b"BAKE")
_SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 7000 RTP/AVP 0 8 101\r\n"
_WOUNDS = (b"\r\n", b" ", b"\"", b"<", b">", b";", b",", b":", b"%", b"\0", b"@", b"\xc3", b"99999999999", b"\r\nVia:", b"=")


def _message(r, n, address):
    """One message of a flood: every method, valid or not, inside a call or outside, an answer, or plain rubbish."""
    kind = r.random()
    if kind < 0.05:
        return bytes(r.randrange(256) for _ in range(r.randrange(600)))
    method = r.choice(_METHODS)
    body = _SDP if method in (b"INVITE", b"UPDATE") and r.random() < 0.8 else b""
    data = b"\r\n".join((
        b"%s sip:door@%s SIP/2.0" % (method, address.encode()),
        b"Via: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK%x" % n, b"Max-Forwards: 70",
        b"From: \"Flood\" <sip:flood@127.0.0.1>;tag=%x" % n, b"To: <sip:door@%s>%s" % (address.encode(), r.choice((b"", b";tag=x"))),
        b"Call-ID: %x" % (n // r.choice((1, 5))), b"CSeq: %d %s" % (r.choice((1, 2, n)), method), b"Contact: <sip:flood@127.0.0.1>",
        r.choice((b"Supported: 100rel, timer", b"Require: 100rel", b"Event: refer", b"Refer-To: <sip:a@b>", b"Subject: x")),
        b"Content-Type: application/sdp", b"Content-Length: %d" % len(body), b"", b"")) + body
    if kind < 0.15:
        data = b"SIP/2.0 %d Answer\r\n" % r.choice((100, 180, 200, 401, 486, 699)) + data.partition(b"\r\n")[2]
    if kind > 0.7:
        data = bytearray(data)
        for _ in range(r.randint(1, 4)):
            at = r.randrange(len(data))
            if r.random() < 0.5:
                data[at:at + r.randint(0, 20)] = r.choice(_WOUNDS)
            else:
                data[at] ^= 1 << r.randrange(8)
        data = bytes(data)
    return data


def flood(seconds, per_s=1000, seed=3261, sources=20, what="refuse"):
    """Bytes by which the heap has grown after a flood of every method, valid and not, from many addresses; and the counts. `what`
    as of Alone.

    What ended transactions are remembered by is let go before each measurement: the table of them is bounded, not empty."""
    with Alone(what) as agent:
        senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(sources)]
        try:
            for s in senders:
                s.bind((addresses.take(), 0))
                s.setblocking(False)
            r = random.Random(seed)
            n = 0

            def send(seconds):
                nonlocal n
                began = time.monotonic()
                sent = 0
                while time.monotonic() - began < seconds:
                    while sent < (time.monotonic() - began) * per_s:
                        n += 1
                        sent += 1
                        r.choice(senders).sendto(_message(r, n, agent.address), (agent.address, 5060))
                    for s in senders:               # a full buffer of ours would only be their lost datagram
                        try:
                            while s.recv(4000):
                                pass
                        except OSError:
                            pass
                    time.sleep(0.002)

            send(min(2, seconds))                   # what is loaded for the first time is loaded now
            agent.counts()
            agent.purge()
            before = agent.heap()
            send(seconds)
            counts = agent.counts()
            agent.purge()
            return agent.heap() - before, counts
        finally:
            for s in senders:
                addresses.give_back(s.getsockname()[0])
                s.close()
