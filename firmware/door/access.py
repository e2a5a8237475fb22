"""Who may call."""


def may_call(host, server_host, peers, here=""):
    """True if a call from this address is let in: this computer, the registrar, or a listed peer.

    `host`, `server_host` and `here`, the door's own, are addresses as text (`server_host` may be ""), `peers` is what call.peers
    holds. Only this computer reaches a door at a loopback address, from whichever of its own addresses."""
    if host.startswith("127.") or host == "::1" or here.startswith("127.") or (host and host == server_host):
        return True
    return host in peers.split(",") if peers else False
