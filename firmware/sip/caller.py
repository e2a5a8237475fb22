"""What an INVITE says about who calls, on whose behalf and how it wants to be answered. Loaded for the moment by call.py."""

from lend import lend
from micropython import const

from .address import param, parse_name_addr, parse_uri, split_list
from .words import text

# sip.scan.field() of their names
_H_ALERT_INFO = const(37)
_H_CALL_INFO = const(38)
_H_P_ASSERTED_IDENTITY = const(39)
_H_PRIVACY = const(40)
_H_DIVERSION = const(41)

_LONGEST = const(64)  # characters of a name
_LATEST_S = const(60)  # nobody rings longer to be answered by itself
# What phones and PBXs write in Alert-Info for "answer by yourself": Polycom, Yealink, Snom, Grandstream, Panasonic, ...
_BY_ITSELF = b" alert-autoanswer auto-answer autoanswer ring-answer intercom "


def facts(call):
    """See Call.facts."""
    registration = call.agent.registration
    trusted = bool(call.incoming and registration and registration.is_server(call.peer[0]))
    found = {
        "display": _name(call.display),
        "uri": text(call.uri),
        "trusted": trusted,
        "asserted": "",
        "private": False,
        "diverted": "",
        "answer_after_s": None,
        "alert": "",
    }
    invite = call._invite
    request = invite.request if call.incoming and invite else None
    if request:
        other = lend("sip.other")
        found["private"] = _is_private(request)
        if trusted:
            # RFC 3325 5: believed only from those we have reason to trust.
            values = request.all(_H_P_ASSERTED_IDENTITY)
            for value in values or other.values(request, b"remote-party-id")[:1]:
                name, uri = _party(value)
                if uri and not found["asserted"]:
                    found["asserted"] = uri
                    found["display"] = name or found["display"]
        # The first to be called is the last of Diversion (RFC 5806 5), the first of History-Info (RFC 7044 5).
        values = request.all(_H_DIVERSION)[-1:]
        if not values:
            history = [one for value in other.values(request, b"history-info") for one in split_list(value)]
            values = history[:1] if len(history) > 1 else ()
        for value in values:
            found["diverted"] = _party(value)[1]
        found["answer_after_s"], found["alert"] = _alert(request, other)
    return found


def _name(value):
    """A name as it may be shown: of some length, in the order in which it is written."""
    return "".join([
        "?" if "\u200e" <= char <= "\u200f" or "\u2028" <= char <= "\u202e" or "\u2066" <= char <= "\u2069" else char
        for char in value[:_LONGEST]
    ])


def _party(value):
    """(name, URI) of a name-addr as text; empty for one that is none."""
    try:
        party = parse_name_addr(value)
        parse_uri(party.uri)
    except ValueError:
        return "", ""
    return _name(text(party.display)), text(party.uri.split(b"?")[0])


def _is_private(request):
    """RFC 3323 4: whoever calls does not want to be known."""
    for value in request.raw(_H_PRIVACY):
        for one in value.lower().split(b";"):
            if one.strip() not in (b"", b"none", b"critical"):
                return True
    return b"@anonymous.invalid" in request.from_uri.lower()


def _seconds(value):
    if not value or not value.isdigit() or len(value) > 4:
        return 0
    return min(int(value), _LATEST_S)


def _alert(request, other):
    """(seconds after which to answer by itself or None, Alert-Info as text)."""
    after_s = None
    alert = ""
    for value in request.raw(_H_CALL_INFO):
        for one in split_list(value):
            after = param(one, b"answer-after")
            if after is not None:
                after_s = _seconds(after)
    for value in request.raw(_H_ALERT_INFO):
        alert = alert or text(value)
        # <URI>;info=words;delay=seconds, or the bare words
        parameters = value[value.rfind(b">") + 1 :]
        words = param(parameters, b"info")
        if words is None:
            words = parameters.split(b";")[0]
        words = b"-".join(words.strip(b'" ').lower().split())
        if words and b" %s " % words in _BY_ITSELF or (param(parameters, b"intercom") or b"").lower() == b"true":
            after_s = _seconds(param(parameters, b"delay"))
    # RFC 5373: both say Auto or Manual, perhaps with ;require
    for name in (b"answer-mode", b"priv-answer-mode"):
        mode = other.value(request, name)
        if mode is not None:
            mode = mode.split(b";")[0].strip().lower()
            if mode == b"auto":
                after_s = 0
            elif mode == b"manual":
                after_s = None
    return after_s, alert
