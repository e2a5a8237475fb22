"""How things begin on our side: registrations, calls out, names looked up; and the agent's state in words. Loaded for the
moment by agent.py, the `agent` of each function."""

import asyncio

from lend import lend

from .address import parse_name_addr, parse_uri
from .call import Call
from .dialog import Dialog
from .transaction import token
from .words import text


def register(agent, wanted):
    """See Agent.register, whose arguments are `wanted`."""
    from .registration import Account, Registration

    server, user, password, auth_user, expires_s, display, proxy, transport, backup = wanted
    if agent.registration:
        agent.registration.stop()
    transport = transport.lower().encode()
    if transport not in (b"", b"udp", b"tcp", b"tls"):
        raise ValueError("'%s' is no transport: udp, tcp or tls" % text(transport))
    account = Account(auth_user or user, password)
    made = []
    for one in (server, backup) if backup else (server,):
        uri = _uri(agent, one, transport)
        hop = _uri(agent, proxy, transport) if proxy else uri
        # The registrar's own URI has neither user nor parameters (10.2).
        registration = Registration(agent, uri.split(b";")[0], hop, user, account, expires_s)
        if proxy:
            route = hop if parse_uri(hop).lr else hop + b";lr"
            registration.routes = registration.proxy = (b"<%s>" % route,)
        made.append(registration)
    first = made[0]
    if backup:
        second = first.second = made[1]
        second.first = first
        second.is_active = False
    agent.user = user
    agent.display = display or agent.display
    agent.registration = first
    first.start()
    return first


def _uri(agent, server, transport):
    """What a person wrote as a server, as a URI with the transport that is wanted. ValueError in words."""
    uri = server.strip().encode()
    if uri[:4] != b"sip:" and uri[:5] != b"sips:":
        uri = b"sip:" + uri
    _check(agent, uri)
    if transport and parse_uri(uri).param(b"transport") is None:
        uri += b";transport=" + transport
    return uri


def call(agent, target, media_host, media_port, on_event):
    """See Agent.call."""
    return place(agent, address(agent, target), media_host, media_port, on_event)


def address(agent, target):
    """The URI (bytes) of a target (text); ValueError, in words, when it can never be called."""
    uri = target.strip().encode()
    registration = _serving(agent)
    if b":" not in uri and b"@" not in uri:
        if registration is None:
            raise ValueError("'%s' needs a server: set sip.server, or call an address like sip:101@192.0.2.10" % target)
        uri = b"sip:%s@%s" % (uri, registration.server[4:])
    elif not uri.split(b":")[0].isalpha():
        # "192.0.2.10:5070" and "101@192.0.2.10:5070" have a port, not a scheme.
        uri = b"sip:" + uri
    _check(agent, uri)
    return uri


def place(agent, uri, media_host, media_port, on_event, lines=()):
    """Calls a URI. `lines`: further header field lines of the INVITE. ValueError, in words, when that cannot be."""
    _check(agent, uri)
    registration = _serving(agent)
    if agent.is_full():
        raise ValueError("too many calls are open: wait for one to end, or hang up")
    tag = token(4)
    name = registration.address_of_record if registration else agent.contact_uri(agent.user)
    display = b'"%s" ' % agent.display.encode() if agent.display else b""
    local = b"%s<%s>;tag=%s" % (display, name, tag)
    dialog = Dialog(token(), local, tag, b"<%s>" % uri, uri)
    made = Call(agent, dialog, None, on_event)
    made.uri = uri
    if lines:
        made.lines = lines
    if registration and (registration.proxy or parse_uri(uri).host == parse_uri(registration.server).host):
        dialog.routes = registration.routes
    agent.calls.append(made)
    made.invite(media_host, media_port)
    return made


def _serving(agent):
    """The registration by which calls go: the first server's, unless it is away and the second is not."""
    first = agent.registration
    if first and first.second and first.second.contact and (first.problem or not first.contact):
        return first.second
    return first


async def stop(agent):
    """See Agent.stop."""
    for call in list(agent.calls):
        call.hangup()
    done = []
    if agent.registration:
        agent.registration.stop(lambda: done.append(True))
        for _ in range(50):
            if done:
                break
            await asyncio.sleep_ms(20)


def words(agent):
    """See Agent.words."""
    lines = [agent.registration.words() if agent.registration else "No SIP server is set: calls go direct, by address."]
    for one in agent.calls:
        if one.state != "ended":
            lines.append(one.words())
    return lines


def locate(agent, raw, then, anew):
    """See Agent.locate."""
    uri = parse_uri(raw)
    first = agent.registration
    for registration in (first, first and first.second):
        if registration and registration.peers and not anew:
            hop = parse_uri(registration.hop)
            if (uri.host, uri.port) == (hop.host, hop.port):
                then(list(registration.peers), "")
                return
    try:
        peers = [agent.address_of(raw)]
    except ValueError as error:
        if agent.dns is None:
            then([], str(error))
        else:
            asyncio.create_task(_look_up(agent, raw, then))
        return
    then(peers, "")


async def _look_up(agent, raw, then):
    peers = []
    problem = ""
    try:
        uri = parse_uri(raw)
        resolver = lend("sip.resolver")
        kinds = (resolver.AAAA,) if ":" in agent.host else (resolver.A,)
        dns = resolver.Dns(agent.dns, agent.pack, agent.dns_cache, kinds)
        transports = (b"udp", b"tcp", b"tls")
        if uri.scheme == b"sip" and uri.param(b"transport") is None and not agent.tls_ca:
            transports = transports[:2]  # without a certificate to judge by no connection would come about
        for transport, host, port in await resolver.locate(uri, dns, transports):
            peers.append((host, port) if transport == b"udp" else (host, port, transport.upper()))
        if not peers:
            problem = "'%s' is not known to the name server" % text(uri.host)
    except (OSError, ValueError) as error:
        problem = str(error.args[0])
    except Exception as error:
        # Out of memory, or a fault of ours: who waits must hear of it all the same.
        agent.fault(error)
        problem = "'%s' could not be looked up" % text(raw)
    resolver = dns = None  # before what `then` needs is loaded
    _note(agent, raw, peers)
    try:
        then(peers, problem)
    except Exception as error:
        agent.fault(error)


def _note(agent, raw, peers):
    """The first of a Service-Route by name: its servers are the registrar's to us."""
    registration = _serving(agent)
    if registration and registration.routes and parse_name_addr(registration.routes[0]).uri == raw and not registration.proxy:
        registration.route_hosts = tuple([peer[0] for peer in peers]) or registration.route_hosts


def _check(agent, raw):
    """ValueError, in words, for a URI that can never be called."""
    uri = parse_uri(raw)
    if uri.scheme != b"sip" and uri.scheme != b"sips":
        raise ValueError("'%s' cannot be called: only sip: addresses can" % text(raw))
    if agent.dns is None and agent.registration is None:
        agent.pack(uri.host.decode(), 0)
