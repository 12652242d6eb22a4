"""Agreement with dciodvfy on the sample hospitals and pydicom's files: what the documentation promises."""

from __future__ import annotations

from benchmarks.conformance import compare, corpus
from tests.parts import require

# what we know we judge otherwise, and why, stands in docs/conformance.md
KNOWN = frozenset({"dciodvfy missing Laterality"})


def test_most_errors_of_dciodvfy_are_found_and_ours_confirmed() -> None:
    require("dciodvfy", "dicom3tools")
    paths = corpus()[::4]
    counts, differ, left = compare(paths)
    total = {side: sum(one[side] for one in counts.values()) for side in ("both", "ours", "dciodvfy")}
    total["dciodvfy"] -= sum(len(names) for what, names in differ.items() if what in KNOWN)
    assert left["compared"] > 150
    assert total["both"] > 100
    assert total["both"] / (total["both"] + total["dciodvfy"]) >= 0.9
    assert total["both"] / (total["both"] + total["ours"]) >= 0.95
