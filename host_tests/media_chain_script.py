"""What a call does to sound, without the call: micropython media_chain_script.py BUILT IN OUT payload_type

IN: 16 kHz, 32-bit samples, as the microphone's I2S gives them. OUT: 16 kHz, 16 bits, as the speaker's gets them.
"""

import sys
from array import array

built, source, target, payload_type = sys.argv[1:]
sys.path[:] = [built, ".frozen"]

from media import g711, gain, resample  # noqa: E402

payload_type = int(payload_type)
raw = array("i", bytes(1280))
mic = array("i", bytes(4 * (resample.DECIMATE_HISTORY + 320)))
pcm = array("h", bytes(320))
payload = bytearray(160)
narrow = array("i", bytes(4 * (resample.INTERPOLATE_HISTORY + 160)))
wide = array("h", bytes(640))
code = g711.encoding_table(payload_type)
sample = g711.decoding_table(payload_type)
state = array("i", (gain.MIDDLE,) + gain.microphone_gain(0))

with open(source, "rb") as microphone, open(target, "wb") as speaker:
    while microphone.readinto(raw) == 1280:
        gain.condition(raw, mic, resample.DECIMATE_HISTORY, 320, state)
        resample.decimate(mic, pcm, 160)
        gain.move(mic, 0, 320, resample.DECIMATE_HISTORY)
        g711.encoder(payload_type)(pcm, payload, code, 160)
        g711.decode(payload, 0, narrow, resample.INTERPOLATE_HISTORY, sample, 160)
        resample.interpolate(narrow, wide, 0, 160)
        gain.move(narrow, 0, 160, resample.INTERPOLATE_HISTORY)
        speaker.write(wide)
