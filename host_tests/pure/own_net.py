"""A part of the loopback network that no other test process uses while this one lives: 127.0.N.1 to 127.0.N.253.

Tests run side by side, under both interpreters: what one test's stream still sends must not reach the fresh socket of another
process. The part is taken by holding a UDP socket on its last address; the kernel gives it back when the process ends.
"""

import os
import socket

_FIRST, _PARTS = 110, 100


def _take():
    start = os.urandom(1)[0]
    for i in range(_PARTS):
        part = _FIRST + (start + i) % _PARTS
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(socket.getaddrinfo("127.0.%d.254" % part, 61999)[0][-1])
        except OSError:
            claim.close()
        else:
            return claim, "127.0.%d." % part
    raise OSError("127.0.%d.0 to 127.0.%d.0 are all in use by other tests" % (_FIRST, _FIRST + _PARTS - 1))


_claim, NET = _take()
