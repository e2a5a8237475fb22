"""Run by the Unix port from test_house_files.py: the phones of a house and where they are, written on a flash that dies at every
moment (see dying_flash.py). After it the files must be the old ones or the new ones, whole, and be written again."""

import os
import sys
import vfs

from dying_flash import Flash, cut, ends, load, mount

sys.path.insert(0, sys.argv[1])
from door import accounts, bindings
from door.config import Mistake
from sip.agent import Agent
from sip.server import location
from sip.server.house import House

NAMES = ("kitchen", "hall", "K\xfcche", "attic", "cellar")


class Owner:
    """See sip.server.house.House."""

    saving = None
    said = None

    def account(self, user):
        return user

    def now_s(self):
        return 7

    def tell(self, words):
        self.said = words


def pack(host, port):
    return host, port


AGENT = Agent("192.0.2.1", 5060, pack, None)


def house():
    """A house as it is after a start."""
    here = House(b"house", b"100", Owner())
    bindings.restore(AGENT, here)
    return here


def bind(here, n, port=5060):
    """Phone n registers, and it is written."""
    user = b"%d" % (101 + n)
    uri = b"sip:%s@192.0.2.%d:%d;line=%s" % (user, 10 + n, port, 40 * b"x")
    here.bindings = [one for one in here.bindings if location.read(one)[0] != user]
    here.bindings.append(location.write(user, uri, 1000, 3607, b"123456", 1, (), ("192.0.2.%d" % (10 + n), port), b"", 0, 3600))
    bindings.save(here)


def phones():
    return [(number, name, md5) for number, name, md5, _ in accounts.each()]


def places():
    return sorted(house().bindings)


def step(what, n):
    if what == "add":
        accounts.add(NAMES[n], "house", "new password", ())
    elif what == "remove":
        accounts.remove(b"%d" % (101 + n))
    elif what == "bind":
        bind(house(), n, 5062)
    else:
        here = house()
        here.bindings = here.bindings[1:]
        bindings.save(here)


def image_of(phones_there, places_there, saves):
    """A flash with so many phones and bindings, that has been written to so often before: LittleFS keeps a small file within its
    folder and a large one in blocks, and tidies up now and then."""
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash)
    mount(flash)
    os.chdir("/flash")
    for n in range(phones_there):
        accounts.add(NAMES[n], "house", "old password", ())
    here = house()
    for n in range(places_there):
        bind(here, n)
    for _ in range(saves):
        bindings.save(here)
    os.chdir("/")
    vfs.umount("/flash")
    return bytes(flash.data)


def started(image):
    flash = load(image)
    os.chdir("/flash")
    return flash


def dies(what, n):
    try:
        step(what, n)
    except Mistake as e:
        assert "could not be written" in str(e), e


def cut_everywhere(image, what, n):
    """Cuts one step at each of its operations -> (operations, times the old state was there, the new one)."""
    flash = started(image)
    old = phones(), places()
    flash.done = 0
    step(what, n)
    total = flash.done
    new = phones(), places()
    os.chdir("/")
    vfs.umount("/flash")
    assert old != new
    seen_old = seen_new = 0
    for after, torn in ends(total):
        cut(started(image), after, torn, lambda: dies(what, n))
        os.chdir("/flash")
        found = phones(), places()
        assert found == old or found == new, (what, after, torn, found)
        seen_old += found == old
        seen_new += found == new
        step(what, n)  # and it can be written again
        assert (phones(), places()) == new or what == "unbind", (what, after, torn)
        os.chdir("/")
        vfs.umount("/flash")
    assert seen_old and seen_new, (what, seen_old, seen_new)
    return total, seen_old, seen_new


for phones_there, places_there, saves, steps in (
    (0, 0, 0, (("add", 0), ("bind", 0))),
    (3, 3, 0, (("add", 3), ("add", 0), ("remove", 2), ("bind", 0), ("bind", 3), ("unbind", 0))),
    (3, 20, 0, (("remove", 0), ("bind", 20))),
    (4, 3, 7, (("add", 4), ("bind", 2))),
):  # fmt: skip
    image = image_of(phones_there, places_there, saves)
    for what, n in steps:
        print("%d phones, %d places: %s dies in each of %d operations: old %d times, new %d" % (
            (phones_there, places_there, what) + cut_everywhere(image, what, n)))
