"""The line that a person edits at the serial console: keys in, text and echo out. No clock, no stream, no
Python: that is in python.py."""

from micropython import const

ENTER = const(1)
INTERRUPT = const(2)  # Ctrl-C
END = const(3)  # Ctrl-D on an empty line
RAW = const(4)  # Ctrl-A on an empty line: a program asks for the raw REPL
TAB = const(5)

_LONGEST = const(1000)  # characters of one line
_HISTORY = const(12)  # lines remembered

_ESCAPES = {"A": 16, "B": 14, "C": 6, "D": 2, "H": 1, "F": 5, "1": 1, "7": 1, "3": 4, "4": 5, "8": 5}  # to Ctrl keys


class Line:
    """One line being edited. `write(text)` echoes to the terminal."""

    def __init__(self, write):
        self.write = write
        self.prompt = ""
        self.text = ""
        self.at = 0  # the cursor's place in it
        self._history = []
        self._back = 0  # how far back in the history, 0 is the line itself
        self._escape = ""
        self._bytes = b""  # of a character that is not whole yet
        self._was_cr = False

    def begin(self, prompt):
        """A new line, with its prompt."""
        self.prompt = prompt
        self.text = ""
        self.at = self._back = 0
        self.write(prompt)

    def redraw(self):
        self.write("\r%s%s\x1b[K" % (self.prompt, self.text))
        if self.at < len(self.text):
            self.write("\x1b[%dD" % (len(self.text) - self.at))

    def hide(self):
        """Clears the screen's line, so that something can be printed in its place."""
        self.write("\r\x1b[K")

    def remember(self, text):
        if text.strip() and (not self._history or self._history[-1] != text):
            self._history.append(text)
            if len(self._history) > _HISTORY:
                self._history.pop(0)

    def insert(self, text):
        if len(self.text) + len(text) > _LONGEST:
            self.write("\a")
            return
        if self.at == len(self.text):
            self.text += text
            self.at += len(text)
            self.write(text)
        else:
            self.text = self.text[: self.at] + text + self.text[self.at :]
            self.at += len(text)
            self.redraw()

    def key(self, c):
        """One byte from the terminal -> 0, or what it asks for: ENTER, INTERRUPT, END, RAW or TAB."""
        if self._escape:
            return self._escaped(c)
        if c >= 0x80:
            self._utf8(c)
            return 0
        self._bytes = b""
        was_cr, self._was_cr = self._was_cr, c == 13
        if c == 10 and was_cr:
            return 0
        if c >= 32 and c != 127:
            self.insert(chr(c))
        elif c in (13, 10):
            self.write("\n")
            return ENTER
        elif c == 27:
            self._escape = "\x1b"
        elif c == 3:
            return INTERRUPT
        elif c == 9:
            return TAB
        elif not self.text and c in (1, 4):
            return RAW if c == 1 else END
        else:
            self._control(c)
        return 0

    def _utf8(self, c):
        if c >= 0xC0:
            self._bytes = bytes((c,))
        elif self._bytes:
            self._bytes += bytes((c,))
        else:
            return
        first = self._bytes[0]
        if len(self._bytes) == (2 if first < 0xE0 else 3 if first < 0xF0 else 4):
            try:
                self.insert(self._bytes.decode())
            except UnicodeError:
                pass
            self._bytes = b""

    def _escaped(self, c):
        """ESC [ A, ESC O A, ESC [ 3 ~ and the like; others are ignored whole."""
        c = chr(c & 127)
        if len(self._escape) == 1:
            self._escape = self._escape + c if c in "[O" else ""
        elif "0" <= c <= "9" or c == ";":
            self._escape = (self._escape + c)[:8]
        else:
            name = self._escape[2:] if c == "~" else c
            self._escape = ""
            if name in _ESCAPES:
                self._control(_ESCAPES[name])
        return 0

    def _control(self, c):
        text, at = self.text, self.at
        if c in (8, 127):  # backspace
            if at:
                self.text, self.at = text[: at - 1] + text[at:], at - 1
        elif c == 4:  # Ctrl-D, delete
            self.text = text[:at] + text[at + 1 :]
        elif c == 1:  # Ctrl-A, home
            self.at = 0
        elif c == 5:  # Ctrl-E, end
            self.at = len(text)
        elif c == 2:  # Ctrl-B, left
            self.at = max(0, at - 1)
        elif c == 6:  # Ctrl-F, right
            self.at = min(len(text), at + 1)
        elif c == 11:  # Ctrl-K, cut to the end
            self.text = text[:at]
        elif c == 21:  # Ctrl-U, cut to the beginning
            self.text, self.at = text[at:], 0
        elif c == 16 and self._back < len(self._history):  # Ctrl-P, up
            self._recall(self._back + 1)
        elif c == 14 and self._back:  # Ctrl-N, down
            self._recall(self._back - 1)
        else:
            return
        self.redraw()

    def _recall(self, back):
        self._back = back
        self.text = self._history[-back] if back else ""
        self.at = len(self.text)
