#!/usr/bin/env python3
"""How long a registration takes at a real Kamailio on loopback: REGISTER, 401, REGISTER with digest, 200.

`figures(folder)` measures. The same file is the measured program when MicroPython runs it: bench_register.py BUILT HOST SERVER
"""

import sys

_REPEATS = 20


# -- On MicroPython


async def _register(host, server):
    """Prints the milliseconds of each."""
    import asyncio
    import time

    from board.net import pack, unpack
    from sip.agent import Agent

    agent = Agent(host, 5060, pack, unpack)
    await agent.start()
    for _ in range(_REPEATS):
        since = time.ticks_us()
        registration = agent.register(server, "door", "open sesame")
        while not registration.is_registered:
            if registration.problem:
                raise RuntimeError(registration.words())
            await asyncio.sleep_ms(0)
        print(time.ticks_diff(time.ticks_us(), since) / 1000)
        done = []
        registration.stop(lambda: done.append(True))
        while not done:
            await asyncio.sleep_ms(1)
    await agent.stop()


# -- On CPython


def figures(folder):
    import statistics

    from host_tests.rig import addresses
    from host_tests.rig.kamailio import Kamailio
    from tools import unix_port

    host = addresses.take()
    with Kamailio(folder / "kamailio", {"door": "open sesame"}) as kamailio:
        times = [float(line) for line in unix_port.run(__file__, host, kamailio.server).stdout.split()]
    addresses.give_back(host)
    if len(times) != _REPEATS:
        raise RuntimeError("%d of %d registrations" % (len(times), _REPEATS))
    return {"register_round_trip_ms": round(statistics.median(times), 2)}


if __name__ == "__main__":
    if sys.implementation.name == "micropython":
        import asyncio

        sys.path.insert(0, sys.argv[1])
        asyncio.run(_register(sys.argv[2], sys.argv[3]))
    else:
        import json
        import tempfile
        from pathlib import Path

        sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
        with tempfile.TemporaryDirectory(prefix="bench-") as place:
            print(json.dumps(figures(Path(place))))
