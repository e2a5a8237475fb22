"""The house without a PBX on a network that is not always there, with sipp as a phone, calls that are given up, and numbers that
are redirected: real phones, over UDP and over TCP."""

import os
import re
import shutil
import signal

import pytest

from host_tests.rig import speech
from host_tests.rig.baresip import Baresip
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.gateway import Gateway
from host_tests.rig.handset import accounts
from host_tests.rig.linphone import Linphone
from host_tests.rig.scenario import Called, Calling, sdp
from host_tests.rig.sipp import Sipp
from host_tests.rig.wire import Wire

pytestmark = pytest.mark.needs("baresip", "linphonec", "sipp", "espeak-ng", "micropython")
INSTANCE = "5f1e0b7a-3b0c-4a5e-9d2f-0123456789ab"
BY_CALLS = ("-t", "un", "-max_socket", "50")  # sipp: a socket for each call, so that it can send to another than the door


class Here:
    """A house with a baresip, 101, and a linphone, 102, over one transport; 103 is a sipp."""

    def __init__(self, folder, kind):
        self.folder = folder
        self.kind = kind
        self.over = "" if kind == "udp" else ";transport=" + kind
        (folder / "door").mkdir()
        self.passwords = accounts(folder / "door", ["101", "102", "103"])
        self.door = Door(folder / "door", {"sip.mode": "house", "call.ring_s": 60}, heap=BURST_HEAP)
        self.baresip = self.linphone = None

    def start(self):
        self.baresip = Baresip(self.folder / "baresip", speech.wav("phone", 8000), user="101", registrar=self.door.address,
                               password=self.passwords["101"], answers="manual", transport=self.kind, by="")
        self.linphone = self.another("linphone")
        self.door.expect("102 (p102) is registered")

    def another(self, name):
        """The linphone, once more: same account, same instance, another address."""
        return Linphone(self.folder / name, speech.wav("phone", 8000), user="102", registrar=self.door.address,
                        password=self.passwords["102"], answers="manual", transport=self.kind, realm="house", instance=INSTANCE)

    def number(self, number):
        return "sip:%s@%s%s" % (number, self.door.address, self.over)

    def stop(self):
        for one in (self.linphone, self.baresip, self.door):
            if one:
                one.stop()


@pytest.fixture(scope="module", params=["udp", "tcp"])
def here(request, tmp_path_factory):
    made = Here(tmp_path_factory.mktemp(request.param), request.param)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(autouse=True)
def free(request):
    yield
    if "here" in request.fixturenames:
        request.getfixturevalue("here").door.settle()


@pytest.fixture
def sipp(here, tmp_path):
    """sipp(scenario): it has registered as 103 and takes the next call as this Called scenario says."""
    begun = []

    def start(called):
        with open(tmp_path / "called.xml", "w") as f:
            f.write(called.xml())
        s = Calling("register", "103", here.passwords["103"])
        s.register()
        s.pause(60000)
        begun.append(Sipp(tmp_path, s, here.door.address + ":5060", transport=here.kind,
                          options=("-oocsf", str(tmp_path / "called.xml")) + (BY_CALLS if here.kind == "udp" else ())))
        here.door.expect("103 (p103) is registered")
        return begun[-1]
    yield start
    for one in begun:
        one.stop()
        here.door.console("door.remove_phone(103)")  # and with it where it was
        accounts(here.folder / "door", ["101", "102", "103"])


def test_sipp_registers_and_is_called(here, sipp):
    s = Called("called")
    s.expect_invite()
    s.answer(180, "Ringing")
    s.answer(200, "OK", sdp())
    s.expect("ACK")
    if here.kind == "udp":  # the phones reach each other, and what follows goes straight
        s.straight_to(here.baresip.address)
        s.bye()
    else:
        s.expect_bye()
    phone = sipp(s)
    here.baresip.dial(here.number(103))
    here.baresip.wait("CALL_RINGING")
    here.baresip.wait("CALL_ESTABLISHED")
    if here.kind == "tcp":
        assert phone.rtp.flows()
        here.baresip.hangup()
    here.baresip.wait("CALL_CLOSED")
    phone.wait("BYE sip:")


def test_sipp_calls_and_cancels(here, tmp_path):
    """With a password that it is asked for, by MD5: it knows no other algorithm."""
    s = Calling("cancels", "103", here.passwords["103"])
    s.invite(sdp())
    s.expect(180)
    s.cancel()
    here.baresip.forget()
    with Sipp(tmp_path / "cancels", s, here.door.address + ":5060", "101", transport=here.kind) as sipp:
        here.baresip.wait("CALL_INCOMING")
        here.baresip.wait("CALL_CLOSED")
        sipp.done()
    s = Calling("calls", "103", here.passwords["103"])
    s.invite(sdp())
    s.expect(180)
    s.expect(200)
    if here.kind == "udp":
        s.straight_to(here.baresip.address)
    s.ack()
    s.pause(300)
    s.bye()
    with Sipp(tmp_path / "calls", s, here.door.address + ":5060", "101", transport=here.kind,
              options=BY_CALLS if here.kind == "udp" else ()) as sipp:
        here.baresip.wait("CALL_INCOMING")
        here.baresip.accept()
        here.baresip.wait("CALL_ESTABLISHED")
        sipp.done()
    here.baresip.wait("CALL_CLOSED")


def _is(here, number, words):
    """Until door.phones() says this of a phone."""
    listed = "(?m)^%s +p%s +%s" % (number, number, words)
    here.baresip.process.until(lambda: re.search(listed, here.door.console("door.phones()")), "%s is %s" % (number, words))


def _rings(here):
    """The button is pressed: both phones ring, and both stop when the door gives up."""
    here.baresip.forget()
    here.door.press()
    here.baresip.wait("CALL_INCOMING")
    here.linphone.expect("Receiving new incoming call")
    here.door.hangup()
    here.baresip.wait("CALL_CLOSED")
    here.linphone.expect("ended")
    here.door.wait_no_call()


def test_the_bell_is_given_up_and_all_stop(here, sipp):
    s = Called("rings")
    s.expect_invite(keep="invite")
    s.answer(180, "Ringing")
    s.expect("CANCEL")
    s.answer(200, "OK")
    s.answer(487, "Request Terminated", to="invite")
    s.expect("ACK")
    phone = sipp(s)
    here.baresip.forget()
    here.door.press()
    here.baresip.wait("CALL_INCOMING")
    here.linphone.expect("Receiving new incoming call")
    phone.wait("SIP/2.0 180 Ringing")
    here.door.hangup()
    here.baresip.wait("CALL_CLOSED")
    here.linphone.expect("ended")
    phone.wait("ACK sip:")


def test_the_doors_network_goes_and_comes(here):
    here.door.board.network(False)
    here.door.wait_status("is the cable in")
    here.door.board.network(True)
    here.door.wait_status("Ethernet: " + here.door.address)
    assert here.door.console("door.phones()").count("over " + here.kind.upper()) == 2
    _rings(here)


def test_the_door_starts_again_and_rings_at_once(here):
    """Over TCP no connection is left. It makes its own to the baresip, which listens at the port that its Contact names; that of the
    linphone is the one that its connection came from. The linphone tries again at once, when nobody can be there yet, and then
    after a minute."""
    known = len(here.linphone.log())
    here.door.leave()
    if here.kind == "tcp":
        here.linphone.process.until(
            lambda: "scheduling next timer in 60000 ms for purpose [retry]" in here.linphone.log()[known:], "it waits for a minute")
        assert "cause [Connection refused]" in here.linphone.log()[known:]
    here.door.enter()
    listed = here.door.console("door.phones()")
    assert listed.count("over " + here.kind.upper()) == 2
    assert listed.count("it has no connection now, and a call tries to make one") == (2 if here.kind == "tcp" else 0), listed
    if here.kind == "udp":
        _rings(here)
        return
    here.baresip.forget()
    here.door.press()
    here.baresip.wait("CALL_INCOMING")
    here.door.hangup()
    here.baresip.wait("CALL_CLOSED")
    _is(here, "102", "not reachable: its connection is gone")
    here.linphone.stop()
    here.linphone = here.another("later")
    _is(here, "102", "127.0.0.1:[0-9]+ over TCP")
    _rings(here)


def test_a_phone_that_vanished_rings_where_it_is_now(here):
    """It says nothing as it goes, and its instance tells that it is the same when it is back."""
    old = here.linphone
    os.kill(old.process.pid, signal.SIGKILL)
    old.process.wait(5)
    with Wire((here.door.address, 5060), address=old.address) as there:
        try:
            _is(here, "102", old.address + ":5060 over UDP" if here.kind == "udp" else "not reachable: its connection is gone")
            here.linphone = here.another("again")
            _is(here, "102", here.linphone.address + ":5060 over UDP" if here.kind == "udp" else "127.0.0.1:[0-9]+ over TCP")
            assert here.door.console("door.phones()").count("p102") == 1
            _rings(here)
            assert there.nothing(0.1)
        finally:
            old.stop()


def _hops(log, number):
    """The Vias of the newest INVITE that came to a phone, by its log."""
    return re.findall(r"(?m)^Via: (.*)$", log[log.rfind("\nINVITE sip:%s" % number):].replace("\r", "").partition("\n\n")[0])


def test_numbers_that_are_redirected_are_called_where_they_are(here):
    baresip, linphone = here.baresip, here.linphone
    here.door.set("house.redirect", "*")
    baresip.process.until(lambda: "*" in here.door.console("door._agent.house.redirected"), "it is in effect")
    baresip.dial(here.number(102))
    linphone.expect("Receiving new incoming call")
    hops = _hops(linphone.log(), 102)
    # Over TCP both name the port that they have connected from, and listen at another: so calls go by the door.
    assert len(hops) == (1 if here.kind == "udp" else 2) and baresip.address in hops[-1], hops
    linphone.say("answer")
    baresip.wait("CALL_ESTABLISHED")
    linphone.hangup()
    baresip.wait("CALL_CLOSED")
    # A phone that sends all it says to the door calls there what the door has told it.
    linphone.say("call " + here.number(101))
    baresip.wait("CALL_INCOMING")
    hops = _hops(baresip.process.said(), "101-")
    assert len(hops) == 2 and here.door.address in hops[0] and linphone.address in hops[1], hops
    assert ("SIP/2.0 302 Moved Temporarily" in linphone.log()) == (here.kind == "udp")
    baresip.accept()
    linphone.expect("connected")
    baresip.hangup()
    linphone.expect("ended")
    here.door.set("house.redirect", "")


def test_a_phone_behind_a_router_loses_its_connection(tmp_path):
    """It has registered by its flow (RFC 5626). This baresip tries again after half a minute at the earliest: it is started anew, as
    another process, but the same instance."""
    known = accounts(tmp_path, ["101"])

    def phone(name):
        return Baresip(tmp_path / name, speech.wav("phone", 8000), user="101", registrar=door.address, by=gateway.address,
                       password=known["101"], answers="manual", transport="tcp", keeps_flow=True)

    with Door(tmp_path, {"sip.mode": "house"}, heap=BURST_HEAP) as door, Gateway(door.address) as gateway:
        with phone("phone") as old:
            assert re.search(r"p101 +%s:\d+ over TCP" % gateway.address, door.console("door.phones()"))
            gateway.cut()
            old.process.until(lambda: "not reachable: its connection is gone" in door.console("door.phones()"), "the door knows")
            door.press()
            door.expect("not reachable now (480)")
            door.wait_no_call()
            os.kill(old.process.pid, signal.SIGKILL)
        gateway.mend()
        (tmp_path / "again").mkdir()
        shutil.copy(tmp_path / "phone" / "uuid", tmp_path / "again")
        with phone("again") as new:
            listed = door.console("door.phones()")
            assert listed.count("p101") == 1 and re.search(r"p101 +%s:\d+ over TCP" % gateway.address, listed), listed
            door.press()
            new.wait("CALL_INCOMING")
            new.accept()
            new.wait("CALL_ESTABLISHED")
            door.wait_flow()
            new.hangup()
            door.wait_no_call()
