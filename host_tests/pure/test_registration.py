"""Registration against a registrar played by hand, in virtual time."""

from virtual_sip import World, reply

from sip.address import parse_uri
from sip.scan import H_AUTHORIZATION, H_CONTACT, H_EXPIRES, H_ROUTE

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
    # who locks out after five wrong passwords in ten minutes does not lock this door out
    assert gaps[0] >= 30000 and sum(gaps[:4]) >= 450000, gaps
    assert 450000 <= gaps[-1] <= 900400, gaps


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


def test_the_ack_for_a_2xx_has_the_credentials_of_its_invite():
    from virtual_sip import SDP

    world, agent, pbx, registration = registering()
    granted(pbx, 300)
    agent.call("101", "192.0.2.1", 5000)
    pbx.send(reply(pbx.last(method=b"INVITE"), 407, more=(b'Proxy-Authenticate: Digest realm="pbx", nonce="p1"',), contact=None))
    invite = pbx.last(method=b"INVITE")
    pbx.send(reply(invite, 200, body=SDP))
    ack = pbx.last(method=b"ACK")
    assert ack.cseq == invite.cseq and ack.get(18) == invite.get(18) and ack.get(18)


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
    full = [True, True]  # once more, it is tried at once

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


# --- Servers by name, and the fall over from one to the next.

ONE = ("192.0.2.2", 5060)
TWO = ("192.0.2.3", 5060)


class Names:
    """Stands for the name servers: {host: peers, best first}. An empty one is a name server that is away."""

    def __init__(self, agent, peers):
        self.agent = agent
        self.peers = peers
        self.asked = 0
        self.locate = agent.locate
        agent.locate = self
        agent.dns = lambda: []

    def __call__(self, raw, then, anew=False):
        host = parse_uri(raw).host.decode()
        if not anew or host not in self.peers:
            self.locate(raw, then, anew)
            return
        self.asked += 1
        peers = self.peers[host]
        then(list(peers), "" if peers else "no answer from name server")


def by_name(**more):
    world = World()
    agent = world.agent("192.0.2.1")
    one, two = world.phone(*ONE), world.phone(*TWO)
    names = Names(agent, {"pbx.example": [ONE, TWO]})
    registration = agent.register("pbx.example", "door", "secret", **more)
    world.deliver()
    return world, agent, one, two, names, registration


def tries(phone):
    """How many REGISTERs came there, each of its repetitions left out."""
    phone.world.deliver()
    return len(set([message.cseq for message in phone.got if message.method == b"REGISTER"]))


def ok(phone, message, seconds=300, more=(), via=b""):
    """200 to a REGISTER, with its own first Contact in it; `via` is what the server adds to our Via. What follows at once does."""
    data = reply(message, 200, contact=b"<%s>;expires=%d" % (message.contact_uri, seconds), more=more)
    phone.send(data.replace(b";rport;", b";rport" + via + b";", 1))
    phone.world.run(1)


def test_the_next_server_of_a_name_when_the_first_is_silent_and_calls_go_there():
    world, agent, one, two, names, registration = by_name()
    assert one.methods() == [b"REGISTER"] and not two.got
    world.run(5900)
    assert not two.got
    world.run(200)
    assert two.got[0].cseq > one.got[0].cseq and two.got[0].call_id == one.got[0].call_id
    ok(two, two.got[0])
    assert registration.peer == TWO and "pbx.example (192.0.2.3)" in registration.words()
    assert registration.is_server("192.0.2.2"), "who did not answer once may call all the same"
    agent.call("101", "192.0.2.1", 5000)
    assert two.last(method=b"INVITE").uri == b"sip:101@pbx.example"
    # the one that answered is asked first the next time too, though the name has it second
    seen = tries(one)
    world.run(261000)
    assert names.asked == 2 and tries(one) == seen and tries(two) == 2


def test_503_is_followed_by_the_next_server_at_once_and_all_by_a_pause():
    world, agent, one, two, names, registration = by_name()
    one.send(reply(one.got[0], 503, contact=None))
    assert two.methods() == [b"REGISTER"] and world.now_ms < 10
    two.send(reply(two.got[0], 503, more=(b"Retry-After: 90 (later)",), contact=None))
    assert "503" in registration.words()
    world.run(89000)
    assert tries(one) == 1
    world.run(2000)
    assert tries(one) == 2


def test_the_last_server_gets_all_of_timer_f():
    world, agent, one, two, names, registration = by_name()
    world.run(37000)
    assert registration.problem == ""
    world.run(2000)
    assert "no answer" in registration.words()


def test_the_name_server_is_away_but_the_registrar_is_not():
    world, agent, one, two, names, registration = by_name()
    ok(one, one.got[0])
    names.peers = {"pbx.example": []}
    world.run(262000)
    ok(one, one.got[-1])
    assert registration.refreshes == 1 and not registration.problem


def test_no_name_server_is_said_and_asked_again():
    world = World()
    agent = world.agent("192.0.2.1")
    names = Names(agent, {"pbx.example": []})
    registration = agent.register("pbx.example", "door", "secret")
    assert "pbx.example as door: no answer from name server. Trying again." in registration.words()
    world.run(7000)
    assert names.asked >= 2


def test_a_refresh_during_a_call_looks_nothing_up_and_its_failure_does_not_end_the_call():
    from virtual_sip import SDP

    world, agent, one, two, names, registration = by_name()
    ok(one, one.got[0])
    call = agent.call("101", "192.0.2.1", 5000)
    one.send(reply(one.last(method=b"INVITE"), 200, body=SDP))
    assert call.state == "up"
    world.run(262000)
    assert names.asked == 1 and tries(one) == 2
    world.lose = lambda data, source, peer: True
    world.run(100000)
    world.lose = None
    assert not registration.is_registered and call.state == "up"
    call.hangup()
    assert one.last(method=b"BYE")


# --- Our own address.


def test_a_new_address_is_registered_at_once_and_the_old_one_taken_back():
    world, agent, pbx, registration = registering()
    granted(pbx, 300)
    del world.agents[("192.0.2.1", 5060)]
    agent.host = "192.0.2.7"
    world.agents[("192.0.2.7", 5060)] = agent
    registration.start()
    contacts = pbx.last(method=b"REGISTER").raw(H_CONTACT)
    assert contacts == [b"<sip:door@192.0.2.7:5060>", b"<sip:door@192.0.2.1:5060>;expires=0"]
    pbx.send(reply(pbx.got[-1], 200, contact=b"<sip:door@192.0.2.7:5060>;expires=300"), ("192.0.2.7", 5060))
    world.run(262000)
    assert pbx.got[-1].raw(H_CONTACT) == [b"<sip:door@192.0.2.7:5060>"] and tries(pbx) == 3


def test_the_network_is_back_while_the_pause_is_long():
    world, agent, pbx, registration = registering()
    world.lose = lambda data, source, peer: True
    world.run(900000)
    world.lose = None
    seen = len(pbx.got)
    registration.start()
    world.deliver()
    assert len(pbx.got) == seen + 1
    # and what is still under way from before is not believed
    pbx.send(reply(pbx.got[-1], 500, contact=None))
    assert registration.retry_ms == 2000, "the pause begins anew"


def test_behind_a_nat_the_address_that_the_server_sees_is_registered_instead():
    world, agent, pbx, registration = registering()
    seen = b"=61234;received=198.51.100.9"
    ok(pbx, pbx.got[0], via=seen)
    assert len(pbx.got) == 2
    assert pbx.got[1].raw(H_CONTACT) == [b"<sip:door@198.51.100.9:61234>", b"<sip:door@192.0.2.1:5060>;expires=0"]
    ok(pbx, pbx.got[1], via=seen)
    assert len(pbx.got) == 2 and registration.is_registered
    agent.call("101", "192.0.2.1", 5000)
    assert pbx.last(method=b"INVITE").contact_uri == b"sip:door@198.51.100.9:61234"
    phone = world.phone("192.0.2.50")
    agent.call("sip:192.0.2.50", "192.0.2.1", 5000)
    assert phone.last(method=b"INVITE").contact_uri == b"sip:door@192.0.2.1:5060", "in the house our own address leads to us"
    # a NAT that takes another port: found at the next refresh
    world.run(262000)
    refresh = pbx.last(method=b"REGISTER")
    ok(pbx, refresh, via=b"=61235;received=198.51.100.9")
    assert pbx.got[-1].raw(H_CONTACT) == [b"<sip:door@198.51.100.9:61235>", b"<sip:door@198.51.100.9:61234>;expires=0"]


def test_a_nat_with_a_new_port_for_each_datagram_is_not_run_after():
    world, agent, pbx, registration = registering()
    for port in range(20):
        seen = len(pbx.got)
        ok(pbx, pbx.got[-1], via=b"=%d;received=198.51.100.9" % (40000 + port))
        if len(pbx.got) == seen:
            break
    assert len(pbx.got) == 5 and registration.is_registered


def test_a_via_that_names_no_address_changes_nothing():
    for via in (b"=0;received=198.51.100.9", b";received=name.example", b"=5060;received=name.example", b"=5060", b""):
        world, agent, pbx, registration = registering()
        ok(pbx, pbx.got[0], via=via)
        assert len(pbx.got) == 1 and registration.is_registered, via


def test_a_binding_that_comes_back_rewritten_is_ours_if_it_is_the_only_one():
    world, agent, pbx, registration = registering()
    granted(pbx, 77, b"<sip:door-0x55@10.0.0.1:5070;transport=udp>")
    assert registration.granted_s == 77
    world, agent, pbx, registration = registering()
    both = b"<sip:a@10.0.0.1>;expires=5, <sip:b@10.0.0.2>;expires=9"
    pbx.send(reply(pbx.got[0], 200, contact=both, more=(b"Expires: 120",)))
    assert registration.granted_s == 120


def test_a_server_that_grants_nothing_is_not_asked_each_second():
    world, agent, pbx, registration = registering()
    granted(pbx, 0)
    assert not registration.is_registered and "no time" in registration.words()
    world.run(30000)
    assert tries(pbx) < 6


# --- Proxies and routes.


def test_an_outbound_proxy_is_on_the_way_of_every_request_outside_a_dialog():
    world = World()
    agent = world.agent("192.0.2.1")
    pbx, proxy, phone = world.phone("192.0.2.2"), world.phone("192.0.2.9", 5070), world.phone("192.0.2.50")
    registration = agent.register("192.0.2.2", "door", "secret", proxy="192.0.2.9:5070")
    world.deliver()
    first = proxy.got[0]
    assert not pbx.got and first.uri == b"sip:192.0.2.2" and first.raw(H_ROUTE) == [b"<sip:192.0.2.9:5070;lr>"]
    proxy.send(reply(first, 407, more=(b'Proxy-Authenticate: Digest realm="edge", nonce="p"',), contact=None))
    proxy.send(reply(proxy.got[1], 401, more=challenge(), contact=None))
    third = proxy.got[2]
    assert b'realm="edge"' in third.get(18) and b'realm="pbx"' in third.get(H_AUTHORIZATION)
    ok(proxy, third)
    assert registration.is_registered and registration.is_server("192.0.2.9") and "192.0.2.2" in registration.words()
    for target, uri in (("101", b"sip:101@192.0.2.2"), ("sip:192.0.2.50", b"sip:192.0.2.50")):
        agent.call(target, "192.0.2.1", 5000)
        invite = proxy.last(method=b"INVITE")
        assert invite.uri == uri and invite.raw(H_ROUTE) == [b"<sip:192.0.2.9:5070;lr>"]
    assert not pbx.got and not phone.got
    registration.stop()
    assert proxy.last(method=b"REGISTER").get(H_EXPIRES) == b"0"


def test_the_service_route_is_the_way_of_calls_to_the_registrars_people():
    world, agent, pbx, registration = registering()
    route = world.phone("192.0.2.77", 5090)
    ok(pbx, pbx.got[0], more=(b"Service-Route: <sip:out@192.0.2.77:5090;lr>, <sip:192.0.2.78;lr>",))
    agent.call("101", "192.0.2.1", 5000)
    invite = route.last(method=b"INVITE")
    assert invite.raw(H_ROUTE) == [b"<sip:out@192.0.2.77:5090;lr>", b"<sip:192.0.2.78;lr>"]
    assert invite.uri == b"sip:101@192.0.2.2" and registration.is_server("192.0.2.77")
    route.send(reply(invite, 407, more=(b'Proxy-Authenticate: Digest realm="pbx", nonce="p1"',), contact=None))
    assert route.last(method=b"INVITE").raw(H_ROUTE) == invite.raw(H_ROUTE) and route.got[-1].get(18)
    phone = world.phone("192.0.2.50")
    agent.call("sip:192.0.2.50", "192.0.2.1", 5000)
    assert phone.last(method=b"INVITE").get(H_ROUTE) is None
    # the refresh goes to the registrar, and a reply without one ends it
    world.run(262000)
    refresh = pbx.last(method=b"REGISTER")
    assert refresh.get(H_ROUTE) is None
    ok(pbx, refresh)
    agent.call("102", "192.0.2.1", 5000)
    assert pbx.last(method=b"INVITE").get(H_ROUTE) is None


def test_a_service_route_behind_a_proxy_and_one_that_cannot_be_read():
    for said, routes in (
        (b"<sip:192.0.2.77;lr>", [b"<sip:192.0.2.9;lr>", b"<sip:192.0.2.77;lr>"]),
        (b"<sip:me@192.0.2.9:5060;lr>", [b"<sip:me@192.0.2.9:5060;lr>"]), (b"<sip:192.0.2.9:5070;lr>", [b"<sip:192.0.2.9;lr>", b"<sip:192.0.2.9:5070;lr>"]),
        (b"<sip:192.0.2.77;lr>, <<>", [b"<sip:192.0.2.9;lr>"]), (b", ".join([b"<sip:192.0.2.77;lr>"] * 9), [b"<sip:192.0.2.9;lr>"]),
    ):  # fmt: skip
        world = World()
        agent = world.agent("192.0.2.1")
        proxy = world.phone("192.0.2.9")
        agent.register("192.0.2.2", "door", "secret", proxy="192.0.2.9")
        world.deliver()
        ok(proxy, proxy.got[0], more=(b"Service-Route: " + said,))
        agent.call("101", "192.0.2.1", 5000)
        assert proxy.last(method=b"INVITE").raw(H_ROUTE) == routes


def test_a_redirection_is_followed_once():
    world, agent, pbx, registration = registering()
    other = world.phone("192.0.2.8", 5062)
    pbx.send(reply(pbx.got[0], 302, contact=b"<sip:door@192.0.2.8:5062>"))
    assert other.got[0].uri == b"sip:192.0.2.8:5062" and other.got[0].to_uri == b"sip:door@192.0.2.2"
    ok(other, other.got[0])
    assert registration.is_registered and "192.0.2.8" in registration.words()
    world.run(262000)
    other.send(reply(other.got[-1], 302, contact=b"<sip:192.0.2.66>"))
    assert "302" in registration.words()
    # and the next attempt begins where the first did
    world.run(70000)
    assert tries(pbx) == 2
    for contact in (None, b"<tel:1>", b"<<", b"<sip:>"):
        world, agent, pbx, registration = registering()
        pbx.send(reply(pbx.got[0], 301, contact=contact))
        assert "301" in registration.words() and len(pbx.got) == 1


# --- Refusals, pauses, the second server.


def test_retry_after_is_obeyed():
    for value, least, most in ((b"30", 30, 31), (b"1200;duration=5", 1200, 1201), (b"99999", 3600, 3601), (b"x", 0, 3), (b"", 0, 3)):
        world, agent, pbx, registration = registering()
        pbx.send(reply(pbx.got[0], 500, more=(b"Retry-After: " + value,), contact=None))
        start = world.now_ms
        while len(pbx.got) == 1:
            world.run(200)
        assert least * 1000 <= world.now_ms - start <= most * 1000, value


def test_a_busy_refresh_of_what_was_well_for_an_hour_is_tried_again_soon():
    world, agent, pbx, registration = registering()
    world.lose = lambda data, source, peer: True
    world.run(900000)
    world.lose = None
    assert registration.retry_ms == 300000
    registration.start(True)
    world.deliver()
    ok(pbx, pbx.got[-1], 3600)
    world.run(3562000)
    pbx.send(reply(pbx.got[-1], 500, contact=None))
    assert registration.retry_ms == 2000


def backed_up():
    world = World()
    agent = world.agent("192.0.2.1")
    one, two = world.phone("192.0.2.2"), world.phone("192.0.2.3")
    told = []
    registration = agent.register("192.0.2.2", "door", "secret", backup="192.0.2.3")
    registration.changed = lambda registration: told.append(registration.words())
    world.deliver()
    return world, agent, one, two, registration, told


def test_the_second_server_is_used_while_the_first_is_away():
    world, agent, one, two, registration, told = backed_up()
    ok(one, one.got[0], 120)
    assert not two.got
    world.lose = lambda data, source, peer: peer == ONE
    world.run(115000)
    assert two.got[0].method == b"REGISTER" and two.got[0].to_uri == b"sip:door@192.0.2.3"
    two.send(reply(two.got[-1], 401, more=challenge(), contact=None))
    ok(two, two.got[-1])
    assert "Registered at 192.0.2.3 as door" in told[-1] and registration.is_server("192.0.2.3")
    agent.call("101", "192.0.2.1", 5000)
    invite = two.last(method=b"INVITE")
    assert invite.uri == b"sip:101@192.0.2.3" and invite.from_uri == b"sip:door@192.0.2.3"
    two.send(reply(invite, 407, more=(b'Proxy-Authenticate: Digest realm="pbx", nonce="p"',), contact=None))
    assert two.last(method=b"INVITE").get(18)
    world.run(262000)
    assert not registration.contact and registration.is_registered
    ok(two, two.last(method=b"REGISTER"))
    # back as soon as it answers again
    world.lose = None
    seen = tries(one)
    while tries(one) == seen:
        world.run(100)  # less than from the last copy to the end of an attempt
    ok(one, one.got[-1])
    assert two.got[-1].get(H_EXPIRES) == b"0" and registration.is_registered and "192.0.2.3" not in registration.words()
    agent.call("102", "192.0.2.1", 5000)
    assert one.last(method=b"INVITE").uri == b"sip:102@192.0.2.2"
    two.send(reply(two.got[-1], 200, contact=None))
    seen = tries(two)
    world.run(200000)
    assert tries(two) == seen
    # and again
    world.lose = lambda data, source, peer: peer == ONE
    world.run(200000)
    assert tries(two) > seen


def test_a_refused_password_is_no_reason_to_try_it_elsewhere():
    world, agent, one, two, registration, told = backed_up()
    one.send(reply(one.got[0], 403, contact=None))
    world.run(25000)
    assert not two.got and tries(one) == 1


def test_both_are_away_and_both_are_left():
    world, agent, one, two, registration, told = backed_up()
    world.lose = lambda data, source, peer: True
    world.run(100000)
    assert not registration.is_registered
    assert "192.0.2.2 as door: no answer" in told[-1] and "192.0.2.3 as door: no answer" in told[-1]
    world.lose = lambda data, source, peer: peer == ONE
    registration.second.start()
    ok(two, two.last(method=b"REGISTER"))
    done = []
    registration.stop(lambda: done.append(True))
    assert two.last(method=b"REGISTER").get(H_EXPIRES) == b"0" and not done
    two.send(reply(two.got[-1], 200, contact=None))
    assert done == [True]
    world.run(400000)
    assert not len(agent.timers) and "stopped" in registration.words()


def test_a_lookup_that_meets_a_full_heap_is_not_the_last_one():
    world, agent, one, two, names, registration = by_name()
    ok(one, one.got[0])

    def full(raw, then, anew=False):
        raise MemoryError

    agent.locate = full
    try:
        world.run(262000)
        raise AssertionError("the world does not catch it")
    except MemoryError:
        pass
    agent.locate = names
    seen = tries(one)
    world.run(61000)
    assert tries(one) == seen + 1


# --- Connections.


def streaming():
    world = World()
    world.tcp = True
    agent = world.agent("192.0.2.1")
    pbx = world.phone("192.0.2.2")
    registration = agent.register("192.0.2.2", "door", "secret", transport="tcp")
    world.deliver()
    return world, agent, pbx, registration


def test_over_tcp_the_contact_is_the_connections_own_end():
    world, agent, pbx, registration = streaming()
    assert registration.peer == ("192.0.2.2", 5060, b"TCP") and pbx.got[0].uri == b"sip:192.0.2.2"
    ok(pbx, pbx.got[0], via=b"=40001;received=192.0.2.1")
    assert pbx.got[1].raw(H_CONTACT)[0] == b"<sip:door@192.0.2.1:40001;transport=tcp>"
    ok(pbx, pbx.got[1], via=b"=40001;received=192.0.2.1")
    assert len(pbx.got) == 2
    agent.call("101", "192.0.2.1", 5000)
    invite = pbx.last(method=b"INVITE")
    assert invite.contact_uri == b"sip:door@192.0.2.1:40001;transport=tcp" and invite.via.transport == b"TCP"
    # a route of the same server over UDP: its port is not the connection's
    assert agent.contact_uri("door", ("192.0.2.2", 5060)) == b"sip:door@192.0.2.1:5060"


def test_a_lost_connection_is_made_again_at_once_but_not_for_ever():
    world, agent, pbx, registration = streaming()
    ok(pbx, pbx.got[0])
    world.run(100000)
    gaps = []
    for _ in range(12):
        registration.lost(("192.0.2.2", 5060, b"TCP"))
        start = world.now_ms
        seen = len(pbx.got)
        while len(pbx.got) == seen:
            world.run(20)
        gaps.append(world.now_ms - start)
        assert "connection was lost" in registration.words()
        ok(pbx, pbx.got[-1])
        assert registration.is_registered and not registration.problem
    assert gaps[0] <= 520 and gaps[-1] >= 150000, gaps
    registration.lost(("192.0.2.99", 5060, b"TCP"))
    registration.lost(("192.0.2.2", 5060, b"TLS"))
    assert not registration.problem, "that was somebody else's"


def test_a_connection_that_is_not_to_be_had_is_said():
    world, agent, pbx, registration = streaming()
    agent.flow_lost(("192.0.2.2", 5060, b"TCP"), "the certificate is not one we trust")
    assert "the certificate is not one we trust" in registration.words()


def test_bad_words_for_servers_and_transports_are_refused_in_words():
    for more, words in (
        ({"transport": "sctp"}, "sctp"), ({"proxy": "a b"}, ""), ({"backup": "sip:@"}, ""), ({"proxy": "pbx.example"}, "pbx.example"),
    ):  # fmt: skip
        world = World()
        agent = world.agent("192.0.2.1")
        try:
            agent.register("192.0.2.2", "door", "secret", **more)
            raise AssertionError("not refused: %s" % more)
        except ValueError as error:
            assert words in str(error)
        assert agent.registration is None


def test_who_is_met_by_a_call_through_the_registrar_may_ask_for_the_password_nobody_else():
    from virtual_sip import SDP

    world, agent, pbx, registration = registering()
    granted(pbx, 300)
    edge = world.phone("192.0.2.60")
    call = agent.call("101", "192.0.2.1", 5000)
    pbx.send(reply(pbx.last(method=b"INVITE"), 200, body=SDP, more=(b"Record-Route: <sip:192.0.2.60;lr>",)))
    call.hangup()
    edge.send(reply(edge.last(method=b"BYE"), 407, more=(b'Proxy-Authenticate: Digest realm="pbx", nonce="p1"',), contact=None))
    assert edge.methods().count(b"BYE") == 2 and edge.got[-1].get(18)
    call = agent.call("sip:192.0.2.60", "192.0.2.1", 5000)
    edge.send(reply(edge.last(method=b"INVITE"), 200, body=SDP, contact=b"<sip:phone@192.0.2.60>"))
    call.hangup()
    edge.send(reply(edge.last(method=b"BYE"), 407, more=(b'Proxy-Authenticate: Digest realm="pbx", nonce="p1"',), contact=None))
    assert edge.methods().count(b"BYE") == 3


def test_over_udp_a_line_break_every_25_s_keeps_the_way_open_for_as_long_as_it_is_registered():
    world, agent, pbx, registration = registering()
    world.run(1000)
    assert not world.sent(b"\r\n")
    granted(pbx, 300)
    world.run(80000)
    assert world.sent(b"\r\n") == [5 + 1000 + 25000 * n for n in (1, 2, 3)]
    assert world.log[-1][2] == ("192.0.2.2", 5060)
    registration.stop()
    pbx.send(reply(pbx.got[-1], 200))
    world.run(80000)
    assert len(world.sent(b"\r\n")) == 3


def test_over_a_stream_the_transport_sees_to_that():
    world = World()
    world.tcp = True
    agent = world.agent("192.0.2.1")
    pbx = world.phone("192.0.2.2")
    agent.register("192.0.2.2", "door", "secret", transport="tcp")
    world.deliver()
    pbx.world.wire.append((pbx.address + (b"TCP",), ("192.0.2.1", 5060, b"TCP"), reply(pbx.got[0], 200, more=(b"Expires: 300",))))
    world.run(80000)
    assert agent.registration.is_registered and not world.sent(b"\r\n")
