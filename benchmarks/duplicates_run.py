"""One measured run of the stage in a process of its own: python benchmarks/duplicates_run.py FOLDER (prints JSON)."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from fonds.deduplicate import deduplicate
from fonds.project.settings import load


def main() -> None:
    """Deduplicate the project; the last line is seconds and the most memory its process took, in MiB."""
    project = load(Path(sys.argv[1]))
    start = time.monotonic()
    deduplicate(project, force=True)
    seconds = time.monotonic() - start
    # not ru_maxrss, which a process has from the one that started it
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    sys.stdout.write(json.dumps({"seconds": seconds, "peak_mib": int(status["VmHWM"].split()[0]) // 1024}) + "\n")


if __name__ == "__main__":
    main()
