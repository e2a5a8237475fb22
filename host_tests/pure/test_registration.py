"""Registration against a registrar played by hand, in virtual time."""

from virtual_sip import World, reply

from sip.scan import H_AUTHORIZATION, H_CONTACT, H_EXPIRES

_CHALLENGE = b'WWW-Authenticate: Digest realm="pbx", nonce="n%d", algorithm=%s, qop="auth"'


def challenge(number=1, algorithm=b"MD5", more=b""):
    return (_CHALLENGE % (number, algorithm) + more,)


def registering(**more):
    world = World()
    agent = world.agent("192.0.2.1")
    pbx = world.phone("192.0.2.2")
    registration = agent.register("192.0.2.2", "door", "secret", **more)
    world.deliver()
    return world, agent, pbx, registration


def granted(pbx, seconds, contact=b"<sip:door@192.0.2.1:5060>"):
    pbx.send(reply(pbx.got[-1], 200, contact=contact + b";expires=%d" % seconds))


def test_the_first_register_is_host_only_and_asks_for_what_was_configured():
    world, agent, pbx, registration = registering(expires_s=120)
    first = pbx.got[0]
    assert first.method == b"REGISTER" and first.uri == b"sip:192.0.2.2"
    assert first.to.uri == b"sip:door@192.0.2.2" and first.get(H_EXPIRES) == b"120"
    assert first.get(H_CONTACT) == b"<sip:door@192.0.2.1:5060>" and first.get(H_AUTHORIZATION) is None
    assert "Registering" in registration.words()


def test_challenged_answered_and_refreshed_in_one_go_with_the_same_nonce():
    world, agent, pbx, registration = registering()
    pbx.send(reply(pbx.got[0], 401, more=challenge(), contact=None))
    second = pbx.got[1]
    assert second.cseq == pbx.got[0].cseq + 1 and second.call_id == pbx.got[0].call_id
    assert b'username="door"' in second.get(H_AUTHORIZATION) and b"nc=00000001" in second.get(H_AUTHORIZATION)
    granted(pbx, 300)
    assert registration.is_registered and "for 300 s" in registration.words()
    world.run(259000)
    assert len(pbx.got) == 2
    world.run(1100)
    assert len(pbx.got) == 3 and b"nc=00000002" in pbx.got[2].get(H_AUTHORIZATION)
    granted(pbx, 300)
    assert registration.refreshes == 1 and registration.is_registered


def test_a_stale_nonce_is_answered_anew_without_counting_as_a_refusal():
    world, agent, pbx, registration = registering()
    pbx.send(reply(pbx.got[0], 401, more=challenge(), contact=None))
    granted(pbx, 300)
    world.run(261000)
    pbx.send(reply(pbx.got[-1], 401, more=challenge(2, more=b", stale=true"), contact=None))
    assert b'nonce="n2"' in pbx.got[-1].get(H_AUTHORIZATION)
    granted(pbx, 300)
    assert registration.is_registered and "failed" not in registration.words()


def test_sha_256_is_taken_where_both_are_offered():
    world, agent, pbx, registration = registering()
    pbx.send(reply(pbx.got[0], 401, more=challenge() + challenge(2, b"SHA-256"), contact=None))
    line = pbx.got[1].get(H_AUTHORIZATION)
    assert b"algorithm=SHA-256" in line and b'nonce="n2"' in line


def test_a_wrong_password_is_said_in_words_and_tried_again_ever_more_rarely():
    world, agent, pbx, registration = registering()
    for _ in range(2):
        pbx.send(reply(pbx.got[-1], 401, more=challenge(), contact=None))
    count = len(pbx.got)
    assert count == 2, "a refused password is not sent again at once"
    assert not registration.is_registered
    assert "401" in registration.words() and "sip.password" in registration.words()
    assert "secret" not in registration.words()
    gaps = []
    while len(gaps) < 10:
        start = world.now_ms
        seen = len(pbx.got)
        while len(pbx.got) == seen:
            world.run(200)
        gaps.append(world.now_ms - start)
        # 403 at once: the registrar has lost its patience
        pbx.send(reply(pbx.got[-1], 403, contact=None))
    assert gaps[0] <= 2200 and gaps[-1] <= 300400 and gaps[-1] >= 150000, gaps
    assert all([later >= earlier * 0.9 for earlier, later in zip(gaps[:6], gaps[1:7])]), gaps


def test_423_takes_the_registrars_minimum():
    world, agent, pbx, registration = registering(expires_s=60)
    pbx.send(reply(pbx.got[0], 423, more=(b"Min-Expires: 600",), contact=None))
    assert pbx.got[1].get(H_EXPIRES) == b"600"
    granted(pbx, 600)
    assert registration.is_registered and registration.granted_s == 600


def test_423_without_sense_is_a_failure_not_a_loop():
    for value in (b"10", b"x", b"99999999", b""):
        world, agent, pbx, registration = registering(expires_s=60)
        pbx.send(reply(pbx.got[0], 423, more=(b"Min-Expires: " + value,), contact=None))
        assert len(pbx.got) == 1 and "423" in registration.words()


def test_our_own_binding_among_others_says_what_was_granted():
    world, agent, pbx, registration = registering()
    contacts = b"<sip:door@192.0.2.9:5060>;expires=10, <sip:door@192.0.2.1>;expires=90"
    pbx.send(reply(pbx.got[0], 200, contact=contacts))
    assert registration.granted_s == 90


def test_expires_header_where_the_binding_does_not_say():
    world, agent, pbx, registration = registering()
    pbx.send(reply(pbx.got[0], 200, contact=b"<sip:door@192.0.2.1:5060>", more=(b"Expires: 77",)))
    assert registration.granted_s == 77


def test_nobody_answers_then_somebody_does():
    world, agent, pbx, registration = registering()
    world.lose = lambda data, source, peer: True
    world.run(33000)
    assert "no answer from 192.0.2.2" in registration.words()
    world.lose = None
    seen = len(pbx.got)
    world.run(5000)
    assert len(pbx.got) > seen
    granted(pbx, 300)
    assert registration.is_registered


def test_a_failed_refresh_keeps_the_binding_until_it_expires():
    world, agent, pbx, registration = registering()
    granted(pbx, 120)
    world.lose = lambda data, source, peer: True
    world.run(115000)
    assert registration.is_registered and "refresh failed" in registration.words()
    world.run(40000)
    assert not registration.is_registered


def test_stop_unregisters_with_credentials_and_says_when_done():
    world, agent, pbx, registration = registering()
    pbx.send(reply(pbx.got[0], 401, more=challenge(), contact=None))
    granted(pbx, 300)
    done = []
    registration.stop(lambda: done.append(True))
    world.deliver()
    assert pbx.got[-1].get(H_EXPIRES) == b"0" and not done
    pbx.send(reply(pbx.got[-1], 401, more=challenge(5, more=b", stale=true"), contact=None))
    assert pbx.got[-1].get(H_EXPIRES) == b"0"
    pbx.send(reply(pbx.got[-1], 200, contact=None))
    assert done == [True]
    world.run(400000)
    assert pbx.got[-1].get(H_EXPIRES) == b"0" and not len(agent.timers)


def test_auth_user_is_used_for_the_digest_only():
    world, agent, pbx, registration = registering(auth_user="auth77")
    pbx.send(reply(pbx.got[0], 401, more=challenge(), contact=None))
    assert b'username="auth77"' in pbx.got[1].get(H_AUTHORIZATION) and pbx.got[1].to.uri == b"sip:door@192.0.2.2"


def test_an_invite_is_answered_for_the_registrar_and_for_nobody_else():
    world, agent, pbx, registration = registering()
    granted(pbx, 300)
    proxy = (b'Proxy-Authenticate: Digest realm="pbx", nonce="p1", qop="auth"',)
    call = agent.call("101", "192.0.2.1", 5000)
    world.deliver()
    invite = pbx.last(method=b"INVITE")
    assert invite.uri == b"sip:101@192.0.2.2" and invite.from_.uri == b"sip:door@192.0.2.2"
    pbx.send(reply(invite, 407, more=proxy, contact=None))
    again = pbx.last(method=b"INVITE")
    assert again.cseq == invite.cseq + 1 and again.call_id == invite.call_id and again.branch != invite.branch
    assert b'uri="sip:101@192.0.2.2"' in again.get(18) and pbx.methods().count(b"ACK") == 1
    pbx.send(reply(again, 407, more=proxy, contact=None))
    assert call.state == "ended" and "sip.password" in call.ended
    thief = world.phone("192.0.2.66")
    call = agent.call("sip:x@192.0.2.66", "192.0.2.1", 5000)
    world.deliver()
    thief.send(reply(thief.got[0], 401, more=challenge(), contact=None))
    assert call.state == "ended" and thief.methods() == [b"INVITE", b"ACK"]


def test_bye_is_authenticated_when_asked():
    from virtual_sip import SDP

    world, agent, pbx, registration = registering()
    granted(pbx, 300)
    call = agent.call("101", "192.0.2.1", 5000)
    world.deliver()
    pbx.send(reply(pbx.last(method=b"INVITE"), 200, body=SDP))
    call.hangup()
    bye = pbx.last(method=b"BYE")
    pbx.send(reply(bye, 407, more=(b'Proxy-Authenticate: Digest realm="pbx", nonce="p1"',), contact=None))
    again = pbx.last(method=b"BYE")
    assert again.cseq == bye.cseq + 1 and b'nonce="p1"' in again.get(18)


def test_a_bad_server_is_refused_in_words():
    world = World()
    agent = world.agent("192.0.2.1")
    try:
        agent.register("pbx.example", "door", "secret")
        raise AssertionError("not refused")
    except ValueError as error:
        assert "pbx.example" in str(error)


def test_an_answer_that_met_a_full_heap_does_not_end_the_registration():
    world, agent, pbx, registration = registering()
    real = registration.on_response
    full = [True]

    def on_response(transaction, message):
        if full.pop() if full else False:
            raise MemoryError
        real(transaction, message)

    registration.on_response = on_response
    granted(pbx, 300)
    assert not registration.is_registered and agent.out_of_memory == 1
    world.run(600)
    assert len(pbx.got) == 2, "timer E is still running"
    granted(pbx, 300)
    assert registration.is_registered
