"""Code for the moment: what is needed now and then, and would else lie in the heap for years."""

import gc
import sys


def lend(name):
    """Imports "room.file" without keeping it in sys.modules: its heap is free again when the caller is done with it.

    Only for bytecode: machine code is never freed. An object of one of its classes keeps the file in the heap for as
    long as the object lives, so make only such as go soon: a tone while it sounds, never what lasts for years.
    """
    # First the heap is swept, so that what is loaded fills the holes low down, and the large piece at the top stays whole.
    gc.collect()
    module = __import__(name, None, None, ("*",))
    room, _, leaf = name.rpartition(".")
    del sys.modules[name]
    delattr(sys.modules[room], leaf)
    return module
