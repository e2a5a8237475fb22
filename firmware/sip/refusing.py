"""What is read of messages on a stream beside what they are: who sent them, and what cannot be answered otherwise. Loaded for
the moment by stream.py."""

from .message import ParseError, parse, response
from .transaction import token


def refuse(flow, data, code):
    """Answers a request whose end on the stream cannot be told, as far as its header can be read. `code`: 400 or 513."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return
    try:
        request = parse(data[: end + 4])
        reason = b"Content-Length missing or wrong" if code == 400 else None
        if request.is_request and request.method != b"ACK":
            flow.queue.append(response(request, code, reason, token(4), source=flow.key))
    except (ParseError, ValueError):
        pass  # nothing says where an answer would go


def sent_by(message):
    """The port of a request's topmost Via, 0 when it cannot be told."""
    start = message.find(b"SIP/2.0/TCP ")
    if start < 0:
        return 0
    end = message.find(b"\r\n", start)
    port = message[start + 12 : end].split(b";")[0].split(b",")[0].strip().rsplit(b":", 1)
    if len(port) > 1 and port[1].isdigit() and len(port[1]) < 6:
        return int(port[1])
    return 5060
