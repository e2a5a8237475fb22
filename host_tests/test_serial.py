"""The virtual board's serial line is a board's: mpremote works on it, Ctrl-C and Ctrl-D do what they do there."""

import os
import pty
import select
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from tools import virtual_board
from tools.virtual_board import VirtualBoard

pytestmark = pytest.mark.needs("micropython")

PROMPT = b">>> "
# A program that never ends by itself, as the intercom is, and says how it was started and stopped.
ENDLESS = """
import asyncio, machine
async def main():
    while True:
        await asyncio.sleep_ms(1000)
print("main", machine.reset_cause())
try:
    asyncio.run(main())
finally:
    print("interrupted")
"""


@pytest.fixture(scope="module")
def endless(tmp_path_factory):
    """A board that runs such a program; shared, as every mpremote leaves it at a prompt or running."""
    state = tmp_path_factory.mktemp("serial") / "door"
    state.mkdir()
    (state / "main.py").write_text(ENDLESS)
    with VirtualBoard(state, address="127.0.42.1") as b:
        b.expect(b"main 1\r\n")
        b.close_serial()
        yield b


@pytest.fixture
def board(tmp_path):
    started = []

    def start(main="", **options):
        (tmp_path / "door").mkdir()
        (tmp_path / "door" / "main.py").write_text(textwrap.dedent(main))
        started.append(VirtualBoard(tmp_path / "door", address="127.0.42.2", **options))
        return started[0].start()

    yield start
    for b in started:
        b.stop(quiet=True)


def mpremote(b, *words, check=True, cwd=None):
    """mpremote on this board's serial line -> what it printed."""
    b.close_serial()
    done = subprocess.run([sys.executable, "-m", "mpremote", "connect", b.serial, *words], capture_output=True,
                          text=True, timeout=30, cwd=cwd)
    if check:
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


@pytest.mark.parametrize("resume", ((), ("resume",)), ids=("afresh", "resume"))
class TestMpremote:
    def test_exec_and_eval(self, endless, resume):
        assert mpremote(endless, *resume, "exec", "print('a', 6*7); print('b')") == "a 42\nb\n"
        assert mpremote(endless, *resume, "eval", "[1, 'x'] * 2").strip() == "[1, 'x', 1, 'x']"
        failed = mpremote(endless, *resume, "exec", "1/0", check=False)
        assert "ZeroDivisionError" in failed

    def test_without_resume_the_board_starts_afresh(self, endless, resume):
        mpremote(endless, *resume, "exec", "kept = 5")
        assert mpremote(endless, *resume, "eval", "'kept' in globals()").strip() == ("True" if resume else "False")
        assert mpremote(endless, *resume, "eval", "'asyncio' in globals()").strip() == "False"  # main.py was not run

    def test_files(self, endless, resume, tmp_path):
        data = bytes(range(256)) * 20
        (tmp_path / "data.bin").write_bytes(data)
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "module.py").write_text("answer = 42\n")
        mpremote(endless, *resume, "fs", "cp", "data.bin", ":/data.bin", cwd=tmp_path)
        mpremote(endless, *resume, "fs", "cp", "-r", "sub", ":", cwd=tmp_path)
        assert (endless.state / "data.bin").read_bytes() == data
        listing = mpremote(endless, *resume, "fs", "ls", ":")
        assert {"main.py", "wiring.py", "data.bin", "sub/"} <= {line.split()[-1] for line in listing.splitlines()}
        mpremote(endless, *resume, "fs", "cp", ":data.bin", "back.bin", cwd=tmp_path)
        assert (tmp_path / "back.bin").read_bytes() == data
        assert mpremote(endless, *resume, "exec", "import sub.module as m; print(m.answer)") == "42\n"
        mpremote(endless, *resume, "fs", "rm", ":data.bin")
        mpremote(endless, *resume, "fs", "rm", "-r", ":sub")
        assert not (endless.state / "data.bin").exists() and not (endless.state / "sub").exists()

    def test_soft_reset_and_reset_come_back_into_main(self, endless, resume):
        mpremote(endless, *resume, "exec", "x = 1")
        for command, cause in (("soft-reset", 5), ("reset", 2)):
            mpremote(endless, *resume, command)
            if command == "soft-reset":
                # mpremote leaves at the raw prompt of a board that did not run main.py; the next Ctrl-D runs it
                endless.write_serial(b"\x02")
                endless.expect(PROMPT)
                endless.write_serial(b"\x04")
            endless.wait_event("boot", cause="soft reset" if cause == 5 else "hard reset")
            if command == "soft-reset":
                endless.expect(b"main 5\r\n")
            assert mpremote(endless, "resume", "eval", "__import__('machine').reset_cause()").strip() == str(cause)

    def test_mount(self, endless, resume, tmp_path):
        (tmp_path / "far.py").write_text("text = 'from here'\n")
        data = bytes(range(256)) * 8  # with every byte that a terminal would touch
        (tmp_path / "far.bin").write_bytes(data)
        words = "import far; print(far.text); d = open('/remote/far.bin', 'rb').read(); open('/remote/near.bin', 'wb').write(d)"
        assert "from here" in mpremote(endless, *resume, "mount", str(tmp_path), "exec", words)
        assert (tmp_path / "near.bin").read_bytes() == data


def test_flash_is_the_root_and_the_rom_cannot_be_written(endless):
    assert mpremote(endless, "exec", "import os; print(os.getcwd(), 'wiring.py' in os.listdir('/'))") == "/ True\n"
    failed = mpremote(endless, "exec", "try:\n open('/r/x', 'w')\nexcept OSError as e:\n print('refused', e)")
    assert failed.startswith("refused")


def test_control_c_and_control_d_by_hand(board):
    b = board(ENDLESS)
    b.expect(b"main 1\r\n")
    b.write_serial(b"\x03")
    out = b.expect(PROMPT)
    assert b"interrupted\r\n" in out and b"KeyboardInterrupt" in out
    b.write_serial(b"\x03")
    b.expect(PROMPT)
    assert b.repl("1+1") == "2"
    b.write_serial(b"exec('print(\"run\"+\"s\")\\nwhile 1: pass')\r")
    b.expect(b"runs\r\n")
    b.write_serial(b"\x03")
    assert b"KeyboardInterrupt" in b.expect(b"\n" + PROMPT)
    b.write_serial(b"\x04")
    assert b.expect(b"main 5\r\n").endswith(b"MPY: soft reboot\r\nmain 5\r\n")
    # And from the raw prompt into the raw prompt, with main.py left out
    b.write_serial(b"\x03")
    b.expect(PROMPT)
    b.write_serial(b"\x01")
    b.expect(b"raw REPL; CTRL-B to exit\r\n>")
    b.write_serial(b"\x04")
    assert b.expect(b"raw REPL; CTRL-B to exit\r\n>") == b"OK\r\nMPY: soft reboot\r\nraw REPL; CTRL-B to exit\r\n>"
    b.write_serial(b"print('raw')\x04")
    assert b.expect(b"\x04>") == b"OKraw\r\n\x04\x04>"
    b.write_serial(b"\x02")
    b.expect(PROMPT)
    b.write_serial(b"\x04")
    b.expect(b"main 5\r\n")


def test_interrupts_come_as_often_as_they_are_typed(board):
    """Many in a row neither end the interpreter nor get lost."""
    b = board("""
    import time
    n = 0
    while n < 5:
        try:
            if not n:
                print("go")
            while True:
                time.sleep_ms(1)
        except KeyboardInterrupt:
            n += 1
            print("caught", n)
    """)
    b.expect(b"go\r\n")
    for n in range(5):
        b.write_serial(b"\x03\x03" if n % 2 else b"\x03")
        b.expect(b"caught %d\r\n" % (n + 1))
        time.sleep(0.06)  # those that come together are one
    b.expect(PROMPT)
    assert not [e for e in b.events if e["event"] == "crash"]
    assert b.repl("n") == "5"


def test_kbd_intr_makes_control_c_a_character(board):
    b = board("""
    import micropython, select, sys, time
    from micropython import const, kbd_intr
    _KEY = const(3)
    def wait(ms):
        p = select.poll()
        p.register(sys.stdin, select.POLLIN)
        return sys.stdin.read(1) if p.poll(ms) else None
    micropython.kbd_intr(-1)
    print("as a character")
    print("got", ord(wait(5000)))
    kbd_intr(_KEY)
    print("as an interrupt")
    try:
        wait(5000)
    except KeyboardInterrupt:
        print("interrupted")
    micropython.kbd_intr(-1)  # and whatever a program left, the prompt is as ever
    """)
    b.expect(b"as a character\r\n")
    b.write_serial(b"\x03")
    b.expect(b"got 3\r\n")
    b.expect(b"as an interrupt\r\n")
    b.write_serial(b"\x03")
    b.expect(b"interrupted\r\n")
    b.expect(PROMPT)
    b.write_serial(b"exec('print(\"run\"+\"s\")\\nwhile 1: pass')\r")
    b.expect(b"runs\r\n")
    b.write_serial(b"\x03")
    b.expect(b"KeyboardInterrupt")


def test_a_line_that_nobody_reads_does_not_stop_the_program(board):
    """As on a UART: what nobody takes is lost, and the program goes on."""
    b = board("""
    from machine import Pin
    relay = Pin(5, Pin.OUT, value=0)
    line = "x" * 500
    for _ in range(400):
        print(line)
    relay.on()
    """)
    b.wait_pin("relay", 1, timeout=20)
    assert b.read_serial(1)  # a line full to its end; now there is room again
    b.write_serial(b"\r")
    b.expect(PROMPT)


def test_much_output_arrives_whole_when_it_is_read(board):
    b = board("""
    import time
    time.sleep_ms(200)
    for i in range(4000):
        print("%06d" % i, "y" * 60)
    """)
    out = b.expect(PROMPT, timeout=20)
    numbers = [int(line[:6]) for line in out.split(b"\r\n") if line.endswith(b"y")]
    assert numbers == list(range(4000))


def test_terminal_is_the_serial_line(tmp_path):
    """`make run`: what one types at one's own terminal, Ctrl-] ends it and gives the terminal back."""
    (tmp_path / "main.py").write_text("print('hello from', __name__)\n")
    person, terminal = pty.openpty()
    before = subprocess.run(["stty", "-g"], stdin=terminal, capture_output=True).stdout
    runner = subprocess.Popen(
        [sys.executable, virtual_board.__file__, "--state", str(tmp_path), "--address", "127.0.42.3", "--terminal"],
        stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)

    def until(wanted):
        seen = b""
        while wanted not in seen:
            assert select.select([person], [], [], 10)[0], seen
            seen += os.read(person, 4096)
        return seen

    try:
        assert b"Ctrl-] ends it" in until(PROMPT)
        os.write(person, b"6*7\r")
        assert b"42\r\n" in until(b"42\r\n" + PROMPT)
        os.write(person, b"\x1d")
        assert runner.wait(10) == 0
        after = subprocess.run(["stty", "-g"], stdin=terminal, capture_output=True).stdout
        assert after == before
    finally:
        runner.kill()
        runner.wait()
        os.close(person)
        os.close(terminal)


def test_hang_up_of_the_terminal_ends_the_board(tmp_path):
    (tmp_path / "main.py").write_text("")
    runner = subprocess.Popen(
        [sys.executable, virtual_board.__file__, "--state", str(tmp_path), "--address", "127.0.42.4"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        assert runner.stdout.readline()
        runner.send_signal(signal.SIGHUP)
        assert runner.wait(10) == 0
        assert not (tmp_path / virtual_board.CONTROL_FILE).exists()
    finally:
        runner.kill()
        runner.wait()
        runner.stdout.close()
