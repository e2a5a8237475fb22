"""What answers of theirs to our offers make of them (RFC 3264 7). Loaded for the moment by
call.py."""

from lend import lend
from micropython import const

_SEND = const(1)  # as described.py has them
_RECEIVE = const(2)


def wanted(offered):
    """(index, Media) of the line for sound in an offer of ours, a Session."""
    index = 0
    for mine in offered.media:
        if mine.port:
            break
        index += 1  # a line that was refused earlier in the call
    return index, mine


def accept(session, index, mine):
    """The other side's answer to what was wanted(): Negotiated, or None when it refused the audio or answered with nothing that
    was offered."""
    if len(session.media) <= index:
        return None
    one = session.media[index]
    if not one.fits(b":" in mine.host, mine.crypto):
        return None
    form = one.sound([int(form) for form in mine.formats])
    if form is None:
        return None
    keys = None
    if mine.crypto and (one.crypto or b"S" in mine.protocol + one.protocol.upper()):
        keys = lend("sip.crypto").accept(mine.crypto, one.crypto)
        if keys is None:
            return None  # neither as secret as was agreed, nor agreed to be open
    theirs = one.direction
    mirrored = mine.direction & ((theirs & _SEND) << 1 | (theirs & _RECEIVE) >> 1)
    events = one.events()
    if events < 0 and b"%d" % mine.events() in one.formats and b"%d" % mine.events() not in one.maps:
        events = mine.events()
    agreed = one.negotiated(index, form, events, mirrored, mine.mux)
    agreed.keys = keys
    if mine.noise() < 0:
        agreed.noise = -1
    return agreed


def of(call, message, ours):
    """See Call.accepted()."""
    agent = call.agent
    try:
        theirs = agent.session_of(message)
        if not theirs:
            return None
        index, mine = wanted(agent.sdp().parse(ours))
        session = agent.sdp().parse(theirs)
        agent.spare()  # as in answering.py
        media = accept(session, index, mine)
        if media:
            agent.pack(media.host, media.port)
    except ValueError:
        # No SDP, or sound at a name: that is not looked up while somebody waits to be heard.
        return None
    return media
