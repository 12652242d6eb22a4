"""Asked to end by a scheduler inside a Prefect flow, the command line ends as for Ctrl-C, with its clean-up."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import atexit, os, signal, time
import fonds.cli, fonds.cli.app
from prefect.utilities.engine import capture_sigterm  # what every flow runs in

def app():
    atexit.register(print, "cleaned up")  # Prefect ends its server so
    with capture_sigterm():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

fonds.cli.app.app = app
fonds.cli.main()
"""


def test_a_flow_that_is_asked_to_end_says_how_to_go_on_and_cleans_up() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 143, done.stderr
    assert "run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == "cleaned up\n"
