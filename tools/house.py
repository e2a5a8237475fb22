#!/usr/bin/env python3
"""The house alone, on a PC: registrar, location service, proxy and redirect server for the phones of a home, without a door.

    house.py --state house --listen 192.0.2.10              serves until Ctrl-C
    house.py --state house --add-phone kitchen              a new phone: its account, told once; and in a terminal its QR code
    house.py --state house --remove-phone kitchen | --phones | --set house.redirect=102

It is firmware/sip/server/, and what of firmware/door/ keeps a house, run by CPython or by the MicroPython Unix port. The state
folder is what a door has as its flash, so that a door may go on with it, or it with a door's. What runs is house_script.py.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools import build  # noqa: E402

_PROGRAM = Path(__file__).resolve().parent / "house_script.py"
_HEAP = "8M"


def address():
    """The address of this computer in its network; without one, what only it itself reaches."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))  # nothing is sent: it tells by which address it would be
            return s.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def place(listen):
    """"192.0.2.10:5060" -> (address, port as text, "0" for that of the configuration). BuildError in words."""
    host, _, port = (listen or address()).partition(":")
    try:
        socket.inet_aton(host)
        if host.count(".") == 3 and host != "0.0.0.0" and 0 <= int(port or 0) < 65536:
            return host, port or "0"
    except (OSError, ValueError):
        pass
    raise build.BuildError("--listen %s: write an address of this computer that the phones reach, like 192.168.1.20, or with a "
                           "port, 192.168.1.20:5062." % listen)


def name_server():
    """What an environment says of the server that this computer asks for names."""
    try:
        lines = Path("/etc/resolv.conf").read_text().splitlines()
    except OSError:
        lines = []
    found = [words[1] for words in map(str.split, lines) if words[:1] == ["nameserver"] and words[1:] and words[1].count(".") == 3]
    return {"DNS": found[0]} if found else {}


def command(interpreter, host, port, *order):
    """What runs the program, as a list. BuildError in words."""
    if interpreter == "cpython":
        build.build(["plain"], say=lambda words: None)
        begins = [sys.executable, "-u", str(_PROGRAM), "%s:%s" % (build.BUILD / "plain", build.ROOT / "boards" / "PC")]
    else:
        arch = build.host_arch()
        build.build([arch], say=lambda words: None)
        begins = [str(build.interpreter()), "-X", "heapsize=" + _HEAP, str(_PROGRAM), str(build.BUILD / arch)]
    return begins + [host, port, *order]


def _in_child():
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # all of a service may be told to end at once: it hears of that as said below


def main():
    parser = argparse.ArgumentParser(description="The servers of a house without a PBX, alone on this computer.")
    parser.add_argument("--state", default="house", help="its folder: config.json, phones.txt, bindings.txt; made if missing")
    parser.add_argument("--listen", default="", help="address of this computer, with :port if not 5060 (that of its network)")
    parser.add_argument("--interpreter", choices=("cpython", "micropython"), default="cpython", help="what runs it (cpython)")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--add-phone", metavar="NAME", help="a new phone: prints its account, once")
    one.add_argument("--remove-phone", metavar="NAME", help="a phone less, by name or number")
    one.add_argument("--phones", action="store_true", help="lists them, and where they were registered last")
    one.add_argument("--set", metavar="KEY=VALUE", help="a value for config.json, like house.all=200; from the next start on")
    parser.add_argument("--code", action=argparse.BooleanOptionalAction, default=sys.stdout.isatty(),
                        help="with --add-phone: an address for Linphone too, as a QR code, open until fetched or Ctrl-C (in a terminal)")
    options = parser.parse_args()
    orders = (("offer" if options.code else "add", options.add_phone), ("remove", options.remove_phone), ("set", options.set))
    order = [word for name, word in orders if word is not None for word in (name, word)] or ["phones"] * options.phones
    try:
        line = command(options.interpreter, *place(options.listen), *order)
    except build.BuildError as e:
        sys.exit("house: %s" % e)
    state = Path(options.state)
    state.mkdir(parents=True, exist_ok=True)
    os.umask(0o077)  # what stands for passwords is nobody else's
    # It ends when its standard input does, whatever has ended this: no signal, which could hit the Unix port while it collects
    # garbage and leave its heap locked. So it keeps where the phones are.
    child = subprocess.Popen(line, cwd=state, env=os.environ | name_server(), stdin=subprocess.PIPE, preexec_fn=_in_child,
                             start_new_session=True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: child.stdin.close())
    sys.exit(child.wait())


if __name__ == "__main__":
    main()
