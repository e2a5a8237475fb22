"""The configuration: typed values, one JSON file, and words for every mistake.

Only what differs from the default is stored:

    {"schema": 1, "sip.server": "192.0.2.10", "sip.user": "42", "sip.password": "..."}

The file is replaced by a rename, which LittleFS does in one step: after a power cut the old file or the new one
is there, whole. Nothing here raises anything but Mistake (and nothing at all while loading)."""

import json
import os

from lend import lend
from micropython import const

_SCHEMA = const(1)  # rises when a key changes its name or meaning; _MIGRATIONS then says how

_MIGRATIONS = {}  # {old schema: function(dict), which makes it that schema + 1}
_MAX_FILE = const(16384)  # a longer file is not ours, and would not fit the heap
_ENOENT = const(2)


class Mistake(ValueError):
    """What was wrong and what would be right, for the person who wrote it."""


class Config:
    """The values in force. `words` holds what a person must know about the file that was loaded; `kept` what is in
    it but not used: keys of a newer version, and values that are wrong. They are never lost."""

    def __init__(self, path="config.json"):
        self.path = path
        self.words = []
        self.kept = {}
        self.schema = _SCHEMA
        self.secrets = ()
        self._values = {}
        self._defaults(lend("door.schema"))

    def _defaults(self, schema):
        self._values = {k: schema.default(k) for k in schema.keys()}
        self.secrets = tuple(k for k in self._values if schema.is_secret(k))

    def keys(self):
        """Every key."""
        return self._values

    def get(self, key):
        """The value in force: int for int keys, else str."""
        return self._values[key]

    def text(self, key):
        """The value for a person to see; never a secret."""
        value = self._values[key]
        if key in self.secrets:
            return "(set)" if value else "(not set)"
        return str(value) if value != "" else "(empty)"

    def lines(self, key=None):
        """The table for a person, line by line: all of it, one group ("sip") or one key. Mistake for an unknown one."""
        return lend("door.schema").lines(self, key)

    def set(self, key, value):
        """Sets and saves; None is the default again. -> True if it changed anything. Mistake in words."""
        schema = lend("door.schema")
        value = schema.default(key) if value is None else schema.check(key, value)
        changed = value != self._values[key]
        if not changed and key not in self.kept:
            return False
        self._values[key] = value
        self.kept.pop(key, None)
        try:
            self._save(schema)
        except OSError as e:
            raise Mistake("%s holds until the next restart: %s could not be written (%s)" % (key, self.path, e))
        return changed

    def _save(self, schema):
        """Replaces the file in one step. OSError if the flash refuses; the old file is then still there."""
        data = dict(self.kept)
        for key in self._values:
            if self._values[key] != schema.default(key):
                data[key] = self._values[key]
        data["schema"] = self.schema
        new = self.path + ".new"
        with open(new, "w") as f:
            json.dump(data, f)
            f.flush()
        os.rename(new, self.path)

    def load(self):
        """Reads the file. Never fails: what cannot be used is set aside, and `words` says so."""
        schema = lend("door.schema")
        self._defaults(schema)
        self.words, self.kept = [], {}
        why = "is damaged"
        try:
            if os.stat(self.path)[6] > _MAX_FILE:
                why = "is too long"
                raise ValueError
            with open(self.path) as f:
                data = json.load(f)
            if not isinstance(data, dict):
                why = "is not a configuration"
                raise ValueError
            if data and "schema" not in data and not any(k in self._values for k in data):
                why = "is of something else"
                raise ValueError
        except OSError as e:
            if e.errno != _ENOENT:
                self._aside("cannot be read (%s)" % e)
            return self
        except Exception:  # ValueError, but also what a deep or huge file makes of the parser
            self._aside(why)
            return self
        self._migrate(data)
        for key in data:
            if key not in self._values:
                self.kept[key] = data[key]
                continue
            try:
                self._values[key] = schema.check(key, data[key])
            except Mistake as e:
                self.kept[key] = data[key]
                self.words.append("%s: %s; the default is used" % (self.path, e))
        return self

    def _migrate(self, data):
        schema = data.pop("schema", _SCHEMA)
        if not isinstance(schema, int) or isinstance(schema, bool):
            schema = _SCHEMA
        while schema in _MIGRATIONS:
            _MIGRATIONS[schema](data)
            schema += 1
        self.schema = max(schema, _SCHEMA)
        if schema > _SCHEMA:
            text = "%s was written by a newer version; what this one does not know is kept, not used"
            self.words.append(text % self.path)

    def _aside(self, words):
        kept = self.path + ".bad"
        try:
            os.rename(self.path, kept)
            kept = "it is kept as %s" % kept
        except OSError:
            kept = "it could not be set aside"
        self.words.append("%s %s: the defaults are used, and %s" % (self.path, words, kept))
