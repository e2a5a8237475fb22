"""door.trace(): a trace begins or ends. Loaded for the moment by lend()."""

import asyncio

from lend import lend

from .config import Mistake
from .console import Lines

_METHODS = " register invite ack bye cancel options prack update refer notify subscribe info message publish "


def trace(door, what=True, only=""):
    """Shows each SIP message (True) or a line for each ("ladder"), of one method or peer if `only` names it; False ends it.
    Credentials are blacked out. -> words for the person."""
    if isinstance(what, str) and what != "ladder":
        what, only = True, what
    if not isinstance(only, str) or only and " %s " % only.lower() not in _METHODS and "." not in only and ":" not in only:
        raise Mistake('door.trace() takes True, False, "ladder", a method like "invite" or the address of a peer')
    agent = door._agent
    if agent is None:
        raise Mistake("not ready for a trace yet; the network: %s" % lend("door.words").network_words(door))
    transport = agent.transport
    old, transport.trace = transport.trace, None
    if old:
        old.is_on = False
    if not what:
        return Lines("The trace is off.%s" % (words(old) if old else ""))
    new = lend("door.tracing").Trace(door, what == "ladder", (only.upper() if only.isalpha() else only).encode())
    asyncio.create_task(door._keep(new.run))
    transport.trace = new
    text = "The trace is on%s: passwords, what is made of them, keys and texts are blacked out. door.trace(False) ends it."
    return Lines(text % (", for %s" % only if only else ""))


def words(it):
    """How many it has shown, as a sentence."""
    return " %d messages were shown%s." % (it.shown, ", %d were too many at once" % it.lost if it.lost else "")
