"""RFC 3263 by a name server made of a dictionary, and DNS messages (RFC 1035) written by hand."""

from binascii import unhexlify

from sip.address import parse_uri
from sip.resolver import A, AAAA, NAPTR, SRV, address_text, answers, by_weight, encode_name, locate, query
from virtual_sip import pack

CNAME = 5


def raises(kind, function, *arguments):
    try:
        function(*arguments)
    except kind as error:
        return str(error)
    raise AssertionError("%s not raised" % kind.__name__)


def message(question, records, code=0, flags=0x81):
    """An answer: records of (name bytes as they stand, type, ttl_s, value bytes)."""
    out = question[:2] + bytes((flags, 0x80 | code)) + b"\x00\x01" + bytes((0, len(records))) + b"\x00\x00\x00\x00"
    out += question[12:]
    for name, kind, ttl_s, value in records:
        out += name + bytes((0, kind, 0, 1, 0, 0, ttl_s >> 8, ttl_s & 255, 0, len(value))) + value
    return out


ASKED = b"\xc0\x0c"  # a pointer to the question's name


def test_a_query_is_what_rfc_1035_shows():
    wanted = b"ab\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04_sip\x04_udp\x03pbx\x00\x00\x21\x00\x01"
    assert query(b"ab", b"_sip._udp.pbx.", SRV) == wanted
    for name in (b"", b"a..b", b"x" * 64, b".".join([b"x" * 60] * 5)):
        raises(ValueError, encode_name, name)


def test_addresses_aliases_and_services_are_read():
    question = query(b"ab", b"pbx.example", A)
    records = (
        (ASKED, CNAME, 60, b"\x04real\xc0\x10"),
        (b"\x04real\xc0\x10", A, 300, b"\xc0\x00\x02\x0a"),
        (b"\x04real\xc0\x10", 99, 300, b"whatever"),
    )
    assert answers(message(question, records), question) == [
        (b"pbx.example", CNAME, 60, b"real.example"),
        (b"real.example", A, 300, b"\xc0\x00\x02\x0a"),
    ]
    question = query(b"ab", b"_sip._udp.pbx.example", SRV)
    value = b"\x00\x0a\x00\x14\x13\xc4\x01s\xc0\x16"
    assert answers(message(question, ((ASKED, SRV, 5, value),)), question)[0][3] == (10, 20, 5060, b"s.pbx.example")
    question = query(b"ab", b"pbx.example", NAPTR)
    value = b"\x00\x32\x00\x0a\x01s\x07SIP+D2U\x00\x04_sip\x04_udp\xc0\x0c"
    assert answers(message(question, ((ASKED, NAPTR, 5, value),)), question)[0][3] == (
        50, 10, b"sip+d2u", b"_sip._udp.pbx.example",
    )  # fmt: skip


def test_what_is_no_answer_to_the_question_is_refused():
    question = query(b"ab", b"pbx.example", A)
    good = message(question, ((ASKED, A, 1, b"\x01\x02\x03\x04"),))
    assert answers(good, question)
    raises(ValueError, answers, b"xy" + good[2:], question)
    raises(ValueError, answers, message(question, (), flags=1), question)
    raises(ValueError, answers, good.replace(b"pbx", b"xyz"), question)
    assert answers(message(question, (), code=3), question) == []
    assert "error 2" in raises(OSError, answers, message(question, (), code=2), question)


def test_no_cut_or_circling_answer_does_more_than_raise():
    question = query(b"ab", b"pbx.example", NAPTR)
    value = b"\x00\x32\x00\x0a\x01s\x07SIP+D2U\x00\x04_sip\x04_udp\xc0\x0c"
    good = message(question, ((ASKED, NAPTR, 5, value), (ASKED, A, 5, b"1234")))
    for size in range(len(good)):
        raises(ValueError, answers, good[:size], question)
    for at in range(12, len(good)):
        for byte in (0, 63, 64, 192, 255):
            data = bytearray(good)
            data[at] = byte
            try:
                answers(bytes(data), question)
            except ValueError:
                pass
    here = len(question)
    loop = message(question, ((bytes((0xC0, here)), A, 5, b"1234"),))
    raises(ValueError, answers, loop, question)


def test_services_come_by_priority_and_by_chance_of_weight():
    records = [(10, 60, 1, b"big"), (10, 10, 2, b"small"), (5, 0, 3, b"first"), (10, 0, 4, b"never")]
    assert [value[3] for value in by_weight(records, lambda n: 0)] == [b"first", b"never", b"small", b"big"]
    assert [value[3] for value in by_weight(records, lambda n: n - 1)][:2] == [b"first", b"big"]
    count = 0
    for _ in range(200):
        count += by_weight(records)[1][3] == b"big"
    assert 120 < count < 200  # six of seven are expected


class Names:
    """A name server of a dictionary; `asked` is what was looked up. An OSError among the records is raised."""

    pack = staticmethod(pack)

    def __init__(self, records):
        self.records = records
        self.asked = []

    async def ask(self, name, kind):
        self.asked.append((name, kind))
        found = self.records.get((name, kind), self.records.get(kind, []))
        if isinstance(found, OSError):
            raise found
        return found

    async def address(self, name):
        return await self.ask(name, A)


def found(uri, records, transports=(b"udp", b"tcp")):
    """What locate() gives: its coroutine never waits here, so that no loop is needed."""
    names = Names(records)
    running = locate(parse_uri(uri), names, transports)
    try:
        running.send(None)
    except StopIteration as end:
        return end.value, names.asked
    raise AssertionError("it waited")


ALL = (b"udp", b"tcp", b"tls")
TELECOM = {
    (b"tel.example", NAPTR): [(20, 0, b"sip+d2t", b"_sip._tcp.tel.example"), (10, 0, b"sips+d2t", b"_sips._tcp.tel.example"), (30, 0, b"sip+d2u", b"_sip._udp.tel.example")],
    (b"_sip._udp.tel.example", SRV): [(1, 0, 5070, b"a.tel.example"), (0, 0, 5060, b"b.tel.example")],
    (b"_sip._tcp.tel.example", SRV): [(0, 0, 5080, b"c.tel.example")],
    (b"a.tel.example", A): ["192.0.2.1"],
    (b"b.tel.example", A): ["192.0.2.2", "192.0.2.3"],
    (b"c.tel.example", A): ["192.0.2.4"],
}


def test_naptr_orders_the_transports_we_have():
    places, _ = found(b"sip:tel.example", TELECOM)
    assert places == [
        (b"tcp", "192.0.2.4", 5080), (b"udp", "192.0.2.2", 5060), (b"udp", "192.0.2.3", 5060), (b"udp", "192.0.2.1", 5070),
    ]  # fmt: skip
    places, _ = found(b"sip:tel.example", TELECOM, (b"udp",))
    assert [place[0] for place in places] == [b"udp"] * 3


def test_a_name_that_has_only_srv_is_found_without_naptr():
    records = dict(TELECOM)
    del records[(b"tel.example", NAPTR)]
    places, _ = found(b"sip:101@tel.example", records, (b"udp",))
    assert places[0] == (b"udp", "192.0.2.2", 5060) and len(places) == 3


def test_a_port_skips_srv_and_a_name_without_srv_is_a_host():
    places, asked = found(b"sip:b.tel.example:5099", TELECOM)
    assert places == [(b"udp", "192.0.2.2", 5099), (b"udp", "192.0.2.3", 5099)] and asked == [(b"b.tel.example", A)]
    places, _ = found(b"sip:c.tel.example", TELECOM)
    assert places == [(b"udp", "192.0.2.4", 5060)]
    assert found(b"sip:nobody.example", TELECOM)[0] == []


def test_a_transport_that_is_asked_for_is_taken_or_refused_in_words():
    places, asked = found(b"sip:tel.example;transport=tcp", TELECOM)
    assert places == [(b"tcp", "192.0.2.4", 5080)] and (b"tel.example", NAPTR) not in asked
    assert "tls" in raises(ValueError, found, b"sip:tel.example;transport=tls", TELECOM)


def test_a_secure_uri_goes_by_tls_alone():
    records = dict(TELECOM)
    records[(b"_sips._tcp.tel.example", SRV)] = [(0, 0, 5061, b"a.tel.example")]
    places, _ = found(b"sips:tel.example", records, ALL)
    assert places == [(b"tls", "192.0.2.1", 5061)]
    assert found(b"sips:a.tel.example", TELECOM, ALL)[0] == [(b"tls", "192.0.2.1", 5061)]
    assert found(b"sips:a.tel.example;transport=tcp", TELECOM, ALL)[0] == [(b"tls", "192.0.2.1", 5061)]
    assert "tls" in raises(ValueError, found, b"sips:tel.example", TELECOM)
    assert "udp" in raises(ValueError, found, b"sips:tel.example;transport=udp", TELECOM, ALL)


def test_an_address_is_asked_of_nobody():
    for uri, place in (
        (b"sip:192.0.2.9", (b"udp", "192.0.2.9", 5060)), (b"sip:192.0.2.9:5070;transport=TCP", (b"tcp", "192.0.2.9", 5070)),
        (b"sip:192.0.2.9;transport=tls", (b"tls", "192.0.2.9", 5061)), (b"sips:192.0.2.9", (b"tls", "192.0.2.9", 5061)),
    ):  # fmt: skip
        assert found(uri, {}, ALL) == ([place], [])


def test_what_a_name_server_does_not_know_does_not_hide_what_it_does():
    records = dict(TELECOM)
    records[(b"tel.example", NAPTR)] = OSError("the name server answered with error 4")
    assert found(b"sip:tel.example", records, (b"udp",))[0][0] == (b"udp", "192.0.2.2", 5060)
    records = {SRV: OSError("no answer"), (b"a.tel.example", A): ["192.0.2.1"]}
    assert found(b"sip:a.tel.example", records, (b"udp",))[0] == [(b"udp", "192.0.2.1", 5060)]
    # but where nobody answers at all, not every question is asked
    silent = {NAPTR: OSError("1: no answer"), SRV: OSError("2: no answer")}
    assert raises(OSError, found, b"sip:x.example", silent, ALL) == "1: no answer"
    lost = {NAPTR: OSError("1"), SRV: OSError("2"), A: OSError("3")}
    assert raises(OSError, found, b"sip:x.example", lost, ALL) == "1"


def test_a_name_that_stands_for_many_servers_is_cut():
    records = {(b"_sip._udp.big.example", SRV): [(n, 0, 5060, b"%d.big.example" % n) for n in range(16)]}
    for n in range(16):
        records[(b"%d.big.example" % n, A)] = ["192.0.2.%d" % n]
    places = found(b"sip:big.example", records, (b"udp",))[0]
    assert [place[1] for place in places] == ["192.0.2.%d" % n for n in range(8)]
    records[(b"_sip._udp.big.example", SRV)] = [(0, 0, 5060, b"1.big.example")] * 3
    assert len(found(b"sip:big.example", records, (b"udp",))[0]) == 1, "the same place once"


def test_ipv6_addresses():
    question = query(b"ab", b"pbx.example", AAAA)
    value = b"\x20\x01\x0d\xb8" + bytes(11) + b"\x01"
    assert answers(message(question, ((ASKED, AAAA, 9, value),)), question) == [(b"pbx.example", AAAA, 9, value)]
    assert answers(message(question, ((ASKED, AAAA, 9, value[:15]),)), question) == []
    for words, text in (
        ("20010db8000000000000000000000001", "2001:db8::1"), ("00000000000000000000000000000001", "::1"),
        ("00000000000000000000000000000000", "::"), ("20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1"),
        ("20010000000000010000000000000001", "2001:0:0:1::1"), ("fe800000000000000000000000000000", "fe80::"),
        ("20010db800010002000300040005abcd", "2001:db8:1:2:3:4:5:abcd"), ("20010db8000000010000000100010000", "2001:db8:0:1:0:1:1:0"),
        ("20010db8000000000001000000000001", "2001:db8::1:0:0:1"),
    ):  # fmt: skip
        assert address_text(unhexlify(words)) == text
    assert address_text(b"\x7f\x00\x00\x01") == "127.0.0.1"
