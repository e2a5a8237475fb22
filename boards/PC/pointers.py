"""viper's pointers in plain Python, for CPython and for ports without a native emitter.

What tools/plain.py derives from a kernel uses these. They differ from viper's in
one thing: an access outside of the buffer raises IndexError instead of reading or
destroying whatever lies there. Pointer arithmetic works as viper writes it:
ptr32(int(p) + 4) is one 32-bit word further on.

Loads are unsigned from ptr8 and ptr16 and signed from ptr32, stores keep the low
bits: as on the boards, which are little-endian and 32 bits wide.
"""


def _bytes_of(buffer):
    """The buffer's bytes, to index; the same memory, not a copy."""
    if isinstance(buffer, (bytes, bytearray)):
        return buffer
    try:
        view = memoryview(buffer)
    except TypeError:
        raise TypeError("a pointer wants a buffer, not %s" % type(buffer).__name__)
    if hasattr(view, "cast"):
        return view.cast("B")
    import uctypes  # MicroPython: its memoryview keeps the array's item size

    return uctypes.bytearray_at(uctypes.addressof(buffer), len(bytes(buffer)))


class _Address:
    """int(pointer): a place in a buffer, counted in bytes."""

    def __init__(self, memory, at):
        self.memory = memory
        self.at = at

    def __add__(self, n):
        return _Address(self.memory, self.at + n)

    __radd__ = __add__

    def __sub__(self, other):
        if isinstance(other, _Address):
            self._same(other)
            return self.at - other.at
        return _Address(self.memory, self.at - other)

    def __and__(self, mask):
        # Alignment is asked of addresses: a buffer is taken to begin at an aligned one.
        return self.at & mask

    def __lt__(self, other):
        self._same(other)
        return self.at < other.at

    def __le__(self, other):
        self._same(other)
        return self.at <= other.at

    def __gt__(self, other):
        self._same(other)
        return self.at > other.at

    def __ge__(self, other):
        self._same(other)
        return self.at >= other.at

    def __eq__(self, other):
        self._same(other)
        return self.at == other.at

    def __hash__(self):
        return self.at

    def _same(self, other):
        if not isinstance(other, _Address) or self.memory is not other.memory:
            raise TypeError("these addresses belong to different buffers")


class _Pointer:
    def __init__(self, to):
        if isinstance(to, (_Pointer, _Address)):
            self.memory = to.memory
            self.at = to.at
        else:
            self.memory = _bytes_of(to)
            self.at = 0

    def _place(self, index, width):
        at = self.at + index * width
        if at < 0 or at + width > len(self.memory):
            raise IndexError("pointer access at byte %d of a buffer of %d" % (at, len(self.memory)))
        return at


class ptr8(_Pointer):
    def __getitem__(self, index):
        return self.memory[self._place(index, 1)]

    def __setitem__(self, index, value):
        self.memory[self._place(index, 1)] = value & 0xFF


class ptr16(_Pointer):
    def __getitem__(self, index):
        at = self._place(index, 2)
        memory = self.memory
        return memory[at] | memory[at + 1] << 8

    def __setitem__(self, index, value):
        at = self._place(index, 2)
        memory = self.memory
        memory[at] = value & 0xFF
        memory[at + 1] = value >> 8 & 0xFF


class ptr32(_Pointer):
    def __getitem__(self, index):
        at = self._place(index, 4)
        memory = self.memory
        value = memory[at] | memory[at + 1] << 8 | memory[at + 2] << 16 | memory[at + 3] << 24
        return (value ^ 0x80000000) - 0x80000000

    def __setitem__(self, index, value):
        at = self._place(index, 4)
        memory = self.memory
        memory[at] = value & 0xFF
        memory[at + 1] = value >> 8 & 0xFF
        memory[at + 2] = value >> 16 & 0xFF
        memory[at + 3] = value >> 24 & 0xFF


def _int(value):
    """viper's int(...): a pointer's address, or the low 32 bits, signed."""
    if isinstance(value, _Pointer):
        return _Address(value.memory, value.at)
    if isinstance(value, _Address):
        return value
    return (int(value) + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def _uint(value):
    """viper's uint(...): a pointer's address, or the low 32 bits, unsigned."""
    if isinstance(value, _Pointer):
        return _Address(value.memory, value.at)
    if isinstance(value, _Address):
        return value
    return int(value) & 0xFFFFFFFF


def bytes_at(address, n):
    """uctypes.bytes_at(int(pointer) + i, n), with what it points into in sight."""
    if address.at < 0 or n < 0 or address.at + n > len(address.memory):
        raise IndexError("%d bytes at byte %d of a buffer of %d" % (n, address.at, len(address.memory)))
    return bytes(address.memory[address.at : address.at + n])


def _arguments(*makers):
    """In place of the decorator: arguments converted as viper converts them."""

    def decorate(function):
        def kernel(*values):
            if len(values) > len(makers):
                raise TypeError("%d arguments at most, not %d" % (len(makers), len(values)))
            return function(*[make(value) if make else value for make, value in zip(makers, values)])

        return kernel

    return decorate
