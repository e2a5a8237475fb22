"""ESP32 DevKit (DevKitC, DOIT DevKit V1, 30 or 38 pins; a WROOM-32 module): pins and parts as data."""

NAME = "ESP32 DevKit"
CHIP = "esp32"
MICROPYTHON = "ESP32_GENERIC"

MICROPHONE = {"id": 0, "sck": 26, "ws": 25, "sd": 33}       # INMP441
SPEAKER = {"id": 1, "sck": 18, "ws": 19, "sd": 21}          # MAX98357A
BUTTONS = ({"pin": 27, "active": 0, "pull": "up"},)
RELAY = {"pin": 23, "active": 1}
LIGHT = {"pin": 32, "active": 1}
NETWORK = "wifi"
RATE_HZ = 16000
