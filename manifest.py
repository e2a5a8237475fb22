# Freezes the intercom into a MicroPython of your own, beside what its port freezes:
#
#   make -C micropython/ports/esp32 BOARD=ESP32_GENERIC FROZEN_MANIFEST=/path/to/sipdoor/manifest.py
#
# Frozen code needs no heap. boards/<BOARD>/board.py still goes to the flash, as wiring.py.
# The same modules are in build/<arch>/ after `make build`.

# asyncio, ssl and the port's own modules.
include("$(PORT_DIR)/boards/manifest.py")

# opt=3: no assertions and no line numbers; as tools/build.py.
package("sip", base_path="firmware", opt=3)
package("media", base_path="firmware", opt=3)
package("board", base_path="firmware", opt=3)
package("door", base_path="firmware", opt=3)
module("lend.py", base_path="firmware", opt=3)
module("main.py", base_path="firmware", opt=3)

# What is taken from micropython-lib stands here as require("name"). A stock board has
# not everything of it, so the firmware runs without: it imports where it uses, and says so.
