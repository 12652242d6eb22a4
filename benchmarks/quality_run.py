"""One measured step in a process of its own: python benchmarks/quality_run.py FOLDER full|again|normalize (JSON)."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from fonds.assess.definition import load_with_files
from fonds.assess.keep import keep
from fonds.assess.vocabulary import project_vocabularies
from fonds.catalog.store import Catalog
from fonds.normalize import normalize
from fonds.operations.runs import StageRun
from fonds.project.settings import Project, load


def assessed(project: Project, *, force: bool) -> dict[str, float]:
    """All checks over the catalog, findings and measures written; the gates of Great Expectations left out."""
    loaded, words, catalog = load_with_files(project), project_vocabularies(project), Catalog(project)
    checks, packs = [check for _, check in loaded], [path.name for path, _ in loaded]
    run = StageRun(project, "assess", catalog, unchanged=False, listener=None, started=time.monotonic())
    read, before = catalog.versions(), time.process_time()
    start = time.monotonic()
    with catalog.connect(read) as connection:
        kept = keep(run, connection, checks, packs, words, read=read, force=force)
        rows = connection.execute("SELECT count(*) FROM instances").fetchall()[0][0]
    return {
        "seconds": time.monotonic() - start,
        "cpu_seconds": time.process_time() - before,
        "rows": rows,
        "checks": len(checks),
        "broken": len(kept.broken),
        "findings": int(kept.measures["numerator"].sum()),
        "changed": kept.rows or 0,
    }


def normalized(project: Project) -> dict[str, float]:
    """All rules over the catalog, `changes` written."""
    start, before = time.monotonic(), time.process_time()
    result = normalize(project, force=True)
    seconds = time.monotonic() - start
    return {"seconds": seconds, "cpu_seconds": time.process_time() - before, "changes": result.counts["changes"]}


def main() -> None:
    """Run the step; the last line is its figures."""
    project, step = load(Path(sys.argv[1])), sys.argv[2]
    told = normalized(project) if step == "normalize" else assessed(project, force=step == "full")
    # not ru_maxrss, which a process has from the one that started it
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    told["peak_mib"] = int(status["VmHWM"].split()[0]) // 1024
    sys.stdout.write(json.dumps({name: round(value, 3) for name, value in told.items()}) + "\n")


if __name__ == "__main__":
    main()
