"""Header fields that scan.py has no number for. Loaded for the moment by lend()."""

from .scan import FIELDS


def values(message, name):
    """The value of each field line of that name (lower case, bytes), unfolded and trimmed."""
    index = message._index
    data = message.data
    n = len(name)
    out = []
    for k in range(FIELDS, len(index), 4):
        at = index[k + 1]
        # an unknown name's id is 0; what follows it is a colon, or blanks before one
        if not index[k] & 255 and data[at : at + n].lower() == name and data[at + n : at + n + 1] in b": \t":
            out.append(message._value(k))
    return out


def value(message, name):
    """The first one's, or None."""
    found = values(message, name)
    return found[0] if found else None
