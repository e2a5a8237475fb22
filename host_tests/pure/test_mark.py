"""DSCP: asked for where it is known what it does, and nowhere else."""

import socket
import sys

from board import mark as board_mark
from board.mark import mark


class Sys:
    def __init__(self, platform):
        self.platform = platform


class Sock:
    def __init__(self, family):
        self.family = family
        self.options = []

    def setsockopt(self, level, option, value):
        if self.family == 4 and level == 41:
            raise OSError(92)
        self.options.append((level, option, value))


def test_an_esp32_is_not_asked():
    # Its setsockopt() would take option 1 for TCP_NODELAY, whatever the level.
    real = board_mark.sys
    try:
        for platform, asked in (("esp32", []), ("rp2", []), ("linux", [(0, 1, 184)]), ("darwin", [(0, 3, 184)])):
            board_mark.sys = Sys(platform)
            sock = Sock(4)
            assert mark(sock, 46) == bool(asked)
            assert sock.options == asked
        board_mark.sys = Sys("linux")
        sock = Sock(6)
        assert mark(sock, 26)
        assert sock.options == [(0, 1, 104), (41, 67, 104)]
    finally:
        board_mark.sys = real


def test_this_computer_s_sockets():
    if sys.platform != "linux":
        return
    for family in (socket.AF_INET, socket.AF_INET6):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        assert mark(sock, 46)
        if hasattr(sock, "getsockopt"):
            assert sock.getsockopt(0, 1) == 184
            assert family == socket.AF_INET or sock.getsockopt(41, 67) == 184
        sock.close()
