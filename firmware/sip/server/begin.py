"""A call between the house and the world begins on the side that is called. Loaded for the moment; see bridge.py, and leg.Leg,
the `leg` of each function."""

from lend import lend

saying = lend("sip.server.saying")


def invite(leg, dialog, server):
    """The other side has called: see Leg.invite()."""
    leg.dialog = dialog
    leg.other._invite = server
    server.user = leg.other
    peers = saying.peers(leg)
    if peers:
        located(leg, peers, "")
    else:
        leg.agent.locate(dialog.next_hop(), leg.located)


def located(leg, peers, problem):
    """Where the INVITE goes is known, or `problem` says why not."""
    if leg.state != "calling":
        return
    if problem:
        saying.refuse(leg.other, 480, problem.encode())
        return
    leg.peer = peers[0]
    server = leg.other._invite
    client = saying.send_on(leg, b"INVITE", server.request)
    if client:
        leg._waiting.append([client, server])
    else:
        saying.refuse(leg.other, 503, b"Too much at once")
