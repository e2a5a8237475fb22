"""The registrar (RFC 3261 10.3): a REGISTER is judged as a whole, and only then anything changes. Loaded for the moment.

Expiry between a minute and an hour; Path (RFC 3327); instance and reg-id of RFC 5626, whose flows are the peers that
REGISTERs came from. What is registered by a connection is bounded by House.max_tcp.
"""

from lend import lend
from micropython import const

from ..address import parse_name_addr, parse_uri, unquote
from ..scan import H_CONTACT, H_EXPIRES, H_REQUIRE, H_VIA

location = lend("sip.server.location")  # not imported: what a file imports stays when the file itself is gone again

_H_PATH = const(42)  # sip.scan.field() of its name
_H_SUPPORTED = const(14)

_LEAST_S = const(60)
_MOST_S = const(3600)
_USUAL_S = const(300)  # where the phone wants nothing
_LONGEST = const(255)  # bytes of a Contact URI, and of a Call-ID
_PATHS = const(2)
_BY_FLOW = const(4)  # of a binding's flags
_NUMBER = const(2)  # of an account; see house.py
_FLOW_TIMER_S = const(90)  # a phone on a connection shows itself this often

_URI = const(1)  # of a binding; see house.py
_EXPIRES = const(3)
_CALL_ID = const(4)
_CSEQ = const(5)


def register(house, agent, request, source, user, flags):
    """A REGISTER of who has shown that he is `user`; `flags` of what he binds."""
    status, reason, lines = _judge(house, agent, request, source, user, flags)
    agent._reply(request, source, status, lines, reason)
    return True


def _judge(house, agent, request, source, user, flags):
    # -> (status, reason, header lines)
    try:
        to = parse_uri(request.to_uri)
        if to.scheme != b"sip" and to.scheme != b"sips":
            raise ValueError
        here = location.is_ours(house, agent, parse_uri(request.uri))
    except ValueError:
        return 400, b"Bad To or Request-URI", ()
    account = house.owner.account(location.plain(to.user))
    if not account or account[_NUMBER] != user:
        return 403, b"Not your number", ()
    if not here or not location.is_ours(house, agent, to):
        return 404, b"Not this house: it is " + agent.place(), ()
    location.sweep(house)
    wanted = request.all(H_CONTACT)
    outbound = _outbound(request, wanted) if wanted else None
    if outbound is not None:
        flags |= _BY_FLOW
    if wanted:
        refusal = outbound or _bind(house, agent, request, user, wanted, source, flags)
        if refusal:
            return refusal
    now_s = house.owner.now_s()
    lines = [
        b"Contact: <%s>;expires=%d%s" % (
            one[1], one[_EXPIRES] - now_s, b";q=%d.%03d" % (one[2] // 1000, one[2] % 1000) if one[2] < 1000 else b"")
        for one in location.contacts(house, user)
    ]
    paths = request.raw(_H_PATH)
    if paths:
        lines.append(b"Path: " + b", ".join(paths))
    if outbound is not None:
        lines.append(b"Require: outbound")
        if len(source) > 2:
            lines.append(b"Flow-Timer: %d" % _FLOW_TIMER_S)
    return 200, None, tuple(lines)


def _seconds(text, default_s):
    # RFC 3261 20.19: what cannot be read is as if it were the default
    if text is None or not text.isdigit():
        return default_s
    return min(int(text), _MOST_S) if len(text) < 10 else _MOST_S


def _quality(text):
    """q of a Contact in thousandths; ValueError for one that is none (RFC 3261 25.1)."""
    if text is None:
        return 1000
    whole, _, part = text.partition(b".")
    if whole not in (b"0", b"1") or len(part) > 3 or part and not part.isdigit():
        raise ValueError("not a q")
    return min(int(whole) * 1000 + int(part or b"0") * 10 ** (3 - len(part)), 1000)


def _outbound(request, wanted):
    """Whether a REGISTER is by RFC 5626 6: None if it is not, () if it is, (status, reason, ()) if it is wrongly."""
    tags = [one.lower() for one in request.all(_H_SUPPORTED) + request.all(H_REQUIRE)]
    flows = [one for one in wanted if b"reg-id" in one.lower() and b"+sip.instance" in one.lower()]
    if b"outbound" not in tags or not flows:
        return None
    if len(wanted) > 1:
        return 400, b"One Contact With reg-id At A Time", ()
    if len(request.all(H_VIA)) > 1:
        # It came by somebody who must know how to keep a flow.
        for path in request.all(_H_PATH)[-1:]:
            try:
                if parse_uri(parse_name_addr(path).uri).param(b"ob") is not None:
                    return ()
            except ValueError:
                pass
        return 439, b"First Hop Lacks Outbound Support", ()
    return ()


def _bind(house, agent, request, user, wanted, source, flags):
    """Steps 6 to 8 of 10.3. None, or (status, reason, header lines)."""
    header = request.get(H_EXPIRES)
    call_id = request.call_id
    if len(call_id) > _LONGEST:
        return 400, b"Call-ID Too Long", ()
    if len(wanted) == 1 and wanted[0] == b"*":
        if header is None or not header.isdigit() or int(header):
            return 400, b"Contact * Goes With Expires 0", ()
        ours = [one for one in house.bindings if location.read(one)[0] == user]
        for one in ours:
            if _is_old(one, request):
                return 500, b"Older Than What Is Known", ()
        for one in ours:
            house.bindings.remove(one)
        if ours:
            house.owner.changed(user, False)
        return None
    changes = []
    paths = tuple(request.all(_H_PATH))
    if len(paths) > _PATHS:
        return 400, b"Too Long a Path", ()
    for path in paths:
        try:
            if not parse_uri(parse_name_addr(path).uri).lr:
                raise ValueError
        except ValueError:
            return 400, b"A Path Without lr", ()
    for value in wanted:
        try:
            contact = parse_name_addr(value)
            uri = parse_uri(contact.uri)
            q = _quality(contact.param(b"q"))
        except ValueError:
            return 400, b"Bad Contact", ()
        if uri.scheme != b"sip" and uri.scheme != b"sips" or len(contact.uri) > _LONGEST:
            return 400, b"A Contact Nobody Can Be Reached By", ()
        asked_s = _seconds(contact.param(b"expires"), _seconds(header, _USUAL_S))
        if 0 < asked_s < _LEAST_S:
            return 423, None, (b"Min-Expires: %d" % _LEAST_S,)
        instance = unquote(contact.param(b"+sip.instance") or b"")
        if instance:
            flow = contact.param(b"reg-id") or b"0"
            # All flows of one phone begin alike.
            instance = location.mark(instance)[:-1] + bytes((int(flow[-4:]) & 255 if flow.isdigit() else 0,))
        old = location.find(house, user, contact.uri, instance)
        if old is not None and _is_old(old, request):
            return 500, b"Older Than What Is Known", ()
        changes = [one for one in changes if not location.same(one[3], contact.uri)]  # said twice: the last counts
        try:
            new = location.write(
                user, contact.uri, q, house.owner.now_s() + asked_s, location.mark(call_id), request.cseq, paths, source,
                instance, flags, asked_s,
            )  # fmt: skip
        except ValueError:
            return 400, b"Too Long a Path", ()
        changes.append((old, asked_s, new, contact.uri))
    added = sum([1 for old, asked_s, _, _ in changes if asked_s and old is None])
    here = sum([1 for one in house.bindings if location.read(one)[0] == user])
    if here + added > house.EACH or len(house.bindings) + added > house.LIMIT:
        return 503, b"No room for another phone", (b"Retry-After: 60",)
    if len(source) > 2 and lend("sip.server.flows").full(house, agent, source, [one[0] for one in changes], location):
        return 503, b"No room for another connection: register over UDP", (b"Retry-After: 60",)
    news = False
    for old, asked_s, new, _ in changes:
        if old in house.bindings:
            if asked_s:
                house.bindings[house.bindings.index(old)] = new
                news = news or location.read(old)[_URI] != location.read(new)[_URI]
            else:
                house.bindings.remove(old)
                news = True
        elif asked_s:
            house.bindings.append(new)
            news = True
    if news:
        house.owner.changed(user, bool(location.contacts(house, user)))
    return None


def _is_old(one, request):
    # Of one phone, in one start of it, requests are counted (10.3 step 7); the same number is a message that came twice.
    one = location.read(one)
    return one[_CALL_ID] == location.mark(request.call_id) and request.cseq < one[_CSEQ]
