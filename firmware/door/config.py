"""The configuration: one typed table, one JSON file, and words for every mistake.

A value is looked up in what was set, else in the table. Only what differs from the default is stored:

    {"schema": 1, "sip.server": "192.0.2.10", "sip.user": "42", "sip.password": "..."}

The file is replaced by a rename, which LittleFS does in one step: after a power cut the old file or the new one
is there, whole. Nothing here raises anything but ConfigError (and nothing at all while loading).
"""

import json
import os

SCHEMA = 1  # rises when a key changes its name or meaning; _MIGRATIONS then says how

# One line a key: name, kind, default ("-" is empty), range or choices | help. One string, because a tuple of
# tuples of strings costs three times as much heap; it is read seldom and kept for good.
_TABLE = """
sip.server host - | registrar or PBX, with :port if not 5060; empty: no registration, direct calls only
sip.user user door | the door's account, the number that phones dial
sip.password secret - | password of that account
sip.auth_user user - | name for authentication, if the PBX wants another than sip.user
sip.display text - | name shown on the phone that rings
sip.port int 5060 1..65535 | UDP port of the door's own SIP
sip.expires_s int 300 60..86400 | how long one registration lasts
button.1.target target - | whom the button calls: a number at sip.server, or sip:101@192.0.2.10
call.incoming choice answer answer,ring,reject | what a call to the door does; ring: the button answers
call.peers peers - | addresses that may call beside sip.server, separated by commas
call.ring_s int 45 5..300 | a call that nobody answers ends after this
call.max_s int 600 0..86400 | longest call; 0: no limit
door.code code - | keys that open the door during a call; empty: calls cannot open it
door.open_s int 3 1..60 | how long the relay opens
audio.gain_db int 0 -40..60 | microphone gain, added to the board's own
audio.volume_db int 0 -60..20 | loudspeaker volume
rtp.first_port int 20000 1024..65534 | first UDP port for sound
rtp.last_port int 20098 1024..65535 | last UDP port for sound
wifi.ssid text - | name of the Wi-Fi network
wifi.password secret - | its password
net.hostname name sipdoor | the door's name in the local network
"""

_MIGRATIONS = {}  # {old schema: function(dict), which makes it that schema + 1}
_MAX_FILE = 16384  # a longer file is not ours, and would not fit the heap
_DIGITS = "0123456789"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class ConfigError(ValueError):
    """What was wrong and what would be right, for the person who wrote it."""


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


def _is_text(text):
    return all(" " <= c != "\x7f" for c in text) and len(text.encode()) <= 64


# kind: (test, what it is called, what would be right); every kind but int, choice and peers
_KINDS = {
    "host": (_is_host, "a host name", "write a name like pbx.example or an address like 192.0.2.10"),
    "name": (lambda t: _is_host(t, False), "a host name", "write letters, digits and hyphens, like front-door"),
    "user": (_is_user, "a SIP user name", "write it without spaces, like 42 or front-door"),
    "target": (_is_target, "a number or a SIP address", "write 101 or sip:101@192.0.2.10"),
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


def _entry(key):
    """-> (kind, default, range, help); ConfigError with the nearest key if there is no such key."""
    at = _TABLE.find("\n" + key + " ") if key and " " not in key else -1
    if at < 0:
        raise ConfigError("there is no key '%s'; %s" % (key, _nearest(key)))
    line = _TABLE[at + len(key) + 2 : _TABLE.find("\n", at + 1)]
    spec, _, text = line.partition(" | ")
    spec = spec.split(" ")
    return spec[0], "" if spec[1] == "-" else spec[1], spec[2] if len(spec) > 2 else "", text


def is_secret(key):
    return _entry(key)[0] in ("secret", "code")


def _nearest(key):
    best, near = 99, None
    for k in keys():
        d = 1 if k.endswith("." + key) else _distance(key, k)
        if d < best:
            best, near = d, k
    if near and best <= 2 + len(near) // 4:
        return "did you mean '%s'?" % near
    return "door.show() lists them"


def _distance(a, b):
    """Levenshtein's: the number of letters to change."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a[:40]):
        left = i + 1
        diagonal, row[0] = row[0], left
        for j, y in enumerate(b):
            left = min(left + 1, row[j + 1] + 1, diagonal + (x != y))
            diagonal, row[j + 1] = row[j + 1], left
    return row[-1]


def check(key, value):
    """The value as it is stored (int or str) for what a person wrote; ConfigError in words."""
    kind, default, limits, _ = _entry(key)
    if kind == "int":
        low, _, high = limits.partition("..")
        if isinstance(value, str):
            try:
                value = int(value.strip())
            except ValueError:
                pass
        if not isinstance(value, int) or isinstance(value, bool) or not int(low) <= value <= int(high):
            raise ConfigError("%s: %s is not a number from %s to %s, like %s" % (key, _quote(value), low, high, default))
        return value
    if kind == "peers":
        return _check_peers(key, value)
    if isinstance(value, int) and not isinstance(value, bool) and kind in ("code", "user", "target", "secret"):
        value = str(value)  # door.set("sip.user", 42) is what anybody writes
    if not isinstance(value, str):
        value = "what you wrote" if is_secret(key) else _quote(value)
        raise ConfigError("%s: %s is not a text; put it in quotes" % (key, value))
    value = value if kind == "secret" else value.strip()
    if kind == "choice":
        if value not in limits.split(","):
            raise ConfigError("%s: %s is not one of %s" % (key, _quote(value), limits.replace(",", ", ")))
        return value
    good, what, right = _KINDS[kind]
    if value and not good(value):
        shown = "what you wrote" if is_secret(key) else _quote(value)
        raise ConfigError("%s: %s is not %s; %s" % (key, shown, what, right))
    return value


def _check_peers(key, value):
    parts = value.replace(" ", ",").split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)):
        parts = (value,)
    parts = [p for p in parts if p != ""]
    for p in parts:
        if not isinstance(p, str) or not is_address(p):
            text = '%s: %s is not an IPv4 address; write "192.0.2.20" or "192.0.2.20, 192.0.2.21"'
            raise ConfigError(text % (key, _quote(p)))
    if len(parts) > 16:
        raise ConfigError("%s: %d addresses are too many; write at most 16" % (key, len(parts)))
    return ",".join(parts)


def _quote(value):
    text = "'%s'" % value if isinstance(value, str) else repr(value)
    return text if len(text) < 60 else text[:56] + "...'"


def _is_missing(error):
    return error.errno == 2  # ENOENT


class Config:
    """The values in force. `words` holds what a person must know about the file that was loaded."""

    def __init__(self, path="config.json"):
        self.path = path
        self.words = []
        self._set = {}  # what differs from the default
        self._kept = {}  # keys of a newer version and values that are wrong: not used, but never lost
        self.schema = SCHEMA

    def load(self):
        """Reads the file. Never fails: what cannot be used is set aside, and `words` says so."""
        self.words, self._set, self._kept = [], {}, {}
        try:
            if os.stat(self.path)[6] > _MAX_FILE:
                raise ValueError("too long")
            with open(self.path) as f:
                data = json.load(f)
            if not isinstance(data, dict):
                raise ValueError("not a configuration")
            known = [k for k in data if isinstance(k, str) and "\n" + k + " " in _TABLE]
            if data and not known and "schema" not in data:
                raise ValueError("of something else")
        except OSError as e:
            if not _is_missing(e):
                self._aside("cannot be read (%s)" % e)
            return self
        except Exception as e:  # ValueError, but also what a deep or huge file makes of the parser
            self._aside("is %s" % e if str(e) in ("too long", "not a configuration", "of something else") else "is damaged")
            return self
        self._migrate(data)
        for key in data:
            value = data[key]
            if "\n" + key + " " not in _TABLE:
                self._kept[key] = value
                continue
            try:
                self._put(key, check(key, value))
            except ConfigError as e:
                self._kept[key] = value
                self.words.append("%s: %s; the default is used" % (self.path, e))
        return self

    def _migrate(self, data):
        schema = data.pop("schema", SCHEMA)
        if not isinstance(schema, int) or isinstance(schema, bool):
            schema = SCHEMA
        while schema in _MIGRATIONS:
            _MIGRATIONS[schema](data)
            schema += 1
        self.schema = max(schema, SCHEMA)
        if schema > SCHEMA:
            text = "%s was written by a newer version; what this one does not know is kept, not used"
            self.words.append(text % self.path)

    def _aside(self, what):
        kept = self.path + ".bad"
        try:
            os.rename(self.path, kept)
            kept = "it is kept as %s" % kept
        except OSError:
            kept = "it could not be set aside"
        self.words.append("%s %s: the defaults are used, and %s" % (self.path, what, kept))

    def save(self):
        """Replaces the file in one step. OSError if the flash refuses; the old file is then still there."""
        data = dict(self._kept)
        data.update(self._set)
        data["schema"] = self.schema
        new = self.path + ".new"
        with open(new, "w") as f:
            json.dump(data, f)
            f.flush()
        os.rename(new, self.path)

    def get(self, key):
        """The value in force: int for int keys, else str."""
        if key in self._set:
            return self._set[key]
        kind, default, _, _ = _entry(key)
        return int(default) if kind == "int" else default

    def set(self, key, value):
        """Sets and saves; None is the default again. -> True if it changed anything. ConfigError in words."""
        if value is None:
            kind, value, _, _ = _entry(key)
            value = int(value) if kind == "int" else value
        else:
            value = check(key, value)
        changed = value != self.get(key)
        if not changed and key not in self._kept:
            return False
        self._put(key, value)
        self._kept.pop(key, None)
        try:
            self.save()
        except OSError as e:
            raise ConfigError("%s holds until the next restart: %s could not be written (%s)" % (key, self.path, e))
        return changed

    def _put(self, key, value):
        self._set.pop(key, None)
        if value != self.get(key):
            self._set[key] = value

    def text(self, key):
        """The value for a person to see; never a secret."""
        value = self.get(key)
        if is_secret(key):
            return "(set)" if value else "(not set)"
        return str(value) if value != "" else "(empty)"

    def lines(self, key=None):
        """The table for a person, line by line: all of it, one group ("sip") or one key."""
        if key and "\n" + key + " " in _TABLE:
            kind, default, limits, text = _entry(key)
            yield "%s = %s" % (key, self.text(key))
            yield "  %s" % text
            if limits:
                yield "  %s; default %s" % (limits.replace("..", " to ").replace(",", ", "), default)
            return
        found = False
        for k in keys():
            if not key or k.startswith(key + "."):
                found = True
                yield "%-16s%-18s%s" % (k, self.text(k), _entry(k)[3])
        if not found:
            _entry(key)  # says which key is near
        if not key:
            for k in self._kept:
                yield "%-16skept, not used" % k
