"""Real peers for the tests, and for `make bench`, on loopback: start them, talk to them, end them.

    process    one program with its log, ended by its id whatever happens to the test
    addresses  a loopback address of one's own for every door and peer, so that tests never collide
    kamailio   a registrar and record-routing, forking proxy with digest authentication
    baresip    a softphone that plays and records WAV files
    sipp       built-in and own (sipp/*.xml) call scenarios
    speech     what is said into one side, and how much of it arrives at the other (PESQ)
    wire       a bare UDP socket that sends and reads SIP messages as bytes

Nothing here needs pytest. `missing()` says in words what is not installed.
"""
import shutil

DEBIAN = {"kamailio": "kamailio", "baresip": "baresip", "sipp": "sip-tester", "espeak-ng": "espeak-ng",
          "valgrind": "valgrind"}
WHEELS = ("numpy", "scipy", "soundfile", "pesq")


def missing(*programs, wheels=()):
    """What to install before `programs` and the Python packages `wheels` are there, in words; "" if they all are."""
    words = []
    debian = [DEBIAN[name] for name in programs if not shutil.which(name)]
    if debian:
        words.append("apt-get install --no-install-recommends " + " ".join(debian))
    pip = []
    for name in wheels:
        try:
            __import__(name)
        except ImportError:
            pip.append(name)
    if pip:
        words.append("pip install " + " ".join(pip))
    return " and ".join(words)
