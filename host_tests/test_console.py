"""The serial line: a live Python prompt beside the calls, and the way from it to mpremote and back."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rig import addresses
from rig.door import BURST_HEAP
from tools.virtual_board import VirtualBoard

pytestmark = pytest.mark.needs("micropython")

PROMPT = b"\ndoor>>> "
PLAIN = b"\n>>> "
MPREMOTE = [str(Path(sys.executable).parent / "mpremote")]


class Console:
    """A person at the serial line of a door."""

    def __init__(self, folder, heap="96wK", **config):
        self.folder = folder
        self.marks = 0
        self.address = addresses.take()
        (folder / "config.json").write_text(json.dumps(config))
        self.board = VirtualBoard(folder, self.address, heap=heap)
        self.board.start()
        self.wait_ready()

    def wait_ready(self):
        return self.read_until(b"Listening for calls at")

    def read_until(self, *words, timeout=15):
        """All that is printed up to one of these; what follows stays for the next call."""
        out = b""
        while not any(word in out for word in words):
            more = self.board.read_serial(timeout)
            assert more, "waited for %r, got %r" % (words, out)
            out += more
        return out.decode()

    def type(self, keys):
        self.board.write_serial(keys if isinstance(keys, bytes) else keys.encode())

    def run(self, line, ending=None):
        """Types a line (or several) -> what was printed. `ending`: the prompt to wait for, if not the door's own."""
        self.board.read_serial(0)
        self.marks += 1
        mark = "#%d." % self.marks  # a comment, whose echo comes when all before it is done
        self.type(line + "\r" + mark + "\r")
        out = self.read_until((mark + "\r\n").encode() + (ending or PROMPT)[1:])
        out = re.sub("\x1b\\[[0-9;]*[A-Za-z]|\r", "", out)
        out = out[out.find("\n") + 1 :]
        return out[: out.rfind("\n", 0, out.rfind(mark)) + 1].strip("\n")

    def mpremote(self, *words, check=True):
        """Runs mpremote on the line -> its output."""
        self.board.close_serial()
        run = subprocess.run(
            MPREMOTE + ["connect", self.board.serial] + list(words), capture_output=True, text=True, timeout=60
        )
        assert not check or run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def stop(self):
        self.board.stop(quiet=True)
        addresses.give_back(self.address)


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    console = Console(tmp_path_factory.mktemp("door"), **{"sip.password": "hush-hush"})
    yield console
    console.stop()


@pytest.fixture
def own_door(tmp_path):
    console = Console(tmp_path)
    yield console
    console.stop()


def test_expressions_statements_and_blocks(door):
    assert door.run("6 * 7") == "42"
    assert door.run("x = 'abc'") == ""
    assert door.run("x") == "'abc'"
    assert door.run("None") == ""
    assert door.run("# nothing") == ""
    assert door.run("sum([1,\r2,\r3])").endswith("\n6")
    assert door.run("for i in range(2):\r    print('line', i)\r").endswith("line 0\nline 1")
    assert door.run('"""two\rlines"""').endswith("'two\\nlines'")
    assert door.run("def f(n):\r    return n + 1\r\rf(1)").endswith("2")
    assert door.run("_") == "2"


def test_errors_show_the_line_and_nothing_of_the_console(door):
    out = door.run("1 / 0")
    assert "ZeroDivisionError" in out and "line 1" in out and "door/" not in out
    assert "SyntaxError" in door.run("1 +* 2")
    assert "NameError" in door.run("await nobody()")
    assert door.run("1 + 1") == "2"


def test_await_runs_beside_everything_else(door):
    door.run("import asyncio")
    door.run("ticks = 0")
    door.run("async def count():\r global ticks\r while ticks < 5:\r  await asyncio.sleep_ms(10)\r  ticks += 1\r return 'done'\r")
    assert door.run("await count()") == "'done'"
    assert door.run("task = asyncio.create_task(count())") == ""
    assert door.run("got = await count()") == ""
    assert door.run("got") == "'done'"
    assert door.run("for n in range(2):\r await asyncio.sleep_ms(1)\r print('n', n)\r").endswith("n 0\nn 1")
    assert door.run("n") == "1"
    # The watchdog and the button are served meanwhile: the line does not hold the loop.
    assert "held" not in door.run("await asyncio.sleep_ms(300)")


def test_a_line_that_holds_the_intercom_is_told_so(door):
    door.run("import time")
    out = door.run("time.sleep_ms(60)")
    held = int(re.search(r"held the intercom for (\d+) ms", out).group(1))
    assert 60 <= held < 1000
    assert "held" not in door.run("time.sleep_ms(1)")
    door.run("async def hold():\r await asyncio.sleep_ms(1)\r time.sleep_ms(70)\r")
    assert re.search(r"held the intercom for \d+ ms", door.run("await hold()"))


def test_ctrl_c_ends_the_line_that_runs_and_nothing_else(door):
    door.run("import asyncio")
    door.run("async def go():\r await asyncio.sleep_ms(200)\r print('go' + 'ing')\r")
    for line in (
        "while True:\r if t: t = print('go' + 'ing')\r",
        "await asyncio.sleep(100)",
        "for i in range(9):\r await asyncio.sleep(100)\r",
    ):
        # Said by another task while the line waits (by the first one itself, which lets nobody else).
        door.run("t = " + ("asyncio.create_task(go())" if "await" in line else "1"))
        door.type(line + "\r")
        door.read_until(b"going\r\n")
        door.type(b"\x03")
        assert "KeyboardInterrupt" in door.board.expect(PROMPT, timeout=10).decode()
        assert door.run("1 + 2") == "3"
    assert "up for" in door.run("door.status()")


def test_ctrl_c_within_an_awaited_line_that_blocks(door):
    door.run("async def stuck():\r print('stuck')\r while True: pass\r")
    door.type("await stuck()\r")
    door.read_until(b"stuck\r\n")
    door.type(b"\x03")
    assert "KeyboardInterrupt" in door.board.expect(PROMPT, timeout=10).decode()
    assert door.run("1 + 2") == "3"


def test_line_editing(door):
    assert door.run("12\x7f3") == "13"  # backspace
    assert door.run("bc\x01'a\x05'") == "'abc'"  # home, end
    assert door.run("42\x1b[D\x1b[D1\x1b[C\x1b[C0") == "1420"  # left, right
    assert door.run("\x1b[A\x1b[A") == "1420"  # up, past the mark
    assert door.run("\x1b[A\x1b[A\x1b[A\x1b[B") == "1420"  # and down
    assert door.run("12345\x02\x02\x0b") == "123"  # Ctrl-K
    assert door.run("junk\x157") == "7"  # Ctrl-U
    assert door.run("1x2\x1b[D\x1b[D\x1b[3~") == "12"  # delete
    assert door.run("'T\u00fcr' + '\u20ac'") == ascii("T\u00fcr\u20ac")
    door.type("half a line\x03")
    door.board.expect(PROMPT)
    assert door.run("5") == "5"


def test_tab_completes_names_and_keys(door):
    assert "up for" in door.run("door.sta\t()")
    assert "gc" in door.run("import gc") or True
    assert door.run("gc.mem_f\t() > 0") == "True"
    assert door.run("door.show('net.h\t')").startswith("net.hostname = ")
    door.type("door.\t")
    out = door.read_until(b"status")
    assert "hangup" in out and "_call" not in out
    door.type(b"\x03")
    door.board.expect(PROMPT)


def test_pasted_text_is_not_lost(door):
    lines = ["total = 0"] + ["total += %d  # %s" % (i, "x" * 40) for i in range(100)] + ["await asyncio.sleep_ms(50)"]
    lines += ["total += %d" % i for i in range(50)]
    door.type("\r".join(lines) + "\rprint('total', total)\r")
    door.read_until(b"total %d\r\n" % (sum(range(100)) + sum(range(50))), timeout=30)
    assert door.run("1 + 1") == "2"


def test_set_and_show(door):
    def first(line):
        return door.run(line).split("\n")[0]  # on a busy computer a second line may say that this one held the intercom up

    assert first('door.set("call.ring_s", 20)') == "call.ring_s = 20. In effect now."
    assert first('door.set("call.ring_s", 20)') == "call.ring_s = 20. It was so before."
    assert json.loads((door.folder / "config.json").read_text())["call.ring_s"] == 20
    assert "call.ring_s" in door.run("door.show()") and "20" in door.run('door.show("call.ring_s")')
    assert first('door.set("sip.server", "pbx local")') == (
        "sip.server: 'pbx local' is not a host name; write a name like pbx.example or an address like 192.0.2.10"
    )
    assert first('door.set("sip.sever", "x")') == "there is no key 'sip.sever'; did you mean 'sip.server'?"
    assert first('door.show("sip.sever")') == "there is no key 'sip.sever'; did you mean 'sip.server'?"
    assert first('door.set("call.ring_s", None)') == "call.ring_s = 45. In effect now."


def test_a_secret_is_never_printed(door):
    door.run('door.set("door.code", "918273")')
    seen = door.run("door.show()") + door.run("door.status()") + door.run('door.show("door.code")')
    seen += door.run('door.set("door.code", [918273][0:])')
    seen += door.run('door.set("sip.password", None) or door.set("sip.password", "hush-hush")')
    assert "(set)" in seen
    # Up brings back the lines around it (two of them marks), not the one with the secret.
    door.run("1234321")
    door.run('door.set("door.code", "918273")')
    seen += door.run("\x1b[A\x1b[A\x1b[A")
    assert "1234321" in seen
    assert "918273" not in seen.replace("[918273]", "") and "hush" not in seen


def test_help(door):
    out = door.run("help(door)")
    for command in ("status()", "show()", "set(", "await door.call(", "hangup()", "open()"):
        assert command in out
    assert "is of type int" in door.run("help(1)")


def test_the_relay_opens_and_shuts(door):
    door.run('door.set("door.open_s", 1)')
    assert door.run("door.open()") == "The door is open for 1 s."
    door.board.wait_pin("relay", 1)
    assert "The door is open." in door.run("door.status()")
    door.board.wait_pin("relay", 0)
    assert "The door is shut." in door.run("door.status()")


def test_a_button_without_a_target_says_how_to_set_one(door):
    door.board.press(0)
    out = door.read_until(b"button.1.target")
    assert 'door.set("button.1.target"' in out


def test_a_stranger_is_refused_and_told_how_to_be_listed(door):
    def asks(host):
        """What it decides of who asks from there, as if the door itself were in that network: at once, before anything else runs."""
        return door.run("a = door._agent; here, a.host = a.host, '192.0.2.1'; r = door._admit('%s', None); a.host = here" % host)

    said = asks("192.0.2.77")
    said += door.run("r[1].decode()")
    assert "This address is not listed at the door: door.set('call.peers', '192.0.2.77')" in said
    said += door.run("1")
    assert "Refused a call from 192.0.2.77" in said and "door.set('call.peers', '192.0.2.77') lets it in" in said
    door.run("door.set('call.peers', '192.0.2.77')")
    asks("192.0.2.77")
    assert door.run("r") == ""
    asks("192.0.2.78")
    assert "192.0.2.77,192.0.2.78" in door.run("r[1]")
    assert door.run("door._admit('127.0.0.1', None)") == ""
    assert door.run("door._admit('192.0.2.78', None)") == ""  # it has come over the loopback
    door.run("door.set('call.incoming', 'reject')")
    assert "call.incoming is reject" in door.run("door._admit('127.0.0.1', None)")
    door.run("door.set('call.incoming', None)")
    door.run("door.set('call.peers', None)")


def test_the_clock_is_set_when_tls_first_needs_it(own_door):
    """On this board it is right already: it is made to say 2000, and what it is set to is caught."""
    server = addresses.take()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as told:
        told.bind((server, 123))
        told.settimeout(10)
        own_door.run("import sys, machine")
        own_door.run("sys.modules['door.intercom'].gmtime = lambda: (2000, 1, 1)")
        own_door.run("class RTC:\r def datetime(self, now): print('set to', now)\r\rmachine.RTC = RTC")
        own_door.run("door.set('net.ntp', '')")
        assert own_door.run("door._agent.time_known()") == "False"
        own_door.read_until(b'TLS waits for the right time: door.set("net.ntp", "pool.ntp.org") names a server')
        own_door.run("door.set('net.ntp', '%s')" % server)
        question, peer = told.recvfrom(100)
        answer = b"\x24\x01" + bytes(22) + question[40:48] + bytes(8) + (3999999999).to_bytes(4, "big") + bytes(4)
        told.sendto(answer, peer)
        out = own_door.read_until(b"The time was set: ", b"TLS waits")
        assert "set to (2026, 10, 3, 5, 7, 6, 39, 0)" in out, out
        assert own_door.run("door._clock_s") == "-1"
    addresses.give_back(server)


def test_what_the_keys_of_the_server_lead_to(tmp_path):
    own_door = Console(tmp_path, heap=BURST_HEAP)  # what streams are made of is there, beside the prompt

    def last(line):
        return own_door.run(line).split("\n")[-1]  # before it come words about the registration

    def registration(words):
        return last("door._agent.registration.%s" % words)

    for key, value in (("sip.transport", "tcp"), ("sip.proxy", "192.0.2.2"), ("sip.backup", "192.0.2.3:5080"),
                       ("sip.tls_name", "pbx.example"), ("sip.session_s", 1800), ("sip.server", "192.0.2.1")):
        own_door.run("door.set(%r, %r)" % (key, value))
    own_door.run("import time\rwhile door._registration is None: await asyncio.sleep_ms(50)\r")
    assert registration("server") == "b'sip:192.0.2.1'"
    assert registration("hop") == "b'sip:192.0.2.2;transport=tcp'"
    assert registration("second.server") == "b'sip:192.0.2.3:5080'"
    assert last("door._agent.tls_name, door._agent.session_expires_s") == "('pbx.example', 1800)"
    assert last("door._agent.tls_ca") == "'ca.der'"
    assert "The way to the server is TCP." in own_door.run("door.status()")
    own_door.run("door.set('sip.transport', None)")
    own_door.run("await asyncio.sleep_ms(1300)")
    assert last("door._agent.tls_ca") == "''"  # there is no such file: TLS is not what DNS may choose
    own_door.stop()


def test_a_full_heap_is_reported_and_survived(door):
    assert "MemoryError" in door.run("sum([bytes(1000) for i in range(10000)])")
    assert door.run("kept = 7") == ""
    assert "MemoryError" in door.run("hoard = bytes(10000000)")
    assert door.run("kept") == "7"
    out = door.run("hoard = []\rwhile True: hoard.append(bytes(100))\r")
    assert "MemoryError" in out and "the names that were made here are gone" in out
    assert "NameError" in door.run("hoard")
    assert door.run("1 + 1") == "2"
    assert "up for" in door.run("door.status()")


def test_ctrl_c_leaves_for_the_plain_repl_and_ctrl_d_comes_back(own_door):
    own_door.run("door.open()")
    own_door.board.wait_pin("relay", 1)
    own_door.type(b"\x03")
    out = own_door.board.expect(PLAIN).decode()
    assert "Ctrl-D starts it again" in out
    own_door.board.wait_pin("relay", 0)
    assert own_door.run("door.config.get('sip.port')", PLAIN) == "5060"  # the object is still there to look at
    own_door.type(b"\x04")
    own_door.wait_ready()
    own_door.type("\r")
    own_door.board.expect(PROMPT)
    assert own_door.run("1 + 1") == "2"


def test_a_damaged_configuration_does_not_stop_the_door(own_door):
    own_door.type(b"\x03")
    own_door.board.expect(PLAIN)
    (own_door.folder / "config.json").write_text('{"sip.user": "4')
    own_door.type(b"\x04")
    out = own_door.wait_ready()
    assert "config.json is damaged: the defaults are used, and it is kept as config.json.bad" in out
    assert (own_door.folder / "config.json.bad").exists()


def test_mpremote_as_ever(own_door):
    assert own_door.mpremote("resume", "exec", "print(6 * 7)").strip() == "42"  # straight from the live prompt
    assert own_door.mpremote("resume", "eval", "door.config.get('sip.port')").strip() == "5060"
    assert "config.json" in own_door.mpremote("fs", "ls")  # after a soft reset
    own_door.mpremote("reset")
    own_door.wait_ready()
    assert "wiring.py" in own_door.mpremote("fs", "ls")  # from the live prompt, with a soft reset
    own_door.mpremote("soft-reset")
    own_door.type(b"\x04")
    own_door.wait_ready()


def test_mpremote_finds_a_half_typed_line(own_door):
    own_door.type("1 + ")
    own_door.read_until(b"1 + ")
    assert own_door.mpremote("resume", "exec", "print(6 * 7)").strip() == "42"
