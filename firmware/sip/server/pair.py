"""A call between the house and the world begins: the last step of what out.py has let pass. Loaded for the moment."""

from lend import lend

from ..message import response
from ..words import text


def begin(house, agent, request, source, accounts, peer, names, dialog):
    """Two legs, the caller's and that of who is called, whose INVITE goes to `peer` by `dialog`; `accounts` and `names` are one for
    each."""
    transaction = agent.transactions.server(request, agent._reply_to(request, source), source)
    if transaction is None:
        agent._reply(request, source, 503, (b"Retry-After: 5",))
        return True
    before = house.bridged
    try:
        kind = type(before[0]) if before else lend("sip.server.leg").Leg
        near = kind(house, agent, accounts[0], source, names[0])
        far = kind(house, agent, accounts[1], peer, names[1])
        near.other = far
        far.other = near
        house.bridged = before + [near, far]
        far.invite(dialog, transaction)
    except MemoryError:
        house.bridged = before
        agent.transactions.forget(transaction)  # it comes again, and is not to be taken for one that is under way
        raise
    if transaction.data is None:
        transaction.respond(100, response(request, 100, source=source))
    house.owner.tell("%s calls %s %s." % (text(names[0]), text(names[1]), "from outside" if accounts[0] else "outside"))
    return True
