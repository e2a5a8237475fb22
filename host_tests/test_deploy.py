"""make deploy, over the virtual board's serial line, which mpremote takes for a board's."""

import datetime
import os
import pty
import re
import subprocess
import sys

import pytest
import serial
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tools import boards, build, deploy
from tools.boards import BoardError
from tools.virtual_board import VirtualBoard

ADDRESS = "127.0.45.1"
CONFIG = b'{"sip.user": "front"}'
# The virtual board runs what this computer's MicroPython runs.
ARCH = build.host_arch()
pytestmark = pytest.mark.skipif(ARCH == "bytecode", reason="the board has code for a chip, and this MicroPython none")


@pytest.fixture
def virtual_board(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "config.json").write_bytes(CONFIG)
    board = VirtualBoard(tmp_path / "state", ADDRESS, heap="4M")
    board.start()
    yield board
    board.stop()


@pytest.fixture
def board():
    return boards.load("ESP32_DEVKIT")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A small build/ of one's own: a function that makes it hold these files."""
    folder = tmp_path / "build" / ARCH
    monkeypatch.setattr(build, "BUILD", tmp_path / "build")

    def holds(**files):
        for path in folder.rglob("*.*py"):
            path.unlink()
        for name, text in files.items():
            path = folder / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return holds


def on(virtual_board):
    """Path -> contents of what is in the board's flash, but for the runner's own."""
    state = virtual_board.state
    return {str(p.relative_to(state)): p.read_text() for p in state.rglob("*")
            if p.is_file() and not p.name.startswith(".")}


def at_prompt(virtual_board):
    """Wait for the door's prompt. One that came before the line was opened is lost with it, so ask for another."""
    for attempt in range(15):
        virtual_board.write_serial(b"\rprint(6 * 7)\r")
        try:
            virtual_board.expect(b"42\r\n", timeout=2)
            virtual_board.expect(b"door>>> ")
            return
        except TimeoutError:
            pass
    raise AssertionError("no prompt of the door")


def count(words):
    """(files copied, files that were there)"""
    copied = re.findall(r"(\d+) of \d+ files, .*", words)
    return int(copied[-1]) if copied else 0, int(re.search(r"(\d+) files were there already", words)[1])


def test_the_whole_intercom_comes_to_a_running_door_and_starts(virtual_board):
    state = virtual_board.state
    (state / "wiring.py").unlink()
    (state / "mine.txt").write_text("a person's own")
    command = [sys.executable, "tools/deploy.py", "--board", "ESP32_DEVKIT", "--port", virtual_board.serial,
               "--arch", ARCH]
    virtual_board.close_serial()
    done = subprocess.run(command, cwd=build.ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    virtual_board.wait_event("boot")
    modules = len(build.sources(build.FIRMWARE))
    assert count(done.stdout) == (modules + 1, 0)
    for path in (build.BUILD / ARCH).rglob("*.*py"):
        assert (state / path.relative_to(build.BUILD / ARCH)).read_bytes() == path.read_bytes()
    assert (state / "wiring.py").read_text() == boards.load("ESP32_DEVKIT").path.read_text()
    assert (state / "config.json").read_bytes() == CONFIG
    assert (state / "mine.txt").exists()
    at_prompt(virtual_board)
    # It is the copied code that runs, with the board's own wiring.
    assert "ESP32 DevKit" in virtual_board.repl("door.status()")
    assert virtual_board.repl('import sip.agent; print(sip.agent.__file__)') in ("sip/agent.mpy", "sip/agent.py")
    virtual_board.close_serial()
    done = subprocess.run(command, cwd=build.ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert count(done.stdout) == (0, modules + 1)


def test_only_what_changed_is_copied_and_what_is_no_longer_part_goes(virtual_board, board, tree, capsys):
    tree(main="print('one')", sip__a="A = 1", sip__b="B = 1", old__sub__c="C = 1")
    deploy.deploy(board, virtual_board.serial, ARCH, wiring=True)
    virtual_board.wait_event("boot")
    (virtual_board.state / "sip/mine.py").write_text("MINE = 1")
    assert count(capsys.readouterr().out) == (5, 0)
    tree(main="print('one')", sip__a="A = 2", sip__b="B = 1", sip__d="D = 1")
    deploy.deploy(board, virtual_board.serial, ARCH)
    virtual_board.wait_event("boot")
    words = capsys.readouterr().out
    assert count(words) == (2, 3) and "removing old/sub/c.py" in words
    flash = on(virtual_board)
    listed = flash.pop("deployed.txt")
    assert flash.pop("config.json").encode() == CONFIG
    assert sorted(line.split(" ")[1] for line in listed.splitlines()) == [
        "main.py", "sip/a.py", "sip/b.py", "sip/d.py", "wiring.py"]
    assert sorted(flash) == ["main.py", "sip/a.py", "sip/b.py", "sip/d.py", "sip/mine.py", "wiring.py"]
    assert flash["sip/a.py"] == "A = 2"
    assert not (virtual_board.state / "old").exists()


def test_a_deployment_cut_short_is_completed_by_the_next(virtual_board, board, tree, monkeypatch, capsys):
    tree(main="print('one')", sip__a="A = 1", sip__b="B = 1")
    deploy.deploy(board, virtual_board.serial, ARCH, wiring=True)
    tree(main="print('two')", sip__a="A = 2", media__c="C = 2")
    written = []
    write = deploy.Line.write

    def cut(self, path, data, progress):
        if len(written) == 3:
            raise OSError("the cable is out")
        written.append(path)
        write(self, path, data, progress)

    with monkeypatch.context() as during:
        during.setattr(deploy.Line, "write", cut)
        with pytest.raises(OSError):
            deploy.deploy(board, virtual_board.serial, ARCH)
    assert written == ["deployed.txt", "media/c.py", "sip/a.py"]
    tree(main="print('three')", sip__a="A = 3")
    deploy.deploy(board, virtual_board.serial, ARCH)
    flash = on(virtual_board)
    flash.pop("deployed.txt")
    flash.pop("config.json")
    assert flash.pop("wiring.py") == board.path.read_text()
    assert flash == {"main.py": "print('three')", "sip/a.py": "A = 3"}


def test_a_wiring_changed_on_the_board_is_kept_unless_asked(virtual_board, board, tree, capsys):
    tree(main="print('one')", sip__a="A = 1")
    deploy.deploy(board, virtual_board.serial, ARCH)
    assert "wiring.py on the board was changed there and is kept" in capsys.readouterr().out
    deploy.deploy(board, virtual_board.serial, ARCH, wiring=True)
    wiring = virtual_board.state / "wiring.py"
    assert wiring.read_text() == board.path.read_text()
    wiring.write_text("NAME = 'my own'")
    deploy.deploy(board, virtual_board.serial, ARCH)
    assert wiring.read_text() == "NAME = 'my own'"


def test_code_for_another_chip_is_not_copied_and_the_door_runs_on(virtual_board, board):
    with pytest.raises(BoardError, match="needs code for xtensawin, and the chip at this port runs x64"):
        deploy.deploy(board, virtual_board.serial)
    at_prompt(virtual_board)
    assert "sipdoor" in virtual_board.repl("door.status()")


def test_too_little_room_is_said_before_anything_is_copied(virtual_board, board, tree, monkeypatch):
    tree(main="print('one')", sip__a="A = 1")
    monkeypatch.setattr(deploy, "_ABOUT", deploy._ABOUT.replace("s[0] * s[3]", "8200"))
    with pytest.raises(BoardError, match="8200 bytes free"):
        deploy.deploy(board, virtual_board.serial, ARCH)
    assert "sip/a.py" not in on(virtual_board)


def test_a_port_that_another_program_has(virtual_board, board):
    with serial.Serial(virtual_board.serial, exclusive=True):
        with pytest.raises(BoardError, match="Another program has"):
            deploy.deploy(board, virtual_board.serial, ARCH)


def test_a_port_where_nobody_answers(board, monkeypatch):
    monkeypatch.setattr(deploy, "_PATIENCE_S", 0.1)
    far, near = pty.openpty()
    try:
        with pytest.raises(BoardError, match="does not answer .* EN .RESET. button .*make flash"):
            deploy.deploy(board, os.ttyname(near), ARCH)
    finally:
        os.close(far)
        os.close(near)


@pytest.mark.parametrize("arguments, words", [
    ([], "Which board?"),
    (["--board", "ESP32_DEVKIT"], "Which serial port?"),
    (["--board", "ESP32_DEVKIT", "--port", "/dev/ttyUSB99"], "There is no /dev/ttyUSB99"),
])
def test_what_is_missing_is_said(arguments, words):
    done = subprocess.run([sys.executable, "tools/deploy.py", *arguments], cwd=build.ROOT, capture_output=True, text=True)
    assert done.returncode != 0 and words in done.stderr and "Traceback" not in done.stderr


# --- Certificates.

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def certificate(name, days=30, since=-1, signer=None, ca=None, key=None):
    """(certificate, its key) made here; signed by itself unless `signer`, such a pair, signs it."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).public_key(key.public_key()).serial_number(
        x509.random_serial_number()).not_valid_before(NOW + since * DAY).not_valid_after(NOW + days * DAY)
    builder = builder.issuer_name(signer[0].subject if signer else subject)
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    return builder.sign(signer[1] if signer else key, hashes.SHA256()), key


def pem(it):
    return it.public_bytes(Encoding.PEM)


def der(it):
    return it.public_bytes(Encoding.DER)


@pytest.fixture
def put(tmp_path):
    """A function that writes a file -> its path."""

    def put(data):
        path = tmp_path / "given.pem"
        path.write_bytes(data)
        return str(path)

    return put


def test_certificates_become_der_one_behind_the_other(put, capsys):
    root, own = certificate("Root", ca=True), certificate("pbx.example", days=400)
    middle = certificate("Middle", signer=root, ca=True)
    assert deploy.certificates(put(pem(root[0]))) == der(root[0])
    assert "trusting CN=Root until %s" % (NOW + 30 * DAY).date() in capsys.readouterr().out
    assert deploy.certificates(put(der(own[0]))) == der(own[0])
    text = b"a comment\n" + pem(root[0]) + b"\nanother\n" + pem(middle[0]) + pem(own[0])
    assert deploy.certificates(put(text)) == der(root[0]) + der(middle[0]) + der(own[0])
    key = own[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert deploy.certificates(put(key + pem(own[0]))) == der(own[0])  # the key stays here
    # As the firmware takes them apart again.
    from sip import tls

    assert list(tls.certificates(deploy.certificates(put(text)))) == [der(root[0]), der(middle[0]), der(own[0])]


def test_what_is_no_use_as_a_certificate_is_told_in_words(put):
    root, key = certificate("Root", ca=True)

    def refused(data, now=None):
        with pytest.raises(BoardError) as told:
            deploy.certificates(put(data), now)
        return str(told.value)

    assert "is a private key, which must never leave its server" in refused(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    assert "is no certificate" in refused(b"hello") and "is no certificate" in refused(b"") and "is no cert" in refused(der(root)[:-9])
    assert "is no certificate" in refused(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert "CN=Root has expired on %s" % (NOW + 30 * DAY).date() in refused(pem(root), NOW + 31 * DAY)
    assert "CN=old has expired" in refused(pem(root) + pem(certificate("old", days=-1, since=-9)[0]))
    assert "not valid before %s" % (NOW + 2 * DAY).date() in refused(pem(certificate("new", since=2)[0]))
    assert "CN=pbx is a server's certificate, signed by CN=Root" in refused(pem(certificate("pbx", signer=(root, key))[0]))
    assert "signed by CN=Root" in refused(pem(certificate("pbx", signer=(root, key), ca=False)[0]))
    assert "holds 30 certificates" in refused(pem(root) * 30)
    with pytest.raises(BoardError, match="nothing.pem cannot be read: No such file"):
        deploy.certificates("nothing.pem")


def test_a_certificate_comes_along_and_stays(virtual_board, board, tree, put, capsys):
    root = certificate("Root", ca=True)[0]
    tree(main="print('one')", sip__a="A = 1")
    deploy.deploy(board, virtual_board.serial, ARCH, wiring=True, ca=put(pem(root)))
    ca = virtual_board.state / "ca.der"
    assert ca.read_bytes() == der(root)
    assert "trusting CN=Root" in capsys.readouterr().out
    tree(main="print('two')", sip__a="A = 1")
    deploy.deploy(board, virtual_board.serial, ARCH)
    assert ca.read_bytes() == der(root) and (virtual_board.state / "main.py").read_text() == "print('two')"
    other = certificate("Other", ca=True)[0]
    deploy.deploy(board, virtual_board.serial, ARCH, ca=put(pem(other)))
    assert ca.read_bytes() == der(other)
    with pytest.raises(BoardError, match="is no certificate"):
        deploy.deploy(board, virtual_board.serial, ARCH, ca=put(b"x"))
    assert ca.read_bytes() == der(other)
