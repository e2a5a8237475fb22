"""The session description in a message's body, whatever it is wrapped in (RFC 3261 7.4, 8.2.3, 20.11; RFC 2046 5.1;
RFC 5621). Loaded for the moment by agent.py."""

from micropython import const

from .address import param
from .scan import H_CONTENT_TYPE

# sip.scan.field() of their names
_H_CONTENT_ENCODING = const(33)
_H_CONTENT_DISPOSITION = const(49)


def session(message):
    """See Agent.session_of."""
    body, lines = find(message)
    if lines:
        raise ValueError("not understood")
    return body


def find(message):
    """(session description or b"", header lines for a 415 or ()).

    A body that may be ignored (handling=optional) is. Of several parts the first session description counts; what lies
    beside it is passed over, unless a part itself insists on being understood.
    """
    body = message.body
    if not body:
        return b"", ()
    kind = message.get(H_CONTENT_TYPE)
    disposition = message.get(_H_CONTENT_DISPOSITION) or b""
    coding = (message.get(_H_CONTENT_ENCODING) or b"identity").strip().lower()
    if kind is None:
        kind = b"application/sdp" if body[:2] == b"v=" else b""
    if coding == b"identity":
        found = _one(kind, disposition, body)
        if found is not None:
            return found, ()
    if _is_optional(disposition):
        return b"", ()
    if coding != b"identity":
        return b"", (b"Accept-Encoding: identity",)
    return b"", (b"Accept: application/sdp, multipart/mixed, multipart/alternative",)


def _is_optional(disposition):
    return (param(disposition.partition(b";")[2], b"handling") or b"").lower() == b"optional"


def _one(kind, disposition, body):
    """The session description that a body of this type is or has; None: it is not for us."""
    name, _, parameters = kind.partition(b";")
    name = name.strip().lower()
    if name == b"application/sdp":
        place = disposition.split(b";")[0].strip().lower()
        return body if place in (b"", b"session", b"early-session") else None
    if name[:10] != b"multipart/":
        return None
    boundary = param(parameters, b"boundary")
    if not boundary or len(boundary) > 70:
        return None
    found = None
    # What is before the first boundary and after the last is no part (RFC 2046 5.1.1).
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:]:
        if part[:2] == b"--":
            break
        head, _, inner = part.lstrip(b" \t").partition(b"\r\n\r\n")
        kind = disposition = b""
        for line in head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n"):
            name, _, value = line.partition(b":")
            name = name.strip().lower()
            if name == b"content-type":
                kind = value.strip()
            elif name == b"content-disposition":
                disposition = value.strip()
        inner = _one(kind, disposition, inner) if kind[:10].lower() != b"multipart/" else None
        if inner is not None:
            found = found or inner
        elif (param(disposition.partition(b";")[2], b"handling") or b"").lower() == b"required":
            return None
    return found
