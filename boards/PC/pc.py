"""Importing this gives CPython the names that MicroPython adds to its own modules.

time:    ticks_ms ticks_us ticks_diff ticks_add sleep_ms sleep_us
asyncio: sleep_ms wait_for_ms
gc:      mem_free mem_alloc threshold
sys:     print_exception

`readable(sock)` waits for a socket, as MicroPython's own asyncio queue does; `Stream(sock)` has
`readinto` and `write` as its stream sockets do.
"""

import asyncio
import gc
import ssl
import sys
import time
import traceback

# MicroPython's ticks wrap; so do these, that nobody comes to rely on their growing.
_PERIOD = 1 << 30


def ticks_ms():
    return time.monotonic_ns() // 1_000_000 % _PERIOD


def ticks_us():
    return time.monotonic_ns() // 1000 % _PERIOD


def ticks_add(ticks, delta):
    return (ticks + delta) % _PERIOD


def ticks_diff(end, start):
    """Milliseconds (or microseconds) from start to end, negative when end is the earlier."""
    return (end - start + _PERIOD // 2) % _PERIOD - _PERIOD // 2


def sleep_ms(ms):
    time.sleep(ms / 1000)


def sleep_us(us):
    time.sleep(us / 1_000_000)


def asyncio_sleep_ms(ms):
    return asyncio.sleep(max(0, ms) / 1000)


def asyncio_wait_for_ms(awaitable, ms):
    return asyncio.wait_for(awaitable, ms / 1000)


async def readable(sock):
    """Until the non-blocking socket has something to read."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sock, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sock)


class Stream:
    """A non-blocking stream socket, or TLS on one, with MicroPython's ways: None for "not now"."""

    def __init__(self, sock):
        self.sock = sock

    def readinto(self, buffer):
        """Bytes read, 0 at the end, None when there is nothing yet."""
        try:
            return self.sock.recv_into(buffer)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None

    def write(self, data):
        """Bytes written, None when none would go now."""
        try:
            return self.sock.send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None

    def close(self):
        self.sock.close()


def print_exception(exception, file=sys.stdout):
    traceback.print_exception(exception, file=file)


def _install():
    for function in (ticks_ms, ticks_us, ticks_add, ticks_diff, sleep_ms, sleep_us):
        setattr(time, function.__name__, function)
    asyncio.sleep_ms = asyncio_sleep_ms
    asyncio.wait_for_ms = asyncio_wait_for_ms
    gc.mem_free = lambda: 1 << 19  # enough for all that a door asks for, and no reason to keep all that it lends
    gc.mem_alloc = lambda: 0
    gc.threshold = lambda amount=-1: -1
    sys.print_exception = print_exception


if sys.implementation.name == "cpython":
    _install()
