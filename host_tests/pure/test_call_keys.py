"""Keys of encrypted sound in calls (RFC 4568): offered where nobody else reads them, kept and changed by the rules, in words where they lack."""

from virtual_call import Log, There
from virtual_sip import SDP, World, reply, request

LONG = b"AES_CM_128_HMAC_SHA1_80"
SECRET = SDP.replace(b"AVP", b"SAVP") + b"a=crypto:1 %s inline:%s\r\n"
ONE, TWO = b"WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz", b"A" * 40


def crypto(message):
    return [line for line in message.body.split(b"\r\n") if line.startswith(b"a=crypto:")]


def ours(message):
    """The key of the first line."""
    return crypto(message)[0].split(b"inline:")[1]


def their(key):
    return SECRET % (LONG, key)


def calls(secure, target="sip:phone@192.0.2.2", in_clear=False):
    world = World()
    world.tcp = True
    agent = world.agent("192.0.2.1")
    agent.secure = secure
    agent.keys_in_clear = in_clear
    phone = world.phone("192.0.2.2", 5061 if "tls" in target else 5060)
    log = Log()
    call = agent.call(target, "192.0.2.1", 5000, log)
    world.deliver()
    return world, agent, phone, call, log


def test_keys_are_offered_over_tls_alone_unless_told_otherwise():
    tls, tcp, udp = [b"sip:phone@192.0.2.2" + over for over in (b";transport=tls", b";transport=tcp", b"")]
    for secure, target, in_clear, protocol in (
        (0, tls, True, b" RTP/AVP "), (1, tls, False, b" RTP/AVP "), (2, tls, False, b" RTP/SAVP "), (1, udp, False, b" RTP/AVP "),
        (1, udp, True, b" RTP/AVP "), (2, udp, True, b" RTP/SAVP "), (1, tcp, False, b" RTP/AVP "), (2, tcp, True, b" RTP/SAVP "),
    ):  # fmt: skip
        world, agent, phone, call, log = calls(secure, target.decode(), in_clear)
        invite = phone.last(method=b"INVITE")
        assert protocol in invite.body and len(crypto(invite)) == (2 if secure and (in_clear or target is tls) else 0), (secure, target)


def test_a_call_that_has_to_be_secret_does_not_begin_where_its_keys_would_be_read():
    for target in ("sip:phone@192.0.2.2", "sip:phone@192.0.2.2;transport=tcp"):
        world, agent, phone, call, log = calls(2, target)
        assert not phone.got and log.events == ["ended"] and "encrypted" in call.ended and "TLS" in call.ended


def test_what_the_answer_says():
    for secure, body, keyed in ((1, SDP, False), (1, their(ONE).replace(b"SAVP", b"AVP"), True), (2, their(ONE), True)):
        world, agent, phone, call, log = calls(secure, in_clear=True)
        phone.send(reply(phone.last(method=b"INVITE"), 200, body=body))
        assert call.state == "up" and bool(call.media.keys) == keyed
        if keyed:
            assert call.media.keys[0] == 10 and call.media.keys[2][:3] == b"YS_"
    for body in (SDP, SDP.replace(b"AVP", b"SAVP"), their(ONE).replace(b"crypto:1", b"crypto:5"), their(ONE).replace(b"_80", b"_32")):
        world, agent, phone, call, log = calls(2, in_clear=True)
        phone.send(reply(phone.last(method=b"INVITE"), 200, body=body))
        assert call.state == "ended" and call.status == 488 and phone.methods()[-2:] == [b"ACK", b"BYE"], body


def test_who_insists_on_savp_is_asked_again_so():
    world, agent, phone, call, log = calls(1, in_clear=True)
    first = phone.last(method=b"INVITE")
    phone.send(reply(first, 488))
    second = phone.last(method=b"INVITE")
    assert second.cseq == first.cseq + 1 and second.call_id == first.call_id and b" RTP/SAVP " in second.body and len(crypto(second)) == 2
    assert not set(crypto(first)) & set(crypto(second)) and call.state == "calling"
    phone.send(reply(second, 200, body=their(ONE)))
    assert call.state == "up" and call.media.keys
    # no to that as well is a no; and what never had keys is asked once
    for keyed in (1, 0, 2):
        world, agent, phone, call, log = calls(keyed, in_clear=True)
        for _ in range(2 if keyed == 1 else 1):
            assert call.state != "ended"
            phone.send(reply(phone.last(method=b"INVITE"), 488))
        assert call.state == "ended" and call.status == 488 and ("encrypt" in call.ended) == bool(keyed) and phone.methods().count(b"INVITE") == (2 if keyed == 1 else 1)


def incoming(secure, body, in_clear=True):
    world = World()
    agent = world.agent("192.0.2.1", on_call=lambda call: call.answer("192.0.2.1", 5000))
    agent.secure = secure
    agent.keys_in_clear = in_clear
    phone = world.phone("192.0.2.2")
    phone.send(request(b"INVITE", body=body))
    return agent, phone


def test_calls_in():
    for secure, body, status in (
        (0, SDP, 200), (0, their(ONE), 488), (0, their(ONE).replace(b"SAVP", b"AVP"), 200), (1, SDP, 200), (1, their(ONE), 200),
        (1, their(ONE).replace(b"SAVP", b"AVP"), 200), (2, SDP, 488), (2, their(ONE), 200), (2, their(ONE).replace(b"SAVP", b"AVP"), 200),
    ):  # fmt: skip
        agent, phone = incoming(secure, body)
        answer = phone.last(status)
        if status == 200:
            keyed = secure and b"crypto" in body
            assert bool(crypto(answer)) == bool(keyed) == bool(agent.calls[0].media.keys), (secure, body)
            assert not keyed or b"a=crypto:1 %s inline:" % LONG in answer.body and ours(answer) != ONE
        elif secure:
            assert b"RTP/SAVP, encrypted with a=crypto" in answer.data and b"Warning: 305" in answer.data
        else:
            assert b"over RTP/AVP" in answer.data
    # keys that came where everybody reads them are no secret
    for body in (their(ONE), SDP, b""):
        agent, phone = incoming(2, body, False)
        assert b"keys go over TLS only" in phone.last(488).data and not agent.calls
    agent, phone = incoming(1, their(ONE), False)
    assert phone.last(200) and agent.calls[0].media.keys, "but better than a call in the clear, or none"
    # their INVITE has no offer: ours comes with the 200
    agent, phone = incoming(2, b"")
    assert len(crypto(phone.last(200))) == 2 and b"RTP/SAVP" in phone.last(200).body


def talking(secure=1, is_incoming=True):
    """A call with keys that is up."""

    class Keyed(World):
        def agent(self, host, **more):
            agent = super().agent(host, **more)
            agent.secure = secure
            agent.keys_in_clear = True
            return agent

    import virtual_call

    virtual_call.World = Keyed
    try:
        there = There(is_incoming, their(ONE), their(ONE).replace(b"SAVP", b"AVP" if secure == 1 else b"SAVP"))
    finally:
        virtual_call.World = World
    assert there.call.media.keys
    return there


def test_hold_keeps_the_keys():
    for is_incoming in (True, False):
        for secure in (1, 2):
            it = talking(secure, is_incoming)
            keys = it.call.media.keys
            it.call.hold()
            asked = it.phone.last(method=b"INVITE")
            assert crypto(asked) == crypto(it.first) and b"a=sendonly" in asked.body
            it.answer(200, their(ONE).replace(b"SAVP", b"AVP" if secure == 1 and not is_incoming else b"SAVP") + b"a=recvonly\r\n")
            assert it.call.on_hold and it.call.media.keys == keys and it.call.media.send
            # and theirs
            ok = it.ask(b"INVITE", their(ONE) + b"a=sendonly\r\n")
            it.ack()
            assert ok.status == 200 and it.call.media.held and it.call.media.keys == keys and ours(ok) == ours(it.first)
            assert it.is_quiet()


def test_another_port_or_address_of_ours_has_another_key():
    it = talking()
    keys = it.call.media.keys
    it.call.renew("192.0.2.1", 5002)
    asked = it.phone.last(method=b"INVITE")
    assert b"m=audio 5002 RTP/SAVP" in asked.body and ours(asked) != ours(it.first) and crypto(asked)[0][:35] == crypto(it.first)[0][:35]
    it.answer(200, their(ONE))
    assert it.call.media.keys[1] != keys[1] and it.call.media.keys[2] == keys[2]
    before = ours(asked)
    it.call.renew("192.0.2.7", 5002)
    asked = it.phone.last(method=b"INVITE")
    assert ours(asked) != before
    it.answer(200, their(ONE))
    assert it.is_quiet()


def test_their_new_key_is_told_and_ours_stays():
    it = talking()
    keys = it.call.media.keys
    ok = it.ask(b"INVITE", their(TWO))
    it.ack()
    assert it.log.events == ["media"] and it.call.media.keys == (10, keys[1], bytes(30)) and ours(ok) == ours(it.first)
    ok = it.ask(b"INVITE", their(TWO))
    it.ack()
    assert it.log.events == ["media"], "the same again is no news"
    assert it.ask(b"UPDATE", their(ONE)).status == 200 and it.log.events == ["media", "media"] and it.call.media.keys == keys
    # a re-INVITE without an offer: ours has fresh keys
    ok = it.ask(b"INVITE")
    assert ok.status == 200 and len(crypto(ok)) == 2
    it.ack(body=their(TWO).replace(b"SAVP", b"AVP"))
    assert it.call.media.keys[1] != keys[1] and it.call.media.keys[2] == bytes(30) and it.is_quiet()


def test_a_call_becomes_open_only_where_it_may():
    it = talking(1)
    ok = it.ask(b"INVITE", SDP)
    it.ack()
    assert ok.status == 200 and it.call.media.keys is None and it.log.events == ["media"] and not crypto(ok)
    ok = it.ask(b"INVITE", their(TWO))
    it.ack()
    assert it.call.media.keys and crypto(ok)
    it = talking(2)
    keys = it.call.media.keys
    assert it.ask(b"INVITE", SDP).status == 488
    it.ack()
    assert it.call.state == "up" and it.call.media.keys == keys and not it.log.events and it.is_quiet()
