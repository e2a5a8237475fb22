"""What a call does to sound, without the call: micropython media_chain_script.py BUILT IN OUT payload_type

IN: 16 kHz, 32-bit samples, as the microphone's I2S gives them. OUT: 16 kHz, 16 bits, as the speaker's gets them.
"""

import sys
from array import array

built, source, target, payload_type = sys.argv[1:]
sys.path[:] = [built, ".frozen"]

from media import g711, gain, levels, resample, tables  # noqa: E402

payload_type = int(payload_type)
raw = array("i", bytes(1280))
mic = array("H", [32768] * (46 + 320))
pcm = array("h", bytes(320))
payload = bytearray(160)
narrow = array("H", [32768] * (23 + 160))
wide = array("h", bytes(640))
code = tables.encoding_table(payload_type)
sample = tables.decoding_table(payload_type)
state = array("i", (3 << 28,) + levels.microphone_gain(0) + (1 << 29,))

with open(source, "rb") as microphone, open(target, "wb") as speaker:
    while microphone.readinto(raw) == 1280:
        gain.condition(raw, mic, 46, 320, state)
        resample.decimate(mic, pcm, 160)
        resample.copy(mic, 0, mic, 320, 46)
        tables.encoder(payload_type)(pcm, payload, code, 160)
        g711.decode(payload, 0, narrow, 23, sample, 160)
        resample.interpolate(narrow, wide, 0, 160)
        resample.copy(narrow, 0, narrow, 160, 23)
        speaker.write(wide)
