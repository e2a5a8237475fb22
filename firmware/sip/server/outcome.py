"""A request on its way through the house: what comes of refusals and silence, and its end (RFC 3261 16.7 to 16.9). Loaded for
the moment; see forward.py, and house.Forward, the `forward` of each function."""

from lend import lend
from micropython import const

from ..message import parse, response
from ..scan import H_PROXY_AUTHENTICATE, H_WWW_AUTHENTICATE
from ..transaction import CALLING, PROCEEDING, TERMINATED

# A branch's byte; see forward.py.
_STATE = const(0xF0)
_WISHED = const(1)
_FAILED = const(4)
_STREAM = const(8)

_C_S = const(185)  # timer C; see forward.py
_TICKS = const(64)  # timers B and F, in T1
_64T1_S = const(32)
_PASSED = const(7)


def refused(forward, status, message):
    """A final answer of one branch that is none to be glad of."""
    if _weigh(forward, status, message):
        return ("drop",)
    return finished(forward)


def _weigh(forward, status, message):
    # -> whether nobody more is to be asked
    if forward._over and forward.status:
        return False
    if 300 <= status < 400 and message and lend("sip.server.targets").follow(forward, message):
        _next(forward)
        return False
    # The best (16.7 step 6): any 6xx, else of the lowest class; in it, what tells the caller what to do.
    rank = 0 if status >= 600 else status // 100 * 10 + (status not in (401, 407, 415, 420, 484))
    if message is None:
        rank += 2  # what a phone has said says more than that one was silent
    if status == 503:
        rank += 30  # it is not we who are busy
    challenge = message and status in (401, 407)
    if challenge:
        for name, header in ((b"WWW", H_WWW_AUTHENTICATE), (b"Proxy", H_PROXY_AUTHENTICATE)):
            forward.asked += tuple([b"%s-Authenticate: %s\r\n" % (name, one) for one in message.raw(header)])
    if rank < forward._rank:
        forward._rank = rank
        forward._best = (status, message and lend("sip.server.rewrite").upward(message, challenge))
    return status >= 600 and not forward._over


def error(forward):
    """What could not be sent (16.9: it is not we who are out of service), and what nothing has come of."""
    for index in range(len(forward._branches)):
        if forward._states[index] & _FAILED:
            _absent(forward, index, 408 if forward._times[index] >= _TICKS else 480)
    forward._fails = None
    return finished(forward)


def _absent(forward, index, status):
    if forward._states[index] & _STATE == CALLING:
        forward.house.silent(forward._branches[index], 1)
    forward._states[index] = TERMINATED
    _weigh(forward, 487 if forward._over else status, None)


def finished(forward):
    """If nothing more can come: the final response, and the end."""
    for state in forward._states:
        if state & _STATE == CALLING or state & _STATE == PROCEEDING:
            return None
    if forward._waiting and not forward._over:
        _next(forward)
        return None
    if not forward.status:
        status, data = forward._best or (487 if forward._over else 480, None)
        if status == 408 and not forward._is_invite:
            # Too late to say so: the caller has seen it by himself (RFC 4320 4.2).
            forward.agent.transactions.forget(forward.server)
            return _forget(forward)
        if data is None or status == 503:
            if status == 503:
                status = 500  # 16.7 step 6
            data = response(parse(forward.data), status, None, forward.token, source=forward.server.source)
        elif status in (401, 407):
            data = data.replace(b"\r\n", b"\r\n" + b"".join(forward.asked), 1)  # all that is asked for (16.7 step 7)
        forward.status = status
        forward._over = True
        forward.server.respond(status, data)
    return _forget(forward)


def _next(forward):
    # When this file is gone
    if not forward._asks:
        forward._asks = forward.agent.timers.after(0, forward.work, "advance")


def due(forward):
    """Timer C of each branch (16.8), and the end of those that have said nothing when nobody is asked any more."""
    forward.deadline = None
    now_s = forward.house.owner.now_s()
    least_s = 0
    for index in range(len(forward._branches)):
        state = forward._states[index]
        if forward._over:
            if state & _STATE == CALLING:
                _absent(forward, index, 487)
        elif state & ~_STREAM == PROCEEDING:
            left_s = forward._times[index] - now_s & 255
            if not left_s or left_s > _C_S:
                forward._states[index] |= _WISHED
            else:
                least_s = min(left_s, least_s or left_s)
    if least_s:
        forward.wait(1000 * least_s)
    return finished(forward) if forward._over else ("cancel",)


def _forget(forward):
    timers = forward.agent.timers
    house = forward.house
    timers.cancel(forward.retry)
    timers.cancel(forward.deadline)
    timers.cancel(forward._asks)
    timers.cancel(forward._fails)
    forward.retry = forward.deadline = forward._asks = forward._fails = None
    if forward in house.forwards:
        house.forwards.remove(forward)
        if forward._is_invite and forward.status < 300:
            # A 2xx that comes again within the time that it may goes to who called.
            now_s = house.owner.now_s()
            house.passed = [one for one in house.passed[-_PASSED:] if one[2] > now_s]
            house.passed.append((forward.token, forward.server.peer, now_s + _64T1_S))
