"""A dialog: the route set, tags and sequence numbers that two user agents share (RFC 3261 section 12)."""

from .address import parse_name_addr, parse_uri
from .message import request
from .scan import H_FROM, H_RECORD_ROUTE, H_TO


class Negotiated:
    """What an offer and its answer agreed on (RFC 3264), seen from our side: send to `host` (str) and `port` with `payload`
    (type) meaning `codec` (b"PCMU", b"PCMA", b"G722"), telephone-event as `events` and comfort noise as `noise` (-1: none),
    every `ptime_ms`; whether we may `send` and will `receive`; `held`: the other side put us on hold. `rtcp`: the port of
    their RTCP, 0 for the one after `port`; `rtcp_mux`: it is `port` itself, for ours too. `keys`: None or, for SRTP (RFC 4568),
    (bytes of a packet's tag, our master key and salt, theirs), bytes of 16 and 14. `index`: which m= line."""

    send = receive = True
    held = rtcp_mux = False
    noise = -1
    rtcp = 0
    keys = None

    def __init__(self, index, host, port, payload, codec, events, ptime_ms):
        self.index = index
        self.host = host
        self.port = port
        self.payload = payload
        self.codec = codec
        self.events = events
        self.ptime_ms = ptime_ms


class Dialog:
    """One dialog, seen from our side.

    `local` and `remote` are whole From and To values, ours and theirs; `remote` has their tag as soon as it is known.
    """

    media = None  # Negotiated: what their answer to our INVITE said
    settled = False  # offer and answer were exchanged reliably before the call was answered (RFC 3262)
    rseq = 0  # the newest RSeq: theirs that we acknowledged, or ours

    def __init__(self, call_id, local, local_tag, remote, target):
        self.call_id = call_id
        self.local = local
        self.local_tag = local_tag
        self.remote = remote
        self.remote_tag = b""
        self.target = target  # where our requests are addressed to: the other side's Contact URI
        self.routes = ()
        self.sequence = 0  # CSeq of our newest request
        self.remote_sequence = -1

    @staticmethod
    def answering(request, local_tag):
        """The dialog that a request of the other side opens (12.1.1)."""
        local = request.get(H_TO) + b";tag=" + local_tag
        # RFC 2543 had no need of a Contact: From said where to
        target = (request.contact or request.from_).uri
        dialog = Dialog(request.call_id, local, local_tag, request.get(H_FROM), target)
        dialog.remote_tag = request.from_tag or b""
        dialog.remote_sequence = request.cseq
        dialog.routes = _route_set(request)
        return dialog

    def answered(self, response):
        """Completes the dialog from a response to our INVITE (12.1.2): their tag, their Contact, the routes reversed."""
        self.remote = response.get(H_TO)
        self.remote_tag = response.to_tag or b""
        self.routes = tuple(reversed(_route_set(response)))
        self.refresh(response)

    def refresh(self, message):
        """Takes the other side's Contact as the new remote target (12.2.1.2, 12.2.2); one that cannot be read is
        passed over."""
        try:
            uri = message.contact.uri
            parse_uri(uri)
        except (ValueError, AttributeError):
            return
        self.target = uri

    def take(self, call, request, transaction):
        """A request of the other side that is not ACK: refused when it is out of order (12.2.2), else `call._in_order(request,
        transaction)` sees to it."""
        was = self.remote_sequence
        if request.cseq <= was:
            call._reply(transaction, 500)
            return
        self.remote_sequence = request.cseq
        try:
            call._in_order(request, transaction)
        except MemoryError:
            if transaction.data is None:
                self.remote_sequence = was  # it will come again
            raise

    def matches(self, request):
        """Whether a request of the other side belongs to this dialog (12.2.2): Call-ID and both tags."""
        return (
            request.call_id == self.call_id
            and (request.to_tag or b"") == self.local_tag
            and (request.from_tag or b"") == self.remote_tag
        )

    def next_hop(self):
        """The URI (bytes) that names where the next request is sent: the first route, else the remote target."""
        return parse_name_addr(self.routes[0]).uri if self.routes else self.target

    def request(self, method, via, lines=(), body=b"", content_type=None, sequence=0):
        """Builds a request inside the dialog (12.2.1.1). `via`: the Via value; `sequence`: for ACK, the INVITE's own."""
        if not sequence:
            self.sequence += 1
            sequence = self.sequence
        uri = self.target
        routes = self.routes
        if routes:
            first = parse_name_addr(routes[0]).uri
            if not parse_uri(first).lr:
                # A strict router wants itself in the Request-URI, and the target as the last route.
                uri = first
                routes = routes[1:] + (b"<%s>" % self.target,)
        return request(
            method, uri, via, self.local, self.remote, self.call_id, sequence, routes, lines, body, content_type
        )


def _route_set(message):
    """Its Record-Route URIs as Route values, in their order; none at all when one cannot be read, since half a route leads
    nowhere."""
    try:
        uris = message.uris(H_RECORD_ROUTE)
        for uri in uris:
            parse_uri(uri)
    except ValueError:
        return ()
    return tuple([b"<%s>" % uri for uri in uris])
