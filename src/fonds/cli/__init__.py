"""The command line: one verb a stage, and the verbs around them. Heavy imports wait for the verb that needs them."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

# Every analytics switch of every dependency is off before anything is imported.
for _switch, _off in (
    ("PREFECT_SERVER_ANALYTICS_ENABLED", "false"),
    ("DO_NOT_TRACK", "1"),
    ("GX_ANALYTICS_ENABLED", "false"),
):
    os.environ.setdefault(_switch, _off)


def main() -> None:
    """Run the command line and exit with its code; errors of Fonds become one message, never a traceback."""
    from fonds.cli.app import app
    from fonds.cli.exits import Exit
    from fonds.errors import DefinitionInvalid, FondsError, GateClosed, ProjectNotFound, QueryRefused, outward

    signal.signal(signal.SIGTERM, _terminate)
    try:
        app()
    except KeyboardInterrupt as stopped:
        print("fonds: interrupted; run the same command again to go on where it stopped", file=sys.stderr)  # noqa: T201
        sys.exit(Exit.TERMINATED if isinstance(stopped, _Terminated) else Exit.INTERRUPTED)
    except SystemExit:
        raise
    except BaseException as raised:  # noqa: BLE001 - the edge of the process; a panic of a Rust library is no Exception
        error: FondsError = outward(raised)
        print("; ".join([f"fonds: {error}", *getattr(raised, "__notes__", ())]), file=sys.stderr)  # noqa: T201
        if isinstance(error, (DefinitionInvalid, ProjectNotFound, QueryRefused)):
            sys.exit(Exit.USAGE)
        sys.exit(Exit.GATE if isinstance(error, GateClosed) else Exit.ERROR)


class _Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM), which is done as for Ctrl-C: what it started ends with it."""


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whoever asks twice wants it at once
    raise _Terminated
