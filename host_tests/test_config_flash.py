"""A power cut while the configuration is saved: the old file or the new one is there, whole."""

import subprocess
from pathlib import Path

import pytest

from tools import build


@pytest.mark.needs("micropython")
def test_power_cut_at_every_write_and_erase():
    script = Path(__file__).parent / "config_flash_script.py"
    built = build.BUILD / build.host_arch()
    command = [build.interpreter(), "-X", "heapsize=16M", str(script), str(built)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("dies in each of") == 15, run.stdout
