"""How things begin on our side: registrations, calls out, names looked up; and the agent's state in words. Loaded for the
moment by agent.py, the `agent` of each function."""

import asyncio

from lend import lend

from .address import parse_uri
from .call import Call
from .dialog import Dialog
from .registration import Registration
from .transaction import token
from .words import text


def register(agent, wanted):
    """See Agent.register, whose arguments are `wanted`."""
    server, user, password, auth_user, expires_s, display, proxy, transport, backup = wanted
    if agent.registration:
        agent.registration.stop()
    uri = b"sip:" + server.encode()
    _check(agent, uri)
    agent.user = user
    agent.display = display or agent.display
    registration = agent.registration = Registration(agent, uri, user, password, auth_user, expires_s)
    registration.start()
    return registration


def call(agent, target, media_host, media_port, on_event):
    """See Agent.call."""
    return place(agent, address(agent, target), media_host, media_port, on_event)


def address(agent, target):
    """The URI (bytes) of a target (text); ValueError, in words, when it can never be called."""
    uri = target.strip().encode()
    registration = agent.registration
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
    registration = agent.registration
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
    agent.calls.append(made)
    made.invite(media_host, media_port)
    return made


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


def locate(agent, raw, then, problem):
    """See Agent.locate: of a URI whose host is no address, which `problem` says."""
    registration = agent.registration
    if registration and registration.peers and parse_uri(raw).host == parse_uri(registration.server).host:
        then(list(registration.peers), "")
    elif agent.dns is None:
        then([], problem)
    else:
        asyncio.create_task(_look_up(agent, raw, then))


async def _look_up(agent, raw, then):
    resolver = lend("sip.resolver")
    peers = []
    problem = ""
    try:
        uri = parse_uri(raw)
        peers = [place[1:] for place in await resolver.locate(uri, resolver.Dns(agent.dns, agent.pack, agent.dns_cache))]
        if not peers:
            problem = "'%s' is not known to the name server" % text(uri.host)
    except (OSError, ValueError) as error:
        problem = str(error.args[0])
    try:
        then(peers, problem)
    except Exception as error:
        agent.fault(error)


def _check(agent, raw):
    """ValueError, in words, for a URI that can never be called."""
    uri = parse_uri(raw)
    if uri.scheme != b"sip":
        raise ValueError("'%s' cannot be called: only sip: addresses can" % text(raw))
    if agent.dns is None and agent.registration is None:
        agent.pack(uri.host.decode(), 0)
