"""Our answers to offers of theirs (RFC 3264 6). Loaded for the moment by call.py and invited.py."""

from lend import lend
from micropython import const

_SEND = const(1)  # as described.py has them
_RECEIVE = const(2)
_DIRECTIONS = (b"inactive", b"sendonly", b"recvonly", b"sendrecv")


def _choice(session, six, codecs, secure, local):
    """(index of the media line, format, what crypto.answer() made of its keys or None); None when none fits."""
    for keyed in ((False,), (True, False), (True,))[secure]:
        for index, one in enumerate(session.media):
            if one.fits(six, keyed) and (one.crypto or not keyed):
                form = one.sound(codecs)
                crypto = lend("sip.crypto").answer(one.crypto, local) if form and keyed else None
                if form and (crypto or not keyed):
                    return index, form, crypto
    return None


def answer(session, host, port, session_id, version, codecs=(0, 8), direction=b"sendrecv", mux=False, secure=0, local=None):
    """Our answer to an offer: (body, Negotiated), or (None, None) when no audio line fits (488). `direction` is the most
    we will do. One codec is answered, the first of the offer's that is in `codecs`, payload types (RFC 3264 6.1), and
    telephone-event and comfort noise. `mux`: RTCP may share RTP's port; `secure`: sound with keys is 0 refused, 1 taken
    before any other, 2 all that is taken; `local`: our SDP so far, whose key stays ours."""
    choice = _choice(session, ":" in host, codecs, secure, local)
    if not choice:
        return None, None
    chosen, form, crypto = choice
    out = [lend("sip.head", False).head(host, session_id, version)]
    for index, one in enumerate(session.media):
        if index != chosen:
            out.append(b"m=%s 0 %s %s\r\n" % (one.kind, one.protocol, b" ".join(one.formats)))
            continue
        # what they send we receive, and the other way round
        theirs = one.direction
        mirrored = _DIRECTIONS.index(direction) & ((theirs & _SEND) << 1 | (theirs & _RECEIVE) >> 1)
        agreed = one.negotiated(index, form, one.events(), mirrored, mux)
        out.append(_audio(one, form, agreed, port, mirrored & ~_SEND if not agreed.send else mirrored))
        if crypto:
            line, agreed.keys = crypto
            out.append(line)
    return b"".join(out), agreed


def _audio(one, form, agreed, port, direction):
    lines = b"a=rtpmap:%s %s/8000\r\n" % (form, agreed.codec)
    forms = form
    if agreed.noise >= 0:
        forms += b" 13"
        lines += b"a=rtpmap:13 CN/8000\r\n"
    if agreed.events >= 0:
        forms += b" %d" % agreed.events
        lines += b"a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\n" % (agreed.events, agreed.events)
    if agreed.rtcp_mux:
        lines += b"a=rtcp-mux\r\n"
    return b"m=audio %d %s %s\r\n%sa=ptime:20\r\na=%s\r\n" % (port, one.protocol, forms, lines, _DIRECTIONS[direction])


def of(call, offer):
    """See Call.answering()."""
    agent = call.agent
    host, port = call._media_address
    direction = b"sendonly" if call.on_hold else b"sendrecv"
    local = call._local
    version = call._version + (local is None)
    try:
        session = agent.sdp().parse(offer)
        agent.spare()  # there is hardly room for what reads it and what answers it
        while True:
            body, media = answer(
                session, host, port, call._session, version, agent.codecs, direction, agent.rtcp_mux, agent.secure, local
            )  # fmt: skip
            if body is None:
                return None, None
            if body == local or version > call._version:
                break
            version += 1
        agent.pack(media.host, media.port)
    except ValueError:
        return None, None
    call._version = version
    return body, media
