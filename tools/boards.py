"""The boards this project knows: boards/<NAME>/board.py, and what each chip's pins can do."""

import difflib
import os
import sys
from pathlib import Path
from types import SimpleNamespace

BOARDS = Path(__file__).resolve().parent.parent / "boards"


class BoardError(Exception):
    """What is wrong and what to do, in words."""


# Per chip: where a whole image begins in flash, which build/ its code comes from, and the GPIOs
# that a circuit may not use freely. Sources: Espressif's datasheets, "Strapping Pins" and
# "GPIO" of the ESP32 and ESP32-S3 Series.
CHIPS = {
    "esp32": SimpleNamespace(
        words="ESP32",
        offset=0x1000,
        arch="xtensawin",
        pins=set(range(0, 20)) | {21, 22, 23, 25, 26, 27} | set(range(32, 40)),
        flash=set(range(6, 12)),                # the module's own flash
        console={1, 3},
        strapping={0, 2, 5, 12, 15},
        input_only=set(range(34, 40)),          # and without pull resistors
        usb=set(),
    ),
    "esp32s3": SimpleNamespace(
        words="ESP32-S3",
        offset=0x0,
        arch="xtensawin",
        pins=set(range(0, 22)) | set(range(26, 49)),
        flash=set(range(26, 38)),               # flash; 33 to 37 with octal flash or PSRAM
        console={43, 44},
        strapping={0, 3, 45, 46},
        input_only=set(),
        usb={19, 20},
    ),
}


def names():
    """Boards with a chip to flash, in order."""
    return sorted(p.parent.name for p in BOARDS.glob("*/board.py") if hasattr(read(p), "CHIP"))


def read(path):
    """The names that a board.py defines."""
    scope = {}
    exec(compile(Path(path).read_text(), str(path), "exec"), scope)
    return SimpleNamespace(**{k: v for k, v in scope.items() if k.isupper()})


def load(name):
    """-> what boards/<name>/board.py says, with .folder, .path and .chip (of CHIPS). BoardError in words."""
    known = names()
    listed = "\n".join("  BOARD=%-20s %s" % (n, read(BOARDS / n / "board.py").NAME) for n in known)
    if not name:
        raise BoardError("Which board? Name one of these:\n" + listed)
    if name not in known:
        near = difflib.get_close_matches(name.upper(), known, 1, 0.4)
        raise BoardError("There is no board %r%s. These are known:\n%s"
                         % (name, " (do you mean %s?)" % near[0] if near else "", listed))
    board = read(BOARDS / name / "board.py")
    board.folder = BOARDS / name
    board.path = board.folder / "board.py"
    board.chip = CHIPS[board.CHIP]
    return board


def check_port(port):
    """BoardError in words unless this serial port is there and may be opened."""
    if not port:
        raise BoardError("Which serial port? Name it: PORT=...\n" + ports_words())
    if "://" in port or sys.platform == "win32":
        return
    if not os.path.exists(port):
        raise BoardError("There is no %s. Is the board plugged in, with a cable that carries data?\n%s"
                         % (port, ports_words()))
    if not os.access(port, os.R_OK | os.W_OK):
        import grp

        try:
            group = grp.getgrgid(os.stat(port).st_gid).gr_name
        except (KeyError, OSError):
            group = "dialout"
        raise BoardError("You may not open %s: it is for the group '%s'. Join it and log in again:\n"
                         "  sudo usermod -a -G %s $USER" % (port, group, group))


def ports_words():
    from serial.tools import list_ports

    found = [(p.device, p.description) for p in sorted(list_ports.comports()) if p.vid is not None]
    if not found:
        return "No USB serial port is there now."
    return "\n".join(["Serial ports now:"] + ["  PORT=%s   %s" % pair for pair in found])
