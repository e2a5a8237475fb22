"""Who receives a call of the sound bench: the door on the virtual board, or baresip.

    with open_receiver("door", folder) as receiver:
        receiver.target             where SIP calls it (host, port), receiver.user
        receiver.start()            a call begins
        heard = receiver.stop()     what it handed to its sound card meanwhile, sample by sample, and when

The door's loudspeaker is a pipe that is read as it is written, so a sample's time is when the firmware handed it to I2S;
what the DMA adds then is not in it. baresip's player is bridged to its own microphone: what its sound card would play
comes back as RTP, in the very moment at which it would have been handed over.
"""

import os
import select
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from host_tests.rig.baresip import Baresip  # noqa: E402
from host_tests.rig.door import Door  # noqa: E402
from tools.sound_speech import audioop  # noqa: E402


class Heard:
    """samples: what was heard, 8 kHz, floats in 16-bit range; at(sample) -> time.monotonic() of its being handed over."""

    def __init__(self, samples, counts, times):
        self.samples = samples
        self._counts = np.cumsum(counts)
        self._times = times

    def at(self, sample):
        return self._times[min(int(np.searchsorted(self._counts, sample, side="right")), len(self._times) - 1)]

    def at_start(self, when):
        """The first sample handed over after `when`."""
        n = int(np.searchsorted(self._times, when))
        return int(self._counts[n - 1]) if n else 0


class _Reader:
    """A thread that notes what comes, and when: [(seconds, bytes), ...]."""

    def __init__(self, file, read):
        self.came = []
        self._file, self._read = file, read
        self._running = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while self._running:
            if select.select([self._file], [], [], 0.1)[0]:
                data = self._read()
                if data:
                    self.came.append((time.monotonic(), data))

    def stop(self):
        self._running = False
        self._thread.join()
        return self.came


def _read_socket(s):
    def read():
        try:
            return s.recv(2048)
        except OSError:
            return b""

    return read


class DoorReceiver:
    """The firmware on the virtual board, its speaker a pipe."""

    user = "door"

    def __init__(self, folder, settings=None, heap=None):
        folder.mkdir(parents=True, exist_ok=True)
        pipe = folder / "speaker"
        os.mkfifo(pipe)
        self._pipe = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        self.door = Door(folder, settings, heap=heap, speaker=str(pipe))
        self.target = (self.door.address, 5060)

    def start(self, rtp):
        self.listen()
        self._sink = _Reader(rtp, _read_socket(rtp))  # what it says itself is not listened to

    def stop(self):
        self._sink.stop()
        return self.heard()

    def listen(self):
        self._reader = _Reader(self._pipe, lambda: os.read(self._pipe, 65536))

    def heard(self):
        came = self._reader.stop()
        wide = np.frombuffer(b"".join(data for _, data in came), "<i2").astype(float)
        samples = resample_poly(wide, 1, 2, window=("kaiser", 8.0)) if len(wide) else wide
        return Heard(samples, [len(data) / 4 for _, data in came], [when for when, _ in came])

    def said(self):
        return self.door.status()

    def log(self):
        return self.door.said()

    def settle(self):
        self.door.wait_no_call()

    def close(self):
        self.door.stop()
        os.close(self._pipe)


class BaresipReceiver:
    """baresip with its usual jitter buffer."""

    user = "phone"

    def __init__(self, folder, heap=None):
        self.phone = Baresip(folder, None, more={"audio_source": "aubridge,phone", "jitter_buffer_delay": "5-10"})
        self.target = (self.phone.address, self.phone.port)

    def start(self, rtp):
        self._reader = _Reader(rtp, _read_socket(rtp))

    def stop(self):
        came = [(when, data) for when, data in self._reader.stop() if len(data) > 12 and data[1] & 0x7F == 0]
        parts, counts, expected = [], [], None
        for _, data in came:
            sequence = struct.unpack("!H", data[2:4])[0]
            if expected is not None and sequence != expected:
                raise RuntimeError("of what baresip played, packets have gone lost on the way here")
            expected = sequence + 1 & 0xFFFF
            parts.append(audioop.ulaw2lin(data[12:], 2))
            counts.append(len(data) - 12)
        return Heard(np.frombuffer(b"".join(parts), "<i2").astype(float), counts, [when for when, _ in came])

    def said(self):
        return self.phone.command("callstat")

    def log(self):
        return self.phone.process.said()

    def settle(self):
        self.phone.wait("CALL_CLOSED")

    def close(self):
        self.phone.stop()


RECEIVERS = {"door": DoorReceiver, "baresip": BaresipReceiver}
