"""A stream in one line for people. Lent when somebody asks."""


def status(stream):
    """Stream.status"""
    if not stream._socket:
        return "no sound"
    if stream._address is None:
        return "RTP port %d, no peer yet" % stream.port
    host, port = stream._unpack(stream._address)[:2]
    words = "RTP %s:%d %s, sent %d, received %d, lost %d, late %d, delay %d ms" % (
        host,
        port,
        "PCMA" if stream._payload_type else "PCMU",
        stream.sent,
        stream.received,
        stream.lost,
        stream.late,
        max(stream._jitter.ahead, 0) // 8,
    )
    if stream.strangers:
        words += ", %d from strangers" % stream.strangers
    if stream.bad:
        words += ", %d bad" % stream.bad
    if stream.send_errors:
        words += ", %d not sent" % stream.send_errors
    if stream._receiving and stream._heard_ms < 0 and stream.sent > 150:
        words += "; nothing came in %d s: NAT or firewall?" % (stream.sent // 50)
    return words
