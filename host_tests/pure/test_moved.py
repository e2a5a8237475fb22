"""3xx: where a call is sent is called, in order, once, and not for ever (RFC 3261 8.1.3.4, 21.3), in virtual time."""

from virtual_sip import SDP, World, reply

from sip.message import response


class Street:
    """A door that calls `first`, and phones at three more addresses."""

    def __init__(self):
        self.world = World()
        self.agent = self.world.agent("192.0.2.1")
        self.phones = [self.world.phone("192.0.2.%d" % n) for n in range(2, 6)]
        self.first = self.phones[0]
        self.events = []
        self.call = self.agent.call("sip:first@192.0.2.2", "192.0.2.1", 5000, lambda call, event: self.events.append(event))
        self.world.deliver()

    def invites(self, n):
        """How many different INVITEs came to phone n."""
        self.world.deliver()
        return len({message.cseq for message in self.phones[n].got if message.method == b"INVITE"})

    def answer(self, n, status, *contacts, **more):
        """Phone n's response to its newest INVITE; each of `contacts` is a Contact's value."""
        lines = tuple([b"Contact: " + one for one in contacts])
        invite = self.phones[n].last(method=b"INVITE")
        more = dict(more)
        if status < 300:
            more["contact"] = b"<sip:phone@192.0.2.%d>" % (n + 2)
            self.phones[n].send(reply(invite, status, **more))
        else:
            self.phones[n].send(response(invite, status, to_tag=b"t%d" % n, lines=lines))
        self.world.deliver()

    def over(self):
        self.world.run(70000)
        assert not self.agent.calls and not len(self.agent.transactions) and not len(self.agent.timers)
        assert not self.agent.faults


def test_one_contact():
    for status in (300, 301, 302):
        street = Street()
        street.answer(0, status, b"<sip:there@192.0.2.3?Route=x>;expires=60")
        before = street.first.last(method=b"INVITE")
        invite = street.phones[1].last(method=b"INVITE")
        assert street.first.methods() == [b"INVITE", b"ACK"] and street.call.state == "calling"
        # the same To, From and Call-ID, a CSeq one higher, another branch (8.1.3.4)
        assert invite.uri == b"sip:there@192.0.2.3" and invite.to_uri == b"sip:first@192.0.2.2" and invite.to_tag is None
        assert invite.call_id == before.call_id and invite.cseq == before.cseq + 1 and invite.branch != before.branch
        assert invite.from_tag == before.from_tag and b"Route" not in invite.data
        assert street.events == ["transfer"] and "sip:there@192.0.2.3" in street.call.news
        street.answer(1, 180)
        street.answer(1, 200, body=SDP)
        assert street.call.state == "up" and street.events == ["transfer", "ringing", "media", "up"]
        street.call.hangup()
        bye = street.phones[1].last(method=b"BYE")
        assert bye.to_tag == b"them"
        street.phones[1].send(reply(bye, 200))
        street.over()


def test_contacts_are_called_by_their_q_and_one_after_the_other():
    street = Street()
    street.answer(0, 300, b"<sip:c@192.0.2.5>;q=0.1, <sip:a@192.0.2.3>;q=0.9", b"<sip:b@192.0.2.4>;q=0.25")
    assert [street.invites(n) for n in range(4)] == [1, 1, 0, 0]
    street.answer(1, 486)
    assert [street.invites(n) for n in range(4)] == [1, 1, 1, 0]
    street.world.run(33000)  # nobody answers at b
    assert [street.invites(n) for n in range(4)] == [1, 1, 1, 1]
    street.answer(3, 480)
    assert street.call.state == "ended" and street.call.status == 480 and "not reachable" in street.call.ended
    street.over()


def test_a_contact_without_q_is_first_and_an_odd_one_does_no_harm():
    street = Street()
    odd = (b"<mailto:x@y>", b"<tel:+1>", b"<sip:@@>", b"<sip:x@192.0.2.5;method=BYE>")
    street.answer(0, 302, b"<sip:b@192.0.2.4>;q=nonsense", b"<sip:a@192.0.2.3>;q=0.999", *odd)
    assert [street.invites(n) for n in range(4)] == [1, 0, 1, 0]
    street.answer(2, 404)
    assert [street.invites(n) for n in range(4)] == [1, 1, 1, 0]


def test_a_loop_ends():
    street = Street()
    street.answer(0, 302, b"<sip:there@192.0.2.3>")
    street.answer(1, 302, b"<sip:FIRST@192.0.2.2>")
    assert street.call.state == "ended" and street.call.status == 302 and "elsewhere (302)" in street.call.ended
    assert [street.invites(n) for n in range(4)] == [1, 1, 0, 0]
    street.over()


def test_ever_new_places_end():
    street = Street()
    for number in range(20):
        if street.call.state == "ended":
            break
        street.answer(0, 302, b"<sip:n%d@192.0.2.2>" % number, b"<sip:m%d@192.0.2.2>" % number)
    assert street.call.state == "ended" and street.invites(0) == 6
    street.over()


def test_6xx_speaks_for_all_places():
    for status in (600, 603):
        street = Street()
        street.answer(0, 300, b"<sip:a@192.0.2.3>", b"<sip:b@192.0.2.4>")
        street.answer(1, status)
        assert street.call.status == status and [street.invites(n) for n in range(4)] == [1, 1, 0, 0]


def test_305_goes_by_the_proxy_with_its_address_as_it_was():
    street = Street()
    street.answer(0, 305, b"<sip:192.0.2.3>")
    invite = street.phones[1].last(method=b"INVITE")
    assert invite.uri == b"sip:first@192.0.2.2" and invite.all(11) == [b"<sip:192.0.2.3;lr>"]
    street.answer(1, 305, b"<sip:192.0.2.3>")
    assert street.call.status == 305 and street.call.state == "ended"


def test_without_a_place_to_go_it_ends_in_words():
    for status, contacts in ((302, ()), (302, (b"<tel:+1>",)), (380, (b"<sip:a@192.0.2.3>",)), (399, ())):
        street = Street()
        street.answer(0, status, *contacts)
        assert street.call.state == "ended" and street.call.status == status and street.call.ended
        assert street.invites(1) == 0
        street.over()


def test_a_place_whose_name_nobody_knows_is_passed_over():
    street = Street()
    street.answer(0, 302, b"<sip:a@pbx.example>", b"<sip:b@192.0.2.4>;q=0.5")
    assert street.invites(2) == 1
    street = Street()
    street.answer(0, 302, b"<sip:a@pbx.example>")
    assert street.call.state == "ended" and "pbx.example" in street.call.ended


def test_who_hung_up_follows_nobody():
    street = Street()
    street.answer(0, 180)
    street.call.hangup()
    street.answer(0, 302, b"<sip:a@192.0.2.3>")
    assert street.invites(1) == 0 and street.call.state == "ended"
    # or in the moment when the news comes
    street = Street()
    street.call.on_event = lambda call, event: call.hangup() if event == "transfer" else None
    street.answer(0, 302, b"<sip:a@192.0.2.3>")
    assert street.invites(1) == 0 and street.call.state == "ended"
    street.over()


def test_the_first_place_rang_before_it_sent_us_on():
    street = Street()
    street.answer(0, 183, body=SDP)
    assert street.call.state == "early"
    street.answer(0, 302, b"<sip:a@192.0.2.3>")
    invite = street.phones[1].last(method=b"INVITE")
    assert invite.to_tag is None and invite.uri == b"sip:a@192.0.2.3" and street.call.state == "calling"
    street.answer(1, 180)
    street.answer(1, 200, body=SDP)
    assert street.call.state == "up" and street.events[-3:] == ["ringing", "media", "up"]
