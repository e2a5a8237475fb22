"""A script run on the MicroPython Unix port against build/, for what measures the firmware from CPython: its output, or
what callgrind counts inside the interpreter, which repeats exactly however busy the machine is."""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import build  # noqa: E402

CALLGRIND = (
    "valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=run_main*", "--callgrind-out-file=/dev/null",
)  # fmt: skip


def run(script, *arguments, under=()):
    """Runs `script` with the build folder's path and `arguments` -> the finished process. RuntimeError when it fails."""
    command = [build.interpreter()]
    if under:  # valgrind wants the program itself: the packaged interpreter is a module of CPython
        command = list(under) + [sys.executable] + command
    command += ["-X", "heapsize=1M", script, str(build.BUILD / build.host_arch())]
    done = subprocess.run(command + list(arguments), capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError("%s\n%s" % (" ".join(command), done.stdout + done.stderr))
    return done


def instructions(script, *arguments):
    """What callgrind counts inside the interpreter while `script` runs."""
    done = run(script, *arguments, under=CALLGRIND)
    for line in done.stderr.splitlines():
        if "Collected :" in line:
            return int(line.split(":")[1])
    raise RuntimeError("valgrind counted nothing:\n" + done.stderr)
