"""What an INVITE outside a dialog must say before a call is made of it (RFC 3261 8.2, 12.1.1, 13.3.1). Loaded for the
moment by agent.py."""

from lend import lend
from micropython import const

from .address import parse_uri
from .scan import H_CONTENT_TYPE, H_FROM, H_REQUIRE

# sip.scan.field() of their names
_H_SESSION_EXPIRES = const(21)
_H_REPLACES = const(29)
_H_CONTENT_ENCODING = const(33)
_H_ACCEPT = const(44)
_H_CONTENT_DISPOSITION = const(49)

_LONGEST = const(8000)  # bytes of a body: one that offers video and ICE has 2,000
_SDP = b"Accept: application/sdp"


def judge(agent, request, verdict, source):
    """(call, status, reason, lines): `status` 0 lets it in, to ring or to take the place of `call`; else it is refused.

    `verdict`: None, or what the application says to a further call, which one that takes another's place is not. `source`:
    whence it came.
    """
    old, status, reason = None, 0, None
    if verdict:
        status, reason = verdict
    if request.get(H_REQUIRE) is not None:
        lacking = lend("sip.outside").lacking(agent, request)
        if lacking:
            return None, 420, None, (lacking,)
    if request.get(_H_SESSION_EXPIRES) is not None:
        lines = lend("sip.session").too_short(request)
        if lines:
            return None, 422, None, lines
    if parse_uri(request.uri).headers:
        # 19.1.1: no place for them; they are never to become header fields of ours.
        return None, 400, b"Header Fields In Request-URI", ()
    if request.get(_H_REPLACES) is not None:
        old, status, reason = lend("sip.replaces").find(agent, request)
        if old and len(agent.calls) > agent.CALLS:
            status = 486
    if status:
        return None, status, reason, ()
    try:
        # 12.1.1: without a Contact there is no way back into the call. RFC 2543 had From for that.
        contact = request.contact
        if contact is None and (request.branch or b"")[:7] != b"z9hG4bK" and request.get(H_FROM) is not None:
            contact = request.from_
        if parse_uri(contact.uri).scheme not in (b"sip", b"sips"):
            raise ValueError
    except (ValueError, AttributeError):
        return None, 400, b"Contact missing or unreadable", ()
    if len(request.body) > _LONGEST:
        return None, 413, None, ()
    body = request.body
    kind = request.get(H_CONTENT_TYPE)
    if body and (kind != b"application/sdp" or request.get(_H_CONTENT_ENCODING) or request.get(_H_CONTENT_DISPOSITION)):
        body, lines = lend("sip.parts").find(request)
        if lines:
            return None, 415, None, lines
    accept = request.get(_H_ACCEPT)
    if accept is not None and not _accepted(request.all(_H_ACCEPT)):
        # 20.1: no Accept means application/sdp; one without it forbids our answer.
        return None, 406, None, (_SDP, b'Warning: 399 sipdoor "An answer is application/sdp"')
    if agent.secure and lend("sip.crypto").secrecy(agent, source) < 0:
        return None, 488, None, (b'Warning: 399 sipdoor "Sound is encrypted here, and its keys go over TLS only"',)
    if body:
        try:
            session = agent.sdp().parse(body)
            agent.spare()  # as in answering.py
            answer, media = lend("sip.answering", False).answer(session, agent.host, 9, 0, 0, agent.codecs, secure=agent.secure)
            if answer:
                agent.pack(media.host, media.port)
        except ValueError as error:
            return None, 400, b"Bad SDP: " + str(error).encode(), ()
        if answer is None:
            six = b"c=IN IP6" in body
            if six == (b"c=IN IP4" not in body) and six == (":" not in agent.host):
                return None, 488, None, (b'Warning: 301 sipdoor "No IPv%d here"' % (6 if six else 4),)
            return None, 488, None, (_lacking(agent),)
    return old, 0, None, ()


def _lacking(agent):
    names = b"G722, PCMU and PCMA" if 9 in agent.codecs else b"PCMU and PCMA"
    how = (b"RTP/AVP", b"RTP/AVP or RTP/SAVP with a=crypto", b"RTP/SAVP, encrypted with a=crypto")[agent.secure]
    return b'Warning: 305 sipdoor "Only %s over %s"' % (names, how)


def _accepted(values):
    for value in values:
        kind = value.split(b";")[0].strip().lower()
        if kind in (b"application/sdp", b"application/*", b"*/*"):
            return True
    return False
