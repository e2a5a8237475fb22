#!/usr/bin/env python3
"""Erase a board and write MicroPython to it: make flash BOARD=... PORT=... FIRMWARE=file.bin

Before anything is erased, the file is taken apart as the chip will: its boot
loader, its partition table, its program; `esptool image-info` checks the chip
and the hash of each. Then esptool erases the whole flash and writes the file.
"""

import argparse
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools import boards  # noqa: E402
from tools.boards import BoardError  # noqa: E402

TABLE_AT = 0x8000       # where ESP-IDF keeps the partition table in flash
OLDEST = (1, 23)        # the first MicroPython that loads what mpy-cross writes
_ESPTOOL = [sys.executable, "-m", "esptool"]


def where_to_get(board):
    """Which file of which page, in words."""
    name = board.MICROPYTHON
    words = (
        "MicroPython is not part of this project; download it once:\n"
        "  page  https://micropython.org/download/%s/\n"
        "  file  %s-<date>-v<version>.bin, the newest release under 'Firmware' (v%d.%d or later):\n"
        "        a .bin, not .app-bin, .elf or .map" % (name, name, *OLDEST)
    )
    if board.CHIP == "esp32s3":
        words += ("\n        (where the module's name has R8 or R16 in it, it has octal PSRAM: take\n"
                  "        %s-SPIRAM_OCT-<date>-v<version>.bin there)" % name)
    return words + "\nThen: make flash BOARD=%s PORT=... FIRMWARE=path/to/that.bin" % board.folder.name


def image_info(data, what):
    """What esptool's image-info says of an image: dict of chip, version. BoardError when it is damaged."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image.bin")
        path.write_bytes(data)
        done = subprocess.run(_ESPTOOL + ["image-info", str(path)], capture_output=True, text=True)
    text = done.stdout + done.stderr
    chip = re.search(r"Detected image type: (\S+)", text)
    checksum = re.search(r"^Checksum: .*\((valid|invalid)", text, re.M)
    digest = re.search(r"^Validation hash: .*\((valid|invalid)", text, re.M)
    if done.returncode or not chip or not checksum:
        reason = [line for line in text.splitlines() if "fatal" in line.lower() or "error" in line.lower()]
        raise BoardError("%s can not be read: %s" % (what, reason[-1] if reason else "no ESP image"))
    if checksum[1] != "valid" or (digest and digest[1] != "valid"):
        raise BoardError("%s is damaged: its %s is wrong" % (what, "hash" if checksum[1] == "valid" else "checksum"))
    if not digest:
        raise BoardError("%s carries no hash of its own, so it can not be checked" % what)
    version = re.search(r"App version: +v?(\d+)\.(\d+)\S*", text)
    return {"chip": chip[1].lower().replace("-", ""),
            "version": version and version[0].split()[-1], "number": version and (int(version[1]), int(version[2]))}


def partitions(table):
    """(type, subtype, offset, size, label) of each entry of a partition table."""
    for at in range(0, len(table) - 31, 32):
        magic, kind, subtype, offset, size, label = struct.unpack_from("<HBBII16s", table, at)
        if magic != 0x50AA:
            return
        yield kind, subtype, offset, size, label.rstrip(b"\0").decode("ascii", "replace")


def check_image(path, board):
    """Take the file apart and check each part. -> words about what it is. BoardError in words."""
    try:
        data = Path(path).expanduser().read_bytes()
    except OSError as e:
        raise BoardError("FIRMWARE=%s: %s\n%s" % (path, e.strerror, where_to_get(board))) from None
    if data[:1] != b"\xe9" or len(data) < 4096:
        raise BoardError("%s is no firmware image for an ESP chip.\n%s" % (path, where_to_get(board)))
    loader = image_info(data, "the boot loader in " + path)
    if loader["chip"] != board.CHIP:
        raise BoardError("%s is for an %s; %s has an %s.\n%s"
                         % (path, loader["chip"].upper(), board.NAME, board.chip.words, where_to_get(board)))
    at = TABLE_AT - board.chip.offset
    apps = [p for p in partitions(data[at:at + 0xC00]) if p[0] == 0]
    if not apps:
        raise BoardError("%s has no partition table: it is a part of a firmware, not the whole.\n%s"
                         % (path, where_to_get(board)))
    offset = apps[0][2] - board.chip.offset
    if offset >= len(data):
        raise BoardError("%s ends before its program begins: the download was cut short. Get it again." % path)
    app = image_info(data[offset:], "the program in " + path)
    if app["chip"] != board.CHIP:
        raise BoardError("%s has a program for an %s: it is damaged" % (path, app["chip"].upper()))
    if app["number"] and app["number"] < OLDEST:
        raise BoardError("%s is MicroPython %s; this project needs v%d.%d or later.\n%s"
                         % ((path, app["version"]) + OLDEST + (where_to_get(board),)))
    return "%s, %d bytes, for %s, hashes right" % (app["version"] or "MicroPython", len(data), board.chip.words)


def advice(text, port, board):
    """What to do about esptool's last words."""
    wrong = re.search(r"This chip is (\S+?),? not (\S+?)[.,]", text)
    if wrong:
        return "The board at %s has an %s, and BOARD=%s an %s: nothing was erased." % (
            port, wrong[1], board.folder.name, board.chip.words)
    if re.search(r"busy|in use|lock|Resource temporarily", text, re.I):
        return "Another program has %s open (a terminal, mpremote, an IDE): close it and try again." % port
    if re.search(r"ermission denied", text):
        return "You may not open %s: add yourself to its group (often 'dialout') and log in again." % port
    if re.search(r"Failed to connect|No serial data|Wrong boot mode|timed out|Invalid head", text, re.I):
        return ("The chip did not answer. Hold its BOOT button, press and release EN (RESET), let go of BOOT, "
                "and run this again. Is the cable one that carries data?")
    if re.search(r"could not open|No such file|doesn't exist|not exist", text, re.I):
        return "Can not open %s. %s" % (port, boards.ports_words())
    return "esptool failed, see above."


def flash(board, port, firmware, extra=()):
    """Check, erase, write. BoardError in words."""
    if not firmware:
        raise BoardError(where_to_get(board))
    print("%s: %s" % (Path(firmware).name, check_image(firmware, board)), flush=True)
    boards.check_port(port)
    print("Erasing and writing at 0x%x ..." % board.chip.offset, flush=True)
    command = _ESPTOOL + ["--chip", board.CHIP, "--port", port, "--baud", "460800", *extra,
                          "write-flash", "--erase-all", hex(board.chip.offset), str(Path(firmware).expanduser())]
    text = ""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in child.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        text += line
    if child.wait():
        raise BoardError(advice(text, port, board))
    print("MicroPython is on the board. Now the intercom: make deploy BOARD=%s PORT=%s" % (board.folder.name, port))


def main():
    parser = argparse.ArgumentParser(description="Erase a board and write MicroPython to it.")
    parser.add_argument("--board", default="")
    parser.add_argument("--port", default="")
    parser.add_argument("--firmware", default="")
    arguments, extra = parser.parse_known_args()
    try:
        flash(boards.load(arguments.board), arguments.port, arguments.firmware, extra)
    except BoardError as e:
        sys.exit(str(e))
    except KeyboardInterrupt:
        sys.exit("Stopped. If it was writing, the board has no firmware now: run this again.")


if __name__ == "__main__":
    main()
