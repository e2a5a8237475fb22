"""How a call goes that the other side of another one asked for (refer.py): what it is told by NOTIFY (RFC 3515 2.4.4,
RFC 6665), and when the application gets the new call. Loaded for the moment by call.py and refer.py."""

from micropython import const

from .message import reason_of

# What the two calls share as `transfer`, a list:
_OLD = const(0)  # the call that was asked
_NEW = const(1)  # the call that was placed
_ID = const(2)  # what Event says behind "refer", None when the other side wants no NOTIFY
_GIVEN = const(3)  # True once the application has the new call in the place of the old
_FRAG = const(4)  # the newest status line that was told, bytes

_LASTS_S = const(180)  # the subscription: longer than any phone rings
_GRACE_MS = const(4000)  # for the other side to end the old call


def begun(old, new, name):
    """The new call has been placed."""
    if new.state == "ended":
        tell(old, "was to go on with %s: %s" % (new.peer_uri, new.ended))
        notify(old, name, b"SIP/2.0 503 " + reason_of(503), True)
        return
    old.transfer = new.transfer = [old, new, name, False, b""]
    _told(old.transfer, 100)
    tell(old, "is handed on to %s" % new.peer_uri)


def told(call, event):
    """One of the two calls of a transfer has news, from call.py, before the application hears of it."""
    it = call.transfer
    old, new = it[_OLD], it[_NEW]
    if call is old:
        if event != "ended":
            return
        if old.ended == "hung up here":
            new.hangup()
        elif new.state != "ended":
            _give(it)
        return
    if event == "ringing":
        _told(it, 180)
    elif event == "early":
        _told(it, 183)
    elif event == "media" and new.state == "up":
        _give(it)
    elif event == "up":
        old.transfer = new.transfer = None
        _give(it)
        notify(old, it[_ID], b"SIP/2.0 200 OK", True)
        # It is theirs to end the old call now; one who forgets is helped.
        new.agent.timers.after(_GRACE_MS, type(old).hangup, old)
    elif event == "ended":
        old.transfer = new.transfer = None
        status = new.status if new.status >= 300 else 503
        notify(old, it[_ID], b"SIP/2.0 %d %s" % (status, reason_of(status)), True)
        if old.state != "ended":
            tell(old, "was to go on with %s: %s" % (new.peer_uri, new.ended))


def _give(it):
    """The application gets the new call for the old one."""
    if it[_GIVEN]:
        return
    it[_GIVEN] = True
    old, new = it[_OLD], it[_NEW]
    new.on_event = old.on_event
    if old.agent.on_replaced:
        old.agent.on_replaced(old, new)


def _told(it, status):
    frag = b"SIP/2.0 %d %s" % (status, reason_of(status))
    if frag != it[_FRAG]:
        it[_FRAG] = frag
        notify(it[_OLD], it[_ID], frag, False)


def notify(call, name, frag, is_last):
    """NOTIFY with a status line (RFC 3515 2.4.4)."""
    if name is None:
        return
    state = b"terminated;reason=noresource" if is_last else b"active;expires=%d" % _LASTS_S
    lines = (b"Event: refer%s\r\nSubscription-State: %s" % (name, state),)
    for _ in (1, 2):
        try:
            call.send(b"NOTIFY", lines, frag + b"\r\n", b"message/sipfrag;version=2.0")
            return
        except MemoryError as error:
            call.agent.fault(error)  # which makes room


def tell(call, words):
    """Words for the user of a call."""
    call.news = "The call with %s %s." % (call.display or call.peer_uri, words)
    if call.on_event:
        call.on_event(call, "transfer")
