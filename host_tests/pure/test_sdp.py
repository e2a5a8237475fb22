from expect import raises
from sip import accepting, sdp
from sip.answering import answer
from sip.offer import offer
from sip.sdp import SdpError, parse

HEAD = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"


def accept(session, offered):
    return accepting.accept(session, *accepting.wanted(parse(offered)))


def agree(lines, direction=b"sendrecv"):
    body = lines if lines.startswith(b"v=") else HEAD + lines
    got, n = answer(parse(body), "192.0.2.1", 5000, 7, 8, direction=direction)
    if got is not None:
        check = parse(got)
        assert len(check.media) == len(parse(body).media) and check.origin == b"- 7 8 IN IP4 192.0.2.1"
    return got, n


def test_an_offer():
    assert offer("192.0.2.1", 5000, 3, 4) == (
        b"v=0\r\no=- 3 4 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0 8 101\r\n"
        b"a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
        b"a=ptime:20\r\na=sendrecv\r\n"
    )
    six = offer("2001:db8::1", 5000, 3, 4, (8,), b"sendonly")
    assert b"c=IN IP6 2001:db8::1\r\n" in six and b"RTP/AVP 8 101\r\n" in six and six.endswith(b"a=sendonly\r\n")


def test_the_offers_order_decides():
    for formats, payload, codec in ((b"0 8", 0, b"PCMU"), (b"8 0", 8, b"PCMA"), (b"9 18 8", 8, b"PCMA")):
        got, n = agree(b"m=audio 4000 RTP/AVP " + formats + b"\r\n")
        assert (n.payload, n.codec, n.host, n.port, n.events) == (payload, codec, "192.0.2.9", 4000, -1)
        assert b"m=audio 5000 RTP/AVP %d\r\na=rtpmap:%d %s/8000\r\n" % (payload, payload, codec) in got and b"telephone" not in got


def test_dynamic_payload_types():
    got, n = agree(b"m=audio 4000 RTP/AVP 96 97 8 98\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 pcma/8000/1\r\na=rtpmap:98 Telephone-Event/8000\r\n")
    assert (n.payload, n.codec, n.events) == (8, b"PCMA", 98)
    assert b"RTP/AVP 8 98\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:98 telephone-event/8000\r\na=fmtp:98 0-15\r\n" in got
    # G.711 by any other number is not what the sound is sent by
    assert agree(b"m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMA/8000\r\n") == (None, None)
    assert agree(b"m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMA/8000\r\n") == (None, None)
    # a static number may be given another meaning
    assert agree(b"m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/16000\r\n") == (None, None)
    got, n = agree(b"m=audio 4000 RTP/AVP 0 101 102\r\na=rtpmap:101 telephone-event/48000\r\na=rtpmap:102 telephone-event/8000\r\n")
    assert n.events == 102


def test_nothing_fits():
    for lines in (
        b"", b"m=audio 4000 RTP/AVP 9 18\r\n", b"m=audio 0 RTP/AVP 0\r\n", b"m=audio 4000 RTP/SAVP 0\r\n", b"m=video 4000 RTP/AVP 0\r\n",
        b"m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\n", b"m=audio 4000 RTP/AVP 2 101\r\na=rtpmap:101 telephone-event/8000\r\n",
    ):  # fmt: skip
        assert agree(lines) == (None, None), lines
    assert agree(b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n") == (None, None)  # no address to send to


def test_other_media_lines_are_refused_in_their_place():
    got, n = agree(
        b"m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=audio 4004 RTP/SAVP 0\r\nm=audio 4000 RTP/AVPF 8\r\n"
        b"m=audio 4006 RTP/AVP 0\r\nm=application 4008 TCP/BFCP *\r\n"
    )
    assert n.index == 2 and n.port == 4000
    assert [line for line in got.split(b"\r\n") if line[:2] == b"m="] == [
        b"m=video 0 RTP/AVP 96", b"m=audio 0 RTP/SAVP 0", b"m=audio 5000 RTP/AVPF 8", b"m=audio 0 RTP/AVP 0", b"m=application 0 TCP/BFCP *",
    ]  # fmt: skip


def test_directions_are_mirrored():
    for theirs, ours, send, receive, held in (
        (b"sendrecv", b"sendrecv", True, True, False), (b"sendonly", b"recvonly", False, True, True),
        (b"recvonly", b"sendonly", True, False, False), (b"inactive", b"inactive", False, False, True),
    ):  # fmt: skip
        got, n = agree(b"m=audio 4000 RTP/AVP 0\r\na=" + theirs + b"\r\n")
        assert b"a=" + ours + b"\r\n" in got and (n.send, n.receive, n.held) == (send, receive, held)
        # the session's holds until a media line says otherwise
        got, n = agree(HEAD + b"a=" + theirs + b"\r\nm=audio 4000 RTP/AVP 0\r\n")
        assert (n.send, n.receive) == (send, receive)
        assert agree(HEAD + b"a=inactive\r\nm=audio 4000 RTP/AVP 0\r\na=" + theirs + b"\r\n")[1].send == send
    got, n = agree(b"m=audio 4000 RTP/AVP 0\r\n", b"sendonly")
    assert b"a=sendonly\r\n" in got and n.send and not n.receive and not n.held


def test_hold_by_an_address_of_zeroes():
    got, n = agree(b"m=audio 4000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n")
    assert n.held and not n.send and n.receive and b"a=recvonly" in got


def test_addresses():
    assert agree(b"m=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.77\r\n")[1].host == "192.0.2.77"
    six = HEAD + b"m=audio 4000 RTP/AVP 0\r\nc=IN IP6 2001:db8::9\r\n"
    assert agree(six) == (None, None), "sound does not cross from IPv4 to IPv6"
    both = six + b"m=audio 4002 RTP/AVP 8\r\n"
    assert agree(both)[1].port == 4002
    got, n = answer(parse(both), "2001:db8::1", 5000, 7, 8)
    assert n.host == "2001:db8::9" and b"m=audio 5000 RTP/AVP 0\r\n" in got and b"m=audio 0 RTP/AVP 8\r\n" in got
    assert agree(b"m=audio 4000 RTP/AVP 0\r\nc=IN IP4 233.252.0.1/127\r\n")[1].host == "233.252.0.1"
    assert agree(b"m=audio 4000/2 RTP/AVP 0\r\n")[1].port == 4000


def test_ptime():
    assert agree(b"m=audio 4000 RTP/AVP 0\r\n")[1].ptime_ms == 20
    assert agree(b"m=audio 4000 RTP/AVP 0\r\na=ptime:30\r\n")[1].ptime_ms == 30
    assert agree(b"m=audio 4000 RTP/AVP 0\r\na=maxptime:10\r\n")[1].ptime_ms == 10
    assert agree(b"m=audio 4000 RTP/AVP 0\r\na=ptime:x\r\na=maxptime:99999\r\n")[1].ptime_ms == 20


def test_answers_to_our_offer():
    ours = offer("192.0.2.1", 5000, 1, 1)

    def got(lines, mine=ours):
        return accept(parse(HEAD + lines), mine)

    n = got(b"m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n")
    assert (n.payload, n.codec, n.events, n.port, n.send, n.receive) == (8, b"PCMA", 101, 4000, True, True)
    assert got(b"m=audio 4000 RTP/AVP 0 8\r\n").codec == b"PCMU"  # two echoed: the first
    assert got(b"m=audio 4000 RTP/AVP 0 101\r\n").events == 101  # our own number needs no rtpmap
    assert got(b"m=audio 4000 RTP/AVP 0\r\n").events == -1
    n = got(b"m=audio 4000 RTP/AVP 0 120\r\na=rtpmap:120 telephone-event/8000\r\na=sendonly\r\n")
    assert n.events == 120 and not n.send and n.receive and n.held
    for refused in (b"m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMU/8000\r\n", b"", b"m=audio 0 RTP/AVP 0\r\n", b"m=audio 4000 RTP/AVP 9\r\n", b"m=audio 4000 RTP/AVP 101\r\n"):
        assert got(refused) is None
    n = got(b"m=audio 4000 RTP/AVP 0\r\na=recvonly\r\n", offer("192.0.2.1", 5000, 1, 1, direction=b"sendonly"))
    assert n.send and not n.receive and not n.held
    # our own answer to our own offer
    body, there = answer(parse(ours), "192.0.2.2", 6000, 1, 1)
    here = accept(parse(body), ours)
    assert (here.host, here.port, here.payload, here.events) == ("192.0.2.2", 6000, 0, 101) and there.port == 5000


def test_real_offers():
    for name, events in (("driver_invite", 101), ("linphone_invite", 96), ("pjsua_invite", 120), ("kamailio_invite", 120)):
        with open(FOLDER + name + ".sip", "rb") as f:
            data = f.read()
        n = agree(data[data.find(b"\r\n\r\n") + 4 :])[1]
        assert n.codec == b"PCMU" and n.events == events and n.ptime_ms == 20, name


FOLDER = (__file__[: __file__.rfind("/")] if "/" in __file__ else ".") + "/../messages/"


def test_what_is_no_session_description():
    for bad in (
        b"", b"hello", b"v", HEAD + b"m=audio\r\n", HEAD + b"m=audio x RTP/AVP 0\r\n", HEAD + b"m=audio 65536 RTP/AVP 0\r\n",
        HEAD + b"m=audio -1 RTP/AVP 0\r\n", HEAD + b"m=audio 4000 RTP/AVP\r\n", HEAD + b"c=IN IP4\r\n", HEAD + b"c=IN IP9 x\r\n",
        HEAD + b"c=ATM x y\r\n", HEAD + b"garbage\r\n", HEAD + b"m=audio 4 RTP/AVP 0\r\n" * 17, HEAD + b"c=IN IP4 192.0.2.\xff\r\n",
    ):  # fmt: skip
        raises(SdpError, parse, bad)
    assert parse(HEAD + b"m=audio 4 RTP/AVP" + b" 0" * 500 + b"\r\n").media[0].formats == [b"0"] * 64
    assert issubclass(sdp.SdpError, ValueError)


def test_line_ends_and_unknown_lines():
    got, n = agree(HEAD.replace(b"\r\n", b"\n") + b"z=what\nm=audio 4000 RTP/AVP 0\nk=clear\na=unknown\na=x:y\n\n")
    assert n.port == 4000
    assert agree(HEAD + b"m=audio 4000 RTP/AVP 0\r\n\0\0")[1].port == 4000


BROWSER = (
    b"v=0\r\no=- 46117317 2 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\na=ice-options:trickle\r\n"
    b"a=msid-semantic: WMS stream\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 126\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:abcd\r\n"
    b"a=ice-pwd:0123456789abcdef01234567\r\na=fingerprint:sha-256 " + b":".join([b"%02X" % n for n in range(32)]) + b"\r\n"
    b"a=setup:actpass\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"
    b"m=audio 4000 RTP/SAVP 0 8 101\r\nc=IN IP4 192.0.2.9\r\na=mid:1\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n"
    b"m=audio 4000 RTP/AVP 96 0 8 121 120\r\nc=IN IP4 192.0.2.9\r\nb=AS:64\r\na=rtcp:4001 IN IP4 192.0.2.9\r\na=mid:2\r\n"
    b"a=rtpmap:96 opus/48000/2\r\na=rtpmap:121 telephone-event/48000\r\na=rtpmap:120 telephone-event/8000\r\na=fmtp:120 0-16\r\n"
    + b"".join([b"a=candidate:H%d 1 UDP 2130706431 192.0.2.9 %d typ host\r\n" % (n, 4000 + n) for n in range(12)])
    + b"a=rtcp-fb:* nack\r\na=ptime:20\r\na=sendrecv\r\nm=video 4006 RTP/AVPF 97 98\r\nc=IN IP6 2001:db8::9\r\na=rtpmap:97 H264/90000\r\n"
    b"a=fmtp:97 profile-level-id=42e01f;packetization-mode=1\r\na=rtpmap:98 VP8/90000\r\nm=application 5004 UDP/DTLS/SCTP webrtc-datachannel\r\n"
)  # fmt: skip


def test_a_long_offer_of_everything_gets_its_one_plain_audio_line():
    assert len(BROWSER) > 1500
    got, n = agree(BROWSER)
    assert (n.index, n.host, n.port, n.payload, n.events, n.send, n.receive, n.held) == (2, "192.0.2.9", 4000, 0, 120, True, True, False)
    assert got == (
        b"v=0\r\no=- 7 8 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 0 UDP/TLS/RTP/SAVPF 111 0 8 126\r\n"
        b"m=audio 0 RTP/SAVP 0 8 101\r\nm=audio 5000 RTP/AVP 0 120\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:120 telephone-event/8000\r\n"
        b"a=fmtp:120 0-15\r\na=ptime:20\r\na=sendrecv\r\nm=video 0 RTP/AVPF 97 98\r\nm=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    )


def test_the_answer_is_found_in_the_line_that_we_offered():
    ours = HEAD + b"m=video 0 RTP/AVP 96\r\nm=audio 5000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    n = accept(parse(HEAD + b"m=video 0 RTP/AVP 96\r\nm=audio 4000 RTP/AVP 0 101\r\n"), ours)
    assert (n.index, n.port, n.events) == (1, 4000, 101)
    for wrong in (b"m=audio 4000 RTP/AVP 0\r\n", b"", b"m=video 0 RTP/AVP 96\r\nm=audio 0 RTP/AVP 0\r\n"):
        assert accept(parse(HEAD + wrong), ours) is None


def test_telephone_event_has_any_number_of_theirs():
    for number in range(96, 128):
        lines = b"m=audio 4000 RTP/AVP %s\r\na=rtpmap:%d telephone-event/8000\r\n"
        for formats in (b"8 %d" % number, b"%d 8" % number):
            got, n = agree(lines % (formats, number))
            assert n.events == number and b"RTP/AVP 8 %d\r\n" % number in got, formats
            assert accept(parse(HEAD + lines % (formats, number)), offer("192.0.2.1", 5000, 1, 1)).events == number


def test_the_codecs_of_an_offer_and_an_answer_are_ours_to_choose():
    ours = offer("192.0.2.1", 5000, 3, 4, (9, 0, 8, 13))
    assert b"RTP/AVP 9 0 8 13 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\n" in ours
    body, there = answer(parse(ours), "192.0.2.2", 6000, 1, 1, (0, 9))
    here = accept(parse(body), ours)
    assert here.payload == there.payload == 9 and here.codec == there.codec == b"G722" and here.noise == there.noise == 13
    assert b"RTP/AVP 9 13 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:13 CN/8000\r\n" in body
    for codecs, payload in (((0, 8), 0), ((8,), 8), ((8, 9), 9)):
        assert answer(parse(ours), "192.0.2.2", 6000, 1, 1, codecs)[1].payload == payload
    assert answer(parse(HEAD + b"m=audio 4000 RTP/AVP 9\r\n"), "192.0.2.2", 6000, 1, 1) == (None, None)
    # its clock is 8000; what says 16000 is something else
    assert answer(parse(HEAD + b"m=audio 4000 RTP/AVP 9\r\na=rtpmap:9 G722/16000\r\n"), "192.0.2.2", 6000, 1, 1, (9,)) == (None, None)
    # what was not offered is not accepted
    assert accept(parse(HEAD + b"m=audio 4000 RTP/AVP 9 0\r\n"), offer("192.0.2.1", 5000, 1, 1)).payload == 0
    assert accept(parse(HEAD + b"m=audio 4000 RTP/AVP 9\r\n"), offer("192.0.2.1", 5000, 1, 1)) is None
    assert accept(parse(HEAD + b"m=audio 4000 RTP/AVP 8\r\n"), offer("192.0.2.1", 5000, 1, 1, (9, 0))) is None


def test_comfort_noise():
    for formats, maps, noise in ((b"0 13", b"", 13), (b"13 0", b"a=rtpmap:13 CN/8000\r\n", 13), (b"0 13", b"a=rtpmap:13 CN/16000\r\n", -1),
                                 (b"0 19", b"", -1), (b"0", b"", -1), (b"0 118", b"a=rtpmap:118 CN/8000\r\n", -1)):  # fmt: skip
        got, n = agree(b"m=audio 4000 RTP/AVP " + formats + b"\r\n" + maps)
        assert n.noise == noise and n.payload == 0 and (b"CN/8000" in got) == (noise > 0), formats
    assert agree(b"m=audio 4000 RTP/AVP 13\r\n") == (None, None)  # noise alone is no sound
    theirs = parse(HEAD + b"m=audio 4000 RTP/AVP 0 13\r\n")
    assert accept(theirs, offer("192.0.2.1", 5000, 1, 1, (0, 13))).noise == 13
    assert accept(theirs, offer("192.0.2.1", 5000, 1, 1)).noise == -1  # not asked for
    assert accept(parse(HEAD + b"m=audio 4000 RTP/AVP 0\r\n"), offer("192.0.2.1", 5000, 1, 1, (0, 13))).noise == -1


def test_the_port_of_rtcp():
    for lines, rtcp in ((b"", 0), (b"a=rtcp:4001\r\n", 4001), (b"a=rtcp:53020 IN IP4 192.0.2.99\r\n", 53020), (b"a=rtcp:\r\n", 0),
                        (b"a=rtcp:x\r\n", 0), (b"a=rtcp-fb:* nack\r\na=rtcp-xr:rcvr-rtt=all\r\n", 0), (b"a=rtcp:70000\r\n", 0)):  # fmt: skip
        got, n = agree(b"m=audio 4000 RTP/AVP 0\r\n" + lines)
        assert n.rtcp == rtcp and not n.rtcp_mux and b"rtcp" not in got, lines
    mux = b"m=audio 4000 RTP/AVP 0\r\na=rtcp:4001\r\na=rtcp-mux\r\n"
    got, n = agree(mux)
    assert (n.rtcp, n.rtcp_mux) == (4001, False) and b"mux" not in got
    got, n = answer(parse(HEAD + mux), "192.0.2.1", 5000, 7, 8, mux=True)
    assert (n.rtcp, n.rtcp_mux) == (4000, True) and b"a=rtcp-mux\r\n" in got
    ours = offer("192.0.2.1", 5000, 1, 1, mux=True)
    assert b"a=rtcp-mux\r\n" in ours
    n = accept(parse(HEAD + mux), ours)
    assert (n.rtcp, n.rtcp_mux) == (4000, True)
    n = accept(parse(HEAD + mux), offer("192.0.2.1", 5000, 1, 1))
    assert (n.rtcp, n.rtcp_mux) == (4001, False)
    n = accept(parse(HEAD + b"m=audio 4000 RTP/AVP 0\r\n"), ours)
    assert (n.rtcp, n.rtcp_mux) == (0, False)
    agree(b"a=rtcp:4001\r\na=rtcp-mux\r\nm=audio 4000 RTP/AVP 0\r\n")  # where they mean nothing


KEY = b"WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"  # 30 bytes, as RFC 4568 has it
LONG, SHORT = b"AES_CM_128_HMAC_SHA1_80", b"AES_CM_128_HMAC_SHA1_32"


def secret(lines, secure, local=None):
    return answer(parse(HEAD + lines), "192.0.2.1", 5000, 7, 8, secure=secure, local=local)


def crypto(body):
    return [line[9:].split() for line in body.split(b"\r\n") if line.startswith(b"a=crypto:")]


def test_an_offer_with_keys():
    for secure, protocol in ((1, b"RTP/AVP"), (2, b"RTP/SAVP")):
        ours = offer("192.0.2.1", 5000, 3, 4, secure=secure)
        assert b"m=audio 5000 " + protocol + b" 0 8 101\r\n" in ours
        first, second = crypto(ours)
        assert first[:2] == [b"1", LONG] and second[:2] == [b"2", SHORT]
        assert first[2][:7] == b"inline:" and len(first[2]) == 47 and first[2] != second[2], "each with a key of its own"
        assert first[2] not in offer("192.0.2.1", 5000, 3, 4, secure=secure)
    assert crypto(offer("192.0.2.1", 5000, 3, 4)) == []


def test_keys_there_and_back():
    for there_wants in (1, 2):
        for here_wants in (1, 2):
            ours = offer("192.0.2.1", 5000, 3, 4, secure=here_wants)
            body, there = answer(parse(ours), "192.0.2.2", 6000, 1, 1, secure=there_wants)
            here = accept(parse(body), ours)
            assert here.keys[0] == there.keys[0] == 10 and here.keys[1] == there.keys[2] and here.keys[2] == there.keys[1]
            assert len(here.keys[1]) == len(here.keys[2]) == 30 and here.keys[1] != here.keys[2]
            assert crypto(body)[0][:2] == [b"1", LONG] and len(crypto(body)) == 1
    # the second of ours
    ours = offer("192.0.2.1", 5000, 3, 4, secure=2)
    n = accept(parse(HEAD + b"m=audio 4000 RTP/SAVP 0\r\na=crypto:2 %s inline:%s|2^31\r\n" % (SHORT, KEY)), ours)
    assert n.keys[0] == 4 and n.keys[2][:3] == b"YS_"
    for wrong in (
        b"", b"a=crypto:2 %s inline:%s\r\n" % (LONG, KEY), b"a=crypto:3 %s inline:%s\r\n" % (LONG, KEY), b"a=crypto:1 %s inline:AAAA\r\n" % LONG,
    ):  # fmt: skip
        assert accept(parse(HEAD + b"m=audio 4000 RTP/SAVP 0\r\n" + wrong), ours) is None, wrong
        assert accept(parse(HEAD + b"m=audio 4000 RTP/AVP 0\r\n" + wrong), ours) is None, wrong
    # where they would rather than must, the answer may be open, and not half
    ours = offer("192.0.2.1", 5000, 3, 4, secure=1)
    assert accept(parse(HEAD + b"m=audio 4000 RTP/AVP 0\r\n"), ours).keys is None
    assert accept(parse(HEAD + b"m=audio 4000 RTP/SAVP 0\r\n"), ours) is None
    assert accept(parse(HEAD + b"m=audio 4000 RTP/AVP 0\r\na=crypto:9 %s inline:%s\r\n" % (LONG, KEY)), ours) is None
    # what was never offered
    assert accept(parse(HEAD + b"m=audio 4000 RTP/SAVP 0\r\na=crypto:1 %s inline:%s\r\n" % (LONG, KEY)), offer("192.0.2.1", 5000, 3, 4)) is None


def test_which_keys_are_chosen():
    mine = b"m=audio 4000 RTP/SAVP 0\r\n"
    good = b"%s inline:%s" % (LONG, KEY)
    for lines, tag in (
        (b"a=crypto:7 " + good, b"7"),
        (b"a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:%s\r\na=crypto:2 %s inline:%s\r\na=crypto:3 %s" % (KEY * 2, SHORT, KEY, good), b"2"),
        (b"a=crypto:1 F8_128_HMAC_SHA1_80 inline:%s\r\na=crypto:2 %s" % (KEY, good), b"2"),
        (b"a=crypto:1 " + good + b"|2^31", b"1"), (b"a=crypto:1 " + good + b"|1048576", b"1"), (b"a=crypto:1 " + good + b"|2^3", None),
        (b"a=crypto:1 " + good + b"|2^20|1:32", None), (b"a=crypto:1 " + good + b"|1:4", None),  # a master key identifier
        (b"a=crypto:1 " + good + b"|2^31|1:4\r\na=crypto:2 " + good, b"2"),
        (b"a=crypto:1 " + good + b";inline:" + KEY, None),
        (b"a=crypto:1 " + good + b" WSH=128", b"1"), (b"a=crypto:1 " + good + b" -KDR=3", b"1"),
        (b"a=crypto:1 " + good + b" KDR=3", None), (b"a=crypto:1 " + good + b" UNENCRYPTED_SRTP", None),
        (b"a=crypto:1 " + good + b" UNAUTHENTICATED_SRTP", None), (b"a=crypto:1 " + good + b" FEC_ORDER=FEC_SRTP", None),
        (b"a=crypto:1 " + good + b" SOMETHING", None), (b"a=crypto:x " + good, None), (b"a=crypto:1", None), (b"a=crypto:", None),
        (b"a=crypto:1 " + LONG, None), (b"a=crypto:1 %s uri:%s" % (LONG, KEY), None), (b"a=crypto:1 %s inline:" % LONG, None),
        (b"a=crypto:1 %s inline:%s" % (LONG, KEY[:-4]), None), (b"a=crypto:1 %s inline:****" % LONG, None),
        (b"a=crypto:1 %s INLINE:%s" % (LONG, KEY), b"1"), (b"", None),
    ):  # fmt: skip
        got, n = secret(mine + lines + b"\r\n", 2)
        assert (n is None) == (tag is None), lines
        if tag:
            assert crypto(got)[0][0] == tag and n.keys[2][:3] == b"YS_" and b"m=audio 5000 RTP/SAVP 0\r\n" in got


def test_the_line_with_keys_comes_first_where_they_are_wanted():
    keys = b"a=crypto:1 %s inline:%s\r\n" % (LONG, KEY)
    both = b"m=audio 4000 RTP/AVP 0\r\nm=audio 4002 RTP/SAVP 0\r\n" + keys
    for secure, index in ((0, 0), (1, 1), (2, 1)):
        got, n = secret(both, secure)
        assert n.index == index and bool(n.keys) == bool(index), secure
        assert (b"m=audio 0 RTP/AVP 0\r\nm=audio 5000 RTP/SAVP" in got) == bool(index)
    for lines, taken in (
        (b"m=audio 4000 RTP/AVP 0\r\n", (True, True, False)), (b"m=audio 4000 RTP/AVP 0\r\n" + keys, (True, True, True)),
        (b"m=audio 4000 RTP/SAVP 0\r\n" + keys, (False, True, True)), (b"m=audio 4000 RTP/SAVPF 0\r\n" + keys, (False, True, True)),
        (b"m=audio 4000 RTP/SAVP 0\r\n", (False, False, False)), (b"m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\n" + keys, (False, False, False)),
        (b"m=audio 4000 RTP/SAVP 18\r\n" + keys, (False, False, False)),
    ):  # fmt: skip
        for secure in (0, 1, 2):
            got, n = secret(lines, secure)
            assert (n is not None) == taken[secure], (lines, secure)
            if n:
                assert bool(n.keys) == (secure > 0 and keys in lines)
                assert bool(crypto(got)) == bool(n.keys)


def test_our_key_stays_while_its_suite_does():
    keys = b"m=audio 4000 RTP/SAVP 0\r\na=crypto:%d %s inline:%s\r\n"
    first, n = secret(keys % (1, LONG, KEY), 1)
    again, m = secret(keys % (4, LONG, b"A" * 40), 1, first)
    assert m.keys[1] == n.keys[1] and m.keys[2] == bytes(30) and crypto(again)[0][0] == b"4"
    assert secret(keys % (1, LONG, KEY), 1, first)[0] == first
    assert secret(keys % (1, SHORT, KEY), 1, first)[1].keys[1] != n.keys[1]
    assert secret(keys % (1, LONG, KEY), 1, offer("192.0.2.1", 5000, 1, 1))[1].keys[1] != n.keys[1]
