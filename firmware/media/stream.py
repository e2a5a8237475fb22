"""One call's sound: RTP in and out over one UDP socket, microphone and speaker over I2S; a tick every 20 ms.

Everything is made before the first tick and a tick allocates nothing, so that no collection ever delays it. (Not for a
moment either: MicroPython runs a function of more than eleven words of locals, stack and `try` on the heap.)

    microphone, 16 kHz, 32 bits -> condition -> decimate -> G.711 -> RTP
    RTP -> playout buffer -> G.711 or a local tone -> volume -> interpolate -> 16 kHz, 16 bits, speaker

The packets' clock is the microphone's: a packet goes when 20 ms of sound are there.
"""

import time
from array import array

import asyncio
from lend import lend
from micropython import const

from . import dtmf, g711, gain, jitter, resample, rtp

_PAYLOAD_TYPE = const(0)  # of the fields of rtp.parse
_SEQUENCE = const(2)
_TIMESTAMP = const(3)
_SSRC_HIGH = const(4)
_SSRC_LOW = const(5)
_PAYLOAD_BYTES = const(7)
_HEADER_BYTES = const(12)
_MIC_HISTORY = const(46)  # of resample.decimate
_HISTORY = const(23)  # of resample.interpolate

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
_PLENTY = const(640)  # ahead of a frame: it is not needed yet

_PACKET_BYTES = const(512)  # the longest taken in: 60 ms of G.711 and its header
_EVENT_BYTES = const(16)

_TONE_AFTER_MS = const(2000)  # without RTP for so long, the local tone sounds again
_REFUSED = const(3)  # so many sends in a row, and only every
_RETRY = const(10)  # tenth is tried


def _lent(leaf):
    return lend("media." + leaf)



class Stream:
    """Sound between `audio` and one RTP peer.

    audio: read(buf) -> bytes got of 32-bit frames, write(buf) -> bytes taken of 16-bit frames, start(), stop(), rate_hz
    (16000). pack(host, port) and unpack(address) translate the addresses of this port's sockets.
    """

    def __init__(self, audio, pack, unpack):
        if audio.rate_hz != 16000:
            raise ValueError("the stream wants sound at 16000 Hz, not %d" % audio.rate_hz)
        self._audio = audio
        self._pack = pack
        self._unpack = unpack
        # What lives only within one step has one place: sound on its way from and to the I2S, a packet that came.
        self._scratch = bytearray(_PACKET_BYTES)
        view = memoryview(self._scratch)
        self._raw = view[: 4 * _MIC_PIECE]
        self._chunk = view[: 2 * _CHUNK]
        # From the microphone
        self._mic = array("H", bytes(2 * _MIC_SAMPLES))
        resample.fill(self._mic, 0, _MIC_HISTORY, 32768)
        self._code = bytearray(1024)
        self._packet = bytearray(_HEADER_BYTES + _FRAME)
        self._payload = memoryview(self._packet)[_HEADER_BYTES:]
        # To the speaker
        self._fields = array("i", bytes(32))
        self._narrow = array("H", bytes(2 * (_HISTORY + _FRAME)))
        resample.fill(self._narrow, 0, _HISTORY, 32768)
        self._sample = array("H", bytes(512))
        self._wide = bytearray(2 * (_WIDE + _CHUNK))
        self._whole = memoryview(self._wide)[: 2 * _WIDE]
        self._jitter = jitter.Jitter()
        self._socket = None
        self._tone = None
        self._gain = array("i", [1 << 28, 0, 0])  # state of gain.condition
        self.gain_db(0)
        self._volume = 4096
        self.port = 0
        self._here = self._encode = None  # of a call; here, so that the object need not grow in one
        self._clear()

    def _clear(self):
        self.sent = 0  # RTP packets
        self.received = 0  # RTP packets accepted from the peer, each once
        self.duplicates = 0
        self.strangers = 0  # packets from elsewhere, before the socket was connected
        self.bad = 0  # packets that are not RTP, too long, or of a payload type nobody agreed on
        self.send_errors = 0
        self.lost = 0  # that never came, by their sequence numbers
        self.late = 0  # that came too late to be played
        self._source = rtp.Source()
        self._jitter.reset(0xFF)
        self._jitter.late = 0
        self._pressed = dtmf.Receiver()
        self._press = None  # made with the first key
        self._latch = None  # who receives until the socket is connected
        self._address = None  # where to send
        self._peer = None  # (host, port) of the SDP
        self._payload_type = -1
        self._event_type = -1
        self._sending = self._receiving = False
        self._ssrc_high = self._ssrc_low = -1
        self._next_high = self._next_low = -1
        self._last = self._follows = 0  # the peer's last timestamp, and the sequence number after it
        self._expected = _PACKET_BYTES  # bytes of a packet of its sound
        self._heard_ms = -1
        self._now_ms = -1
        self._mic_level = 0  # samples waiting
        self._starving = 0
        self._refused = self._before = 0  # sends that failed in a row
        self._marker = 0x80
        self._wide_level = 0  # samples waiting
        self._ahead = 0  # samples the I2S holds, at least
        self._short = 5  # ticks in a row with too few of them
        self._settle = _SETTLE
        self._flush = True

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

    def send_to(self, host, port, payload_type, event_type=-1, send=True, receive=True):
        """Send to and listen to this peer from the next tick on. payload_type 0 (PCMU) or 8 (PCMA); event_type: that of
        telephone-event, -1 for none. Called again with what a new offer or answer says."""
        _lent("setup").send_to(self, (host, port), payload_type, event_type)
        self._receiving = receive
        if send and not self._sending:
            self._marker = 0x80
            self._starving = _RETRY
        self._sending = send

    def tone(self, name=None):
        """Sound a local tone ("ringback", "busy", "error") while the peer sends nothing; None ends it."""
        if name is None:
            self._tone = None
        elif self._tone is None or self._tone.name != name:
            self._tone = _lent("tones").Tone(name)

    def gain_db(self, gain_db):
        """Set what is added to the microphone's level, -60 to 48 dB."""
        self._gain[1], self._gain[2] = _lent("levels").microphone_gain(gain_db)

    def volume_db(self, volume_db):
        """Set what is added to the speaker's level, -60 to 18 dB."""
        self._volume = _lent("levels").volume_gain(volume_db)

    def status(self):
        """One line for people."""
        return _lent("words").status(self)

    def next_digit(self):
        """-> the code (0 to 15) of the next key the peer pressed, -1 if none."""
        digits = self._pressed.digits
        return digits.popleft() if digits else -1

    def send_digit(self, code):
        """Press a key: code 0 to 15. False when it can not be sent: no telephone-event agreed on, or too many wait."""
        if not self._press:
            from .keys import Sender

            self._press = Sender()
        return self._event_type >= 0 and self._press.press(code)

    def silence_ms(self):
        """-> ms since the last RTP packet was accepted, -1 if none was."""
        if self._heard_ms < 0:
            return -1
        return time.ticks_diff(self._now_ms, self._heard_ms)

    def close(self):
        """Stop: free the port and the I2S. run() ends."""
        if self._socket:
            self._socket.close()
            self._socket = self._latch = None
            self._audio.stop()
        self._tone = None

    # -- 20 ms

    async def run(self):
        """tick() every 20 ms, by an absolute schedule, until close()."""
        due = time.ticks_ms()
        while self._socket:
            self.tick(time.ticks_ms())
            due = time.ticks_add(due, 20)
            wait = time.ticks_diff(due, time.ticks_ms())
            if wait < -200:  # something held the loop: what is past is past
                due = time.ticks_ms()
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

    # -- From the microphone to the network

    def _listen(self):
        if self._flush:
            # What the DMA holds from before is not for this call.
            self._flush = False
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
            self._starving += 1
            if self._starving > 5:
                self._send(False)
            return
        self._starving = 0
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
        packet = self._packet
        if self._press and self._press.frame(packet, self._event_type):
            event = self._press.packet
            self._transmit(event)
            packet[3], packet[2] = event[3], event[2]
        else:
            if sound:
                resample.decimate(self._mic, self._scratch, _FRAME)
                self._encode(self._scratch, self._payload, self._code, _FRAME)
            else:
                resample.fill(packet, _HEADER_BYTES >> 1, _FRAME >> 1, self._jitter.silence * 257)
            packet[1] = self._payload_type | self._marker
            self._transmit(packet)
        rtp.advance(packet, _FRAME)

    def _transmit(self, packet):
        if self._refused >= _REFUSED:
            self._refused += 1
            if self._refused % _RETRY:
                return
        if self._write_packet(packet) is None:
            self.send_errors += 1
            self._refused += 1
        else:
            self._before = self._refused  # if the next read says that it was refused after all
            self._refused = 0
            self._marker = 0
            self.sent += 1
        rtp.count(packet)

    def _write_packet(self, packet):
        try:
            if self._latch:
                return self._socket.sendto(packet, self._address)
            return self._socket.write(packet)
        except OSError:
            return None

    # -- From the network

    def _receive(self):
        for _ in range(10):
            n = self._read_packet()
            if n is None:
                break
            # Mostly one packet; short ones may come joined, see rtp.end.
            at = 0
            while True:
                end = rtp.end(self._scratch, at, n)
                self._packet_in(at, end)
                if end == n:
                    break
                at = end

    def _read_packet(self):
        try:
            return self._socket.readinto(self._scratch, self._expected)
        except OSError:  # what our last packet met: nobody there
            self.send_errors += 1
            self._refused = self._before + 1
            return None

    def _agreed(self):
        kind = self._fields[_PAYLOAD_TYPE]
        return kind == self._payload_type or kind == self._event_type

    def _packet_in(self, at, end):
        fields = self._fields
        if end >= _PACKET_BYTES or not rtp.parse(self._scratch, at, end, fields) or not self._agreed():
            self.bad += 1
            return
        if fields[_SSRC_LOW] != self._ssrc_low or fields[_SSRC_HIGH] != self._ssrc_high:
            if not self._new_source():
                self.bad += 1
                return
        news = self._source.count(fields[_SEQUENCE])
        self.lost = self._source.lost
        if news < 1:
            if news:
                self.bad += 1
            else:
                self.duplicates += 1
            return
        self.received += 1
        self._heard_ms = self._now_ms
        if fields[_PAYLOAD_TYPE] == self._event_type:
            if self._receiving and not self._pressed.put(self._scratch, fields):
                self.bad += 1
        else:
            self._learn_length(at, end)
            if self._receiving:
                self._jitter.put(self._scratch, fields)
                self.late = self._jitter.late

    def _new_source(self):
        # The first is taken as it comes; a change must be proved by a second packet (RFC 3550 A.1, probation).
        low = self._fields[_SSRC_LOW]
        high = self._fields[_SSRC_HIGH]
        if self._ssrc_high >= 0 and (low != self._next_low or high != self._next_high):
            self._next_low = low
            self._next_high = high
            return False
        self._ssrc_low = low
        self._ssrc_high = high
        self._next_high = -1
        self._source.restart()
        self._jitter.active = False
        self._pressed.restart()
        return True

    def _learn_length(self, at, end):
        # A read takes no more than one packet of the usual length, so that two are never joined. The length is what came
        # whole, or what the timestamps say when the peer's packets grew.
        fields = self._fields
        samples = rtp.timestamp_difference(fields[_TIMESTAMP], self._last)
        self._last = fields[_TIMESTAMP]
        if end - at < self._expected and end - at > _EVENT_BYTES:
            self._expected = end - at
        elif samples > fields[_PAYLOAD_BYTES] and fields[_SEQUENCE] == self._follows:
            self._expected = min(end - at + samples - fields[_PAYLOAD_BYTES], _PACKET_BYTES)
        self._follows = (fields[_SEQUENCE] + 1) & 0xFFFF

    # -- To the speaker

    def _play(self, passed_ms):
        self._ahead -= passed_ms * 16
        if self._wide_level >= _CHUNK:
            self._write()
        # What the I2S did not take has its turn before the next frame, and more than plenty waits only after a held-up
        # loop: then a frame stays with the playout buffer, which trims itself.
        if self._wide_level < _CHUNK and self._ahead + self._wide_level < _PLENTY:
            self._frame()
        if self._settle:
            self._settle -= 1
            self._ahead = self._wide_level = 0
            return
        if self._ahead < _DMA // 2:
            # A late tick; those that catch up bring its sound. Only if none do, or at the start, silence goes ahead.
            self._short += 1
            if self._ahead < 0:
                self._ahead = 0
            if self._short > 5:
                self._short = 0
                resample.fill(self._chunk, 0, _CHUNK, 0)
                while self._ahead < _PREFILL:
                    taken = self._audio.write(self._chunk) >> 1
                    self._ahead += taken
                    if taken < _CHUNK:
                        break
        else:
            self._short = 0
        self._write()

    def _frame(self):
        narrow = self._narrow
        at = self._jitter.take()
        if at >= 0:
            g711.decode(self._jitter.ring, at, narrow, _HISTORY, self._sample, _FRAME)
        elif self._tone and not 0 <= self.silence_ms() < _TONE_AFTER_MS:
            self._tone.fill(narrow, _HISTORY, _FRAME)
        else:
            resample.fill(narrow, _HISTORY, _FRAME, 32768)
        if self._volume != 4096:
            gain.volume(narrow, _HISTORY, _FRAME, self._volume)
        resample.interpolate(narrow, self._wide, self._wide_level, _FRAME)
        resample.copy(narrow, 0, narrow, _FRAME, _HISTORY)
        self._wide_level += _WIDE

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
