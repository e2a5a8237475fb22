"""The house rules that a machine can check: who imports whom, and what no file may contain."""

import ast

import pytest

from tools import build

FIRMWARE = build.FIRMWARE
FILES = build.sources(FIRMWARE)
ROOMS = ("lend", "sip", "media", "door", "board")

# Who may import whom; each room may import itself.
ARROWS = {
    "lend": set(),  # the ground floor: stands on nothing, and any room may stand on it
    "main": {"door", "board", "wiring"},
    "door": {"lend", "sip", "media", "board", "wiring"},  # wiring: the pins as data, handed to what board/ has
    "sip": {"lend"},
    "media": {"lend"},
    "board": {"lend", "wiring"},
}
# Modules of stock MicroPython on the ESP32, as built in or frozen there.
STOCK = {
    "array", "asyncio", "binascii", "bluetooth", "builtins", "cmath", "collections", "cryptolib", "deflate",
    "errno", "esp", "esp32", "espnow", "framebuf", "gc", "hashlib", "heapq", "io", "json", "machine", "math",
    "micropython", "mip", "network", "ntptime", "onewire", "os", "platform", "random", "re", "requests",
    "select", "socket", "ssl", "struct", "sys", "time", "tls", "uctypes", "umqtt", "vfs", "webrepl",
}  # fmt: skip
# CPython has these and boards do not, or they are costly there.
FORBIDDEN = {"typing", "dataclasses", "enum", "abc", "functools", "itertools", "logging", "threading", "pathlib"}


def room(path):
    return path.parts[0].removesuffix(".py")


def imports(path):
    """(line, dotted name) of every import, at any depth; relative ones made absolute."""
    package = path.parts[:-1]
    tree = ast.parse((FIRMWARE / path).read_text())
    fallback = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)
                and isinstance(node.type, ast.Name) and node.type.id == "ImportError" for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in fallback and isinstance(node, ast.ImportFrom) and node.module == "pc":
            continue  # what CPython has in place of a part of MicroPython
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            yield node.lineno, ".".join(base + ((node.module,) if node.module else ()))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("__import__", "lend"):
            if path.name == "lend.py":
                continue  # imports for whoever asks, and who asks is looked at
            yield node.lineno, _begins(node.args[0], tree)


def _begins(name, tree):
    """What is known of a name put together at run time: the text it begins with, or "?"."""
    if isinstance(name, ast.Constant):
        return name.value
    if isinstance(name, ast.BinOp):
        return _begins(name.left, tree)
    if isinstance(name, ast.Name):
        values = [n.value for n in ast.walk(tree) if isinstance(n, ast.Assign)
                  and any(isinstance(t, ast.Name) and t.id == name.id for t in n.targets)]
        return _begins(values[0], tree) if len(values) == 1 and not isinstance(values[0], ast.Name) else "?"
    return "?"


def wrong(path, name):
    """Why this file may not import this name, or None."""
    top = name.split(".")[0]
    if top in FORBIDDEN:
        return "%s is not for a board" % top
    if top == room(path) or top in STOCK:
        return None
    if top in ARROWS[room(path)]:
        return None
    if top in ROOMS or top == "wiring":
        return "%s may not import %s" % (room(path), top)
    return "%s is neither of this firmware nor of stock MicroPython" % top


@pytest.mark.parametrize("path", FILES, ids=str)
def test_arrows_point_the_right_way(path):
    assert room(path) in ARROWS, "%s is in no room of the house" % path
    found = ["%s:%d: %s" % (path, line, wrong(path, name)) for line, name in imports(path) if wrong(path, name)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "path, name",
    [("sip/agent.py", "media.rtp"), ("sip/agent.py", "board"), ("media/rtp.py", "sip.sdp"), ("media/rtp.py", "door"),
     ("board/net.py", "sip"), ("board/net.py", "door.config"), ("sip/call.py", "wiring"), ("door/a.py", "typing"),
     ("sip/call.py", "numpy"), ("main.py", "sip.agent")],
)
def test_a_wrong_arrow_is_seen(path, name):
    assert wrong(build.Path(path), name)


def test_there_is_a_firmware_to_check():
    assert {room(path) for path in FILES} == set(ARROWS)


def test_getaddrinfo_is_asked_for_addresses_alone():
    """It holds the whole interpreter for as long as DNS takes: names are for sip/resolver.py. Two functions call it, which let
    no name through (test_register_by_name.py holds it to that)."""
    found = []
    for path in FILES:
        for node in ast.walk(ast.parse((FIRMWARE / path).read_text())):
            name = getattr(node, "attr", None) or getattr(node, "id", None) or getattr(node, "name", None)
            if name == "getaddrinfo" or isinstance(node, ast.Constant) and node.value == "getaddrinfo":
                found.append(str(path))
    assert set(found) == {"board/net.py", "board/six.py"}


def test_constructs_that_a_board_can_not_afford():
    found = []
    for path in FILES:
        for node in ast.walk(ast.parse((FIRMWARE / path).read_text())):
            if isinstance(node, ast.Match):
                found.append("%s:%d: match is not in MicroPython" % (path, node.lineno))
            if isinstance(node, ast.AnnAssign):
                found.append("%s:%d: annotated assignment" % (path, node.lineno))
    assert not found, "\n".join(found)


def test_what_files_say_of_a_flow_is_the_same_in_each():
    """A file that is loaded for the moment does not import for a number what would then stay: it writes the number again."""
    said = {}
    for path in FILES:
        for node in ast.parse((FIRMWARE / path).read_text()).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and path.parts[0] == "sip":
                name = node.targets[0].id if isinstance(node.targets[0], ast.Name) else ""
                if name in ("_WAITING", "_CONNECTING", "_SHAKING", "_OPEN", "_ENDING", "_BROKEN", "_GOES_ON"):
                    said.setdefault(name, {}).setdefault(ast.literal_eval(node.value.args[0]), []).append(str(path))
    assert {name: values for name, values in said.items() if len(values) > 1} == {}
    assert len(said["_OPEN"][3]) > 2 and len(said["_GOES_ON"][2]) > 1
