"""Editing keys of the console's line: cursor, history, characters of several bytes. Loaded for the moment by lend()."""

from micropython import const

_HISTORY = const(12)  # lines remembered

# What ESC [ A and the like stand for: the letter or figure at its end, and the Ctrl key.
_ESCAPES = const(b"A\x10B\x0eC\x06D\x02H\x01F\x051\x017\x013\x044\x058\x05")


def remember(line, text):
    """For the key that brings lines back."""
    history = line.history
    if text.strip() and (not history or history[-1] != text):
        history.append(text)
        if len(history) > _HISTORY:
            history.pop(0)


def key(line, c):
    """One byte that is not simply typed -> what Line.key() gives for it."""
    if line.escape:
        _escaped(line, c)
    elif c >= 0x80:
        _utf8(line, c)
    elif line.bytes:  # a character that breaks off
        line.bytes = b""
        return line.key(c)
    elif c == 27:
        line.escape = b"\x1b"
    else:
        _control(line, c)
    return 0


def _utf8(line, c):
    if c >= 0xC0:
        line.bytes = bytes((c,))
    elif line.bytes:
        line.bytes += bytes((c,))
    else:
        return
    first = line.bytes[0]
    if len(line.bytes) == (2 if first < 0xE0 else 3 if first < 0xF0 else 4):
        try:
            line.insert(line.bytes.decode())
        except UnicodeError:
            pass
        line.bytes = b""


def _escaped(line, c):
    """ESC [ A, ESC O A, ESC [ 3 ~ and the like; others are ignored whole."""
    if len(line.escape) == 1:
        line.escape = line.escape + bytes((c,)) if c in b"[O" else b""
    elif c in b"0123456789;":
        line.escape = (line.escape + bytes((c,)))[:8]
    else:
        name = line.escape[2:] if c == 126 else bytes((c,))  # ~
        line.escape = b""
        at = _ESCAPES.find(name) if len(name) == 1 else -1
        if at >= 0 and not at & 1:
            _control(line, _ESCAPES[at + 1])


def _control(line, c):
    text, at = line.text, line.at
    if c in (8, 127):  # backspace
        if at:
            line.text, line.at = text[: at - 1] + text[at:], at - 1
    elif c == 4:  # Ctrl-D, delete
        line.text = text[:at] + text[at + 1 :]
    elif c == 1:  # Ctrl-A, home
        line.at = 0
    elif c == 5:  # Ctrl-E, end
        line.at = len(text)
    elif c == 2:  # Ctrl-B, left
        line.at = max(0, at - 1)
    elif c == 6:  # Ctrl-F, right
        line.at = min(len(text), at + 1)
    elif c == 11:  # Ctrl-K, cut to the end
        line.text = text[:at]
    elif c == 21:  # Ctrl-U, cut to the beginning
        line.text, line.at = text[at:], 0
    elif c == 16 and line.back < len(line.history):  # Ctrl-P, up
        _recall(line, line.back + 1)
    elif c == 14 and line.back:  # Ctrl-N, down
        _recall(line, line.back - 1)
    else:
        return
    line.redraw()


def _recall(line, back):
    line.back = back
    line.text = line.history[-back] if back else ""
    line.at = len(line.text)
