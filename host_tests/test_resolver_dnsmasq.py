"""Names looked up at a real name server (RFC 3263), by the door's own DNS client under CPython."""

import asyncio
import socket
import threading

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
    "--cname=chain.test,alias.test",
    "--host-record=dual.test,192.0.2.3,2001:db8::3",
    "--host-record=six.test,2001:db8::6",
    "--naptr-record=other.test,10,10,A,SIP+D2T,,first.tel.test",
    "--naptr-record=other.test,20,10,S,SIP+D2X,,_sip._udp.tel.test",
    "--naptr-record=other.test,30,10,S,SIP+D2T,,_sip._tcp.elsewhere.test",
    "--srv-host=_sip._tcp.elsewhere.test,dual.test,5068,0,0",
    "--local-ttl=60",
) + tuple("--srv-host=_sip._udp.many.test,server-with-a-long-name-%d.many.test,5060,%d,0" % (n, n) for n in range(14)) + tuple(
    "--host-record=server-with-a-long-name-%d.many.test,192.0.2.%d" % (n, 100 + n) for n in range(14))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Dnsmasq(tmp_path_factory.mktemp("dnsmasq"), *RECORDS) as dnsmasq:
        yield dnsmasq


def look_up(servers, *uris, transports=(b"udp",), kinds=None):
    from board.net import pack
    from sip.address import parse_uri
    from sip.resolver import A, Dns, locate

    async def main():
        dns = Dns(lambda: servers.split(), pack, {}, kinds or (A,))
        return [await locate(parse_uri(uri), dns, transports) for uri in uris]

    return asyncio.run(main())


class Silent:
    """A name server on UDP alone that answers what `answer(query)` gives, or not; `.count` queries came."""

    def __init__(self, answer=lambda query: None):
        self.address = addresses.take()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.address, PORT))
        self.server = "%s:%d" % (self.address, PORT)
        self.answer = answer
        self.count = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            query, sender = self.socket.recvfrom(2000)
            if not query:
                return
            self.count += 1
            answer = self.answer(query)
            if answer:
                self.socket.sendto(answer, sender)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (self.address, PORT))
        self.thread.join()
        self.socket.close()
        addresses.give_back(self.address)


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


def test_the_transport_that_naptr_prefers_among_ours(server):
    places, = look_up(server.server, b"sip:tel.test", transports=(b"udp", b"tcp", b"tls"))
    # it names TLS first, of which there is no SRV record
    assert places == [(b"udp", "192.0.2.1", 5062), (b"udp", "192.0.2.2", 5070)]
    assert look_up(server.server, b"sip:other.test", transports=(b"udp", b"tcp")) == [[(b"tcp", "192.0.2.3", 5068)]]


def test_ipv6_where_it_can_be_used(server):
    from sip.resolver import AAAA, A

    assert look_up(server.server, b"sip:dual.test", b"sip:six.test") == [[(b"udp", "192.0.2.3", 5060)], []]
    both = look_up(server.server, b"sip:dual.test", b"sip:six.test", kinds=(AAAA, A))
    assert both == [[(b"udp", "2001:db8::3", 5060), (b"udp", "192.0.2.3", 5060)], [(b"udp", "2001:db8::6", 5060)]]


def test_a_chain_of_aliases(server):
    assert look_up(server.server, b"sip:chain.test") == [[(b"udp", "192.0.2.1", 5060)]]


def test_an_answer_that_is_too_long_for_a_datagram_is_fetched_over_tcp(server):
    places, = look_up(server.server, b"sip:many.test")
    assert [place[1] for place in places] == ["192.0.2.%d" % (100 + n) for n in range(8)]


def test_a_truncated_answer_is_used_where_there_is_no_tcp():
    """A name server that sends the first of its records with the TC bit, over UDP alone."""
    place = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x07"
    with Silent(lambda query: query[:2] + b"\x83\x80\x00\x01\x00\x01\x00\x00\x00\x00" + query[12:] + place) as cut:
        assert look_up(cut.server, b"sip:x.test:5060") == [[(b"udp", "192.0.2.7", 5060)]]
        assert cut.count == 1


def test_the_second_name_server_is_asked_when_the_first_is_silent_or_at_a_loss(server):
    with Silent() as silent:
        assert look_up("%s %s" % (silent.server, server.server), b"sip:second.tel.test:5060") == [[(b"udp", "192.0.2.2", 5060)]]
        assert silent.count == 1
    with Silent(lambda query: query[:2] + b"\x81\x82" + query[4:]) as lost:
        assert look_up("%s %s" % (lost.server, server.server), b"sip:second.tel.test:5060") == [[(b"udp", "192.0.2.2", 5060)]]
        assert lost.count == 1


def test_a_name_server_that_knows_only_addresses():
    """As some routers: NAPTR and SRV are answered with "not implemented", or not at all."""
    place = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x07"

    def answer(query):
        if query[-4:] == b"\x00\x01\x00\x01":
            return query[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + query[12:] + place
        return None if query[-3] == 35 else query[:2] + b"\x81\x84" + query[4:]

    with Silent(answer) as router:
        assert look_up(router.server, b"sip:x.test") == [[(b"udp", "192.0.2.7", 5060)]]


def test_a_network_without_a_name_server_is_said_in_words():
    with pytest.raises(OSError, match="'tel.test' cannot be looked up: the network names no DNS server"):
        look_up("", b"sip:tel.test")


def test_a_server_that_does_not_answer_is_said_in_words():
    nobody = addresses.take()
    with pytest.raises(OSError, match="'tel.test' cannot be looked up: no answer from name server " + nobody):
        look_up(nobody, b"sip:tel.test")
    addresses.give_back(nobody)
