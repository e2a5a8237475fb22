"""How an account begins, what a person wrote becoming a Registration or two, and how all ends; the agent's state in words.
Loaded for the moment by agent.py, the `agent` of each function."""

import asyncio

from lend import lend

from .address import parse_uri
from .words import text


def register(agent, wanted):
    """See Agent.register, whose arguments are `wanted`."""
    if agent.registration:
        agent.registration.stop()
    first = make(agent, wanted)
    agent.user = wanted[1]
    agent.display = wanted[5] or agent.display
    agent.registration = first
    first.start()
    return first


def make(agent, wanted):
    """The Registration of Agent.register's arguments, not started yet."""
    from .registration import Account, Registration  # who calls directly does without it

    server, user, password, auth_user, expires_s, _, proxy, transport, backup = wanted
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
    return first


def _uri(agent, server, transport):
    """What a person wrote as a server, as a URI with the transport that is wanted. ValueError in words."""
    uri = server.strip().encode()
    if uri[:4] != b"sip:" and uri[:5] != b"sips:":
        uri = b"sip:" + uri
    lend("sip.outset").check(agent, uri)
    if transport and parse_uri(uri).param(b"transport") is None:
        uri += b";transport=" + transport
    return uri


def move(agent, host):
    """The network has given us another address: a socket that is bound to the old one hears nothing any more. OSError when
    the new one is not to be had yet."""
    agent._tasks[0].cancel()
    agent.transport.close()
    try:
        agent.transport.open(host, agent.port)
        agent.host = host
        if agent.transactions.near:
            agent.transactions.near = host, ""
    finally:
        agent._tasks[0] = asyncio.create_task(agent.transport.run())


async def stop(agent):
    """See Agent.stop."""
    for call in agent.calls + (agent.house.bridged if agent.house else []):
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
