"""The configuration for a person to see, and what was meant by a key that does not exist. Loaded for the moment by lend()."""

from lend import lend


def show(door, key=None):
    """The configuration: all of it, a group ("sip") or one key. Secrets are not shown."""
    from .console import Lines

    found = lines(door.config, key)
    return Lines(_with(next(found), found))  # a wrong key is told here, not while it is printed


def _with(first, rest):
    # Line by line: all of them at once take more than a small heap has.
    yield first
    for line in rest:
        yield line


def words(door, key, changed):
    """-> for who has set a value: what it is, and when it takes effect."""
    text = "%s = %s." % (key, shown(door.config, key))
    return text + (lend("door.apply").apply(door, key) if changed else " It was so before.")


def lines(config, key=None):
    """The table for a person, line by line: all of it, one group ("sip") or one key."""
    schema = lend("door.schema")
    if key and key in schema.keys():
        kind, default, limits, text = schema.entry(key)
        yield "%s = %s" % (key, shown(config, key))
        yield "  %s" % text
        if limits:
            yield "  %s; default %s" % (limits.replace("..", " to ").replace(",", ", "), default)
        return
    found = False
    for k in schema.keys():
        if not key or k.startswith(key + "."):
            found = True
            yield "%-16s%-18s%s" % (k, shown(config, k), schema.entry(k)[3])
    if not found:
        schema.entry(key)  # says which key is near
    if not key:
        for k in config.kept:
            yield "%-16skept, not used" % k


def shown(config, key):
    """The value for a person to see; never a secret."""
    value = config.get(key)
    if key in config.secrets.split(" "):
        return "(set)" if value else "(not set)"
    return str(value) if value != "" else "(empty)"


def nearest(key, keys):
    """Which key may have been meant, in words."""
    best, near = 99, None
    for k in keys:
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
