"""REFER, NOTIFY and INFO of ours that were refused or not answered. Loaded for the moment by modify.py."""

from lend import lend

from .message import parse
from .scan import H_CONTENT_TYPE
from .words import ending

# what Dialog.request() writes itself, and the credentials that were refused
_OURS = b" via max-forwards from to call-id cseq route content-type content-length authorization proxy-authorization "


def parts(transaction, credentials):
    """What Call.send() wants to send the request of a transaction once more, with `credentials`."""
    sent = parse(transaction.data)
    head = transaction.data.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    lines = [line for line in head if b" %s " % line.split(b":")[0].lower() not in _OURS]
    lines.append(credentials)
    return sent.method, lines, sent.body, sent.get(H_CONTENT_TYPE)


def refused(call, transaction, message, credentials):
    """Sends it again where `credentials` answer a challenge (RFC 3261 22.2, 22.3). The call itself goes on whatever comes:
    who does not know of a subscription any more may still be talking (RFC 5057)."""
    method = transaction.key.rsplit(b" ", 1)[1]
    if credentials and call.send(*parts(transaction, credentials)):
        return
    if method == b"REFER":
        lend("sip.referring").on_failure(call, message, transaction.why)
    elif method == b"INFO" and message and call.on_event:
        call.news = "The other side takes no keys by INFO: %s." % ending(message.status, message.reason)
        call.on_event(call, "transfer")
