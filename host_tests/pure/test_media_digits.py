"""Keys that come several ways at once: each once, in their order."""

from time import ticks_add

from media.digits import Merger

RTP, INFO, SOUND = 0, 1, 2


def merged(told):
    """What comes of (ms, way, code) in any order, asked every 20 ms as the door does."""
    merger = Merger()
    told = sorted(told)
    out = []
    now = told[0][0] if told else 0
    while told or merger.wait:
        while told and told[0][0] <= now:
            _, way, code = told.pop(0)
            out += merger.put(way, code, ticks_add(0, now))
        out += merger.take(ticks_add(0, now))
        now += 20
    return out


def pressed(codes, late_ms, way, begin=0, each=100, lost=()):
    """Keys at `begin`, `begin` + `each` and so on, told by a way so much later; places in `lost` are not."""
    return [(begin + i * each + late_ms, way, code) for i, code in enumerate(codes) if i not in lost]


def test_one_way_is_given_as_it_comes():
    for way in (RTP, INFO, SOUND):
        assert merged(pressed([1, 1, 2, 2, 10, 11], 0, way)) == [1, 1, 2, 2, 10, 11]


def test_after_the_first_key_one_way_waits_for_nothing():
    merger = Merger()
    assert merger.put(RTP, 1, 0) == [] and merger.wait
    assert merger.take(240) == [] and merger.take(250) == [1] and not merger.wait
    assert merger.put(RTP, 1, 300) == [1]
    assert merger.put(RTP, 2, 320) == [2]


def test_three_ways_at_every_skew():
    for codes in ([1, 1, 2, 2], [2, 5, 8, 0], [1, 1, 1, 1]):
        for sound in (20, 80, 140, 200):
            for info in (-500, -250, -100, 0, 60, 100, 250, 500):
                told = pressed(codes, 0, RTP) + pressed(codes, info, INFO) + pressed(codes, sound, SOUND)
                assert merged(told) == codes, (codes, sound, info)


def test_a_way_that_loses_some():
    codes = [2, 5, 8, 0, 0, 1]
    for lost in ((0,), (1,), (2, 3), (5,), (0, 1, 2), (1, 3, 5)):
        for late, loses in ((150, SOUND), (40, SOUND), (100, INFO)):
            told = pressed(codes, 0, RTP) + pressed(codes, late, loses, lost=lost)
            assert merged(told) == codes, (lost, late, loses)
    for lost in ((1,), (2,), (3,), (1, 2), (5,), (4, 5)):  # and the fastest of them
        for late in (60, 110, 180):
            told = pressed(codes, 0, RTP, lost=lost) + pressed(codes, late, SOUND)
            assert merged(told) == codes, (lost, late)


def test_a_key_pressed_twice_by_one_way_is_two():
    assert merged(pressed([7, 7], 0, RTP, each=300) + [(150, SOUND, 7)]) == [7, 7]
    assert merged(pressed([7, 7], 0, RTP, each=80) + [(150, SOUND, 7)]) == [7, 7]


def test_a_way_that_comes_long_after_is_another_press():
    assert merged([(0, RTP, 7), (2000, INFO, 7)]) == [7, 7]


def test_an_info_that_was_sent_again_is_still_the_same():
    told = pressed([1, 1, 2, 2], 0, RTP, each=300) + [(20, INFO, 1), (810, INFO, 1), (830, INFO, 2), (930, INFO, 2)]
    assert merged(told) == [1, 1, 2, 2]


def test_no_key_waits_for_ever():
    merger = Merger()
    merger.put(RTP, 1, 0)
    merger.put(SOUND, 1, 100)
    merger.put(INFO, 1, 200)
    assert not merger.wait
    assert merger.put(RTP, 2, 1000) == []  # two more ways could tell
    assert merger.take(1349) == [] and merger.take(1350) == [2]


def test_more_keys_than_are_remembered():
    codes = [i & 15 for i in range(100)]
    assert merged(pressed(codes, 0, RTP, each=20)) == codes
    assert merged(pressed(codes, 0, RTP, each=60) + pressed(codes, 130, SOUND, each=60)) == codes


def test_the_clock_wraps():
    codes = [1, 1, 2, 2]
    begin = 0x3FFFFFFF - 150
    assert merged(pressed(codes, 0, RTP, begin) + pressed(codes, 130, SOUND, begin)) == codes
