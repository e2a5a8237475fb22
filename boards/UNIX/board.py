# The virtual board's pins and parts, as a board's board.py has them; copied to the state folder as wiring.py.
NAME = "virtual board"
MICROPHONE = {"id": 0, "sck": 14, "ws": 15, "sd": 32}  # I2S RX, 32-bit mono, like an INMP441
SPEAKER = {"id": 1, "sck": 26, "ws": 25, "sd": 22}  # I2S TX, 16-bit mono, like a MAX98357A
BUTTONS = ({"pin": 4, "active": 0, "pull": "up"},)
RELAY = {"pin": 5, "active": 1}
LIGHT = {"pin": 2, "active": 1}
NETWORK = "lan"  # no network name to ask for: this computer's loopback is the cable
LAN = {}
RATE_HZ = 16000
