"""Run pure tests under MicroPython: micropython run_pure.py BUILT PURE [module[:function] ...]

BUILT is a folder of build/, PURE is host_tests/pure. Prints one line a test
function, `ok module:function`, or `FAILED module:function` and its traceback,
and exits 1 if any failed. Every function starts on a collected heap.
"""

import gc
import os
import sys


def main(argv):
    built, pure = argv[0], argv[1]
    sys.path[:] = ["", built, pure, ".frozen"]
    failed = 0
    for name in argv[2:]:
        module, _, only = name.partition(":")
        try:
            loaded = __import__(module)
        except BaseException as e:
            print("FAILED", name)
            sys.print_exception(e)
            failed += 1
            continue
        for function in [only] if only else functions(pure + "/" + module + ".py"):
            gc.collect()
            try:
                getattr(loaded, function)()
            except BaseException as e:
                print("FAILED %s:%s" % (module, function))
                sys.print_exception(e)
                failed += 1
            else:
                print("ok %s:%s" % (module, function))
    return 1 if failed else 0


def functions(path):
    """Names of the test functions of a file, in their order (dir() of a module has none)."""
    names = []
    with open(path) as f:
        for line in f:
            if line.startswith("def test_"):
                names.append(line[4 : line.index("(")])
    return names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
