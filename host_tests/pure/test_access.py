"""Who may call, and which keys open the door."""

from door.access import may_call
from door.keypad import Keypad


def _type(pad, keys, code, now=0, gap=0.1):
    """Presses keys one after the other -> the last outcome that was not None."""
    outcome = None
    for key in keys:
        now += gap
        outcome = pad.press("0123456789*#ABCD".index(key), code, now) or outcome
    return outcome


def test_who_may_call():
    assert may_call("127.0.0.1", "", "")
    assert may_call("192.0.2.10", "192.0.2.10", "")
    assert may_call("192.0.2.20", "192.0.2.10", "192.0.2.9,192.0.2.20")
    assert not may_call("192.0.2.2", "192.0.2.10", "192.0.2.20")
    assert not may_call("192.0.2.20", "", "")
    assert not may_call("", "", "")
    assert not may_call("1127.0.0.1", "", "")
    assert may_call("192.0.2.2", "", "", "127.0.0.10")  # it has come over the loopback
    assert not may_call("192.0.2.2", "", "", "192.0.2.1")


def test_the_right_code_opens():
    assert _type(Keypad({}), "2580", "2580") == "open"
    assert _type(Keypad({}), "2580#", "2580") == "open"
    assert _type(Keypad({}), "25*2580", "2580") == "open"
    assert _type(Keypad({}), "*1", "*1") == "open"
    assert _type(Keypad({}), "#7#", "#7#") == "open"


def test_a_wrong_code_does_not():
    assert _type(Keypad({}), "258", "2580") is None
    assert _type(Keypad({}), "2581", "2580") == "wrong"
    assert _type(Keypad({}), "258#", "2580") == "wrong"
    assert _type(Keypad({}), "#", "2580") is None
    assert _type(Keypad({}), "12580", "2580") == "wrong"  # whole codes are compared, not any run of keys


def test_without_a_code_nothing_opens():
    pad = Keypad({})
    for event in range(16):
        assert pad.press(event, "", event) == "unset"


def test_events_that_are_no_keys_are_not_heard():
    pad = Keypad({})
    for event in (-1, 16, 64, 255):  # 16 is hook-flash
        assert pad.press(event, "1", 0) is None


def test_three_wrong_codes_lock_for_30_s_then_count_again():
    pad = Keypad({})
    assert _type(pad, "1111", "2580", 0) == "wrong"
    pad.start()  # another call does not help
    assert _type(pad, "1112", "2580", 1) == "wrong"
    assert _type(pad, "1113", "2580", 2) == "locked"
    assert _type(pad, "2580", "2580", 3) == "ignored"
    assert 28 <= pad.locked_s(3.5) <= 30
    assert _type(pad, "2580", "2580", 33) == "open"
    assert pad.locked_s(33) == 0
    assert _type(pad, "1111", "2580", 34) == "wrong"


def test_a_right_code_forgives_the_wrong_ones():
    pad = Keypad({})
    for round_s in range(0, 40, 10):
        assert _type(pad, "1111", "2580", round_s) == "wrong"
        assert _type(pad, "1111", "2580", round_s + 1) == "wrong"
        assert _type(pad, "2580", "2580", round_s + 2) == "open"


def test_a_pause_begins_again_and_so_does_a_call():
    pad = Keypad({})
    assert _type(pad, "25", "2580", 0) is None
    assert _type(pad, "2580", "2580", 10) == "open"
    assert _type(pad, "25", "2580", 20) is None
    pad.start()
    assert _type(pad, "2580", "2580", 20.5) == "open"
