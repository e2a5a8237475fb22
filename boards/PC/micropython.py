"""What CPython lacks of MicroPython's `micropython`, so that sip/ and media/ run there.

Kernels come from build/plain, where `make build` has taken viper out of them.
"""


def const(value):
    return value


def native(function):
    return function


def viper(function):
    raise RuntimeError(
        "%s is a viper kernel: on CPython import it from build/plain (`make build` makes it), not from firmware/"
        % function.__name__
    )


def opt_level(level=None):
    return 0


def kbd_intr(character):
    """The terminal's own Ctrl-C stays as it is."""


def alloc_emergency_exception_buf(size):
    """CPython can always allocate an exception."""


def schedule(function, argument):
    function(argument)


def heap_lock():
    return 0


def heap_unlock():
    return 0


def mem_info(verbose=None):
    """Nothing to say about CPython's heap."""
