"""One child process: its log in a file, its end certain.

It is ended by its id (its own process group, so that what it forked goes too) by `stop()`, at the latest when Python
exits; and if Python is killed outright, the kernel ends it (PR_SET_PDEATHSIG), so that no test run leaves a peer behind.
"""
import atexit
import ctypes
import os
import re
import signal
import subprocess
import sys
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_running = []
_SHOW_LOGS = "pytest" in sys.modules        # which shows it only with a test that fails


class RigError(Exception):
    """A peer did not start, or did not do in time what was waited for; says what its log said last."""


def _in_child():
    os.setsid()
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Stopped:
    """What is stopped, by its stop(), at the end of a with statement."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Process(Stopped):
    """`command` running in `folder`, its output in the file `folder`/log; it reads from the open file `stdin`, or nothing."""

    def __init__(self, command, folder, env=None, stdin=subprocess.DEVNULL):
        self.name = os.path.basename(command[0])
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.log = os.path.join(self.folder, "log")
        with open(self.log, "ab") as log:
            self._child = subprocess.Popen(command, cwd=self.folder, env=env, stdin=stdin, stdout=log,
                                           stderr=subprocess.STDOUT, preexec_fn=_in_child)
        self.pid = self._child.pid
        _running.append(self)

    def running(self):
        return self._child.poll() is None

    def said(self, last=None):
        """What it has written so far, or the last so many characters of it."""
        with open(self.log, errors="replace") as log:
            text = re.sub(r"\n{3,}", "\n\n", log.read())
        return text[-last:] if last else text

    def until(self, ready, what, timeout_s=15):
        """Wait until `ready()` is true; RigError when it takes too long or the process ends first."""
        end = time.monotonic() + timeout_s
        while not ready():
            if not self.running():
                raise RigError("%s ended (%s) before: %s\n%s" % (self.name, self._child.returncode, what, self.said(3000)))
            if time.monotonic() > end:
                raise RigError("%s: not in %g s: %s\n%s" % (self.name, timeout_s, what, self.said(3000)))
            time.sleep(0.02)

    def wait(self, timeout_s):
        """Its exit status once it has ended by itself; RigError if it has not in time."""
        try:
            return self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise RigError("%s still runs after %g s\n%s" % (self.name, timeout_s, self.said(3000))) from None

    def stop(self, patience_s=3):
        """End it: asked first (SIGTERM), made to after `patience_s`."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            if self._child.poll() is not None:
                break
            try:
                os.killpg(self.pid, how) if how == signal.SIGKILL else self._child.send_signal(how)
            except ProcessLookupError:
                pass
            try:
                self._child.wait(patience_s)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.pid, signal.SIGKILL)     # what it may have left behind in its group
        except (ProcessLookupError, PermissionError):
            pass
        if self in _running:
            _running.remove(self)
            if _SHOW_LOGS:
                print("--- %s (%s)\n%s" % (self.name, self.folder, self.said(3000)))


@atexit.register
def _stop_all():
    for process in list(_running):
        process.stop(patience_s=1)
