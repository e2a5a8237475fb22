"""Responses to an INVITE that the house has sent on and forgotten. Loaded for the moment.

They say themselves what is to be done: a refusal that comes again wants its ACK (RFC 3261 17.1.1.3), a 2xx that comes again goes on
to who called (16.7 step 5), and a phone that begins to ring when the call has long been answered is told to stop (9.1)."""

from lend import lend

record = lend("sip.server.record")


def take(house, agent, message, source):
    """A response whose branch is of ours."""
    status = message.status
    if message.cseq_method != b"INVITE" or status == 100:
        return
    if 200 <= status < 300:
        for token, peer, until_s in house.passed:
            if message.branch[8:16] == token and until_s > house.owner.now_s():
                agent.send(lend("sip.server.rewrite").upward(message), peer)
        return
    uri = b"sip:%s:%d" % (source[0].encode(), source[1])
    for kept in house.bindings:
        one = record.read(kept)
        if one[7][:2] == source[:2]:
            uri = one[1]
    via = agent.via(message.branch, source)
    method, refusal = (b"CANCEL", None) if status < 200 else (b"ACK", message)
    data = lend("sip.server.derived").derived(method, uri, via, message, refusal, None, ())
    agent.send(data, source)
