"""The registrar of a house without a PBX, in virtual time."""

from house_sip import Home

from sip.scan import H_CONTACT
from sip.server import location


def test_a_phone_registers_with_the_better_algorithm_and_is_found():
    home = Home()
    phone = home.member(b"101", 11)
    answer = phone.register()
    asked = [m for m in phone.got if m.status == 401][0]
    offered = [value for value in asked.raw(19)]
    assert b"SHA-256" in offered[0] and b"MD5" in offered[1] and len(offered) == 2
    assert answer.status == 200 and answer.get(H_CONTACT) == b"<sip:101@192.0.2.11:5060>;expires=300"
    assert [one[1] for one in home.contacts(b"101")] == [b"sip:101@192.0.2.11:5060"]
    assert home.changes == 1
    assert home.door.refused == 0  # nor was it turned away when it was asked


def test_refreshing_is_no_news_and_keeps_the_nonce():
    home = Home()
    phone = home.member(b"101", 11)
    phone.register()
    home.run(100000)
    answer = phone.send(phone.text(b"REGISTER", b"sip:192.0.2.1", to=b"sip:101@house", more=(b"Contact: " + phone.uri, phone.authenticator.line(b"REGISTER", b"sip:192.0.2.1"))))
    assert answer.status == 200 and b"expires=300" in answer.get(H_CONTACT)
    assert home.changes == 1 and len(home.house.bindings) == 1


def test_a_binding_expires():
    home = Home()
    phone = home.member(b"101", 11)
    phone.register(expires=60)
    home.run(59000)
    assert home.contacts(b"101")
    home.run(2000)
    assert not home.contacts(b"101") and home.changes == 2


def test_too_short_is_423_and_too_long_is_cut():
    home = Home()
    phone = home.member(b"101", 11)
    answer = phone.register(expires=10)
    assert answer.status == 423 and answer.get(23) == b"60"
    assert not home.house.bindings
    assert b"expires=3600" in phone.register(expires=999999).get(H_CONTACT)


def test_unregistered_one_and_all():
    home = Home()
    phone, other = home.member(b"101", 11), home.member(b"101", 12)
    phone.register()
    assert len(other.register().all(H_CONTACT)) == 2
    assert len(phone.register(expires=0).all(H_CONTACT)) == 1
    phone.register()
    answer = other.register(contact=b"*", expires=0)
    assert answer.status == 200 and answer.get(H_CONTACT) is None and not home.house.bindings
    assert other.register(contact=b"*").status == 400


def test_without_contact_it_is_a_question():
    home = Home()
    phone = home.member(b"101", 11)
    phone.register(contact=phone.uri + b";q=0.5")
    answer = home.member(b"101", 12).register(contact=b"")
    assert answer.all(H_CONTACT) == [b"<sip:101@192.0.2.11:5060>;expires=300;q=0.500"]


def test_nobody_registers_without_or_with_a_wrong_password_or_for_another():
    home = Home()
    stranger = home.member(b"109", 19)
    assert stranger.register().status == 401
    wrong = home.member(b"101", 12)
    wrong.authenticator.password = b"wrong"
    assert wrong.register().status == 401
    thief = home.member(b"102", 13)
    assert thief.ask(b"REGISTER", b"sip:192.0.2.1", to=b"sip:101@house", more=(b"Contact: " + thief.uri,)).status == 403
    assert not home.house.bindings and home.changes == 0


def test_guessing_is_slowed_and_told():
    home = Home()
    thief = home.member(b"101", 12)
    thief.authenticator.password = b"wrong"
    for _ in range(3):
        thief.authenticator._answers.clear()
        thief.register()
    answer = thief.register()
    assert answer.status == 503 and answer.get(30) == b"5"
    assert len(home.said) == 2 and "192.0.2.12" in home.said[0] and "not heard for 5 s" in home.said[0], home.said
    assert home.said[1] == "wrong: 101"
    # And another is not hurt by it.
    assert home.member(b"101", 11).register().status == 200
    home.run(6000)
    thief.authenticator._answers.clear()
    thief.register()
    assert len(home.said) == 3 and home.said[2].endswith("4 in a row, the last for '101': it is not heard for 10 s."), home.said
    home.run(11000)
    thief.authenticator._answers.clear()
    thief.authenticator.password = b"one"
    assert thief.register().status == 200


def test_a_replayed_register_changes_nothing():
    home = Home()
    phone = home.member(b"101", 11)
    phone.register()
    registered = [one for one in home.log if one[3].startswith(b"SIP/2.0 200")]
    # What went over the wire, word by word, and once more with another Contact
    from virtual_sip import reply  # noqa: F401

    line = phone.authenticator._answers
    assert line
    nonce = list(line.values())[0][0][b"nonce"]
    first = phone.text(b"REGISTER", b"sip:192.0.2.1", to=b"sip:101@house", more=(b"Contact: " + phone.uri, phone.authenticator.line(b"REGISTER", b"sip:192.0.2.1")))
    assert phone.send(first).status == 200
    before = list(home.house.bindings)
    assert phone.send(first).status == 200  # the same message: its answer was lost
    stolen = first.replace(b"192.0.2.11:5060>\r\nAuth", b"192.0.2.66:5060>\r\nAuth")
    assert stolen != first
    answer = phone.send(stolen)
    assert answer.status == 401 and b"stale=true" in answer.raw(19)[0]
    assert home.house.bindings == before
    assert nonce and registered


def test_a_nonce_grows_old_and_one_that_is_not_ours_is_stale():
    home = Home()
    phone = home.member(b"101", 11)
    phone.register()
    home.run(301000)
    line = phone.authenticator.line(b"REGISTER", b"sip:192.0.2.1")
    answer = phone.send(phone.text(b"REGISTER", b"sip:192.0.2.1", to=b"sip:101@house", more=(b"Contact: " + phone.uri, line)))
    assert answer.status == 401 and b"stale=true" in answer.raw(19)[0]
    home.house.secret = b"restarted"  # after a reset
    phone.authenticator._answers.clear()
    assert phone.register().status == 200


def test_used_nonces_are_bounded_and_none_comes_back():
    home = Home()
    phone = home.member(b"101", 11)
    first = None
    for n in range(40):
        home.run(1000)
        phone.authenticator._answers.clear()
        assert phone.register().status == 200
        if first is None:
            first = phone.authenticator.line(b"REGISTER", b"sip:192.0.2.1")
    assert len(home.house.answered) == 32 * 18
    answer = phone.send(phone.text(b"REGISTER", b"sip:192.0.2.1", to=b"sip:101@house", more=(first,)))
    assert answer.status == 401


def test_an_older_request_of_the_same_start_is_refused():
    home = Home()
    phone = home.member(b"101", 11)
    phone.register()
    line = phone.authenticator.line(b"REGISTER", b"sip:192.0.2.1")
    answer = phone.send(phone.text(b"REGISTER", b"sip:192.0.2.1", to=b"sip:101@house", sequence=1, more=(b"Contact: " + phone.uri + b";expires=0", line)))
    assert answer.status == 500 and home.contacts(b"101")


def test_bad_contacts_change_nothing():
    home = Home()
    phone = home.member(b"101", 11)
    for contact in (b"<mailto:x@y.z>", b"<sip:101@192.0.2.11>;q=7", b"<sip:", b"<sip:101@" + b"x" * 300 + b">"):
        assert phone.register(contact=phone.uri + b", " + contact).status == 400, contact
        assert not home.house.bindings


def test_the_tables_are_bounded():
    home = Home()
    for n in range(4):
        assert home.member(b"101", 20 + n).register().status == 200
    assert home.member(b"101", 30).register().status == 503
    assert len(home.house.bindings) == 4


def test_a_phone_that_moved_takes_the_place_of_its_old_self_by_its_instance():
    home = Home()
    phone = home.member(b"101", 11)
    contact = phone.uri + b';reg-id=1;+sip.instance="<urn:uuid:1>"'
    phone.register(contact=contact)
    phone.register(contact=contact.replace(b"2.11", b"2.99"))
    assert [one[1] for one in home.contacts(b"101")] == [b"sip:101@192.0.2.99:5060"]


def test_a_path_is_kept_and_said():
    home = Home()
    phone = home.member(b"101", 11)
    answer = phone.register(more=(b"Path: <sip:192.0.2.50;lr>", b"Supported: path"))
    assert answer.status == 200 and b"<sip:192.0.2.50;lr>" in answer.data
    assert home.contacts(b"101")[0][6] == (b"<sip:192.0.2.50;lr>",)


def test_a_phone_that_gives_up_at_sha_256_is_asked_for_md5_alone():
    home = Home()
    phone = home.member(b"101", 11)
    first = phone.text(b"REGISTER", b"sip:192.0.2.1", to=b"sip:101@house", more=(b"Contact: " + phone.uri,))
    assert len(phone.send(first).raw(19)) == 2
    again = phone.send(phone.text(b"REGISTER", b"sip:192.0.2.1", to=b"sip:101@house", more=(b"Contact: " + phone.uri,)))
    assert len(again.raw(19)) == 1 and b"MD5" in again.raw(19)[0]
    assert phone.register().status == 200
    # and so in its calls
    assert len(phone.send(phone.text(b"INVITE", b"sip:100@192.0.2.1", call_id=b"another")).raw(20)) == 1
    known = home.member(b"102", 12)
    asked = known.send(known.text(b"REGISTER", b"sip:192.0.2.1", to=b"sip:102@house", more=(b"User-Agent: baresip v1.0.0 (x86_64/linux)",)))
    assert len(asked.raw(19)) == 1


def test_a_binding_is_kept_whole():
    for one in (
        (b"101", b"sip:101@192.0.2.11:5060", 1000, 299, b"123456", 7, (), ("192.0.2.11", 5060), b"", 0, 300),
        (b"kitchen", b"sips:kitchen@[2001:db8::1];transport=tls", 250, 2**31, b"654321", 2**31 - 1, (b"<sip:a;lr>", b"<sip:b;lr>"), ("2001:db8::1", 65535, b"TLS"), b"abcdef", 3, 3600),
        (b"1", b"sip:1@192.0.2.1", 0, 0, b"\0" * 6, 0, (b"<sip:a;lr>",), ("192.0.2.1", 1, b"TCP"), b"", 255, 60),
    ):
        assert location.read(location.write(*one)) == one
