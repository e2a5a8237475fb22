"""The whole door at a registrar that has no address, only a name: dnsmasq and Kamailio, and never getaddrinfo."""
import asyncio
import socket

import pytest

from host_tests.rig import addresses
from host_tests.rig.dnsmasq import Dnsmasq
from host_tests.rig.door import Door
from host_tests.rig.kamailio import Kamailio

pytestmark = pytest.mark.needs("kamailio", "dnsmasq", "micropython")

USERS = {"door": "open sesame"}
ACCOUNT = {"sip.server": "provider.test", "sip.user": "door", "sip.password": "open sesame"}


@pytest.fixture(scope="module")
def kamailio(tmp_path_factory):
    with Kamailio(tmp_path_factory.mktemp("kamailio"), USERS, port=5080) as kamailio:
        yield kamailio


@pytest.fixture
def place(tmp_path, kamailio):
    """The provider's name servers: its name has SRV and nothing else, as tel.t-online.de."""
    kamailio.forget_contacts()
    with Dnsmasq(tmp_path / "dnsmasq", "--srv-host=_sip._udp.provider.test,edge.provider.test,5080,10,0",
                 "--host-record=edge.provider.test," + kamailio.address) as dnsmasq:
        yield dnsmasq


def test_a_door_registers_and_calls_by_a_name_that_has_only_srv(tmp_path, kamailio, place):
    with Door(tmp_path / "door", {**ACCOUNT, "button.1.target": "nobody"}, dns=place.server) as door:
        door.wait_status("Registered at provider.test (%s) as door" % kamailio.address)
        assert kamailio.contacts("door") == ["sip:door@%s:5060" % door.address]
        assert kamailio.bindings("door")[0]["CSeq"] == 2
        door.press()
        door.expect("no such number there (404)")
        assert "INVITE sip:nobody@provider.test" in kamailio.process.said()
        asked = place.queries()
        door.wait_no_call()
        door.console("door.press()")
        door.expect("no such number there (404)")
        assert place.queries() == asked, "the registrar's servers are known"


def test_the_second_server_of_the_name_when_the_first_does_not_answer(tmp_path, kamailio):
    kamailio.forget_contacts()
    nobody = addresses.take()
    with Dnsmasq(tmp_path / "dnsmasq", "--srv-host=_sip._udp.provider.test,a.provider.test,5060,10,0",
                 "--srv-host=_sip._udp.provider.test,b.provider.test,5080,20,0", "--host-record=a.provider.test," + nobody,
                 "--host-record=b.provider.test," + kamailio.address) as dnsmasq:
        with Door(tmp_path / "door", ACCOUNT, dns=dnsmasq.server) as door:
            door.wait_status("Registered at provider.test (%s)" % kamailio.address)
    addresses.give_back(nobody)


def test_what_goes_wrong_with_a_name_is_said_in_words(tmp_path, kamailio, place):
    with Door(tmp_path / "door", {**ACCOUNT, "sip.server": "nobody.test"}, dns=place.server) as door:
        door.wait_status("Not registered at nobody.test as door: 'nobody.test' is not known to the name server")
        door.set("sip.server", "provider.test")
        door.wait_status("Registered at provider.test")
    with Door(tmp_path / "door", ACCOUNT) as door:
        door.wait_status("'provider.test' cannot be looked up: the network names no DNS server")


def test_getaddrinfo_is_never_asked_for_a_name(kamailio, place, monkeypatch):
    """The same agent under CPython, where it can be watched: every question that getaddrinfo gets is an address."""
    from board.net import pack, unpack
    from sip.agent import Agent

    asked = []
    real = socket.getaddrinfo

    def getaddrinfo(host, *more):
        asked.append(host)
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)  # OSError for a name
        return real(host, *more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    me = addresses.take()
    ended = []

    async def main():
        agent = Agent(me, 5060, pack, unpack, dns=lambda: [place.server])
        await agent.start()
        registration = agent.register("provider.test", "door", "open sesame")
        for _ in range(500):
            if registration.is_registered:
                break
            await asyncio.sleep(0.01)
        assert registration.is_registered, registration.words()
        for target in ("101", "sip:101@elsewhere.test", "sip:edge.provider.test:5080"):
            agent.call(target, me, 20000, lambda call, event: ended.append(call.ended) if event == "ended" else None)
        for _ in range(500):
            if len(ended) == 3:
                break
            await asyncio.sleep(0.01)
        await agent.stop()

    asyncio.run(main())
    addresses.give_back(me)
    assert len(ended) == 3 and "'elsewhere.test' is not known to the name server" in ended, ended
    assert kamailio.address in asked
    for name in ("localhost", "pbx", "pbx.test", "1.2.3", "0x7f.1", "127.1", "1.2.3.4.5", "256.1.1.1", "", "::g"):
        with pytest.raises(ValueError):
            pack(name, 5060)
