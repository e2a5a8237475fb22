"""Loopback addresses nobody else uses while we live.

Every peer and every door gets an address of its own out of 127.0.100.1 to 127.0.101.250, so the well-known ports can be
used on it (5060, ...) and tests may run side by side, also in other processes. An address is taken by holding a UDP socket
on one agreed port of it; the kernel gives it back when the process ends, however it ends.
"""
import os
import socket

_CLAIM_PORT = 61999         # above Linux' ephemeral ports
_COUNT = 500
_RTP_FIRST_PORT = 20000     # below Linux' ephemeral ports (32768 and up)
_RTP_PORTS = 20
_claims = {}
_next = os.getpid() * 37 % _COUNT


def take():
    """-> an address as str, ours until give_back(address) or the process's end."""
    global _next
    for _ in range(_COUNT):
        n = _next
        _next = (_next + 1) % _COUNT
        address = "127.0.%d.%d" % (100 + n // 250, 1 + n % 250)
        if address in _claims:
            continue
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind((address, _CLAIM_PORT))
        except OSError:
            claim.close()
            continue
        _claims[address] = claim
        return address
    raise OSError("all %d test addresses (127.0.100.1 and up) are in use" % _COUNT)


def give_back(address):
    claim = _claims.pop(address, None)
    if claim:
        claim.close()


def rtp_ports(address):
    """-> (first, last): UDP ports that belong to this address alone, for peers that bind RTP to every address."""
    _, _, c, d = address.split(".")
    first = _RTP_FIRST_PORT + ((int(c) - 100) * 250 + int(d) - 1) * _RTP_PORTS
    return first, first + _RTP_PORTS - 1
