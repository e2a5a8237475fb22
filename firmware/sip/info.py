"""What is said beside the sound: MESSAGE (RFC 3428) and INFO (RFC 2976, RFC 6086). Loaded for the moment."""

from lend import lend
from micropython import const

from .scan import H_CONTENT_TYPE
from .words import text

_H_CONTENT_ENCODING = const(33)  # sip.scan.field(b"content-encoding")
_LONGEST = const(1300)  # bytes of a text, or of what an INFO carries: RFC 3428 8 has no more outside of TCP


def _type(request):
    """Its body's type in lower case, without parameters; b"" for one that is compressed."""
    if (request.get(_H_CONTENT_ENCODING) or b"identity").strip().lower() != b"identity":
        return b""
    return (request.get(H_CONTENT_TYPE) or b"").split(b";")[0].strip().lower()


def weigh(agent, request):
    """(status, header lines) for a MESSAGE; with a 200, read() it."""
    if agent.on_message is None:
        return 480, ()  # nobody here reads
    if len(request.body) > _LONGEST:
        return 413, ()
    if request.body and _type(request) != b"text/plain":
        return 415, (b"Accept: text/plain\r\nAccept-Encoding: identity",)
    return 200, ()


def read(agent, request, call):
    """Gives the application a MESSAGE, of a call or (None) from outside."""
    lines = [text(line.rstrip(b"\r")) for line in request.body.split(b"\n")]
    agent.on_message(text(request.from_uri), "\n".join(lines), call)


def on_info(agent, request, call):
    """(status, header lines) for an INFO in a call. One without a body asks whether the call is still there."""
    if lend("sip.other").value(request, b"info-package") is not None:
        # RFC 6086 4.2.2: we told nobody that we take packages.
        return 469, (b"Recv-Info:",)
    if len(request.body) > _LONGEST:
        return 413, ()
    if request.body and not (agent.on_info and agent.on_info(call, _type(request), request.body)):
        return 415, (b"Accept: application/dtmf-relay, application/dtmf\r\nAccept-Encoding: identity",)
    return 200, ()
