"""What lasts of the servers that a house without a PBX needs (RFC 3261 sections 8.3, 10 and 16): who has registered, which
challenges were answered, what is on its way. All that is done with it is loaded for the moment.

It opens no socket, keeps no file and knows no door: the agent brings messages, and whoever made the house keeps its accounts.
"""

import gc
from os import urandom

from lend import is_roomy, lend, sweep
from micropython import const

from ..transaction import CALLING, PROCEEDING, token

_ANSWERED = const(576)  # bytes for 32; see challenge.py
_ASKED = const(48)  # for 8
_FORWARDS = const(8)  # requests on their way at once
_TOKEN = const(8)  # where a branch of ours has the token of its Forward, behind the prefix
_INDEX = const(16)
_T1 = const(500)
_H_REASON = const(45)  # sip.scan.field() of its name
_STATE = const(0xF0)  # of a branch's byte; see forward.py
_CANCEL = const(3)
_SENT = const(2)
_ROOM = const(32768)  # bytes: with fewer free, a file is loaded anew each time

# A binding is kept as bytes, which location.py writes and reads: twenty are 4 KB so. Who has read one has constants for its places.
#   0 user (bytes)   1 Contact URI   2 q, 0 to 1000   3 when it expires, on the clock of `now_s`
#   4 mark of its Call-ID   5 CSeq   6 Path values, a tuple   7 peer that it came from, as the transport has them
#   8 mark of instance and reg-id (RFC 5626), b"" without   9 flags: 1 it did not answer when it was asked last, or
#   its connection is gone, 2 it has registered by MD5, 4 no way leads to it but the flow that it registered by   10 for how many seconds it was granted


class House:
    """The memory of registrar, location service and proxy.

    `realm` (bytes) is what passwords are made for and must never change; `everybody` (bytes) is the number that rings all phones.
    `owner` has: account(user), which gives (HA1 by MD5, HA1 by SHA-256, number, name), the first two in hex, of who has this number
    or is called so, None for nobody of this house; now_s(), seconds since the start; tell(words), what a person should know;
    changed(user, is_here), when a binding of his came or went, or, None, when he was named with a wrong password too often;
    lets_in(host, itself), whether an address needs no password to call the door itself, or its phones.
    """

    LIMIT = 24  # bindings
    EACH = 4  # bindings of one user
    names = ()  # host names (bytes) of this house beside its address and realm
    redirected = ()  # users (bytes) whose calls are answered with 302; b"*" for all
    forgotten = b""  # the time of the newest nonce that fell out of `answered`
    max_tcp = 3  # phones that are registered by a connection, beside all those over UDP: a board has ten sockets
    told = False  # that there are so many
    out = ()  # the way out: (Registration, prefixes of the numbers that it may call, whom its calls ring), all in bytes
    bridged = []  # the Legs of calls that go that way
    guest = None  # the request whose sender has just shown a password
    met = None  # the binding that has just answered a call of the door's own
    here = ("", 0)  # the peer that stands for the door itself: no other tuple is this one

    def __init__(self, realm, everybody, owner):
        self.realm = realm
        self.everybody = everybody
        self.owner = owner
        self.bindings = []
        self.forwards = []
        self.passed = []  # (token, peer, until when) of calls that were answered
        self.secret = urandom(8)
        # Both of one size from the start: small pieces that come and stay would lie scattered where files want to be.
        self.answered = bytearray(_ANSWERED)  # nonce, its highest count, mark of that request: what was answered rightly
        self.asked = bytearray(_ASKED)  # marks of who was asked lately
        self.wrong = {}  # host: [wrong answers in a row, until when it is not heard]

    def takes(self, agent, request, source):
        """A request that no transaction and no call of the agent's knows: True if it was seen to, False if it is for the door
        itself."""
        if request.to_tag and agent._find(request):
            return False
        if request.method == b"REGISTER":
            step = "challenge", "register"
        else:
            step = "entry", "take"
        # One file after the other, for there is not room for all at once: each says how it goes on.
        while step is not True and step is not False:
            if not step[0]:
                return self._begin(agent, source, *step[1:])
            step = getattr(lend("sip.server." + step[0]), step[1])(self, agent, request, source, *step[2:])
        if request.method == b"REGISTER":
            sweep()
            for k in range(len(self.bindings)):
                # What was made beside the registrar lies in the middle of where the next file wants to be.
                self.bindings[k] = bytes(memoryview(self.bindings[k]))
        return step

    def _begin(self, agent, source, request, found, together, record, loop):
        """A request is on its way from now on. This lasts, so it is made when no file is there that it would lie behind."""
        sweep()
        transaction = len(self.forwards) < _FORWARDS and agent.transactions.server(request, agent._reply_to(request, source), source)
        if not transaction:
            agent._reply(request, source, 503, (b"Retry-After: 5",))
            return True
        try:
            forward = Forward(self, agent, request, transaction, found[:], loop)
            forward._together = together
            forward.record = record
            agent.timers.after(0, forward.work, "begin")
            self.forwards.append(forward)
        except MemoryError:
            agent.transactions.forget(transaction)  # it comes again, and is not to be taken for one that is under way
            raise
        return True

    def response(self, agent, message, source):
        """A response that no transaction of the agent's knows: False if it is none to what was forwarded either."""
        branch = message.branch or b""
        if branch[:_TOKEN] != b"z9hG4bKh":
            return False
        for one in self.forwards:
            if one.token == branch[_TOKEN:_INDEX]:
                try:
                    index = int(branch[_INDEX : _INDEX + 2], 16)
                except ValueError:
                    return False
                one.work("on_response", index, message)
                return True
        lend("sip.server.stray").take(self, agent, message, source)
        return True

    def leg(self, request):
        """The side of a call with the world outside that a request belongs to, None for none."""
        for one in self.bridged:
            if one.matches(request):
                return one

    def silent(self, record, is_silent):
        """Whether the phone of a binding did not answer (1) or has (0)."""
        if record[0] & 1 != is_silent and record in self.bindings:
            self.bindings[self.bindings.index(record)] = bytes((record[0] ^ 1,)) + record[1:]

    def inside(self, agent, data):
        """What the door sends to itself: it goes in where all else comes in, a moment later."""
        agent.timers.after(0, lambda data: agent.receive(data, self.here), data)
        return True


class Forward:
    """One request and where it went (16.6 to 16.10): what lasts of it; see forward.py."""

    code = {}  # its files, where there is room to keep them
    _rank = 1000  # of the best refusal so far (16.7 step 6)
    status = 0
    _best = None
    _over = False  # nobody is asked any more: there was a 2xx or 6xx, or the caller has given up
    reason = None  # header line of a CANCEL
    _age = 0  # in T1
    _asks = _fails = None  # the timers of when it asks more, and looks for who cannot be asked
    asked = ()  # header lines: what all 401 and 407 ask for
    retry = deadline = None

    def __init__(self, house, agent, request, transaction, waiting, loop):
        self.house = house
        self.agent = agent
        self.data = request.data
        self._is_invite = request.method == b"INVITE"
        self.loop = loop  # what a request looks like that comes by once more
        self.token = token(4)
        self.server = transaction
        self._waiting = waiting
        self._branches = []
        self._states = bytearray()
        self._times = bytearray()  # of each: one more than how often T1 has passed since it was asked, or cancelled; see forward.py
        self._shares = bytearray()  # of each branch: what it got of Max-Breadth
        transaction.user = self
        transaction.request = None

    def work(self, what, *given):
        """Does something with it, and what that wants to be done next. Where there is no room for that it is tried again: what
        came first comes again by itself."""
        step = None
        while what:
            name = "outcome"
            if what in ("begin", "advance", "again", "lost"):
                name = "sending"
            elif what in ("on_response", "drop"):
                name = "forward"
            elif what in ("cancel", "acknowledge"):
                name = "derived"
            # A message wants room in one piece: that which is kept for the next to come will do.
            transport = self.agent.transport
            size = len(transport.reserve)
            try:
                code = self.code.pop(name, None) or lend("sip.server." + name)
                transport.reserve.clear()
                step = getattr(code, what)(self, *given)
            except MemoryError:
                code = None
                if step is None:
                    raise
                self.agent.make_room()
                self.agent.timers.after(_T1, self._go_on, step)
                return
            try:
                transport.reserve = [None] * size
            except MemoryError:
                pass
            if self.house.forwards and (is_roomy or gc.mem_free() > _ROOM):
                self.code[name] = code
            else:
                self.code.clear()
            code = None
            what, given = (step[0], step[1:]) if step else (None, ())

    def _go_on(self, step):
        self.work(*step)

    def wait(self, ms):
        """Its deadline is then."""
        timers = self.agent.timers
        timers.cancel(self.deadline)
        self.deadline = timers.after(ms, self.work, "due")

    def again(self):
        """It is looked at again after T1."""
        if self.retry is None:
            self.retry = self.agent.timers.after(_T1, self.tick)

    def tick(self, _):
        """T1 has passed. Until it was seen to, the timer is the same: where there is no room for that, it comes again."""
        for state in self._states:
            if state & _STATE == CALLING or state & _STATE == PROCEEDING and (state & _CANCEL >= _SENT or not self._is_invite):
                self.work("again")
                return
        self.retry = None

    def on_cancel(self, cancel):
        """From the agent: the caller has given up. Nobody says so again, so it waits for room if it must. Why goes on, too: who
        rings here may have been answered elsewhere (RFC 3326)."""
        if not self._over and cancel.get(_H_REASON):
            self.reason = b"Reason: " + cancel.get(_H_REASON)
        self.agent.timers.after(0, self.work, "drop")
