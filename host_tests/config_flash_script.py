"""Run by the Unix port from test_config_flash.py: saves the configuration on a flash that dies, at every moment.

The flash is that of dying_flash.py. When it has died it is mounted again, as after a power cut, and the file must be the old one or
the new one, whole.
"""

import json
import sys
import vfs

from dying_flash import Flash, cut, ends, load, mount

sys.path.insert(0, sys.argv[1])
from door.config import Config, Mistake

_OLD = {"schema": 1, "sip.server": "192.0.2.10", "sip.display": "x" * 60, "call.peers": "192.0.2.1"}


def values(config):
    return {k: config.get(k) for k in ("sip.server", "sip.display", "call.peers", "call.ring_s", "sip.port")}


def set_new(config):
    config.set("sip.port", 5071)


def image_after(saves, extra):
    """A flash on which the configuration was saved so many times, with `extra` bytes of a newer version's keys in
    it: LittleFS keeps a small file within its folder and a large one in blocks, and tidies up now and then."""
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash)
    mount(flash)
    with open("/flash/config.json", "w") as f:
        json.dump({"schema": 1, "newer.key": "y" * extra}, f)
    config = Config("/flash/config.json").load()
    for key in ("sip.server", "sip.display", "call.peers"):
        config.set(key, _OLD[key])
    for i in range(saves):
        config.set("call.ring_s", 10 + i % 90)
    vfs.umount("/flash")
    return bytes(flash.data)


def started(image):
    """-> (the flash, the configuration that is on it)"""
    flash = load(image)
    config = Config("/flash/config.json").load()
    assert config.words == []
    flash.done = 0
    return flash, config


def dies(config):
    try:
        set_new(config)
    except Mistake as e:
        assert "until the next restart" in str(e), e
    assert config.get("sip.port") == 5071  # in force whether or not the flash took it


def cut_everywhere(image, extra):
    """Cuts one save at each of its operations -> (operations, times the old file was there, the new one)."""
    flash, config = started(image)
    old = values(config)
    set_new(config)
    new = values(config)
    vfs.umount("/flash")
    total = flash.done
    seen_old = seen_new = 0
    for n, torn in ends(total):
        flash, config = started(image)
        cut(flash, n, torn, lambda: dies(config))
        again = Config("/flash/config.json").load()
        found = values(again)
        assert again.words == [], (n, torn, again.words)
        assert found == old or found == new, (n, torn, found)
        with open("/flash/config.json") as f:
            assert len(json.load(f).get("newer.key")) == extra
        seen_old += found == old
        seen_new += found == new
        again.set("sip.port", 5072)  # and it can be written again
        assert Config("/flash/config.json").load().get("sip.port") == 5072
        vfs.umount("/flash")
    assert seen_old and seen_new and old != new, (seen_old, seen_new)
    return total, seen_old, seen_new


most = 0
for extra, history in ((0, (0, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)), (6000, (0, 5, 10, 15))):
    for saves in history:
        total, seen_old, seen_new = cut_everywhere(image_after(saves, extra), extra)
        most = max(most, total)
        print("%d bytes more, after %d saves: dies in each of %d operations: old file %d times, new %d" % (
            extra, saves, total, seen_old, seen_new))
assert most > 8, "no save was long enough to erase a block"
