"""A call of the sound bench: a small SIP phone that plays a track to a receiver through a network.

It keeps an absolute schedule: packet n leaves when it is due from the first one on, however late the one before was.
"""

import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from host_tests.rig.process import RigError  # noqa: E402
from host_tests.rig.wire import Wire  # noqa: E402
from tools import sound_network  # noqa: E402
from tools.sound_speech import FRAME  # noqa: E402

_LATE_MS = 5  # a packet that leaves later than this was held up by this computer, not by the network
_AFTER_S = 0.5  # until the last packet has been played


def send(s, to, track, order, ssrc, sleep=time.sleep, clock=time.monotonic):
    """Sends the track's packets in this order, [(milliseconds, packet), ...], over the socket `s`.

    -> (seconds at which the schedule began, {packet: seconds at which it first left}, ms by which packets left late)."""
    began = clock() + 0.02
    left, late = {}, []
    for at, n in order:
        due = began + at / 1000
        wait = due - clock()
        if wait > 0:
            sleep(wait)
        now = clock()
        late.append((now - due) * 1000)
        left.setdefault(n, now)
        head = struct.pack("!BBHII", 0x80, 0x80 if n == 0 else 0, (n + 64000) & 0xFFFF, (n * FRAME + 0xFFFF0000) & 0xFFFFFFFF, ssrc)
        s.sendto(head + track.payload(n), to)
    return began, left, late


class Result:
    """One call: heard (sound_receivers.Heard), began, left and late as send() gives them, said: the receiver's own words."""

    def __init__(self, heard, began, left, late, said):
        self.heard, self.began, self.left, self.late, self.said = heard, began, left, late, said

    @property
    def held_up(self):
        """The share of packets that this computer sent late."""
        return sum(ms > _LATE_MS for ms in self.late) / len(self.late)


def play(receiver, track, network, seed):
    """Calls the receiver, plays the track to it through the network and hangs up -> Result."""
    order = sound_network.schedule(network.fates(seed, track.packets))
    with Wire(receiver.target) as wire:
        ok = wire.transact(wire.request("INVITE", uri="sip:%s@%s:%d" % ((receiver.user,) + receiver.target), body=wire.offer()), 200)
        receiver.start(wire.rtp)
        wire.ack(ok)
        began, left, late = send(wire.rtp, ok.media, track, order, 0x51D00000 + seed)
        time.sleep(_AFTER_S)
        said = receiver.said()
        heard = receiver.stop()
        answer = wire.bye(ok)
        if answer.status != 200:
            raise RigError("BYE was answered with %d: the call had ended before" % answer.status)
    receiver.settle()
    return Result(heard, began, left, late, said)
