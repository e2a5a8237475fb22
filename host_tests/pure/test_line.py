"""The console's line editor, and what the prompt knows of Python."""

from door.keys import remember
from door.line import Line
from door.python import assigned, compiled, is_complete
from door.tab import complete

ENTER, INTERRUPT, END, RAW, TAB = 1, 2, 3, 4, 5  # as in line.py


class Screen:
    def __init__(self):
        self.text = ""

    def __call__(self, text):
        self.text += text


def _typed(keys, history=()):
    """-> (the text, the cursor, the last event) after these keys."""
    edited = Line(Screen())
    for text in history:
        remember(edited, text)
    edited.begin("> ")
    event = 0
    for c in keys.encode() if isinstance(keys, str) else keys:
        event = edited.key(c) or event
    return edited.text, edited.at, event


def test_keys():
    assert _typed("abc") == ("abc", 3, 0)
    assert _typed("abc\x7f\x08") == ("a", 1, 0)
    assert _typed("ac\x1b[Db") == ("abc", 2, 0)
    assert _typed("bc\x01a\x05d") == ("abcd", 4, 0)
    assert _typed("bc\x1b[Ha\x1b[Fd") == ("abcd", 4, 0)
    assert _typed("bc\x1bOHa") == ("abc", 1, 0)
    assert _typed("abc\x1b[1~\x1b[3~") == ("bc", 0, 0)
    assert _typed("abc\x02\x0b") == ("ab", 2, 0)
    assert _typed("abc\x02\x15") == ("c", 0, 0)
    assert _typed("a\x02\x02\x02b\x06\x06\x06c") == ("bac", 3, 0)
    assert _typed("ab\x01\x04") == ("b", 0, 0)


def test_events():
    assert _typed("a\r")[2] == ENTER
    assert _typed("a\x03")[2] == INTERRUPT
    assert _typed("\x04")[2] == END
    assert _typed("\x01")[2] == RAW
    assert _typed("a\x01")[2] == 0
    assert _typed("a\t")[2] == TAB


def test_a_line_ends_once():
    for end, count in (("\r", 1), ("\n", 1), ("\r\n", 1), ("\r\r", 2), ("\n\n", 2)):
        edited = Line(Screen())
        assert sum(edited.key(c) == ENTER for c in end.encode()) == count, end


def test_characters_of_several_bytes():
    assert _typed("T\u00fcr \u20ac \U0001f6aa")[0] == "T\u00fcr \u20ac \U0001f6aa"
    assert _typed("\u00fc\x7fu")[0] == "u"
    assert _typed(b"a\xffb\x80c\xc3d")[0] == "abcd"  # noise on the line


def test_unknown_sequences_leave_nothing_behind():
    for sequence in ("\x1b[200~", "\x1b[1;5C", "\x1bx", "\x1b[15~", "\x00", "\x1b[Z"):
        assert _typed("a" + sequence + "b")[0].replace("x", "") == "ab", sequence


def test_history():
    up, down = "\x1b[A", "\x1b[B"
    assert _typed(up, ("one", "two"))[0] == "two"
    assert _typed(up + up, ("one", "two"))[0] == "one"
    assert _typed(up + up + up, ("one", "two"))[0] == "one"
    assert _typed(up + up + down, ("one", "two"))[0] == "two"
    assert _typed(up + down, ("one", "two"))[0] == ""
    assert _typed(up + up, ("one", "two", "two", " "))[0] == "one"
    many = ["line %d" % i for i in range(100)]
    assert _typed(up * 200, many)[0] == "line 88"  # twelve are remembered


def test_a_line_has_an_end():
    text, at, _ = _typed("x" * 1500)
    assert 500 < len(text) < 1500


def test_no_key_breaks_it():
    state = 12345
    edited = Line(Screen())
    for _ in range(5000):
        state = (state * 1103515245 + 12345) % 2147483648
        edited.key(state >> 8 & 255)
        assert 0 <= edited.at <= len(edited.text)


def test_when_a_block_is_complete():
    for text in ("1", "f(1)", "x = [1, 2]", "'a # b'", "# (", "if x: y\n", "def f():\n  pass\n", "'(", "x = 'a\\'b'", ")"):
        assert is_complete(text), text
    for text in ("f(", "[1,\n2", "if x:", "if x: y", "for i in y:\n  z", "'''a", '"""a\n"', "@x", "x = 1 + \\", "async def f():"):
        assert not is_complete(text), text
    assert is_complete("form = 1") and is_complete("iffy") and is_complete("asyncio.sleep(1)")


def test_names_that_a_line_sets():
    assert assigned("a = await x") == ["a"]
    assert assigned("a, b = await x") == ["a", "b"]
    assert assigned("a.b = await x") == []
    assert assigned("a == await x") == []
    assert assigned("for i in y:\n  z = 1\n  i += 2") == ["i", "z"]
    assert assigned("f(a=1)") == []


def test_compiled():
    names = {"x": 5}
    function, is_awaited = compiled("x + 1", names)
    assert function() == 6 and not is_awaited
    function, is_awaited = compiled("y = x", names)
    assert function() is None and not is_awaited and names["y"] == 5
    function, is_awaited = compiled("await x", names)
    assert is_awaited
    function, is_awaited = compiled("z = await x", names)
    assert is_awaited and "_line" not in names
    function, is_awaited = compiled("async def f():\n await x\n", names)
    assert not is_awaited
    function()
    assert "f" in names
    function, is_awaited = compiled("'await me'[0]", names)


def test_completion():
    class Thing:
        def status(self):
            assert False, "nothing is called"

        start = 1
        _hidden = 2

    names = {"door": Thing(), "doom": 1}
    assert complete("do", names, ()) == ("do", ["doom", "door"])
    assert complete("1 + door.sta", names, ()) == ("sta", ["start", "status"])
    assert complete("door._h", names, ())[1] == ["_hidden"]
    assert "_hidden" not in complete("door.", names, ())[1]
    assert complete("nobody.x", names, ()) == ("x", [])
    keys = ("sip.server", "sip.user", "rtp.first_port")
    assert complete('door.set("sip.', names, keys) == ("sip.", ["sip.server", "sip.user"])
    assert complete("door.show('r", names, keys) == ("r", ["rtp.first_port"])
    assert complete('door.set("sip.user", do', names, keys)[1] == ["doom", "door"]
