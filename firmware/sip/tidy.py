"""After a call: what must still be remembered of it moves down. Loaded for the moment by agent.py.

While a call begins, what it leaves behind for half a minute comes to lie above the code that was loaded to make it. After
some calls these few objects would cut the free heap into small pieces. Copies of them go to the first holes there are."""

from .transaction import Transaction


def tidy(agent):
    """Puts copies in the place of the ended transactions that only wait for what may come again."""
    timers = agent.timers
    timers._list = list(timers._list)
    agent.calls = list(agent.calls)
    transactions = agent.transactions
    table = transactions._table
    for old in list(table.values()):
        if old.is_live or old.user is not None or old._retry is not None or old.deadline is None:
            continue
        left_ms = timers.left_ms(old.deadline.due)
        if left_ms <= 0:
            continue  # it goes in a moment
        peer = (_copy(old.peer[0]),) + old.peer[1:]
        new = Transaction(transactions, _copy(old.key), old.table, old.state, peer, None)
        if old.data is not None:
            new.data = _copy(old.data)
        if old.ack is not None:
            new.ack = _copy(old.ack)
        if old.tag:
            new.tag = _copy(old.tag)
        timers.cancel(old.deadline)
        new.deadline = timers.after(left_ms, new._over)
        transactions.forget(old)
        table[new.key] = new


def _copy(value):
    """Other bytes, or another str, of the same value."""
    return value[:1] + value[1:]
