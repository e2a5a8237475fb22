"""One call's sound: RTP in and out over one UDP socket, microphone and speaker over I2S; a tick every 20 ms.

Everything is made before the first tick and a tick allocates nothing, so that no collection ever delays it:

    microphone, 16 kHz, 32 bits -> condition -> decimate -> G.711 -> RTP
    RTP -> playout buffer -> G.711 or a local tone -> volume -> interpolate -> 16 kHz, 16 bits, speaker

The packets' clock is the microphone's: a packet goes when 20 ms of sound are there.
"""

import errno
import os
import select
import socket
import time
from array import array

import asyncio
from micropython import const

from . import dtmf, g711, gain, jitter, resample, rtp, tones

_PAYLOAD_TYPE = const(0)  # of the fields of rtp.parse
_SEQUENCE = const(2)
_TIMESTAMP = const(3)
_SSRC_HIGH = const(4)
_SSRC_LOW = const(5)
_PAYLOAD_BYTES = const(7)
_HEADER_BYTES = const(12)  # rtp.HEADER_BYTES
_MIC_HISTORY = const(46)  # resample.DECIMATE_HISTORY
_HISTORY = const(23)  # resample.INTERPOLATE_HISTORY

_FRAME = const(160)  # 20 ms at 8 kHz
_WIDE = const(320)  # the same at 16 kHz
_DMA = const(256)  # frames the I2S hands over at a time

_MIC_WORDS = const(686)  # filter history, and 40 ms of the microphone waiting; what is more waits in the I2S
_MIC_PIECE = const(128)  # frames fetched at a time
_SPEAKER_SAMPLES = const(640)  # samples the I2S did not take yet
_CHUNK = const(80)  # and how many it is given at a time
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
_SAME_HOST = const(3)  # so many packets prove another port of the host in the SDP
_ANY_HOST = const(10)  # ... or another host


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
        self._mic = array("i", bytes(4 * _MIC_WORDS))
        self._code = bytearray(g711.TABLE_BYTES)
        self._packet = bytearray(_HEADER_BYTES + _FRAME)
        self._payload = memoryview(self._packet)[_HEADER_BYTES:]
        self._event = bytearray(_EVENT_BYTES)
        # To the speaker
        self._fields = array("i", bytes(32))
        self._narrow = array("i", bytes(4 * (_HISTORY + _FRAME)))
        self._sample = array("h", bytes(512))
        self._wide = bytearray(2 * _SPEAKER_SAMPLES)
        self._whole = memoryview(self._wide)[: 2 * _WIDE]
        self._jitter = jitter.Jitter()
        self._source = rtp.Source()
        self._poll = select.poll()
        self._socket = None
        self._tone = None
        self._gain = array("i", [gain.MIDDLE, 0, 0])
        self.gain_db(0)
        self._volume = 4096
        self.port = 0
        self._clear()

    def _clear(self):
        self.sent = 0  # RTP packets
        self.received = 0  # RTP packets accepted from the peer, each once
        self.duplicates = 0
        self.strangers = 0  # packets from elsewhere, before the socket was connected
        self.bad = 0  # packets that are not RTP, too long, or of a payload type nobody agreed on
        self.send_errors = 0
        self._lost = 0  # of earlier sources
        self._source.restart()
        self._jitter.reset(0xFF)
        self._jitter.late = 0
        self._pressed = dtmf.Receiver()
        self._press = dtmf.Sender()
        self._connected = False
        self._address = None  # where to send
        self._host = ""
        self._sdp_port = 0
        self._payload_type = -1
        self._event_type = -1
        self._sending = self._receiving = False
        self._ssrc_high = self._ssrc_low = -1
        self._next_high = self._next_low = -1
        self._last = self._follows = 0  # the peer's last timestamp, and the sequence number after it
        self._expected = _PACKET_BYTES  # bytes of a packet of its sound
        self._candidate = None
        self._proofs = 0
        self._heard_ms = -1
        self._now_ms = -1
        self._mic_level = 0  # words waiting
        self._starving = 0
        self._refused = self._before = 0  # sends that failed in a row
        self._marker = 0x80
        self._wide_level = 0  # samples waiting
        self._ahead = 0  # samples the I2S holds, at least
        self._short = 5  # ticks in a row with too few of them
        self._settle = _SETTLE
        self._flush = True

    # -- What a call does with it

    def open(self, host, first_port, last_port):
        """Bind an even UDP port between first_port and last_port (RFC 3550 11) and start the I2S. -> port.

        The port is chosen by chance (os.urandom), the next free one if taken. OSError in words if none is free.
        """
        self.close()
        self._clear()
        first = first_port + (first_port & 1)
        n = (last_port - first) // 2 + 1
        if n < 1:
            raise OSError("rtp.first_port %d to rtp.last_port %d: no even port" % (first_port, last_port))
        chance = os.urandom(2)
        start = (chance[0] << 8 | chance[1]) % n
        for i in range(n):
            port = first + (start + i) % n * 2
            try:
                self._bind(host, port)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            self._audio.start()
            return port
        raise OSError("no free UDP port from %d to %d: widen rtp.first_port to rtp.last_port" % (first_port, last_port))

    def _bind(self, host, port):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            made.setblocking(False)
            made.bind(self._pack(host, port))
        except OSError:
            made.close()
            raise
        self._poll.register(made, select.POLLIN)
        self._socket = made
        self._here = host
        self.port = port
        self._connected = False
        self._drained = False

    def _unbind(self):
        if self._socket:
            self._poll.unregister(self._socket)
            self._socket.close()
            self._socket = None

    def send_to(self, host, port, payload_type, event_type=-1, send=True, receive=True):
        """Send to and listen to this peer from the next tick on. payload_type 0 (PCMU) or 8 (PCMA); event_type: that of
        telephone-event, -1 for none. Called again with what a new offer or answer says."""
        if payload_type not in (g711.PCMU, g711.PCMA):
            raise ValueError("payload type %d is not PCMU (0) or PCMA (8)" % payload_type)
        first = self._address is None
        if first:
            rtp.begin(self._packet)
        if payload_type != self._payload_type:
            self._payload_type = payload_type
            g711.encoding_table(payload_type, self._code)
            g711.decoding_table(payload_type, self._sample)
            self._encode = g711.encoder(payload_type)
            self._silence = g711.SILENCE[payload_type == g711.PCMA]
            self._jitter.reset(self._silence)
        self._event_type = event_type
        self._receiving = receive
        if send and not self._sending:
            self._marker = 0x80
            self._starving = _RETRY
        self._sending = send
        if host != self._host or port != self._sdp_port:
            self._host = host
            self._sdp_port = port
            if self._connected:
                # A connected socket hears nobody else: a fresh one, on the same port.
                self._unbind()
                self._bind(self._here, self.port)
            self._address = self._pack(host, port)
            self._candidate = None
            self._proofs = 0
            self._refused = 0

    def tone(self, name=None):
        """Sound a local tone ("ringback", "busy", "error") while the peer sends nothing; None ends it."""
        if name is None:
            self._tone = None
        elif self._tone is None or self._tone.name != name:
            self._tone = tones.Tone(name)

    def gain_db(self, gain_db):
        """Set what is added to the microphone's level, -60 to 48 dB."""
        self._gain[1], self._gain[2] = gain.microphone_gain(gain_db)

    def volume_db(self, volume_db):
        """Set what is added to the speaker's level, -60 to 18 dB."""
        self._volume = gain.volume_gain(volume_db)

    def next_digit(self):
        """-> the code (0 to 15) of the next key the peer pressed, -1 if none."""
        digits = self._pressed.digits
        return digits.popleft() if digits else -1

    def send_digit(self, code):
        """Press a key: code 0 to 15. False when it can not be sent: no telephone-event agreed on, or too many wait."""
        if not 0 <= code <= 15:
            raise ValueError("a key's code is 0 to 15, not %d" % code)
        digits = self._press.digits
        if self._event_type < 0 or len(digits) == 16:
            return False
        digits.append(code)
        return True

    def silence_ms(self):
        """-> ms since the last RTP packet was accepted, -1 if none was."""
        if self._heard_ms < 0:
            return -1
        return time.ticks_diff(self._now_ms, self._heard_ms)

    @property
    def lost(self):
        """Packets that never came, by their sequence numbers."""
        return self._lost + self._source.lost

    @property
    def late(self):
        """Packets that came too late to be played."""
        return self._jitter.late

    def close(self):
        """Stop: free the port and the I2S. run() ends."""
        if self._socket:
            self._unbind()
            self._audio.stop()
        self._tone = None

    def status(self):
        """One line for people."""
        if not self._socket:
            return "no sound"
        if self._address is None:
            return "RTP port %d, no peer yet" % self.port
        host, port = self._unpack(self._address)[:2]
        words = "RTP %s:%d %s, sent %d, received %d, lost %d, late %d, delay %d ms" % (
            host,
            port,
            "PCMA" if self._payload_type else "PCMU",
            self.sent,
            self.received,
            self.lost,
            self.late,
            self._jitter.depth_ms,
        )
        if self.strangers:
            words += ", %d from strangers" % self.strangers
        if self.bad:
            words += ", %d bad" % self.bad
        if self.send_errors:
            words += ", %d not sent" % self.send_errors
        if self._receiving and self._heard_ms < 0 and self.sent > 150:
            words += "; nothing came in %d s: NAT or firewall?" % (self.sent // 50)
        return words

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
        if self._connected:
            self._receive()
        else:
            self._receive_anyone()
        self._play(passed_ms)

    # -- From the microphone to the network

    def _listen(self):
        if self._flush:
            # What the DMA holds from before is not for this call.
            self._flush = False
            for _ in range(40):
                if not self._audio.read(self._raw):
                    break
        while self._mic_level <= _MIC_WORDS - _MIC_HISTORY - _MIC_PIECE:
            got = self._audio.read(self._raw) >> 2
            self._condition(self._mic_level, got)
            if got < _MIC_PIECE:
                break

    def _condition(self, level, n):
        gain.condition(self._raw, self._mic, _MIC_HISTORY + level, n, self._gain)
        self._mic_level = level + n

    def _consume(self):
        self._mic_level -= _WIDE
        gain.move(self._mic, 0, _WIDE, _MIC_HISTORY + self._mic_level)

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
            self._consume()
            self._listen()
            # One packet a tick keeps their distance even; a second only if a tick was missed.
            if self._mic_level < _WIDE + _DMA:
                break

    def _send(self, sound):
        if not self._sending:
            return
        packet = self._packet
        event = self._press.frame()
        if event:
            self._send_event(event)
        else:
            if sound:
                resample.decimate(self._mic, self._scratch, _FRAME)
                self._encode(self._scratch, self._payload, self._code, _FRAME)
            else:
                jitter.fill(packet, _HEADER_BYTES, _FRAME, self._silence)
            packet[1] = self._payload_type | self._marker
            self._transmit(packet)
        rtp.advance(packet, _FRAME)

    def _send_event(self, event):
        packet = self._event
        if event == 1:
            jitter.copy(packet, 0, self._packet, 0, _HEADER_BYTES)  # the timestamp stays that of the beginning
        packet[1] = self._event_type | (0x80 if event == 1 else 0)
        jitter.copy(packet, 2, self._packet, 2, 2)
        jitter.copy(packet, _HEADER_BYTES, self._press.payload, 0, 4)
        self._transmit(packet)
        self._packet[3], self._packet[2] = packet[3], packet[2]

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
            if self._connected:
                return self._socket.write(packet)
            return self._socket.sendto(packet, self._address)
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

    def _receive_anyone(self):
        # Until it is known where the peer really sends from: RFC 4961, and field experience with NAT.
        for _ in range(10):
            if not self._waiting():
                if self._proofs < 0:  # latched, and what strangers had sent before is gone
                    self._connected = True
                break
            self._take_anyones()

    def _waiting(self):
        for _ in self._poll.ipoll(0):
            return True
        return False

    def _take_anyones(self):
        # This allocates, as every packet does whose sender is asked for; it ends with the latching.
        try:
            data, address = self._socket.recvfrom(_PACKET_BYTES)
        except OSError:
            self.send_errors += 1
            self._refused = self._before + 1
            return
        n = len(data)
        self._scratch[:n] = data
        if self._from_peer(address, n):
            self._packet_in(0, n)

    def _from_peer(self, address, n):
        if self._proofs < 0:
            if address == self._address:
                return True
            self.strangers += 1
            return False
        if self._address is None or not rtp.parse(self._scratch, 0, n, self._fields) or not self._agreed():
            if self._address == address:
                return True  # to be counted as bad
            self.strangers += 1
            return False
        if address != self._address:
            # From elsewhere than the SDP says. Believed after some packets, if nothing comes from there.
            if address != self._candidate:
                self._candidate = address
                self._proofs = 0
            self._proofs += 1
            same = self._unpack(address)[0] == self._host
            if self._proofs < (_SAME_HOST if same else _ANY_HOST):
                self.strangers += 1
                return False
        self._address = address
        self._socket.connect(address)
        self._refused = 0
        self._proofs = -1
        return True

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
        self._lost += self._source.lost
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
        # More than plenty waits only after a held-up loop: then a frame stays with the playout buffer, which trims itself.
        if self._wide_level < _WIDE and self._ahead + self._wide_level < _PLENTY:
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
                self._lead()
        else:
            self._short = 0
        self._write()

    def _lead(self):
        self._short = 0
        gain.clear(self._chunk, 0, _CHUNK >> 1)
        while self._ahead < _PREFILL:
            taken = self._audio.write(self._chunk) >> 1
            self._ahead += taken
            if taken < _CHUNK:
                break

    def _frame(self):
        words = self._narrow
        at = self._jitter.take()
        if at >= 0:
            g711.decode(self._jitter.ring, at, words, _HISTORY, self._sample, _FRAME)
        elif self._tone and not 0 <= self.silence_ms() < _TONE_AFTER_MS:
            self._tone.fill(words, _HISTORY, _FRAME)
        else:
            gain.clear(words, _HISTORY, _FRAME)
        if self._volume != 4096:
            gain.volume(words, _HISTORY, _FRAME, self._volume)
        resample.interpolate(words, self._wide, self._wide_level, _FRAME)
        gain.move(words, 0, _FRAME, _HISTORY)
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
