"""Looking a name up, in a task of its own. Loaded for the moment by outset.py; the `agent` of each function."""

from lend import lend

from .address import parse_name_addr, parse_uri
from .words import text


async def look_up(agent, raw, then):
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
    if peers:
        _note(agent.registration, raw, peers)
    try:
        then(peers, problem)
    except Exception as error:
        agent.fault(error)


def _note(registration, raw, peers):
    """The first of a Service-Route by name: its servers are the registrar's to us."""
    while registration:
        routes = registration.routes
        if routes and not registration.proxy and parse_name_addr(routes[0]).uri == raw:
            registration.route_hosts = tuple([peer[0] for peer in peers])
        registration = registration.second
