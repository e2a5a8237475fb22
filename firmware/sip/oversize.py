"""Requests that are too long for a datagram (RFC 3261 18.1.1). Loaded for the moment by transaction.py."""


def by_stream(transaction):
    """A new client transaction: what it sends goes by TCP, for as long as somebody takes the connection."""
    transaction.datagram = data = transaction.data
    # The first one is our own Via's.
    transaction.data = data.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP", 1)
    transaction.peer = transaction.peer + (b"TCP",)


def by_datagram(transaction):
    """Nobody does: it goes by UDP after all."""
    timers = transaction.owner.timers
    transaction._retry = timers.cancel(transaction._retry)
    transaction.deadline = timers.cancel(transaction.deadline)
    transaction.data = transaction.datagram
    transaction.datagram = None
    transaction.peer = transaction.peer[:2]
    transaction.why = ""
    transaction.begin()
