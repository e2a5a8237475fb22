"""A power cut while the configuration is saved: the old file or the new one is there, whole."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
MICROPYTHON = os.environ.get("MICROPYTHON") or str(Path(sys.executable).parent / "micropython")


def test_power_cut_at_every_write_and_erase():
    script = HERE / "config_flash_script.py"
    run = subprocess.run(
        [MICROPYTHON, "-X", "heapsize=16M", str(script), str(HERE.parent / "firmware")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("dies in each of") == 22, run.stdout
