"""Short private names: what is replaced, what must not be, and that the program stays the same."""

import re

import pytest

from host_tests.rig.door import Door
from host_tests.rig.wire import Wire
from tools import names

TWO = {
    "a.py": '''class A:
    _step = 0

    def __init__(self):
        self._value = 1

    def _grow(self, by):
        self._value += by
        return self._value


def _double(n):
    return 2 * n


def run():
    a = A()
    return _double(a._grow(4)), a._step
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
    assert set(plan["a.py"]) == {"_step", "_value", "_grow", "_double", "by", "n"}
    assert set(plan["b.py"].values()) <= set(plan["a.py"].values())
    for path, text in TWO.items():
        short = names.apply(text, plan[path])
        assert not names.words(short) & set(plan[path])
        assert short.count("\n") == text.count("\n")
        assert _run(short) == _run(text)


def test_a_name_never_becomes_one_that_the_file_uses():
    text = "_a = 7\n_b = 8\n\n\ndef _long(n):\n    return n + _a + _b\n\n\ndef run():\n    return _long(1)\n"
    short = names.apply(text, names.plan({"x.py": text})["x.py"])
    assert "_long" not in short and _run(short) == 16


def _kept(text, name, **others):
    """Whether this name of x.py stays as it is."""
    sources = dict({"x.py": text}, **{key + ".py": value for key, value in others.items()})
    return name not in names.plan(sources)["x.py"]


def test_what_others_may_ask_for_keeps_its_name():
    plain = "def _find():\n    pass\n"
    assert not _kept(plain, "_find")
    assert _kept(plain, "_find", y="from x import _find\n")
    assert "_find" not in names.plan({"x.py": plain}, {"_find"})["x.py"]
    assert _kept(plain + "getattr(x, '_find')\n", "_find")
    assert _kept("from _timer import Timer\n", "_timer")
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
