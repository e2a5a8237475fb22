"""TLS on a stream: whom we believe, and why not (RFC 3261 26.3.1, RFC 5922). Loaded for the moment by stream.py.

The handshake goes on in steps, with each read of the stream; the arithmetic of a step holds the loop up. mbedTLS keeps its
memory outside the Python heap: some 40 KB for each connection.
"""

from time import gmtime

try:
    import tls  # what MicroPython's ssl stands on: that would cost a kilobyte more
except ImportError:
    import ssl as tls

from micropython import const

from .address import parse_uri

_SHAKING = const(2)  # a flow's state, as in stream.py

# What a certificate fails by: words of mbedTLS and of OpenSSL, and ours.
_TROUBLE = (
    ("expired", "has expired"),
    ("future", "is not valid yet"),
    ("not yet valid", "is not valid yet"),
    ("(CN)", "is for another name than '%s': set sip.tls_name to the name in it"),
    ("mismatch", "is for another name than '%s': set sip.tls_name to the name in it"),
    ("not correctly signed", "is signed by nobody the door trusts: sip.tls_ca must name the file with its CA, or with itself"),
    ("unable to get", "is signed by nobody the door trusts: sip.tls_ca must name the file with its CA, or with itself"),
    ("self-signed", "is signed by nobody the door trusts: sip.tls_ca must name the file with its CA, or with itself"),
)


def name(agent, host):
    """What the certificate of the server at this address must be for."""
    registration = agent.registration
    if agent.tls_name:
        return agent.tls_name
    while registration:
        if host in [peer[0] for peer in registration.peers]:
            return parse_uri(registration.hop).host.decode()
        registration = registration.second
    return host


def certificates(data):
    """Each DER certificate of a file that holds one or more, one behind the other. ValueError when it is none."""
    at = 0
    while at < len(data):
        size = data[at + 1] if at + 4 < len(data) else 0
        if data[at] != 0x30 or size != 0x82:
            raise ValueError("the file of sip.tls_ca is no DER certificate: make deploy converts PEM")
        end = at + 4 + (data[at + 2] << 8 | data[at + 3])
        yield data[at:end]
        at = end


def begin(agent, flow):
    """TLS upon a flow whose socket is connected; the handshake begins with the first read. ValueError, in words, when we cannot
    judge certificates."""
    flow.state = _SHAKING
    flow.since = agent.timers.due(0)
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED
    if not agent.tls_ca:
        raise ValueError("no certificate is trusted: set sip.tls_ca")
    try:
        with open(agent.tls_ca, "rb") as file:
            data = file.read()
    except OSError:
        raise ValueError("there is no file '%s': sip.tls_ca must name the one that make deploy has put there" % agent.tls_ca)
    for one in certificates(data):
        if hasattr(tls, "SSLError"):
            context.load_verify_locations(cadata=one)
        else:
            context.load_verify_locations(one)
    sock = context.wrap_socket(flow.raw, server_hostname=name(agent, flow.key[0]), do_handshake_on_connect=False)
    if flow.sock is flow.raw:
        flow.sock = sock
    else:
        flow.raw = flow.sock.sock = sock  # CPython's takes the socket over


def words(agent, host, error):
    """What went wrong, for people; "" when it was nothing of TLS's own."""
    text = str(error)
    for sign, ours in _TROUBLE:
        if sign in text:
            if "%" in ours:
                ours = ours % name(agent, host)
            if "valid" in ours or "expired" in ours:
                ours += ", or the clock is wrong: it says %d-%02d-%02d" % gmtime()[:3]
            return "the server's certificate " + ours
    return ""
