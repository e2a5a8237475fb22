"""A request on its way through the house (RFC 3261 16.7 to 16.10): what comes of it. Loaded for the moment; what lasts is a
house.Forward, one for all its branches: `data`, the request; `server`, its transaction; `branches`, that were asked, and
`waiting`, that will be, the most wanted first, all at once if `together`; `record`: whether requests of the dialog are to come
by here.

A branch is the binding that it goes to, as location.py writes it, and three bytes: twenty that ring would else take half
a small heap. All of them share two timers, and none has a transaction object; the machines are those of section 17, by
the tables of transaction.py. Their timers A, B, E and F are multiples of T1: how often that has passed is counted. While
it rings, the second in which its timer C ends has the place of that count. When the request was answered and nobody is
asked any more it is forgotten; what still comes is dealt with as it says itself, in stray.py. How it is sent is in
sending.py, what comes of refusals in outcome.py. Each function gives what is to be done next, when its file is gone: the
name of a function and what else it is given, or nothing.

Who is cancelled has 64*T1 for its final response (9.1), and CANCEL is repeated meanwhile: a phone whose network was away for a
moment would else ring on. Who has said nothing at all by then is forgotten after 4 s: it is asleep, as one phone is in most
houses, an INVITE that nobody means any more is not to be repeated to it, and if it rings after all, stray.py has it stop.
"""

from lend import lend
from micropython import const

from ..message import parse, response
from ..transaction import ACCEPTED, CALLING, CLIENT, FAILURE, INVITE_CLIENT, PROCEEDING, PROVISIONAL, SUCCESS, row_of

rewrite = lend("sip.server.rewrite")

# Actions of a row; see transaction.py.
_ACK = const(8)
_TELL = const(64)

# A branch's byte: its state, and in the low half what became of its CANCEL
_STATE = const(0xF0)
_LOW = const(15)
_WISHED = const(1)  # as soon as it has answered at all (9.1)
_SENT = const(2)
_ANSWERED = const(3)
# and 4: it could not be sent at all, or nothing has come of it
_STREAM = const(8)  # it went by TCP since it is so long

_H_RSEQ = const(25)  # sip.scan.field() of its name
_C_S = const(185)  # timer C, more than three minutes (16.6 step 11)
_END_MS = const(4000)  # for who has said nothing yet
_ELSEWHERE = b'Reason: SIP;cause=200;text="Call completed elsewhere"'


def on_response(forward, index, message):
    """A response to the branch `index` (16.7)."""
    if index >= len(forward._branches):
        return None
    if message.cseq_method == b"CANCEL":
        forward._states[index] |= _ANSWERED
        return None
    forward.house.silent(forward._branches[index], 0)
    status = message.status
    return _fire(forward, index, PROVISIONAL if status < 200 else SUCCESS if status < 300 else FAILURE, message)


def _fire(forward, index, event, message):
    table = INVITE_CLIENT if forward._is_invite else CLIENT
    states = forward._states
    was = states[index] & _STATE
    row = row_of(table, was | event)
    if row < 0:
        return None
    now = table[row + 1]
    states[index] = now | states[index] & _LOW
    do = table[row + 2]
    if do & _ACK:
        return "acknowledge", index, message, do & _TELL
    if do & _TELL:
        if message.status < 200:
            _provisional(forward, index, message, was != now)
        elif message.status < 300:
            if forward.server.source is forward.house.here and not forward._over:
                forward.house.met = forward._branches[index]
            _accepted(forward, message)
            return ("cancel",)
        else:
            return "refused", message.status, message
    if states[index] & ~_STREAM == PROCEEDING | _WISHED and forward._is_invite:
        return ("cancel",)
    return ("finished",) if was != now and now != PROCEEDING else None


def _provisional(forward, index, message, is_first):
    # One that only says that a request has come is nothing for the caller, nor is any but INVITE's (RFC 4320 4.1).
    if forward._over or not forward._is_invite:
        return
    if (message.status > 100 or is_first) and forward._states[index] & _ANSWERED < _SENT:
        forward._times[index] = forward.house.owner.now_s() + _C_S & 255  # 16.7 step 2
        if forward.deadline is None:
            forward.wait(1000 * _C_S)
    server = forward.server
    if message.status > 100 and (server.source is not forward.house.here or message.get(_H_RSEQ)):
        _pass(forward, message)
    elif message.status > 100 and server.data[8:11] == b"100":
        # The door itself only wants to know that it rings somewhere: each phone's own 180 would be a dialog of its own to it.
        # One that must be confirmed (RFC 3262) is what a provider has asked for.
        server.respond(180, response(parse(forward.data), 180, source=server.source))


def _accepted(forward, message):
    # All 2xx go on at once, those to an INVITE that come later too (16.7 step 5).
    if forward._is_invite or not forward._over:
        _pass(forward, message)
        forward.status = message.status
    _end(forward, _ELSEWHERE)


def _pass(forward, message):
    data = rewrite.upward(message)
    server = forward.server
    if server.is_live or server.state == ACCEPTED:
        server.respond(message.status, data)
    else:
        forward.agent.send(data, server.peer)  # a 2xx that comes after all goes on even so (16.7 step 5)


def drop(forward):
    """The caller has given up (16.10), or nobody more is to be asked."""
    _end(forward, forward.reason)
    return ("cancel",)


def _end(forward, reason):
    """Nobody is asked any more; who still rings is told so (16.7 step 10), once he has said anything (9.1)."""
    if not forward._over:
        forward._over = True
        forward.reason = reason
        if forward._is_invite:
            forward.wait(_END_MS)
    if forward._is_invite:
        for index in range(len(forward._branches)):
            if forward._states[index] & ~_STREAM in (PROCEEDING, CALLING):
                forward._states[index] |= _WISHED
