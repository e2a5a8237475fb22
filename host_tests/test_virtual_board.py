"""The virtual board keeps an ESP32's manners: sound by DMA buffers, pins, watchdog, resets; and leaves nothing behind."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
import time
import wave
from pathlib import Path

import numpy
import pytest
from host_tests.rig.undisturbed import undisturbed
from tools import virtual_board
from tools.virtual_board import BoardError, VirtualBoard

pytestmark = pytest.mark.needs("micropython")

RATE_HZ = 16000
DMA = 256  # frames
PROMPT = b">>> "
# What programs on the board begin with: both directions, and a poll, which ends the blocking.
SOUND = """
import gc, select, time
from machine import I2S, Pin
def rx(buffers):
    return I2S(0, sck=Pin(14), ws=Pin(15), sd=Pin(32), mode=I2S.RX, bits=32, format=I2S.MONO, rate=16000,
        ibuf=2048 * buffers)
def tx(buffers):
    return I2S(1, sck=Pin(26), ws=Pin(25), sd=Pin(22), mode=I2S.TX, bits=16, format=I2S.MONO, rate=16000,
        ibuf=512 * buffers)
def poll(i2s, ms):
    p = select.poll()
    p.register(i2s, select.POLLIN | select.POLLOUT)
    return [ev for _, ev in p.ipoll(ms)]
"""


@pytest.fixture
def board(tmp_path):
    """board(main, ...) starts a board whose main.py is this text."""
    started = []

    def start(main="", **options):
        state = tmp_path / ("door%d" % len(started))
        state.mkdir()
        (state / "main.py").write_text(textwrap.dedent(main))
        options.setdefault("address", "127.0.40.%d" % (1 + len(started)))
        b = VirtualBoard(state, **options)
        started.append(b)
        return b.start()

    yield start
    for b in started:
        b.stop(quiet=True)


def ramp(path, frames, rate_hz=RATE_HZ):
    """A WAV file whose sample n is n (16 bits): what is read tells where it was."""
    with wave.open(str(path), "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(rate_hz)
        f.writeframes(numpy.arange(frames, dtype="<i2").tobytes())
    return path


def results(b):
    """What main.py printed as JSON lines, once it has ended."""
    out = b.expect(PROMPT, timeout=20).decode()
    assert "Traceback" not in out, out
    return [json.loads(line) for line in out.splitlines() if line.startswith("[")]


def read_speaker(path):
    with wave.open(str(path)) as f:
        assert (f.getnchannels(), f.getsampwidth(), f.getframerate()) == (1, 2, RATE_HZ)
        return numpy.frombuffer(f.readframes(f.getnframes()), dtype="<i2")


# --- Sound


def test_microphone_blocks_before_the_first_poll(board, tmp_path):
    b = board(SOUND + """
i2s = rx(4)
buf = bytearray(4 * 1000)
since = time.ticks_us()
n = i2s.readinto(buf)
us = time.ticks_diff(time.ticks_us(), since)
words = [int.from_bytes(buf[i:i+4], "little") for i in range(0, 4000, 4)]
print([n, us, words[0], words[1], words[999]])
""", mic=ramp(tmp_path / "ramp.wav", 16000))
    ((n, us, first, second, last),) = results(b)
    assert n == 4000  # all that was asked for, 4 DMA buffers of 16 ms
    assert us >= 60000
    # 16 bits at the top of 32, from the file's beginning
    assert (first, second, last) == (0, 1 << 16, 999 << 16)


def test_microphone_hands_over_whole_dma_buffers_after_the_first_poll(board, tmp_path):
    b = board(SOUND + """
from array import array
i2s = rx(8)
buf = array("i", bytes(4 * 3000))
print([poll(i2s, 0), i2s.readinto(buf)])  # the driver says "ready" at first, and has nothing
print([poll(i2s, 0)])
got = []
while len(got) < 8:
    assert poll(i2s, 1000) == [select.POLLIN]
    n = i2s.readinto(buf)
    got.append([n, buf[0] >> 16, i2s.readinto(buf)])
print(got)
print([i2s.overruns])
""", mic=ramp(tmp_path / "ramp.wav", 32000))
    first, dry, got, overruns = results(b)
    assert first == [[1], 0]
    assert dry == [[]]
    at = 0
    for n, sample, _ in got:
        assert n and n % (4 * DMA) == 0  # never a part of a DMA buffer
        assert sample == at
        at += n // 4
    assert overruns == [0]


def test_microphone_that_nobody_reads_loses_the_oldest(board, tmp_path):
    b = board(SOUND + """
i2s = rx(4)
poll(i2s, 0)
buf = bytearray(4 * 4096)
time.sleep_ms(200)
n = i2s.readinto(buf)
print([i2s.overruns, n, int.from_bytes(buf[2:4], "little")])
time.sleep_ms(40)
n = i2s.readinto(buf)
print([i2s.overruns, n])
""", mic=ramp(tmp_path / "ramp.wav", 32000))
    (overruns, n, first), (later, _) = results(b)
    assert overruns == 1
    assert n == 4 * DMA * 3  # of four DMA buffers one is being filled
    assert first % DMA == 0 and first >= 200 * 16 - 4 * DMA  # and they are the newest
    assert later in (1, 2)  # a machine as busy as this one may be late again


def test_sound_is_paced_by_the_clock_and_does_not_drift(board):
    b = board(SOUND + """
i2s = rx(16)
poll(i2s, 0)
buf = bytearray(4 * 4096)
since = time.ticks_us()
frames = 0
while time.ticks_diff(time.ticks_us(), since) < 700000:
    frames += i2s.readinto(buf) // 4
    time.sleep_ms(3)
frames += i2s.readinto(buf) // 4
us = time.ticks_diff(time.ticks_us(), since)
print([frames, us, i2s.overruns])
""")
    ((frames, us, overruns),) = results(b)
    assert overruns == 0
    assert abs(frames - us * RATE_HZ / 1e6) <= 2 * DMA


def test_sound_allocates_nothing_once_polled(board, tmp_path):
    b = board(SOUND + """
from array import array
def run(r, w):
    mic, spk = array("i", bytes(4 * 320)), array("h", bytes(2 * 320))
    poll(r, 0), poll(w, 0)
    gc.collect()
    gc.disable()
    t = 0
    m = gc.mem_alloc()
    a = gc.mem_alloc()
    for _ in range(40):
        t = time.sleep_ms(5)
        r.readinto(mic)
        w.write(spk)
    b = gc.mem_alloc()
    gc.enable()
    print([b - a, a - m])
run(rx(4), tx(4))
""", mic=ramp(tmp_path / "ramp.wav", 4000), speaker=tmp_path / "out.wav", heap="96wK")
    assert results(b) == [[0, 0]]


def test_speaker_takes_what_fits_and_plays_silence_when_there_is_nothing(board, tmp_path):
    script = SOUND + """
from array import array
i2s = tx(4)
poll(i2s, 0)
def put(value, frames):
    done = 0
    while done < frames:
        done += i2s.write(array("h", [value] * min(64, frames - done))) // 2
        if done < frames:
            time.sleep_ms(2)
big = bytearray(2 * 4096)
since = time.ticks_us()
put(1000, 2000)
first = i2s.write(array("h", [1000] * 2048))  # full: nearly nothing fits
print([i2s.underruns, first])
time.sleep_ms(300)
put(2000, 1000)
print([i2s.underruns])
time.sleep_ms(200)
i2s.deinit()
print([time.ticks_diff(time.ticks_us(), since)])
"""

    def listen(n):
        file = tmp_path / ("out%d.wav" % n)
        b = board(script, speaker=file)
        (before, extra), (after,), (us,) = results(b)
        b.stop()
        assert extra <= 2 * 4 * DMA
        assert after == before + 1
        sound = read_speaker(file)
        # The first round of DMA buffers is silence, then what was given, in its order
        assert not sound[: 4 * DMA].any()
        assert sound[4 * DMA] == 1000
        ones, twos = numpy.flatnonzero(sound == 1000), numpy.flatnonzero(sound == 2000)
        assert len(ones) == 2000 + extra // 2 and len(twos) == 1000
        assert not numpy.setdiff1d(sound, [0, 1000, 2000]).size
        # A gap of as long as nobody wrote, begun and ended at a DMA buffer; then silence to the end
        gap = twos[0] - ones[-1]
        assert gap >= 300 * 16 - 5 * DMA
        assert twos[0] % DMA == 0
        assert abs(len(sound) - us * RATE_HZ / 1e6) <= 3 * DMA

    undisturbed(listen)


def test_speaker_blocks_before_the_first_poll(board, tmp_path):
    b = board(SOUND + """
i2s = tx(2)
since = time.ticks_us()
n = i2s.write(bytes(2 * 1600))
print([n, time.ticks_diff(time.ticks_us(), since)])
""", speaker=tmp_path / "out.wav")
    ((n, us),) = results(b)
    assert n == 3200
    assert us >= 70000  # 100 ms of sound, less what two DMA buffers hold


def test_a_peripheral_has_one_direction_and_there_are_two(board):
    b = board(SOUND + """
def why(f, *a):
    try:
        f(*a)
    except (OSError, ValueError) as e:
        return str(e)
first = rx(2)
poll(first, 0)
second = I2S(0, sck=Pin(14), ws=Pin(15), sd=Pin(32), mode=I2S.TX, bits=16, format=I2S.MONO, rate=16000, ibuf=2048)
poll(second, 0)
import json
print(json.dumps([why(first.readinto, bytearray(64)), why(second.readinto, bytearray(64)), second.write(b"") ]))
print(json.dumps([why(lambda: I2S(2)), why(second.write, b"123")]))
""")
    assert results(b) == [["[Errno 22] EINVAL", "[Errno 22] EINVAL", 0], ["invalid id", "[Errno 22] EINVAL"]]


def test_i2s_polls_beside_a_socket(board):
    b = board(SOUND + """
import socket
i2s = rx(4)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
p = select.poll()
p.register(i2s, select.POLLIN)
p.register(s, select.POLLIN)
buf = bytearray(8192)
seen = 0
for _ in range(3):
    i2s.readinto(buf)
    for obj, ev in p.ipoll(1000):
        seen += obj is i2s
print([seen])
""")
    ((seen,),) = results(b)
    assert seen == 3


def test_microphone_file_of_any_rate_and_width(tmp_path):
    t = numpy.arange(8000) / 8000
    tone = 0.5 * numpy.sin(2 * numpy.pi * 1000 * t)
    for width, scale in ((1, 127), (2, 32767), (3, 8388607), (4, 2147483647)):
        for rate in (8000, 44100):
            n = (numpy.sin(2 * numpy.pi * 1000 * numpy.arange(rate) / rate) * 0.5 * scale).round().astype("<i8")
            data = (n + 128).astype("u1").tobytes() if width == 1 else b"".join(
                int(x).to_bytes(width, "little", signed=True) * 2 for x in n)
            with wave.open(str(tmp_path / "tone.wav"), "wb") as f:
                f.setnchannels(1 if width == 1 else 2)
                f.setsampwidth(width)
                f.setframerate(rate)
                f.writeframes(data)
            raw = virtual_board.microphone_samples(tmp_path / "tone.wav", RATE_HZ, 0)
            got = numpy.frombuffer(raw, dtype="<i4") / 2**31
            assert len(got) == RATE_HZ
            want = 0.5 * numpy.sin(2 * numpy.pi * 1000 * numpy.arange(RATE_HZ) / RATE_HZ)
            error = numpy.abs(got - want)[800:-800].max()
            assert error < (0.01 if width == 1 else 0.0005), (width, rate, error)


def test_microphone_file_that_is_none_is_told_in_words(tmp_path):
    (tmp_path / "x.wav").write_bytes(b"no sound at all")
    b = VirtualBoard(tmp_path / "door", address="127.0.40.9", mic=tmp_path / "x.wav")
    with pytest.raises(BoardError, match="plain PCM is read"):
        b.start()


def test_pipes_carry_live_sound(board, tmp_path):
    mic, speaker = tmp_path / "mic", tmp_path / "speaker"
    os.mkfifo(mic)
    os.mkfifo(speaker)
    b = board(SOUND + """
from array import array
r, w = rx(4), tx(4)
poll(r, 0), poll(w, 0)
buf = array("i", bytes(4 * 512))
print("running")
at = time.ticks_ms()
sent = 0
while not sent or time.ticks_diff(time.ticks_ms(), at) < 100:
    n = r.readinto(buf) // 4
    heard = max(buf[:n]) if n else 0
    if heard:
        if not sent:
            at = time.ticks_ms()
        sent = heard >> 16
    w.write(array("h", [sent] * 64))
    time.sleep_ms(4)
""", mic=mic, speaker=speaker)
    b.expect(b"running\r\n")
    into = os.open(mic, os.O_WRONLY)
    out = os.open(speaker, os.O_RDONLY | os.O_NONBLOCK)
    os.write(into, numpy.full(1600, 77 << 16, dtype="<i4").tobytes())
    b.expect(PROMPT)
    heard = b""
    try:
        while True:
            heard += os.read(out, 65536)
    except BlockingIOError:
        pass
    os.close(into)
    os.close(out)
    assert (numpy.frombuffer(heard, dtype="<i2") == 77).any()


def test_recording_is_whole_whoever_is_killed(board, tmp_path):
    playing = SOUND + """
i2s = tx(4)
for _ in range(20):
    i2s.write(b"\\x10\\x27" * 160)
print("played")
time.sleep(60)
"""
    for victim in ("interpreter", "runner"):
        out = tmp_path / (victim + ".wav")
        b = board(playing, speaker=out)
        b.expect(b"played\r\n")
        interpreter = b.pid()
        if victim == "interpreter":
            os.kill(interpreter, signal.SIGKILL)
            b.wait_event("crash", signal="SIGKILL")
            b.expect(b"played\r\n")
            b.stop(quiet=True)
        else:
            played = out.stat().st_size - 44  # the header follows once a second
            until = time.monotonic() + 10
            while out.read_bytes()[40:44] != played.to_bytes(4, "little") and time.monotonic() < until:
                time.sleep(0.02)
            b.process.kill()
            b.process.wait()
            wait_gone(interpreter)
        sound = read_speaker(out)
        assert (sound == 10000).sum() >= 3000


def wait_gone(pid, timeout=10):
    """Until this process has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([fd], [], [], timeout)[0], "process %d still runs" % pid
    finally:
        os.close(fd)


# --- Pins, watchdog, network, resets


def test_button_is_an_interrupt_and_a_level(board):
    b = board("""
    import asyncio
    from machine import Pin
    button = Pin(4, Pin.IN, Pin.PULL_UP)
    assert button is Pin(4)
    relay = Pin(5, Pin.OUT, value=0)
    async def main():
        edges = []
        wake = asyncio.ThreadSafeFlag() if hasattr(asyncio, "ThreadSafeFlag") else None
        def edge(pin):
            edges.append(pin.value())
        button.irq(edge, Pin.IRQ_FALLING | Pin.IRQ_RISING)
        print("ready", button.value())
        while len(edges) < 2:
            await asyncio.sleep_ms(1000)
        print(edges)
        relay.value(1)
        relay(0)
        relay.on()
    asyncio.run(main())
    """)
    b.expect(b"ready 1\r\n")
    assert b.pin("relay") == 0 and b.pin("button.0") == 1
    b.press(0, 30)
    out = b.expect(PROMPT).decode()
    assert "[0, 1]" in out
    for level in (1, 0, 1):
        b.wait_event("pin", pin="relay", level=level)
    assert b.pin("relay") == 1
    assert [e["level"] for e in b.events if e.get("pin") == "button.0"][-2:] == [0, 1]


def test_debounced_button_and_output(board):
    """firmware/board/pins.py: one press for a closing contact that bounces, none for a spike."""
    b = board("""
    import asyncio, wiring
    from time import ticks_ms
    from board.pins import Button, Output
    presses = []
    button = Button(wiring.BUTTONS[0], presses.append, 1)
    relay = Output(wiring.RELAY)
    async def main():
        print("ready")
        while not light.is_on:
            button.poll(ticks_ms())
            if len(presses) == 2:
                relay.put(True)
            if presses and not button.is_pressed:
                light.put(True)
                print(presses)
                presses.append(0)
            await asyncio.sleep_ms(5)
    light = Output(wiring.LIGHT)
    asyncio.run(main())
    """)
    b.expect(b"ready\r\n")
    assert b.pin("relay") == 0
    for _ in range(5):  # bounces, far quicker than the contact settles
        b.hold(0)
        b.release(0)
    b.hold(0)
    b.wait_event("pin", pin="button.0", level=0)
    for _ in range(3):
        b.release(0)
        b.hold(0)
    b.press(0, 60)
    assert b"[1]\r\n" in b.expect(PROMPT)
    assert b.pin("light") == 1


def test_watchdog_resets_the_board(board):
    b = board("""
    import machine, time
    print("cause", machine.reset_cause())
    if machine.reset_cause() != machine.WDT_RESET:
        w = machine.WDT(timeout=400)
        since = time.ticks_ms()
        while time.ticks_diff(time.ticks_ms(), since) < 1000:
            w.feed()
            time.sleep_ms(20)
        print("fed long enough")
        while True:
            pass
    """)
    out = b.expect(PROMPT).decode()
    assert out.index("cause 1") < out.index("fed long enough") < out.index("reset by the watchdog") < out.index("cause 3")
    assert b.wait_event("boot", cause="watchdog")


def test_watchdog_handed_over_leaves_the_prompt_in_peace(board):
    b = board("""
    import asyncio, time
    from board.system import hand_over, reset_words, unique, watchdog
    async def main():
        feed = watchdog(300)
        feed()
        hand_over()
    asyncio.run(main())
    print(reset_words(), unique())
    """, address="127.0.40.7")
    assert b"power on 02007f002807\r\n" in b.expect(PROMPT)
    with pytest.raises(TimeoutError):
        b.wait_event("reset", timeout=1)
    assert b.repl("3*4") == "12"
    b.repl("import machine; machine.tell(84, 0, 0)")  # the timer is gone, as after the soft reset that mpremote asks for
    with pytest.raises(TimeoutError):
        b.wait_event("reset", timeout=1)  # and there is time for a copy all the same
    assert b.repl("machine.WDT(timeout=300) and 5*5") == "25"
    assert b.wait_event("reset", timeout=3)  # the watchdog was armed all along


def test_reset_causes_and_crash(board):
    b = board("import machine; print('cause', machine.reset_cause())")
    assert b"cause 1\r\n" in b.expect(PROMPT)
    b.write_serial(b"import machine; machine.reset()\r")
    assert b"cause 2\r\n" in b.expect(PROMPT)
    b.write_serial(b"import machine; machine.soft_reset()\r")
    out = b.expect(PROMPT)
    assert b"MPY: soft reboot\r\n" in out and b"cause 5\r\n" in out
    b.reset()
    assert b"cause 2\r\n" in b.expect(PROMPT)
    b.write_serial(b"import uctypes; uctypes.bytearray_at(0, 1)[0]\r")
    out = b.expect(PROMPT)
    assert b"ended by SIGSEGV\r\n" in out and b"cause 2\r\n" in out
    assert b.wait_event("crash")["signal"] == "SIGSEGV"
    with pytest.raises(BoardError, match="SIGSEGV"):
        b.stop()


def test_system_exit_in_main_is_a_soft_reset(board):
    b = board("""
    import machine, sys
    if machine.reset_cause() == machine.PWRON_RESET:
        sys.exit()
    print("again", machine.reset_cause())
    """)
    out = b.expect(PROMPT)
    assert b"MPY: soft reboot\r\nagain 5\r\n" in out


def test_a_pressed_button_stays_pressed_over_a_reset(board):
    b = board("from machine import Pin; print('level', Pin(4, Pin.IN, Pin.PULL_UP).value())")
    assert b"level 1\r\n" in b.expect(PROMPT)
    b.hold(0)
    b.reset()
    assert b"level 0\r\n" in b.expect(PROMPT)
    b.release(0)
    b.reset()
    assert b"level 1\r\n" in b.expect(PROMPT)


@pytest.mark.parametrize("kind", ("lan", "wifi"))
def test_network_comes_goes_and_returns(board, tmp_path, kind):
    b = board("""
    import asyncio, wiring
    wiring.NETWORK = "%s"
    from board.net import Network, pack, unpack
    net = Network(wiring, "front-door")
    async def main():
        print(net.is_up(), "[%%s]" %% net.address())
        await net.up("home", "secret")
        print(net.words())
        import socket
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(pack(net.address(), 0))
        print("bound")
        while net.is_up():
            await asyncio.sleep_ms(5)
        print("gone: " + net.words())
        while not net.is_up():
            await asyncio.sleep_ms(5)
        print("back: " + net.words())
    asyncio.run(main())
    """ % kind, address="127.0.40.17")
    out = b.expect(b"bound\r\n")
    assert b"False []\r\n" in out and b"127.0.40.17\r\n" in out
    b.network(False)
    b.expect(b"is not in reach" if kind == "wifi" else b"is the cable in")
    b.network(True)
    b.expect(b"back: Wi-Fi 'home' 127.0.40.17" if kind == "wifi" else b"back: Ethernet: 127.0.40.17")


def test_addresses_are_packed_without_asking_anybody(board):
    b = board("""
    from board.net import pack, unpack
    import json
    def why(*a):
        try:
            pack(*a)
        except ValueError as e:
            return str(e)
    print(json.dumps([unpack(pack("192.0.2.254", 65535)), unpack(pack("127.0.0.1", 80)), unpack(("192.0.2.1", 5060))]))
    print(json.dumps([why("pbx", 1), why("1.2.3", 1), why("1.2.3.4.5", 1), why("1.2.3.256", 1), why("1.2..4", 1),
        why("", 1), why("1.2.3.-4", 1), why("1.2.3.4x", 1), why("1.2.3.4 ", 1)]))
    """)
    good, bad = results(b)
    assert good == [["192.0.2.254", 65535], ["127.0.0.1", 80], ["192.0.2.1", 5060]]
    assert bad == ["'%s' is not an IPv4 address" % t for t in (
        "pbx", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2..4", "", "1.2.3.-4", "1.2.3.4x", "1.2.3.4 ")]


def test_audio_of_the_firmware(board, tmp_path):
    """firmware/board/audio.py: what the microphone hears comes out of the loudspeaker, and nothing waits."""
    script = """
    import time, wiring
    from array import array
    from board.audio import Audio
    audio = Audio(wiring)
    mic, out = array("i", bytes(4 * 256)), array("h", bytes(2 * 256))
    print([audio.read(mic), audio.write(out)])
    audio.start()
    since = time.ticks_ms()
    longest = frames = 0
    while frames < 4800:
        t = time.ticks_us()
        n = audio.read(mic) // 4
        longest = max(longest, time.ticks_diff(time.ticks_us(), t))
        for i in range(n):
            out[i] = mic[i] >> 16
        if n:
            audio.write(out if n == 256 else out[:n])
            frames += n
        time.sleep_ms(2)
    print([audio.rate_hz, audio.overruns])
    time.sleep_ms(120)
    audio.stop()
    audio.start()
    audio.stop()
    """

    def listen(n):
        file = tmp_path / ("out%d.wav" % n)
        b = board(script, mic=ramp(tmp_path / "ramp.wav", 16000), speaker=file)
        stopped, (rate_hz, overruns) = results(b)
        b.stop()
        assert stopped == [0, 0]
        assert rate_hz == RATE_HZ
        if not overruns:
            sound = read_speaker(file)
            heard = sound[sound > 0]
            assert numpy.array_equal(heard, numpy.arange(1, len(heard) + 1)) and len(heard) > 4000

    undisturbed(listen)


# --- Many, and their ends


def test_ten_boards_side_by_side(tmp_path):
    """Each with its own address, state and serial line, in the heap of an ESP32; started and stopped together."""
    program = textwrap.dedent("""
    import asyncio, socket, wiring, gc
    from board.net import Network, pack, unpack
    async def main():
        net = Network(wiring)
        await net.up()
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(pack(net.address(), 5060))
        s.setblocking(False)
        print("listening", net.address())
        while True:
            try:
                data, source = s.recvfrom(64)
                s.sendto(net.address().encode(), source)
            except OSError:
                await asyncio.sleep_ms(10)
    asyncio.run(main())
    """)
    boards = []
    try:
        for n in range(10):
            state = tmp_path / ("door%d" % n)
            state.mkdir()
            (state / "main.py").write_text(program)
            b = VirtualBoard(state, address="127.0.41.%d" % (10 + n), serial=tmp_path / ("tty%d" % n))
            boards.append(b)
        for b in boards:
            b.begin()
        for b in boards:
            b.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(10)
            for b in boards:
                b.expect(b.address.encode() + b"\r\n")
                s.sendto(b"who?", (b.address, 5060))
                data, source = s.recvfrom(64)
                assert data.decode() == b.address == source[0]
        pids = [b.pid() for b in boards]
        assert len(set(pids)) == 10
        links = [os.readlink(tmp_path / ("tty%d" % n)) for n in range(10)]
        assert links == [b.serial for b in boards]
    finally:
        for b in boards:
            b.terminate()
        for b in boards:
            b.stop()
    for pid in pids:
        wait_gone(pid)
    assert not list(tmp_path.glob("tty*"))


def test_a_test_that_is_killed_leaves_no_board_behind(tmp_path):
    program = "import sys\nfrom tools.virtual_board import VirtualBoard\n" \
        "b = VirtualBoard(sys.argv[1], address='127.0.40.32').start()\nprint(b.about['pid'], b.pid(), flush=True)\n" \
        "sys.stdin.read()\n"
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "door")], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True, cwd=virtual_board.ROOT) as test:
        pids = [int(n) for n in test.stdout.readline().split()]
        test.kill()
    assert len(pids) == 2
    for pid in pids:
        wait_gone(pid)


def test_two_boards_do_not_share_a_state_folder(board):
    b = board("")
    with pytest.raises(BoardError, match="already runs"):
        VirtualBoard(b.state, address="127.0.40.30").start()
    b.expect(PROMPT)


def test_command_line(tmp_path):
    """What people type: start, press, pins, watch, stop."""
    command = [sys.executable, virtual_board.__file__, "--state", str(tmp_path / "door")]
    (tmp_path / "door").mkdir()
    (tmp_path / "door" / "main.py").write_text(
        "from machine import Pin\nPin(4, Pin.IN, Pin.PULL_UP)\nPin(5, Pin.OUT, value=0)\n")

    def tell(*words):
        return subprocess.run(command + list(words), capture_output=True, text=True, timeout=20)

    assert "no board runs in" in tell("pins").stderr
    runner = subprocess.Popen(command + ["--address", "127.0.40.31", "--set", "sip.port=5070", "--set", "sip.user=42"],
                              stdout=subprocess.PIPE, text=True)
    watch = None
    try:
        about = json.loads(runner.stdout.readline())
        assert about["pid"] == runner.pid and about["address"] == "127.0.40.31"
        assert json.loads((tmp_path / "door" / "config.json").read_text()) == {
            "schema": 1, "sip.port": 5070, "sip.user": "42"}
        assert (tmp_path / "door" / "wiring.py").exists()
        watch = subprocess.Popen(command + ["watch"], stdout=subprocess.PIPE, text=True)
        assert "watching" in watch.stdout.readline()
        assert tell("press", "0", "20").returncode == 0
        lines = []
        while not (lines and "pin=button.0 level=1" in lines[-1]):
            lines.append(watch.stdout.readline())
            assert lines[-1]
        assert any("pin=button.0 level=0" in line for line in lines)
        assert tell("pins").stdout.splitlines() == ["button.0 1", "relay 0", "light -"]
        assert "there is no 'bell'" in tell("press", "bell").stderr
        assert tell("stop").returncode == 0
        assert runner.wait(10) == 0
        wait_gone(about["board_pid"])
    finally:
        for process in (watch, runner):
            if process:
                process.kill()
                process.wait()
                process.stdout.close()


def test_sound_card_that_is_not_there_is_told_in_words(tmp_path):
    done = subprocess.run(
        [sys.executable, virtual_board.__file__, "--state", str(tmp_path), "--mic", "card"],
        capture_output=True, text=True, timeout=20, env=dict(os.environ, PATH="/nonexistent"))
    assert done.returncode == 1
    assert "apt-get install alsa-utils" in done.stderr


def test_sound_card_through_its_two_programs(board, tmp_path, monkeypatch):
    """arecord and aplay themselves need a card; what matters here is what goes into and out of them."""
    heard = tmp_path / "heard.raw"
    os.mkfifo(heard)
    (tmp_path / "arecord").write_text("#!%s\nimport sys\nwhile True: sys.stdout.buffer.write(b'\\0\\0\\x05\\0' * 64)\n" % sys.executable)
    (tmp_path / "aplay").write_text("#!/bin/sh\nexec cat >'%s'\n" % heard)
    for name in ("arecord", "aplay"):
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", "%s:%s" % (tmp_path, os.environ["PATH"]))
    listener = os.open(heard, os.O_RDONLY | os.O_NONBLOCK)
    b = board(SOUND + """
from array import array
r, w = rx(4), tx(4)
poll(r, 0), poll(w, 0)
buf = array("i", bytes(4 * 512))
while not buf[0]:
    r.readinto(buf)
for _ in range(20):
    w.write(array("h", [buf[0] >> 16] * 256))
    time.sleep_ms(5)
print([buf[0] >> 16])
""", mic="card", speaker="card")
    assert results(b) == [[5]]
    b.stop()
    sound = b""
    while select.select([listener], [], [], 10)[0]:
        data = os.read(listener, 65536)
        if not data:
            break
        sound += data
    os.close(listener)
    assert (numpy.frombuffer(sound, dtype="<i2") == 5).sum() >= DMA
