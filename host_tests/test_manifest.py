"""manifest.py freezes what `make build` puts into build/<arch>/, and asks for what the firmware imports."""

import ast
from pathlib import Path

from tools import build

# What a port's own manifest brings (asyncio) or stock ESP32 firmware freezes, by its name for require().
LIBRARY = {"ntptime": "ntptime", "umqtt": "umqtt.simple", "requests": "requests", "mip": "mip",
           "aiorepl": "aiorepl", "datetime": "datetime", "logging": "logging", "hmac": "hmac"}


class Recorder:
    """The functions of MicroPython's manifest files, as tools/manifestfile.py documents them."""

    def __init__(self, path):
        self.root = path.parent
        self.modules = {}           # path inside the frozen file system -> optimisation level
        self.required = set()
        self.included = []
        scope = {name: getattr(self, name) for name in ("module", "package", "freeze", "require", "include", "options")}
        exec(compile(path.read_text(), str(path), "exec"), scope)

    def module(self, module_path, base_path=".", opt=None):
        assert (self.root / base_path / module_path).is_file()
        self._add(Path(module_path), opt)

    def package(self, package_path, files=None, base_path=".", opt=None):
        folder = self.root / base_path
        assert (folder / package_path).is_dir()
        names = [Path(package_path, f) for f in files] if files else (
            p.relative_to(folder) for p in (folder / package_path).rglob("*.py"))
        for name in names:
            self._add(name, opt)

    def freeze(self, path, script=None, opt=None):
        folder = self.root / path
        scripts = [script] if isinstance(script, str) else script
        for name in scripts or (p.relative_to(folder) for p in folder.rglob("*.py")):
            assert (folder / name).is_file()
            self._add(Path(name), opt)

    def require(self, name, version=None, pypi=None, library=None, **options):
        self.required.add(name)

    def include(self, manifest_path, **options):
        self.included.append(manifest_path)

    class options:
        @staticmethod
        def defaults(**values):
            pass

    def _add(self, path, opt):
        assert path not in self.modules, "%s is frozen twice" % path
        self.modules[path] = opt


MANIFEST = Recorder(build.ROOT / "manifest.py")


def test_the_same_modules_as_in_build():
    for arch in build.CHIPS + ("x64",):
        folder = build.BUILD / arch
        made = {p.relative_to(folder).with_suffix(".py") for p in folder.rglob("*.*py")}
        assert set(MANIFEST.modules) == made


def test_the_same_optimisation_as_in_build():
    assert {"-O%s" % level for level in MANIFEST.modules.values()} == {build.OPTIMISE}


def test_the_ports_own_modules_stay():
    assert MANIFEST.included == ["$(PORT_DIR)/boards/manifest.py"]


def test_what_is_imported_from_micropython_lib_is_required():
    imported = set()
    for path in build.sources(build.FIRMWARE):
        for node in ast.walk(ast.parse((build.FIRMWARE / path).read_text())):
            if isinstance(node, ast.Import):
                imported.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.split(".")[0])
    assert {LIBRARY[name] for name in imported if name in LIBRARY} <= MANIFEST.required
