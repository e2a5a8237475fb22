"""make flash, for real as far as a computer goes: esptool writes to a stand-in for the chip's boot loader."""

import os
import pty
import subprocess
import sys

import pytest
from esp32_mock_bootloader import mock_bootloader

from host_tests import esp_image
from tools import boards, flash
from tools.boards import BoardError

BOARD_OF = {"esp32": "ESP32_DEVKIT", "esp32s3": "ESP32_S3_DEVKITC"}


@pytest.fixture(scope="module")
def firmware(tmp_path_factory):
    """chip -> path of a firmware file for it."""
    return {chip: esp_image.firmware(tmp_path_factory.mktemp(chip), chip) for chip in esp_image.CHIPS}


def make_flash(*arguments):
    """What `make flash` runs: (exit code, all that it printed)."""
    command = [sys.executable, "tools/flash.py"]
    for name, value in zip(("--board", "--port", "--firmware"), arguments):
        command += [name, str(value)]
    done = subprocess.run(command, cwd=boards.BOARDS.parent, capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def esptool(chip, port, *arguments):
    done = subprocess.run([sys.executable, "-m", "esptool", "--chip", chip, "--port", port, *map(str, arguments)],
                          capture_output=True, text=True, timeout=120)
    return done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("chip", sorted(BOARD_OF))
def test_the_whole_flash_is_erased_and_the_image_is_at_its_place(chip, firmware, tmp_path):
    offset = esp_image.OFFSET[chip]
    old, blank = tmp_path / "old.bin", tmp_path / "blank.bin"
    old.write_bytes(b"an old configuration".ljust(4096, b"."))
    blank.write_bytes(b"\xff" * 4096)
    before = (0, blank) if offset else (0x300000, blank)
    # The chip's own sums are compared, as esptool's verify-flash asks for them.
    with mock_bootloader(chip=chip) as chip_itself:
        done, words = esptool(chip, chip_itself.url(), "write-flash", "0x200000", old)
        assert done, words
        code, words = make_flash(BOARD_OF[chip], chip_itself.url(), firmware[chip])
        assert code == 0, words
        assert "make deploy BOARD=%s" % BOARD_OF[chip] in words
        same, words = esptool(chip, chip_itself.url(), "verify-flash", offset, firmware[chip], *before, 0x200000, blank)
        assert same, words
        same, words = esptool(chip, chip_itself.url(), "verify-flash", 0x200000, old)
        assert not same


def test_a_board_with_another_chip_is_left_alone(firmware):
    with mock_bootloader(chip="esp32s3") as chip_itself:
        code, words = make_flash("ESP32_DEVKIT", chip_itself.url(), firmware["esp32"])
    assert code != 0 and "ESP32-S3" in words.splitlines()[-1] and "nothing was erased" in words
    assert "Erasing flash" not in words


@pytest.mark.parametrize("chip", ["esp32s3", "esp32c3"])
def test_an_image_for_another_chip_is_refused_before_the_port_is_touched(chip, firmware):
    code, words = make_flash("ESP32_DEVKIT", "/dev/nothing", firmware[chip])
    assert code != 0 and "is for an %s" % chip.upper() in words and "ESP32_GENERIC-<date>" in words


def test_without_firmware_it_says_which_file_of_which_page():
    for chip, name in (("esp32", "ESP32_GENERIC"), ("esp32s3", "ESP32_GENERIC_S3")):
        code, words = make_flash(BOARD_OF[chip])
        assert code != 0
        assert "https://micropython.org/download/%s/" % name in words and "%s-<date>-v<version>.bin" % name in words


def damaged(path, tmp_path, change):
    data = bytearray(path.read_bytes())
    new = tmp_path / "damaged.bin"
    new.write_bytes(change(data) or data)
    return new


def flip(at):
    def change(data):
        data[at] ^= 1

    return change


@pytest.mark.parametrize("what, change, words", [
    ("boot loader", flip(200), "the boot loader"),
    ("program", flip(-3000), "the program"),
    ("program's hash", flip(-1), "hash is wrong"),
    ("cut short in the program", lambda d: d[:-5000], "the program"),
    ("cut short before it", lambda d: d[:0xA000], "cut short"),
    ("no partition table", lambda d: d[:0x6000] + b"\xff" * 0xA000 + d[0x10000:], "not the whole"),
    ("only the program", lambda d: d[esp_image.APP_AT - esp_image.OFFSET["esp32"]:], "not the whole"),
    ("a page of HTML", lambda d: b"<!doctype html>" * 1000, "no firmware image"),
    ("nothing", lambda d: bytes(1), "no firmware image"),
], ids=lambda v: v if isinstance(v, str) and " " in v else "")
def test_a_damaged_file_is_refused(what, change, words, firmware, tmp_path):
    path = damaged(firmware["esp32"], tmp_path, change)
    with pytest.raises(BoardError, match=words):
        flash.check_image(str(path), boards.load("ESP32_DEVKIT"))


def test_a_micropython_too_old_for_the_files_is_refused(tmp_path):
    path = esp_image.firmware(tmp_path, "esp32", "v1.22.2")
    with pytest.raises(BoardError, match=r"v1.22.2; this project needs v1.23"):
        flash.check_image(str(path), boards.load("ESP32_DEVKIT"))


def test_a_firmware_that_is_not_there(tmp_path):
    code, words = make_flash("ESP32_DEVKIT", "", tmp_path / "nothing.bin")
    assert code != 0 and "No such file" in words and "download" in words


def test_a_board_that_does_not_exist_is_guessed():
    code, words = make_flash("ESP32_S3_DEVKIT")
    assert code != 0 and "do you mean ESP32_S3_DEVKITC?" in words and "BOARD=ESP32_DEVKIT " in words
    code, words = make_flash("")
    assert code != 0 and "Which board?" in words


def test_a_port_that_is_not_named_or_not_there(firmware):
    code, words = make_flash("ESP32_DEVKIT", "", firmware["esp32"])
    assert code != 0 and "PORT=" in words
    code, words = make_flash("ESP32_DEVKIT", "/dev/ttyUSB99", firmware["esp32"])
    assert code != 0 and "There is no /dev/ttyUSB99" in words


def test_a_port_that_one_may_not_open(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(BoardError, match=r"usermod -a -G \w+ \$USER"):
        boards.check_port("/dev/null")


def test_a_chip_that_does_not_answer_is_helped_into_its_boot_loader(firmware):
    board, mine = pty.openpty()
    try:
        with pytest.raises(BoardError, match="Hold its BOOT button"):
            flash.flash(boards.load("ESP32_DEVKIT"), os.ttyname(mine), str(firmware["esp32"]),
                        ["--connect-attempts", "1"])
    finally:
        os.close(board)
        os.close(mine)


@pytest.mark.parametrize("text, words", [
    ("A fatal error occurred: Could not open /dev/ttyUSB0, the port is busy or doesn't exist.", "Another program"),
    ("A fatal error occurred: This chip is ESP32-C3, not ESP32. Wrong chip argument?", "has an ESP32-C3"),
    ("A fatal error occurred: Failed to connect to ESP32: Wrong boot mode detected (0x13)!", "BOOT button"),
    ("[Errno 13] could not open port /dev/ttyUSB0: [Errno 13] Permission denied", "may not open"),
])
def test_words_for_what_esptool_says(text, words):
    assert words in flash.advice(text, "/dev/ttyUSB0", boards.load("ESP32_DEVKIT"))
