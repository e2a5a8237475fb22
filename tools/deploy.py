#!/usr/bin/env python3
"""Copy the intercom to a board that has MicroPython: make deploy BOARD=... PORT=...

build/<arch>/, main.py and the board's board.py (as wiring.py) go to the board's flash by
mpremote. Files that are there already stay, files of an earlier deployment that are no
longer part of it go, config.json is never touched. Then the board starts anew.

The board keeps a list of what was deployed, deployed.txt. A wiring.py that was changed
on the board since is kept, unless --wiring is given. With --ca certificates go along, for
TLS: those in a PEM or DER file, as ca.der; without it the ca.der that is there stays.
"""

import argparse
import contextlib
import datetime
import hashlib
import io
import os
import sys
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools import boards, build  # noqa: E402
from tools.boards import BoardError  # noqa: E402

LIST = "deployed.txt"
WIRING = "wiring.py"
CA = "ca.der"  # the default of sip.tls_ca
_MAX_CA = 6144  # bytes: the board reads all of it for each connection
_CHUNK = 512
_PATIENCE_S = 3
_ATTEMPTS = 5  # a door that starts just then may take Ctrl-C for its own

# Runs on the board. Line by line, so that neither side needs the whole list at once.
_LOOK = """
import os, sys, gc, hashlib, binascii
os.chdir('/')
def _hash(path):
    try:
        f = open(path, 'rb')
    except OSError:
        return '-'
    h = hashlib.sha256()
    b = memoryview(bytearray(256))
    while True:
        n = f.readinto(b)
        if not n:
            break
        h.update(b[:n])
    f.close()
    return binascii.hexlify(h.digest()[:8]).decode()
"""
_ABOUT = """
gc.collect()
s = os.statvfs('/')
print(sys.implementation.name, getattr(sys.implementation, '_mpy', 0), s[0] * s[3])
"""
_DEPLOYED = """
try:
    print(open('%s').read())
except OSError:
    pass
""" % LIST


def short_hash(data):
    return hashlib.sha256(data).hexdigest()[:16]


def files(board, arch):
    """What belongs on the board: path there -> bytes; main.py last, so that no half of it starts."""
    folder = build.BUILD / arch
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*.*py"))}
    main = found.pop("main.py", None)
    if main is None or not found:
        raise BoardError("build/%s is empty: run `make build`" % arch)
    found[WIRING] = board.path.read_bytes()
    found["main.py"] = main
    return found


def certificates(path, now=None):
    """The certificates of a PEM or DER file that a door may trust -> their DER, one behind the other. BoardError in words
    when there is none, or one that the door could not use at `now` (UTC)."""
    now = now or datetime.datetime.now(datetime.timezone.utc)
    try:
        data = Path(path).read_bytes()
    except OSError as e:
        raise BoardError("The certificate %s cannot be read: %s." % (path, e.strerror)) from None
    try:
        if b"-----BEGIN CERTIFICATE-----" in data:
            found = x509.load_pem_x509_certificates(data)
        elif b"PRIVATE KEY-----" in data:
            raise BoardError("%s is a private key, which must never leave its server. CA= wants the certificate of the CA, or "
                             "of the server when it signed its own." % path)
        else:
            found = [x509.load_der_x509_certificate(data)]
    except ValueError:
        raise BoardError("%s is no certificate. CA= wants a PEM file, which has a line -----BEGIN CERTIFICATE-----, or the same "
                         "as DER." % path) from None
    for one in found:
        name = one.subject.rfc4514_string() or "without a name"
        if one.not_valid_after_utc < now:
            raise BoardError("%s: the certificate %s has expired on %s." % (path, name, one.not_valid_after_utc.date()))
        if one.not_valid_before_utc > now:
            raise BoardError("%s: the certificate %s is not valid before %s; or is this computer's clock wrong?"
                             % (path, name, one.not_valid_before_utc.date()))
        if one.subject != one.issuer and not _is_ca(one):
            raise BoardError("%s: %s is a server's certificate, signed by %s. CA= wants the certificate of that one."
                             % (path, name, one.issuer.rfc4514_string()))
    der = b"".join(one.public_bytes(Encoding.DER) for one in found)
    if len(der) > _MAX_CA:
        raise BoardError("%s holds %d certificates, %d bytes, more than the door's memory has room for (%d). Give it only the "
                         "CA that your server's certificate comes from." % (path, len(found), len(der), _MAX_CA))
    for one in found:
        print("trusting %s until %s" % (one.subject.rfc4514_string(), one.not_valid_after_utc.date()))
    return der


def _is_ca(certificate):
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


class Line:
    """The board at the other end of a serial line, spoken to as mpremote does."""

    def __init__(self, port):
        try:
            # mpremote looks at the name to know a pty.
            self.transport = SerialTransport(os.path.realpath(port) if "://" not in port else port, timeout=_PATIENCE_S)
        except TransportError:
            raise BoardError("Another program has %s open (a terminal, mpremote, an IDE): close it and try again."
                             % port) from None
        try:
            # No soft reset: the intercom's watchdog must be fed on by whoever it left that to.
            self._interrupt()
        except TransportError:
            self.close()
            raise BoardError("MicroPython does not answer at %s. Press the board's EN (RESET) button and try again; "
                             "has it MicroPython at all? `make flash` puts it there." % port) from None

    def _interrupt(self):
        for attempt in range(_ATTEMPTS):
            self._leave_program()
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    self.transport.enter_raw_repl(soft_reset=False, timeout_overall=_PATIENCE_S)
                return
            except TransportError:
                if attempt == _ATTEMPTS - 1:
                    raise

    def _leave_program(self):
        """Ctrl-C, then wait for the plain prompt: a program that says goodbye first would swallow what follows."""
        serial = self.transport.serial
        serial.write(b"\r\x03")
        said, until = b"", time.monotonic() + _PATIENCE_S
        while time.monotonic() < until and not said.endswith(b"\n>>> "):
            waiting = serial.in_waiting
            said += serial.read(waiting) if waiting else b""
            if not waiting:
                time.sleep(0.02)

    def run(self, code):
        """What the code prints, as lines."""
        return self.transport.exec(code).decode().splitlines()

    def write(self, path, data, progress):
        """A whole file or the old one: written beside it, then renamed. Path from the root, without its "/"
        (the Unix port's os.rename() takes two absolute paths for the same one)."""
        self.transport.exec("f=open(%r,'wb')" % (path + ".new"))
        for at in range(0, len(data), _CHUNK):
            self.transport.exec("f.write(%r)" % bytes(data[at:at + _CHUNK]))
            progress(len(data[at:at + _CHUNK]))
        self.transport.exec("f.close()\nos.rename(%r,%r)" % (path + ".new", path))

    def reset(self):
        self.transport.exec_raw_no_follow("import machine\nmachine.reset()")

    def close(self):
        try:
            self.transport.close()
        except OSError:
            pass


class Progress:
    """One line that counts; a line a file where nobody watches a terminal."""

    def __init__(self, files_total, bytes_total):
        self.files_total, self.bytes_total = files_total, bytes_total
        self.files = self.bytes = 0
        self.live = sys.stdout.isatty()

    def begin(self, path):
        self.files += 1
        self.path = path
        self.show()

    def add(self, count):
        self.bytes += count
        self.show()

    def show(self):
        if self.live:
            print("\r%3d of %d files, %6d of %d bytes  %-32s"
                  % (self.files, self.files_total, self.bytes, self.bytes_total, self.path), end="", flush=True)

    def done(self):
        if not self.live:
            print("%3d of %d files, %6d of %d bytes  %s"
                  % (self.files, self.files_total, self.bytes, self.bytes_total, self.path), flush=True)

    def end(self):
        if self.live:
            print()


def deploy(board, port, arch=None, wiring=False, ca=None):
    """Bring the board up to date and reset it. BoardError in words; safe to run again after any of them. `ca`: the path of
    a file with certificates to trust."""
    arch = arch or board.chip.arch
    wanted = files(board, arch)
    if ca:
        wanted = {CA: certificates(ca), **wanted}
    boards.check_port(port)
    line = Line(port)
    try:
        _deploy(line, board, wanted, arch, wiring)
        line.reset()
    except BoardError:
        line.reset()  # what ran before runs on
        raise
    finally:
        line.close()
    print("The intercom starts. Talk to it: %s connect %s   (Ctrl-] ends)"
          % (Path(sys.executable).parent / "mpremote", port))


def _deploy(line, board, wanted, arch, wiring):
    line.run(_LOOK)
    name, mpy, free = line.run(_ABOUT)[-1].split()
    has = build.ARCHITECTURES[int(mpy) >> 10 & 0x3F] if int(mpy) >> 10 & 0x3F < len(build.ARCHITECTURES) else "?"
    if name != "micropython" or int(mpy) & 0xFF != 6:
        raise BoardError("The board runs %s, which does not load these files; MicroPython 1.23 or later does." % name)
    if has != arch:
        raise BoardError("BOARD=%s needs code for %s, and the chip at this port runs %s: is it another board?"
                         % (board.folder.name, arch, has or "no native code"))
    before = dict(reversed(words.split(" ", 1)) for words in line.run(_DEPLOYED) if words)
    there = {}
    for at in range(0, len(wanted), 8):
        paths = list(wanted)[at:at + 8]
        there.update(zip(paths, line.run("for p in %r: print(_hash(p))" % (paths,))))
    _keep_wiring(wanted, before, there, wiring)
    if CA not in wanted:
        before.pop(CA, None)  # it stays
    changed = {path: data for path, data in wanted.items() if there[path] != short_hash(data)}
    need, free = sum(map(len, changed.values())), int(free)
    if need + 8192 > free:  # an old file goes only when its new one is whole
        raise BoardError("The board's flash has %d bytes free, %d are needed. `make flash` erases it all." % (free, need))
    stale = [path for path in before if path not in wanted]
    listed = dict(before)
    listed.update((path, short_hash(data)) for path, data in changed.items())
    if changed or stale:
        # First, so that a deployment cut short is cleaned up by the next.
        _write_list(line, listed)
        _make_folders(line, changed)
    progress = Progress(len(changed), need)
    for path, data in changed.items():
        progress.begin(path)
        line.write(path, data, progress.add)
        progress.done()
    progress.end()
    for path in stale:
        print("removing %s, which is no longer part of it" % path)
        _remove(line, path)
    if changed or stale:
        _write_list(line, {path: short_hash(data) for path, data in wanted.items()})
    print("%d files were there already" % (len(wanted) - len(changed)))


def _keep_wiring(wanted, before, there, wiring):
    """A wiring.py that a person changed on the board stays."""
    new = short_hash(wanted[WIRING])
    if there[WIRING] not in ("-", new, before.get(WIRING)) and not wiring:
        print("%s on the board was changed there and is kept; ARGS=--wiring overwrites it." % WIRING)
        del wanted[WIRING]
        # It is not ours any more, and so not ours to remove.
        before.pop(WIRING, None)


def _write_list(line, listed):
    text = "".join("%s %s\n" % (digest, path) for path, digest in sorted(listed.items()))
    line.write(LIST, text.encode(), lambda count: None)


def _make_folders(line, paths):
    folders = sorted({parent.as_posix() for path in paths for parent in Path(path).parents} - {"."})
    for folder in folders:
        line.run("try:\n os.mkdir('%s')\nexcept OSError: pass" % folder)


def _remove(line, path):
    """A file, and its folders as far as they are empty then."""
    line.run("try:\n os.remove('%s')\nexcept OSError: pass" % path)
    for parent in Path(path).parents[:-1]:
        line.run("try:\n os.rmdir('%s')\nexcept OSError: pass" % parent.as_posix())


def main():
    parser = argparse.ArgumentParser(description="Copy the intercom to a board that has MicroPython.")
    parser.add_argument("--board", default="")
    parser.add_argument("--port", default="")
    parser.add_argument("--arch", help="another build/ than the board's chip has (the virtual board: x64)")
    parser.add_argument("--wiring", action="store_true", help="overwrite a wiring.py that was changed on the board")
    parser.add_argument("--ca", default="", help="certificates to trust for TLS: a PEM or DER file")
    arguments = parser.parse_args()
    try:
        deploy(boards.load(arguments.board), arguments.port, arguments.arch, arguments.wiring, arguments.ca)
    except BoardError as e:
        sys.exit(str(e))
    except TransportExecError as e:
        sys.exit("The board says: %s\nNot deployed; run it again." % e.error_output.strip().splitlines()[-1])
    except (TransportError, OSError, ValueError, IndexError) as e:
        sys.exit("The line to the board broke (%s). Not deployed; run it again." % e)
    except KeyboardInterrupt:
        sys.exit("\nStopped half-way; run it again before the board is used.")


if __name__ == "__main__":
    main()
