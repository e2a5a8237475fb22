"""RTP packets: in place, in any state of damage; and who sent them."""

from array import array

from media import rtp


def _parse(packet):
    fields = array("i", bytes(32))
    if not rtp.parse(bytes(packet), 0, len(packet), fields):
        return None
    return list(fields)


HEADER = b"\x80\x80\x12\x34\xff\x01\x02\x03\xde\xad\xbe\xef"


def test_a_packet():
    assert _parse(HEADER + b"sound") == [0, 1, 0x1234, 0x3F010203, 0xDEAD, 0xBEEF, 12, 5]


def test_contributors_extension_and_padding():
    packet = b"\xb2\x08" + HEADER[2:] + b"CCCCcccc" + b"\xbe\xde\x00\x01" + b"extn" + b"sound" + b"\0\0\3"
    assert _parse(packet) == [8, 0, 0x1234, 0x3F010203, 0xDEAD, 0xBEEF, 28, 5]


def test_an_empty_payload_is_a_packet():
    assert _parse(HEADER)[7] == 0


def test_junk():
    whole = b"\xb2\x08" + HEADER[2:] + b"CCCCcccc" + b"\xbe\xde\x00\x01" + b"extn" + b"\4"
    for n in range(len(whole)):
        found = _parse(whole[:n])
        assert found is None or found[6] + found[7] <= n
    assert _parse(b"") is None
    assert _parse(b"\x80" * 11) is None
    for version in (0x00, 0x40, 0xC0):
        assert _parse(bytes([version]) + HEADER[1:]) is None
    assert _parse(b"\xa0" + HEADER[1:] + b"so\0") is None  # padding of nothing
    assert _parse(b"\xa0" + HEADER[1:] + b"so\4") is None  # of more than there is
    assert _parse(b"\x8f" + HEADER[1:] + b"C" * 59) is None
    assert _parse(b"\x90" + HEADER[1:] + b"\xbe\xde\xff\xff") is None


def test_noise_never_points_outside():
    x = 1
    for _ in range(3000):
        packet = bytearray()
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
        for _ in range(x >> 16 & 63):
            x = (x * 1103515245 + 12345) & 0x7FFFFFFF
            packet.append(x >> 16 & 255)
        if packet:
            packet[0] = packet[0] & 0x3F | 0x80
        found = _parse(packet)
        assert found is None or 12 <= found[6] <= found[6] + found[7] <= len(packet)


def test_a_packet_behind_others():
    fields = array("i", bytes(32))
    packets = b"?" * 7 + HEADER + b"sound"
    assert rtp.parse(packets, 7, 24, fields)
    assert list(fields) == [0, 1, 0x1234, 0x3F010203, 0xDEAD, 0xBEEF, 19, 5]
    assert not rtp.parse(packets, 13, 24, fields)


def _ends(packets):
    ends = [0]
    while ends[-1] < len(packets):
        ends.append(rtp.end(packets, ends[-1], len(packets)))
    return ends[1:]


def test_joined_packets():
    def packet(sequence, payload, ssrc=b"SSSS"):
        return b"\x80\x00" + (sequence & 0xFFFF).to_bytes(2, "big") + b"TIME" + ssrc + payload

    event = packet(1, b"\1\2\3\4")
    sound = packet(2, b"S" * 160)
    assert _ends(sound) == [172]
    assert _ends(event * 3) == [16, 32, 48]
    assert _ends(event + sound) == [16, 188]
    assert _ends(sound + event) == [172, 188]
    assert _ends(event + sound[:150]) == [16, 166]
    assert _ends(packet(65535, b"S" * 80) + packet(0, b"S" * 80)) == [92, 184]
    assert _ends(packet(3, b"") + packet(2, b"")) == [12, 24]
    # No packet of this source: another SSRC, a number from far away, half a header
    assert _ends(sound + packet(3, b"", b"sSSS")) == [184]
    assert _ends(sound + packet(300, b"1234")) == [188]
    assert _ends(sound + event[:11]) == [183]
    assert _ends(b"x") == [1]


def test_reports_joined_with_sound():
    sound = b"\x80\x00\0\7TIMESSSS" + b"s" * 160
    more = b"\x80\x00\0\x08TIMESSSS" + b"s" * 160
    short = b"\x80\xc9\0\1SSSS"
    report = b"\x80\xc8\0\6SSSS" + b"r" * 20 + b"\x81\xca\0\2SSSS\1\1x\0"
    assert _ends(report + sound) == [40, 212]
    assert _ends(sound + report) == [172, 212]
    assert _ends(sound + short + more + report) == [172, 180, 352, 392]
    assert _ends(short + short) == [16]  # one longer one
    assert _ends(b"\x80\xc8\xff\xff" + sound) == [176]
    # Another source's report is no end
    assert _ends(sound + b"\x80\xc9\0\1sSSS" + bytes(8)) == [188]


def test_timestamp_and_sequence_wrap():
    packet = bytearray(HEADER)
    for before, after in ((0x00000000, 160), (0x0000FFF0, 0x00010090), (0x00FFFFFF, 0x0100009F), (0xFFFFFF60, 0)):
        packet[4:8] = before.to_bytes(4, "big")
        rtp.advance(packet, 160)
        assert packet[4:8] == after.to_bytes(4, "big")
    assert packet[:4] + packet[8:] == HEADER[:4] + HEADER[8:]
    for before, after in ((0, 1), (255, 256), (65535, 0)):
        packet[2:4] = before.to_bytes(2, "big")
        rtp.count(packet)
        assert packet[2:4] == after.to_bytes(2, "big")


def test_timestamp_difference():
    top = 0x40000000
    assert rtp.timestamp_difference(5, 3) == 2
    assert rtp.timestamp_difference(3, 5) == -2
    assert rtp.timestamp_difference(100, top - 60) == 160
    assert rtp.timestamp_difference(top - 60, 100) == -160


class Source:
    """What rtp.news says of the packets of one source."""

    def __init__(self):
        self.fields = array("i", bytes(4 * 26))

    def count(self, sequence):
        self.fields[2] = sequence
        return rtp.news(self.fields) if self.fields[17] else rtp.news(self.fields) - 1

    @property
    def counts(self):
        return list(self.fields[8:11])  # received, lost, highest


def _count(source, *sequences):
    return [source.count(n & 0xFFFF) for n in sequences]


def test_another_source_must_be_proved():
    f = array("i", bytes(4 * 26))

    def news(source, sequence):
        f[2], f[4], f[5] = sequence, source, 7
        return rtp.news(f)

    assert [news(1, 10), news(1, 11)] == [2, 1]
    f[14] = f[15] = f[16] = 5  # a key of the one before
    assert [news(2, 50), news(1, 12), news(2, 51)] == [-1, 1, -1]  # not two in a row
    assert [news(3, 70), news(2, 52)] == [-1, -1]
    assert f[8] == 3 and f[15] == 5
    assert [news(2, 54), news(2, 54), news(2, 53)] == [2, 0, 1]
    assert list(f[8:11]) == [2, 0, 54] and list(f[14:17]) == [0, 0, 0]


def test_in_order_and_round_the_wrap():
    source = Source()
    assert _count(source, *range(65500, 65600)) == [1] * 100
    assert source.counts == [100, 0, 63]


def test_lost_and_come_after_all():
    source = Source()
    assert _count(source, 10, 11, 14) == [1, 1, 1]
    assert source.counts[1] == 2
    assert _count(source, 13, 13, 12, 14, 10) == [1, 0, 1, 0, 0]
    assert source.counts[:2] == [5, 0]


def test_duplicates_across_the_wrap():
    source = Source()
    _count(source, 65534, 65535, 0, 1)
    assert _count(source, 65535, 1, 65534) == [0] * 3
    assert source.counts[1] == 0


def test_a_wide_gap_forgets_what_was_before():
    source = Source()
    assert _count(source, 1, 41, 40, 40) == [1, 1, 1, 0]
    assert source.counts[1] == 38


def test_what_was_seen_stays_a_small_int():
    source = Source()
    for n in range(200):
        source.count(n + n // 7 * 3)
        assert 0 <= source.fields[11] < 1 << 30
    assert _count(source, *range(270, 284)) == [0 if (n - n // 10 * 10) < 7 else 1 for n in range(270, 284)]


def test_a_jump_must_be_proved():
    source = Source()
    _count(source, 1, 2, 3)
    assert _count(source, 30000, 4, 5) == [-1, 1, 1]
    assert _count(source, 40000, 40001, 40002) == [-1, 1, 1]
    assert source.counts[1] == 0
