"""RTCP with phones: what they make of our reports, and what their reports tell the door."""
import re
import time

import pytest

from host_tests.rig import speech
from host_tests.rig.baresip import Baresip
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.linphone import Linphone
from host_tests.rig.process import RigError

pytestmark = pytest.mark.needs("espeak-ng", "micropython")


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with Door(tmp_path_factory.mktemp("door"), heap=BURST_HEAP) as door:
        yield door


@pytest.fixture(autouse=True)
def free(door):
    yield
    door.settle()


def _told(door, timeout_s=25):
    """Until the door knows the round trip and what the phone says of its sound -> (round trip in ms, % lost, lost, jitter in ms)."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        found = re.search(r"round trip (\d+) ms, they lost (\d+) % \((-?\d+) in all\) with jitter (\d+) ms", door.status())
        if found:
            return [int(n) for n in found.groups()]
        time.sleep(0.3)
    raise RigError("no report of the phone's in %d s:\n%s" % (timeout_s, door.said()[-2000:]))


def _is_well(told):
    # Loopback, seen from ticks of 20 ms; what a busy machine holds back counts too.
    trip_ms, percent, lost, jitter_ms = told
    assert trip_ms < 80 and percent <= 1 and abs(lost) <= 5 and jitter_ms < 40


@pytest.mark.needs("baresip")
def test_baresip(door, tmp_path):
    with Baresip(tmp_path, speech.wav("phone", 8000)) as phone:
        phone.dial(door.uri)
        phone.wait("CALL_ESTABLISHED")
        _is_well(_told(door))
        phone.hangup()
        phone.wait("CALL_CLOSED")
        said = phone.process.said(6000)
        # Its own count of what our last report said: of its packets, and of ours.
        theirs, ours = re.search(r"pkt\.report: +(\d+) +(\d+)", said).groups()
        assert int(theirs) > 50 and int(ours) > 50
        assert re.search(r"lost: +0 +0\n", said)
    door.wait_no_call()


@pytest.mark.needs("linphonec")
def test_linphone(door, tmp_path):
    with Linphone(tmp_path, speech.wav("phone", 8000)) as phone:
        phone.call(door)
        _is_well(_told(door))
        log = str(tmp_path / "debug")
        end = time.monotonic() + 20
        trips = []
        while not trips:
            with open(log, errors="replace") as f:
                trips = re.findall(r"lost_percentage=([\d.]+), int_jitter=([\d.]+) ms, rt_prop=([\d.]+) sec", f.read())
            assert time.monotonic() < end, "linphone has made nothing of the door's reports"
            time.sleep(0.3)
        percent, jitter_ms, trip_s = [float(n) for n in trips[-1]]
        assert percent <= 1 and jitter_ms < 40 and 0 <= trip_s < 0.08
        phone.hangup()
    door.wait_no_call()
