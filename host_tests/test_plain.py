"""The plain variant of a kernel answers as viper does, and notices what viper would not."""

import array
import json
import random
import subprocess

import pytest

from tools import build, plain

KERNEL = '''\
import micropython
from micropython import const

_K = const(31)


@micropython.viper
def load8(p: ptr8, i: int) -> int:
    # loads are unsigned
    return p[i]


@micropython.viper
def load16(p: ptr16, i: int) -> int:
    return p[i]


@micropython.viper
def load32(p: ptr32, i: int) -> int:
    return p[i] & 0x3fffffff


@micropython.viper
def store(p: ptr8, i: int, v: int):
    q = ptr16(int(p) + 4)
    r = ptr32(int(q) + 4)
    p[i] = v
    q[i] = v
    r[i] = v + 1
    q[-1] += 3
    r[-1] ^= 0xffff


@micropython.viper
def hash(
    p: ptr8,
    n: int,
) -> uint:
    if n < 0:
        return uint(0)
    h = uint(5381)
    i = 0
    while (i < n and
           True):
        h = (h * _K + uint(p[i])) & uint(0xffffffff)
        i += 1
    return h


@micropython.viper
def fir(x: ptr32, h: ptr32, n: int) -> int:
    """A bumped pointer, constant indices."""
    s = 0
    a = int(x)
    b = int(h)
    for k in range(n // 2):
        p = ptr32(a)
        q = ptr32(b)
        s += (p[0] & 0xffff) * (q[0] & 0xff) \\
            - (p[1] & 0xffff) * (q[1] & 0xff)
        a += 8
        b += 8
    return s >> 3


@micropython.viper
def clip(v: int) -> int:
    v = 32767 if v > 32767 else -32768 if v < -32768 else v
    return -v if not v else ~v


@micropython.viper
def first(obj, n: int = 2) -> int:
    b = ptr8(obj)
    if int(len(obj)) >= n:
        for i in range(n):
            if b[i] == 0x41: break
        else:
            return -1
        return i
    raise ValueError(n)


@micropython.native
def native(a, b=3):
    return a + b
'''


@pytest.fixture(scope="module")
def derived():
    space = {}
    exec(compile(plain.derive(KERNEL), "kernel", "exec"), space)
    return space


@pytest.fixture(scope="module")
def viper(tmp_path_factory, micropython):
    """Ask the same of viper: a list of (function, arguments) -> list of results and the buffers after."""
    folder = tmp_path_factory.mktemp("viper")
    (folder / "kernel.py").write_text(KERNEL)
    (folder / "ask.py").write_text('''
import json
import kernel
out = []
for name, arguments in json.load(open("asked.json")):
    arguments = [bytearray(a) if isinstance(a, list) else a for a in arguments]
    result = getattr(kernel, name)(*arguments)
    out.append([result, [list(a) for a in arguments if isinstance(a, bytearray)]])
print(json.dumps(out))
''')

    def ask(calls):
        (folder / "asked.json").write_text(json.dumps(calls))
        done = subprocess.run([micropython, "-X", "heapsize=64M", "ask.py"], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    return ask


def needs_emitter():
    if build.host_arch() == "bytecode":
        pytest.skip("this MicroPython has no native emitter to compare with")


def random_calls(seed, count):
    """(function, arguments) as they may come, the ends of every range often among them."""
    chance = random.Random(seed)

    def buffer():
        return [chance.choice((0, 255, 128, 0x41, chance.randrange(256))) for _ in range(32)]

    def word():
        return chance.choice((0, 1, -1, -(1 << 31), (1 << 31) - 1, 32767, -32769,
                              chance.randrange(-(1 << 31), 1 << 31)))

    kinds = {
        "load8": lambda: (buffer(), chance.randrange(32)),
        "load16": lambda: (buffer(), chance.randrange(16)),
        "load32": lambda: (buffer(), chance.randrange(8)),
        "store": lambda: (buffer(), chance.randrange(4), word()),
        "hash": lambda: (buffer(), chance.randrange(-1, 33)),
        "fir": lambda: (buffer(), buffer(), chance.randrange(9)),
        "clip": lambda: (word(),),
        "first": lambda: (buffer(), chance.randrange(1, 9)),
    }
    return [(name, kinds[name]()) for _ in range(count) for name in kinds]


def test_the_same_answers_as_viper(derived, viper):
    needs_emitter()
    calls = random_calls(2, 300)
    answers = []
    for name, arguments in calls:
        arguments = [bytearray(a) if isinstance(a, list) else a for a in arguments]
        result = derived[name](*arguments)
        answers.append([result, [list(a) for a in arguments if isinstance(a, bytearray)]])
    for call, plain_answer, viper_answer in zip(calls, answers, viper(calls)):
        assert plain_answer == viper_answer, call


def test_lines_and_comments_stay_where_they_are():
    new = plain.derive(KERNEL).split("\n")
    old = KERNEL.split("\n")
    assert len(new) == len(old)
    assert "    # loads are unsigned" in new
    for number, line in enumerate(old):
        if line.startswith("def "):
            assert new[number].startswith(line.split("(")[0])
    assert not plain.is_kernel("\n".join(new))


def test_words_wrap_at_32_bits_as_on_the_boards(derived):
    space = {}
    exec(plain.derive('''import micropython
@micropython.viper
def up(a: int, b: int) -> int:
    return a + b
@micropython.viper
def times(a: uint, b: uint) -> uint:
    return a * b
@micropython.viper
def shift(a: uint, n: int) -> uint:
    return a >> n
@micropython.viper
def arithmetic(a: int, n: int) -> int:
    return a >> n
@micropython.viper
def less(a: int, b: int) -> bool:
    return a + 1 < b
@micropython.viper
def load(p: ptr32) -> int:
    return p[0]
'''), space)
    assert space["up"](0x7FFFFFFF, 1) == -0x80000000
    assert space["times"](0xFFFFFFFF, 0xFFFFFFFF) == 1
    assert space["shift"](-1, 28) == 15
    assert space["arithmetic"](-16, 2) == -4
    assert space["less"](0x7FFFFFFF, 0) is True
    assert space["load"](array.array("i", [-2])) == -2


def test_an_access_beside_the_buffer_is_an_error(derived):
    for name, index in (("load8", 4), ("load8", -1), ("load16", 2), ("load32", 1), ("load32", -1)):
        with pytest.raises(IndexError, match="buffer of 4"):
            derived[name](bytes(4), index)
    with pytest.raises(TypeError):
        derived["load8"](17, 0)
    with pytest.raises(TypeError):
        derived["load8"](b"", 0, 0)
    with pytest.raises(TypeError):
        derived["store"](bytes(32), 0, 0)


@pytest.mark.parametrize("body, words", [
    ("x: int = 4", "first value"),
    ("f = lambda: 1", "no function inside"),
    ("with p: pass", "no plain form"),
    ("x = [i for i in p]", "no plain form"),
])
def test_what_can_not_be_derived_is_said_with_its_line(body, words):
    source = "import micropython\n\n@micropython.viper\ndef f(p: ptr8):\n    %s\n" % body
    with pytest.raises(plain.Underivable, match=r"kernel.py:5: .*%s" % words):
        plain.derive(source, "kernel.py")


def test_the_shim_works_on_micropython(tmp_path, micropython, derived):
    (tmp_path / "kernel.py").write_text(plain.derive(KERNEL))
    (tmp_path / "pointers.py").write_text(build.POINTERS.read_text())
    code = '''
import array, kernel
a = array.array("i", [-1, 2, 3, 4, 5, 6, 7, 8])
print(kernel.load32(a, 0), kernel.load16(a, 1), kernel.load8(memoryview(a), 4), kernel.hash(b"abc", 3))
kernel.store(a, 1, 0x1234)
print(list(a), kernel.fir(a, a, 8))
try:
    kernel.load32(a, 8)
except IndexError as e:
    print(e)
'''
    (tmp_path / "main.py").write_text(code)
    done = subprocess.run([micropython, "main.py"], cwd=tmp_path, capture_output=True, text=True)
    a = array.array("i", [-1, 2, 3, 4, 5, 6, 7, 8])
    first = (derived["load32"](a, 0), derived["load16"](a, 1), derived["load8"](memoryview(a), 4),
             derived["hash"](b"abc", 3))
    derived["store"](a, 1, 0x1234)
    expected = "%s %s %s %s\n%s %s\npointer access at byte 32 of a buffer of 32\n" % (
        first + (list(a), derived["fir"](a, a, 8)))
    assert done.stdout == expected, done.stderr
