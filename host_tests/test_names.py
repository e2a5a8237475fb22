"""Short private names: what is replaced, what must not be, and that the program stays the same."""

import re

import pytest

from host_tests.rig.door import Door
from host_tests.rig.handset import Handset, accounts, until
from host_tests.rig.wire import Wire
from tools import names

TWO = {
    "a.py": '''class A:
    _step_it = 0

    def __init__(self):
        self._value_it = 1

    def _grow(self, by):
        self._value_it += by
        return self._value_it


def _double(n):
    return 2 * n


def run():
    a = A()
    return _double(a._grow(4)), a._step_it
''',
    "b.py": '''def _triple(n):
    return 3 * n


def run():
    return _triple(5)
''',
}


def _run(text):
    namespace = {"const": int}
    exec(text, namespace)
    return namespace["run"]()


def test_files_share_short_names_and_run_as_before():
    plan = names.plan(TWO)
    assert set(plan["a.py"]) == {"_step_it", "_value_it", "_grow", "_double", "by", "n"}
    assert set(plan["b.py"].values()) <= set(plan["a.py"].values())
    for path, text in TWO.items():
        short = names.apply(text, plan[path])
        assert not names.words(short) & set(plan[path])
        assert short.count("\n") == text.count("\n")
        assert _run(short) == _run(text)


def test_a_name_never_becomes_one_that_the_file_uses():
    text = "_a = 7\n_b = 8\n\n\ndef _long_it(n):\n    return n + _a + _b\n\n\ndef run():\n    return _long_it(1)\n"
    short = names.apply(text, names.plan({"x.py": text})["x.py"])
    assert "_long_it" not in short and _run(short) == 16


def _kept(text, name, **others):
    """Whether this name of x.py stays as it is."""
    sources = dict({"x.py": text}, **{key + ".py": value for key, value in others.items()})
    return name not in names.plan(sources)["x.py"]


def test_what_others_may_ask_for_keeps_its_name():
    plain = "def _find_it():\n    pass\n"
    assert not _kept(plain, "_find_it")
    assert _kept(plain, "_find_it", y="from x import _find_it\n")
    assert _kept(plain, "_find_it", y="NAME = '_find_it'\n")
    assert "_find_it" not in names.plan({"x.py": plain}, {"_find_it"})["x.py"]
    assert _kept(plain + "getattr(x, '_find_it')\n", "_find_it")
    assert _kept("from _timer_it import Timer\n", "_timer_it")
    assert _kept("import _boot\n", "_boot")
    assert _kept("_LIMIT = const(3)\n", "_LIMIT")
    assert _kept("def __getattr__(name):\n    pass\n", "__getattr__")


def test_an_attribute_is_ours_only_on_our_own_objects():
    assert not _kept("class A:\n    def go(self):\n        self._mine = 1\n", "_mine")
    assert _kept("def go(door):\n    door._other = 1\n", "_other")
    assert _kept("def go(door):\n    return door._other\n", "_other")
    assert _kept("class A:\n    def go(self, door):\n        self._both = 1\n        door._both = 2\n", "_both")
    assert _kept("from y import B\n\n\nclass A(B):\n    def go(self):\n        self._mine = 1\n", "_mine")
    assert not _kept("class A(ValueError):\n    def go(self):\n        self._mine = 1\n", "_mine")


def test_what_only_the_compiler_wants_is_not_imported():
    text = "import micropython\nfrom micropython import const\n\n_A = const(3)\n\n\n@micropython.viper\ndef go() -> int:\n    return _A\n"
    short = names.bare(text)
    assert "import" not in short and short.count("\n") == text.count("\n") and short.endswith(text[text.index("\n_A"):])
    assert "import const" in names.bare(text + "\n\ndef run():\n    return const(3)\n")
    assert "import micropython" in names.bare(text + "\n\ndef run():\n    micropython.mem_info()\n")


def test_what_several_files_use_is_called_the_same_in_all_and_nothing_else_there_is():
    sources = {
        "room/a.py": "class A:\n    def __init__(self):\n        self._mine = 1\n        self._ours = 2\n",
        "room/b.py": "def twice(a):\n    _double = 2 * a._ours\n    return _double\n",
        "hall/c.py": "class C:\n    def go(self):\n        self._far = self._other = 1\n",
        "hall/d.py": "def look(c, _far):\n    return c._far, c._else, core._other\n",
        "main.py": "print(_other)\n",
    }
    plan = names.plan(sources)
    short = plan["room/a.py"]["_ours"]
    assert plan["room/b.py"]["_ours"] == short != plan["room/a.py"]["_mine"]
    assert plan["room/b.py"].get("_double") != short
    assert plan["hall/c.py"]["_far"] == plan["hall/d.py"]["_far"] == short  # another room shares it
    assert "_other" not in plan["hall/c.py"]  # main.py has it, which stays as it is
    assert "_ours" not in names.plan(sources, fakes={"_ours"})["room/a.py"]
    assert "_else" not in plan["hall/d.py"]  # nobody here makes it: it is Python's


def test_a_constant_of_the_same_name_is_in_nobodys_way():
    sources = {
        "sip/a.py": "_USUAL = (0, 1)\n\n\ndef run(x):\n    return x in _USUAL\n",
        "sip/b.py": "_USUAL = (2, 3)\n\n\ndef run(x):\n    return x in _USUAL\n",
        "sip/server/c.py": "_USUAL = const(7)\n\n\ndef _first():\n    return 1\n\n\ndef _second():\n    return _first()\n\n\ndef run():\n    return _second() + _USUAL\n",
    }
    plan = names.plan(sources)
    for path, text in sources.items():
        assert len(set(plan[path].values())) == len(plan[path]), plan[path]
    assert _run(names.apply(sources["sip/server/c.py"], plan["sip/server/c.py"])) == 8


def test_a_constant_of_another_file_is_a_number():
    sources = {
        "sip/a.py": "FAR = const(7)\nNEAR = const(2)\nLAST = const(9)\n\n\ndef run():\n    return NEAR + FAR\n",
        "sip/server/b.py": "from ..a import (\n    NEAR,\n    FAR,\n    run,\n)\nfrom .. import a\n\n\ndef go(x):\n    return x.FAR + a.LAST + FAR * NEAR\n",
        "sip/c.py": "from .a import FAR\n\n\ndef run():\n    return FAR\n",
    }
    plan = names.numbers(sources, {"NEAR"})
    assert plan["sip/a.py"] == {}  # a test names NEAR, and the others are asked for by a dot
    text = names.apply(sources["sip/server/b.py"], plan["sip/server/b.py"])
    assert text == "from ..a import run\n\n\n\n\nfrom .. import a\n\n\ndef go(x):\n    return x.FAR + a.LAST + 7 * 2\n"
    text = names.apply(sources["sip/c.py"], plan["sip/c.py"])
    assert "import" not in text and _run(text) == 7
    plan = names.numbers({path: text for path, text in sources.items() if path != "sip/server/b.py"}, {"NEAR"})
    assert plan["sip/a.py"] == {"FAR": "_FAR", "LAST": "_LAST"}
    assert _run(names.apply(sources["sip/a.py"], plan["sip/a.py"])) == 9


def test_imports_become_absolute():
    text = "from ..address import (\n    one,\n)\nfrom . import leaf\nfrom .location import two\nfrom lend import lend\n"
    whole = "from sip.address import (\n    one,\n)\nfrom sip.server import leaf\nfrom sip.server.location import two\nfrom lend import lend\n"
    assert names.absolute(text, ("sip", "server")) == whole


def test_no_two_names_of_a_file_become_one():
    from tools import build

    for path, short in build._short_names().items():
        names_of_it = [one for one in short.values() if not one.isdigit()]
        assert len(set(names_of_it)) == len(names_of_it), path


def test_what_a_test_asks_for_and_what_only_its_own_objects_have():
    asked, own = names.asked_for("""
from media.stream import Stream
class Fake:
    def __init__(self, stream):
        self._own = stream._theirs
        stream.console("door._typed")
class Made(Stream):
    def _over_there(self):
        return self._inherited
""")
    assert {"_theirs", "_typed", "_over_there", "_inherited"} <= asked
    assert "_own" in own and "_own" not in asked


def _parameter_kept(text, name, keywords=(), path="x.py"):
    return name not in names.plan({path: text}, keywords=set(keywords))[path]


def test_parameters_that_are_nothing_else_are_short_too():
    text = '''def scale(weight, factor=2):
    def inner(extra):
        return weight * factor + extra
    weight += 1
    return inner(weight)


def run():
    return scale(5), scale(5, factor=3)
'''
    short = names.apply(text, names.plan({"x.py": text})["x.py"])
    assert "weight" not in short and "extra" not in short and "factor" in short
    assert _run(short) == _run(text)
    simple = "def scale(weight):\n    return weight\n"
    assert not _parameter_kept(simple, "weight")
    assert _parameter_kept(simple, "weight", keywords=["weight"])
    assert _parameter_kept(simple, "weight", path="sip/agent.py")  # people call those, by name perhaps
    assert _parameter_kept(simple + "weight = 3\n", "weight")
    assert _parameter_kept(simple + "def use(thing):\n    return thing.weight\n", "weight")
    assert _parameter_kept(simple + "def use():\n    return weight\n", "weight")
    assert _parameter_kept(simple + "import weight\n", "weight")
    assert _parameter_kept(simple + "KEY = 'weight'\n", "weight")
    assert _parameter_kept("def scale(*, weight):\n    return weight\n", "weight")
    assert _parameter_kept("def scale(weight=1):\n    return weight\n", "weight")


@pytest.mark.needs("micropython")
def test_the_table_of_names_has_room_for_a_house(tmp_path):
    """A door that is the PBX of its house has more of them."""
    known = accounts(tmp_path, ["101"])
    with Door(tmp_path, {"sip.mode": "house"}) as door, Handset("101", known["101"], door.address) as phone:
        assert phone.register().status == 200
        door.press()
        until([phone], lambda: phone.rung, "it rings")
        door.hangup()
        until([phone], lambda: phone.reasons, "it stops")
        door.console("door.add_phone('kitchen')")
        door.console("door.phones()")
        door.status()
        out = door.console("import micropython; micropython.qstr_info()")
        assert int(re.search(r"n_qstr=(\d+)", out).group(1)) < 1220, out


@pytest.mark.needs("micropython")
def test_the_table_of_names_has_room(tmp_path):
    """At 1,260 names of ours it would double, which takes 14 KB in one piece: a door that has been called and talked to is
    well below."""
    with Door(tmp_path) as door, Wire((door.address, 5060)) as wire:
        ok = wire.call()
        door.status()
        wire.bye(ok)
        door.wait_no_call()
        door.set("door.open_s", 4)
        door.call(wire.uri.replace("sip:wire", "soap:wire"))
        door.console("door.show()")
        out = door.console("import micropython; micropython.qstr_info()")
        assert int(re.search(r"n_qstr=(\d+)", out).group(1)) < 1200, out
