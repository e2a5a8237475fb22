"""One call's sound: RTP in and out over one UDP socket, microphone and speaker over I2S; a tick every 20 ms.

Everything is made before the first tick and a tick allocates nothing, so that no collection ever delays it. (Not for a
moment either: MicroPython runs a function of more than eleven words of locals, stack and `try` on the heap.)

    microphone, 16 kHz, 32 bits -> condition -> decimate -> echo -> level -> and a prompt -> codec -> RTP, secured
    RTP -> playout buffer -> codec -> keys heard -> or a local tone -> and a prompt -> volume -> echo's reference -> interpolate
        -> 16 kHz, 16 bits, speaker

In a call with G.722 nothing is decimated or interpolated, and a frame has 320 samples.

The packets' clock is the microphone's: a packet goes when 20 ms of sound are there. What a configuration or a call does not
use is None, and was never loaded.
"""

import time
from array import array
from collections import deque

import asyncio
from lend import lend
from micropython import const

from . import dtmf, gain, level, playout, resample, rtcp, rtp

_PAYLOAD_TYPE = const(0)  # of the fields of rtp.parse
_EXPECTED = const(25)  # bytes of a packet of its sound
# and behind what rtp.py keeps there, of the stream itself:
_MARKER = const(26)
_STARVING = const(27)  # ticks in a row without the microphone
_SHORT = const(28)  # ticks in a row in which the I2S holds too few samples
_SETTLED = const(29)  # ticks since it was started, up to _SETTLE
_FLUSHED = const(30)
_FIELDS = const(31)
_HEADER_BYTES = const(12)
_MIC_HISTORY = const(46)  # of resample.decimate
_HISTORY = const(23)  # of resample.interpolate

_QUIET_MS = const(35)  # of the state of rtcp.py
_MUX = const(50)
_LATER_MS = const(49)

_FRAME = const(160)  # 20 ms at 8 kHz
_WIDE = const(320)  # the same at 16 kHz
_DMA = const(256)  # frames the I2S hands over at a time

_MIC_SAMPLES = const(686)  # filter history, and 40 ms of the microphone waiting; what is more waits in the I2S
_MIC_PIECE = const(128)  # frames fetched at a time
_CHUNK = const(80)  # samples the I2S is given at a time of what it did not take at once
# Until the I2S has once been round its DMA buffers (up to seven), it plays what is put there a whole round later, and would
# do so for the rest of the call: the speaker gets nothing for as many ticks.
_SETTLE = const(6)
_PREFILL = const(448)  # silence ahead of the first sound: a DMA buffer, and what the wake-ups of the loop may vary
_PLENTY = const(736)  # ahead of a frame: it is not needed yet (more than _PREFILL and the ms of Playout.sooner())

_PACKET_BYTES = const(512)  # the longest taken in: 60 ms of G.711 and its header
_KEYS = const(16)  # of the peer that wait

_IN_SOUND = const(32)  # of next_digit()

_TONE_AFTER_MS = const(2000)  # without RTP for so long, the local tone sounds again
_LOOK = const(5)  # ms before a tick
_HANG = const(10)  # of the state of level.frame: frames that are still speech
_REFUSED = const(3)  # so many sends in a row, and only every
_RETRY = const(10)  # tenth is tried


def _lent(leaf):
    return lend("media." + leaf)



class Stream:
    """Sound between `audio` and one RTP peer.

    audio: read(buf) -> bytes got of 32-bit frames, write(buf) -> bytes taken of 16-bit frames, start(), stop(), rate_hz
    (16000). pack(host, port) and unpack(address) translate the addresses of this port's sockets; mark(socket, dscp) marks
    what they send, None: not.
    """

    def __init__(self, audio, pack, unpack, mark=None):
        if audio.rate_hz != 16000:
            raise ValueError("the stream wants sound at 16000 Hz, not %d" % audio.rate_hz)
        self._audio = audio
        self._pack = pack
        self._unpack = unpack
        self.mark = mark
        # What lives only within one step has one place: sound on its way from and to the I2S, a packet that came.
        # Before it the 23 samples that interpolate() wants to be before those of a frame at 8 kHz, and one for alignment.
        view = memoryview(bytearray(2 * _HISTORY + 2 + 2 * _WIDE))
        self._narrow = view[2:]
        resample.fill(self._narrow, 0, _HISTORY, 32768)
        view = view[2 * _HISTORY + 2 :]
        self._scratch = view
        self._raw = view[: 4 * _MIC_PIECE]
        self._chunk = view[: 2 * _CHUNK]
        # From the microphone
        self._mic = array("H", bytes(2 * _MIC_SAMPLES))
        resample.fill(self._mic, 0, _MIC_HISTORY, 32768)
        self._code = bytearray(1024)  # the tables of G.711, to encode and to decode; larger for the state of G.722, once it is wanted
        self._packet = bytearray(_HEADER_BYTES + _FRAME)
        self._payload = memoryview(self._packet)[_HEADER_BYTES:]
        # To the speaker
        self._fields = array("i", bytes(4 * _FIELDS))
        self._wide = bytearray(2 * (_WIDE + _CHUNK))
        self._whole = memoryview(self._wide)[: 2 * _WIDE]
        self._playout = playout.Playout()
        self._rtcp = array("i", bytes(4 * 51))  # state of rtcp.py
        self._rtcp_socket = None
        self._socket = None
        self._tone = None  # fill(samples, at, n): what the visitor hears while nothing comes
        self._over = None  # over(samples, at, n, 0): over what comes, once
        self._prompt = None  # over(samples, at, n, 1): the same for the caller, over the microphone
        self.tones = "eu"  # of which country they are
        # What works on the sound of every call, as configured
        self._echo = None  # near(samples, n, ahead) and far(samples, at, n): a gate or a canceller
        self._level = array("i", bytes(100))  # state of level.frame
        self._quiet = None  # quiet.Quiet, where silence is not sent
        self._inband = None  # what inband.hear() remembers
        self._gain = array("i", [3 << 28, 0, 0, 1 << 29])  # state of gain.condition
        self.gain_db(0)
        self._volume = 4096
        self.port = 0
        # of a call; here, so that the object need not grow in one
        self._here = self._encode = None
        self._n = _FRAME  # samples of a frame, as the codec has it
        self._clear()

    def _clear(self):
        self.sent = 0  # RTP packets
        self.received = 0  # RTP packets accepted from the peer, each once
        self.duplicates = 0
        self.strangers = 0  # packets from elsewhere, before the socket was connected
        self.bad = 0  # packets that are not RTP, too long, or of a payload type nobody agreed on
        self.send_errors = 0
        level.start(self._level)
        for i in range(_FIELDS):
            self._fields[i] = 0
        self._fields[_EXPECTED] = _PACKET_BYTES
        self._fields[_MARKER] = 0x80
        self._fields[_SHORT] = 5
        self._playout.reset()
        self._digits = deque((), _KEYS)  # that the peer pressed
        self._press = None  # keys.Sender, made with the first key
        self._secure = None  # protect(packet) -> what is sent, unprotect(packet, at, end) -> its new end or -1
        self._tag = 0  # bytes that are behind a packet for that
        self._latch = None  # who receives until the socket is connected
        self._address = None  # where to send
        self._peer = None  # (host, port) of the SDP
        self._payload_type = -1
        self._event_type = self._noise_type = -1
        self._sending = self._receiving = False
        self._heard_ms = -1
        self._now_ms = -1
        self._mic_level = 0  # samples waiting
        self._refused = self._went = 0  # sends that failed since two in a row went, and those that went since one failed
        self._wide_level = 0  # samples waiting
        self._ahead = 0  # samples the I2S holds, at least

    # -- What a call does with it

    # (What is done now and then stands in files of its own, lent for the moment.)

    def open(self, host, first_port, last_port):
        """Bind an even UDP port between first_port and last_port (RFC 3550 11) and start the I2S. -> port.

        The port is chosen by chance (os.urandom), the next free one if taken. OSError in words if none is free.
        """
        self.close()
        self._clear()
        self.port = _lent("setup").open(self, host, first_port, last_port)
        self._audio.start()
        return self.port

    def send_to(self, host, port, payload_type, event_type=-1, send=True, receive=True, more=None):
        """Send to and listen to this peer from the next tick on. payload_type 0 (PCMU), 8 (PCMA) or 9 (G722);
        event_type: that of telephone-event, -1 for none; `more`: what else SDP agreed on, with the names of sip.dialog.Negotiated, None for
        nothing. Called again with what a new offer or answer says."""
        _lent("setup").send_to(self, (host, port), payload_type, event_type, more)
        if receive and not self._receiving:
            self._rtcp[_QUIET_MS] = 0
        self._receiving = receive
        if send and not self._sending:
            self._fields[_MARKER] = 0x80
            self._fields[_STARVING] = _RETRY
        self._sending = send

    def tone(self, name=None):
        """Sound a local tone ("ringback", "busy", "error") while the peer sends nothing; None ends it. ValueError in words."""
        if name is None:
            self._tone = None
        elif self._tone is None or self._tone.name != name:
            self._tone = _lent("sounds").tone(name, self.tones)

    def play(self, name, to):
        """Play a tone that ends ("open", "countdown") or a WAV file ("welcome.wav") once, over what comes, to the visitor (`to`
        1), over the microphone to the caller (2) or both (3), in place of what is played there. -> ms it lasts. OSError or
        ValueError in words."""
        return _lent("sounds").play(self, name, to, self._n)

    def gain_db(self, gain_db, auto=False, silence=False):
        """Set what is added to the microphone's level, -60 to 48 dB; whether more is added or taken away as somebody speaks
        softly or loudly; and whether nothing is sent while nobody does."""
        self._quiet = _lent("levels").set(self._gain, self._level, gain_db, auto, silence, self._quiet)

    def volume_db(self, volume_db):
        """Set what is added to the speaker's level, -60 to 18 dB."""
        self._volume = _lent("levels").volume_gain(volume_db)

    def status(self):
        """One line for people."""
        return _lent("words").status(self)

    def inband(self, on):
        """Whether keys are heard in the peer's sound, too."""
        if not on:
            self._inband = None
        elif not self._inband:
            from . import inband

            self._keys_of = inband.hear
            self._inband = _lent("q23").detector()

    def next_digit(self):
        """-> the code (0 to 15) of the next key the peer pressed, with 32 added if it was heard in the sound; -1 if none."""
        return self._digits.popleft() if self._digits else -1

    def send_digit(self, code, tone_ms=100, gap_ms=100):
        """Press a key: code 0 to 15, as keys.Sender.lengths() has it. False when it can not be sent: no telephone-event
        agreed on, or too many wait."""
        if not self._press:
            self._press = _lent("keys").Sender()
        self._press.lengths(tone_ms, gap_ms)
        return self._event_type >= 0 and self._press.press(code)

    def silence_ms(self):
        """-> ms since the last RTP packet was accepted, -1 if none was."""
        if self._heard_ms < 0:
            return -1
        return time.ticks_diff(self._now_ms, self._heard_ms)

    def quiet_ms(self):
        """-> ms since the peer was last heard of, by RTP or RTCP, or since it ought to send. While it is silent on purpose
        (comfort noise was the last that came, and it sends no RTCP) they do not count."""
        return self._rtcp[_QUIET_MS]

    def close(self):
        """Stop: free the port and the I2S. run() ends."""
        if self._socket:
            rtcp.close(self)
            self._socket.close()
            self._socket = self._latch = self._secure = None
            self._audio.stop()
        self._tone = None
        if self._over or self._prompt:
            _lent("sounds").stop(self)

    # -- 20 ms

    async def run(self):
        """tick() every 20 ms, by an absolute schedule, until close(). It is moved to where packets wait the least: what comes
        in its last ms is looked for, and as long as nothing that it needs does, the schedule goes forward."""
        due = time.ticks_ms()
        while self._socket:
            self.tick(time.ticks_ms())
            due = time.ticks_add(due, 20 - self._playout.sooner())
            wait = time.ticks_diff(due, time.ticks_ms())
            if wait < -200:  # something held the loop: what is past is past
                due = time.ticks_ms()
            if wait > _LOOK:
                await asyncio.sleep_ms(wait - _LOOK)
                if self._socket and not self._latch:
                    state = self._rtcp
                    state[_LATER_MS] = time.ticks_diff(time.ticks_ms(), self._now_ms)
                    self._receive()
                    state[_LATER_MS] = 0
                    self._playout.soon()
                wait = time.ticks_diff(due, time.ticks_ms())
            await asyncio.sleep_ms(max(wait, 0))

    def tick(self, now_ms):
        """Move 20 ms of sound each way. Allocates nothing once the peer is known."""
        if not self._socket:
            return
        passed_ms = 20 if self._now_ms < 0 else time.ticks_diff(now_ms, self._now_ms)
        self._now_ms = now_ms
        self._listen()
        self._speak()
        if self._latch:
            self._latch.receive(self)
        else:
            self._receive()
        self._play(passed_ms)
        rtcp.tick(self, now_ms)

    # -- From the microphone to the network

    def _listen(self):
        if not self._fields[_FLUSHED]:
            # What the DMA holds from before is not for this call.
            self._fields[_FLUSHED] = 1
            for _ in range(40):
                if not self._audio.read(self._raw):
                    break
        while self._mic_level <= _MIC_SAMPLES - _MIC_HISTORY - _MIC_PIECE:
            got = self._audio.read(self._raw) >> 2
            gain.condition(self._raw, self._mic, _MIC_HISTORY + self._mic_level, got, self._gain)
            self._mic_level += got
            if got < _MIC_PIECE:
                break

    def _speak(self):
        if self._mic_level < _WIDE:
            # No sound yet. The first packet goes all the same, it opens the way through a NAT; and a microphone that
            # is not there must not silence the call.
            self._fields[_STARVING] += 1
            if self._fields[_STARVING] > 5:
                self._send(False)
            return
        self._fields[_STARVING] = 0
        while True:
            self._send(True)
            self._mic_level -= _WIDE
            resample.copy(self._mic, 0, self._mic, _WIDE, _MIC_HISTORY + self._mic_level)
            self._listen()
            # One packet a tick keeps their distance even; a second only if a tick was missed.
            if self._mic_level < _WIDE + _DMA:
                break

    def _send(self, sound):
        if not self._sending:
            return
        if sound:
            self._process()
        packet = self._packet
        if self._press and self._press.frame(packet, self._event_type):
            event = self._press.packet
            self._transmit(event)
            packet[3], packet[2] = event[3], event[2]
        elif self._quiet and self._quiet.frame(packet, self._level, self._noise_type):
            event = self._quiet.packet
            if event[1]:
                self._transmit(event)
                packet[3], packet[2] = event[3], event[2]
            self._fields[_MARKER] = 0x80  # the next sound begins a talkspurt (RFC 3551 4.1)
        else:
            if not sound:
                resample.fill(self._scratch, 0, self._n, 0)
            self._encode(self._scratch, self._payload, self._code, _FRAME)
            packet[1] = self._payload_type | self._fields[_MARKER]
            self._transmit(packet)
        rtp.advance(packet, _FRAME)

    def _process(self):
        # 20 ms of the microphone, signed, to _scratch: also while a key is sent, for what learns from each frame.
        sound = self._scratch
        n = self._n
        if n == _FRAME:
            resample.decimate(self._mic, sound, n)
        else:
            resample.turn(self._mic, _MIC_HISTORY, sound, 0, n)
        if self._echo:
            self._echo.near(sound, n, self._ahead + self._wide_level)
        level.frame(sound, n, self._level)
        if self._prompt:
            self._level[_HANG] = 1  # this is no silence
            if not self._prompt.over(sound, 0, n, 1):
                self._prompt = None

    def _transmit(self, packet):
        if self._refused >= _REFUSED and not self._went:
            self._refused += 1
            if self._refused % _RETRY:
                return
        if self._write_packet(packet) is None:
            self._not_sent()
        else:
            self._went += 1
            if self._went > 1:  # one alone may yet come back refused, when the next packet is sent or read
                self._refused = 0
            self._fields[_MARKER] = 0
            self.sent += 1
            rtcp.went(self, packet)
        rtp.count(packet)

    def _not_sent(self):
        self.send_errors += 1
        self._refused += 1
        self._went = 0

    def _write_packet(self, packet):
        if self._secure:
            packet = self._secure.protect(packet)
        try:
            if self._latch:
                return self._socket.sendto(packet, self._address)
            return self._socket.write(packet)
        except OSError:
            return None

    # -- From the network

    def _receive(self):
        if self._address is None:
            return  # whoever sends now is none
        for _ in range(10):
            n = self._read_packet()
            if n is None:
                break
            # Mostly one packet; short ones may come joined, see rtp.end.
            at = 0
            while True:
                end = rtp.end(self._scratch, at, n)
                if self._rtcp[_MUX] and self._scratch[at + 1] >> 5 == 6:  # 192 to 223 (RFC 5761 4)
                    if self._secure:
                        end = n  # its lengths are no longer to be read
                    rtcp.put(self, at, end)
                elif self._secure:
                    self._secured_in(at, end)
                else:
                    self._packet_in(at, end)
                if end == n:
                    break
                at = end

    def _read_packet(self):
        try:
            return self._socket.readinto(self._scratch, _PACKET_BYTES if self._rtcp[_MUX] else self._fields[_EXPECTED] + self._tag)
        except OSError:  # what our last packet met: nobody there
            self._not_sent()
            return None

    def _secured_in(self, at, end):
        clear = self._secure.unprotect(self._scratch, at, end)
        if clear < 0:
            self.bad += 1
            self._fields[_EXPECTED] = _PACKET_BYTES  # it may have been one that grew, and was cut
        else:
            self._packet_in(at, clear)

    def _agreed(self):
        kind = self._fields[_PAYLOAD_TYPE]
        return kind == self._payload_type or kind == self._event_type or kind == self._noise_type

    def _packet_in(self, at, end):
        fields = self._fields
        if end >= _PACKET_BYTES or not rtp.parse(self._scratch, at, end, fields) or not self._agreed():
            self.bad += 1
            return
        news = rtp.news(fields)
        if news < 0:
            self.bad += 1
            return
        rtcp.arrived(self)
        if not news:
            self.duplicates += 1
            return
        if news > 1:
            self._playout.reset()
        self.received += 1
        self._heard_ms = self._now_ms
        if fields[_PAYLOAD_TYPE] == self._event_type:
            if self._receiving and not dtmf.put(self._scratch, fields, self._digits):
                self.bad += 1
        elif fields[_PAYLOAD_TYPE] == self._noise_type:
            if self._receiving:
                self._playout.noise(self._scratch, fields)
        else:
            rtp.learn(fields, end - at)
            if self._receiving:
                self._playout.put(self._scratch, fields)

    # -- To the speaker

    def _play(self, passed_ms):
        self._ahead -= passed_ms * 16
        if self._wide_level >= _CHUNK:
            self._write()
        # What the I2S did not take has its turn before the next frame, and more than plenty waits only after a held-up
        # loop: then a frame stays with the playout buffer, which trims itself.
        if self._wide_level < _CHUNK and self._ahead + self._wide_level < _PLENTY:
            self._frame()
        else:
            self._playout.hold()
        fields = self._fields
        if fields[_SETTLED] < _SETTLE:
            fields[_SETTLED] += 1
            self._ahead = self._wide_level = 0
            return
        if self._ahead < _DMA // 2:
            # A late tick; those that catch up bring its sound. Only if none do, or at the start, silence goes ahead.
            fields[_SHORT] += 1
            if self._ahead < 0:
                self._ahead = 0
            if fields[_SHORT] > 5:
                fields[_SHORT] = 0
                resample.fill(self._chunk, 0, _CHUNK, 0)
                while self._ahead < _PREFILL:
                    taken = self._audio.write(self._chunk) >> 1
                    self._ahead += taken
                    if taken < _CHUNK:
                        break
        else:
            fields[_SHORT] = 0
        self._write()

    def _frame(self):
        # 20 ms for the speaker, as the codec has them: in offset binary until they go to _wide.
        if self._n == _WIDE:
            self._sound(self._wide, self._wide_level, _WIDE)
            resample.turn(self._wide, self._wide_level, self._wide, self._wide_level, _WIDE)
        else:
            self._sound(self._narrow, _HISTORY, _FRAME)
            self._widen()
        self._wide_level += _WIDE

    def _sound(self, sound, at, n):
        if not self._playout.frame(sound, at) and self._tone and not 0 <= self.silence_ms() < _TONE_AFTER_MS:
            self._tone.fill(sound, at, n)
        if self._inband:  # silence too, which ends a key
            self._hear(sound, at, n)
        if self._over and self._fields[_SETTLED] == _SETTLE and not self._over.over(sound, at, n, 0):
            self._over = None
        if self._volume != 4096:
            gain.volume(sound, at, n, self._volume)
        if self._echo:
            self._echo.far(sound, at, n)

    def _hear(self, sound, at, n):
        code = self._keys_of(sound, at, n, self._inband)
        if code >= 0 and self._receiving:
            self._digits.append(_IN_SOUND + code)

    def _widen(self):
        narrow = self._narrow
        resample.interpolate(narrow, self._wide, self._wide_level, _FRAME)
        resample.copy(narrow, 0, narrow, _FRAME, _HISTORY)

    def _write(self):
        # One frame at once. What is left of it goes in small pieces: a piece of a buffer can not be named without
        # allocating.
        wide = self._wide
        at = 0
        if self._wide_level == _WIDE:
            at = self._audio.write(self._whole) >> 1
            self._wide_level -= at
            self._ahead += at
            if at == _WIDE:
                return
        while self._wide_level >= _CHUNK:
            resample.copy(self._chunk, 0, wide, at, _CHUNK)
            taken = self._audio.write(self._chunk) >> 1
            at += taken
            self._wide_level -= taken
            self._ahead += taken
            if taken < _CHUNK:
                break
        if at:
            resample.copy(wide, 0, wide, at, self._wide_level)
