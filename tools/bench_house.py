#!/usr/bin/env python3
"""What a door costs that is the PBX of its house: the heap with twenty phones registered, how many register in a second, and how
long a call from phone to phone takes on its way. Real firmware on the virtual board, in a heap of 96wK, phones by hand."""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

_PHONES = 20
_ROUNDS = 10
_CALLS = 20


def _forward_ms(caller, called):
    """From when an INVITE that shows its password has gone until the other phone has it -> milliseconds."""
    uri = "sip:%s@%s" % (called.user, caller.target[0])
    caller.fresh_call()
    caller.sequence += 1
    line = caller.credentials("INVITE", uri, "Proxy-Authorization")
    data = caller.request("INVITE", uri, caller.sequence, headers=[line], body=caller.offer())
    began = time.monotonic()
    caller.send(data)
    invite = called.expect("INVITE")
    took = time.monotonic() - began
    called.send(called.answer(invite, 486, "Busy Here", "busy"))
    refused = caller.expect(486, cseq="%d INVITE" % caller.sequence)
    caller.send(caller.request("ACK", uri, caller.sequence, refused.to_tag, branch=caller.branch))
    called.expect("ACK")
    return took * 1000


def figures(folder):
    from host_tests.rig.door import Door
    from host_tests.rig.handset import Handset, accounts

    folder.mkdir(parents=True, exist_ok=True)
    known = accounts(folder, [str(101 + n) for n in range(_PHONES)])
    with Door(folder, {"sip.mode": "house"}) as door:
        phones = [Handset(number, password, door.address) for number, password in known.items()]
        try:
            for phone in phones:
                if phone.register().status != 200:
                    raise RuntimeError("%s is not registered" % phone.user)
            door.wait_status("%d of %d phones" % (_PHONES, _PHONES))
            door.console("import gc")
            used = int(door.console("gc.collect(); print(gc.mem_alloc())").split("\n")[0])
            began = time.monotonic()
            for _ in range(_ROUNDS):
                for phone in phones:
                    if phone.register().status != 200:
                        raise RuntimeError("%s is not registered any more" % phone.user)
            per_s = _ROUNDS * _PHONES / (time.monotonic() - began)
            one, two = phones[:2]
            uri = "sip:%s@%s" % (two.user, door.address)
            asked = one.transact(one.request("INVITE", uri, body=one.offer()), 407)
            one.send(one.request("ACK", uri, 1, asked.to_tag, branch=one.branch))
            one.take_challenge(asked)
            took = [_forward_ms(one, two) for _ in range(_CALLS)]
        finally:
            for phone in phones:
                phone.close()
    return {
        "house_heap_bytes": used,
        "house_registers_per_s": round(per_s),
        "house_invite_forward_ms": round(statistics.median(took), 2),
        "house_invite_forward_worst_ms": round(max(took), 2),
    }


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        print(json.dumps(figures(Path(place) / "door")))
