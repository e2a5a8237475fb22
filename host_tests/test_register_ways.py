"""Registrations that find their way at real Kamailios: through a proxy, over connections that break, behind a NAT, at a second
server. The agents run here, in this process, without a door."""
import asyncio
import contextlib
import select
import socket
import threading

import pytest

from host_tests.rig import addresses
from host_tests.rig.kamailio import Kamailio

pytestmark = pytest.mark.needs("kamailio")

USERS = {"door": "open sesame", "phone": "none of yours"}


class Ways:
    """Agents at addresses of their own, in the running loop."""

    def __init__(self):
        self.agents = []
        self.given = []

    async def agent(self, **more):
        from board.net import pack, unpack
        from sip.agent import Agent

        host = addresses.take()
        agent = Agent(host, 5060, pack, unpack, **more)
        await agent.start()
        self.agents.append(agent)
        self.given.append(host)
        return agent

    async def end(self):
        for agent in self.agents:
            await agent.stop()
            assert agent.faults == 0
        for host in self.given:
            addresses.give_back(host)


def way(function):
    """The body of a test, a coroutine that is given a Ways, to its end."""

    async def main(*given):
        ways = Ways()
        try:
            await function(ways, *given)
        finally:
            await ways.end()

    return lambda *given: asyncio.run(main(*given))


async def until(condition, words, seconds=15):
    for _ in range(int(seconds * 50)):
        found = condition()
        if found:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("not in %d s: %s" % (seconds, words))


async def registered(registration, seconds=15):
    await until(lambda: registration.contact and not registration.problem, "registered: " + registration.words(), seconds)


async def talks(ways, caller, called, target):
    """A call from one agent to the other by a number, up and ended."""
    heard = []
    called.on_call = lambda call: (heard.append(call), call.answer(called.host, 30000))
    call = caller.call(target, caller.host, 30000)
    await until(lambda: call.state in ("up", "ended"), "answered")
    assert call.state == "up", call.ended
    await until(lambda: heard[0].state == "up", "up there")
    call.hangup()
    await until(lambda: heard[0].state == "ended", "ended there")
    called.on_call = None
    return call


@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_through_an_outbound_proxy_with_a_service_route(tmp_path, kind):
    @way
    async def body(ways, core, edge):
        door, phone = await ways.agent(), await ways.agent()
        first = door.register(core.address, "door", "open sesame", proxy=edge.address, transport=kind)
        await registered(first)
        second = phone.register(core.address, "phone", "none of yours")
        await registered(second)
        assert first.peer[0] == edge.address
        route = b"<sip:out@%s:5060%s;lr>" % (edge.address.encode(), b";transport=tcp" if kind == "tcp" else b"")
        assert first.routes == (route,), first.routes  # the proxy's own, and not twice
        binding, = core.bindings("door")
        assert edge.address in binding["Path"], binding
        await talks(ways, door, phone, "phone")
        await talks(ways, phone, door, "door")
        said = core.process.said()
        assert "from " + door.host not in said and "INVITE sip:phone@%s over udp from %s" % (core.address, edge.address) in said

    with Kamailio(tmp_path / "core", USERS, calls_need_password=True) as core:
        with Kamailio(tmp_path / "edge", {}, behind=core, service_route=True) as edge:
            body(core, edge)


def test_over_tcp_the_server_calls_on_our_connection_and_a_new_one_is_made_when_it_breaks(tmp_path):
    @way
    async def body(ways, kamailio):
        door, phone = await ways.agent(), await ways.agent()
        registration = door.register(kamailio.server, "door", "open sesame", transport="tcp")
        await registered(registration)
        await registered(phone.register(kamailio.server, "phone", "none of yours"))
        await until(lambda: len(kamailio.contacts("door")) == 1, "one binding")
        contact, = kamailio.contacts("door")
        assert contact.startswith("sip:door@%s:" % door.host) and contact.endswith(";transport=tcp"), contact
        assert ":5060;" not in contact, "the connection's own end"
        await talks(ways, phone, door, "door")
        await talks(ways, door, phone, "phone")
        assert len(kamailio.connections()) == 1
        # The server goes and comes: nobody has to press anything.
        await asyncio.to_thread(kamailio.off)
        await until(lambda: registration.problem, "noticed")
        await asyncio.to_thread(kamailio.on)
        await until(lambda: not registration.problem and kamailio.contacts("door"), "registered again", 30)
        phone.registration.start()
        await until(lambda: kamailio.contacts("phone"), "the phone too")
        await talks(ways, phone, door, "door")

    with Kamailio(tmp_path / "kamailio", USERS) as kamailio:
        body(kamailio)


def test_the_second_server_while_the_first_is_away(tmp_path):
    @way
    async def body(ways, one, two):
        door, phone = await ways.agent(), await ways.agent()
        await registered(phone.register(two.server, "phone", "none of yours"))
        told = []
        registration = door.register(one.server, "door", "open sesame", transport="tcp", backup=two.server)
        registration.changed = lambda registration: told.append(registration.words())
        await registered(registration)
        assert not registration.second.is_active and not two.contacts("door")
        await asyncio.to_thread(one.off)
        await until(lambda: registration.second.contact, "registered at the second: " + registration.words(), 20)
        assert registration.is_registered and "Registered at %s as door" % two.address in told[-1]
        await talks(ways, door, phone, "phone")
        await talks(ways, phone, door, "door")
        await asyncio.to_thread(one.on)
        await until(lambda: not registration.problem, "back at the first", 40)
        await until(lambda: not two.contacts("door"), "the second binding is taken back")
        assert one.contacts("door") and two.address not in registration.words()

    with Kamailio(tmp_path / "one", USERS) as one, Kamailio(tmp_path / "two", USERS, algorithm="SHA-256") as two:
        body(one, two)


@contextlib.contextmanager
def nat(inside, outside, server):
    """Datagrams that come to `inside`:5060 go on to the server from `outside`:45678, and back: a NAT with one port mapped."""
    left, right = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    left.bind((inside, 5060))
    right.bind((outside, 45678))
    client = []
    ends = threading.Event()

    def run():
        while not ends.is_set():
            for one in select.select([left, right], [], [], 0.1)[0]:
                data, sender = one.recvfrom(65535)
                if one is left:
                    client[:] = [sender]
                    right.sendto(data, (server, 5060))
                elif client:
                    left.sendto(data, client[0])

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()
        left.close()
        right.close()


def test_behind_a_nat_the_registrar_has_the_address_that_leads_to_us_and_no_other(tmp_path):
    @way
    async def body(ways, kamailio, inside, outside):
        door, phone = await ways.agent(), await ways.agent()
        await registered(phone.register(kamailio.server, "phone", "none of yours"))
        registration = door.register(inside, "door", "open sesame")
        await registered(registration)
        await until(lambda: kamailio.contacts("door") == ["sip:door@%s:45678" % outside], "the outer address alone")
        # The registrar knew it before its answer was here.
        await until(lambda: registration.contact == b"sip:door@%s:45678" % outside.encode(), "the door knows it too")
        await talks(ways, phone, door, "door")
        registration.stop()
        await until(lambda: not kamailio.contacts("door"), "taken back")

    inside, outside = addresses.take(), addresses.take()
    with Kamailio(tmp_path / "kamailio", USERS) as kamailio, nat(inside, outside, kamailio.address):
        body(kamailio, inside, outside)
    for one in (inside, outside):
        addresses.give_back(one)


def test_a_new_address_takes_the_place_of_the_old_one(tmp_path):
    @way
    async def body(ways, kamailio):
        from sip import accounts

        door, phone = await ways.agent(), await ways.agent()
        registration = door.register(kamailio.server, "door", "open sesame")
        await registered(registration)
        other = addresses.take()
        ways.given.append(other)
        with pytest.raises(OSError):
            accounts.move(door, "192.0.2.1")  # not ours
        accounts.move(door, other)
        registration.start()
        await until(lambda: kamailio.contacts("door") == ["sip:door@%s:5060" % other], "the new address alone")
        await registered(phone.register(kamailio.server, "phone", "none of yours"))
        await talks(ways, phone, door, "door")

    with Kamailio(tmp_path / "kamailio", USERS) as kamailio:
        body(kamailio)
