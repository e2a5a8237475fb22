"""The servers of a house alone, without door, sound and board: what tools/house.py starts, under CPython or the MicroPython Unix
port. The folder that it is started in is what a door has as its flash: config.json, phones.txt, bindings.txt.

    house_script.py BUILT ADDRESS PORT                 serves until its standard input ends
    house_script.py BUILT ADDRESS PORT add NAME        a new phone
    house_script.py BUILT ADDRESS PORT offer NAME      the same, and an address at which Linphone fetches its account, once, until
                                                       the standard input ends
    house_script.py BUILT ADDRESS PORT remove NAME     a phone less
    house_script.py BUILT ADDRESS PORT phones          lists them
    house_script.py BUILT ADDRESS PORT set KEY=VALUE   a value of the configuration

BUILT: folders to import from, with ":" between; PORT: 0 for that of the configuration. DNS, in the environment, may be the address
of a server of names."""

import asyncio
import os
import select
import sys

if __name__ == "__main__":
    if sys.implementation.name == "cpython":
        sys.path[:0] = sys.argv[1].split(":")
        import pc  # noqa: F401  (what MicroPython has beyond CPython)
    else:
        sys.path[:] = [sys.argv[1], ".frozen"]

from time import localtime, ticks_add, ticks_diff, ticks_ms

from board.net import pack, unpack
from door.config import Config, Mistake
from lend import lend
from sip.agent import Agent
from sip.message import parse

_PHONES = "phones.txt"
_MANY = 32  # calls that are under way, as far as they are told of
_USER = 0  # of a binding, see firmware/sip/server/house.py
_PEER = 7


class Keeper:
    """What a door is to its house: door/home.py and those beside it ask no more of it. It has no sound and no call of its own."""

    _call = _offered = _registration = None
    _up_s = 0

    def __init__(self, host, port=0, dns=None):
        self.config = Config().load()
        get = self.config.get
        self._agent = Agent(host, port or get("sip.port"), pack, unpack, get("sip.user"), admit=self.admit, dns=dns)
        self._agent.tls_name = get("sip.tls_name")
        self._agent.tls_ca = get("sip.tls_ca")
        self._began = ticks_ms()

    def say(self, text):
        """A line for whoever looks."""
        print("%02d:%02d:%02d  %s" % (localtime()[3:6] + (text,)))

    def _tell(self, text):
        """How a door says what it is. This is none."""

    def admit(self, host, request):
        """Nobody is at the number of the door."""
        return 404, b"No door is here"

    def begin(self):
        """The phones have the servers that their folder tells of."""
        lend("door.household").begin(self, self._agent)
        return self._agent.house

    def begin_out(self):
        """Registers the house's accounts outside, if it has any: the way out."""
        get = self.config.get
        if not get("house.out.server") and not get("house.out2.server"):
            return
        self._tell = self.say
        try:
            first = lend("door.outside").begin(self, self._agent, lend("door.apply").transport(self))
        except ValueError as e:
            self.say("No calls outside: %s; write house.out.server as a name or an address, like pbx.example." % e)
            return
        self._registration = first
        if first:
            first.changed = self.registered

    def registered(self, registration):
        """What a server outside has said."""
        self.say(registration.words())

    async def serve(self, is_over=None):
        """Until the standard input ends, or is_over(0) is true. OSError when the address is not to be had."""
        agent = self._agent
        await agent.start()
        house = self.begin()
        self.say("The house listens at %s:%d, UDP and TCP. Ctrl-C ends it." % (agent.host, agent.port))
        self.say("It has %s." % words(house))
        agent.transport.trace = Log(self)
        self.begin_out()
        known = _stamp()
        is_over = is_over or _end()
        while not is_over(0):
            await asyncio.sleep_ms(200)
            while ticks_diff(ticks_ms(), self._began) >= 1000:
                self._began = ticks_add(self._began, 1000)
                self._up_s += 1
            if _stamp() != known:
                known = _stamp()
                self.part(house)
        lend("door.bindings").save(house)
        self.say("The house is closed. For its next start it keeps %s." % words(house))
        if self._registration:
            await agent.stop()  # the servers outside hear of it

    def part(self, house):
        """Forgets where those are who are no phones of this house any more."""
        location = lend("sip.server.location")
        for record in list(house.bindings):
            user = location.read(record)[_USER]
            if not house.owner.account(user):
                location.remove(house, user)
                self.say("%s is no phone of this house any more." % user.decode())


class Log:
    """Who calls whom, told from the messages as they pass: see sip.transport.Transport.trace."""

    def __init__(self, keeper):
        self.keeper = keeper
        self.calls = []  # [Call-ID, whether anybody was asked yet]

    def __call__(self, way, data, peer):
        try:
            if data[:7] == b"INVITE " or data[:8] == b"SIP/2.0 " and b" INVITE\r\n" in data:
                message = parse(data)
                (self.request if message.is_request else self.response)(way, message, peer)
        except ValueError:
            pass  # whoever it is for says so

    def find(self, message):
        for one in self.calls:
            if one[0] == message.call_id:
                return one
        return None

    def request(self, way, message, peer):
        one = self.find(message)
        if message.to_tag:
            return
        if way == "<":
            if not one:
                self.calls = self.calls[1 - _MANY :] + [[message.call_id, False]]
        elif one and not one[1]:
            one[1] = True
            self.keeper.say("%s calls %s." % (self.name(message.from_uri), self.name(message.to_uri)))

    def response(self, way, message, peer):
        one = self.find(message)
        status = message.status
        if not one or status < 200 or message.cseq_method != b"INVITE":
            return
        who, whom = self.name(message.from_uri), self.name(message.to_uri)
        if status < 300:
            # One between a phone and a server outside is two calls: each side hears of it from here.
            if way == "<" or not one[1]:
                self.calls.remove(one)
                self.keeper.say("%s has answered %s." % (way == "<" and self.at(peer) or whom, who))
        elif way == ">" and status != 401 and status != 407:
            self.calls.remove(one)
            words = message.data[8 : message.data.index(b"\r\n")].decode()
            self.keeper.say("%s has given up calling %s." % (who, whom) if status == 487 else "%s did not reach %s: %s." % (who, whom, words))

    def name(self, uri):
        """"101 (kitchen)" for a URI of his."""
        return self.called(lend("sip.address").parse_uri(uri).user)

    def called(self, user):
        account = lend("door.accounts").account(user)
        return "%s (%s)" % (account[2].decode(), account[3].decode()) if account else user.decode()

    def at(self, peer):
        """Whose phone is there; "" for nobody's."""
        location = lend("sip.server.location")
        for record in self.keeper._agent.house.bindings:
            one = location.read(record)
            if one[_PEER] == peer:
                return self.called(one[_USER])
        return ""


def _stamp():
    """What changes with the file of the phones; None without one."""
    try:
        return os.stat(_PHONES)[6:9]
    except OSError:
        return None


def _end():
    """-> a function that has something to say when the standard input has ended."""
    end = select.poll()
    end.register(sys.stdin, select.POLLIN)
    return end.poll


def words(house):
    """How many phones there are, and of how many it is known where they are."""
    known, here = lend("door.household").count(house)
    return "%d phone%s, %d of them registered" % (known, "" if known == 1 else "s", here) if known else (
        """no phones yet; make house ARGS="--add-phone kitchen" adds one""")


def run(keeper):
    agent = keeper._agent
    try:
        asyncio.run(keeper.serve())
    except OSError as e:
        print("%s:%d cannot be used (%s). Another address: LISTEN=" % (agent.host, agent.port, e))
        return 1
    return 0


async def offer(keeper, name):
    """Adds a phone, and lets Linphone fetch its account, once: until it has, ten minutes are over, or nobody waits any more."""
    for line in lend("door.phones").add_phone(keeper, name):
        if line is not None:
            print(line)
    is_over = _end()
    if keeper._offered:
        keeper.say("That address is open until then, or until Ctrl-C.")
    while keeper._offered and not is_over(0):
        await asyncio.sleep_ms(100)
    lend("door.provision").end(keeper)


def order(keeper, what, given):
    """One that does not serve: the folder is looked at or changed, and who serves there meanwhile sees it."""
    if what == "set":
        key, _, value = given.partition("=")
        try:
            is_number = value.isdigit() and isinstance(keeper.config.get(key), int)
        except ValueError:
            is_number = False  # there is no such key, and that is said
        keeper.config.set(key, int(value) if is_number else value)
        return
    house = keeper.begin()
    phones = lend("door.phones")
    if what == "add":
        for line in phones.add_phone(keeper, given):
            print(line)
            if line.startswith("  transport"):
                break  # behind it comes the address for Linphone, for as long as somebody waits
    elif what == "offer":
        asyncio.run(offer(keeper, given))
    elif what == "remove":
        print(phones.remove_phone(keeper, given))
    else:
        location = lend("sip.server.location")
        for number, name, _, _ in lend("door.accounts").each():
            places = ["%s:%d" % one[_PEER][:2] for one in location.contacts(house, number)]
            print("%-6s%-17s%s" % (number.decode(), name.decode(), ", ".join(places) or "not registered"))


def main():
    keeper = Keeper(sys.argv[2], int(sys.argv[3]), os.getenv("DNS"))
    for line in keeper.config.words:
        print(line)
    try:
        if len(sys.argv) < 5:
            return run(keeper)
        order(keeper, sys.argv[4], sys.argv[5] if len(sys.argv) > 5 else "")
    except (Mistake, KeyError) as e:
        print(e)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
