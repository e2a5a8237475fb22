"""The configuration: types, words, secrets, and a file that may be damaged, foreign or newer."""

import json
import os

from door import listed, schema, store
from door.config import Config, Mistake
from door.schema import check

PATH = "test_config.json"


def _clean():
    for name in (PATH, PATH + ".bad", PATH + ".new"):
        try:
            os.remove(name)
        except OSError:
            pass


def _write(text):
    _clean()
    with open(PATH, "w") as f:
        f.write(text)


def _loaded(text):
    _write(text)
    return Config(PATH).load()


def _refused(key, value):
    try:
        check(key, value)
    except Mistake as e:
        return str(e)
    assert False, "%s accepted %r" % (key, value)


def _exists(name):
    try:
        os.stat(name)
        return True
    except OSError:
        return False


def test_every_line_of_the_table_is_whole():
    names = list(schema.keys())
    assert len(names) == len(set(names)) > 15
    for key in names:
        kind, default, limits, text = schema.entry(key)
        assert kind in ("int", "choice", "peers") or schema._rule(kind), key
        assert 10 < len(text) < 90 and "|" not in text, key
        value = int(default) if kind == "int" else default
        assert check(key, value) == value, key  # each default is itself allowed
        assert kind not in ("int", "choice") or limits, key


def test_wrong_values_say_what_would_be_right():
    assert _refused("sip.server", "pbx local") == (
        "sip.server: 'pbx local' is not a host name; write a name like pbx.example or an address like 192.0.2.10"
    )
    assert "'192.0.2.256' is not a host name" in _refused("sip.server", "192.0.2.256")
    assert "70000 is not a number from 1 to 65535, like 5060" in _refused("sip.port", 70000)
    assert "'soon' is not a number" in _refused("call.ring_s", "soon")
    assert "True is not a number" in _refused("sip.port", True)
    assert "89 is not a number from 0 or 90 to 86400, like 0" in _refused("sip.session_s", 89)
    assert "'' is not a number from 1" in _refused("sip.port", "")
    assert "'sctp' is not one of auto, udp, tcp, tls" in _refused("sip.transport", "sctp")
    assert "'my ca.der' is not a file name; write one" in _refused("sip.tls_ca", "my ca.der")
    assert "'pbx:5061' is not a host name" in _refused("sip.tls_name", "pbx:5061")
    assert "'maybe' is not one of answer, ring, reject" in _refused("call.incoming", "maybe")
    assert "'pbx' is not an IPv4 address" in _refused("call.peers", "192.0.2.1, pbx")
    assert "write 101 or sip:101@192.0.2.10" in _refused("button.1.target", "sip:10 1@x")
    assert "put it in quotes" in _refused("wifi.ssid", 3.5)
    assert "put it in quotes" in _refused("call.incoming", 3)
    assert "one line" in _refused("sip.display", "a\r\nVia: x")
    assert len(_refused("wifi.ssid", "x" * 500)) < 200


def test_values_are_stored_as_their_type():
    assert check("sip.server", " 192.0.2.10:5070 ") == "192.0.2.10:5070"
    assert check("sip.server", "pbx.example") == "pbx.example"
    assert check("sip.server", "") == ""
    assert check("sip.port", "5070") == 5070
    assert check("sip.session_s", 0) == check("sip.session_s", "0") == 0 and check("sip.session_s", "90") == 90
    assert check("sip.proxy", "proxy.example:5061") == "proxy.example:5061"
    assert check("sip.tls_ca", "home/ca-2.der") == "home/ca-2.der"
    assert check("sip.user", 42) == "42"
    assert check("door.code", 2580) == "2580"
    assert check("sip.password", " with blanks ") == " with blanks "
    assert check("call.peers", ["192.0.2.1", "192.0.2.2"]) == "192.0.2.1,192.0.2.2"
    assert check("call.peers", "192.0.2.1, 192.0.2.2") == "192.0.2.1,192.0.2.2"
    assert check("call.peers", ()) == ""
    for target in ("101", "sip:101@192.0.2.10", "sip:192.0.2.10:5070", "all@pbx.example:5062", "SIP:1@x", ""):
        assert check("button.1.target", target) == target


def test_unknown_keys_name_the_nearest():
    assert _refused("sip.sever", "x") == "there is no key 'sip.sever'; did you mean 'sip.server'?"
    assert "'sip.password'" in _refused("sip.pasword", "x")
    assert "'wifi.ssid'" in _refused("ssid", "x")
    assert "'button.1.target'" in _refused("button.target", "x")
    assert "door.show() lists them" in _refused("colour of the gate", "x")
    assert "door.show() lists them" in _refused("", "x")
    assert "door.show() lists them" in _refused("sip.server host", "x")


def test_a_secret_is_never_shown():
    _clean()
    c = Config(PATH)
    secrets = [k for k in schema.keys() if schema.is_secret(k)]
    assert "door.code" in secrets and "sip.password" in secrets and "wifi.password" in secrets
    assert listed.shown(c, "sip.password") == "(not set)"
    c.set("sip.password", "hush-hush")
    c.set("wifi.password", "hush-hush")
    c.set("door.code", "918273")
    shown = "\n".join(c.lines()) + "".join(c.lines("sip.password")) + "".join(c.lines("door"))
    assert "hush" not in shown and "918273" not in shown and "(set)" in shown
    assert "hush" not in _refused("sip.password", "hush\n")
    assert "9182" not in _refused("door.code", "9182-x")
    assert "9182" not in _refused("door.code", [9182])
    loaded = _loaded('{"door.code": "9182-x", "sip.password": ["hush"]}')
    assert len(loaded.words) == 2 and "hush" not in str(loaded.words) and "9182" not in str(loaded.words)
    _clean()


def test_only_differences_are_stored_and_found_again():
    _clean()
    c = Config(PATH).load()
    assert c.words == []  # no file yet is no fault
    assert c.get("sip.port") == 5060 and c.get("sip.server") == ""
    assert c.set("sip.server", "192.0.2.10") is True
    assert c.set("sip.server", "192.0.2.10") is False
    c.set("sip.port", 5070)
    c.set("sip.port", None)
    with open(PATH) as f:
        assert json.load(f) == {"schema": 1, "sip.server": "192.0.2.10"}
    assert not _exists(PATH + ".new")
    again = Config(PATH).load()
    assert again.get("sip.server") == "192.0.2.10" and again.words == []
    for text in ('a "quoted" \\ name', "T\u00fcr \u20ac", "sip.user 43", ""):
        again.set("sip.display", text)
        assert again.get("sip.display") == text == Config(PATH).load().get("sip.display")
    assert again.get("sip.user") == "door" and again.get("sip.server") == "192.0.2.10"
    try:
        again.get("sip")
        assert False
    except ValueError:
        pass
    _clean()


def test_damaged_and_foreign_files_are_set_aside():
    for text, word in (
        ("", "is damaged"),
        ('{"sip.server": "192.0', "is damaged"),
        ("\x00\x00\x00", "is damaged"),
        ("[" * 3000, "is damaged"),
        ("[1, 2]", "is not a configuration"),
        ('{"name": "somebody else\'s"}', "is of something else"),
        (" " * 20000, "is too long"),
    ):
        c = _loaded(text)
        assert len(c.words) == 1 and word in c.words[0], (text[:20], c.words)
        assert "the defaults are used" in c.words[0] and PATH + ".bad" in c.words[0]
        assert c.get("sip.port") == 5060
        with open(PATH + ".bad") as f:
            assert f.read() == text
        c.set("sip.port", 5061)  # and a new one is written beside it
        assert Config(PATH).load().get("sip.port") == 5061
    _clean()


def test_one_wrong_value_spoils_nothing_else():
    c = _loaded('{"sip.port": 99999, "sip.user": "42"}')
    assert c.get("sip.port") == 5060 and c.get("sip.user") == "42"
    assert "sip.port: 99999" in c.words[0] and "default" in c.words[0]
    c.set("sip.display", "Gate")
    with open(PATH) as f:
        assert json.load(f)["sip.port"] == 99999  # kept until somebody writes a right one
    assert c.set("sip.port", 5060) is False
    with open(PATH) as f:
        assert "sip.port" not in json.load(f)
    _clean()


def test_keys_of_a_newer_version_are_kept():
    c = _loaded('{"schema": 7, "house.realm": "home", "sip.user": "42"}')
    assert "newer" in c.words[0] and c.get("sip.user") == "42"
    c.set("sip.user", "43")
    with open(PATH) as f:
        assert json.load(f) == {"schema": 7, "house.realm": "home", "sip.user": "43"}
    assert "house.realm" in "".join(c.lines())
    _clean()


def test_an_older_schema_is_migrated():
    def to_1(data):
        data["sip.server"] = data.pop("server")

    _write('{"schema": 0, "server": "192.0.2.10"}')
    c = store.load(Config(PATH), {0: to_1})
    assert c.get("sip.server") == "192.0.2.10" and c.schema == 1 and c.words == []
    _clean()


def test_flash_that_refuses_is_told_in_words():
    c = Config("no-such-folder/config.json")
    try:
        c.set("sip.user", "42")
        assert False
    except Mistake as e:
        assert "until the next restart" in str(e) and "could not be written" in str(e)
    assert c.get("sip.user") == "42"


def test_a_heap_that_is_full_changes_nothing_and_the_next_try_is_saved():
    real = store.lend
    for calls in (0, 1):  # that find room, of those for the rules
        c = _loaded('{"schema": 1, "sip.user": "41"}')
        left = [calls]

        def full(name, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise MemoryError
            return real(name)

        try:
            store.lend = full
            store.set(c, "sip.user", "42")
            assert False
        except MemoryError:
            pass
        finally:
            store.lend = real
        assert c.get("sip.user") == "41" == Config(PATH).load().get("sip.user"), calls
        assert c.set("sip.user", "42") is True and Config(PATH).load().get("sip.user") == "42"
    _clean()


def test_show_of_one_key_and_of_a_group():
    c = Config(PATH)
    one = "\n".join(c.lines("call.incoming"))
    assert "call.incoming = answer" in one and "answer, ring, reject" in one and "default answer" in one
    assert "1 to 65535; default 5060" in "\n".join(c.lines("sip.port"))
    assert "0, 90 to 86400; default 0" in "\n".join(c.lines("sip.session_s"))
    group = list(c.lines("sip"))
    assert len(group) >= 6 and all(line.startswith("sip.") for line in group)
    try:
        list(c.lines("sipp"))
        assert False
    except Mistake:
        pass
