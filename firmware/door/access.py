"""Who may call."""


def may_call(host, server_host, peers):
    """True if a call from this address is let in: this computer, the registrar, or a listed peer.

    `host` and `server_host` are addresses as text (`server_host` may be ""), `peers` is what call.peers holds."""
    if host.startswith("127.") or host == "::1" or (host and host == server_host):
        return True
    return host in peers.split(",") if peers else False
