"""Code for the moment: it is there while somebody has it, once, and finds room if there is any."""

import sys

import lend as module

from lend import lend


def small(test):
    """A test of what a small heap asks for, whatever heap it runs in."""

    def run():
        was, module.is_roomy = module.is_roomy, False
        try:
            test()
        finally:
            module.is_roomy = was

    return run


def test_in_megabytes_it_is_imported_once_and_nothing_is_swept():
    was, real = module.is_roomy, module.gc
    module.is_roomy, module.gc = True, None  # the collector is out of reach
    try:
        one = lend("sip.endings")
        assert one is lend("sip.endings") is sys.modules["sip.endings"]
        module.sweep()
    finally:
        module.is_roomy, module.gc = was, real
        sys.modules.pop("sip.endings", None)


@small
def test_it_is_not_kept():
    one, two = lend("sip.endings"), lend("sip.endings")
    assert one is not two and one.ending(486) == two.ending(486) == "busy (486)"
    assert "sip.endings" not in sys.modules and "lend._" not in sys.modules


@small
def test_what_it_lends_itself_meanwhile_is_there_once():
    targets = lend("sip.server.targets")
    assert targets.location.record.__dict__ is targets.road.record.__dict__
    assert lend("sip.server.location") is not targets.location


@small
def test_where_there_is_no_room_what_can_be_spared_is_given_back_first():
    real = module._load
    full = []

    def load(name):
        if len(full) < most:
            full.append(name)
            raise MemoryError
        return real(name)

    spared = []
    module._load = load
    try:
        most = 1
        module.short.append(lambda: spared.append(len(full)))
        assert lend("sip.endings").ending(486) and spared == [1]
        most = 9
        for _ in range(2):
            try:
                lend("sip.endings")
            except MemoryError:
                continue
            raise AssertionError("where did it come from?")
        assert spared == [1, 2, 4]
        module.short.clear()
        most = 0
        assert lend("sip.endings").ending(486)
    finally:
        module._load = real
        module.short.clear()
