"""dnsmasq as the name server of a provider whose name has only SRV and NAPTR, and of hosts.

    Dnsmasq(folder, "--host-record=pbx.test,192.0.2.1").server
"""
import socket

from . import addresses
from .process import Process

PORT = 5353
_ASK = b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05ready\x04test\x00\x00\x01\x00\x01"


class Dnsmasq:
    """Answers for what `records` (its own options) say, and for nothing else; `.server` is its address with its port, as the
    firmware's resolver takes it."""

    def __init__(self, folder, *records):
        self.address = addresses.take()
        self.server = "%s:%d" % (self.address, PORT)
        self.process = Process(
            ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-poll", "--user=",
             "--pid-file=", "--log-facility=-", "--log-queries", "--bind-interfaces", "--listen-address=" + self.address,
             "--port=%d" % PORT, "--local=/test/", *records], folder)  # fmt: skip
        self.process.until(self._answers, "answers")

    def _answers(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.1)
            try:
                asking.connect((self.address, PORT))
                asking.send(_ASK)
                return bool(asking.recv(512))
            except OSError:
                return False

    def queries(self):
        """How many it was asked so far."""
        return self.process.said().count("query[")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()
        addresses.give_back(self.address)
