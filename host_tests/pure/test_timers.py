from sip.timers import Timers


def test_fires_in_order_once_and_says_how_long_to_wait():
    now = [100]
    fired = []
    timers = Timers(lambda: now[0])
    timers.after(30, fired.append, "late")
    timers.after(10, fired.append, "early")
    assert timers.run() == 10
    now[0] = 130
    assert timers.run() == -1
    assert fired == ["early", "late"]


def test_a_cancelled_timer_is_silent_and_cancel_is_idempotent():
    now = [0]
    fired = []
    timers = Timers(lambda: now[0])
    timer = timers.after(10, fired.append, 1)
    assert timers.cancel(timer) is None
    timers.cancel(timer)
    timers.cancel(None)
    now[0] = 20
    assert timers.run() == -1 and not fired


def test_an_action_may_start_and_cancel_timers():
    now = [0]
    fired = []
    timers = Timers(lambda: now[0])
    other = timers.after(10, fired.append, "other")

    def first(_):
        timers.cancel(other)
        timers.after(0, fired.append, "next")

    timers.after(5, first)
    now[0] = 20
    timers.run()
    assert fired == ["next"]


def test_the_clock_may_wrap():
    from time import ticks_add

    now = [ticks_add(0, -5)]
    fired = []
    timers = Timers(lambda: now[0])
    timers.after(10, fired.append, 1)
    assert timers.run() == 10
    now[0] = 6
    timers.run()
    assert fired == [1]
