"""Calls with a real softphone, directly and through Kamailio: who calls, who hangs up, what is heard, what opens the door."""
import time

import pytest

from host_tests.rig import speech
from host_tests.rig.baresip import Baresip
from host_tests.rig.door import Door
from host_tests.rig.kamailio import Kamailio
from host_tests.rig.undisturbed import undisturbed

pytestmark = pytest.mark.needs("baresip", "kamailio", "espeak-ng", "micropython")


@pytest.fixture(scope="module")
def kamailio(tmp_path_factory):
    users = {"door": "open sesame", "phone": "p", "second": "s"}
    with Kamailio(tmp_path_factory.mktemp("kamailio"), users, calls_need_password=True) as kamailio:
        yield kamailio


@pytest.fixture
def make(tmp_path):
    """make.phone(...), make.door(...): named, in folders of their own, ended with the test."""
    with _Maker(tmp_path) as maker:
        yield maker


class _Maker:
    def __init__(self, folder):
        self.folder = folder
        self.made = []

    def _keep(self, it):
        self.made.append(it)
        return it

    def phone(self, user="phone", kamailio=None, password="p", **more):
        where = (kamailio.server, password) if kamailio else (None, "")
        return self._keep(Baresip(self.folder / user, speech.wav("phone", 8000), user, *where, **more))

    def door(self, kamailio=None, mic=None, **settings):
        settings = {key.replace("_", ".", 1).replace("button.1_", "button.1."): value for key, value in settings.items()}
        if kamailio:
            settings.update({"sip.server": kamailio.server, "sip.user": "door", "sip.password": "open sesame"})
        door = self._keep(Door(self.folder / "door", settings, mic=mic))
        if kamailio:
            kamailio.wait_contacts("door")
        return door

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for it in reversed(self.made):
            it.stop()


@pytest.fixture(params=["direct", "kamailio"])
def way(request):
    """The Kamailio to call through, or None for calling directly."""
    if request.param == "direct":
        return None
    kamailio = request.getfixturevalue("kamailio")
    kamailio.forget_contacts()
    return kamailio


def _address(way, it):
    """Where to dial the phone or the door `it`."""
    return "sip:%s@%s" % (it.user, way.server if way else it.address)


def test_phone_calls_the_door_and_hangs_up(make, way):
    door, phone = make.door(way), make.phone(kamailio=way)
    phone.dial(_address(way, door))
    phone.wait("CALL_ESTABLISHED")
    assert "phone" in door.wait_status("In a call with")
    phone.hangup()
    door.wait_no_call()


def test_phone_calls_the_door_and_the_door_hangs_up(make, way):
    door, phone = make.door(way), make.phone(kamailio=way)
    phone.dial(_address(way, door))
    phone.wait("CALL_ESTABLISHED")
    door.wait_status("In a call with")
    door.hangup()
    phone.wait("CALL_CLOSED")
    door.wait_no_call()


@pytest.mark.parametrize("ends", ["phone", "door"])
def test_the_button_calls_the_phone(make, way, ends):
    phone = make.phone(kamailio=way, answers="manual")
    door = make.door(way, button_1_target="phone" if way else phone.uri)
    door.press()
    incoming = phone.wait("CALL_INCOMING")
    assert "door" in incoming["peeruri"]
    door.wait_status("ringing")
    phone.accept()
    phone.wait("CALL_ESTABLISHED")
    door.wait_status("In a call with")
    if ends == "phone":
        phone.hangup()
    else:
        door.hangup()
        phone.wait("CALL_CLOSED")
    door.wait_no_call()


def test_the_console_calls_the_phone(make, way):
    phone = make.phone(kamailio=way)
    door = make.door(way)
    words = door.call(_address(way, phone))
    phone.wait("CALL_ESTABLISHED")
    assert "phone" in words
    door.hangup()
    phone.wait("CALL_CLOSED")


def test_a_second_caller_is_told_busy(make, way):
    door, phone = make.door(way), make.phone(kamailio=way)
    second = make.phone("second", way, "s")
    phone.dial(_address(way, door))
    phone.wait("CALL_ESTABLISHED")
    second.dial(_address(way, door))
    assert second.wait("CALL_CLOSED")["param"].startswith("486")
    assert "phone" in door.wait_status("In a call with")
    phone.hangup()
    door.wait_no_call()


def test_a_busy_phone_is_said_in_words(make, way):
    phone = make.phone(kamailio=way, max_calls=1)
    second = make.phone("second", way, "s")
    second.dial(_address(way, phone))
    phone.wait("CALL_ESTABLISHED")
    door = make.door(way)
    assert "486" in door.call(_address(way, phone))


def test_the_caller_gives_up(make, way):
    door, phone = make.door(way, call_incoming="ring"), make.phone(kamailio=way)
    phone.dial(_address(way, door))
    phone.wait("CALL_RINGING")
    door.wait_status("is calling")
    phone.hangup()
    door.wait_no_call()


def test_the_door_gives_up(make, way):
    door, phone = make.door(way), make.phone(kamailio=way, answers="manual")
    door.start_call(_address(way, phone))
    phone.wait("CALL_INCOMING")
    door.wait_status("ringing")
    door.hangup()
    phone.wait("CALL_CLOSED")
    door.wait_no_call()


def test_the_door_rejects(make, way):
    door, phone = make.door(way, call_incoming="reject"), make.phone(kamailio=way)
    phone.dial(_address(way, door))
    assert phone.wait("CALL_CLOSED")["param"][:3] in ("403", "480", "603")
    door.wait_no_call()


def test_the_phone_rejects(make, way):
    door, phone = make.door(way), make.phone(kamailio=way, answers="manual")
    door.start_call(_address(way, phone))
    phone.wait("CALL_INCOMING")
    phone.hangup()
    door.wait_no_call()


def test_nobody_answers(make, way):
    phone = make.phone(kamailio=way, answers="manual")
    door = make.door(way, button_1_target=_address(way, phone), call_ring_s=5)
    door.press()
    phone.wait("CALL_INCOMING")
    phone.wait("CALL_CLOSED", timeout_s=12)
    door.wait_no_call()


def test_the_door_rings_until_its_button_answers(make, way):
    door, phone = make.door(way, call_incoming="ring"), make.phone(kamailio=way)
    phone.dial(_address(way, door))
    phone.wait("CALL_RINGING")
    door.wait_status("is calling")
    door.press()
    phone.wait("CALL_ESTABLISHED")
    phone.hangup()
    door.wait_no_call()


@pytest.mark.needs("pesq")
@pytest.mark.parametrize("way, law", [("direct", "ulaw"), ("kamailio", "alaw")], indirect=["way"])
def test_speech_both_ways_is_as_good_as_one_g711_pass(tmp_path, way, law):
    codec = {"ulaw": "PCMU/8000/1", "alaw": "PCMA/8000/1"}[law]

    def talk(i):
        if way:
            way.forget_contacts()
        with _Maker(tmp_path / str(i)) as make:
            phone = make.phone(kamailio=way, codecs=codec)
            # Both speak at once, and are to be heard as they are: neither gated nor levelled.
            door = make.door(way, mic=speech.wav("visitor", 16000), audio_echo="off", audio_agc="off")
            phone.dial(_address(way, door))
            phone.wait("CALL_ESTABLISHED")
            time.sleep(max(speech.seconds("visitor"), speech.seconds("phone")) + 0.5)  # as long as they speak
            phone.hangup()
            door.wait_no_call()
            status = door.status()
            door.stop()
            for where, name, heard in (("to", "phone", door.speaker), ("from", "visitor", phone.heard())):
                score, bare = speech.score(name, speech.load(heard)), speech.reference_score(name, law)
                print("%s the door %.3f of %.3f" % (where, score, bare), status)
                assert score > bare - 0.1

    undisturbed(talk)


def test_the_right_code_opens(make, way):
    door, phone = make.door(way, door_code="2580", door_open_s=1), make.phone(kamailio=way)
    phone.dial(_address(way, door))
    phone.wait("CALL_ESTABLISHED")
    door.wait_sound()
    assert door.relay() == 0
    phone.send_digits("2580")
    door.wait_relay(1)
    door.wait_relay(0)                                      # shut again by itself, in the middle of the call
    assert "phone" in door.wait_status("In a call with")
    phone.hangup()
    door.wait_no_call()


def test_the_right_code_opens_when_the_door_called(make, way):
    phone = make.phone(kamailio=way)
    door = make.door(way, button_1_target=_address(way, phone), door_code="7#", door_open_s=1)
    door.press()
    phone.wait("CALL_ESTABLISHED")
    door.wait_sound()
    phone.send_digits("7#")
    door.wait_relay(1)


def test_a_wrong_code_does_not_open(make):
    door, phone = make.door(door_code="2580", door_open_s=1), make.phone()
    phone.dial(_address(None, door))
    phone.wait("CALL_ESTABLISHED")
    door.wait_sound()
    phone.send_digits("2581")
    door.expect("A wrong code.")
    assert door.relay() == 0 and door.relay_count() == 0
    phone.send_digits("2580")
    door.wait_relay(1)


def test_three_wrong_codes_lock_the_keys(make):
    door, phone = make.door(door_code="2580"), make.phone()
    phone.dial(_address(None, door))
    phone.wait("CALL_ESTABLISHED")
    door.wait_sound()
    for _ in range(2):
        phone.send_digits("1111")
        door.expect("A wrong code.")
    phone.send_digits("1111")
    door.expect("A third wrong code")
    phone.send_digits("2580")
    phone.send_digits("2580")
    time.sleep(2.5)                                         # as long as eight keys take
    assert door.relay() == 0 and door.relay_count() == 0
    assert "keys are not heard" in door.status()


def test_without_a_code_nothing_opens(make):
    door, phone = make.door(), make.phone()
    phone.dial(_address(None, door))
    phone.wait("CALL_ESTABLISHED")
    door.wait_sound()
    phone.send_digits("1234567890*#")
    door.expect("no code is set")
    time.sleep(3)                                           # as long as twelve keys take
    assert door.relay() == 0 and door.relay_count() == 0
