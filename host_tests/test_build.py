"""make build: what is made for which chip, what is made again, and what a person reads when it fails."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import build, plain

ARCH_OF_MPY = {"xtensawin": 10, "rv32imc": 11, "armv7emsp": 7, "x64": 2}


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A firmware of three files in a folder of its own."""
    for folder in ("firmware/sip", "boards/PC", "boards/UNIX"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "firmware/main.py").write_text("import sip.a\n")
    (tmp_path / "firmware/sip/a.py").write_text("A = 1\n")
    (tmp_path / "firmware/sip/k.py").write_text(
        "import micropython\n\n\n@micropython.viper\ndef first(p: ptr8) -> int:\n    return p[0]\n")
    (tmp_path / "boards/UNIX/machine.py").write_text("B = 2\n")
    (tmp_path / "boards/UNIX/board.py").write_text("NAME = 'x'\n")
    shutil.copy(build.POINTERS, tmp_path / "boards/PC/pointers.py")
    for name, folder in (("ROOT", "."), ("FIRMWARE", "firmware"), ("UNIX", "boards/UNIX"), ("BUILD", "build"),
                         ("POINTERS", "boards/PC/pointers.py")):
        monkeypatch.setattr(build, name, tmp_path / folder)
    return tmp_path


def quiet(words):
    pass


def made(small):
    return sorted(str(p.relative_to(small / "build")) for p in (small / "build").rglob("*.*py"))


@pytest.mark.parametrize("arch", sorted(ARCH_OF_MPY))
def test_every_module_is_there_for_every_chip(arch):
    folder = build.BUILD / arch
    assert (folder / "main.py").read_text() == (build.FIRMWARE / "main.py").read_text()
    for path in build.sources(build.FIRMWARE):
        if path == Path("main.py"):
            continue
        header = (folder / path.with_suffix(".mpy")).read_bytes()[:4]
        assert header[:2] == b"M\x06"
        kernel = plain.is_kernel((build.FIRMWARE / path).read_text())
        assert header[2] >> 2 == (ARCH_OF_MPY[arch] if kernel else 0), path
    extra = {p.relative_to(folder).with_suffix(".py") for p in folder.rglob("*.*py")}
    assert extra == set(build.sources(build.FIRMWARE))


def test_the_hot_path_is_machine_code():
    kernels = {p.stem for p in build.sources(build.FIRMWARE) if plain.is_kernel((build.FIRMWARE / p).read_text())}
    assert {"scan", "g711", "resample"} <= kernels


def test_only_what_changed_is_made_again(small):
    first = build.build(["x64", "plain", "x64-unix"], quiet)
    assert made(small) == sorted(
        ["x64/main.py", "x64/sip/a.mpy", "x64/sip/k.mpy", "x64-unix/machine.mpy",
         "plain/main.py", "plain/pointers.py", "plain/sip/a.py", "plain/sip/k.py"])
    assert first == 8
    assert build.build(["x64", "plain", "x64-unix"], quiet) == 0
    (small / "firmware/sip/a.py").write_text("A = 2\n")
    assert build.build(["x64", "plain"], quiet) == 2
    (small / "build/x64/sip/k.mpy").unlink()
    assert build.build(["x64"], quiet) == 1


def test_what_has_no_source_any_more_goes(small):
    build.build(["x64"], quiet)
    (small / "firmware/sip/a.py").unlink()
    build.build(["x64"], quiet)
    assert made(small) == ["x64/main.py", "x64/sip/k.mpy"]


def test_an_error_names_the_file_the_line_and_every_chip(small):
    build.build(["x64"], quiet)
    (small / "firmware/sip/a.py").write_text("A = 1\nB = (\n")
    (small / "firmware/sip/k.py").write_text(
        "import micropython\n\n\n@micropython.viper\ndef first(p: ptr8) -> int:\n    return p + 1\n")
    with pytest.raises(build.BuildError) as e:
        build.build(["x64", "rv32imc"], quiet)
    words = str(e.value)
    assert "firmware/sip/a.py" in words and "line 2" in words.lower()
    assert "firmware/sip/k.py does not compile for rv32imc" in words and "ptr8" in words
    # and it is an error still the next time
    with pytest.raises(build.BuildError):
        build.build(["x64"], quiet)


def test_a_broken_file_that_only_uses_names_is_named_too(small):
    (small / "host_tests").mkdir()
    (small / "host_tests/broken.py").write_text("A = 1\nB = (\n")
    with pytest.raises(build.BuildError, match="host_tests/broken.py, line 2: "):
        build.build(["x64"], quiet)


def test_a_port_without_native_emitter_gets_plain_kernels(small, micropython):
    build.build(["bytecode", "bytecode-unix"], quiet)
    assert (small / "build/bytecode/sip/k.mpy").read_bytes()[2] >> 2 == 0
    code = "import sys; sys.path[:] = ['']; from sip.k import first; print(first(b'A'))"
    done = subprocess.run([micropython, "-c", code], cwd=small / "build/bytecode", capture_output=True, text=True)
    assert done.stdout == "65\n", done.stderr


def test_the_interpreter_is_asked_for_its_emitter(tmp_path, micropython):
    assert build.interpreter_arch(micropython) == build.host_arch()

    def stand_in(answer):
        path = tmp_path / "micropython"
        path.write_text("#!/bin/sh\necho '%s'\n" % answer)
        path.chmod(0o755)
        return str(path)

    assert build.interpreter_arch(stand_in(6 | 3 << 8)) == "bytecode"
    with pytest.raises(build.BuildError, match="1.23"):
        build.interpreter_arch(stand_in(5))
    with pytest.raises(build.BuildError, match="does not answer"):
        build.interpreter_arch(stand_in("hello"))


def test_a_wrong_micropython_is_said_in_words(tmp_path):
    environment = dict(os.environ, MICROPYTHON=str(tmp_path / "nothing"))
    done = subprocess.run([sys.executable, "tools/build.py"], cwd=build.ROOT, env=environment,
                          capture_output=True, text=True)
    assert done.returncode == 1 and "there is no such file" in done.stderr and "Traceback" not in done.stderr


def test_make_help_has_a_line_for_every_target():
    text = (build.ROOT / "Makefile").read_text()
    phony = text.split(".PHONY:")[1].split("\n")[0].split()
    shown = subprocess.run(["make", "--no-print-directory"], cwd=build.ROOT, capture_output=True, text=True).stdout
    lines = [line.split() for line in shown.splitlines()[1:]]
    assert [line[1] for line in lines] == phony
    assert all(len(line) > 3 for line in lines) and all(len(line) < 100 for line in shown.splitlines())
