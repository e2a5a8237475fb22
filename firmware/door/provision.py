"""What a person is told who has added a phone, and the address at which Linphone fetches the same, once: opened, answered by
(HTTP/1.1, RFC 9112) and closed. Loaded for the moment by lend(); while the address is open, offered.py is there."""

import asyncio
import gc
import os
import socket
from binascii import b2a_base64
from errno import EAGAIN
from time import ticks_add, ticks_diff, ticks_ms

from lend import lend
from micropython import const

_CHANCE = const(12)  # bytes of it in the address: nobody guesses them in ten minutes
_USUAL = const(5060)
_FIRST = const(8080)
_LAST = const(8089)
_LONGEST = const(1024)  # bytes of a request; Linphone's have 100
_PIECE = const(256)
_PATIENCE_MS = const(3000)
_STEP_MS = const(20)
_ENFILE = const(23)  # see sip/sockets.py

# What is set of Linphone's configuration: section, key, value. It forgets the address once it has this. A port of its own choice
# (-1), since what it takes by itself is 5060, which a door on the same computer has.
_ENTRIES = const("""\
misc transient_provisioning 1
sip default_proxy 0
sip sip_port -1
sip sip_tcp_port -1
proxy_0 reg_proxy &lt;sip:{0};transport=udp&gt;
proxy_0 reg_identity "{3}" &lt;sip:{2}@{0}&gt;
proxy_0 reg_expires 600
proxy_0 reg_sendregister 1
proxy_0 publish 0
auth_info_0 username {2}
auth_info_0 passwd {4}
auth_info_0 realm {1}""")


def lines(door, name, number, password, is_known):
    """Line by line, and None where others may have their turn. Here alone, and once, is the password to be seen."""
    place = _place(door)
    if is_known:
        yield "%s has a new password; with the one before it is not let in any more. In the phone, set:" % name
    else:
        yield "%s has the number %s. In the phone, set:" % (name, number)
    yield "  account   %s" % number
    yield "  password  %s" % password
    yield "  server    %s" % place
    yield "  transport UDP"  # many begin with TLS, which a door does not take
    try:
        address = _opened(door, (place, door.config.get("house.realm"), number, name, password))
        if not address:
            yield "Linphone could fetch that by itself, but no port from %d to %d is free here." % (_FIRST, _LAST)
            return
        yield "Or let Linphone fetch it, once, in the next ten minutes, by this code or its"
        yield "  address   " + address
        for line in lend("door.qr").lines(address.encode()):
            yield line
    except MemoryError:
        yield "There is no memory now for a code that Linphone could scan."
    except OSError as e:
        yield "Linphone could fetch that by itself, but %s." % lend("sip.sockets").words(e)


def _place(door):
    """The server, as phones have it."""
    agent = door._agent
    return agent.host if agent.port == _USUAL else agent.place().decode()


def _opened(door, account):
    """Opens an address for `account`, (server, realm, number, name, password), in place of one that is open -> it; "" when
    there is no port for it."""
    end(door)
    offer = lend("door.offered").offer
    agent = door._agent
    for port in range(_FIRST, _LAST + 1):
        listener = None
        try:
            listener = lend("sip.sockets").bound(agent.transport, agent.host, port, socket.SOCK_STREAM)
            listener.listen(1)
            break
        except OSError as e:
            if listener:
                listener.close()
            elif e.args[0] == _ENFILE:
                raise
    else:
        return ""
    path = b"/" + b2a_base64(os.urandom(_CHANCE)).strip().replace(b"+", b"-").replace(b"/", b"_")
    door._offered = listener, path, account
    asyncio.create_task(offer(door, door._offered))
    return "http://%s:%d%s" % (agent.host, port, path.decode())


def end(door):
    """Closes the address that is open, if one is."""
    offered, door._offered = door._offered, None
    if offered:
        offered[0].close()  # offered.py sees that its time is over


def check(door):
    """The configuration or the address has changed: what is offered and would not register any more is closed."""
    _, _, account = door._offered
    house = door._agent and door._agent.house
    if not house or account[:2] != (_place(door), house.realm.decode()):
        end(door)
        door.say('The account of %s is another now: its address is closed. door.add_phone("%s") opens a new one.' % (
            account[3], account[3]))


async def take(door, offered):
    """Answers who is first in the queue, as long as this is what is offered. -> True when that was the phone, and it has its
    account. Who is slow is left alone after three seconds."""
    sock = None
    try:
        sock, _ = offered[0].accept()
        sock.setblocking(False)
        return await _serve(sock, door, offered)
    except OSError:
        return False  # who came is gone again
    finally:
        if sock:
            sock.close()


async def _serve(sock, door, offered):
    _, path, account = offered
    ready = lend("sip.sockets").ready(sock)
    ends = ticks_add(ticks_ms(), _PATIENCE_MS)
    request = response = b""
    is_given = False
    while ticks_diff(ends, ticks_ms()) > 0 and door._offered is offered:
        if not response:
            try:
                for _ in ready(0):
                    data = sock.recv(_PIECE)
                    if not data:
                        return False
                    request += data
                is_given, response = answer(request, path, account)
            except MemoryError:  # soon there may be room; who is sent away with nothing does not come again
                gc.collect()
        if response:
            try:
                response = response[sock.send(response) :]
            except OSError as e:
                if e.args[0] != EAGAIN:
                    raise
            if not response:
                return is_given
        await asyncio.sleep_ms(_STEP_MS)
    return False


def answer(request, path, account):
    """What `request` (bytes, as many as have come) to the address `path` is answered with: whether that gives the account, and
    the response, b"" while more has to come to tell."""
    end = request.find(b"\r\n\r\n")
    if end < 0 and len(request) < _LONGEST:
        return False, b""
    is_given = False
    kind, body = b"text/plain", b""
    method, _, target = request[: request.find(b"\r\n")].partition(b" ")
    if end < 0:
        status = b"431 Request Header Fields Too Large"
    elif method != b"GET" or target not in (path + b" HTTP/1.1", path + b" HTTP/1.0"):
        status = b"404 Not Found"
    elif b"text/html" in request:
        # A browser: many a camera opens one for a code. The account is still the phone's.
        status, body = b"403 Forbidden", b"This is for Linphone: scan the code with it, not with the camera.\n"
    else:
        status, kind, body = b"200 OK", b"application/xml", _xml(account).encode()
        is_given = True
    head = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    return is_given, head % (status, kind, len(body)) + body


def _xml(account):
    """The XML of lpconfig.xsd for an account, (server, realm, number, name, password): letters, digits and -_.: are all there
    is in them."""
    out = '<?xml version="1.0" encoding="UTF-8"?>\n<config xmlns="http://www.linphone.org/xsds/lpconfig.xsd">\n'
    last = ""
    for line in _ENTRIES.format(*account).split("\n"):
        section, key, value = line.split(" ", 2)
        if section != last:
            out += '%s<section name="%s">\n' % ("</section>\n" if last else "", section)
            last = section
        out += '<entry name="%s" overwrite="true">%s</entry>\n' % (key, value)
    return out + "</section>\n</config>\n"
