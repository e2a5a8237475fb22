"""sipp: built-in scenarios ("uac", "uas") and our own from sipp/*.xml, judged by its exit status.

    Sipp(folder, "uac", remote="127.0.100.3:5060").done()
"""
import glob
import os

from . import addresses
from .process import Process, RigError

_OWN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sipp")


class Sipp:
    """One sipp that makes or takes `calls` calls and ends. `scenario` is "uac" or "uas" for the built-in ones, else the name of
    a file in sipp/, in which `keys` fill each {name}."""

    def __init__(self, folder, scenario, remote=None, service="door", calls=1, port=5060, timeout_s=30, keys=None, options=()):
        self.folder = str(folder)
        self.address = addresses.take()
        self.port = port
        self.scenario = scenario
        own = os.path.join(_OWN, scenario + ".xml")
        command = ["sipp", "-sn", scenario]
        if os.path.exists(own):
            command = ["sipp", "-sf", self._filled(own, keys or {})]
        command += ["-i", self.address, "-p", str(port), "-mi", self.address, "-mp", "6000", "-t", "u1", "-s", service,
                    "-m", str(calls), "-l", "1", "-nostdin", "-cp", "8888", "-timeout", "%ds" % timeout_s, "-timeout_error",
                    "-trace_msg", "-message_file", "messages", "-trace_err", "-error_file", "errors", *options]
        if remote:
            command.append(remote)
        self.timeout_s = timeout_s
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
        """Its UDP port is open."""
        want = "%s:%04X" % ("".join("%02X" % int(n) for n in reversed(self.address.split("."))), self.port)
        with open("/proc/net/udp") as f:
            return any(line.split()[1] == want for line in list(f)[1:])

    @property
    def uri(self):
        return "sip:sipp@" + self.address

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
        addresses.give_back(self.address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
