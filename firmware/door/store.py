"""The configuration's file, read and written. Loaded for the moment by lend().

The file is replaced by a rename, which LittleFS does in one step: after a power cut the old file or the new one
is there, whole. Nothing here raises anything but Mistake (and nothing at all while loading)."""

import json
import os

from lend import lend, sweep
from micropython import const

from .config import Mistake

_SCHEMA = const(1)  # rises when a key changes its name or meaning; _MIGRATIONS then says how

_MIGRATIONS = {}  # {old schema: function(dict), which makes it that schema + 1}
_MAX_FILE = const(16384)  # a longer file is not ours, and would not fit the heap
_ENOENT = const(2)


def _fill(config, schema, values):
    """Puts these values in force, and the defaults of the others."""
    lines = [""]
    for key in schema.keys():
        value = values.get(key)
        lines.append("%s %s" % (key, json.dumps(schema.default(key) if value is None else value)))
    lines.append("")
    config.values = "\n".join(lines)


def defaults(config):
    """Forgets all values."""
    schema = lend("door.schema")
    config.words = []
    config.kept = {}
    config.schema = _SCHEMA
    config.secrets = " ".join([k for k in schema.keys() if schema.is_secret(k)])
    _fill(config, schema, {})


def set(config, key, value):
    """See Config.set()."""
    schema = lend("door.schema")
    value = schema.default(key) if value is None else schema.check(key, value)
    changed = value != config.get(key)
    if not changed and key not in config.kept:
        return False
    config.kept.pop(key, None)
    # In a call there may be no room for the rules beside a second copy of all values.
    schema = None
    sweep()
    old = config.get(key)
    _put(config, key, json.dumps(value))
    try:
        _save(config, lend("door.schema"))
    except MemoryError:
        _put(config, key, json.dumps(old))  # it is tried again, or has not happened
        raise
    except OSError as e:
        raise Mistake("%s holds until the next restart: %s could not be written (%s)" % (key, config.path, e))
    return changed


def _put(config, key, value):
    """The value (text) in force, in the place of the one there is."""
    values = config.values
    at = values.index("\n%s " % key) + len(key) + 2
    config.values = "".join((values[:at], value, values[values.index("\n", at) :]))


def _save(config, schema):
    """Replaces the file in one step. OSError if the flash refuses; the old file is then still there."""
    new = config.path + ".new"
    with open(new, "w") as f:
        f.write('{"schema": %d' % config.schema)
        for key in schema.keys():
            value = config.get(key)
            if value != schema.default(key):
                f.write(', "%s": %s' % (key, json.dumps(value)))
        for key in config.kept:
            f.write(", %s: %s" % (json.dumps(key), json.dumps(config.kept[key])))
        f.write("}")
        f.flush()
    os.rename(new, config.path)


def load(config, migrations=_MIGRATIONS):
    """See Config.load()."""
    schema = lend("door.schema")
    defaults(config)
    why = "is damaged"
    try:
        if os.stat(config.path)[6] > _MAX_FILE:
            why = "is too long"
            raise ValueError
        with open(config.path) as f:
            data = json.load(f)
        if not isinstance(data, dict):
            why = "is not a configuration"
            raise ValueError
        known = list(schema.keys())
        if data and "schema" not in data and not any(k in known for k in data):
            why = "is of something else"
            raise ValueError
    except OSError as e:
        if e.errno != _ENOENT:
            _aside(config, "cannot be read (%s)" % e)
        return config
    except Exception:  # ValueError, but also what a deep or huge file makes of the parser
        _aside(config, why)
        return config
    _migrate(config, data, migrations)
    values = {}
    for key in data:
        try:
            if key in known:
                values[key] = schema.check(key, data[key])
                continue
        except Mistake as e:
            config.words.append("%s: %s; the default is used" % (config.path, e))
        config.kept[key] = data[key]
    _fill(config, schema, values)
    return config


def _migrate(config, data, migrations):
    schema = data.pop("schema", _SCHEMA)
    if not isinstance(schema, int) or isinstance(schema, bool):
        schema = _SCHEMA
    while schema in migrations:
        migrations[schema](data)
        schema += 1
    config.schema = max(schema, _SCHEMA)
    if schema > _SCHEMA:
        text = "%s was written by a newer version; what this one does not know is kept, not used"
        config.words.append(text % config.path)


def _aside(config, words):
    kept = config.path + ".bad"
    try:
        os.rename(config.path, kept)
        kept = "it is kept as %s" % kept
    except OSError:
        kept = "it could not be set aside"
    config.words.append("%s %s: the defaults are used, and %s" % (config.path, words, kept))
