"""Why calls end, in words. Loaded for the moment by words.py."""

from .words import text

# One string, searched: a dictionary of them would take three times the heap.
_ENDINGS = """
302 the other side has moved, and says to call elsewhere
400 the other side did not understand the call
401 the server wants a user name and password; check sip.user and sip.password
403 not allowed there
404 no such number there
407 the server wants a user name and password; check sip.user and sip.password
408 no answer
480 not reachable now
481 the other side no longer knows the call
486 busy
487 cancelled
488 no common codec: the other side must allow G.711 (PCMU or PCMA)
500 the other side has a fault
503 the other side is overloaded or out of service
600 busy everywhere
603 declined
"""


def ending(status, reason=b""):
    """See words.ending()."""
    start = _ENDINGS.find("\n%d " % status)
    if start < 0:
        words = text(reason) or "refused"
    else:
        words = _ENDINGS[start + 5 : _ENDINGS.find("\n", start + 1)]
    return "%s (%d)" % (words, status)
