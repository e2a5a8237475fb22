"""The wire's bytes and codes in words that a person reads."""

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


def text(value):
    """Bytes of the wire as printable text: UTF-8 where it is, else each odd byte as '?'."""
    try:
        decoded = value.decode()
    except UnicodeError:
        decoded = "".join([chr(byte) if byte < 127 else "?" for byte in value])
    # A terminal obeys control characters, those of 7 and of 8 bits: none of the network's may reach it.
    return "".join(["?" if char < " " or "\x7f" <= char < "\xa0" else char for char in decoded])


def ending(status, reason=b""):
    """Why a call ended, from its final status: "busy (486)"."""
    start = _ENDINGS.find("\n%d " % status)
    if start < 0:
        words = text(reason) or "refused"
    else:
        words = _ENDINGS[start + 5 : _ENDINGS.find("\n", start + 1)]
    return "%s (%d)" % (words, status)
