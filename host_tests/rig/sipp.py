"""sipp: built-in scenarios ("uac", "uas") and our own, from sipp/*.xml or scenario.py, judged by its exit status.

    Sipp(folder, "uac", remote="127.0.100.3:5060").done()
"""
import glob
import os
import select
import socket
import time

from . import addresses
from .process import Process, RigError, Stopped

_OWN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sipp")


class Rtp:
    """A UDP socket that counts what comes."""

    def __init__(self, address, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        self.socket.setblocking(False)

    def forget(self):
        try:
            while True:
                self.socket.recv(2048)
        except BlockingIOError:
            pass

    def flows(self, packets=10, timeout_s=5):
        """Whether so many packets come, from now on."""
        self.forget()
        end = time.monotonic() + timeout_s
        for _ in range(packets):
            if not select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
                return False
            self.socket.recv(2048)
        return True

    def silent(self, seconds=0.3, timeout_s=5):
        """Whether a time without a packet comes."""
        self.forget()
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if not select.select([self.socket], [], [], seconds)[0]:
                return True
            self.forget()
        return False

    def close(self):
        self.socket.close()


class Sipp(Stopped):
    """One sipp that makes or takes `calls` calls and ends. `scenario` is "uac" or "uas" for the built-in ones, else the name of
    a file in sipp/, in which `keys` fill each {name}, or a Scenario. `transport` is "udp" or "tcp"; `.rtp` hears what is sent to
    the media address it names."""

    def __init__(self, folder, scenario, remote=None, service="door", calls=1, port=5060, timeout_s=30, keys=None, options=(),
                 transport="udp"):
        self.folder = str(folder)
        self.address = addresses.take()
        self.port = port
        self.scenario = getattr(scenario, "name", scenario)
        self.rtp = Rtp(self.address, 6100)
        if scenario is not self.scenario:
            os.makedirs(self.folder, exist_ok=True)
            with open(os.path.join(self.folder, self.scenario + ".xml"), "w") as f:
                f.write(scenario.xml())
            scenario = os.path.join(self.folder, self.scenario)
        own = os.path.join(_OWN, scenario + ".xml")
        command = ["sipp", "-sn", scenario]
        if os.path.exists(own):
            command = ["sipp", "-sf", self._filled(own, keys or {})]
        command += ["-i", self.address, "-p", str(port), "-mi", self.address, "-mp", "6000", "-t", transport[0] + "1", "-s", service,
                    "-m", str(calls), "-l", "1", "-nostdin", "-cp", str(addresses.rtp_ports(self.address)[1]), "-timeout", "%ds" % timeout_s, "-timeout_error",
                    "-trace_msg", "-message_file", "messages", "-trace_err", "-error_file", "errors", *options]
        if remote:
            command.append(remote)
        self.timeout_s = timeout_s
        self.transport = transport
        self.process = Process(command, self.folder)
        if not remote:
            self.process.until(self._listens, "listens")

    def _filled(self, path, keys):
        with open(path) as f:
            text = f.read()
        for key, value in keys.items():
            text = text.replace("{%s}" % key, value)
        os.makedirs(self.folder, exist_ok=True)
        path = os.path.join(self.folder, os.path.basename(path))
        with open(path, "w") as f:
            f.write(text)
        return path

    def _listens(self):
        """Its port is open."""
        want = "%s:%04X" % ("".join("%02X" % int(n) for n in reversed(self.address.split("."))), self.port)
        with open("/proc/net/" + self.transport) as f:
            return any(line.split()[1] == want and line.split()[3] in ("07", "0A") for line in list(f)[1:])

    @property
    def uri(self):
        return "sip:sipp@" + self.address + ("" if self.transport == "udp" else ";transport=tcp")

    def wait(self, words, count=1, timeout_s=15):
        """Until its messages, sent and received, have these words so often."""
        self.process.until(lambda: self.messages().count(words) >= count, "%d times %r" % (count, words), timeout_s)

    def messages(self):
        """Everything it sent and received, as it logged it."""
        path = os.path.join(self.folder, "messages")
        if not os.path.exists(path):
            return ""
        with open(path, errors="replace") as f:
            return f.read()

    def errors(self):
        text = ""
        for path in glob.glob(os.path.join(self.folder, "errors*")):
            with open(path, errors="replace") as f:
                text += f.read()
        return text

    def done(self):
        """Wait for its end; RigError with what it saw unless every call went as the scenario says."""
        status = self.process.wait(self.timeout_s + 10)
        if status:
            raise RigError("sipp %s: exit status %d\n%s\n%s" % (self.scenario, status, self.errors()[-2000:],
                                                                self.messages()[-6000:]))

    def stop(self):
        self.process.stop()
        self.rtp.close()
        addresses.give_back(self.address)
