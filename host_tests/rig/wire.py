"""A bare SIP user agent for tests: one UDP socket, messages as bytes, no timers and no mercy.

    with Wire((door_address, 5060)) as wire:
        wire.send(wire.request("INVITE", body=wire.offer()))
        ringing = wire.expect(180)
"""
import re
import socket
import struct
import time

from . import addresses
from .process import RigError


class Message:
    """What came in: `.status` (0 for a request), `.method` ("" for an answer), `.get(name)`, `.all(name)`, `.body`, `.data`."""

    def __init__(self, data):
        self.data = data
        head, _, self.body = data.partition(b"\r\n\r\n")
        self.start, *lines = head.decode("utf-8", "replace").split("\r\n")
        self.headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        answer = self.start.startswith("SIP/2.0 ")
        self.status = int(self.start.split()[1]) if answer else 0
        self.reason = self.start.split(" ", 2)[2] if answer else ""
        self.method, self.uri = ("", "") if answer else self.start.split()[:2]

    def all(self, name):
        return [value for key, value in self.headers if key == name.lower()]

    def get(self, name):
        return (self.all(name) or [""])[0]

    @property
    def to_tag(self):
        found = re.search(r";tag=([^;>\s]+)", self.get("to"))
        return found.group(1) if found else ""

    @property
    def media(self):
        """(address, port) its SDP names for audio."""
        return (re.search(rb"c=IN IP4 (\S+)", self.body).group(1).decode(),
                int(re.search(rb"m=audio (\d+)", self.body).group(1)))

    def __repr__(self):
        return self.data.decode("utf-8", "replace")


class Wire:
    """Talks to `target` (host, port) from an address of its own, or from `address`; `.rtp` is a second socket, for media."""

    def __init__(self, target, port=5060, address=None):
        self.target = target
        self._own = not address
        self.address = address or addresses.take()
        self.socket = self._open(port)
        self.rtp = self._open(7000)
        self.port = port
        self.call_id = self._fresh()
        self.tag = "wire" + self._fresh()
        self.branch = ""
        self.acknowledged = None    # (Call-ID, CSeq) of the newest 2xx, and our ACK
        self.skipped = []           # what expect() read and was not asked for

    def _open(self, port):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((self.address, port))
        return s

    @staticmethod
    def _fresh():
        return "%x" % time.monotonic_ns()

    def fresh_call(self):
        self.call_id = self._fresh()
        self.tag = "wire" + self._fresh()

    @property
    def uri(self):
        return "sip:wire@%s:%d" % (self.address, self.port)

    def offer(self, payloads="0 8 101", port=7000):
        """An SDP offer of audio at `.rtp`."""
        return ("v=0\r\no=wire 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio {1} RTP/AVP {2}\r\n"
                "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n").format(self.address, port, payloads).encode()

    def request(self, method, uri=None, cseq=1, to_tag="", branch=None, headers=(), body=b"", vias=(), call_id=None, tag=None):
        """-> bytes. A new branch unless one is given (the last one is kept in `.branch`); `vias` go under our own."""
        uri = uri or "sip:door@%s:%d" % self.target
        self.branch = branch or "z9hG4bK" + self._fresh()
        lines = ["%s %s SIP/2.0" % (method, uri),
                 "Via: SIP/2.0/UDP %s:%d;branch=%s;rport" % (self.address, self.port, self.branch)]
        lines += ["Via: " + via for via in vias]
        lines += ["Max-Forwards: 70", "From: <%s>;tag=%s" % (self.uri, tag or self.tag),
                  "To: <%s>%s" % (uri, ";tag=" + to_tag if to_tag else ""), "Call-ID: " + (call_id or self.call_id),
                  "CSeq: %d %s" % (cseq, method), "Contact: <%s>" % self.uri]
        lines += headers
        if body:
            lines.append("Content-Type: application/sdp")
        lines += ["Content-Length: %d" % len(body), "", ""]
        return "\r\n".join(lines).encode() + body

    def answer(self, request, status, reason, to_tag="", body=b""):
        """-> bytes: an answer to a Message."""
        lines = ["SIP/2.0 %d %s" % (status, reason)] + ["Via: " + via for via in request.all("via")]
        lines += ["Record-Route: " + route for route in request.all("record-route")]
        lines += ["From: " + request.get("from"), "To: " + request.get("to") + (";tag=" + to_tag if to_tag else ""),
                  "Call-ID: " + request.get("call-id"), "CSeq: " + request.get("cseq"), "Contact: <%s>" % self.uri]
        if body:
            lines.append("Content-Type: application/sdp")
        lines += ["Content-Length: %d" % len(body), "", ""]
        return "\r\n".join(lines).encode() + body

    def send(self, data):
        self.socket.sendto(data, self.target)

    def receive(self, timeout_s=5):
        """The next message, or None when nothing came in time."""
        self.socket.settimeout(timeout_s)
        try:
            return Message(self.socket.recv(65536))
        except socket.timeout:
            return None

    def expect(self, *wanted, timeout_s=5, cseq=None):
        """The next message with one of these statuses or methods (and this CSeq header); others are passed over."""
        end = time.monotonic() + timeout_s
        while True:
            message = self.receive(max(0.001, end - time.monotonic()))
            if message is None:
                raise RigError("no %s in %g s, only: %s" % (" or ".join(map(str, wanted)), timeout_s,
                                                           [m.start for m in self.skipped[-10:]]))
            if (message.status or message.method) in wanted and cseq in (None, message.get("cseq")):
                return message
            if message.status == 200 and self.acknowledged and self.acknowledged[0] == (message.get("call-id"), message.get("cseq")):
                self.send(self.acknowledged[1])     # RFC 3261 13.2.2.4: each copy of a 2xx
            self.skipped.append(message)

    def transact(self, data, *wanted, timeout_s=10, cseq=None):
        """Sends a request as a client transaction does, again after 0.5, 1, 2, 4 s (RFC 3261 17.1) -> what expect() gives."""
        end = time.monotonic() + timeout_s
        wait_s = 0.5
        while True:
            self.send(data)
            left = end - time.monotonic()
            try:
                return self.expect(*wanted, timeout_s=min(wait_s, left), cseq=cseq)
            except RigError:
                if left <= wait_s:
                    raise
            wait_s *= 2

    def nothing(self, seconds=0.5):
        """True if nothing comes for so long."""
        message = self.receive(seconds)
        if message:
            self.skipped.append(message)
        return message is None

    def call(self, **more):
        """INVITE until 200, ACK -> the 200 as Message."""
        self.fresh_call()
        ok = self.transact(self.request("INVITE", body=self.offer(), **more), 200)
        self.ack(ok)
        return ok

    def ack(self, ok, cseq=1):
        ack = self.request("ACK", uri=self.contact(ok), to_tag=ok.to_tag, cseq=cseq)
        self.acknowledged = (ok.get("call-id"), ok.get("cseq")), ack
        self.send(ack)

    def bye(self, ok, cseq=2):
        """-> what BYE was answered."""
        bye = self.request("BYE", uri=self.contact(ok), to_tag=ok.to_tag, cseq=cseq)
        return self.transact(bye, 200, 481, cseq="%d BYE" % cseq)

    @staticmethod
    def contact(message):
        return re.search(r"<([^>]+)>", message.get("contact")).group(1)

    def send_rtp(self, to, sequence, payload_type=0, payload=b"\xff" * 160, ssrc=0x51D00001, timestamp=None, socket_=None):
        """One RTP packet (RFC 3550 5.1) from `.rtp`."""
        stamp = sequence * 160 if timestamp is None else timestamp
        head = struct.pack("!BBHII", 0x80, payload_type, sequence & 0xFFFF, stamp & 0xFFFFFFFF, ssrc)
        (socket_ or self.rtp).sendto(head + payload, to)

    def receive_rtp(self, timeout_s=5):
        """The next packet at `.rtp` as (payload type, sequence, timestamp, ssrc, payload, address); RigError if none comes."""
        self.rtp.settimeout(timeout_s)
        try:
            data, where = self.rtp.recvfrom(2048)
        except socket.timeout:
            raise RigError("no RTP in %g s" % timeout_s) from None
        _, payload_type, sequence, stamp, ssrc = struct.unpack("!BBHII", data[:12])
        return payload_type & 0x7F, sequence, stamp, ssrc, data[12:], where

    def drain_rtp(self):
        """Forget the packets of an earlier call."""
        self.rtp.settimeout(0.05)
        try:
            while True:
                self.rtp.recv(2048)
        except socket.timeout:
            pass

    def close(self):
        self.socket.close()
        self.rtp.close()
        if self._own:
            addresses.give_back(self.address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
