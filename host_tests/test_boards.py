"""Boards as data: pins that are free on the chip, and a table and a picture that say the same as the firmware's board.py."""

import json
import re
import xml.etree.ElementTree as ElementTree

import pytest

from tools import boards, wiring

NAMES = boards.names()


@pytest.fixture(params=NAMES)
def board(request):
    return boards.load(request.param)


def uses(board):
    """(what, GPIO) of all that the firmware drives or reads."""
    found = [("microphone " + k, board.MICROPHONE[k]) for k in ("sck", "ws", "sd")]
    found += [("speaker " + k, board.SPEAKER[k]) for k in ("sck", "ws", "sd")]
    found += [("button", b["pin"]) for b in board.BUTTONS]
    return found + [("relay", board.RELAY["pin"]), ("light", board.LIGHT["pin"])]


def test_both_first_boards_are_there():
    assert {"ESP32_DEVKIT", "ESP32_S3_DEVKITC"} <= set(NAMES)


def test_no_pin_twice_and_none_that_the_chip_needs_itself(board):
    pins = [pin for _, pin in uses(board)]
    assert len(set(pins)) == len(pins)
    chip = board.chip
    for what, pin in uses(board):
        assert pin in chip.pins, (what, pin)
        assert pin not in chip.flash | chip.console | chip.strapping | chip.usb, (what, pin)
        if what not in ("button", "microphone sd"):
            assert pin not in chip.input_only, (what, pin)
    for button in board.BUTTONS:
        assert not (button.get("pull") and button["pin"] in chip.input_only)


def test_the_two_directions_of_sound_are_two_peripherals(board):
    assert {board.MICROPHONE["id"], board.SPEAKER["id"]} == {0, 1}
    assert board.RATE_HZ >= 16000


def test_the_relay_is_off_while_its_pin_floats(board):
    """A resistor holds it: to GND where high switches on; and the table says so."""
    assert board.RELAY["active"] == 1
    row = [line for line in wiring.table(board).splitlines() if "GPIO **%d**" % board.RELAY["pin"] in line]
    assert "10 kilohms to GND" in row[0]


def test_every_pin_is_in_the_table_and_on_the_header(board):
    table = (board.folder / "README.md").read_text()
    header = json.loads((board.folder / "headers.json").read_text())
    labels = [wiring.gpio(label) for side in ("left", "right") for label in header[side]]
    for what, pin in uses(board):
        assert "GPIO **%d**" % pin in table, what
        assert labels.count(pin) == 1, what
    assert set(filter(None, labels)) <= board.chip.pins


def test_table_and_picture_are_those_of_board_py(board):
    for path, text in wiring.wanted(board).items():
        assert path.read_text() == text, "run tools/wiring.py"


def test_the_check_sees_another_pin(board):
    board.LIGHT = dict(board.LIGHT, pin=13)
    assert all(path.read_text() != text for path, text in wiring.wanted(board).items())


def segments(svg):
    """[(colour, (x, y), (x, y))] of the coloured signal wires of a picture."""
    found = []
    for line in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}polyline"):
        if line.get("stroke") in wiring.COLOURS:
            points = [tuple(map(float, p.split(","))) for p in line.get("points").split()]
            found += [(line.get("stroke"), a, b) for a, b in zip(points, points[1:])]
    return found


def test_no_two_wires_of_the_picture_cross_or_touch(board):
    wires = segments(wiring.draw(board))
    assert len({colour for colour, _, _ in wires}) == len(uses(board))
    for n, (colour, a, b) in enumerate(wires):
        for other, c, d in wires[:n]:
            if colour == other:
                continue
            apart = (max(a[0], b[0]) < min(c[0], d[0]) - 5 or max(c[0], d[0]) < min(a[0], b[0]) - 5
                     or max(a[1], b[1]) < min(c[1], d[1]) - 5 or max(c[1], d[1]) < min(a[1], b[1]) - 5)
            assert apart, (a, b, c, d)


def test_the_readme_shows_the_picture_and_the_commands(board):
    text = (board.folder / "README.md").read_text()
    assert re.search(r"!\[[^]]+\]\(wiring.svg\)", text)
    for command in ("make flash BOARD=%s PORT=", "make deploy BOARD=%s PORT="):
        assert command % board.folder.name in text
    assert board.MICROPYTHON + "-" in text
