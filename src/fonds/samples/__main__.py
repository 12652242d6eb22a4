"""Command line of the generator: python -m fonds.samples OUT --patients N --instances-per-study K --seed S."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from fonds.samples.generate import generate
from fonds.samples.recipe import fault_table, load_recipe

SMALL = {"patients": 42, "instances_per_study": 3, "seed": 1}
"""The committed set of data_samples/small."""


def main() -> int:
    """Generate the sample hospitals; prints the number of files and of truth rows."""
    parser = argparse.ArgumentParser(prog="python -m fonds.samples", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="where the archives and truth/ are written")
    parser.add_argument("--fault-table", action="store_true", help="only print the recipe's faults as Markdown")
    parser.add_argument("--patients", type=int, default=SMALL["patients"])
    parser.add_argument("--instances-per-study", type=int, default=SMALL["instances_per_study"])
    parser.add_argument("--seed", type=int, default=SMALL["seed"])
    parser.add_argument("--clean", action="store_true", help="no faults; each department's habits stay")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if options.fault_table:
        sys.stdout.write(fault_table(load_recipe()))
        return 0
    if options.folder is None:
        parser.error("a folder is needed")
    if options.patients < 1 or options.instances_per_study < 1:
        parser.error("at least one patient and one instance a study are needed")
    counts = generate(
        options.folder,
        patients=options.patients,
        instances_per_study=options.instances_per_study,
        seed=options.seed,
        faults=not options.clean,
        workers=options.workers,
    )
    sys.stdout.write(" · ".join(f"{count} {name}" for name, count in counts.items()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
