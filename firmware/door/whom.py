"""Which phone of the house has answered a call of the door's. Loaded for the moment by lend()."""

from lend import lend


def name(house, call):
    """The call is called by the phone that has answered, not by all that rang."""
    user = lend("sip.server.location").read(house.met)[0]
    house.met = None
    call.display = lend("door.accounts").name_of(user) or call.display
