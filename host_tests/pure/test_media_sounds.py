"""Sounds of a stream's own, and silence that is not sent: through real sockets, in a time that passes when it is told to."""

import gc
import math
from array import array

from expect import raises
from media import quiet, tables
from own_net import NET
from test_media_stream import HOST, Audio, Call, Peer, Stream, _level, mem_total, pack, ticker, unpack
from test_media_wav import _file, _pcm, _sine

_PLAIN = not hasattr(gc, "mem_free") or gc.mem_free() == 0


class _More:
    """What SDP agreed on beside."""

    def __init__(self, noise):
        self.noise = noise


def _wave(amplitude, frequency_hz=1000):
    # Whole turns in 256 frames
    return bytes(array("i", [int(amplitude * 65536 * math.sin(2 * math.pi * frequency_hz * i / 16000)) for i in range(256)]))


def _packets(call, n):
    """n ticks -> what was sent in each"""
    sent = []
    for _ in range(n):
        call.tick()
        sent.append(call.peer.receive())
    return sent


def _said(packets):
    table = tables.decoding_table(0)
    return [table[c] - 32768 for packet in packets for c in packet[12:]]


def _time(packet):
    return int.from_bytes(packet[4:8], "big")


def _number(packet):
    return int.from_bytes(packet[2:4], "big")


# -- Silence


def _quiet_call(noise):
    call = Call(start=False)
    call.stream.gain_db(0, False, True)
    call.stream.send_to(call.peer.host, call.peer.port, 0, 101, more=_More(noise))
    call.tick(30)
    call.audio.wave = _wave(9000)
    call.tick(35)
    assert len(call.peer.receive()) == 65  # it begins, and somebody speaks
    call.audio.wave = _wave(0)
    return call


def test_silence_is_comfort_noise():
    call = _quiet_call(13)
    sent = _packets(call, 40)
    kinds = [packet[1] & 127 for packets in sent for packet in packets]
    first = kinds.index(13)
    assert 8 < first < 30 and kinds[:first] == [0] * first and all(kind == 13 for kind in kinds[first:])
    packets = [packet for packets in sent for packet in packets]
    told = packets[first]
    assert len(told) == 13 and told[1] == 13 and told[12] > 60 and packets[-1][12] > 75
    assert _number(told) == (_number(packets[first - 1]) + 1) & 0xFFFF
    assert (_time(told) - _time(packets[first - 1])) & 0xFFFFFFFF == 160
    # Something goes all the same, each 2.5 s
    packets = [packet for packets in _packets(call, 500) for packet in packets]
    assert 4 <= len(packets) <= 8 and all(len(packet) == 13 for packet in packets)
    assert (_time(packets[-1]) - _time(packets[-2])) & 0xFFFFFFFF == 125 * 160
    # Somebody speaks again: at once, marked, at the right time
    last = packets[-1]
    ticks = call.stream.sent
    call.audio.wave = _wave(9000)
    packets = [packet for packets in _packets(call, 10) for packet in packets]
    spurt = [packet for packet in packets if packet[1] & 127 == 0]
    assert len(spurt) >= 8 and spurt[0][1] == 0x80 and all(packet[1] == 0 for packet in spurt[1:])
    assert call.stream.sent - ticks == len(packets)
    assert max(_said(spurt[:2])) > 8000
    numbers = [_number(packet) for packet in [last] + packets]
    assert all((b - a) & 0xFFFF == 1 for a, b in zip(numbers, numbers[1:]))
    assert (_time(spurt[0]) - _time(last)) % 160 == 0 and 0 < (_time(spurt[0]) - _time(last)) & 0xFFFFFFFF <= 510 * 160
    call.end()


def test_comfort_noise_follows_the_room():
    call = _quiet_call(13)
    x = 1
    heard = []
    # Louder for as long as it takes to know that nobody speaks; then softer, which is known at once.
    for rms, ticks in ((100, 200), (400, 250), (50, 100)):
        noise = []
        for _ in range(256):
            total = 0
            for _ in range(12):
                x = (x * 1103515245 + 12345) & 0x7FFFFFFF
                total += (x >> 8) % 2001 - 1000
            noise.append(int(total * rms / 2000) << 16)
        call.audio.wave = bytes(array("i", noise))
        packets = [packet for packets in _packets(call, ticks) for packet in packets if packet[1] & 127 == 13]
        assert packets
        heard.append(packets[-1][12])
        rms *= 0.7  # half of it is above 4 kHz
        assert abs(heard[-1] - 20 * math.log(32768 / rms) / math.log(10)) < 4, (rms, heard)
    call.end()


def test_without_comfort_noise_it_just_stops():
    call = _quiet_call(-1)
    sent = [len(packets) for packets in _packets(call, 400)]
    assert all(len(packet) == 172 for packet in call.peer.receive())
    stop = sent.index(0)
    assert 8 < stop < 30 and 2 <= sum(sent[stop:]) <= 3
    gaps = [i for i, n in enumerate(sent) if n and i >= stop]
    assert gaps[1] - gaps[0] == 125
    # Keys go in silence, too, and a prompt is none
    call.stream.send_digit(5)
    packets = [packet for packets in _packets(call, 30) for packet in packets]
    assert len([packet for packet in packets if packet[1] & 127 == 101]) == 7
    call.stream.play("open", 2)
    packets = [packet for packets in _packets(call, 24) for packet in packets if packet[1] & 127 == 0]
    assert len(packets) >= 23 and packets[0][1] == 0x80
    # Nor is a microphone that gives nothing for a while somebody who speaks
    _packets(call, 40)
    call.audio.deaf = True
    sent = [len(packets) for packets in _packets(call, 250)]
    assert sum(sent) == 2
    call.end()


def test_nothing_of_it_by_itself():
    call = Call()
    call.tick(200)
    assert len(call.peer.receive()) == 200
    call.end()


def test_how_loud_noise_is_in_dbov():
    for rms in (32768, 10000, 1000, 100, 10, 3):
        level_db = 20 * math.log(32768 / rms) / math.log(10)
        assert abs(quiet.minus_dbov(int(rms * 16 / 1.2533)) - level_db) < 1.1, rms
    assert quiet.minus_dbov(0) <= 127 and quiet.minus_dbov(1 << 20) == 0


# -- Sounds


def test_the_door_opens_for_both():
    call = Call(keep=16000, tone_hz=0)
    call.tick(10, call.peer.send)
    call.peer.receive()
    assert call.stream.play("open", 3) == 480
    before = call.audio.heard_frames
    call.tick(40, call.peer.send)
    said = _said(call.peer.receive())
    assert abs(_level(said[640:1120], 660, 8000) - 6500) < 700 or abs(_level(said[800:1280], 660, 8000) - 6500) < 700
    heard = call.audio.heard[before : before + 40 * 320]
    loud = [i for i, x in enumerate(heard) if abs(x) > 1000]
    assert 7000 < loud[-1] - loud[0] < 7700  # 480 ms at 16 kHz
    assert call.stream._over is None and call.stream._prompt is None
    call.end()


def test_a_prompt_to_whom_it_is_for():
    _file(_pcm(_sine(500, 16000, 16000)), rate_hz=16000)
    for to in (1, 2, 3):
        call = Call(keep=24000, tone_hz=0)
        call.tick(10, call.peer.send)
        call.peer.receive()
        assert call.stream.play("prompt.wav", to) == 1000
        call.tick(60, call.peer.send)
        said = _said(call.peer.receive())
        heard = call.audio.heard[6400:]
        assert (_level(said[1600:4800], 500, 8000) > 11000) == bool(to & 2), to
        assert (_level(heard[3200:9600], 500, 16000) > 11000) == bool(to & 1), to
        assert max(said[-800:]) < 100 and max(heard[-1600:]) < 100
        call.end()


def test_under_a_prompt_the_voice_goes_on_softer():
    _file(_pcm(_sine(500, 8000, 16000, 8000)))
    call = Call(tone_hz=1000)
    call.tick(20, call.peer.send)
    call.stream.play("prompt.wav", 2)
    call.tick(10)
    call.peer.receive()
    call.tick(20)
    said = _said(call.peer.receive())
    assert abs(_level(said, 500, 8000) - 8000) < 300 and abs(_level(said, 1000, 8000) - 3000) < 300
    call.end()


def test_another_takes_its_place_and_the_end_of_the_call_ends_it():
    _file(_pcm(_sine(500, 8000, 16000)))
    call = Call()
    call.stream.play("prompt.wav", 3)
    call.tick(5)
    first = call.stream._over
    call.stream.play("prompt.wav", 1)
    raises((OSError, ValueError), first._flash.read, 1)
    second, prompt = call.stream._over, call.stream._prompt
    call.stream.play("open", 2)
    raises((OSError, ValueError), prompt._flash.read, 1)
    call.stream.play("open", 2)
    call.end()
    raises((OSError, ValueError), second._flash.read, 1)
    assert call.stream._over is None and call.stream._prompt is None


def test_what_can_not_be_played_is_said_and_changes_nothing():
    _file(_pcm(_sine(500, 8000, 16000)))
    call = Call()
    call.stream.play("prompt.wav", 3)
    playing = call.stream._over, call.stream._prompt
    assert "no file" in str(raises(OSError, call.stream.play, "gone.wav", 3))
    assert "no end" in str(raises(ValueError, call.stream.play, "ringback", 3))
    assert "there is no tone" in str(raises(ValueError, call.stream.play, "bell", 3))
    assert (call.stream._over, call.stream._prompt) == playing
    call.end()


def test_tones_of_another_country():
    call = Call(keep=16000)
    call.stream.tones = "us"
    call.stream.tone("busy")
    call.tick(40)
    heard = call.audio.heard[4000:7200]
    assert _level(heard, 480, 16000) > 2000 and _level(heard, 620, 16000) > 2000
    call.stream.tones = "xx"
    assert "no tones for 'xx'" in str(raises(ValueError, call.stream.tone, "error"))
    call.end()


def test_all_of_it_allocates_nothing():
    # Gain that moves, silence, comfort noise, talkspurts, a prompt both ways over it all.
    _file(_pcm(_sine(500, 16000, 160000)), rate_hz=16000)
    a, b = Stream(Audio(1000), pack, unpack), Stream(Audio(500), pack, unpack)
    there, here = a.open(HOST, 28000, 28900), b.open(NET + "6", 28000, 28900)
    for stream in (a, b):
        stream.gain_db(20, True, True)
    a.send_to(NET + "6", here, 0, 101, more=_More(13))
    b.send_to(HOST, there, 0, 101, more=_More(-1))
    loud, soft = a._audio.wave, _wave(0)
    ticks = ticker(a, b)
    ticks(70)
    a.play("prompt.wav", 3)
    b.play("countdown", 3)
    ticks(1)
    sent = a.sent
    gc.collect()
    gc.disable()
    try:
        allocated, total = gc.mem_alloc(), mem_total()
        for _ in range(4 if not _PLAIN else 1):
            a._audio.wave = b._audio.wave = soft
            ticks(70)
            a._audio.wave = b._audio.wave = loud
            ticks(50)
        allocated, total = gc.mem_alloc() - allocated, mem_total() - total
    finally:
        gc.enable()
    assert (allocated, total) == (0, 0), (allocated, total)
    assert a.sent - sent > 100
    a.close()
    b.close()


def test_in_a_wideband_call():
    _file(_pcm(_sine(3000, 16000, 16000)), rate_hz=16000)
    for name, frequency_hz in (("prompt.wav", 3000), ("open", 880)):
        a, b = Stream(Audio(keep=19200), pack, unpack), Stream(Audio(keep=19200), pack, unpack)
        there, here = a.open(HOST, 28000, 28900), b.open(NET + "6", 28000, 28900)
        a.send_to(NET + "6", here, 9, 101)
        b.send_to(HOST, there, 9, 101)
        for i in range(45):
            if i == 10:
                a.play(name, 3)
            for stream in (a, b):
                stream._audio.wait(20)
                stream.tick(1000 + 20 * i)
        for stream in (a, b):
            loudest = max([_level(stream._audio.heard[at : at + 640], frequency_hz, 16000) for at in range(3200, 13000, 320)])
            assert loudest > (5500 if name == "open" else 10500), (name, loudest)
            stream.close()
