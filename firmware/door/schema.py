"""The table of the configuration and the rules of its values: what `door.set` and `door.show` need.

Loaded for the moment by lend() and let go again: a door that nobody is configuring keeps only the values."""

from lend import lend

from .config import Mistake

# One line a key: name, kind, default ("-" is empty), range or choices | help. One string, because a tuple of
# tuples of strings costs three times as much heap; it is read seldom and kept for good.
_TABLE = """
sip.server host - | registrar or PBX, with :port if not 5060; empty: no registration, direct calls only
sip.user user door | the door's account, the number that phones dial
sip.password secret - | password of that account
sip.auth_user user - | name for authentication, if the PBX wants another than sip.user
sip.display text - | name shown on the phone that rings
sip.transport choice auto auto,udp,tcp,tls | how messages travel; auto: as DNS says of the server's name, else udp
sip.proxy host - | outbound proxy, by which everything goes to the server
sip.backup host - | second server, registered at while sip.server is away
sip.tls_name name - | name in the server's certificate, if it is not that of sip.server
sip.tls_ca file ca.der | file of the certificates that TLS trusts, put there by make deploy CA=...
sip.session_s int 0 0,90..86400 | calls are refreshed within this many seconds; 0: only if the other side asks
sip.port int 5060 1..65535 | port of the door's own SIP
sip.expires_s int 300 60..86400 | how long one registration lasts
button.1.target target - | whom the button calls: a number at sip.server, or sip:101@192.0.2.10
call.incoming choice answer answer,ring,reject | what a call to the door does; ring: the button answers
call.peers peers - | addresses that may call beside sip.server, separated by commas
call.ring_s int 45 5..300 | a call that nobody answers ends after this
call.max_s int 600 0..86400 | longest call; 0: no limit
door.code code - | keys that open the door during a call; empty: calls cannot open it
door.open_s int 3 1..60 | how long the relay opens
audio.gain_db int 0 -60..48 | microphone gain in dB
audio.volume_db int 0 -60..18 | loudspeaker volume in dB
rtp.first_port int 20000 1024..65534 | first UDP port for sound
rtp.last_port int 20098 1024..65535 | last UDP port for sound
wifi.ssid text - | name of the Wi-Fi network
wifi.password secret - | its password
net.hostname name sipdoor | the door's name in the local network
net.ntp name pool.ntp.org | server that tells the time when TLS needs it
"""


_DIGITS = "0123456789"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def is_address(text):
    """True for an IPv4 address in dotted decimals."""
    parts = text.split(".")
    return len(parts) == 4 and all(_only(p, _DIGITS) and len(p) <= 3 and int(p) <= 255 for p in parts)


def _only(text, allowed):
    return bool(text) and all(c in allowed for c in text)


def _is_host(text, port=True):
    """RFC 3261 25.1 `host`, with `:port` when `port` is true; IPv4 and names."""
    if port and ":" in text:
        text, _, number = text.partition(":")
        if not (_only(number, _DIGITS) and len(number) <= 5 and 0 < int(number) < 65536):
            return False
    if _only(text.replace(".", ""), _DIGITS):  # what looks like an address must be one
        return is_address(text)
    labels = text.lower().split(".")
    return len(text) < 254 and all(
        len(x) < 64 and _only(x, _LETTERS + _DIGITS + "-_") and x[0] != "-" and x[-1] != "-" for x in labels
    )


def _is_user(text):
    return len(text) <= 64 and _only(text.lower(), _LETTERS + _DIGITS + "-_.!~*'()&=+$,;?/%")


def _is_target(text):
    uri = text[4:] if text.lower().startswith("sip:") else text
    user, at, host = uri.partition("@")
    if not at and uri is not text:
        return _is_host(uri)  # sip:192.0.2.10
    return _is_user(user) and (not at or _is_host(host))


def _is_file(text):
    return len(text) <= 32 and _only(text.lower(), _LETTERS + _DIGITS + "-_./")


def _is_text(text):
    return all(" " <= c != "\x7f" for c in text) and len(text.encode()) <= 64


# kind: (test, what it is called, what would be right); every kind but int, choice and peers
_KINDS = {
    "host": (_is_host, "a host name", "write a name like pbx.example or an address like 192.0.2.10"),
    "name": (lambda t: _is_host(t, False), "a host name", "write letters, digits and hyphens, like front-door"),
    "user": (_is_user, "a SIP user name", "write it without spaces, like 42 or front-door"),
    "target": (_is_target, "a number or a SIP address", "write 101 or sip:101@192.0.2.10"),
    "file": (_is_file, "a file name", "write one of at most 32 letters, like ca.der"),
    "text": (_is_text, "a plain text", "write at most 64 bytes in one line"),
    "secret": (_is_text, "a password", "write at most 64 bytes in one line"),
    "code": (
        lambda t: len(t) <= 16 and _only(t, _DIGITS + "*#ABCD"),
        "a door code",
        "write 1 to 16 of the keys 0-9, * and #, like \"2580\"",
    ),
}


def keys():
    """Every key, in the table's order."""
    for line in _TABLE.split("\n"):
        if line:
            yield line[: line.find(" ")]


def entry(key):
    """-> (kind, default, range, help); Mistake with the nearest key if there is no such key."""
    at = _TABLE.find("\n" + key + " ") if key and " " not in key else -1
    if at < 0:
        raise Mistake("there is no key '%s'; %s" % (key, lend("door.listed").nearest(key, keys())))
    line = _TABLE[at + len(key) + 2 : _TABLE.find("\n", at + 1)]
    spec, _, text = line.partition(" | ")
    spec = spec.split(" ")
    return spec[0], "" if spec[1] == "-" else spec[1], spec[2] if len(spec) > 2 else "", text


def default(key):
    """The value of a key that nobody has set."""
    kind, value, _, _ = entry(key)
    return int(value) if kind == "int" else value


def is_secret(key):
    return entry(key)[0] in ("secret", "code")


def check(key, value):
    """The value as it is stored (int or str) for what a person wrote; Mistake in words."""
    kind, default, limits, _ = entry(key)
    if kind == "int":
        low, _, high = limits.partition("..")
        none, _, low = low.rpartition(",")
        if isinstance(value, str):
            try:
                value = int(value.strip())
            except ValueError:
                pass
        if none and str(value) == none:
            return value
        if not isinstance(value, int) or isinstance(value, bool) or not int(low) <= value <= int(high):
            low = "%s or %s" % (none, low) if none else low
            raise Mistake("%s: %s is not a number from %s to %s, like %s" % (key, _quote(value), low, high, default))
        return value
    if kind == "peers":
        return _check_peers(key, value)
    if isinstance(value, int) and not isinstance(value, bool) and kind in ("code", "user", "target", "secret"):
        value = str(value)  # door.set("sip.user", 42) is what anybody writes
    if not isinstance(value, str):
        value = "what you wrote" if is_secret(key) else _quote(value)
        raise Mistake("%s: %s is not a text; put it in quotes" % (key, value))
    value = value if kind == "secret" else value.strip()
    if kind == "choice":
        if value not in limits.split(","):
            raise Mistake("%s: %s is not one of %s" % (key, _quote(value), limits.replace(",", ", ")))
        return value
    good, what, right = _KINDS[kind]
    if value and not good(value):
        value = "what you wrote" if is_secret(key) else _quote(value)
        raise Mistake("%s: %s is not %s; %s" % (key, value, what, right))
    return value


def _check_peers(key, value):
    parts = value.replace(" ", ",").split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)):
        parts = (value,)
    parts = [p for p in parts if p != ""]
    for p in parts:
        if not isinstance(p, str) or not is_address(p):
            text = '%s: %s is not an IPv4 address; write "192.0.2.20" or "192.0.2.20, 192.0.2.21"'
            raise Mistake(text % (key, _quote(p)))
    if len(parts) > 16:
        raise Mistake("%s: %d addresses are too many; write at most 16" % (key, len(parts)))
    return ",".join(parts)


def _quote(value):
    text = "'%s'" % value if isinstance(value, str) else repr(value)
    return text if len(text) < 60 else text[:56] + "...'"
