"""QR codes: one that is known, what stays the same in all, and how they look. Against another encoder: host_tests/test_qr_codes.py."""

from expect import raises

from door import qr

_URL = b"http://192.0.2.7:8080/"


def _rows(data):
    rows = None
    pieces = 0
    for rows in qr.table(data):
        pieces += 1
    assert pieces > 40  # nobody is held up for long
    return rows


def test_a_known_code():
    # As another encoder makes it: version 1, level M
    known = (
        "1fc27f 104541 17585d 17555d 17595d 105e41 1fd57f 001800 17c67c 0dafcc 07d16e 0d0fcc 0bf125 001528 1fce96 10543e 175a96 "
        "175be8 175964 104fdc 1fd916"
    )
    rows = [int("".join([str(row >> x & 1) for x in range(21)]), 2) for row in _rows(b"HELLO")]
    assert " ".join(["%06x" % row for row in rows]) == known


def test_all_lengths_have_the_patterns_that_a_reader_looks_for():
    for n in range(0, 135, 3):
        rows = _rows(b"x" * n)
        size = len(rows)
        assert size in (21, 25, 29, 33, 37, 41) and all([row < 1 << size for row in rows])
        for row in (rows[0], rows[6], rows[-1]):
            assert row & 255 == 127, n
        assert rows[0] >> size - 8 == rows[6] >> size - 8 == 254
        timing = [row >> 6 & 1 for row in rows[6:-6]]
        assert timing == [~i & 1 for i in range(size - 12)] == [rows[6] >> x & 1 for x in range(6, size - 6)]
        assert rows[-8] >> 8 & 1


def test_what_is_too_long_is_refused():
    assert "134" in str(raises(ValueError, _rows, b"x" * 135))


def test_a_picture_fits_a_small_terminal():
    lines = [line for line in qr.lines(_URL + b"AbCdEfGhIjKlMnOp") if line is not None]
    assert len(lines) == 19
    for line in lines:
        shown = line[len("\x1b[38;5;231;48;5;16m") : -len("\x1b[0m")]
        assert len(shown) == 37 and len(line) <= 64  # the console writes 64 characters at a time
        assert shown.replace("█", "").replace("▀", "").replace("▄", "").replace(" ", "") == ""
        assert line.startswith("\x1b[38;5;231;48;5;16m") and line.endswith("\x1b[0m")
