"""make house: the servers of a house alone on a PC, under both interpreters, with real phones; and a door that goes on with them."""

import os
import re
import shutil
import signal

import pytest

from host_tests.rig import speech
from host_tests.rig.baresip import Baresip
from host_tests.rig.certificates import Authority
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.handset import Handset
from host_tests.rig.house import House, order
from host_tests.rig.kamailio import Kamailio
from host_tests.rig.linphone import Linphone

pytestmark = pytest.mark.needs("micropython")

BOTH = pytest.mark.parametrize("first, second", [("cpython", "micropython"), ("micropython", "cpython")])


@pytest.mark.needs("baresip", "espeak-ng")
@BOTH
def test_phones_call_each_other_and_are_found_after_a_restart(first, second, tmp_path):
    sound = speech.wav("phone", 8000)
    with House(tmp_path / "state", first) as house:
        kitchen, hall = house.add("kitchen"), house.add("hall")
        assert (kitchen[0], hall[0]) == ("101", "102")
        with Baresip(tmp_path / "k", sound, user="101", registrar=house.address, password=kitchen[1]) as k, \
                Baresip(tmp_path / "h", sound, user="102", registrar=house.address, password=hall[1], answers="manual",
                        transport="tcp") as h:
            house.expect("102 (hall) is registered.")
            k.dial("sip:102@" + house.address)
            house.expect("101 (kitchen) calls 102 (hall).")
            h.wait("CALL_INCOMING")
            h.accept()
            house.expect("102 (hall) has answered 101 (kitchen).")
            k.wait("CALL_ESTABLISHED")
            k.hangup()
            h.wait("CALL_CLOSED")
            k.dial("sip:102@" + house.address)
            h.wait("CALL_INCOMING")
            h.hangup()
            house.expect("101 (kitchen) did not reach 102 (hall): ")
            k.wait("CALL_CLOSED")

            assert house.close() == 0
            house.expect("The house is closed. For its next start it keeps 2 phones, 2 of them registered.")
            house.start(second)
            house.expect("It has 2 phones, 2 of them registered.")
            h.dial("sip:100@" + house.address)  # before anybody has registered anew: all others
            house.expect("101 (kitchen) has answered 102 (hall).")
            h.wait("CALL_ESTABLISHED")
            h.hangup()
            k.wait("CALL_CLOSED")
            assert house.close() == 0
        said = house.process.said()
        assert "Traceback" not in said, said


@BOTH
def test_what_a_person_does_with_phones_is_seen_by_the_house_that_runs(first, second, tmp_path):
    with House(tmp_path, first) as house:
        assert order(tmp_path, second, "--phones") == ("", 0)
        number, password = house.add("kitchen")
        with Handset(number, password, house.address) as phone, Handset("102", "wrong", house.address) as stranger:
            assert phone.register().status == 200
            house.expect("101 (kitchen) is registered.")
            assert stranger.register().status == 401
            said, status = order(tmp_path, second, "--add-phone", "kitchen 2")
            assert status == 1 and "a phone has a name of" in said
            said, status = order(tmp_path, second, "--remove-phone", "kitchen")
            assert (said.strip(), status) == ("kitchen, 101, is no phone of this house any more.", 0)
            house.expect("101 is no phone of this house any more.")
            assert phone.register().status == 401
        assert house.close() == 0


def test_a_door_goes_on_with_the_folder_of_a_house_and_a_house_with_that_of_a_door(tmp_path):
    with House(tmp_path, "cpython") as house:
        number, password = house.add("kitchen")
        with Handset(number, password, house.address) as phone:
            assert phone.register().status == 200
            assert house.close() == 0
            with Door(tmp_path, {"sip.mode": "house"}, heap=BURST_HEAP) as door:
                assert "%s:%d over UDP" % (phone.address, phone.port) in door.console("door.phones()")
                door.console("door.add_phone('hall')")
                door.console("door.set('house.all', '200')")
            said, status = order(tmp_path, "micropython", "--phones")
            assert "kitchen          %s:%d\n102   hall             not registered" % (phone.address, phone.port) in said


@pytest.mark.needs("linphonec", "espeak-ng")
@pytest.mark.parametrize("interpreter", ["cpython", "micropython"])
def test_linphone_fetches_its_account(interpreter, tmp_path):
    with House(tmp_path / "state", interpreter) as house:
        with house.adding("kitchen") as adding:
            adding.until(lambda: "Ctrl-C" in adding.said(), "the code is shown")
            address = re.search(r"http://%s:\d+/\S+" % house.address, adding.said()).group(0)
            with Linphone(tmp_path / "phone", speech.wav("phone", 8000), provision=address):
                assert adding.wait(30) == 0
                house.expect("101 (kitchen) is registered.")
        assert "kitchen has fetched its account" in adding.said() and "Traceback" not in adding.said()
        with house.adding("hall") as adding:  # and nobody wants it
            adding.until(lambda: "Ctrl-C" in adding.said(), "the code is shown")
            os.kill(adding.pid, signal.SIGINT)
            assert adding.wait(10) == 0 and "Traceback" not in adding.said()
        assert "102   hall" in order(tmp_path / "state", interpreter, "--phones")[0]


@pytest.mark.needs("kamailio", "baresip", "espeak-ng")
@pytest.mark.parametrize("interpreter", ["cpython", "micropython"])
@pytest.mark.parametrize("kind", ["udp", "tls"])
def test_calls_outside_and_from_there(interpreter, kind, tmp_path):
    sound = speech.wav("phone", 8000)
    authority = Authority(tmp_path / "authority")
    with Kamailio(tmp_path / "provider", {"555": "o", "0123": "a"}, calls_need_password=True, inside_need_password=["555"],
                  certificate=authority.server) as provider:
        server = provider.address + (":%d" % provider.tls_port if kind == "tls" else "")
        settings = {"house.out.server": server, "house.out.user": "555", "house.out.password": "o", "house.out.prefixes": "01",
                    "sip.transport": kind}
        (tmp_path / "state").mkdir()
        shutil.copy(authority.der, tmp_path / "state/ca.der")
        with House(tmp_path / "state", interpreter, settings) as house, \
                Baresip(tmp_path / "aunt", sound, "0123", provider.server, "a") as aunt:
            house.expect("Registered at %s" % provider.address)
            provider.wait_contacts("0123")
            number, password = house.add("kitchen")
            with Baresip(tmp_path / "kitchen", sound, number, house.address, password) as kitchen:
                house.expect("101 (kitchen) is registered.")
                kitchen.dial("sip:0123@" + house.address)
                house.expect("101 calls 0123 outside.")
                house.expect("0123 has answered 101 (kitchen).")
                aunt.wait("CALL_ESTABLISHED")
                kitchen.hangup()
                aunt.wait("CALL_CLOSED")
                aunt.forget()
                kitchen.forget()
                aunt.dial("sip:555@" + provider.server)
                house.expect("555 has answered 0123.")
                aunt.wait("CALL_ESTABLISHED")
                aunt.hangup()
                kitchen.wait("CALL_CLOSED")
                kitchen.dial("sip:0999@" + house.address)
                house.expect("101 (kitchen) did not reach 0999: ")
            assert house.close() == 0
            provider.wait_contacts("555", 0)
        said = house.process.said()
        assert "Traceback" not in said, said


def test_a_phone_at_two_places_is_one_phone(tmp_path):
    with House(tmp_path, "cpython") as house:
        number, password = house.add("kitchen")
        with Handset(number, password, house.address) as one, Handset(number, password, house.address) as two:
            assert one.register().status == two.register().status == 200
        assert house.close() == 0
        house.expect("it keeps 1 phone, 1 of them registered.")


@pytest.mark.parametrize("interpreter", ["cpython", "micropython"])
def test_what_cannot_be_is_said_in_words(interpreter, tmp_path):
    for options, words in (
        (("--listen", "example.org"), "write an address of this computer"),
        (("--listen", "192.0.2.200"), "192.0.2.200:5060 cannot be used"),
        (("--set", "house.max_tcp=99"), "house.max_tcp"),
        (("--set", "house.phones=1"), "house.phones"),
        (("--remove-phone", "attic"), "there is no phone attic"),
    ):
        said, status = order(tmp_path, interpreter, *options)
        assert words in said and "Traceback" not in said and status == 1, (options, said)
