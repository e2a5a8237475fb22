#!/usr/bin/env python3
"""The programs that tests use as real peers: which are missing, and installing them.

`make test` runs this first. As root on Debian (or Ubuntu) it installs what is
missing; elsewhere it only says what that would be, and the tests skip.
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig

# program -> (Debian package, what the tests do with it)
PEERS = {
    "baresip": ("baresip", "a softphone: calls both ways"),
    "sipp": ("sip-tester", "SIP by the book, and beside it"),
    "linphonec": ("linphone-cli", "another softphone: calls both ways"),
    "kamailio": ("kamailio", "a registrar and proxy"),
    "kamailio-tls": ("kamailio-tls-modules", "the same over TLS"),
    "dnsmasq": ("dnsmasq-base", "a name server"),
    "espeak-ng": ("espeak-ng", "speaks what is sent through a call"),
    "valgrind": ("valgrind", "counts instructions for the bench"),
    "cc": ("gcc", "compiles the speech score"),
}
# Of these, what is no program: a file to look for.
FILES = {
    "kamailio-tls": "/usr/lib/%s-linux-gnu/kamailio/modules/tls.so" % platform.machine(),
}
# What else has no program of its own to look for: a file, and its package.
PARTS = {
    "/usr/include/stdio.h": "libc6-dev",
}
if sys.base_prefix == "/usr":
    # Debian's own Python; one that was built by hand has its headers.
    PARTS[os.path.join(sysconfig.get_path("include", vars={"base": "/usr", "installed_base": "/usr"}), "Python.h")] = (
        "python3-dev")


def missing():
    """Those of PEERS that are not there: not on the PATH, nor where Debian puts servers."""
    return [name for name in PEERS if not is_there(name)]


def is_there(name):
    """Whether a program is installed, or what FILES says by its name."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin"
    return os.path.exists(FILES[name]) if name in FILES else shutil.which(name, path=path) is not None


def advice(names):
    """What to type, for the names of programs that are missing."""
    packages = sorted({PEERS[n][0] for n in names if n in PEERS})
    return "apt-get install " + " ".join(packages) if packages else ""


def can_install():
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages):
    """True when apt-get installed them; its own words are shown when it did not."""
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in (
        ["apt-get", "-q", "update"],
        ["apt-get", "-q", "-y", "install", "--no-install-recommends"] + packages,
    ):
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            print(done.stdout[-2000:])
            print("'%s' failed" % " ".join(command))
            return False
    return True


def main():
    names = missing()
    packages = sorted({PEERS[n][0] for n in names})
    if "cc" not in names or can_install():
        packages += [package for file, package in PARTS.items() if not os.path.exists(file)]
    if not packages:
        return 0
    if can_install():
        print("Installing the tests' peers: %s ..." % " ".join(packages), flush=True)
        if not install(packages) or missing():
            print("Still missing: %s. The tests that need them will be skipped." % ", ".join(missing()))
    else:
        print("Not installed, so some tests will be skipped: %s" % ", ".join(names))
        print("To have them: %s" % advice(names))
    return 0


if __name__ == "__main__":
    sys.exit(main())
