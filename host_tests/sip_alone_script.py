"""sip/ as somebody else would use it, without sound and without a door: micropython sip_alone_script.py BUILT HOST WHAT [SERVER]

It listens at HOST, registers at SERVER if there is one, and answers the first call (WHAT: answer) or refuses each (refuse). WHAT:
house, it is the house of tools/house.py, with the phones of the folder that it runs in, where whoever calls needs no password.
It takes orders from its standard input, one a line, and answers each with a line: `heap` bytes in use, garbage collected;
`counts` of messages, as JSON; `purge` forgets what only waits for retransmissions; `end`."""

import asyncio
import gc
import json
import select
import socket
import sys

built, host, what = sys.argv[1:4]
sys.path[:] = [built, ".frozen"]

from sip.agent import Agent  # noqa: E402

if what == "house":
    sys.path.append(sys.argv[0].rpartition("/")[0] + "/../tools")
    from house_script import Keeper


def pack(host, port):
    """ValueError for what is no IPv4 address: nothing in sip/ may wait for a name."""
    if not all(0 <= int(part) < 256 for part in host.split(".")) or host.count(".") != 3:
        raise ValueError(host)
    return socket.getaddrinfo(host, port)[0][-1]


def unpack(address):
    return "%d.%d.%d.%d" % tuple(address[4:8]), address[2] << 8 | address[3]


def on_call(call):
    call.ring()
    if what == "answer":
        call.answer(host, 7000)
    else:
        call.reject(486)


async def house():
    """A house that says what it has to say when it is asked for the counts -> its agent."""
    keeper = Keeper(host)
    said = []
    keeper.say = said.append
    asyncio.create_task(keeper.serve(lambda _: False))  # orders come from the standard input here
    agent = keeper._agent
    while not agent.transport.trace:
        await asyncio.sleep_ms(1)
    agent.transport.trace = None  # who calls whom is not to be told
    agent.house.said = said
    agent.house.owner.lets_in = lambda host, itself: True
    said.clear()
    return agent


async def run():
    if what == "house":
        agent = await house()
    else:
        agent = Agent(host, 5060, pack, unpack, on_call=on_call)
        await agent.start()
    if len(sys.argv) > 4:
        agent.register(sys.argv[4], "door", "open sesame")
    poll = select.poll()
    poll.register(sys.stdin, select.POLLIN)
    print("listening")
    while True:
        await asyncio.sleep_ms(20)
        for _ in poll.ipoll(0):
            order = sys.stdin.readline().strip()
            gc.collect()
            if order == "heap":
                print(gc.mem_alloc())
            elif order == "counts":
                print(json.dumps({
                    "registered": bool(agent.registration and agent.registration.is_registered),
                    "calls": len(agent.calls), "transactions": len(agent.transactions), "timers": len(agent.timers),
                    "received": agent.transport.received, "sent": agent.transport.sent, "bad": agent.bad,
                    "refused": agent.refused, "unmatched": agent.unmatched, "faults": agent.faults,
                    "out_of_memory": agent.out_of_memory + agent.transport.out_of_memory,
                    "flows": len(agent.transport.streams.flows) if agent.transport.streams else 0,
                    "bindings": len(agent.house.bindings) if agent.house else 0,
                    "forwards": len(agent.house.forwards) if agent.house else 0,
                    "said": agent.house.said if agent.house else []}))
            elif order == "purge":
                agent.transactions.purge()
                print("purged")
            else:
                return


asyncio.run(run())
