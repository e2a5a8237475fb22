"""Floods: nothing is kept of them, every table has its bound, the sound of a call goes on, and the heap is what it was."""
import re
import socket
import threading
import time

import pytest

from host_tests.rig import alone
from host_tests.rig.alone import Alone, Registrar
from host_tests.rig.door import Door
from host_tests.rig.wire import Wire


pytestmark = pytest.mark.needs("micropython")

HALF_THE_HEAP = 96 * 1024           # bytes; 96wK are twice as many


def test_registered_and_in_a_call_it_leaves_half_the_heap():
    with Registrar() as registrar, Alone("answer", registrar.address) as agent:
        registrar.serve()
        agent.wait(registered=True)
        assert agent.heap() <= HALF_THE_HEAP
        with Wire((agent.address, 5060)) as wire:
            ok = wire.call()
            assert agent.wait(calls=1)["registered"]
            assert agent.heap() <= HALF_THE_HEAP
            assert wire.bye(ok).status == 200
        agent.wait(calls=0)


def test_options_keep_no_state():
    assert alone.options_per_s(seconds=0.2, rounds=3) > 300     # and the bench says how many; here others run beside it


def test_a_flood_of_everything_leaves_the_heap_as_it_was():
    growth, counts = alone.flood(5)
    assert growth == 0, counts
    assert counts["received"] > 1000 and counts["refused"] and counts["bad"] and counts["unmatched"]


def test_a_house_keeps_nothing_of_it_either():
    growth, counts = alone.flood(3, what="house")
    assert growth < 8192, counts  # what was loaded last may still be there: not 3 bytes for each message
    assert counts["received"] > 1000 and not counts["faults"] and not counts["bindings"] and not counts["forwards"]
    assert counts["faults"] == 0 and counts["out_of_memory"] == 0
    assert counts["calls"] == 0 and counts["transactions"] <= 16


def test_calls_that_nobody_goes_on_with_are_bounded():
    """INVITEs from forty addresses, never acknowledged: a few are answered, the rest are told when to come again."""
    with Alone("answer") as agent:
        wires = [Wire((agent.address, 5060)) for _ in range(40)]
        try:
            statuses = []
            for wire in wires:
                wire.send(wire.request("INVITE", body=wire.offer()))
                answer = wire.expect(200, 486, 503)
                statuses.append(answer.status)
                assert answer.status != 503 or answer.get("retry-after").isdigit()
            counts = agent.counts()
            assert statuses.count(200) == 4 == counts["calls"]
            assert counts["transactions"] <= 16 and counts["faults"] == 0 and counts["refused"] == 36
        finally:
            for wire in wires:
                wire.close()


def test_sound_goes_on_during_a_flood(tmp_path):
    """500 OPTIONS a second beside a call: the door's packets keep their clock, and ours are played."""
    with Door(tmp_path) as door, Wire((door.address, 5060)) as wire:
        ok = wire.call()
        flooding = True

        def flood():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind(("127.0.98.8", 0))
                began, sent = time.monotonic(), 0
                while flooding:
                    while sent < (time.monotonic() - began) * 500:
                        s.sendto(wire.request("OPTIONS", branch="z9hG4bKflood%d" % sent, call_id="flood%d" % sent), (door.address, 5060))
                        sent += 1
                    time.sleep(0.005)

        for n in range(50):
            wire.receive_rtp()
            wire.send_rtp(ok.media, n)
        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        try:
            began = time.monotonic()
            for n in range(50, 250):
                wire.receive_rtp()                          # its clock is ours
                wire.send_rtp(ok.media, n)
            took = time.monotonic() - began
        finally:
            flooding = False
            thread.join()
        assert 3.8 < took < 4.4, "200 packets of 20 ms took %.2f s" % took
        status = door.wait_status("received 2")
        late, lost = [int(re.search(word + r" (\d+)", status).group(1)) for word in ("late", "lost")]
        assert late <= 8 and lost <= 2, status
        assert wire.bye(ok).status == 200
        answered = int(door.console("print('sent', door._agent.transport.sent)").split("sent ")[-1].split()[0])
        assert answered > 1500, "the flood was answered as well"
