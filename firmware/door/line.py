"""The line that a person edits at the serial console: keys in, text and echo out. No clock, no stream, no
Python: that is in python.py. What is more than typing and wiping out is in keys.py, there only while a line needs it."""

from lend import lend
from micropython import const

# What a key asks for; the console has the same numbers.
_ENTER = const(1)
_INTERRUPT = const(2)  # Ctrl-C
_END = const(3)  # Ctrl-D on an empty line
_RAW = const(4)  # Ctrl-A on an empty line: a program asks for the raw REPL
_TAB = const(5)

_LONGEST = const(1000)  # characters of one line


class Line:
    """One line being edited. `write(text)` echoes to the terminal."""

    def __init__(self, write):
        self.write = write
        self.history = []
        self.escape = b""  # a sequence that is not whole yet
        self.bytes = b""  # a character that is not whole yet
        self._was_cr = False
        self.begin("")

    def begin(self, prompt):
        """A new line, with its prompt."""
        self.prompt = prompt
        self.text = ""
        self.at = 0  # the cursor's place in it
        self.back = 0  # how far back in the history, 0 is the line itself
        self._keys = None
        self.write(prompt)

    def redraw(self):
        self.write("\r%s%s\x1b[K" % (self.prompt, self.text))
        if self.at < len(self.text):
            self.write("\x1b[%dD" % (len(self.text) - self.at))

    def hide(self):
        """Clears the screen's line, so that something can be printed in its place."""
        self.write("\r\x1b[K")

    def insert(self, text):
        if len(self.text) + len(text) > _LONGEST:
            self.write("\a")
            return
        at = self.at
        self.text = self.text[:at] + text + self.text[at:]
        self.at = at + len(text)
        if self.at == len(self.text):
            self.write(text)
        else:
            self.redraw()

    def key(self, c):
        """One byte from the terminal -> 0, or what it asks for: 1 Enter, 2 Ctrl-C, 3 Ctrl-D and 4 Ctrl-A on an empty
        line, 5 Tab."""
        was_cr, self._was_cr = self._was_cr, c == 13
        if self.escape or c >= 0x80 or self.bytes:
            return self.rare(c)
        if c >= 32 and c != 127:
            self.insert(bytes((c,)).decode())  # chr(c) would become a name of the interpreter, for good
        elif c == 13 or c == 10:
            if c == 10 and was_cr:
                return 0
            self.write("\n")
            return _ENTER
        elif c == 3:
            return _INTERRUPT
        elif c == 9:
            return _TAB
        elif not self.text and c == 1:
            return _RAW
        elif not self.text and c == 4:
            return _END
        else:
            return self.rare(c)
        return 0

    def rare(self, c):
        """A key that keys.py knows. It stays until the line ends, for one such key follows another."""
        if self._keys is None:
            self._keys = lend("door.keys")
        return self._keys.key(self, c)
