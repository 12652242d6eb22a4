"""Prints the duplicates among pydicom's own test files as the table of docs/duplicates-real.md.

python scripts/real_duplicates.py
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from fonds.catalog.store import Catalog
from fonds.crawl import crawl
from fonds.deduplicate import deduplicate
from fonds.project.settings import load

QUERY = """
    SELECT sop_uid, class, content, regexp_replace(member, '^.*/', '') AS file, evidence,
        source = kept_source AND member = kept_location AS kept
    FROM duplicates WHERE class IN ('a', 'b', 'c', 'd')
    ORDER BY sop_uid, NOT kept, content, class, file
"""


def main() -> None:
    """Crawl, deduplicate, print."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lines = ("name: real", "sources:", "  wheel: {path: 'python:pydicom/data'}")
        (root / "fonds.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        project = load(root)
        crawl(project)
        deduplicate(project)
        with Catalog(project).connect() as connection:
            rows = connection.sql(QUERY).fetchall()
    told = ["| file | class | content | what is told |", "|---|---|---|---|"]
    last, named = None, set[str]()
    for uid, kind, content, file, evidence, kept in rows:
        if uid != last:
            named.clear()
            told.append(f"| **{uid}** | | | |")
        last = uid
        if kept and named:
            continue
        named.add(file)
        text = "the kept copy" if kept else evidence.replace("|", "/")
        told.append(f"| {file} | {'' if kept else kind} | {content} | {text} |")
    sys.stdout.write("\n".join(told) + "\n")


if __name__ == "__main__":
    main()
