"""What is skipped is said with what to install; in CI it is a failure."""

import os
import subprocess
import sys

from tools import build, peers

TESTS = '''
import pytest

@pytest.mark.needs("espeak-ng", "kamailio", "no-such-program")
def test_with_a_peer(): pass

def test_of_itself(): pytest.skip("because of this")

def test_that_runs(): pass
'''


def run(tmp_path, **environment):
    (tmp_path / "test_skipping.py").write_text(TESTS)
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "host_tests.conftest", "-p", "no:cacheprovider",
                           "--rootdir", str(tmp_path), str(tmp_path)], cwd=build.ROOT, text=True, capture_output=True,
                          env=dict(os.environ, **environment))
    return done.returncode, done.stdout


def test_elsewhere_the_last_lines_say_what_was_skipped(tmp_path):
    code, words = run(tmp_path, CI="")
    assert code == 0
    last = words.split(" skipped ")[1]
    assert "test_with_a_peer: needs " in last and "no-such-program" in last
    assert "test_of_itself: because of this" in last
    assert words.splitlines()[-1].startswith("1 passed, 2 skipped")


def test_in_ci_a_skip_is_a_failure(tmp_path):
    code, words = run(tmp_path, CI="true")
    assert code == 1 and "In CI nothing may be skipped" in words
    assert "skipped" not in words.splitlines()[-1]


def test_what_to_install_is_named_by_its_package():
    assert peers.advice(["sipp", "cc", "sipp", "pesq"]) == "apt-get install gcc sip-tester"
    assert peers.advice(["pesq"]) == ""
