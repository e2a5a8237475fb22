"""A stream that is lost: who waits for something on it is told, in words. Loaded for the moment by stream.py and agent.py."""

from errno import ECONNREFUSED, ECONNRESET, EHOSTUNREACH

from lend import lend
from micropython import const

from .transaction import CALLING, ERROR

# A flow's states, as in stream.py.
_OPEN = const(3)
_BROKEN = const(5)


def lost(streams, flow, error):
    """It could not be opened, or it broke: who waits for something on it is told, in words."""
    if flow not in streams.flows:
        return
    agent = streams.agent
    again = flow.state == _OPEN or flow.state == _BROKEN
    lend("sip.streaming").drop(streams, flow)
    streams.transport.send_errors += 1
    agent.flow_lost(flow.key, _why(agent, flow.key, error), again)
    if agent.house:
        lend("sip.server.flows").lost(agent.house, flow.key)
    if again and agent.registration:
        agent.registration.lost(flow.key)


def tell(transactions, peer, why, again):
    """See Agent.flow_lost()."""
    for one in list(transactions._table.values()):
        if one.is_client and one.is_live and one.peer[:3] == peer[:3]:
            # What has not been answered at all may go once more: its branch tells a server that has had it already.
            resent = again and one.state == CALLING and not one.why and transactions.send(one.data, one.peer)
            one.why = why
            if not resent and not one.fire(ERROR):
                one.why = ""  # an INVITE that is being answered: the answer may come another way


def _why(agent, key, error):
    """"TCP: connection refused"."""
    kind = key[2].decode()
    words = lend("sip.tls").words(agent, key[0], error) if kind == "TLS" else ""
    number = error.args[0] if error.args else 0
    for sign, known in (
        (ECONNREFUSED, "connection refused; nothing listens at that port there"),
        (ECONNRESET, "connection reset"),
        (EHOSTUNREACH, "no way there"),
    ):
        if number == sign:
            words = words or known
    return "%s: %s" % (kind, words or str(error))
