"""A house moves from its door to a real Kamailio: what tools/export_kamailio.py writes is started, and phones and door
register and call there."""
import hashlib
import json
import os
import subprocess
import sys
import time

import pytest

from door import accounts, schema
from host_tests.rig import addresses, speech
from host_tests.rig.baresip import Baresip
from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.kamailio import Exported
from host_tests.rig.linphone import Linphone
from tools import export_kamailio
from tools.boards import BoardError
from tools.virtual_board import VirtualBoard

REALM = "here"
PEOPLE = {"101": ("kitchen", "one"), "102": ("hall", "two"), "103": ("attic", "three")}
DOOR = {"schema": 1, "sip.mode": "house", "house.realm": REALM, "house.all": 100, "sip.user": "front"}


def _flash(folder, people=PEOPLE, **more):
    """A folder as a door in house mode has it."""
    folder.mkdir()
    config = {**DOOR, **{key.replace("__", "."): value for key, value in more.items()}}
    (folder / "config.json").write_text(json.dumps(config))
    rows = []
    for number, (name, password) in people.items():
        text = ("%s:%s:%s" % (number, config["house.realm"], password)).encode()
        rows.append("%s %s %s %s\n" % (number, name, hashlib.md5(text).hexdigest(), hashlib.sha256(text).hexdigest()))
    (folder / "phones.txt").write_text("".join(rows))
    return folder


# --- With real peers.


@pytest.fixture(scope="module", params=["MD5", "SHA-256"])
def kamailio(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    flash = _flash(folder / "flash", sip__password="sesame")
    command = [sys.executable, export_kamailio.__file__, str(flash), "--to", str(folder / "kamailio")]
    if request.param != "MD5":
        command.append("--sha256")

    def write(address):
        done = subprocess.run(command + ["--listen", address], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("Phones: 3, doors: 1. ") and "sesame" not in done.stdout
    with Exported(folder / "kamailio", write) as kamailio:
        kamailio.algorithm = request.param
        yield kamailio


@pytest.fixture(scope="module")
def kitchen(kamailio, tmp_path_factory):
    """The first phone; of another make where baresip, which knows MD5 alone, could not register."""
    folder, source = tmp_path_factory.mktemp("kitchen"), speech.wav("phone", 8000)
    if kamailio.algorithm == "MD5":
        phone = Baresip(folder, source, "101", kamailio.server, "one")
    else:
        phone = Linphone(folder, source, "101", kamailio.server, "one", realm=REALM)
    with phone:
        kamailio.wait_contacts("101")
        yield phone


@pytest.fixture(scope="module")
def hall(kamailio, tmp_path_factory):
    """Over TCP, and it does not answer by itself."""
    with Linphone(tmp_path_factory.mktemp("hall"), speech.wav("phone", 8000), "102", kamailio.server, "two", answers="manual",
                  transport="tcp", realm=REALM) as phone:
        kamailio.wait_contacts("102")
        yield phone


@pytest.fixture(scope="module")
def door(kamailio, tmp_path_factory):
    settings = {**DOOR, "sip.mode": "pbx", "sip.server": kamailio.server, "sip.password": "sesame", "button.1.target": "100"}
    with Door(tmp_path_factory.mktemp("door"), settings, heap=BURST_HEAP) as door:
        kamailio.wait_contacts("front")
        yield door
        assert "MemoryError" not in door.said()


needs_peers = pytest.mark.needs("kamailio", "baresip", "linphonec", "espeak-ng", "micropython")


@needs_peers
def test_the_button_rings_all_and_the_first_answer_wins(kamailio, kitchen, hall, door):
    door.press()
    hall.expect("new incoming call", "ended")
    door.wait_flow()
    door.hangup()
    door.wait_no_call()


@needs_peers
def test_phones_call_the_door_and_each_other(kamailio, kitchen, hall, door):
    hall.say("call sip:front@%s;transport=tcp" % kamailio.server)
    hall.expect("connected", "Media streams established")
    door.wait_flow()
    hall.hangup()
    door.wait_no_call()
    for number in ("101", "Kitchen", "%6bitchen", "100"):  # all: the caller's own phone does not ring
        hall.say("call sip:%s@%s;transport=tcp" % (number, kamailio.server))
        hall.expect("connected", "Media streams established")
        hall.hangup()
    assert "no such number" in door.call("104") and "not reachable" in door.call("103")


@needs_peers
def test_the_door_calls_a_phone_and_several_by_name(kamailio, kitchen, hall, door):
    for target in ("101", "103,101"):
        door.call(target)
        door.wait_flow()
        door.hangup()
        door.wait_no_call()


@needs_peers
def test_another_phone_needs_no_restart(kamailio, tmp_path):
    server = _merged(_flash(tmp_path / "flash", {**PEOPLE, "104": ("cellar", "four")}, sip__password="sesame"))
    export_kamailio.write(server, kamailio.folder, kamailio.address, sha256=kamailio.algorithm != "MD5")
    for table, name in (("ha1", "ha1_md5" if kamailio.algorithm == "MD5" else "ha1_sha256"), ("groups", "groups")):
        now = time.time() + 2
        os.utime(os.path.join(kamailio.folder, "data", name), (now, now))       # as if it were not the same second
        kamailio.rpc("htable.reload", table)
    assert kamailio.rpc("htable.get", "ha1", "104")["item"]["value"] in server.accounts["104"]
    assert kamailio.rpc("htable.get", "groups", "100")["item"]["value"] == "101,102,103,104"


# --- Several doors, and what does not go together.


def _merged(*flashes, passwords=()):
    return export_kamailio.merge([export_kamailio.read(one) for one in flashes], passwords)


def test_what_the_door_keeps_of_its_phones(tmp_path, monkeypatch):
    """As door.add_phone() writes it."""
    (tmp_path / "config.json").write_text('{"schema": 1, "sip.mode": "house", "button.1.target": "hall,101"}')
    monkeypatch.chdir(tmp_path)
    for name in ("kitchen", "hall"):
        accounts.add(name, schema.default("house.realm"), "secret", ("100", "door"))
    door = export_kamailio.read(tmp_path)
    server = export_kamailio.merge([door])
    assert server.accounts["102"][1] == hashlib.sha256(("102:%s:secret" % server.realm).encode()).hexdigest()
    assert server.realm == schema.default("house.realm") and server.groups == {"100": ["101", "102"]}
    assert 'door.set("button.1.target", "102,101")' in export_kamailio.doors_text(server, "")


def test_doors_are_merged(tmp_path):
    """One phone that both know, one number that rings the phones of both; a door without a password gets one, and keeps it."""
    one = _flash(tmp_path / "one", sip__password="x")
    two = _flash(tmp_path / "two", {"101": PEOPLE["101"], "201": ("office", "four")}, sip__user="back")
    server = _merged(one, two)
    assert list(server.accounts) == ["101", "102", "103", "201", "front", "back"]
    assert server.groups == {"100": ["101", "102", "103", "201"]}
    (_, _, none, _), (_, _, made, _) = server.doors
    assert none == "" and len(made) >= 16
    assert server.accounts["back"][0] == hashlib.md5(("back:%s:%s" % (REALM, made)).encode()).hexdigest()
    export_kamailio.write(server, tmp_path / "out", "192.0.2.10")
    words = (tmp_path / "out/doors.txt").read_text()
    assert 'door.set("sip.server", "192.0.2.10")' in words and made in words
    assert export_kamailio.earlier(tmp_path / "out") == {"back": made}
    assert _merged(one, two, passwords={"back": made}).accounts == server.accounts
    assert (tmp_path / "out/data/ha1_md5").stat().st_mode & 0o77 == 0
    assert server.names == {"attic": "103", "hall": "102", "kitchen": "101", "office": "201"}
    rows = (tmp_path / "out/data/names").read_text().split("\n")[1:]
    assert rows == ["attic:0:0:103:0", "hall:0:0:102:0", "kitchen:0:0:101:0", "office:0:0:201:0", ""]
    assert server.notes == []
    two = _merged(one, _flash(tmp_path / "twice", {"201": ("Kitchen", "four"), "202": ("K\u00fcche", "five")}, sip__user="back"))
    assert two.names == {"attic": "103", "hall": "102", "k\u00fcche": "202"}
    assert two.notes == ["kitchen is the name of 101 and 201: dial their numbers."]
    own = _merged(one, _flash(tmp_path / "own", {"201": ("office", "four")}, sip__user="back", house__all=200))
    assert own.groups == {"100": ["101", "102", "103"], "200": ["201"]}


@pytest.mark.parametrize("people, more, words", [
    ({"101": ("cellar", "other")}, {}, "101 is kitchen in .*one and cellar in .*two, with different passwords"),
    ({"201": ("office", "four")}, {"sip__user": "front"}, "the door in .*one have one number, front"),
    ({"front": ("office", "four")}, {}, "one number, front"),
    ({"100": ("office", "four")}, {}, "100 is the number that rings all phones"),
    ({"201": ("office", "four")}, {"house__realm": "there"}, "for house.realm here, those of .*two for there"),
])
def test_doors_that_contradict_each_other(tmp_path, people, more, words):
    two = _flash(tmp_path / "two", people, **{"sip__user": "back", **more})
    with pytest.raises(BoardError, match=words):
        _merged(_flash(tmp_path / "one"), two)


@pytest.mark.parametrize("config, phones, words", [
    (None, None, "is no door's flash"),
    ("{}", None, "holds no house.*add_phone"),
    ("{}", "\n", "holds no house"),
    ("{", "", "config.json is damaged"),
    ("[]", "", "not a door's configuration"),
    ("{}", "101 kitchen 00", "line 1 of its phones.txt is not a phone"),
    ("{}", "101 kitchen %s %s" % ("0" * 31, "0" * 64), "line 1 of its phones.txt is damaged"),
])
def test_a_folder_that_holds_no_house(tmp_path, config, phones, words):
    for name, text in (("config.json", config), ("phones.txt", phones)):
        if text is not None:
            (tmp_path / name).write_text(text)
    with pytest.raises(BoardError, match=words):
        export_kamailio.read(tmp_path)


def test_a_source_that_is_none(tmp_path):
    with pytest.raises(BoardError, match="neither a folder nor a serial port"):
        export_kamailio.read(tmp_path / "nothing")
    (tmp_path / "file").touch()
    with pytest.raises(BoardError, match="is a file"):
        export_kamailio.read(tmp_path / "file")
    with pytest.raises(BoardError, match="without blanks"):
        export_kamailio.write(_merged(_flash(tmp_path / "one")), tmp_path / "a b", "")
    with pytest.raises(BoardError, match="--listen"):
        export_kamailio.write(_merged(_flash(tmp_path / "two")), tmp_path / "out", "192.0.2.10:x")


@pytest.mark.needs("micropython")
def test_it_is_read_from_a_board(tmp_path):
    """Over its serial line; the door runs again then."""
    board = VirtualBoard(_flash(tmp_path / "flash"), addresses.take())
    board.start()
    try:
        read = export_kamailio.read(board.serial)
        board.wait_event("boot")
    finally:
        board.stop()
        addresses.give_back(board.address)
    assert read.phones == export_kamailio.read(tmp_path / "flash").phones
    assert [one[:2] for one in read.phones] == [(number, name) for number, (name, _) in PEOPLE.items()]
    assert read.get("sip.user") == "front" and read.get("house.all") == "100"
