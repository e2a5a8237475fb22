"""Session timers (RFC 4028): who refreshes a call, and when it is given up. Loaded for the moment by call.py and modify.py,
the `call` of each function."""

from lend import lend
from micropython import const

from .scan import field

_MIN_S = const(90)  # RFC 4028 4
_MOST_S = const(86400)  # and what would overflow the board's clock is as good as for ever


def asking(call):
    """Header lines for our INVITE or UPDATE."""
    lifetime = call._lifetime
    seconds = lifetime[0] if lifetime else call.agent.session_expires_s
    seconds = max(seconds, call._min_se)
    if not seconds:
        return []
    line = b"Session-Expires: %d" % seconds
    if lifetime:
        line += b";refresher=uac" if lifetime[1] else b";refresher=uas"
    return [line, b"Min-SE: %d" % call._min_se] if call._min_se else [line]


def agreed(call, message):
    """Their 2xx to our INVITE or UPDATE: who refreshes, when; or that nobody does."""
    seconds, refresher = _read(message)
    _keep(call, seconds, refresher != b"uas", message)


def granted(call, request):
    """Header lines for our 2xx to their INVITE or UPDATE, and the clock set."""
    seconds, refresher = _read(request)
    speaks = _speaks(request)
    if not seconds:
        seconds = call.agent.session_expires_s
        if seconds:
            seconds = max(seconds, _number(request.get(field(b"min-se"))))
        refresher = b"uas"  # who wants it does it
    elif not speaks:
        refresher = b"uas"
    elif refresher != b"uas":
        refresher = b"uac"
    _keep(call, seconds, refresher == b"uas", request)
    if not seconds:
        return []
    line = b"Session-Expires: %d;refresher=%s" % (seconds, refresher)
    return [line, b"Require: timer"] if refresher == b"uac" else [line]


def too_short(request):
    """The Min-SE line that a 422 to their INVITE or UPDATE needs; nothing when their interval is not too short."""
    seconds = _read(request)[0]
    return (b"Min-SE: %d" % _MIN_S,) if 0 < seconds < _MIN_S and _speaks(request) else ()


def longer(call, message):
    """422: whether we can ask again, with the interval that is wanted there."""
    wanted_s = _number(message.get(field(b"min-se")))
    lifetime = call._lifetime
    if not call._min_se < wanted_s <= _MOST_S:
        return False
    call._min_se = wanted_s
    if lifetime:
        call._lifetime = (max(lifetime[0], wanted_s),) + lifetime[1:]
    return True


def due(call):
    """Half the interval has passed and we refresh; or it is nearly over, and nobody did."""
    seconds = call._lifetime[0]
    if call._lifetime[3]:
        lend("sip.modify").begin(call)
        _set(call, seconds - seconds // 2 - _reserve(seconds))
        call._lifetime = call._lifetime[:3] + (False,)
    else:
        call._bye()
        call._end(408, "the session was not refreshed in time: the other side, or the way to it, is gone")


def _keep(call, seconds, ours, message):
    """Begins an interval; 0 seconds: the session has no end."""
    lifetime = call._lifetime
    if not seconds:
        call._lifetime = None
        call._expiry = call.agent.timers.cancel(call._expiry)
        return
    allowed = message.all(field(b"allow"))
    update = b"UPDATE" in allowed if allowed else lifetime is not None and lifetime[2]
    _set(call, seconds // 2 if ours else seconds - _reserve(seconds))
    call._lifetime = seconds, ours, update, ours


def _set(call, delay_s):
    timers = call.agent.timers
    call._expiry = timers.cancel(call._expiry)
    call._expiry = timers.after(1000 * delay_s, call._due, "session")


def _reserve(seconds):
    # RFC 4028 10: the BYE goes out so long before the end
    return min(32, seconds // 3)


def _read(message):
    """(seconds, b"uac" or b"uas" or b"") of Session-Expires; 0 seconds when there is none that can be read."""
    parts = (message.get(field(b"session-expires")) or b"").lower().split(b";")
    refresher = b""
    for one in parts[1:]:
        name, _, value = one.partition(b"=")
        if name.strip() == b"refresher":
            refresher = value.strip()
    return _number(parts[0]), refresher


def _number(value):
    value = (value or b"").split(b";")[0].strip()
    if not value.isdigit():
        return 0
    return min(int(value), _MOST_S) if len(value) < 8 else _MOST_S


def _speaks(message):
    """Whether the sender has session timers."""
    tags = message.all(field(b"supported")) + message.all(field(b"require"))
    return b"timer" in [tag.lower() for tag in tags]
