"""The configuration: typed values, one JSON file, and words for every mistake.

Only what differs from the default is stored:

    {"schema": 1, "sip.server": "192.0.2.10", "sip.user": "42", "sip.password": "..."}

Here are the values in force; the file is store.py's, the rules are schema.py's, both there only while they work."""

import json

from lend import lend


class Mistake(ValueError):
    """What was wrong and what would be right, for the person who wrote it."""


class Config:
    """The values in force. `words` holds what a person must know about the file that was loaded; `kept` what is in
    it but not used: keys of a newer version, and values that are wrong. They are never lost."""

    def __init__(self, path="config.json"):
        self.path = path
        self.values = ""  # a line a key, with its value as JSON: a dict of them would take four times the heap
        lend("door.store").defaults(self)

    def get(self, key):
        """The value in force: int for int keys, else str."""
        at = self.values.index("\n%s " % key)
        return json.loads(self.values[at + len(key) + 2 : self.values.find("\n", at + 1)])

    def lines(self, key=None):
        """The table for a person, line by line: all of it, one group ("sip") or one key. Mistake for an unknown one."""
        return lend("door.listed").lines(self, key)

    def set(self, key, value):
        """Sets and saves; None is the default again. -> True if it changed anything. Mistake in words."""
        return lend("door.store").set(self, key, value)

    def load(self):
        """Reads the file. Never fails: what cannot be used is set aside, and `words` says so."""
        return lend("door.store").load(self)
