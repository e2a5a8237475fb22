"""phones.txt and bindings.txt, whatever becomes of them: a power cut while they are written, and any bytes in them."""

import contextlib
import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.rig.door import Door
from tools import build


@pytest.mark.needs("micropython")
def test_power_cut_at_every_write_and_erase():
    script = Path(__file__).parent / "house_flash_script.py"
    command = [build.interpreter(), "-X", "heapsize=16M", str(script), str(build.BUILD / build.host_arch())]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("dies in each of") == 12, run.stdout


# A binding's parts, as record.py writes them, and any.
_WORD = st.one_of(st.sampled_from([b"101", b"102", b"100", b"door", b"sip:101@192.0.2.9", b"sip:102@192.0.2.1", b"sips:a@b;maddr=c",
                                   b"<sip:192.0.2.8;lr>", b"sip:x@y?a=b", b"sip:[::1]", b"\xff", b""]), st.binary(max_size=40))
_HOST = st.sampled_from(["192.0.2.9", "192.0.2.1", "::1", "kitchen", ""])
_KIND = st.sampled_from([(), (b"TCP",), (b"TLS",)])
_NUMBER = st.integers(0, 65535)


@st.composite
def _bindings(draw):
    """Lines of bindings.txt, with a seal that is right or not: what another version may have written, or chance."""
    from sip.server import record

    records = []
    for _ in range(draw(st.integers(0, 4))):
        try:
            one = record.write(
                draw(_WORD), draw(_WORD), draw(_NUMBER), draw(_NUMBER), b"123456", 1, draw(st.lists(_WORD, max_size=2)),
                (draw(_HOST), draw(_NUMBER)) + draw(_KIND), draw(st.sampled_from([b"", b"123456"])), draw(st.integers(0, 255)),
                draw(_NUMBER))
        except ValueError:
            continue
        cut = draw(st.integers(0, 3 * len(one)))
        records.append(one[:cut] + draw(st.binary(max_size=3)) if cut < len(one) else one)
    seal = hashlib.sha256(b"".join(records)).digest()
    lines = [one.hex().encode() for one in records + [seal]]
    if draw(st.integers(0, 4)) == 0:
        lines = lines[: draw(st.integers(0, len(lines)))]
    return b"\n".join(lines)


@given(st.one_of(_bindings(), _bindings(), st.binary(max_size=300)))
@settings(max_examples=150, deadline=None)
def test_any_bindings(tmp_path_factory, data):
    """The door starts, finds whom to ring, and writes a file that is read again."""
    from house_sip import Home
    from sip.server import targets

    from door import bindings

    with contextlib.chdir(tmp_path_factory.getbasetemp()):
        Path("bindings.txt").write_bytes(data)
        home = Home()
        home.account = lambda user: (b"", b"", user, user) if user else None
        bindings.restore(home.door, home.house)
        for user in [b"100"] + [one[0] for one in home.contacts(None)]:
            targets.of(home.house, home.door, user, b"")
        home.house.owner.saving = None
        bindings.save(home.house)
        first = home.contacts(None)
        home.house.bindings = []
        bindings.restore(home.door, home.house)
        assert [one[:2] for one in home.contacts(None)] == [one[:2] for one in first]


_LINE = st.builds(lambda *parts: b" ".join(parts), st.sampled_from([b"101", b"102", b"\xff\xfe", b"101\x00"]),
                  st.sampled_from([b"kitchen", b"K\xc3\xbcche", b"\xc3", b"a\x00"]), st.binary(min_size=30, max_size=33).map(bytes.hex).map(str.encode),
                  st.sampled_from([64 * b"0", 63 * b"0", b"\xff" * 64]))
_REAL = st.sampled_from([b"101 kitchen %s %s" % (32 * b"0", 64 * b"1"), b"102 hall %s %s" % (32 * b"2", 64 * b"3"), b"103 \xff %s %s" % (32 * b"2", 64 * b"3")])


@given(st.lists(st.one_of(_REAL, _LINE, st.binary(max_size=400)), max_size=6).map(b"\n".join))
@settings(max_examples=200, deadline=None)
def test_any_phones(tmp_path_factory, data):
    """What is no phone is no phone, stays as it is, and is in nobody's way."""
    from door import accounts

    with contextlib.chdir(tmp_path_factory.getbasetemp()):
        Path("phones.txt").write_bytes(data)
        before = list(accounts.each())
        for number, name, first, second in before:
            number.decode(), name.decode()
            assert len(first) == 32 and len(second) == 64
        for who in ("kitchen", "101", "nobody", "hall,102"):
            accounts.number_of(who)
            accounts.numbers(who)
        known = accounts.number_of("new")
        number = accounts.add("new", "house", "secret", ("100", "door"))
        assert accounts.name_of(number.encode()) == "new"
        assert len(list(accounts.each())) == len(before) + (not known)
        lines = Path("phones.txt").read_bytes().split(b"\n")
        accounts.remove(number.encode())
        assert not accounts.number_of("new")
        kept = [line for line in data.split(b"\n") if line.split()[:1] != [number.encode()]]
        assert [line for line in Path("phones.txt").read_bytes().split(b"\n") if line] == [line for line in kept if line], lines


def test_what_cannot_be_read_keeps_no_door_from_starting(tmp_path, monkeypatch):
    from house_sip import Home

    from door import accounts, bindings
    from door.config import Mistake

    monkeypatch.chdir(tmp_path)
    for name in ("phones.txt", "bindings.txt"):
        (tmp_path / name).mkdir()
    home = Home()
    bindings.restore(home.door, home.house)
    assert list(accounts.each()) == [] and accounts.account(b"101") is None
    with pytest.raises(Mistake, match="could not be written"):
        accounts.add("new", "house", "secret", ())
    home.house.owner.saving = None
    bindings.save(home.house)
    assert "bindings.txt could not be written" in home.said[-1]


@pytest.mark.needs("micropython")
def test_a_small_heap_starts_with_long_nonsense(tmp_path):
    (tmp_path / "phones.txt").write_bytes(bytes(range(1, 256)).replace(b"\n", b"") * 80)
    (tmp_path / "bindings.txt").write_bytes(b"00" * 16000)
    with Door(tmp_path, {"sip.mode": "house"}) as door:
        door.wait_status("has no phones yet")
        assert "has the number 101" in door.console('door.add_phone("kitchen")')
        assert "0 of 1 phones are registered" in door.status()
        assert "Traceback" not in door.said()
