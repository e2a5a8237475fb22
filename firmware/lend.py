"""Code for the moment: what is needed now and then, and would else lie in the heap for years.

Only where memory is short. In megabytes of PSRAM a collection takes a tenth of a second and more, which a call would hear, and the
whole program fits beside anything: there each file is imported once and stays, and nothing is swept but by gc.threshold().
"""

import gc
import sys

from micropython import const

try:
    from vfs import mount, umount
except ImportError:
    mount = None  # CPython has none, and its import does as well


class _Disk:
    """A file system of MicroPython's that has one file, always by the same name: the one that is lent now.

    MicroPython keeps three names for ever of each file that was ever imported, its path one of them, and of these files there
    are more than a hundred. Imported from here all of them have the same.
    """

    file = None  # that file, opened
    kept = None  # {name: module} of what was lent since an import began, None while there is none

    def mount(readonly, mkfs):
        pass

    def umount():
        pass

    def stat(path):
        if path != "/_.mpy":
            raise OSError(2)
        return 0x8000, 0, 0, 0, 0, 0, 0, 0, 0, 0

    def open(path, mode):
        file, _Disk.file = _Disk.file, None
        del sys.modules["lend._"]  # what is lent may want another file for the moment
        return file


if mount:
    __path__ = "/_"
    try:
        mount(_Disk, __path__)
    except OSError:  # that of an earlier import of this
        umount(__path__)
        mount(_Disk, __path__)


_PLENTY = const(1 << 20)  # bytes free at the start; all that is ever lent takes less than half of it
is_roomy = hasattr(gc, "mem_free") and gc.mem_free() > _PLENTY

short = []  # what gives memory back, for when there is not enough: functions, of who has something to spare


def sweep():
    """Collects, so that what comes next fills the holes low down, and the large piece at the top stays whole; nothing where there
    is room, or CPython."""
    if mount and not is_roomy:
        gc.collect()


def lend(name, sweeps=True):
    """Imports "room.file" without keeping it in sys.modules: its heap is free again when the caller is done with it.

    Only for bytecode: machine code is never freed. An object of one of its classes keeps the file in the heap for as
    long as the object lives, so make only such as go soon: a tone while it sounds, never what lasts for years.
    What is lent while another file is on its way, for that file, is there once.

    First the heap is swept, which takes longer than all else. `sweeps` False: that was done a moment ago, and nothing that lasts
    was made since, nor will be before it is done again.
    """
    if is_roomy:
        return __import__(name, None, None, ("*",))
    kept = _Disk.kept
    if kept and name in kept:
        return kept[name]
    if kept is None:
        _Disk.kept = {}
    try:
        try:
            if sweeps and kept is None:
                sweep()
            module = _load(name)
        except MemoryError:
            if not short:
                raise
            for spare in short:
                spare()
            sweep()
            module = _load(name)
        _Disk.kept[name] = module
        return module
    finally:
        _Disk.kept = kept


def _load(name):
    room, _, leaf = name.rpartition(".")
    if mount:
        if room not in sys.modules:
            __import__(room)
        try:
            _Disk.file = open("%s/%s.mpy" % (sys.modules[room].__path__, leaf), "rb")
        except OSError:
            pass  # frozen, or as source
        else:
            try:
                return __import__("lend._", None, None, ("*",))
            except ImportError:
                if _Disk.file:
                    raise MemoryError  # there it is, but its name found no room
                raise
            finally:
                globals().pop("_", None)
    module = __import__(name, None, None, ("*",))
    del sys.modules[name]
    delattr(sys.modules[room], leaf)
    return module
