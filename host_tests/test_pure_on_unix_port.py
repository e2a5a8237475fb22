"""The pure modules' tests again, under MicroPython's Unix port, on the precompiled firmware.

Each file of host_tests/pure is run once; each of its test functions is reported by itself.
"""

import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import pytest

from host_tests.run_pure import functions
from tools import build

PURE = Path(__file__).parent / "pure"
FILES = sorted(PURE.glob("test_*.py"))
CASES = [(file.stem, function) for file in FILES for function in functions(str(file))]


@lru_cache(None)
def outcome(module):
    """One run of a file: function -> "ok" or its traceback; "" -> all that was printed."""
    command = [build.interpreter(), "-X", "heapsize=16M", str(PURE.parent / "run_pure.py"),
               str(build.BUILD / build.host_arch()), str(PURE), module]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=folder)
    found, current = {"": done.stdout + done.stderr}, None
    for line in done.stdout.splitlines():
        verdict, _, name = line.partition(" ")
        if verdict in ("ok", "FAILED") and name.partition(":")[0] == module:
            current = name.partition(":")[2]
            found[current] = "ok" if verdict == "ok" else ""
        elif current is not None and found[current] != "ok":
            found[current] += line + "\n"
    return found


@pytest.mark.parametrize("module,function", CASES, ids=["%s:%s" % case for case in CASES])
def test(module, function):
    if "allocates_nothing" in function and build.host_arch() == "bytecode":
        pytest.skip("plain kernels allocate their pointers; this MicroPython has no native emitter")
    found = outcome(module)
    result = found.get(function)
    if result is None:
        pytest.fail("it did not come to this test; all that was printed:\n" + found[""], pytrace=False)
    if result != "ok":
        pytest.fail(result, pytrace=False)
