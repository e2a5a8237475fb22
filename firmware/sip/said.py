"""A call's state for people. Loaded for the moment by call.py."""


def of(call):
    """See Call.words()."""
    who = call.display or call.peer_uri
    if call.state == "ended":
        return "The call with %s ended: %s." % (who, call.ended)
    if call.state == "up":
        return "In a call with %s for %d s." % (who, call.since_ms() // 1000)
    if call.incoming:
        return "%s is calling." % who
    if call.state == "calling":
        return "Calling %s." % who
    return "%s is ringing." % who
