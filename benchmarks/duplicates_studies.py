"""Studies twice (class h) on a population drawn from a seed: recall by case, precision by band, beside plain keys.

python benchmarks/duplicates_studies.py            120,000 studies
python benchmarks/duplicates_studies.py --quick    6,000 studies
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import duckdb
from rapidfuzz import fuzz, process
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fonds.catalog.store import Catalog
from fonds.deduplicate import deduplicate, studies
from tests.deduplicate.examinations import Labelled, population, put
from tests.handmade import make_project

BANDS = ("certain", "possible", "no")
STUDIES = """
    CREATE TEMP TABLE told AS
    SELECT i.StudyInstanceUID AS uid, any_value(i.source) AS source, any_value(PatientID) AS patient,
        any_value(person_id) AS person, max(trim(AccessionNumber)) AS accession, min(StudyDate) AS day,
        upper(any_value(StudyDescription)) AS description
    FROM instances i JOIN instance_records r USING (source, location) JOIN persons USING (record_id) GROUP BY uid
"""
Pairs = set[frozenset[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--people", type=int, default=24_000)
    parser.add_argument("--quick", action="store_true", help="1,200 people")
    options = parser.parse_args()
    drawn = population(options.seed, 1_200 if options.quick else options.people)
    seconds: list[float] = []
    find = studies.find

    def timed(*given: object) -> None:
        begun = time.perf_counter()
        find(*given)  # type: ignore[arg-type]
        seconds.append(time.perf_counter() - begun)

    studies.find = timed
    with tempfile.TemporaryDirectory() as scratch:
        project = make_project(Path(scratch), "north", "south")
        put(project, drawn.studies)
        deduplicate(project)
        found = Catalog(project).read("study_pairs").select("study_a", "study_b", "band").rows()
        with Catalog(project).connect() as connection:
            connection.execute(STUDIES)
            plain = baselines(connection)
    bands = {frozenset((a, b)): band for a, b, band in found}
    console = Console(width=110)
    console.print(_cases(drawn, bands))
    certain = {pair for pair, band in bands.items() if band == "certain"}
    asked = {pair for pair, band in bands.items() if band == "possible"}
    console.print(_beside(drawn, {"certain": certain, "certain and possible": certain | asked, **plain}))
    ratios = {
        "certain_precision": _precision(drawn, certain),
        "certain_recall": _recall(drawn, certain),
        "recall": _recall(drawn, certain | asked),
        "asked_per_study": round(len(asked) / len(drawn.studies), 4),
        "studies": len(drawn.studies),
        "seconds": round(seconds[0], 1),
    }
    print(json.dumps({"benchmark": "duplicates_studies", "ratios": ratios}))


def baselines(connection: duckdb.DuckDBPyConnection) -> dict[str, Pairs]:
    """What plain keys, and descriptions alone, call one examination."""
    answer: dict[str, Pairs] = {}
    for name, key in (
        ("same archive, Patient ID, accession, day", "source, patient, accession, day"),
        ("same person, accession, day", "person, accession, day"),
    ):
        rows = connection.sql(f"SELECT a.uid, b.uid FROM told a JOIN told b USING ({key}) WHERE accession <> ''")
        answer[name] = {frozenset(pair) for pair in rows.fetchall() if pair[0] != pair[1]}
    rows = connection.sql(
        "SELECT a.uid, b.uid, a.description, b.description FROM told a JOIN told b USING (person, day) "
        "WHERE a.uid < b.uid"
    ).fetchall()
    alike = process.cpdist([row[2] for row in rows], [row[3] for row in rows], scorer=fuzz.token_set_ratio)
    for least in (80, 90):
        name = f"same person and day, description alike by {least} (rapidfuzz)"
        answer[name] = {frozenset(row[:2]) for row, ratio in zip(rows, alike, strict=True) if ratio >= least}
    return answer


def _cases(drawn: Labelled, bands: dict[frozenset[str], str]) -> Table:
    table = Table("case", *BANDS)
    for title, cases in (("one examination", drawn.same), ("two examinations", drawn.told_apart)):
        table.add_section()
        table.add_row(title)
        counts = Counter((name, bands.get(pair, "no")) for pair, name in cases.items())
        for name in sorted({name for name, _ in counts}):
            table.add_row(f"  {name}", *(str(counts[name, band]) for band in BANDS))
    return table


def _beside(drawn: Labelled, answers: dict[str, Pairs]) -> Table:
    table = Table("what is called one examination", "pairs", "precision", "recall")
    for name, pairs in answers.items():
        table.add_row(name, str(len(pairs)), f"{_precision(drawn, pairs):.4f}", f"{_recall(drawn, pairs):.4f}")
    return table


def _precision(drawn: Labelled, pairs: Pairs) -> float:
    return round(len(pairs & drawn.same.keys()) / max(1, len(pairs)), 4)


def _recall(drawn: Labelled, pairs: Pairs) -> float:
    return round(len(pairs & drawn.same.keys()) / max(1, len(drawn.same)), 4)


if __name__ == "__main__":
    main()
