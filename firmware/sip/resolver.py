"""Finding servers by name (RFC 3263): NAPTR, SRV, A and AAAA, asked without ever holding the loop.

`getaddrinfo` waits for DNS with everything else standing still, and knows no SRV: so this asks the name servers itself.
Queries and answers are read and built by plain functions; `Dns` is the edge with the socket, the clock and the cache.
"""

import asyncio
import select
import socket
from os import urandom
from time import ticks_add, ticks_diff, ticks_ms

from lend import lend
from micropython import const

# Record types; those whose names no other file needs are private, which costs the heap nothing.
A = const(1)
_CNAME = const(5)
AAAA = const(28)
SRV = const(33)
NAPTR = const(35)

_PORT = const(53)
_ENFILE = const(23)  # see sockets.py
_TRIES = const(3)
_WAIT_MS = const(1500)
_CACHE = const(12)
_ANSWERS = const(16)  # records taken from one answer
_HOPS = const(4)  # CNAMEs followed
_LONGEST_S = const(86400)
_NO_ANSWER_S = const(30)  # how long "no such name" is believed: the SOA's minimum is not read
_MESSAGE = const(1232)  # bytes: what DNS Flag Day 2020 found to pass everywhere; without EDNS 512 come
_STREAMED = const(4096)  # bytes of an answer over TCP
_PLACES = const(8)  # servers that one name may stand for


def encode_name(name):
    """b"pbx.example" as DNS labels (RFC 1035 3.1). ValueError when it is no host name."""
    out = bytearray()
    for label in name.rstrip(b".").split(b"."):
        if not 0 < len(label) < 64:
            raise ValueError("bad host name")
        out.append(len(label))
        out.extend(label)
    if len(out) > 254:
        raise ValueError("host name too long")
    out.append(0)
    return bytes(out)


def query(identifier, name, kind):
    """A recursive query for one name and type (RFC 1035 4.1). `identifier`: 2 bytes."""
    tail = bytes((0, kind, 0, 1))
    return identifier + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + encode_name(name) + tail


def _word(data, at):
    if at + 2 > len(data):
        raise ValueError("cut short")
    return data[at] << 8 | data[at + 1]


def _name(data, at):
    """(name, position behind it); compression pointers may only lead backwards, so that none can circle."""
    labels = []
    end = -1
    limit = at
    total = 0
    while True:
        if at >= len(data):
            raise ValueError("cut short")
        size = data[at]
        if size >= 0xC0:
            target = _word(data, at) & 0x3FFF
            if end < 0:
                end = at + 2
            if target >= limit:
                raise ValueError("a pointer that leads forward")
            limit = at = target
            continue
        if size > 63:
            raise ValueError("bad label")
        at += 1
        if not size:
            break
        total += size + 1
        if total > 255 or at + size > len(data):
            raise ValueError("bad name")
        labels.append(data[at : at + size].lower())
        at += size
    return b".".join(labels), end if end >= 0 else at


def answers(data, question):
    """The records of a response to `question` (the bytes of query()): a list of (name, type, ttl_s, value).

    value: the four bytes of an address for A, the sixteen for AAAA, a name for CNAME, (priority, weight, port, target) for SRV,
    (order, preference, service, replacement) for NAPTR of the flag "s". Other types are passed over.
    An empty list: the name has no such record, or does not exist. ValueError: it is no answer to this question;
    OSError: the server could not answer.
    """
    size = len(question)
    if len(data) < size or data[:2] != question[:2] or not data[2] & 0x80:
        raise ValueError("not an answer")
    if _word(data, 4) != 1 or data[12:size].lower() != question[12:].lower():
        raise ValueError("an answer to something else")
    code = data[3] & 15
    if code == 3:
        return []
    if code:
        raise OSError("the name server answered with error %d" % code)
    out = []
    at = size
    for _ in range(min(_word(data, 6), _ANSWERS)):
        name, at = _name(data, at)
        kind = _word(data, at)
        ttl_s = min(_word(data, at + 4) << 16 | _word(data, at + 6), _LONGEST_S)
        length = _word(data, at + 8)
        at += 10
        end = at + length
        if end > len(data):
            raise ValueError("cut short")
        value = None
        if kind == A and length == 4 or kind == AAAA and length == 16:
            value = bytes(data[at:end])
        elif kind == _CNAME:
            value = _name(data, at)[0]
        elif kind == SRV and length > 6:
            value = (_word(data, at), _word(data, at + 2), _word(data, at + 4), _name(data, at + 6)[0])
        elif kind == NAPTR and length > 7:
            value = _naptr(data, at, end)
        if value is not None:
            out.append((name, kind, ttl_s, value))
        at = end
    return out


def _naptr(data, at, end):
    """RFC 3403 4.1; None for a record that needs its regular expression, which SIP's do not (RFC 3263 4.1)."""
    order = _word(data, at)
    preference = _word(data, at + 2)
    at += 4
    texts = []
    for _ in range(3):
        size = data[at]
        texts.append(data[at + 1 : at + 1 + size].lower())
        at += 1 + size
        if at >= end:
            raise ValueError("cut short")
    flags, service, expression = texts
    if expression or flags != b"s":
        return None
    return order, preference, service, _name(data, at)[0]


def by_weight(records, chance=None):
    """SRV values in the order to try them (RFC 2782): by priority, and inside one by chance according to weight.

    `chance(n)` gives a number of 0 to n-1; a test puts its own there.
    """
    chance = chance or _chance
    out = []
    for priority in sorted(set([record[0] for record in records])):
        group = sorted([record for record in records if record[0] == priority], key=lambda record: record[1])
        while group:
            total = sum([record[1] for record in group])
            point = chance(total + 1)
            for record in group:
                point -= record[1]
                if point <= 0:
                    break
            group.remove(record)
            out.append(record)
    return out


def _chance(n):
    random = urandom(3)
    return (random[0] << 16 | random[1] << 8 | random[2]) % n


def address_text(value):
    """The bytes of an A or AAAA record as text, IPv6 as RFC 5952 writes it."""
    if len(value) == 4:
        return ".".join([str(byte) for byte in value])
    words = ["%x" % _word(value, at) for at in range(0, 16, 2)]
    best = start = size = 0
    for at in range(8):
        size = size + 1 if words[at] == "0" else 0
        if size > best:
            best = size
            start = at + 1 - size
    if best < 2:
        return ":".join(words)
    return ":".join(words[:start]) + "::" + ":".join(words[start + best :])


class Dns:
    """Asks name servers and remembers what they said for as long as they said.

    `servers()` gives their addresses as text, best first, with a port behind a colon where it is not 53: they change with
    the network. `cache`: the dictionary that holds what was said, for a caller who keeps it longer than this object:
    {(name, type): (due, values)}. `kinds`: the types of address that can be used, A and AAAA, in this order.
    """

    def __init__(self, servers, pack, cache=None, kinds=(A,)):
        self.servers = servers
        self.pack = pack
        self.kinds = kinds
        self.queries = 0
        self._cache = {} if cache is None else cache

    async def ask(self, name, kind):
        """The values of a name's records of one type, CNAMEs followed; [] when there are none. OSError in words when
        no server answers."""
        name = name.lower().rstrip(b".")
        key = (name, kind)
        kept = self._cache.get(key)
        if kept:
            if ticks_diff(kept[0], ticks_ms()) > 0:
                return kept[1]
            del self._cache[key]
        ttl_s = _LONGEST_S
        values = []
        for _ in range(_HOPS):
            records = await self._exchange(name, kind)
            # One answer may hold a whole chain of CNAMEs, in any order.
            for _ in range(_HOPS):
                found = [record for record in records if record[0] == name and record[1] in (kind, _CNAME)]
                if not found or found[0][1] == kind:
                    break
                ttl_s = min(ttl_s, found[0][2])
                name = found[0][3]
            if found or not [record for record in records if record[1] == _CNAME]:
                break
        for record in found:
            if record[1] == kind:
                ttl_s = min(ttl_s, record[2])
                values.append(record[3])
        if not values:
            ttl_s = _NO_ANSWER_S
        if len(self._cache) >= _CACHE:
            self._cache.clear()
        self._cache[key] = (ticks_add(ticks_ms(), 1000 * ttl_s), values)
        return values

    async def _exchange(self, name, kind):
        servers = self.servers()
        if not servers:
            raise OSError("'%s' cannot be looked up: the network names no DNS server" % name.decode())
        problem = None
        for attempt in range(_TRIES):
            server = servers[attempt % len(servers)]
            host, _, port = server.partition(":") if server.count(":") == 1 else (server, "", "")
            # A new port and a new identifier each time: what has to be guessed to lie to us (RFC 5452).
            question = query(urandom(2), name, kind)
            try:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                return await self._once(family, self.pack(host, int(port or _PORT)), question)
            except (OSError, ValueError) as error:
                problem = error
        if problem.args and problem.args[0] == _ENFILE:
            raise OSError("'%s' cannot be looked up: %s" % (name.decode(), lend("sip.sockets").words(problem)))
        reason = problem.args[0] if problem.args and isinstance(problem.args[0], str) else "no answer"
        raise OSError("'%s' cannot be looked up: %s from name server %s" % (name.decode(), reason, server))

    async def _once(self, family, server, question):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            # Connected, so that only this server can answer.
            sock.connect(server)
            sock.send(question)
            self.queries += 1
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            for _ in range(_WAIT_MS // 10):
                await asyncio.sleep_ms(10)
                if not poll.poll(0):
                    continue
                try:
                    data = sock.recv(_MESSAGE)
                except OSError:
                    raise OSError("no answer")
                try:
                    found = answers(data, question)
                    break
                except ValueError:
                    continue  # not for us: keep listening
            else:
                raise OSError("no answer")
        finally:
            sock.close()
        if data[2] & 2:  # truncated: there is more than a datagram holds
            try:
                return answers(await self._streamed(family, server, question), question)
            except (OSError, ValueError):
                pass  # no TCP there: what came is better than nothing
        return found

    async def _streamed(self, family, server, question):
        """The answer over TCP (RFC 7766). OSError."""
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            try:
                sock.connect(server)
            except OSError:
                pass  # under way, or poll() will tell
            poll = select.poll()
            poll.register(sock, select.POLLOUT)
            data = bytearray()
            sent = False
            # Polled rather than awaited: a task that is cancelled inside the I/O queue leaves its socket there.
            for _ in range(_WAIT_MS // 10):
                await asyncio.sleep_ms(10)
                if not poll.poll(0):
                    continue
                if not sent:
                    sock.send(bytes((len(question) >> 8, len(question) & 255)) + question)
                    self.queries += 1
                    sent = True
                    poll.modify(sock, select.POLLIN)
                    continue
                more = sock.recv(_STREAMED)
                data.extend(more)
                size = _word(data, 0) + 2 if len(data) > 1 else 2
                if len(data) >= size > 2:
                    return bytes(data[2:size])
                if not more or size > _STREAMED:
                    break
            raise OSError("no answer")
        finally:
            sock.close()

    async def address(self, name):
        """The addresses of a host as text, or []."""
        out = []
        for kind in self.kinds:
            out.extend([address_text(value) for value in await self.ask(name, kind)])
        return out


async def locate(uri, dns, transports=(b"udp",)):
    """Where to send a request for a URI (RFC 3263 4): a list of (transport, host text, port), best first.

    `transports`: what we can use, preferred first; ValueError in words when the name exists but nothing fits; OSError in
    words when the name servers do not answer. `uri`: an address.Uri.
    """
    secure = uri.scheme == b"sips"
    wanted = (uri.param(b"transport") or b"").lower()
    if secure and wanted in (b"", b"tcp"):
        wanted = b"tls"
    if wanted:
        if wanted not in transports or secure and wanted != b"tls":
            raise ValueError("'%s' asks for %s, which is not available" % (uri.host.decode(), wanted.decode()))
        transports = (wanted,)
    port = uri.port or (5061 if transports[0] == b"tls" else 5060)
    try:
        host = uri.host.decode()
        dns.pack(host, port)
        return [(transports[0], host, port)]
    except ValueError:
        pass  # a name
    if uri.port:
        return await _hosts(uri.host, port, transports[0], dns)
    out = []
    services = []
    problem = None
    if not uri.param(b"transport"):
        try:
            services = await _naptr_services(uri.host, dns, transports)
        except OSError as error:
            problem = error  # some routers know no NAPTR, and do not say so
    for transport, name in services or [(transport, _SERVICES[transport] + uri.host) for transport in transports]:
        try:
            records = await dns.ask(name, SRV)
        except OSError as error:
            if problem and "no answer" in problem.args[0] and "no answer" in error.args[0]:
                raise problem  # nobody is there: not every question is asked
            problem = problem or error
            continue
        for record in by_weight(records):
            if record[3] and len(out) < _PLACES:  # a target of "." says that the service is not there
                for place in await _hosts(record[3], record[2], transport, dns):
                    if place not in out:
                        out.append(place)
    try:
        return out or await _hosts(uri.host, port, transports[0], dns)
    except OSError as error:
        raise problem or error


_SERVICES = {b"udp": b"_sip._udp.", b"tcp": b"_sip._tcp.", b"tls": b"_sips._tcp."}
_NAPTRS = {b"sip+d2u": b"udp", b"sip+d2t": b"tcp", b"sips+d2t": b"tls"}


async def _naptr_services(host, dns, transports):
    found = []
    for order, preference, service, name in sorted(await dns.ask(host, NAPTR)):
        transport = _NAPTRS.get(service)
        if transport in transports:
            found.append((transport, name))
    return found


async def _hosts(host, port, transport, dns):
    addresses = await dns.address(host)
    return [(transport, address, port) for address in addresses]
