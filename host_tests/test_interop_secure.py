"""Encrypted sound (SRTP, keys by SDES) with baresip and linphone: both ways, each wish with each wish, over TLS and, told so, over UDP."""
import time

import pytest

from host_tests.rig import speech
from host_tests.rig.baresip import Baresip
from host_tests.rig.certificates import Authority
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.kamailio import Kamailio
from host_tests.rig.linphone import Linphone
from host_tests.rig.undisturbed import undisturbed

pytestmark = pytest.mark.needs("baresip", "linphonec", "espeak-ng", "micropython")


def _door(folder, secure, over="any", more=None, heap=BURST_HEAP, **options):
    settings = {"rtp.secure": secure, "rtp.keys_over": over, **(more or {})}
    return Door(folder, settings, heap=heap, **options)


def _sounds(door, secret):
    """Sound flows both ways, encrypted or not, and nothing that comes is wrong."""
    door.wait_flow()
    status = door.status()
    assert ("PCMU encrypted" in status) == secret, status


# What the phone has, what the door has -> whether the phone's calls and the door's calls are encrypted; None: refused.
BARESIP = [
    ("", "preferred", False, False), ("srtp", "off", False, False), ("srtp", "preferred", True, True),
    ("srtp", "required", True, True), ("srtp-mand", "preferred", True, True), ("srtp-mand", "required", True, True),
    ("", "required", None, None), ("srtp-mand", "off", None, None),
]  # fmt: skip


@pytest.mark.parametrize("wish, secure, calls, called", BARESIP)
def test_baresip(tmp_path, wish, secure, calls, called):
    with _door(tmp_path / "door", secure) as door, Baresip(tmp_path / "phone", speech.wav("phone", 8000), secure=wish) as phone:
        phone.dial(door.uri)
        ending = phone.wait("CALL_ESTABLISHED", "CALL_CLOSED")
        if calls is None:
            assert "488" in ending["param"]
        else:
            _sounds(door, calls)
            phone.hangup()
        door.wait_no_call()
        words = door.call(phone.uri)
        if called is None:
            assert "(488)" in words and (secure != "required" or "encrypt" in words)
        else:
            _sounds(door, called)
            door.hold()
            door.wait_flow(sends=False, receives=False)
            door.resume()
            _sounds(door, called)
            phone.hold()
            door.wait_flow(sends=False, receives=False)
            phone.resume()
            _sounds(door, called)
            door.hangup()
        door.wait_no_call()


LINPHONE = [
    ("", "preferred", False, False), ("", "required", None, True), ("preferred", "preferred", True, False),
    ("preferred", "required", True, True), ("required", "preferred", True, True), ("required", "required", True, True),
    ("required", "off", None, None),
]  # fmt: skip


@pytest.mark.parametrize("wish, secure, calls, called", LINPHONE)
def test_linphone(tmp_path, wish, secure, calls, called):
    with _door(tmp_path / "door", secure) as door, Linphone(tmp_path / "phone", speech.wav("phone", 8000), secure=wish) as phone:
        phone.say("call " + door.uri)
        if calls is None:
            phone.expect("error")
        else:
            phone.expect("connected", "Media streams established")
            _sounds(door, calls)
            door.hangup()
            phone.expect("ended")
        door.wait_no_call()
        words = door.call(phone.uri)
        if called is None:
            assert "(488)" in words and (secure != "required" or "encrypt" in words)
        else:
            _sounds(door, called)
            phone.hold()
            door.wait_flow(sends=False)
            phone.resume()
            _sounds(door, called)
            phone.hangup()
        door.wait_no_call()


@pytest.mark.needs("pesq")
def test_encrypted_speech_is_as_good_as_open(tmp_path):
    def talk(i):
        folder = tmp_path / str(i)
        with Baresip(folder / "phone", speech.wav("phone", 8000), secure="srtp-mand") as phone:
            # both speak at once, and what comes is held against what was said: nothing is to turn either of them up or down
            as_said = {"audio.echo": "off", "audio.agc": "off"}
            with _door(folder / "door", "required", more=as_said, mic=speech.wav("visitor", 16000)) as door:
                phone.dial(door.uri)
                phone.wait("CALL_ESTABLISHED")
                time.sleep(max(speech.seconds("visitor"), speech.seconds("phone")) + 0.5)  # as long as they speak
                status = door.status()
                phone.hangup()
                door.wait_no_call()
                door.stop()
                assert "encrypted" in status
                to_door = speech.score("phone", speech.load(door.speaker))
                from_door = speech.score("visitor", speech.load(phone.heard()))
                print("to the door %.3f, from the door %.3f" % (to_door, from_door), status)
                assert to_door > speech.reference_score("phone") - 0.1
                assert from_door > speech.reference_score("visitor") - 0.1

    undisturbed(talk)


def test_over_udp_keys_are_not_offered_unless_told(tmp_path):
    with Baresip(tmp_path / "phone", speech.wav("phone", 8000), secure="srtp") as phone:
        with _door(tmp_path / "preferred", "preferred", "tls") as door:
            assert "In a call with" in door.call(phone.uri)
            _sounds(door, False)
            door.hangup()
            door.wait_no_call()
        with _door(tmp_path / "required", "required", "tls") as door:
            assert "keys may go over TLS only" in door.call(phone.uri)
            phone.dial(door.uri)
            assert "488" in phone.wait("CALL_CLOSED", "CALL_ESTABLISHED")["param"]


def test_over_tls_to_baresip(tmp_path):
    authority = Authority(tmp_path / "authority")
    with _door(tmp_path / "door", "required", "tls", files={"ca.der": authority.der}) as door:
        with Baresip(tmp_path / "phone", speech.wav("phone", 8000), transport="tls", certificate=authority.server,
                     secure="srtp-mand") as phone:  # fmt: skip
            assert "In a call with" in door.call(phone.uri)
            _sounds(door, True)
            door.hold()
            door.wait_flow(sends=False, receives=False)
            door.resume()
            _sounds(door, True)
            door.console("door.trace(True)")
            door.hold()
            for _ in range(3):  # two of ours and theirs: keys are in no trace
                line = door.expect("a=crypto:")
                assert line.endswith(" inline:***"), line
            door.console("door.trace(False)")
            door.hangup()
            phone.wait("CALL_CLOSED")


@pytest.mark.needs("kamailio-tls")
def test_over_tls_with_linphone_through_kamailio(tmp_path):
    authority = Authority(tmp_path / "authority")
    with Kamailio(tmp_path / "kamailio", {"door": "d", "carol": "c"}, certificate=authority.server,
                  calls_need_password=True) as kamailio:  # fmt: skip
        server = "%s:%d" % (kamailio.address, kamailio.tls_port)
        account = {"sip.server": server, "sip.password": "d", "sip.transport": "tls"}
        with Linphone(tmp_path / "phone", speech.wav("phone", 8000), registrar=server, password="c", transport="tls",
                      authority=authority.pem, secure="required") as phone, \
                _door(tmp_path / "door", "required", "tls", account, files={"ca.der": authority.der}) as door:  # fmt: skip
            kamailio.wait_contacts("door")
            kamailio.wait_contacts("carol")
            phone.say("call sip:door@%s;transport=tls" % server)
            phone.expect("connected", "Media streams established")
            _sounds(door, True)
            door.hangup()
            phone.expect("ended")
            door.wait_no_call()
            assert "carol" in door.call("carol")
            _sounds(door, True)
            phone.hangup()
            door.wait_no_call()
