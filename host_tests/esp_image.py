"""A whole firmware file as MicroPython's download page has them, made with esptool's own means.

A tiny ELF is assembled here, `esptool elf2image` makes a boot loader and a program of it,
and they are put together with a partition table as in MicroPython's ports/esp32/makeimg.py.
"""

import struct
import subprocess
import sys
from pathlib import Path

# machine word: xtensa (94) or RISC-V (243); addresses of instruction RAM and mapped flash data
CHIPS = {
    "esp32": (94, 0x40080400, 0x3F400020),
    "esp32s3": (94, 0x40374000, 0x3C000020),
    "esp32c3": (243, 0x40380000, 0x3C000020),
}
OFFSET = {"esp32": 0x1000, "esp32s3": 0x0, "esp32c3": 0x0}
APP_AT = 0x10000


def elf(chip, text, description=None):
    """An ELF file of one code section and, for a program, its description."""
    machine, code_at, data_at = CHIPS[chip]
    sections = [(".iram0.text", 6, code_at, text)]
    if description:
        sections.append((".flash.appdesc", 2, data_at, description))
    names, body, heads = b"\0", b"", [struct.pack("<10I", *[0] * 10)]
    for name, flags, address, data in sections:
        data += b"\0" * (-len(data) % 4)
        heads.append(struct.pack("<10I", len(names), 1, flags, address, 52 + len(body), len(data), 0, 0, 4, 0))
        names += name.encode() + b"\0"
        body += data
    heads.append(struct.pack("<10I", len(names), 3, 0, 0, 52 + len(body), len(names) + 10, 0, 0, 1, 0))
    names += b".shstrtab\0"
    body += names
    body += b"\0" * (-len(body) % 4)
    header = b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack(
        "<HHIIIIIHHHHHH", 2, machine, 1, code_at, 0, 52 + len(body), 0, 52, 32, 0, 40, len(heads), len(heads) - 1)
    return header + body + b"".join(heads)


def app_description(version):
    """esp_app_desc_t of ESP-IDF."""
    return struct.pack("<III8s32s32s16s16s32s32s80s", 0xABCD5432, 0, 0, b"", version.encode(), b"micropython",
                       b"12:00:00", b"Jan  1 2026", b"v5.4.2", bytes(32), b"")


def partition_table():
    entries = ((1, 2, 0x9000, 0x6000, b"nvs"), (1, 1, 0xF000, 0x1000, b"phy_init"), (0, 0, APP_AT, 0x1F0000, b"factory"))
    table = b"".join(struct.pack("<HBBII16sI", 0x50AA, *entry, 0) for entry in entries)
    return table.ljust(0xC00, b"\xff")


def image(folder, chip, name, *elf_parts):
    """One image with checksum and hash, by esptool."""
    source, made = Path(folder, name + ".elf"), Path(folder, name + ".bin")
    source.write_bytes(elf(chip, *elf_parts))
    done = subprocess.run([sys.executable, "-m", "esptool", "--chip", chip, "elf2image", "--flash-size", "4MB",
                           "-o", str(made), str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return made.read_bytes()


def firmware(folder, chip="esp32", version="v1.26.0", size=20000):
    """Path of a whole firmware file for this chip, its first byte belonging at OFFSET[chip]."""
    loader = image(folder, chip, "boot", bytes(range(256)) * 8)
    app = image(folder, chip, "app", bytes(i * 7 & 0xFF for i in range(size)), app_description(version))
    whole = bytearray(b"\xff" * (APP_AT - OFFSET[chip]))
    whole[: len(loader)] = loader
    table = 0x8000 - OFFSET[chip]
    whole[table:table + 0xC00] = partition_table()
    path = Path(folder, "%s-%s.bin" % (chip, version))
    path.write_bytes(bytes(whole) + app)
    return path
