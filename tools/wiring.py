#!/usr/bin/env python3
"""Draw a board's wiring from its board.py: the table in its README and wiring.svg.

    wiring.py [BOARD ...]          writes both, for all boards if none is named
    wiring.py --check [BOARD ...]  says which are not what board.py says, and fails

So the pins stand in one place, and table, picture and firmware agree.
"""

import argparse
import json
import sys
from html import escape
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools import boards  # noqa: E402

BEGIN = "<!-- wiring: written by tools/wiring.py from board.py -->"
END = "<!-- wiring ends -->"

OPEN = None  # a pin to leave unconnected


class Part:
    """A part on the wall: its pins as (what is printed there, what it goes to, a word on it)."""

    def __init__(self, key, title, words, pins):
        self.key, self.title, self.words, self.pins = key, title, words, pins


def parts(board):
    """What is wired to this board, with GPIO numbers from its data, OPEN, or a supply's name."""
    mic, speaker, relay, light = board.MICROPHONE, board.SPEAKER, board.RELAY, board.LIGHT
    found = [
        Part("mic", "INMP441", "microphone", [
            ("SCK", mic["sck"], ""), ("WS", mic["ws"], ""), ("SD", mic["sd"], ""),
            ("L/R", "GND", "left channel"), ("VDD", "3V3", "never 5 V"), ("GND", "GND", "")]),
        Part("amp", "MAX98357A", "amplifier", [
            ("BCLK", speaker["sck"], ""), ("LRC", speaker["ws"], ""), ("DIN", speaker["sd"], ""),
            ("GAIN", OPEN, "open is 9 dB; to GND 12 dB"), ("SD", OPEN, "open: on, both channels mixed"),
            ("GND", "GND", ""), ("VIN", "5V", ""), ("+ and -", "speaker", "4 or 8 ohms, 3 W; neither goes to GND")]),
        Part("light", "LED", "status light", [
            ("long leg", light["pin"], "through 330 ohms"), ("short leg", "GND", "")]),
    ]
    for n, button in enumerate(board.BUTTONS):
        name = "button" if len(board.BUTTONS) == 1 else "button %d" % (n + 1)
        other = "GND" if button["active"] == 0 else "3V3"
        found.append(Part("button%d" % n, name[0].upper() + name[1:], "door bell", [
            ("one side", button["pin"], "pulled up inside the chip" if button.get("pull") == "up" else ""),
            ("other side", other, "")]))
    found.append(Part("relay", "Relay module", "door opener", [
        ("IN", relay["pin"], "10 kilohms to GND; switches on when high" if relay["active"] else
         "10 kilohms to 3V3; switches on when low"),
        ("VCC", "5V", ""), ("GND", "GND", ""), ("COM, NO", "opener", "in the opener's own circuit")]))
    return found


def gpio(label):
    """The GPIO behind a header label ("32", "VP=36"), or None for supplies and reset."""
    name = label.split("=")[-1]
    return int(name) if name.isdigit() else None


# The table


def table(board):
    lines = ["| part | its pin | board | |", "| --- | --- | --- | --- |"]
    for part in parts(board):
        title = "%s, %s" % (part.title, part.words)
        for label, to, words in part.pins:
            if to is OPEN:
                shown = "leave open"
            elif isinstance(to, int):
                shown = "GPIO **%d**" % to
            elif to in ("GND", "3V3", "5V"):
                shown = to
            else:
                shown = "to the " + to
            lines.append("| %s | %s | %s | %s |" % (title, label, shown, words))
            title = ""
    return "\n".join(lines)


# The picture

PITCH, ROW = 26, 26
FIRST_PIN = 40 + ROW / 2    # from a part's top
BOARD_WIDTH, PART_WIDTH, GAP, LANE = 236, 176, 40, 11
COLOURS = ("#1668b8", "#b8520a", "#5b3fa8", "#0b7d74", "#b01e6b", "#7a6200", "#3c6e1e", "#2b4a9e", "#8f2d2d", "#006b8f")
SUPPLY = {"GND": "#333333", "5V": "#c4161c", "3V3": "#d9730d"}


class Picture:
    def __init__(self):
        self.items = []

    def add(self, text):
        self.items.append(text)

    def box(self, x, y, width, height, fill, line="none", radius=6, stroke=1.5):
        self.add('<rect x="%g" y="%g" width="%g" height="%g" rx="%g" fill="%s" stroke="%s" stroke-width="%g"/>'
                 % (x, y, width, height, radius, fill, line, stroke))

    def text(self, x, y, words, size=13, anchor="start", fill="#222", weight="normal", family="sans"):
        self.add('<text x="%g" y="%g" font-size="%g" text-anchor="%s" fill="%s" font-weight="%s" class="%s">%s</text>'
                 % (x, y, size, anchor, fill, weight, family, escape(words)))

    def wire(self, points, colour, width=3):
        path = " ".join("%g,%g" % p for p in points)
        self.add('<polyline points="%s" fill="none" stroke="#fff" stroke-width="%g"/>' % (path, width + 3))
        self.add('<polyline points="%s" fill="none" stroke="%s" stroke-width="%g" stroke-linejoin="round"/>'
                 % (path, colour, width))

    def dot(self, x, y, fill, radius=4.5, line="#fff"):
        self.add('<circle cx="%g" cy="%g" r="%g" fill="%s" stroke="%s" stroke-width="1"/>' % (x, y, radius, fill, line))

    def flag(self, x, y, name, side):
        """A supply's name beside a pin; side -1 points left, 1 right."""
        width, colour = 40, SUPPLY[name]
        tip, base = x + side * 9, x + side * 18
        self.wire([(x, y), (base, y)], colour, 3)
        left = min(base, base + side * width)
        self.add('<path d="M%g,%g l%g,-9 h%g v18 h%g z" fill="%s"/>'
                 % (tip, y, side * 9, side * width, -side * width, colour))
        self.text(left + width / 2, y + 4.5, name, 12, "middle", "#fff", "bold")

    def done(self, width, height):
        return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">\n'
                '<style>text{font-family:"DejaVu Sans",Verdana,Arial,sans-serif} .mono{font-family:'
                '"DejaVu Sans Mono",Menlo,Consolas,monospace}</style>\n'
                '<rect width="%d" height="%d" fill="#fff"/>\n%s\n</svg>\n'
                % (width, height, width, height, width, height, "\n".join(self.items)))


def sides(board, header):
    """Parts on the left and on the right of the board: each where most of its wires are, in their order."""
    order = {side: {gpio(label): n for n, label in enumerate(header[side])} for side in ("left", "right")}
    placed = {"left": [], "right": []}
    for part in parts(board):
        pins = [to for _, to, _ in part.pins if isinstance(to, int)]
        side = max(("left", "right"), key=lambda s: sum(pin in order[s] for pin in pins))
        missing = [pin for pin in pins if pin not in order[side]]
        if missing:
            raise boards.BoardError("%s: GPIO %s of the %s is not on the %s header of headers.json"
                                    % (board.folder.name, missing[0], part.title, side))
        # Wires do not cross when a part's pins are in the header's order.
        signals = sorted((p for p in part.pins if isinstance(p[1], int)), key=lambda p: order[side][p[1]])
        part.pins = signals + [p for p in part.pins if not isinstance(p[1], int)]
        part.first = order[side][signals[0][1]]
        placed[side].append(part)
    for side in placed:
        placed[side].sort(key=lambda part: part.first)
    return placed, order


def part_height(part):
    return 40 + ROW * len(part.pins) + 6


def draw(board):
    """wiring.svg as text."""
    header = json.loads((board.folder / "headers.json").read_text())
    placed, order = sides(board, header)
    rows = max(len(header["left"]), len(header["right"]))
    board_height = rows * PITCH + 78
    heights = {s: sum(part_height(p) + GAP for p in placed[s]) - GAP for s in placed}
    top = 64
    height = top + max([board_height] + list(heights.values())) + 50
    wires = {s: sum(isinstance(to, int) for p in placed[s] for _, to, _ in p.pins) for s in placed}
    channel = {s: 150 + LANE * wires[s] for s in placed}
    board_x = 16 + PART_WIDTH + channel["left"] if placed["left"] else 90
    right_end = board_x + BOARD_WIDTH + (channel["right"] + PART_WIDTH if placed["right"] else 74)
    width = right_end + 16
    board_y = top + (height - top - 50 - board_height) / 2
    picture = Picture()
    picture.text(width / 2, 30, "%s: wiring" % board.NAME, 20, "middle", "#111", "bold")
    picture.text(width / 2, 50, "Flags of one name are one wire: all GND together, all 5V, all 3V3.",
                 13, "middle", "#555")
    _board(picture, board, header, board_x, board_y, board_height, placed)
    pin_y = {s: {n: board_y + 54 + PITCH * n for n in range(len(header[s]))} for s in placed}
    colours = iter(COLOURS)
    for side in ("left", "right"):
        if not placed[side]:
            continue
        sign = -1 if side == "left" else 1
        part_x = 16 if side == "left" else right_end - PART_WIDTH
        edge = board_x if side == "left" else board_x + BOARD_WIDTH
        todo = []
        wishes = [pin_y[side][part.first] - FIRST_PIN for part in placed[side]]
        for part, y in zip(placed[side], _stack(placed[side], wishes, top, height - 50)):
            ends = _part(picture, part, part_x, y, side)
            todo += [(pin_y[side][order[side][pin]], end_y, pin, end_x) for pin, end_y, end_x in ends]
        _route(picture, todo, edge, sign, colours)
    return picture.done(width, height)


def _stack(placed, wishes, top, bottom):
    """Where each part begins: as near to where its first wire is straight as the others let it."""
    heights = [part_height(part) + GAP for part in placed]
    lowest = [bottom + GAP - sum(heights[n:]) for n in range(len(placed))]
    found, free = [], top
    for n, wish in enumerate(wishes):
        # Leave half of what is missing to those above, so that the group as a whole is centred on its pins.
        over = max(0, sum(heights[n:n + 2]) - (wishes[n + 1] - wish) - heights[n + 1]) if n + 1 < len(wishes) else 0
        y = min(max(wish - over, free), max(lowest[n], free))
        found.append(y)
        free = y + heights[n]
    return found


def _route(picture, todo, edge, sign, colours):
    """Wires from header to part in lanes that do not cross: going down the lowest turns first, going up the highest."""
    todo.sort()
    down = [w for w in todo if w[1] > w[0] + 1]
    up = [w for w in todo if w[1] < w[0] - 1]
    lanes = {}
    for n, wire in enumerate(reversed(down)):
        lanes[wire] = n
    for n, wire in enumerate(up):
        lanes[wire] = n + (len(down) if down and up and max(w[1] for w in up) > min(w[0] for w in down) else 0)
    for wire in todo:
        start, end, pin, (part_edge, resistor) = wire
        colour = next(colours)
        lane = edge + sign * (84 + LANE * lanes.get(wire, 0))
        points = [(edge, start), (lane, start), (lane, end), (part_edge, end)] if wire in lanes else [
            (edge, start), (part_edge, end)]
        picture.wire(points, colour)
        picture.dot(edge, start, colour)
        if not resistor:
            picture.dot(part_edge, end, colour)


def _board(picture, board, header, x, y, height, placed):
    used = {to for side in placed for part in placed[side] for _, to, _ in part.pins}
    picture.box(x, y, BOARD_WIDTH, height, "#1d2b3a", "#0d1620", 10, 2)
    # The module with its antenna is at the top, USB at the bottom: so nobody holds it upside down.
    picture.box(x + 66, y + 10, BOARD_WIDTH - 132, 96, "#c9ced3", "#8b939b", 4)
    picture.add('<path d="M%g,%g h14 v14 h10 v-14 h14 v14 h10 v-14 h14 v14 h10 v-14" fill="none" stroke="#777" '
                'stroke-width="2"/>' % (x + 84, y + 20))
    picture.text(x + BOARD_WIDTH / 2, y + 66, board.chip.words, 14, "middle", "#222", "bold")
    picture.text(x + BOARD_WIDTH / 2, y + 84, "antenna up", 10, "middle", "#444")
    middle = y + height / 2 + 30
    title, _, extra = header["title"].partition(" (")
    picture.text(x + BOARD_WIDTH / 2, middle, title, 12, "middle", "#dfe7ee", "bold")
    if extra:
        picture.text(x + BOARD_WIDTH / 2, middle + 18, "(" + extra, 11, "middle", "#aebccc")
    picture.box(x + BOARD_WIDTH / 2 - 24, y + height - 30, 48, 40, "#c9ced3", "#8b939b", 4)
    picture.text(x + BOARD_WIDTH / 2, y + height - 6, "USB", 11, "middle", "#222", "bold")
    for side in ("left", "right"):
        sign = -1 if side == "left" else 1
        edge = x if side == "left" else x + BOARD_WIDTH
        supplied = set()
        for n, label in enumerate(header[side]):
            py = y + 54 + PITCH * n
            shown = label.split("=")[0]
            pin = gpio(label)
            is_used = pin in used if pin is not None else False
            first_supply = shown in SUPPLY and shown not in supplied
            if first_supply and (shown == "GND" or shown in used):
                supplied.add(shown)
                picture.flag(edge, py, shown, sign)
            fill = "#ffd24a" if is_used or shown in SUPPLY else "#66788a"
            picture.dot(edge, py, fill, 5, "#0d1620")
            colour = "#ffffff" if is_used or shown in SUPPLY else "#8fa0b1"
            weight = "bold" if is_used else "normal"
            picture.text(edge - sign * 12, py + 4.5, shown, 13, "end" if side == "right" else "start", colour, weight, "mono")


def _part(picture, part, x, y, side):
    """Draws it; -> [(GPIO, y of that pin, (x where its wire ends, whether at a resistor))]."""
    height = part_height(part)
    picture.box(x, y, PART_WIDTH, height, "#f3f6f9", "#55606b", 8)
    picture.text(x + PART_WIDTH / 2, y + 19, part.title, 14, "middle", "#111", "bold")
    picture.text(x + PART_WIDTH / 2, y + 34, part.words, 11, "middle", "#555")
    sign = 1 if side == "left" else -1  # where its pins look: to the board
    edge = x + PART_WIDTH if side == "left" else x
    ends = []
    for n, (label, to, words) in enumerate(part.pins):
        py = y + FIRST_PIN + ROW * n
        anchor = "end" if side == "left" else "start"
        picture.text(edge - sign * 12, py + 4.5, label, 13, anchor, "#222", "bold" if isinstance(to, int) else "normal", "mono")
        note = _note(part, label, to)
        if note:
            picture.text(x + 10 if side == "left" else x + PART_WIDTH - 10, py + 4, note, 10,
                         "start" if side == "left" else "end", "#666")
        if isinstance(to, int):
            if part.key == "light":
                # The resistor stands in the wire, just outside.
                picture.wire([(edge, py), (edge + sign * 20, py)], "#444")
                picture.dot(edge, py, "#444")
                picture.box(edge + (20 if sign > 0 else -84), py - 9, 64, 18, "#f4e3c1", "#9a7b3c", 3)
                picture.text(edge + sign * 52, py + 4, "330 ohm", 10.5, "middle", "#222")
                ends.append((to, py, (edge + sign * 84, True)))
            else:
                ends.append((to, py, (edge, False)))
        elif to in SUPPLY:
            picture.flag(edge, py, to, sign)
            picture.dot(edge, py, SUPPLY[to])
        elif to is OPEN:
            picture.dot(edge, py, "#fff", 4.5, "#888")
        else:
            picture.dot(edge, py, "#444")
            picture.text(edge + sign * 12, py + 4.5, "to the " + to, 12, "start" if side == "left" else "end", "#222")
    return ends


def _note(part, label, to):
    """A word inside of a part's box, where the wire alone is not enough."""
    if to is OPEN:
        return "open"
    if part.key == "relay" and isinstance(to, int):
        return "10 k to GND" if dict((p[0], p[2]) for p in part.pins)["IN"].startswith("10 kilohms to GND") else "10 k to 3V3"
    return ""


# Files


def readme_with(text, new):
    """The README with the table replaced. BoardError if it has no place for it."""
    before, begin, rest = text.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not begin or not end:
        raise boards.BoardError("a board's README.md needs the lines\n%s\n%s" % (BEGIN, END))
    return "%s%s\n%s\n%s%s" % (before, begin, new, end, after)


def wanted(board):
    """path -> text, of what this tool writes for a board."""
    readme = board.folder / "README.md"
    return {board.folder / "wiring.svg": draw(board), readme: readme_with(readme.read_text(), table(board))}


def main():
    parser = argparse.ArgumentParser(description="Write a board's wiring table and picture from its board.py.")
    parser.add_argument("--check", action="store_true", help="only say what is not up to date")
    parser.add_argument("boards", nargs="*", metavar="BOARD")
    arguments = parser.parse_args()
    stale = []
    try:
        for name in arguments.boards or boards.names():
            for path, text in wanted(boards.load(name)).items():
                if not path.exists() or path.read_text() != text:
                    stale.append(path)
                    if not arguments.check:
                        path.write_text(text)
                        print("wrote", path.relative_to(boards.BOARDS.parent))
    except boards.BoardError as e:
        sys.exit(str(e))
    if arguments.check and stale:
        sys.exit("not what board.py says: %s. Run tools/wiring.py." % ", ".join(p.parent.name + "/" + p.name for p in stale))


if __name__ == "__main__":
    main()
