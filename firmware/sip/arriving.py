"""A call is made of an INVITE that was let in (RFC 3261 12.1.1, 13.3.1). Loaded for the moment by agent.py."""

from lend import lend

from .call import Call
from .dialog import Dialog
from .message import response
from .transaction import token


def take(agent, request, source, old):
    """`old`: the call whose place it takes (RFC 3891), None for none."""
    transaction = agent.transactions.server(request, agent._reply_to(request, source), source)
    if transaction is None:
        agent._reply(request, source, 503, (b"Retry-After: 5",))
        return
    call = None
    try:
        call = Call(agent, Dialog.answering(request, token(4)), source)
        call.offered(request, transaction)
        agent.calls.append(call)
        if old:
            lend("sip.replaces").take_over(old, call)
        elif agent.on_call:
            agent.on_call(call)
        else:
            call.reject(480)
        if transaction.data is None and transaction.request is not None:
            # Silence here, and the caller would repeat itself (8.2.6.1).
            transaction.respond(100, response(request, 100, source=source))
        agent.spare()  # it may ring for a while
    except Exception as error:
        if isinstance(error, MemoryError) and transaction.data is None:
            agent.transactions.forget(transaction)
            if call in agent.calls:
                agent.calls.remove(call)
        else:
            call.reject(500)
        raise
