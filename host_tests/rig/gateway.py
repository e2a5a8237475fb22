"""A router between phones and their door, with addresses translated: connections to it go on to `target` from its own address.

    with Gateway(door.address) as gateway:
        Baresip(..., by=gateway.address, transport="tcp")
        gateway.cut()                   all connections are gone; who connects now is not heard
        gateway.mend()                  until now
"""
import select
import socket
import threading

from . import addresses
from .process import Stopped


class Gateway(Stopped):
    """Passes on TCP alone, from its start on."""

    def __init__(self, target, port=5060):
        self.address = addresses.take()
        self._target = target, port
        self._listener = socket.create_server((self.address, port))
        self._other = {}            # each socket's other half
        self._through = self._runs = True
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while self._runs:
            sockets = list(self._other) + [self._listener] * self._through
            for one in select.select(sockets, [], [], 0.05)[0]:
                if one is self._listener:
                    inside = one.accept()[0]
                    outside = socket.create_connection(self._target, 5, (self.address, 0))
                    self._other[inside], self._other[outside] = outside, inside
                elif one in self._other:
                    self._pass(one)
            if not self._through:
                for one in list(self._other):
                    self._close(one)
                with self._changed:
                    self._changed.notify_all()

    def _pass(self, one):
        try:
            data = one.recv(65536)
            if data:
                self._other[one].sendall(data)
                return
        except OSError:
            pass
        self._close(one)

    def _close(self, one):
        other = self._other.pop(one, None)
        for half in (one, other):
            if half:
                self._other.pop(half, None)
                half.close()

    def cut(self):
        with self._changed:
            self._through = False
            self._changed.wait(5)

    def mend(self):
        self._through = True

    def stop(self):
        self._runs = False
        self._thread.join(5)
        for one in list(self._other):
            self._close(one)
        self._listener.close()
        addresses.give_back(self.address)
