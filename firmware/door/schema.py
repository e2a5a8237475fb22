"""The table of the configuration and the rules of its values: what `door.set` and `door.show` need.

Loaded for the moment by lend() and let go again: a door that nobody is configuring keeps only the values."""

from lend import lend

from .config import Mistake

# One line a key: name, kind, default ("-" is empty), range or choices | help. A few long strings: a tuple of tuples costs three
# times as much heap, and for a long one there may be no such piece: not 5 KB after a few calls, not 1 KB during one.
_TABLE = (
    """
sip.mode choice pbx pbx,house | house: the phones register at the door itself, which is their PBX
sip.server host - | registrar or PBX, with :port if not 5060; empty: no registration, direct calls only
sip.user user door | the door's account, the number that phones dial
sip.password secret - | password of that account
sip.auth_user user - | name for authentication, if the PBX wants another than sip.user
sip.display text - | name shown on the phone that rings
sip.transport choice auto auto,udp,tcp,tls | how messages travel; auto: as DNS says of the server's name, else udp
""",
    """
sip.proxy host - | outbound proxy, by which everything goes to the server
sip.backup host - | second server, registered at while sip.server is away
sip.tls_name name - | name in the server's certificate, if it is not that of sip.server
sip.tls_ca file ca.der | file of the certificates that TLS trusts, put there by make deploy CA=...
sip.session_s int 0 0,90..86400 | calls are refreshed within this many seconds; 0: only if the other side asks
sip.port int 5060 1..65535 | port of the door's own SIP
sip.expires_s int 300 60..86400 | how long one registration lasts
""",
    """
button.1.target target - | whom the button calls: a number, or sip:101@192.0.2.10; of a house, all if empty
house.all user 100 | number that rings all phones of the house
house.realm name house | what the phones' passwords are for: with another, all need new ones
house.max_tcp int 3 0..4 | phones that may register by TCP, beside all those over UDP
house.redirect user - | numbers whose callers are told where the phone is (302); * for all
house.out.server host - | server of calls outside the house, with :port if not 5060; empty: there are none
house.out.user user - | the house's account there, as a rule its number
""",
    """
house.out.password secret - | password of that account
house.out.auth_user user - | name for authentication, if that server wants another
house.out.prefixes prefixes - | what numbers that are called there begin with, like 0,+49; empty: none is called
house.out.phones user - | phones that calls from there ring, like kitchen,102; empty: all
house.out2.server host - | a second such server; the longer prefix decides
house.out2.user user - | the house's account there
house.out2.password secret - | its password
house.out2.auth_user user - | name for authentication, if that server wants another
""",
    """
house.out2.prefixes prefixes - | what numbers that are called there begin with
house.out2.phones user - | phones that calls from there ring
call.incoming choice answer answer,ring,reject | what a call to the door does; ring: the button answers
call.peers peers - | addresses that may call beside sip.server, separated by commas
call.ring_s int 45 5..300 | a call that nobody answers ends after this
call.max_s int 600 0..86400 | longest call; 0: no limit
door.code code - | keys that open the door during a call; empty: calls cannot open it
door.open_s int 3 1..60 | how long the relay opens
""",
    """
dtmf.inband choice on on,off | keys are heard in the sound, too, for phones that send them no other way
dtmf.send choice rtp rtp,info | how door.keys("12#") goes: with the sound (RFC 4733) or by SIP INFO
dtmf.tone_ms int 100 40..60000 | how long each of these keys is pressed
dtmf.gap_ms int 100 40..5000 | and how long the pause after it is
audio.gain_db int 0 -60..48 | microphone gain in dB
audio.volume_db int 0 -60..18 | loudspeaker volume in dB
audio.agc choice on on,off | who speaks softly or loudly is brought to a comfortable level, by up to 12 dB
""",
    """
audio.silence choice off off,on | on: nothing is sent while nobody speaks, but comfort noise where the phone takes it
audio.tones choice eu eu,at,au,be,br,ch,cn,cz,de,dk,es,fi,fr,hu,it,jp,nl,no,nz,pl,pt,ru,se,tw,uk,us | country whose tones sound
sound.ring file - | WAV file that the visitor hears when the button calls, like ring.wav
sound.welcome file - | WAV file that the other side hears when the call is answered
sound.open file - | WAV file for both when the door opens; empty: a tone
sound.nobody file - | WAV file that the visitor hears when nobody comes; empty: a tone
""",
    """
audio.wideband choice auto auto,on,off | G.722, twice the bandwidth, offered first; auto: where the board has time and room
audio.echo choice gate gate,cancel,off | gate: the microphone is quiet while the speaker talks; cancel: both may talk
rtp.first_port int 20000 1024..65534 | first UDP port for sound
rtp.secure choice off off,preferred,required | encrypted sound (SRTP): never, where the other side can, or no call without it
rtp.keys_over choice tls tls,any | what its keys may travel over; any: UDP and TCP too, where others can read them
""",
    """
rtp.last_port int 20098 1024..65535 | last UDP port for sound; RTCP uses the one after that of the sound
rtp.timeout_s int 60 0,5..3600 | a call ends if nothing has come for so long from who ought to send; 0: never
wifi.ssid text - | name of the Wi-Fi network
wifi.password secret - | its password
net.hostname name sipdoor | the door's name in the local network
net.dscp choice on on,off | packets are marked for routers (DSCP 46 sound, 26 SIP) where the port can; ESP32 cannot
net.ntp name pool.ntp.org | server that tells the time when TLS needs it
""",
)  # fmt: skip


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


def _rule(kind):
    """(test, what it is called, what would be right) of every kind but int, choice and peers; None for those. Made when it is asked
    for: all of them at once take 1 KB more."""
    if kind == "host":
        return _is_host, "a host name", "write a name like pbx.example or an address like 192.0.2.10"
    if kind == "name":
        return lambda t: _is_host(t, False), "a host name", "write letters, digits and hyphens, like front-door"
    if kind == "user":
        return _is_user, "a SIP user name", "write it without spaces, like 42 or front-door"
    if kind == "target":
        return _is_target, "a number or a SIP address", "write 101 or sip:101@192.0.2.10"
    if kind == "prefixes":
        return lambda t: _only(t, _DIGITS + "+*, "), "a list of prefixes", 'write digits with commas between, like "0,+49"'
    if kind == "file":
        return _is_file, "a file name", "write one of at most 32 letters, like ca.der"
    if kind == "code":
        return (
            lambda t: len(t) <= 16 and _only(t, _DIGITS + "*#ABCD"), "a door code",
            'write 1 to 16 of the keys 0-9, * and #, like "2580"',
        )  # fmt: skip
    if kind == "text" or kind == "secret":
        return _is_text, "a plain text" if kind == "text" else "a password", "write at most 64 bytes in one line"
    return None


def keys():
    """Every key, in the table's order."""
    for part in _TABLE:
        at = 1
        while at < len(part):  # line by line: all at once take 8 KB
            yield part[at : part.find(" ", at)]
            at = part.find("\n", at) + 1


def entry(key):
    """-> (kind, default, range, help); Mistake with the nearest key if there is no such key."""
    for part in _TABLE if key and " " not in key else ():
        at = part.find("\n" + key + " ")
        if at >= 0:
            break
    else:
        raise Mistake("there is no key '%s'; %s" % (key, lend("door.listed").nearest(key, keys())))
    line = part[at + len(key) + 2 : part.find("\n", at + 1)]
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
    if isinstance(value, bool) and kind == "choice" and "on" in limits.split(","):
        value = "on" if value else "off"
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
    good, what, right = _rule(kind)
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
