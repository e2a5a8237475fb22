"""Sound from the negotiated or the once latched peer alone: strangers before and after, and those who race it."""

from own_net import NET
from test_media_stream import Call, Peer


def _other(call, host):
    other = Peer(host)
    other.at = call.peer.at
    return other


def test_who_races_the_peer_of_the_sdp_loses():
    # It knows the port and is first, with a hundred packets at once: the peer has half a second.
    call = Call()
    racer = _other(call, NET + "23")
    for _ in range(20):
        for _ in range(5):
            racer.send()
        call.tick()
    call.peer.send()
    call.tick(2)
    assert call.stream.received == 1
    for _ in range(50):
        racer.send()
        call.peer.send()
        call.tick()
    assert call.stream.received == 51 and call.stream.strangers >= 100
    assert racer.receive() == []  # and it was sent nothing
    racer.socket.close()
    call.end()


def test_who_races_a_peer_behind_a_nat_does_not_keep_it_out():
    # The SDP's host from another port, and a stranger between each of its packets.
    call = Call(start=False)
    call.stream.send_to(call.peer.host, 9, 0)
    racer = _other(call, NET + "23")
    for _ in range(10):
        racer.send()
        call.peer.send()
        racer.send()
        call.tick()
    assert call.stream.received == 8
    assert racer.receive() == []
    racer.socket.close()
    call.end()


def test_another_host_is_taken_when_the_sdp_s_own_is_silent():
    call = Call(start=False)
    call.stream.send_to(NET + "29", 29998, 0)
    call.tick(24, call.peer.send)
    assert call.stream.received == 0
    call.tick(26, call.peer.send)
    assert call.stream.received > 20
    # From now on it is the peer: others are not heard.
    other = _other(call, NET + "24")
    before = call.stream.received, call.stream.strangers, call.stream.bad
    for _ in range(30):
        other.send()
        call.tick()
    assert (call.stream.received, call.stream.strangers, call.stream.bad) == before
    other.socket.close()
    call.end()


def test_a_new_offer_names_another_and_the_old_one_is_a_stranger():
    call = Call()
    call.tick(10, call.peer.send)
    new = _other(call, NET + "24")
    new.ssrc = b"NEW1"
    call.stream.send_to(new.host, new.port, 0)
    for _ in range(40):  # the old one goes on, for longer than another host would need
        call.peer.send()
        new.send()
        call.tick()
    assert call.stream.received == 10 + 39  # one to prove its source
    assert call.stream.strangers >= 1
    new.socket.close()
    call.end()


def test_the_old_one_goes_on_and_the_new_one_is_late():
    call = Call()
    call.tick(10, call.peer.send)
    new = _other(call, NET + "24")
    new.ssrc = b"NEW1"
    call.peer.receive()
    call.stream.send_to(new.host, new.port, 0)
    for _ in range(20):
        call.peer.send()
        call.tick()
    assert call.stream.received == 10
    assert call.peer.receive() == []
    call.tick(10, new.send)
    assert call.stream.received == 10 + 9
    new.socket.close()
    call.end()


def test_the_same_offer_again_does_not_open_the_door_to_strangers():
    call = Call()
    call.tick(10, call.peer.send)
    racer = _other(call, NET + "23")
    for _ in range(5):
        call.stream.send_to(call.peer.host, call.peer.port, 0)
        for _ in range(20):
            racer.send()
        call.tick(2, call.peer.send)
    assert call.stream.received == 20 and call.stream.strangers == 0
    racer.socket.close()
    call.end()


def test_a_source_that_takes_turns_with_ours_does_not_take_its_place():
    # Somebody who writes the peer's address on its packets, or a bridge that mixes two: with every packet of the one that
    # plays, the other one's proof begins anew.
    call = Call()
    call.tick(10, call.peer.send)
    ssrc = call.peer.ssrc
    wrong = 0
    for i in range(40):
        call.peer.ssrc, call.peer.sequence = b"FAKE", call.peer.sequence + 5000
        call.peer.send(samples=0)
        call.peer.ssrc, call.peer.sequence = ssrc, call.peer.sequence - 5001
        call.peer.send()
        call.tick()
        wrong += list(call.stream._fields[18:20]) != [0x5045, 0x4552]
    assert wrong == 0 and call.stream.received == 50 and call.stream.bad == 40
    call.peer.ssrc = b"NEXT"  # the first one ends: two in a row are proof
    call.tick(10, call.peer.send)
    assert call.stream.received == 59
    call.end()


def test_before_anything_is_agreed_all_are_strangers():
    call = Call(start=False)
    racer = _other(call, NET + "23")
    for _ in range(60):
        racer.send()
        call.tick()
    assert call.stream.received == 0
    call.stream.send_to(call.peer.host, call.peer.port, 0)
    for _ in range(20):
        racer.send()
        call.tick()
    assert call.stream.received == 0  # what it did before gives it no right
    call.tick(3, call.peer.send)
    assert call.stream.received == 3
    racer.socket.close()
    call.end()


def test_keys_of_a_stranger_open_nothing():
    call = Call()
    racer = _other(call, NET + "23")
    for i in range(60):
        racer.send(bytes([i % 10, 0x8A, 3, 32]), 101)
        if i % 20 == 10:
            call.peer.send()
        call.tick()
    assert call.stream.next_digit() == -1 and call.stream.received == 3
    racer.socket.close()
    call.end()
