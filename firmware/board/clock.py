"""The time of day, asked from time servers by SNTP (RFC 5905 section 14) without holding anything up. Loaded for the moment
by lend(); what needs it is TLS, whose certificates have dates."""

import asyncio
import select
import socket
from os import urandom
from time import gmtime

from micropython import const

_PORT = const(123)
_WAIT_MS = const(1500)
_TO_1970 = const(25567)  # days from 1900, which NTP counts from
_TO_2000 = const(36524)
_DAY_S = const(86400)
_ENFILE = const(23)


def question(stamp):
    """The request; `stamp`: 8 bytes that the answer must bring back, which need not be a time."""
    return b"\x23" + bytes(39) + stamp


def answer(data, stamp):
    """Seconds since 1 January 1900 that an answer tells. ValueError, in words, when it is none to believe."""
    if len(data) < 48 or data[0] & 7 != 4 or data[24:32] != stamp:
        raise ValueError("it is no answer")
    if data[0] >> 6 == 3 or not 0 < data[1] < 16:
        # Not synchronised itself, or it tells us to go away (7.4).
        raise ValueError("the server does not know the time, or does not want to tell")
    seconds = int.from_bytes(data[40:44], "big")
    # The 32 bits are full in 2036, and begin again.
    return seconds if seconds >> 31 else seconds + (1 << 32)


def date(seconds):
    """Seconds since 1900 -> (year, month, day, weekday, hour, minute, second, 0), as machine.RTC wants them."""
    epoch = _TO_1970 if gmtime(0)[0] == 1970 else _TO_2000
    year, month, day, hour, minute, second, weekday = gmtime(seconds - epoch * _DAY_S)[:7]
    return year, month, day, weekday, hour, minute, second, 0


async def ask(server, pack, port=_PORT):
    """Asks one time server, an address -> seconds since 1900. OSError or ValueError, in words, when it does not tell."""
    sock = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        # Connected, so that only this server can answer; what it has to guess beside that is the stamp.
        sock.connect(pack(server, port))
        stamp = urandom(8)
        sock.send(question(stamp))
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        for _ in range(_WAIT_MS // 10):
            await asyncio.sleep_ms(10)
            if poll.poll(0):
                return answer(sock.recv(68), stamp)
    finally:
        sock.close()
    raise OSError("no answer")


async def set_from(servers, pack):
    """Sets the board's clock from the first of these addresses that answers -> "" or, in words, why none did. OSError when the
    board has no socket left."""
    from machine import RTC

    why = "no time server is known"
    for server in servers:
        try:
            RTC().datetime(date(await ask(server, pack)))
            return ""
        except (OSError, ValueError) as error:
            if error.args[0] == _ENFILE:
                raise  # no socket: that is not the server's affair
            why = "time server %s: %s" % (server, error)
    return why
