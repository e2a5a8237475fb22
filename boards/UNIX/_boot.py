"""What the Unix port must be taught before it boots like a board: the interrupt key, and boot.py, then main.py."""

import sys
import termios
import __main__
import micropython
import machine
from os import getenv

_LFLAG = 3  # of what tcgetattr() gives
_ISIG = 1


def _kbd_intr(char):
    # On this port the key belongs to the terminal. The runner reads this flag: with it 0x03 interrupts, without it is
    # a character like any other.
    try:
        mode = termios.tcgetattr(0)
        flags = mode[_LFLAG]
        mode[_LFLAG] = flags | _ISIG if char == 3 else flags & ~_ISIG
        termios.tcsetattr(0, termios.TCSANOW, mode)
    except OSError:
        pass  # started without a serial line


class _Micropython:
    kbd_intr = staticmethod(_kbd_intr)

    def __getattr__(self, name):
        return getattr(micropython, name)


sys.modules["micropython"] = _Micropython()


def run():
    """boot.py and main.py, as VIRTUAL_BOARD_RUN lists them; afterwards the interpreter shows its prompt."""
    _kbd_intr(3)
    machine.tell(85)
    for path in (getenv("VIRTUAL_BOARD_RUN") or "").split("\n"):
        if path:
            try:
                execfile(path, __main__.__dict__)
            except SystemExit:
                machine.tell(83)  # a soft reset
                machine.reset()
            except BaseException as e:
                sys.print_exception(e)
            _kbd_intr(3)
