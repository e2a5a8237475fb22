"""What all tests share: the built firmware on the path, and an honest word about what was skipped.

Pure tests (host_tests/pure) see build/plain and boards/PC; `make build` or the
session's first fixture brings build/ up to date. A test says what it needs by
`@pytest.mark.needs("baresip", "kamailio", "pesq")`: programs or Python packages.
Where one is missing the test is skipped, and the last lines say what to install;
in CI a skip is a failure.
"""

import gc
import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / folder) for folder in ("build/plain", "boards/PC", "host_tests/pure", "host_tests", ".")]

# lend() imports a file again and again: what it was compiled to is kept, wherever the environment would have none kept.
sys.dont_write_bytecode = False
sys.pycache_prefix = str(ROOT / "build/pycache")

import pc  # noqa: E402,F401  (gives CPython what MicroPython's modules have)

from tools import build, peers  # noqa: E402

_NEEDS = "needs "

IN_CI = os.environ.get("CI", "") not in ("", "0", "false")

# What hypothesis remembers from run to run is no part of the sources.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(ROOT / "build/hypothesis"))

# Debian puts servers where only root's PATH looks.
os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/sbin"


def pytest_configure(config):
    # Before anything is imported: test modules import from build/plain.
    try:
        build.build(say=lambda words: None)
    except build.BuildError as e:
        pytest.exit("make build fails:\n%s" % e, returncode=1)


def is_there(name):
    """Whether a program, or else a Python package, of this name is installed."""
    if name == "micropython":
        try:
            return bool(build.interpreter())
        except build.BuildError:
            return False
    if name in peers.PEERS:
        return peers.is_there(name)
    return shutil.which(name) is not None or importlib.util.find_spec(name) is not None


def pytest_collection_modifyitems(config, items):
    for item in items:
        for marker in item.iter_markers("needs"):
            missing = [name for name in marker.args if not is_there(name)]
            if missing:
                item.add_marker(pytest.mark.skip(reason=_NEEDS + ", ".join(missing)))


def _fail_skipped(report):
    """In CI nothing may be skipped."""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        where, line, reason = report.longrepr if isinstance(report.longrepr, tuple) else ("", "", report.longrepr)
        report.outcome = "failed"
        report.longrepr = "%s\nIn CI nothing may be skipped: see tools/peers.py and requirements-*.txt." % reason


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    _fail_skipped((yield).get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    _fail_skipped((yield).get_result())


def pytest_terminal_summary(terminalreporter, config):
    skipped = terminalreporter.stats.get("skipped", ())
    if not skipped:
        return
    terminalreporter.section("skipped")
    names = []
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        reason = str(reason).removeprefix("Skipped: ")
        terminalreporter.line("%s: %s" % (report.nodeid, reason))
        if reason.startswith(_NEEDS):
            names += reason.removeprefix(_NEEDS).split(", ")
    names = sorted(set(names))
    if peers.advice(names):
        terminalreporter.line("To run them too: %s" % peers.advice(names))
    if "pesq" in names:
        terminalreporter.line("The speech score (pesq) needs a C compiler; then `make test` installs it.")


@pytest.fixture(scope="session")
def micropython():
    """Path of the Unix port that the tests use: MICROPYTHON, or the one in .venv."""
    return build.interpreter()


@pytest.fixture(scope="session")
def built():
    """The folder with what the Unix port runs: build/x64, or build/bytecode where it has no native emitter."""
    return build.BUILD / build.host_arch()


@pytest.fixture
def wire(door):
    """A user agent by hand that talks to the `door` of the test's own file, and leaves it without a call."""
    from host_tests.rig.wire import Wire

    with Wire((door.address, 5060)) as wire:
        door.forget()
        yield wire
        door.settle()


def pytest_collection_finish(session):
    # The firmware sweeps the heap when it was full, as boards need; pytest's own half a million objects need not be looked at for that.
    gc.collect()
    gc.freeze()
