"""The door as the owner of its house: what a house without a PBX asks of who keeps it. In the heap in that mode alone, and as small
as may be: what it does is loaded for the moment."""

from lend import lend

from .access import may_call


class Home:
    """The owner of a sip.server.house.House; see there."""

    saved_s = -60  # when the bindings were written last, in seconds since the start
    saving = None  # the timer of the next time

    def __init__(self, door):
        self.door = door
        self.tell = door.say

    def now_s(self):
        """Seconds since the start."""
        return self.door._up_s

    def account(self, user):
        """As door.accounts has it: of a phone's number or name."""
        return lend("door.accounts").account(user)

    def lets_in(self, host, itself):
        """Who is listed, or at this computer, calls the door without a password; nobody calls the phones so."""
        return itself and may_call(host, "", self.door.config.get("call.peers"), self.door._agent.host)

    def changed(self, *news):
        """A phone came, moved or went, or does not know its password. What comes of it has room when what found it is gone."""
        self.door._agent.timers.after(0, self.later, news)

    def later(self, news):
        """(user, whether he has a binding now, None: his password is wrong), or None: the bindings are to be written."""
        lend("door.household").news(self, news)
