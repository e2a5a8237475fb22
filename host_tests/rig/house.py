"""The house alone on this computer, as `make house` starts it.

    with House(folder, "micropython") as house:
        number, password = house.add("kitchen")
        house.expect("101 (kitchen) is registered")
"""
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from . import addresses
from .process import Process, RigError, Stopped

_TOOL = str(Path(__file__).resolve().parents[2] / "tools/house.py")


def order(folder, interpreter, *more):
    """tools/house.py with these options -> what it printed, and its exit status."""
    done = subprocess.run([sys.executable, _TOOL, "--state", str(folder), "--interpreter", interpreter, *more],
                          capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr, done.returncode


class House(Stopped):
    """It serves at an address of its own, `folder` is its state, and `settings` go to its configuration."""

    def __init__(self, folder, interpreter, settings=None):
        self.folder, self.interpreter = str(folder), interpreter
        for key, value in (settings or {}).items():
            said, status = order(folder, interpreter, "--set", "%s=%s" % (key, value))
            if status:
                raise RigError(said)
        self.address = addresses.take()
        self._at = 0
        self.process = None
        self.start(interpreter)

    def start(self, interpreter):
        """By this interpreter, when it was closed."""
        self.interpreter = interpreter
        command = [sys.executable, _TOOL, "--state", self.folder, "--listen", self.address, "--interpreter", interpreter]
        self.process = Process(command, self.folder)
        self.expect("The house listens at %s:5060" % self.address)

    def add(self, name):
        """A phone more -> its number and password."""
        said, _ = order(self.folder, self.interpreter, "--listen", self.address, "--add-phone", name)
        found = re.search(r"account +(\S+)\n +password +(\S+)\n +server +(\S+)", said)
        if not found or found[3] != self.address:
            raise RigError("no account for %s:\n%s" % (name, said))
        return found[1], found[2]

    def adding(self, name):
        """A phone more, and its code for Linphone: a Process that waits for that one to come."""
        command = [sys.executable, _TOOL, "--state", self.folder, "--listen", self.address, "--interpreter", self.interpreter]
        return Process(command + ["--code", "--add-phone", name], os.path.join(self.folder, "adding_" + name))

    def expect(self, words):
        """Until it says so, after what was waited for before -> the line."""
        self.process.until(lambda: self.process.said().find(words, self._at) >= 0, "says " + words)
        said = self.process.said()
        at = said.find(words, self._at)
        self._at = at + len(words)
        return said[said.rfind("\n", 0, at) + 1 : (said + "\n").find("\n", at)]

    def close(self):
        """As a service that is stopped, where all of its processes are told -> its exit status."""
        os.killpg(self.process.pid, signal.SIGTERM)
        return self.process.wait(10)

    def stop(self):
        if self.process:
            self.process.stop()
        addresses.give_back(self.address)
