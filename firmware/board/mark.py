"""Packets marked for the routers on their way (DSCP, RFC 2474). Loaded for the moment by lend()."""

import socket
import sys

from micropython import const

_IPPROTO_IP = const(0)
_IPPROTO_IPV6 = const(41)
# The same on Linux and on macOS, but for the last
_IP_TOS = {"linux": 1, "darwin": 3}
_IPV6_TCLASS = {"linux": 67, "darwin": 36}


def mark(sock, dscp):
    """See net.mark(). On an ESP32 setsockopt() takes no notice of the level: its option 1 is TCP_NODELAY, and there is none that
    marks. So only ports that are known to can are asked."""
    name = sys.platform
    if name not in _IP_TOS:
        return False
    value = dscp << 2  # the lower two bits are ECN's
    try:
        sock.setsockopt(_IPPROTO_IP, _IP_TOS[name], value)
        marked = True
    except OSError:
        marked = False
    if hasattr(socket, "AF_INET6"):
        try:
            sock.setsockopt(_IPPROTO_IPV6, _IPV6_TCLASS[name], value)
            marked = True
        except OSError:  # an IPv4 socket
            pass
    return marked
