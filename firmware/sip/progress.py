"""What our INVITE is told until the call is up: it rings, it is answered (RFC 3261 13.2.2). Loaded for the moment by call.py, the
`call` of each function."""

from lend import lend
from micropython import const

from .scan import H_REQUIRE
from .words import ending

_H_SESSION_EXPIRES = const(21)  # as scan.field() has it


def told(call, status, message):
    """A provisional response above 100."""
    if call.state not in ("calling", "ringing", "early") or call._cancelled:
        return
    dialog = call.dialog
    tag = message.to_tag
    if tag and tag != dialog.remote_tag:
        if dialog.remote_tag:
            dialog = lend("sip.forks").turn(call, message)
        else:
            dialog.answered(message)
    if status == 199:
        lend("sip.forks").gone(call)
        return
    reliable = 1
    if message.get(H_REQUIRE) is not None:
        reliable = lend("sip.reliable").acknowledge(call, message)
        if not reliable:
            return
    state = "ringing"
    if message.body and not dialog.settled and _take_answer(call, message):
        state = "early"
        dialog.settled = reliable == 2
    elif call.state == "early":
        return
    if call.state != state or state == "early":
        call.state = state
        if state == "early":
            call._tell("media")
        call._tell(state)


def succeeded(call, message):
    """A 2xx: the first, a copy of it, or another phone's."""
    dialog = call.dialog
    tag = message.to_tag or b""
    if call._ack is not None:
        if tag != dialog.remote_tag:
            lend("sip.forks").drop(call, message)
        elif b"\r\nCSeq: %d ACK\r\n" % message.cseq in call._ack:
            call.agent.send(call._ack, call._hop())
        return
    was = call.state
    try:
        _taken(call, message, tag)
    except MemoryError:
        # As if it had not come. It comes again, and is then no copy.
        call._ack = None
        if call.state == "up":
            call.state = was
        raise


def _taken(call, message, tag):
    """The first 2xx."""
    dialog = call.dialog
    if dialog.remote_tag and tag != dialog.remote_tag:
        dialog = lend("sip.forks").turn(call, message)
    dialog.answered(message)
    call._forks = ()
    if call._cancelled or call.state == "ended":
        # The 2xx and our CANCEL crossed (9.1): the call that nobody wants any more is ended by BYE.
        acknowledge(call)
        call._bye()
        return
    # First what may find no room: a 2xx that is acknowledged does not come again.
    if dialog.settled:
        call.media = dialog.media
    elif not _take_answer(call, message):
        acknowledge(call)
        call._bye()
        call._end(488, ending(488))
        return
    acknowledge(call)
    call._since = call.agent.timers.clock()
    call.state = "up"
    if message.get(_H_SESSION_EXPIRES) is not None:
        lend("sip.session").agreed(call, message)
    call._tell("media")
    call._tell("up")
    if call._wanted:
        lend("sip.modify").begin(call)


def acknowledge(call):
    """The ACK for a 2xx (13.2.2.4)."""
    agent = call.agent
    peer = call._hop()
    # 22.1: the INVITE's credentials stand in it too, since nobody may challenge that.
    sent = call._invite.data or b""
    lines = [line for line in sent.split(b"\r\n") if b"uthorization: D" in line] if b"uthorization: D" in sent else ()
    call._ack = call.dialog.request(b"ACK", agent.via(agent.new_branch(), peer), lines, sequence=call._sequence)
    agent.send(call._ack, peer)


def _take_answer(call, message):
    """Reads their answer to our offer; False when it does not fit what we can play."""
    dialog = call.dialog
    if not message.body:
        call.media = dialog.media
        return call.media is not None
    media = call.accepted(message, call._local)
    if media is None:
        return False
    call.media = dialog.media = media
    return True
