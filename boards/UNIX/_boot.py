"""What the Unix port must be taught before it boots like a board: a flash at "/", the interrupt key, ten sockets, main.py."""

import io
import machine
import os
import select
import socket
import sys
import termios
import __main__
import micropython
from micropython import const

_LFLAG = const(3)  # of what tcgetattr() gives
_ISIG = const(1)
_FILENO = const(10)  # MP_STREAM_GET_FILENO
_POLLNVAL = const(32)  # it is closed
_MOST = const(10)  # CONFIG_LWIP_MAX_SOCKETS, which MicroPython leaves as it is
_ENFILE = const(23)
_NUMBERS = const(64)


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


class _Over(io.IOBase):
    # In front of `raw`, a module or a socket of TCP: what is not here is its own.

    def __getattr__(self, name):
        return getattr(self.raw, name)

    def ioctl(self, request, argument):
        return self.raw.fileno() if request == _FILENO else -1  # a socket is polled by what it is

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
        sock = _counted(self.raw.socket(family, kind, protocol))
        if kind != socket.SOCK_STREAM:
            return sock
        # It may come to listen. What it accepts is the interpreter's own, as is any of UDP: sound costs what it costs.
        made = _Over()
        made.raw = sock
        return made

    def accept(self):
        found = self.raw.accept()
        _counted(found[0])
        return found


def _counted(sock):
    # As lwIP does: whoever wants one more gets ENFILE, and what was accepted then is closed. They are known by their numbers, for
    # where the objects lie is the firmware's affair.
    _sockets[sock.fileno()] = 1
    poll = select.poll()
    for fd in range(_NUMBERS):
        if _sockets[fd]:
            poll.register(fd, 0)
    for fd, event in poll.poll(0):
        if event & _POLLNVAL:
            _sockets[fd] = 0
    if sum(_sockets) > _MOST:
        sock.close()
        raise OSError(_ENFILE)
    return sock


_sockets = bytearray(_NUMBERS)
sys.modules["micropython"] = _over = _Over()
_over.raw = micropython
_over.kbd_intr = _kbd_intr
sys.modules["socket"] = _over = _Over()
_over.raw = socket


def run(flash, rom, arch, files):
    """Mount the flash and the read-only build/, run boot.py and main.py; then the interpreter shows its prompt.

    What is open stays open: machine has its files already.
    """
    os.umount("/")
    os.mount(os.VfsPosix(flash), "/")
    # The interpreter keeps the path of each file that was ever imported, and on a board there is nothing before "door/".
    os.mount(os.VfsPosix(rom + "/" + arch), "/r", readonly=True)
    os.mount(os.VfsPosix(rom + "/" + arch + "-unix"), "/u", readonly=True)
    os.chdir("/")
    sys.path[:] = ["", "/r", "/u", ".frozen"]
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
