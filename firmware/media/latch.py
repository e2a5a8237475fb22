"""Receiving until it is known where the peer really sends from: RFC 4961, and field experience with NAT.

Every packet is asked for its sender, which allocates. Lent until the socket is connected.
"""

import select
import time

from lend import lend
from micropython import const

from . import rtcp, rtp

_MUX = const(50)  # of the state of rtcp.py
_PACKET_BYTES = const(512)  # of stream.py
_SAME_HOST = const(3)  # so many packets prove another port of the host in the SDP
_ANY_HOST = const(10)  # ... or another host,
_FIRST_MS = const(500)  # which must let the host in the SDP go first: who knows the port is quicker than who has to ring


class Latch:
    """Reads a stream's socket in its place."""

    def __init__(self, socket):
        self._poll = select.poll()
        self._poll.register(socket, select.POLLIN)
        self.restart()

    def restart(self):
        """The SDP names another peer."""
        self._candidate = None
        self._same = False  # it is the host of the SDP
        self._since = -1  # when its peer was first waited for
        self._proofs = 0  # packets that came from there
        self.done = False  # the socket is connected

    def receive(self, stream):
        """What came since the last tick; ends itself."""
        if self._since < 0:
            self._since = stream._now_ms
        for _ in range(10):
            if not self._waiting():
                if self.done:  # and what strangers had sent before is gone
                    stream._latch = None
                break
            self._take(stream)

    def _take(self, stream):
        try:
            data, address = stream._socket.recvfrom(_PACKET_BYTES)
        except OSError:
            stream._not_sent()
            return
        n = len(data)
        stream._scratch[:n] = data
        if stream._rtcp[_MUX] and data[1:] and data[1] >> 5 == 6:
            if address == stream._address:
                rtcp.put(stream, 0, n)
            else:
                stream.strangers += 1
            return
        if stream._secure:
            # What is not authentic is nobody's, whatever its address.
            n = stream._secure.unprotect(stream._scratch, 0, n)
            if n < 0:
                stream.bad += 1
                return
        if self._from_peer(stream, address, n):
            stream._packet_in(0, n)
        else:
            stream.strangers += 1

    def _waiting(self):
        for _ in self._poll.ipoll(0):
            return True
        return False

    def _from_peer(self, stream, address, n):
        if self.done:
            return address == stream._address
        if not rtp.parse(stream._scratch, 0, n, stream._fields) or not stream._agreed():
            return address == stream._address  # to be counted as bad
        if address != stream._address:
            # From elsewhere than the SDP says. Believed after some packets, if nothing comes from there.
            same = stream._unpack(address)[0] == stream._peer[0]
            if address != self._candidate:
                if self._same and not same:
                    return False
                self._candidate = address
                self._same = same
                self._proofs = 0
            self._proofs += 1
            if self._proofs < (_SAME_HOST if same else _ANY_HOST):
                return False
            if not same and time.ticks_diff(stream._now_ms, self._since) < _FIRST_MS:
                return False
        moved = address != stream._address
        stream._address = address
        stream._socket.connect(address)
        stream._refused = 0
        self.done = True
        if moved or stream._rtcp[_MUX]:
            lend("media.setup").connect(stream)
        return True
