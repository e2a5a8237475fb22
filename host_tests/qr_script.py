"""QR codes as the firmware makes them: micropython qr_script.py BUILT TEXT ...

Prints for each text its modules, a line of 0 and 1 a row and an empty line behind them."""

import sys

built = sys.argv[1]
sys.path[:] = ["", built, ".frozen"]

from door import qr  # noqa: E402

for text in sys.argv[2:]:
    rows = None
    for rows in qr.table(text.encode()):
        pass
    for row in rows:
        print("".join([str(row >> x & 1) for x in range(len(rows))]))
    print()
