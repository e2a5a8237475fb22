"""Run by tests, on CPython and on the Unix port: an agent sends OPTIONS twice and prints what came of it.

    agent_script.py FOLDERS HOST PORT PEER_PORT UDP|TCP|TLS NAME CA [wait]      both have the same address
"""

import sys

sys.path[:0] = sys.argv[1].split(",")

try:
    import pc  # noqa: F401
except ImportError:
    pass
import asyncio
from time import ticks_diff, ticks_ms

from board.net import pack, unpack
from sip.agent import Agent
from sip.message import request


class User:
    outcome = None

    def on_response(self, transaction, message):
        self.outcome = "%d" % message.status if message else transaction.why


async def main(host, port, peer_port, kind, name="", ca="", *more):
    known = []
    agent = Agent(host, int(port), pack, unpack)
    agent.tls_name = name
    agent.tls_ca = ca
    if "wait" in more:
        agent.time_known = lambda: bool(known)
    await agent.start()
    peer = (host, int(peer_port))
    if kind != "UDP":
        peer += (kind.encode(),)
    longest = 0
    for number in range(2):
        user = User()
        branch = agent.new_branch()
        data = request(b"OPTIONS", b"sip:pbx.test", agent.via(branch, peer), b"<sip:a@b>;tag=1", b"<sip:b@c>", b"c1", 1)
        agent.transactions.client(b"OPTIONS", branch, data, peer, user)
        since = ticks_ms()
        while user.outcome is None:
            before = ticks_ms()
            await asyncio.sleep_ms(2)
            longest = max(longest, ticks_diff(ticks_ms(), before))
            if "wait" in more and not known and ticks_diff(ticks_ms(), since) > 1200:
                print("flows", [(flow.key[2], flow.raw) for flow in agent.transport.streams.flows])
                known.append(True)
        print("outcome", user.outcome)
    print("longest", longest)
    print("via", agent.via(b"b", peer).decode())
    print("contact", agent.contact_uri("door", peer).decode())
    await agent.stop()
    print("faults", agent.faults)


asyncio.run(main(*sys.argv[2:]))
