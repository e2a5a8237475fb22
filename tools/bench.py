#!/usr/bin/env python3
"""Figures of the intercom, measured: one flat JSON object, printed and written to build/bench.json.

    bench.py                    everything, some minutes
    bench.py times heap         only these groups: size, parse, sound, sip, flood, wideband, echo, register, house, times,
                                speech, delay, heap; not written

What takes long has commands of its own, `make bench-sound` and `make soak`; what they last found is kept in bench.json.

Times and PESQ come from the firmware on the virtual board, on loopback, in a heap of 96wK; instructions, bytes and the
smallest heaps repeat on any computer, microseconds and milliseconds are this one's.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from host_tests.rig import alone  # noqa: E402
from host_tests.rig.door import Door  # noqa: E402
from host_tests.rig.kamailio import Kamailio  # noqa: E402
from host_tests.rig.process import RigError  # noqa: E402
from host_tests.rig.wire import Wire  # noqa: E402
from tools import build, peers  # noqa: E402
from tools.virtual_board import BoardError  # noqa: E402

WANTED = {  # what the figures are held against
    "parse_invite_ratio_aiosipua": (">=", 5),
    "parse_invite_ratio_sippy": (">=", 5),
    "parse_allocated_bytes": ("<=", 2048),
    # what a good parser in C spends on these messages
    "parse_driver_invite_instructions": ("<=", 82663),
    "parse_linphone_invite_instructions": ("<=", 91518),
    "parse_pjsua_invite_instructions": ("<=", 100898),
    "parse_kamailio_invite_instructions": ("<=", 106229),
    "parse_pjsua_200_instructions": ("<=", 88630),
    "g711_encode_ratio_audioop": (">=", 0.8),
    "tick_allocated_bytes": ("<=", 0),
    "tick_allocated_bytes_32bit": ("<=", 0),
    "tick_echo_allocated_bytes": ("<=", 0),
    "tick_srtp_allocated_bytes": ("<=", 0),
    "tick_instructions": ("<=", 700000),
    "tick_echo_instructions": ("<=", 700000),
    "tick_srtp_instructions": ("<=", 700000),
    "erle_db": (">=", 25),
    "erle_distorted_db": (">=", 15),
    "erle_gate_db": (">=", 40),
    "gate_first_syllable_db": ("<=", 0),
    "gate_first_syllable_200ms_after_far_db": ("<=", 1),
    "echo_allocated_bytes": ("<=", 0),
    "echo_learning_instructions": ("<=", 430000),
    "invite_to_180_ms": ("<=", 3),
    "invite_to_180_psram_ms": ("<=", 3),
    "options_per_s": (">=", 2440),
    "flood_heap_growth_bytes": ("<=", 0),
    "sip_heap_bytes": ("<=", 98304),
    "sip_heap_in_call_bytes": ("<=", 98304),
    "button_to_invite_ms": ("<=", 60),
    "house_registers_per_s": (">=", 50),
    "house_invite_forward_ms": ("<=", 30),
    "heap_min_kib_w": ("<=", 96),
    "mouth_to_ear_ms": ("<=", 100),
    "soak_delay_change_ms": ("<=", 20),
    "soak_late_slow": ("<=", 0),
    "soak_late_fast": ("<=", 0),
    "soak_lost_slow": ("<=", 0),
    "soak_lost_fast": ("<=", 0),
}
KEPT = ("bench_sound.json", "soak.json")  # in build/, by `make bench-sound` and `make soak`
_REPEATS = 20


def say(words):
    print("bench: " + words, file=sys.stderr, flush=True)


def parse_figures(folder):
    """The parser beside others (tools/bench_parse.py)."""
    from tools import bench_parse

    return bench_parse.figures()


def sound_figures(folder):
    """G.711 and a tick of a call (tools/bench_media.py)."""
    from tools import bench_media

    return bench_media.figures()


def wideband_figures(folder):
    """G.722 beside C, and a tick of a call with it (tools/bench_g722.py)."""
    from tools import bench_g722

    return bench_g722.figures()


def echo_figures(folder):
    """The gate and the echo canceller in simulated rooms (tools/bench_echo.py)."""
    from tools import bench_echo

    return bench_echo.figures()


def register_figures(folder):
    """A registration at Kamailio (tools/bench_register.py)."""
    from tools import bench_register

    return bench_register.figures(folder)


def house_figures(folder):
    """The door as the PBX of its house, with twenty phones (tools/bench_house.py)."""
    from tools import bench_house

    return bench_house.figures(folder)


def _ms(seconds):
    return round(statistics.median(seconds) * 1000, 2)


def _rung(folder, heap=None):
    """Seconds from an INVITE to the 180 that answers it, again and again."""
    rung = []
    with Door(folder, {"call.incoming": "ring"}, heap=heap) as door, Wire((door.address, 5060)) as wire:
        for _ in range(_REPEATS):
            wire.fresh_call()
            invite = wire.request("INVITE", body=wire.offer())
            branch = wire.branch
            at = time.monotonic()
            wire.send(invite)
            wire.expect(180)
            rung.append(time.monotonic() - at)
            wire.send(wire.request("CANCEL", branch=branch))
            refusal = wire.expect(487)
            wire.send(wire.request("ACK", branch=branch, to_tag=refusal.to_tag))
    return rung


def time_figures(folder):
    """How long a caller, a called phone and a visitor wait for this computer's door."""
    rung, rung_with_room = _rung(folder / "rings"), _rung(folder / "rings_with_room", "16M")
    first_sound, pressed = [], []
    with Door(folder / "answers") as door, Wire((door.address, 5060)) as wire:
        for _ in range(_REPEATS):
            wire.fresh_call()
            wire.drain_rtp()
            wire.send(wire.request("INVITE", body=wire.offer()))
            ok = wire.expect(200)
            at = time.monotonic()
            wire.ack(ok)
            wire.receive_rtp()
            first_sound.append(time.monotonic() - at)
            wire.bye(ok)
            door.wait_no_call()
    with Wire(("127.0.0.1", 5060)) as wire:
        with Door(folder / "calls", {"button.1.target": wire.uri}) as door:
            wire.target = (door.address, 5060)
            for _ in range(_REPEATS):
                at = door.press()
                invite = wire.expect("INVITE")
                pressed.append(time.monotonic() - at)
                wire.send(wire.answer(invite, 486, "Busy Here", to_tag="bench"))
                wire.expect("ACK")
                door.wait_no_call()
    return {
        "invite_to_180_ms": _ms(rung),
        "invite_to_180_worst_ms": round(max(rung) * 1000, 2),
        "invite_to_180_psram_ms": _ms(rung_with_room),
        "invite_to_180_psram_worst_ms": round(max(rung_with_room) * 1000, 2),
        "answer_to_first_rtp_ms": _ms(first_sound),
        "button_to_invite_ms": _ms(pressed),
        "button_to_invite_worst_ms": round(max(pressed) * 1000, 2),
    }


def speech_figures(folder):
    """PESQ narrowband of speech through a call with baresip, each way, beside one bare pass through G.711 u-law."""
    from host_tests.rig import speech
    from host_tests.rig.baresip import Baresip

    # Both speak at once, and are to be heard as they are: neither gated nor levelled.
    with Door(folder / "speaks", {"audio.echo": "off", "audio.agc": "off"}, mic=speech.wav("visitor", 16000)) as door:
        with Baresip(folder / "phone", speech.wav("phone", 8000)) as phone:
            phone.dial(door.uri)
            phone.wait("CALL_ESTABLISHED")
            time.sleep(max(speech.seconds("visitor"), speech.seconds("phone")) + 0.5)
            phone.hangup()
            door.wait_no_call()
            door.stop()
            to_door, from_door = speech.load(door.speaker), speech.load(phone.heard())
    # Each way beside a bare pass of the same speech: the voices differ, so the lower ceiling is the reference.
    return {
        "pesq_to_door": round(speech.score("phone", to_door), 3),
        "pesq_from_door": round(speech.score("visitor", from_door), 3),
        "pesq_g711_reference": round(speech.reference_score("phone"), 3),
        "pesq_g711_reference_from_door": round(speech.reference_score("visitor"), 3),
    }


def delay_figures(folder):
    """From one door's microphone to another's loudspeaker (tools/mouth_to_ear.py)."""
    from tools import mouth_to_ear

    return mouth_to_ear.figures(folder)


def kept_figures():
    """What `make bench-sound` and `make soak` have found last."""
    found = {}
    for name in KEPT:
        path = ROOT / "build" / name
        if not path.exists():
            say("there is no build/%s: make %s writes it" % (name, name.replace("_", "-").removesuffix(".json")))
            continue
        found.update(json.loads(path.read_text()))
        say("of %s: build/%s" % (time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime)), name))
    return found


def _report(found, limits):
    for key, value in found.items():
        how, limit = limits.get(key, ("", 0))
        met = not how or (value <= limit if how == "<=" else value >= limit)
        say("  %s = %s%s" % (key, value, "" if met else "   WANTED %s %g" % (how, limit)))


def _used(door):
    """Bytes of heap in use, garbage collected first."""
    door.console("import gc")
    return int(door.console("(gc.collect(), gc.mem_alloc())[1]").split("\n")[0])


def _account(kamailio):
    return {"sip.server": kamailio.server, "sip.user": "door", "sip.password": "open sesame", "door.code": "2580"}


def _talk(wire, packets):
    """A call from `wire` with so many packets each way -> its 200, the call still up."""
    ok = wire.call()
    for n in range(packets):
        wire.send_rtp(ok.media, n)
        wire.receive_rtp()
    return ok


def _holds(folder, kamailio, heap):
    """Does it run, register and hold a call, twice, in this heap?"""
    kamailio.forget_contacts()
    try:
        with Door(folder, _account(kamailio), heap=heap, wait=False) as door:
            if "MemoryError" in door.expect("Registered at", "MemoryError"):
                return False
            with Wire((door.address, 5060)) as wire:
                for _ in range(2):
                    ok = _talk(wire, 50)
                    if "In a call with" not in door.status() or wire.bye(ok).status != 200:
                        return False
                    door.wait_no_call(3)
            return "MemoryError" not in door.said() and "Traceback" not in door.said()
    except (RigError, BoardError, OSError):
        return False


def _smallest(folder, kamailio, low, high, suffix):
    """The smallest heap in KiB, by halves between one that is too small and one that does; tried again to be sure."""
    while not _holds(folder, kamailio, "%d%s" % (high, suffix)):
        say("  %d%s is too small" % (high, suffix))
        low, high = high, high + 32
        if high > 1024:
            raise RigError("it does not run, register and hold a call in any heap up to 1 MiB")
    while high - low > 1:
        middle = (low + high) // 2
        does = _holds(folder, kamailio, "%d%s" % (middle, suffix))
        say("  %d%s %s" % (middle, suffix, "does" if does else "is too small"))
        if does:
            high = middle
        else:
            low = middle
    while not all(_holds(folder, kamailio, "%d%s" % (high, suffix)) for _ in range(2)):
        high += 1
        say("  not each time: %d%s" % (high, suffix))
    return high


def heap_figures(folder):
    """What of the heap is in use, and the smallest that does."""
    with Kamailio(folder / "kamailio", {"door": "open sesame"}) as kamailio:
        found = {}
        with Door(folder / "uses", _account(kamailio)) as door, Wire((door.address, 5060)) as wire:
            door.expect("Registered at")
            found["heap_idle_bytes"] = _used(door)
            ok = _talk(wire, 50)
            found["heap_in_call_bytes"] = _used(door)
            wire.bye(ok)
        found["heap_min_kib_w"] = _smallest(folder / "least", kamailio, 48, 96, "wK")
        found["heap_min_kib"] = _smallest(folder / "least", kamailio, 96, 192, "K")
    return found


def sip_figures(folder):
    """sip/ alone on the Unix port: its part of the 96wK heap, registered over UDP and with a call up; OPTIONS a second."""
    found = {}
    with alone.Registrar() as registrar, alone.Alone("answer", registrar.address) as agent:
        registrar.serve()
        agent.wait(registered=True)
        found["sip_heap_bytes"] = agent.heap()
        with Wire((agent.address, 5060)) as wire:
            ok = wire.call()
            found["sip_heap_in_call_bytes"] = agent.heap()
            wire.bye(ok)
    found["options_per_s"] = round(alone.options_per_s())
    return found


def flood_figures(folder):
    """What 60 s of every method, valid and not, and of rubbish leave in the heap."""
    growth, counts = alone.flood(60)
    say("  %s" % counts)
    if counts["faults"]:
        raise RigError("the flood met a fault of ours")
    return {"flood_heap_growth_bytes": growth}


def size_figures(folder):
    """Bytes of the code as it is copied to an ESP32 or S3."""
    build.build(["xtensawin"], say=lambda words: None)
    folder = build.BUILD / "xtensawin"
    return {
        "mpy_bytes_xtensawin": sum(path.stat().st_size for path in folder.rglob("*.mpy")),
        "sip_mpy_bytes_xtensawin": sum(path.stat().st_size for path in (folder / "sip").rglob("*.mpy")),
    }


GROUPS = {
    "size": size_figures,
    "parse": parse_figures,
    "sound": sound_figures,
    "echo": echo_figures,
    "sip": sip_figures,
    "flood": flood_figures,
    "wideband": wideband_figures,
    "register": register_figures,
    "house": house_figures,
    "times": time_figures,
    "speech": speech_figures,
    "delay": delay_figures,
    "heap": heap_figures,
}


def main():
    parser = argparse.ArgumentParser(description="Measure the intercom; figures as JSON.")
    parser.add_argument("groups", nargs="*", metavar="group", help=" ".join(GROUPS) + " (all)")
    options = parser.parse_args()
    for name in options.groups:
        if name not in GROUPS:
            parser.error("there is no group '%s', only %s" % (name, ", ".join(GROUPS)))
    if peers.missing():
        sys.exit("bench: this first: " + peers.advice(peers.missing()))
    figures, failed = {}, []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name in options.groups or GROUPS:
            say(name + ": " + GROUPS[name].__doc__.split("\n")[0])
            began = time.monotonic()
            try:
                found = GROUPS[name](Path(folder) / name)
            except Exception as error:
                failed.append(name)
                say("%s FAILED: %s: %s" % (name, type(error).__name__, error))
                continue
            _report(found, WANTED)
            say("  (%.0f s)" % (time.monotonic() - began))
            figures.update(found)
    if not options.groups:
        from tools import bench_sound

        kept = kept_figures()
        _report(kept, {**WANTED, **bench_sound.wanted(kept)})
        figures.update(kept)
    text = json.dumps(figures, indent=1)
    print(text)
    if failed:
        sys.exit("bench: not measured, so nothing was written: " + ", ".join(failed))
    if not options.groups:
        (ROOT / "build").mkdir(exist_ok=True)
        (ROOT / "build" / "bench.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
