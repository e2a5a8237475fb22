"""ESP32-S3 DevKitC-1 (a WROOM-1 or WROOM-2 module, any PSRAM): pins and parts as data."""

NAME = "ESP32-S3 DevKitC-1"
CHIP = "esp32s3"
MICROPYTHON = "ESP32_GENERIC_S3"

MICROPHONE = {"id": 0, "sck": 4, "ws": 5, "sd": 6}          # INMP441
SPEAKER = {"id": 1, "sck": 15, "ws": 16, "sd": 17}          # MAX98357A
BUTTONS = ({"pin": 10, "active": 0, "pull": "up"},)
RELAY = {"pin": 12, "active": 1}
LIGHT = {"pin": 11, "active": 1}
NETWORK = "wifi"
RATE_HZ = 16000
