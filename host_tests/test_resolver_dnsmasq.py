"""Names looked up at a real name server (RFC 3263), by the door's own DNS client under CPython."""

import asyncio

import pytest

from host_tests.rig import addresses
from host_tests.rig.dnsmasq import PORT, Dnsmasq

pytestmark = pytest.mark.needs("dnsmasq")

RECORDS = (
    "--naptr-record=tel.test,20,10,S,SIP+D2U,,_sip._udp.tel.test",
    "--naptr-record=tel.test,10,10,S,SIPS+D2T,,_sips._tcp.tel.test",
    "--srv-host=_sip._udp.tel.test,second.tel.test,5070,20,0",
    "--srv-host=_sip._udp.tel.test,first.tel.test,5062,10,0",
    "--srv-host=_sip._udp.srvonly.test,first.tel.test,5064,0,0",
    "--host-record=first.tel.test,192.0.2.1",
    "--host-record=second.tel.test,192.0.2.2",
    "--cname=alias.test,first.tel.test",
    "--local-ttl=60",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Dnsmasq(tmp_path_factory.mktemp("dnsmasq"), *RECORDS) as dnsmasq:
        yield dnsmasq


def look_up(server, *uris):
    from sip.address import parse_uri
    from sip.resolver import Dns, locate

    async def main():
        dns = Dns(lambda: [server], lambda host, port: (host, port), {}, PORT)
        return [await locate(parse_uri(uri), dns) for uri in uris]

    return asyncio.run(main())


def test_a_provider_by_naptr_and_srv_in_its_order(server):
    assert look_up(server.server, b"sip:101@tel.test") == [[(b"udp", "192.0.2.1", 5062), (b"udp", "192.0.2.2", 5070)]]


def test_a_name_that_has_only_srv(server):
    assert look_up(server.server, b"sip:srvonly.test") == [[(b"udp", "192.0.2.1", 5064)]]


def test_hosts_aliases_ports_and_nobody(server):
    found = look_up(server.server, b"sip:second.tel.test", b"sip:alias.test", b"sip:alias.test:5099", b"sip:nobody.test")
    assert found == [[(b"udp", "192.0.2.2", 5060)], [(b"udp", "192.0.2.1", 5060)], [(b"udp", "192.0.2.1", 5099)], []]


def test_what_was_said_is_remembered(server):
    before = server.queries()
    once = look_up(server.server, b"sip:tel.test")
    asked = server.queries() - before
    assert asked >= 3
    assert look_up(server.server, b"sip:tel.test", b"sip:101@TEL.test") == once * 2
    assert server.queries() - before == 2 * asked


def test_a_server_that_does_not_answer_is_said_in_words():
    nobody = addresses.take()
    with pytest.raises(OSError, match="'tel.test' cannot be looked up: no answer from name server " + nobody):
        look_up(nobody, b"sip:tel.test")
    addresses.give_back(nobody)
