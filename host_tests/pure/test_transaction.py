"""Every edge of the four machines of RFC 3261 section 17 (with RFC 6026), in virtual time, lost packets included."""

from virtual_sip import SDP, World, reply, request

from sip.message import parse
from sip.transaction import (
    ACCEPTED, CALLING, CLIENT, COMPLETED, CONFIRMED, INVITE_CLIENT, INVITE_SERVER, PROCEEDING, SERVER, TERMINATED,
    Transactions,
)  # fmt: skip


class User:
    def __init__(self):
        self.got = []

    def on_response(self, transaction, message):
        self.got.append(message.status if message else transaction.why)


def client(method=b"INVITE"):
    """A client transaction that has just sent its request: (world, table, transaction, user, sent bytes)."""
    world = World()
    agent = world.agent("192.0.2.1")
    phone = world.phone("192.0.2.2")
    user = User()
    data = request(method, host=b"192.0.2.1", branch=b"z9hG4bKx")
    transaction = agent.transactions.client(method, b"z9hG4bKx", data, ("192.0.2.2", 5060), user)
    world.deliver()
    return world, phone, transaction, user


def offsets(world, start):
    return [at - 5 for at in world.sent(start)]


def test_invite_client_repeats_doubling_until_timer_b():
    world, phone, transaction, user = client()
    assert transaction.state == CALLING
    world.run(40000)
    assert offsets(world, b"INVITE") == [0, 500, 1500, 3500, 7500, 15500, 31500]
    assert user.got == ["no answer"]
    assert transaction.state == TERMINATED
    assert len(world.agents[("192.0.2.1", 5060)].transactions) == 0


def test_invite_client_is_quiet_after_a_provisional_response_for_as_long_as_it_takes():
    world, phone, transaction, user = client()
    phone.send(reply(phone.got[0], 180))
    assert transaction.state == PROCEEDING
    phone.send(reply(phone.got[0], 180))
    world.run(200000)
    assert offsets(world, b"INVITE") == [0]
    assert user.got == [180, 180]
    assert transaction.state == PROCEEDING


def test_invite_client_acknowledges_each_copy_of_a_refusal_and_lingers_for_timer_d():
    for first in (None, 180):
        world, phone, transaction, user = client()
        if first:
            phone.send(reply(phone.got[0], first))
        phone.send(reply(phone.got[0], 486))
        assert transaction.state == COMPLETED
        phone.send(reply(phone.got[0], 486))
        phone.send(reply(phone.got[0], 180))
        phone.send(reply(phone.got[0], 200))
        assert user.got[-1] == 486 and user.got.count(486) == 1
        acks = [message for message in phone.got if message.method == b"ACK"]
        assert len(acks) == 2
        invite, ack = phone.got[0], acks[0]
        assert ack.uri == invite.uri and ack.branch == invite.branch and ack.cseq == invite.cseq
        assert ack.to_tag == b"them" and ack.from_tag == invite.from_tag and ack.call_id == invite.call_id
        world.run(31990)
        assert transaction.state == COMPLETED
        world.run(20)
        assert transaction.state == TERMINATED


def test_invite_client_hands_on_every_2xx_until_timer_m():
    for first in (None, 180):
        world, phone, transaction, user = client()
        if first:
            phone.send(reply(phone.got[0], first))
        phone.send(reply(phone.got[0], 200))
        phone.send(reply(phone.got[0], 200, tag=b"another"))
        assert transaction.state == ACCEPTED
        assert user.got[-2:] == [200, 200]
        phone.send(reply(phone.got[0], 486))
        phone.send(reply(phone.got[0], 180))
        assert user.got[-2:] == [200, 200] and b"ACK" not in phone.methods()
        world.run(32010)
        assert transaction.state == TERMINATED
        phone.send(reply(phone.got[0], 200))
        assert user.got.count(200) == 2


def test_a_transport_that_refuses_ends_a_client_transaction_in_words_but_never_inside_the_call_that_made_it():
    for method in (b"INVITE", b"OPTIONS"):
        world = World()
        agent = world.agent("192.0.2.1")
        agent.transport.broken = True
        user = User()
        data = request(method, host=b"192.0.2.1", branch=b"z9hG4bKx")
        transaction = agent.transactions.client(method, b"z9hG4bKx", data, ("192.0.2.2", 5060), user)
        assert not user.got
        world.run(10)
        assert user.got == ["not reachable"] and transaction.state == TERMINATED


def test_a_transport_that_breaks_later_ends_it_too():
    for method in (b"INVITE", b"OPTIONS"):
        world, phone, transaction, user = client(method)
        world.agents[("192.0.2.1", 5060)].transport.broken = True
        world.run(600)
        assert user.got == ["not reachable"] and transaction.state == TERMINATED


def test_a_completed_invite_client_whose_ack_cannot_be_sent_stays_to_acknowledge_the_next_copy():
    world, phone, transaction, user = client()
    world.agents[("192.0.2.1", 5060)].transport.broken = True
    phone.send(reply(phone.got[0], 486))
    assert transaction.state == COMPLETED and user.got == [486]
    world.agents[("192.0.2.1", 5060)].transport.broken = False
    phone.send(reply(phone.got[0], 486))
    assert phone.methods() == [b"INVITE", b"ACK"]


def test_client_repeats_up_to_t2_until_timer_f():
    world, phone, transaction, user = client(b"OPTIONS")
    world.run(40000)
    assert offsets(world, b"OPTIONS") == [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]
    assert user.got == ["no answer"]


def test_client_repeats_every_t2_after_a_provisional_response():
    world, phone, transaction, user = client(b"OPTIONS")
    phone.send(reply(phone.got[0], 100))
    assert transaction.state == PROCEEDING
    phone.send(reply(phone.got[0], 100))
    world.run(40000)
    assert offsets(world, b"OPTIONS") == [0, 500, 4500, 8500, 12500, 16500, 20500, 24500, 28500]
    assert user.got == [100, 100, "no answer"]


def test_client_takes_one_final_response_and_absorbs_copies_for_timer_k():
    for first in (None, 100):
        for final in (200, 404):
            world, phone, transaction, user = client(b"OPTIONS")
            if first:
                phone.send(reply(phone.got[0], first))
            phone.send(reply(phone.got[0], final))
            phone.send(reply(phone.got[0], final))
            assert transaction.state == COMPLETED and user.got.count(final) == 1
            assert b"ACK" not in phone.methods()
            world.run(4990)
            assert transaction.state == COMPLETED
            world.run(20)
            assert transaction.state == TERMINATED
            assert len(world.sent(b"OPTIONS")) == 1


def server(method=b"INVITE"):
    world = World()
    agent = world.agent("192.0.2.1")
    phone = world.phone("192.0.2.2")
    message = parse(request(method, body=SDP if method == b"INVITE" else b""))
    transaction = agent.transactions.server(message, ("192.0.2.2", 5060), ("192.0.2.2", 5060))
    return world, agent, phone, transaction


def again(agent, phone, method):
    phone.send(request(method, body=SDP if method == b"INVITE" else b""))


def answer(transaction, status):
    from sip.message import response

    transaction.respond(status, response(parse(request(b"INVITE")), status, to_tag=b"t"))


def test_invite_server_answers_a_retransmission_with_its_newest_provisional_response():
    world, agent, phone, transaction = server()
    again(agent, phone, b"INVITE")
    assert phone.statuses() == []  # nothing to repeat yet, and no second call
    answer(transaction, 100)
    answer(transaction, 180)
    again(agent, phone, b"INVITE")
    assert phone.statuses() == [100, 180, 180]
    assert transaction.state == PROCEEDING and len(agent.calls) == 0


def test_invite_server_repeats_a_refusal_until_ack_then_absorbs_for_timer_i():
    world, agent, phone, transaction = server()
    answer(transaction, 486)
    assert transaction.state == COMPLETED
    world.run(1600)
    assert offsets(world, b"SIP/2.0 486") == [0, 500, 1500]
    again(agent, phone, b"INVITE")
    assert phone.statuses() == [486] * 4
    phone.send(request(b"ACK", to=b"<sip:door@192.0.2.1>;tag=t"))
    assert transaction.state == CONFIRMED
    again(agent, phone, b"INVITE")
    phone.send(request(b"ACK", to=b"<sip:door@192.0.2.1>;tag=t"))
    world.run(4990)
    assert transaction.state == CONFIRMED and phone.statuses() == [486] * 4
    world.run(20)
    assert transaction.state == TERMINATED


def test_invite_server_gives_up_after_timer_h():
    world, agent, phone, transaction = server()
    answer(transaction, 603)
    world.run(31990)
    assert transaction.state == COMPLETED
    assert offsets(world, b"SIP/2.0 603")[:6] == [0, 500, 1500, 3500, 7500, 11500]
    world.run(20)
    assert transaction.state == TERMINATED


def test_invite_server_leaves_a_2xx_to_the_call_and_absorbs_for_timer_l():
    world, agent, phone, transaction = server()
    answer(transaction, 200)
    assert transaction.state == ACCEPTED
    again(agent, phone, b"INVITE")
    assert phone.statuses() == [200]
    answer(transaction, 200)
    assert phone.statuses() == [200, 200]
    world.run(31990)
    assert transaction.state == ACCEPTED and phone.statuses() == [200, 200]
    world.run(20)
    assert transaction.state == TERMINATED


def test_server_walks_trying_proceeding_completed_and_timer_j():
    for status in (200, 404):
        world, agent, phone, transaction = server(b"BYE")
        again(agent, phone, b"BYE")
        assert phone.statuses() == [] and transaction.state == CALLING
        answer(transaction, 182)
        assert transaction.state == PROCEEDING
        again(agent, phone, b"BYE")
        answer(transaction, 182)
        assert phone.statuses() == [182, 182, 182]
        answer(transaction, status)
        again(agent, phone, b"BYE")
        answer(transaction, 500)  # a second final response is not sent
        assert phone.statuses()[3:] == [status, status]
        world.run(31990)
        assert transaction.state == COMPLETED
        world.run(20)
        assert transaction.state == TERMINATED
    world, agent, phone, transaction = server(b"BYE")
    answer(transaction, 200)
    assert transaction.state == COMPLETED


def test_every_row_of_every_table_leads_to_a_state_of_its_figure():
    figures = (
        (INVITE_CLIENT, (CALLING, PROCEEDING, COMPLETED, ACCEPTED, TERMINATED)),
        (CLIENT, (CALLING, PROCEEDING, COMPLETED, TERMINATED)),
        (INVITE_SERVER, (PROCEEDING, COMPLETED, CONFIRMED, ACCEPTED, TERMINATED)),
        (SERVER, (CALLING, PROCEEDING, COMPLETED, TERMINATED)),
    )
    for table, states in figures:
        keys = [table[row] for row in range(0, len(table), 3)]
        assert len(table) % 3 == 0 and len(set(keys)) == len(keys)
        for row in range(0, len(table), 3):
            assert table[row] & 0xF0 in states and table[row] & 0xF0 != TERMINATED
            assert table[row + 1] in states


def test_a_full_table_forgets_what_is_finished_and_refuses_what_is_new():
    world = World()
    agent = world.agent("192.0.2.1")
    table = agent.transactions = Transactions(agent.timers, agent.send, limit=3)
    for number in range(3):
        message = parse(request(b"BYE", branch=b"z9hG4bK%d" % number))
        transaction = table.server(message, ("192.0.2.2", 5060), ("192.0.2.2", 5060))
    message = parse(request(b"BYE", branch=b"z9hG4bKnew"))
    assert table.server(message, ("192.0.2.2", 5060), ("192.0.2.2", 5060)) is None
    answer(transaction, 200)
    assert table.server(message, ("192.0.2.2", 5060), ("192.0.2.2", 5060)) is not None
    assert len(table) == 3
    assert table.client(b"BYE", b"z9hG4bKc", b"", ("192.0.2.2", 5060), None) is None


def test_peers_without_the_magic_cookie_are_matched_by_the_rest():
    world = World()
    agent = world.agent("192.0.2.1", on_call=lambda call: call.ring())
    phone = world.phone("192.0.2.2")
    phone.send(request(b"INVITE", branch=b"1", body=SDP))
    phone.send(request(b"INVITE", branch=b"1", body=SDP))
    assert phone.statuses() == [180, 180] and len(agent.calls) == 1
    phone.send(request(b"INVITE", branch=b"1", call_id=b"c2", body=SDP))
    assert len(agent.calls) == 2
    phone.send(request(b"CANCEL", branch=b"1"))
    assert phone.statuses()[-2:] == [200, 487]
    phone.send(request(b"ACK", branch=b"1", to=phone.last(487).get(3)))
    world.run(6000)
    assert phone.statuses().count(487) == 1


def test_a_few_finished_ones_are_remembered_the_newest():
    world = World()
    agent = world.agent("192.0.2.1")
    world.phone("192.0.2.2")
    table = agent.transactions
    for number in range(12):
        for method in (b"INVITE", b"BYE"):
            message = parse(request(method, branch=b"z9hG4bK%d" % number))
            transaction = table.server(message, ("192.0.2.2", 5060), ("192.0.2.2", 5060))
            answer(transaction, 200)
            world.run(10)
    assert len(table) == 4
    for number, known in ((11, True), (10, True), (9, False)):
        for method in (b"INVITE", b"BYE"):
            found = table.match(parse(request(method, branch=b"z9hG4bK%d" % number)))
            assert (found is not None) is known
    world.run(33000)
    assert not len(table) and not len(agent.timers)


def test_what_met_a_full_heap_is_still_awaited_even_where_nothing_comes_twice():
    """On a stream timers D and K are zero: they are none of a response that could not be taken, and that its reader offers again."""

    class Full(User):
        def on_response(self, transaction, message):
            User.on_response(self, transaction, message)
            if self.got.count(message.status if message else None) < 3:
                raise MemoryError

    for method in (b"INVITE", b"OPTIONS"):
        for status in (486, 200):
            world = World()
            agent = world.agent("192.0.2.1")
            agent.transactions.near = ("192.0.2.2", "")
            phone = world.phone("192.0.2.2")
            user = Full()
            data = request(method, host=b"192.0.2.1", branch=b"z9hG4bKx")
            transaction = agent.transactions.client(method, b"z9hG4bKx", data, ("192.0.2.2", 5060), user)
            world.deliver()
            message = parse(reply(phone.got[0], status))
            for _ in range(2):
                try:
                    agent.transactions.response(message)
                    raise AssertionError("taken")
                except MemoryError:
                    pass
                world.run(400)
                assert transaction.state == CALLING and user.got == [status] * len(user.got), (method, status, user.got)
            assert agent.transactions.response(message) and user.got == 3 * [status]
            world.run(40000)
            assert transaction.state == TERMINATED and user.got == 3 * [status]
