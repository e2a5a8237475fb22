"""A flash that dies, for scripts that the Unix port runs: at every moment of what they write, as when the power is cut.

It is RAM. It carries out n writes and erases and dies in the next one, of which nothing, half or all still happens; then it is
mounted again, and what was written must be there as it was before or after, whole."""

import os
import vfs

_BLOCK = 4096
_DEAD = -5  # EIO. It is returned, not raised: an exception would fly through LittleFS and leave files open that nobody knows of,
# whose memory the collector gives away as it closes them.


class Flash:
    def __init__(self, data=None):
        self.data = data or bytearray(b"\xff" * (24 * _BLOCK))
        self.gone = False  # after the power cut, when only the collector still wants to close files on it
        self.left = -1  # operations until it dies, -1 never
        self.torn = 0  # halves of the operation it dies in that still happen
        self.done = 0

    def _spend(self):
        """-> (halves of this operation that still happen, whether the flash lives on)."""
        self.done += 1
        if self.left < 0:
            return 2, True
        self.left -= 1
        if self.left >= 0:
            return 2, True
        self.left, halves, self.torn = 0, self.torn, 0  # dead from here on
        return halves, False

    def after_the_cut(self):
        """-> the same flash with the power back."""
        self.gone = True
        return Flash(self.data)

    def readblocks(self, block, buf, offset=0):
        if self.gone:
            return _DEAD
        start = block * _BLOCK + offset
        buf[:] = memoryview(self.data)[start : start + len(buf)]

    def writeblocks(self, block, buf, offset=0):
        if self.gone:
            return _DEAD
        halves, alive = self._spend()
        start = block * _BLOCK + offset
        n = len(buf) * halves // 2
        self.data[start : start + n] = buf[:n]
        return None if alive else _DEAD

    def ioctl(self, op, arg):
        if self.gone:
            return _DEAD
        if op == 4:
            return len(self.data) // _BLOCK
        if op == 5:
            return _BLOCK
        if op == 6:
            halves, alive = self._spend()
            start = arg * _BLOCK
            n = _BLOCK * halves // 2
            self.data[start : start + n] = b"\xff" * n
            if not alive:
                return _DEAD
        return 0


def mount(flash):
    vfs.mount(vfs.VfsLfs2(flash), "/flash")


def load(image):
    """-> a mounted flash that holds this, whose operations are counted from here on."""
    flash = Flash(bytearray(image))
    mount(flash)
    flash.done = 0
    return flash


def ends(total):
    """(operation, halves of it that still happen) of every way to die in as many."""
    return [(after, torn) for after in range(total) for torn in (0, 1, 2)]


def cut(flash, after, torn, write):
    """write(), during which the mounted `flash` dies so; then the power is back, and it is mounted again."""
    flash.left, flash.torn = after, torn
    write()
    os.chdir("/")
    try:
        vfs.umount("/flash")
    except OSError:
        pass
    mount(flash.after_the_cut())
