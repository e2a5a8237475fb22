"""What the Unix port must be taught before it boots like a board: a flash at "/", the interrupt key, main.py."""

import machine
import os
import sys
import termios
import __main__
import micropython
from micropython import const

_LFLAG = const(3)  # of what tcgetattr() gives
_ISIG = const(1)


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


def run(flash, rom, arch, files):
    """Mount the flash and the read-only build/, run boot.py and main.py; then the interpreter shows its prompt.

    What is open stays open: machine has its files already.
    """
    os.umount("/")
    os.mount(os.VfsPosix(flash), "/")
    os.mount(os.VfsPosix(rom), "/rom", readonly=True)
    os.chdir("/")
    sys.path[:] = ["", "/rom/" + arch, "/rom/" + arch + "-unix", ".frozen"]
    _kbd_intr(3)
    machine.tell(85)
    for path in files:
        try:
            execfile(path, __main__.__dict__)
        except SystemExit:
            machine.tell(83)  # a soft reset
            machine.reset()
        except BaseException as e:
            sys.print_exception(e)
        _kbd_intr(3)
