"""QR codes against another encoder, module for module, and read by what Linphone reads them with (zxing-cpp)."""
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools import build

pytestmark = pytest.mark.needs("segno", "zxingcpp")
URL = "http://192.168.178.201:8080/AbCd-fGhIjKl_nOp"


@pytest.fixture(scope="module", autouse=True)
def by_the_standard():
    """segno 1.6 puts a codeword of zeros between data and padding where 7.4.10 wants none."""
    from segno import encoder
    theirs = encoder.write_padding_bits
    encoder.write_padding_bits = lambda buff, version, length: buff.extend([0] * (-length % 8))
    yield
    encoder.write_padding_bits = theirs


def expected(data):
    """The rows, level M where that takes no larger version than L."""
    import segno
    code = segno.make(data, error="l", mode="byte", micro=False, boost_error=False)
    try:
        code = segno.make(data, error="m", version=code.version, mode="byte", micro=False, boost_error=False)
    except segno.DataOverflowError:
        pass
    return [bytes(row) for row in code.matrix]


def ours(data):
    from door import qr
    rows = None
    for rows in qr.table(data):
        pass
    return [bytes([row >> x & 1 for x in range(len(rows))]) for row in rows]


@given(st.binary(min_size=1, max_size=134))
@settings(max_examples=60, deadline=None)
def test_any_bytes(data):
    assert ours(data) == expected(data)


def test_each_version_and_level_from_its_least_to_its_most():
    for n in (1, 14, 15, 17, 18, 26, 27, 32, 33, 42, 43, 53, 54, 62, 63, 78, 79, 84, 85, 106, 107, 134):
        data = (URL * 4)[:n].encode()
        assert ours(data) == expected(data), n


@pytest.mark.needs("micropython")
def test_on_the_unix_port():
    texts = [(URL[:-1] + chr(97 + n % 26) + URL * 3)[:n] for n in range(2, 135, 4)]
    done = subprocess.run([build.interpreter(), str(Path(__file__).parent / "qr_script.py"),
                           str(build.BUILD / build.host_arch()), *texts], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    codes = done.stdout.split("\n\n")
    for text, code in zip(texts, codes, strict=False):
        assert code.split() == ["".join(map(str, row)) for row in expected(text.encode())], text
    assert len(codes) == len(texts) + 1


def seen(lines, colours, ground, cell=(10, 20)):
    """What a camera sees of a terminal that shows these lines: an image, with the terminal's own `ground` around them."""
    import numpy
    width, height = cell
    rows = []
    for line in lines:
        text = line[line.index("m") + 1:-len("\x1b[0m")]
        ink, paper = colours
        upper = [ink if c in "█▀" else paper for c in text]
        lower = [ink if c in "█▄" else paper for c in text]
        rows += [upper] * (height // 2) + [lower] * (height // 2)
    image = numpy.repeat(numpy.array(rows, dtype=numpy.uint8), width, axis=1)
    return numpy.pad(image, 60, constant_values=ground)


@pytest.mark.parametrize("ground", [0, 30, 225, 255], ids=["black", "dark", "pale", "white"])
@pytest.mark.parametrize("cell", [(10, 20), (9, 20), (8, 16)], ids=str)
def test_a_camera_reads_it_from_the_terminal(ground, cell):
    import zxingcpp

    from door import qr
    lines = [line for line in qr.lines(URL.encode()) if line is not None]
    found = zxingcpp.read_barcodes(seen(lines, (255, 0), ground, cell), formats=zxingcpp.BarcodeFormat.QRCode, try_invert=False)
    assert [one.text for one in found] == [URL]
