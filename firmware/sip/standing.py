"""A Registration's state in words. Loaded for the moment by registration.py; `it` is the Registration of each function."""

from .words import text


def words(it):
    """The state as a sentence, or two."""
    sentence = _words(it)
    second = it.second
    if it.is_active and second is not None and second.is_active:
        sentence += " " + _words(second)
    return sentence


def _words(it):
    where = "%s as %s" % (server(it), it.user)
    if it.contact and it.is_active:
        left_s = max(0, it.agent.timers.left_ms(it.expires_at) // 1000)
        sentence = "Registered at %s, for %d s more." % (where, left_s)
        if it.problem:
            sentence += " The refresh failed: %s. Trying again." % it.problem
        return sentence
    if not it.is_active:
        return "Not registered: stopped."
    if it.problem:
        return "Not registered at %s: %s. Trying again." % (where, it.problem)
    return "Registering at %s." % where


def server(it):
    """The registrar as people know it: its address, or its name with the address in use, or with its proxy's."""
    name = text((it.moved or it.server)[4:])
    host = it.peers[0][0] if it.peers else name
    if it.proxy:
        return "%s through %s" % (name, host)
    return host if name.split(":")[0] == host else "%s (%s)" % (name, host)
