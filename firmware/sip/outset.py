"""How calls begin on our side, and where they go. Loaded for the moment by agent.py, the `agent` of each function."""

import asyncio

from lend import lend

from .address import parse_uri
from .call import Call
from .dialog import Dialog
from .transaction import token
from .words import text


_USUAL = (0, 5060, 5061)  # ports that go without saying


def call(agent, target, media_host, media_port, on_event):
    """See Agent.call."""
    return place(agent, address(agent, target), media_host, media_port, on_event)


def address(agent, target):
    """The URI (bytes) of a target (text); ValueError, in words, when it can never be called."""
    uri = target.strip().encode()
    registration = serving(agent)
    if b":" not in uri and b"@" not in uri:
        if agent.house:
            uri = b"sip:%s@%s" % (uri, agent.place())
        elif registration is None:
            raise ValueError("'%s' needs a server: set sip.server, or call an address like sip:101@192.0.2.10" % target)
        else:
            uri = b"sip:%s@%s" % (uri, registration.server[4:])
    elif not uri.split(b":")[0].isalpha():
        # "192.0.2.10:5070" and "101@192.0.2.10:5070" have a port, not a scheme.
        uri = b"sip:" + uri
    check(agent, uri)
    return uri


def place(agent, uri, media_host, media_port, on_event, lines=()):
    """Calls a URI. `lines`: further header field lines of the INVITE. ValueError, in words, when that cannot be."""
    check(agent, uri)
    registration = serving(agent)
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
    dialog.routes = routes(agent, uri)
    agent.calls.append(made)
    made.invite(media_host, media_port, locate)  # our own: a second copy of this file would want room beside it
    return made


def routes(agent, uri):
    """The routes that a new request to a URI takes: the outbound proxy's always, the registrar's for its own."""
    registration = serving(agent)
    if registration and (registration.proxy or parse_uri(uri).host == parse_uri(registration.server).host):
        return registration.routes
    return ()


def serving(agent):
    """The registration by which calls go: the first server's, unless it is away and the second is not."""
    first = None if agent.house else agent.registration
    if first and first.second and first.second.contact and (first.problem or not first.contact):
        return first.second
    return first


def locate(agent, raw, then, anew):
    """See Agent.locate."""
    uri = parse_uri(raw)
    first = agent.registration
    for registration in (first, first and first.second):
        if registration and registration.peers and not anew:
            hop = parse_uri(registration.hop)
            if uri.host == hop.host and (uri.port == hop.port or uri.port in _USUAL and hop.port in _USUAL):
                then(list(registration.peers), "")
                return
    try:
        peers = [agent.address_of(raw)]
    except ValueError as error:
        if agent.dns is None:
            then([], str(error))
        else:
            asyncio.create_task(lend("sip.lookup").look_up(agent, raw, then))
        return
    then(peers, "")


def check(agent, raw):
    """ValueError, in words, for a URI that can never be called."""
    uri = parse_uri(raw)
    if uri.scheme != b"sip" and uri.scheme != b"sips":
        raise ValueError("'%s' cannot be called: only sip: addresses can" % text(raw))
    if agent.dns is None and agent.registration is None:
        agent.pack(uri.host.decode(), 0)
