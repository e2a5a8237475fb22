"""The house without a PBX: real phones register at the door itself, call each other and the door, and ring together."""

import re
import time

import pytest

from host_tests.rig import speech
from host_tests.rig.baresip import Baresip
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.handset import Handset, accounts, until
from host_tests.rig.linphone import Linphone

needs_phones = pytest.mark.needs("baresip", "linphonec", "espeak-ng", "micropython")
HOUSE = {"sip.mode": "house", "call.ring_s": 20}


def account(door, name):
    """-> (number, password) of a new phone."""
    said = door.console("door.add_phone(%r)" % name)
    found = re.search(r"account +(\S+)\n +password +(\S+)\n +server +(\S+)", said)
    assert found and found.group(3) == door.address, said
    return found.group(1), found.group(2)


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with Door(tmp_path_factory.mktemp("door"), HOUSE, heap=BURST_HEAP) as door:
        yield door


@pytest.fixture(scope="module")
def another(tmp_path_factory):
    """A door of which phones come and go: each name that is typed stays with the interpreter."""
    with Door(tmp_path_factory.mktemp("another"), HOUSE, heap=BURST_HEAP) as door:
        yield door


@pytest.fixture(autouse=True)
def free(request):
    yield
    if "door" in request.fixturenames:
        request.getfixturevalue("door").settle()


@pytest.fixture(scope="module")
def pair(door, tmp_path_factory):
    """(baresip, linphone), both registered over UDP, both ringing until somebody answers."""
    kitchen, hall = account(door, "kitchen"), account(door, "hall")
    with Baresip(tmp_path_factory.mktemp("baresip"), speech.wav("phone", 8000), user=kitchen[0], registrar=door.address,
                 password=kitchen[1], answers="manual") as baresip, \
            Linphone(tmp_path_factory.mktemp("linphone"), speech.wav("phone", 8000), user=hall[0], registrar=door.address,
                     password=hall[1], answers="manual", realm="house") as linphone:
        door.wait_status("2 of 2 phones are registered")
        yield baresip, linphone


@needs_phones
def test_a_newcomers_first_minutes(tmp_path):
    """As the README tells them, in 96wK: a softphone calls, a code is set while they talk, and opens the door."""
    with Door(tmp_path, {**HOUSE, "door.open_s": 1}) as door, Baresip(tmp_path / "phone", speech.wav("phone", 8000)) as phone:
        phone.dial(door.uri)
        phone.wait("CALL_ESTABLISHED")
        door.wait_flow()
        assert "In a call with phone" in door.status()
        assert "door.code = (set). In effect now." in door.set("door.code", "2580")
        phone.send_digits("2580")
        door.expect("The right code: the door is open for 1 s.")
        door.wait_relay(0)
        assert "The code opens it for 1 s." in door.status()
        door.hangup()
        phone.wait("CALL_CLOSED")
        number, _ = account(door, "kitchen")
        assert number == "101" and "Traceback" not in door.said()


@needs_phones
def test_phones_register_and_are_listed(door, pair):
    baresip, linphone = pair
    listed = door.console("door.phones()")
    assert re.search(r"(?m)^101 +kitchen +%s:5060 over UDP, for \d+ s more$" % baresip.address, listed), listed
    assert re.search(r"(?m)^102 +hall +%s:5060 over UDP, for \d+ s more$" % linphone.address, listed), listed


@needs_phones
def test_they_call_each_other_by_number(door, pair):
    baresip, linphone = pair
    baresip.dial("sip:102@" + door.address)
    linphone.expect("Receiving new incoming call")
    linphone.say("answer")
    baresip.wait("CALL_ESTABLISHED")
    linphone.hangup()
    baresip.wait("CALL_CLOSED")
    linphone.say("call sip:101@" + door.address)
    baresip.wait("CALL_INCOMING")
    baresip.accept()
    linphone.expect("connected")
    baresip.hangup()
    linphone.expect("ended")
    assert "No call." in door.status()


@needs_phones
def test_they_call_each_other_and_the_door_by_name(door, pair):
    """And the phone that rings shows the other's name, which neither of them knows of itself."""
    baresip, linphone = pair
    for uri in ("sip:hall@" + door.address, "sip:Hall@%s;transport=udp" % door.address, "sip:%68al%6C@" + door.address, "sip:hall@house"):
        baresip.dial(uri)
        linphone.expect('Receiving new incoming call from "kitchen" <sip:101@')
        baresip.hangup()
        linphone.expect("ended")
    for called in ("kitchen", "sip:KITCHEN@" + door.address):
        baresip.forget()
        linphone.say("call " + called)  # a name alone is one of its registrar's
        incoming = baresip.wait("CALL_INCOMING")
        assert incoming["peerdisplayname"] == "hall" and incoming["peeruri"].startswith("sip:102@"), incoming
        baresip.accept()
        linphone.expect("connected")
        linphone.hangup()
        baresip.wait("CALL_CLOSED")
    for called in ("door", "sip:%64oor@" + door.address):
        linphone.say("call " + called)
        linphone.expect("connected")
        door.wait_flow()
        door.hangup()
        linphone.expect("ended")
        door.wait_no_call()
    baresip.dial("sip:nobody@" + door.address)
    assert "No such number in this house" in baresip.wait("CALL_CLOSED")["param"]


@pytest.mark.needs("micropython")
def test_names_that_phones_may_have(another):
    door = another
    for name in ("", "a" * 17, "two words", "1st", "-a", "a@b", "a%62", 'a"', "a;b", "a\u200fb", "\u202ea", "door", "DOOR", 7):
        words = door.console("door.add_phone(%r)" % (name,))
        assert "letters, digits and hyphens" in words or "another name" in words, (name, words)
    number, password = account(door, "K\u00fcche-2")
    with Handset(number, password, door.address) as phone:
        assert phone.register().status == 200
        uri = "sip:k%C3%BCche-2@" + door.address
        asked = phone.transact(phone.request("INVITE", uri, body=phone.offer()), 407)
        phone.send(phone.request("ACK", uri, 1, asked.to_tag, branch=phone.branch))
        phone.take_challenge(asked)
        phone.send(phone.request("INVITE", uri, 2, headers=[phone.credentials("INVITE", uri, "Proxy-Authorization")], body=phone.offer()))
        until([phone], lambda: phone.rung, "it rings itself")
        assert phone.rung[0].get("from").startswith('"K\u00fcche-2" <sip:%s@' % number)
    assert "Traceback" not in door.said()
    door.console("door.remove_phone(%s)" % number)


@needs_phones
def test_they_call_the_door(door, pair):
    baresip, linphone = pair
    baresip.dial(door.uri)
    baresip.wait("CALL_ESTABLISHED")
    door.wait_flow()
    baresip.hangup()
    door.wait_no_call()
    linphone.call(door)
    door.wait_flow()
    door.hangup()
    linphone.expect("ended")


@needs_phones
def test_the_button_rings_all_and_the_first_answers(door, pair):
    baresip, linphone = pair
    baresip.forget()
    door.press()
    baresip.wait("CALL_INCOMING")
    linphone.expect("Receiving new incoming call")
    baresip.accept()
    linphone.expect("ended")
    door.expect("In a call with kitchen")
    door.wait_flow()
    assert 'Reason: SIP;cause=200;text="Call completed elsewhere"' in linphone.log()
    baresip.hangup()
    door.wait_no_call()
    door.press()
    baresip.wait("CALL_INCOMING")
    linphone.expect("Receiving new incoming call")
    linphone.say("answer")
    baresip.wait("CALL_CLOSED")
    door.expect("In a call with hall")
    door.wait_flow()
    door.hangup()
    door.expect("The call with hall ended")
    linphone.expect("ended")


@pytest.mark.needs("micropython")
def test_a_wrong_password_is_refused_and_told(door):
    number, _ = account(door, "cellar")
    with Handset(number, "not this", door.address) as phone:
        for _ in range(3):
            phone.challenge = None
            assert phone.register().status == 401
        said = door.expect("Wrong passwords")
        assert "Wrong passwords from %s, 3 in a row, the last for '%s': it is not heard for 5 s." % (phone.address, number) in said
        assert door.expect("is the account of").endswith(
            '%s is the account of cellar: door.add_phone("cellar") gives that a new password, if the old one is lost.' % number)
        answer = phone.register()
        assert answer.status == 503 and answer.get("retry-after")
    for user, words in (("cellar", "cellar is what the phone is called: its account is %s." % number),
                        ("999", "No phone of this house has that account: door.phones() lists those there are.")):
        with Handset(user, "not this", door.address) as phone:
            for _ in range(3):
                phone.challenge = None
                assert phone.register().status == 401
        door.expect(words)
    assert re.search("(?m)^%s +cellar +not registered: it does not ring" % number, door.console("door.phones()"))
    assert "is no phone of this house any more" in door.console("door.remove_phone(%s)" % number)


@pytest.mark.needs("micropython")
def test_a_new_password_for_a_phone_that_there_is(another):
    door = another
    number, password = account(door, "attic")
    with Handset(number, password, door.address) as old, Handset(number, "", door.address) as new:
        assert old.register().status == 200
        again, new.password = account(door, "Attic")
        assert again == number and new.password != password
        assert re.search("(?m)^%s +Attic +not registered" % number, door.console("door.phones()"))
        assert old.register().status == 401 and new.register().status == 200
        assert len(re.findall("(?m)^%s " % number, door.console("door.phones()"))) == 1
    door.console("door.remove_phone(%s)" % number)


@pytest.mark.needs("micropython")
def test_a_phone_that_was_removed_is_gone_at_once(another):
    """With what it was asked, and answered rightly, a moment before; and its number's next owner is not it."""
    door = another
    number, password = account(door, "gone")
    with Handset(number, password, door.address) as phone:
        text = phone.register_text()
        phone.take_challenge(phone.transact(text, 401, cseq="%d REGISTER" % phone.sequence))
        text = phone.register_text()
        assert phone.transact(text, 200, cseq="%d REGISTER" % phone.sequence)
        door.expect("%s (gone) is registered" % number)
        door.console('door.remove_phone("gone")')
        assert "gone" not in door.console("door.phones()")
        phone.send(text)  # the very same once more
        assert phone.receive(5).status == 401
        assert phone.register().status == 401
        assert phone.transact(phone.request("INVITE", "sip:101@" + door.address, body=phone.offer()), 407, 503)  # three were wrong
        taken, _ = account(door, "next")
        assert taken == number and re.search("(?m)^%s +next +not registered" % number, door.console("door.phones()"))
        assert "Calling next." in door.start_call(number)
        door.wait_no_call()
        door.console("door.remove_phone(%s)" % number)
        assert phone.nothing(0.1)


@needs_phones
@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_a_phone_that_is_removed_in_a_call_talks_on(tmp_path, kind):
    known = accounts(tmp_path, ["101", "102"])
    with Door(tmp_path, HOUSE, heap=BURST_HEAP) as door:
        def phone(number):
            return Baresip(tmp_path / number, speech.wav("phone", 8000), user=number, registrar=door.address, password=known[number],
                           answers="manual", transport=kind)

        with phone("101") as one, phone("102") as two:
            door.expect("102 (p102) is registered")
            one.dial(door.uri + (";transport=tcp" if kind == "tcp" else ""))
            one.wait("CALL_ESTABLISHED")
            door.wait_flow()
            door.console("door.remove_phone(101)")
            assert door.console("door.phones()").strip().count("\n") == 0 and "p102" in door.console("door.phones()")
            door.wait_flow()
            one.hangup()
            one.wait("CALL_CLOSED")
            door.wait_no_call()
            two.forget()
            door.press()
            two.wait("CALL_INCOMING")
            assert one.calls() == 0
            door.hangup()
            two.wait("CALL_CLOSED")
            one.dial("sip:102@" + door.address)
            assert one.wait("CALL_CLOSED", "CALL_ESTABLISHED")["type"] == "CALL_CLOSED"


@pytest.mark.needs("micropython")
def test_after_a_power_cut_the_bell_rings_at_once(tmp_path):
    with Door(tmp_path, HOUSE) as door:
        number, password = account(door, "kitchen")
        with Handset(number, password, door.address) as phone:
            assert phone.register().status == 200
            door.expect("%s (kitchen) is registered" % number)
            until([phone], lambda: (tmp_path / "bindings.txt").exists(), "the bindings are saved")
            door.forget()
            door.board.reset()
            door.expect("Listening for calls")
            assert "1 of 1 phones" in door.status()
            door.press()
            until([phone], lambda: phone.rung, "it rings")
            door.hangup()
            until([phone], lambda: phone.reasons, "it stops")
            assert phone.register().status == 200  # with what it was asked before the cut


@needs_phones
def test_over_tcp_they_call_each_other_and_the_door(tmp_path):
    known = accounts(tmp_path, ["101", "102"])
    with Door(tmp_path, HOUSE, heap=BURST_HEAP) as door, \
            Baresip(tmp_path / "baresip", speech.wav("phone", 8000), user="101", registrar=door.address, password=known["101"],
                    answers="manual", transport="tcp") as baresip, \
            Linphone(tmp_path / "linphone", speech.wav("phone", 8000), user="102", registrar=door.address, password=known["102"],
                     answers="manual", transport="tcp", realm="house") as linphone:
        door.expect("102 (p102) is registered")
        assert door.console("door.phones()").count("over TCP") == 2
        baresip.dial("sip:102@%s;transport=tcp" % door.address)
        linphone.expect("Receiving new incoming call")
        linphone.say("answer")
        baresip.wait("CALL_ESTABLISHED")
        linphone.hangup()
        baresip.wait("CALL_CLOSED")
        door.press()
        baresip.wait("CALL_INCOMING")
        linphone.expect("Receiving new incoming call")
        baresip.accept()
        door.expect("In a call with p101")
        door.wait_flow()
        linphone.expect("ended")
        baresip.hangup()
        door.wait_no_call()
        door.press()
        baresip.wait("CALL_INCOMING")
        linphone.expect("Receiving new incoming call")
        linphone.say("answer")
        door.expect("In a call with p102")
        linphone.hangup()
        door.wait_no_call()


def invites(one, uri, body, *wanted):
    """A handset's INVITE, with its password -> what it hears."""
    one.fresh_call()
    asked = one.transact(one.request("INVITE", uri, body=body), 407)
    one.send(one.request("ACK", uri, 1, asked.to_tag, branch=one.branch))
    one.take_challenge(asked)
    line = one.credentials("INVITE", uri, "Proxy-Authorization")
    return one.transact(one.request("INVITE", uri, 2, headers=[line], body=body), *wanted)


@pytest.mark.needs("baresip", "espeak-ng", "micropython")
def test_a_request_that_has_grown_too_long_goes_by_tcp(tmp_path):
    """Both have registered over UDP: the baresip takes it over TCP, where a handset does not listen."""
    known = accounts(tmp_path, ["101", "102", "103"])
    with Door(tmp_path / "door", HOUSE, heap=BURST_HEAP, files={"phones.txt": str(tmp_path / "phones.txt")}) as door, \
            Handset("101", known["101"], door.address) as one, Handset("102", known["102"], door.address) as two, \
            Baresip(tmp_path / "baresip", speech.wav("phone", 8000), user="103", registrar=door.address, password=known["103"],
                    answers="manual") as three:
        assert one.register().status == two.register().status == 200
        long = one.offer() + b"a=candidate:1 1 UDP 2130706431 192.0.2.11 4000 typ host\r\n" * 14
        assert len(one.request("INVITE", "sip:103@" + door.address, 2, body=long)) < 1300
        invites(one, "sip:103@" + door.address, long, 180)
        assert re.search(r"TCP \S+ -> \S+\s+INVITE sip:103", three.process.said()), three.process.said()[-3000:]
        three.hangup()
        one.expect(486, 603)
        asked = invites(one, "sip:102@" + door.address, long, 100)
        until([one, two], lambda: two.rung, "it rings", timeout_s=3)
        assert two.rung[0].get("via").startswith("SIP/2.0/UDP ") and asked.status == 100


@pytest.mark.needs("micropython")
def test_a_number_that_is_redirected_is_told_where(tmp_path):
    known = accounts(tmp_path, ["101", "102"])
    with Door(tmp_path, dict(HOUSE, **{"house.redirect": "102"})) as door, Handset("101", known["101"], door.address) as one, \
            Handset("102", known["102"], door.address) as two:
        assert one.register().status == two.register().status == 200
        moved = invites(one, "sip:102@" + door.address, one.offer(), 302)
        assert moved.get("contact") == "<%s>;q=1.000" % two.uri and two.nothing()
        # Names do as well as numbers, and the button may have some of its own.
        assert "Calling p101." in door.start_call("p101")
        until([one], lambda: one.rung, "it rings")
        door.hangup()
        until([one], lambda: one.reasons, "it stops")


@pytest.mark.needs("baresip", "espeak-ng", "micropython")
def test_twenty_phones_and_a_call_in_a_small_heap(tmp_path):
    """In 96wK: all of them ring, one answers, and its call goes on while the others register again."""
    numbers = [str(101 + n) for n in range(20)]
    known = accounts(tmp_path, numbers)
    with Door(tmp_path, dict(HOUSE, **{"call.ring_s": 60})) as door:
        others = [Handset(number, known[number], door.address) for number in numbers[1:]]
        try:
            for phone in others:
                assert phone.register().status == 200
            with Baresip(tmp_path / "phone", speech.wav("phone", 8000), user="101", registrar=door.address, password=known["101"],
                         answers="manual") as baresip:
                door.press()
                baresip.wait("CALL_INCOMING")
                until(others, lambda: all(phone.rung for phone in others), "all ring", 20)
                baresip.accept()
                baresip.wait("CALL_ESTABLISHED", timeout_s=30)
                until(others, lambda: all(phone.reasons for phone in others), "all stop", 30)
                assert {phone.reasons[0] for phone in others} == {'SIP;cause=200;text="Call completed elsewhere"'}
                end = time.monotonic() + 4  # of sound
                rounds = 0
                while rounds < 8 or time.monotonic() < end:
                    rounds += 1
                    for phone in others:
                        assert phone.register().status == 200
                assert baresip.calls() == 1
                door.forget()
                baresip.hangup()
                found = re.search(r"sent (\d+), received (\d+), lost (\d+)", door.expect("RTP 127", timeout_s=30))
                sent, received, lost = map(int, found.groups())
                assert sent > 100 and received > 100 and lost == 0, found.group(0)
        finally:
            for phone in others:
                phone.close()
