"""A board with megabytes of PSRAM, where a collection takes a tenth of a second and more: no caller waits for one, nobody hears one."""

import os
from pathlib import Path

import pytest

from host_tests.rig.door import Door
from host_tests.rig.wire import Wire

pytestmark = pytest.mark.needs("micropython")

_HEAP = "16M"  # on the computer; a board's 8 MB of PSRAM hold as much

# Files that nobody has and nobody closed: a collection closes them, but for those to which something in the heap points by chance.
_CANARIES = 50
_NEST = """
def hatch():
    for _ in range(%d):
        open("canary.txt")
""" % _CANARIES


def _alive(door):
    """How many of them the interpreter still has open; it is the board's process, or one that this has begun."""
    pids = [str(door.board.process.pid)]
    for pid in pids:
        pids += Path("/proc/%s/task/%s/children" % (pid, pid)).read_text().split()
    return sum(_leads_to(fd).endswith("/canary.txt") for pid in pids for fd in Path("/proc/%s/fd" % pid).iterdir())


def _leads_to(fd):
    try:
        return os.readlink(fd)
    except FileNotFoundError:  # closed meanwhile
        return ""


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    folder = tmp_path_factory.mktemp("roomy")
    (folder / "canary.py").write_text(_NEST)
    (folder / "canary.txt").write_text("")
    files = {name: folder / name for name in ("canary.py", "canary.txt")}
    with Door(folder / "door", {"door.code": "1234"}, heap=_HEAP, files=files) as door:
        door.console("import canary")
        yield door


def test_a_call_is_not_collected(door):
    """From its first message to its last word; when it has ended nobody hears it any more."""
    with Wire((door.address, 5060)) as wire:
        door.console("canary.hatch()")
        wire.send(wire.request("INVITE", body=wire.offer()))
        ok = wire.expect(200)
        wire.ack(ok)
        wire.receive_rtp()
        assert "In a call with" in door.status()
        door.set("door.open_s", 7)  # written to flash
        wire.transact(wire.request("OPTIONS", cseq=2, to_tag=ok.to_tag), 200)
        assert _alive(door) == _CANARIES
        wire.bye(ok, cseq=3)
        door.wait_no_call()
        for _ in range(100):  # its sound ends a moment after it
            if _alive(door) < _CANARIES // 2:
                return
            door.status()
        raise AssertionError("the end of a call collects nothing")


def test_what_is_lent_elsewhere_stays(door):
    with Wire((door.address, 5060)) as wire:
        wire.send(wire.request("INVITE", body=wire.offer()))
        ok = wire.expect(200)
        wire.ack(ok)
        wire.bye(ok)
        door.wait_no_call()
    door.console("import sys")
    assert door.console('"sip.invited" in sys.modules') == "True"


def test_a_house_of_phones_in_it(tmp_path):
    with Door(tmp_path, {"sip.mode": "house"}, heap=_HEAP) as door:
        assert "has the number 101" in door.console('door.add_phone("kitchen")')
        assert "0 of 1 phones are registered" in door.status()
        assert "Traceback" not in door.said()
