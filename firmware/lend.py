"""Code for the moment: what is needed now and then, and would else lie in the heap for years."""

import gc
import sys


def lend(name):
    """Imports "room.file" without keeping it in sys.modules: its heap is free again when the caller is done with it.

    Only for bytecode (machine code is never freed), and only for what leaves no object of its own classes behind.
    """
    # First the heap is swept, so that what is loaded fills the holes low down, and the large piece at the top stays whole.
    gc.collect()
    module = __import__(name, None, None, ("*",))
    room, _, leaf = name.rpartition(".")
    del sys.modules[name]
    delattr(sys.modules[room], leaf)
    return module
