"""What files and index say differently, attribute by attribute and entity by entity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fonds.catalog.store import Catalog
from fonds.crawl import drift
from fonds.crawl.definition import FILE, load_all
from fonds.errors import DefinitionInvalid
from fonds.operations.runs import StageResult, stage_run
from fonds.project.settings import Project, load
from tests.handmade import instance, write

SETTINGS = """name: two sides
sources:
  rad: {path: rad, date_order: european}
  db: {kind: export, path: db.csv, mapping: rules/sites/oldpacs-export.yaml, of: rad}
"""
COLUMNS = ("level", "study_uid", "attribute", "kind", "file_value", "index_value", "instances", "winner")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "rad").mkdir()
    (tmp_path / "fonds.yaml").write_text(SETTINGS, encoding="utf-8")
    return load(tmp_path)


def entry(
    study: str, *parts: str, source: str = "db", record: int = 0, note: str | None = None, **told: str
) -> dict[str, Any]:
    """One row of `entries`: a study, or with more UIDs a series or an instance."""
    series, sop = (*parts, None, None)[:2]
    return {
        "source": source,
        "location": "/".join((study, *parts)),
        "record": record,
        "origin": "export",
        "level": ("STUDY", "SERIES", "INSTANCE")[len(parts)],
        "study_uid": study,
        "series_uid": series,
        "sop_uid": sop,
        "attributes": json.dumps(told),
        "note": note,
    }


def compared(project: Project, files: list[dict[str, Any]], entries: list[dict[str, Any]]) -> StageResult:
    write(project, "instances", files)
    write(project, "entries", entries)
    return again(project)


def again(project: Project) -> StageResult:
    with stage_run(project, "crawl", inputs=None, outputs=["drift"]) as run:
        drift.write(run, project)
    return run.result()


def found(project: Project, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(Catalog(project).read("drift").select(columns or COLUMNS).rows(), key=str)


def precedence(project: Project, text: str) -> None:
    path = project.root / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


SAME = [
    ("PatientName", "Doe^Ann", "DOE^ANN^^^"),
    ("PatientName", " Doe ^ Ann", "doe^ann"),
    ("PatientName", "Yamada^Tarou=山田^太郎", "Yamada^Tarou"),
    ("PatientName", "Mu\u0308ller^A", "Müller^A"),
    ("PatientBirthDate", "03.02.1950", "19500203"),
    ("PatientBirthDate", "1950-02-03", "19500203"),
    ("PatientBirthDate", None, ""),
    ("StudyTime", "101112.345000", "101112"),
    ("StudyTime", "1011", "101100"),
    ("PatientSex", "F ", "f"),
    ("AccessionNumber", "A1  ", "A1"),
    ("PatientID", "P1", ""),
    ("ModalitiesInStudy", None, "ct"),
    ("NumberOfStudyRelatedInstances", None, "1"),
    ("NumberOfStudyRelatedSeries", None, "01"),
]
WON = [
    ("PatientName", "Doe^Ann", "Roe^Ann^", "index", "Roe^Ann", "steward"),
    ("PatientName", "Yamada^Tarou=山田^太郎", "Yamada^Jirou", "index", "Yamada^Jirou=山田^太郎", "steward"),
    ("PatientID", None, "P7", "index", "P7", "steward"),
    ("PatientBirthDate", "03.02.1950", "19500302", "index", "19500302", "steward"),
    ("StudyDate", "20210304", "20210305", "files", "20210304", "none"),
    ("StudyTime", "101112", "101113", "files", "101112", "none"),
    ("OperatorsName", "a", "b", "none", None, "none"),
    ("AccessionNumber", "A1", "A23456789012345678", "none", None, "none"),
    ("StudyDescription", "a", "one\\two", "none", None, "none"),
]


def test_what_means_the_same_is_no_drift(project: Project) -> None:
    derived = ("ModalitiesInStudy", "NumberOfStudyRelatedInstances", "NumberOfStudyRelatedSeries")
    files = [
        instance("rad", str(number), StudyInstanceUID=f"1.{number}", **({} if word in derived else {word: value}))
        for number, (word, value, _) in enumerate(SAME)
    ]
    compared(
        project,
        files,
        [entry(f"1.{number}", **dict[str, Any]({word: told})) for number, (word, _, told) in enumerate(SAME)],
    )
    assert found(project) == []


def test_the_precedence_says_who_wins(project: Project) -> None:
    files = [
        instance("rad", str(number), StudyInstanceUID=f"1.{number}", **{word: value})
        for number, (word, value, *_) in enumerate(WON)
    ]
    compared(
        project,
        files,
        [entry(f"1.{number}", **dict[str, Any]({word: told})) for number, (word, _, told, *_) in enumerate(WON)],
    )
    columns = ("study_uid", "attribute", "file_value", "index_value", "winner", "winning_value", "needs")
    assert found(project, *columns) == [(f"1.{number}", *case) for number, case in enumerate(WON)]
    drifted = Catalog(project).read("drift")
    assert set(drifted["kind"]) == {"differs"}
    assert drifted["rule"].to_list() == [f"drift.{word}" for word in drifted["attribute"]]
    row = drifted.row(0, named=True)
    assert (row["pack"], row["pack_version"], len(row["pack_hash"])) == ("precedence", "1.0.0", 64)


def test_every_value_of_the_files_has_its_row_and_its_number(project: Project) -> None:
    files = [instance("rad", str(n), PatientID=value) for n, value in enumerate(("P1", "P1", "P2", "P3"))]
    compared(project, files, [entry("1.1", PatientID="P2")])
    assert found(project) == [
        ("STUDY", "1.1", "PatientID", "differs", "P1", "P2", 2, "index"),
        ("STUDY", "1.1", "PatientID", "differs", "P3", "P2", 1, "index"),
    ]


def test_the_issuer_follows_its_identifier(project: Project) -> None:
    compared(project, [instance("rad", "a")], [entry("1.1", PatientID="P7", IssuerOfPatientID="NEW")])
    assert found(project, "attribute", "rule") == [
        ("IssuerOfPatientID", "drift.PatientID"),
        ("PatientID", "drift.PatientID"),
    ]


def test_series_are_compared_as_series(project: Project) -> None:
    files = [
        instance("rad", "a", SeriesDescription="one", Modality="CT"),
        instance("rad", "b", SeriesDescription="two", SeriesInstanceUID="1.3", Modality="MR"),
    ]
    told = [
        entry("1.1", Modality="US"),  # a modality is told of a series, not of a study
        entry("1.1", "1.2", SeriesDescription="uno", Modality="CT", NumberOfSeriesRelatedInstances="3"),
        entry("1.1", "1.3", SeriesDescription="two", Modality="CT"),
    ]
    compared(project, files, told)
    columns = ("series_uid", "attribute", "kind", "file_value", "index_value", "winner")
    assert found(project, *columns) == [
        ("1.2", "NumberOfSeriesRelatedInstances", "count-differs", "1", "3", "none"),
        ("1.2", "SeriesDescription", "differs", "one", "uno", "index"),
        ("1.3", "Modality", "differs", "MR", "CT", "files"),
    ]


def test_entities_of_one_side_are_told_once_at_their_level(project: Project) -> None:
    files = [
        instance("rad", "a", SOPInstanceUID="1.9.1"),
        instance("rad", "b", SOPInstanceUID="1.9.2"),
        instance("rad", "c", SeriesInstanceUID="1.4"),
        instance("rad", "d", StudyInstanceUID="2.1"),
        instance("rad", "e", StudyInstanceUID="3.1"),
        instance("other", "f", StudyInstanceUID="4.1"),
        instance("rad", "g", StudyInstanceUID=""),
    ]
    told = [
        entry("1.1"), entry("1.1", "1.2"), entry("1.1", "1.2", "1.9.1"), entry("1.1", "1.2", "1.9.7"),
        entry("1.1", "1.8"), entry("3.1"), entry("5.1"), entry("5.1", "5.2"),
        entry("6.1", NumberOfStudyRelatedInstances="0"), entry("7.1", note="order-shell"),
    ]  # fmt: skip
    result = compared(project, files, told)
    columns = (
        "kind",
        "level",
        "study_uid",
        "series_uid",
        "sop_uid",
        "attribute",
        "file_value",
        "index_value",
        "instances",
    )
    assert found(project, *columns) == [
        ("only-in-files", "INSTANCE", "1.1", "1.2", "1.9.2", "SOPInstanceUID", "1.9.2", None, 1),
        ("only-in-files", "SERIES", "1.1", "1.4", None, "SeriesInstanceUID", "1.4", None, 1),
        ("only-in-files", "STUDY", "2.1", None, None, "StudyInstanceUID", "2.1", None, 1),
        ("only-in-index", "INSTANCE", "1.1", "1.2", "1.9.7", "SOPInstanceUID", None, "1.9.7", 0),
        ("only-in-index", "SERIES", "1.1", "1.8", None, "SeriesInstanceUID", None, "1.8", 0),
        ("only-in-index", "STUDY", "5.1", None, None, "StudyInstanceUID", None, "5.1", 0),
    ]
    assert (result.counts["drift_only_in_files"], result.counts["drift_only_in_index"]) == (3, 3)
    assert any("orphan" in line for line in result.left)


def test_an_index_that_was_never_crawled_makes_no_orphans(project: Project) -> None:
    compared(project, [instance("rad", "a")], [])
    assert found(project) == []


def test_an_index_that_disagrees_with_itself_wins_nothing(project: Project) -> None:
    told = [entry("1.1", PatientID="P1", PatientSex="F"), entry("1.1", record=1, PatientID="P2", PatientSex="f")]
    compared(project, [instance("rad", "a")], told)
    assert found(project) == [("STUDY", "1.1", "PatientID", "index-disagrees", "P1", "P1 | P2", 1, "none")]


def test_a_site_says_otherwise_and_for_one_index_again(project: Project) -> None:
    precedence(project, """version: 2.0.0
default: {compare: text, winner: files}
attributes:
  PatientName: {compare: family-given, case: plain, winner: index, needs: none}
  AccessionNumber: {winner: index, empty: differs}
sources:
  db:
    AccessionNumber: {winner: files, empty: differs}
""")  # fmt: skip
    files = [
        instance("rad", "a", PatientName="Müller^Ann^Marie=x"),
        instance("rad", "b", StudyInstanceUID="2.1", PatientName="Müller^Ann^Marie=x"),
    ]
    told = [
        entry("1.1", PatientName="MULLER^ANN", AccessionNumber="", StudyID="7"),
        entry("2.1", PatientName="ROE^ANN^B", AccessionNumber="A1"),
    ]
    compared(project, files, told)
    columns = ("study_uid", "attribute", "file_value", "index_value", "winner", "winning_value", "needs")
    assert found(project, *columns) == [
        ("1.1", "AccessionNumber", "A1", "", "files", "A1", "none"),
        ("1.1", "StudyID", None, "7", "files", None, "none"),
        ("2.1", "PatientName", "Müller^Ann^Marie=x", "ROE^ANN^B", "index", "ROE^ANN^Marie=x", "none"),
    ]


def test_nothing_is_written_again_until_something_changes(project: Project) -> None:
    files, told = [instance("rad", "a")], [entry("1.1", PatientID="P7")]
    assert compared(project, files, told).tables == ("drift",)
    before = Catalog(project).versions()["drift"]
    assert again(project).tables == ()
    precedence(project, "version: 1.0.1\nattributes: {PatientID: {winner: files}}\n")
    assert again(project).tables == ("drift",)
    assert found(project, "winner", "pack_version") == [("files", "1.0.1")]
    (project.root / "fonds.yaml").write_text(SETTINGS.replace(", of: rad", ""), encoding="utf-8")
    again(load(project.root))
    assert found(project) == []
    assert Catalog(project).versions()["drift"] == before + 2


def test_mistakes_of_the_precedence_are_told_with_their_lines(project: Project) -> None:
    precedence(project, """version: 1.0.0
attributes:
  PatientNam: {winner: index}
  StudyInstanceUID: {winner: files}
  ModalitiesInStudy: {compare: set, of: Modalities}
  IssuerOfPatientID: {winner: index, follows: PatientID}
sources:
  pacs: {}
""")  # fmt: skip
    with pytest.raises(DefinitionInvalid) as caught:
        load_all(project)
    lines = {line for line, _ in caught.value.mistakes}
    text = str(caught.value)
    assert lines == {3, 4, 5, 6, 8}
    assert "PatientNam isn't catalogued" in text
    assert "follows PatientID, which isn't named" in text
    precedence(
        project, "version: 1.0.0\nattributes:\n  ModalitiesInStudy: {compare: set, of: Modality, winner: index}\n"
    )
    with pytest.raises(DefinitionInvalid, match="winner is files or none"):
        load_all(project)


def test_files_of_two_sources_keep_apart(project: Project) -> None:
    (project.root / "fonds.yaml").write_text(
        SETTINGS + "  card: {path: card}\n  pacs: {kind: export, path: p.csv, mapping: x, of: card}\n", encoding="utf-8"
    )
    both = load(project.root)
    compared(
        both,
        [instance("rad", "a"), instance("card", "b")],
        [entry("1.1", PatientID="P1"), entry("1.1", source="pacs", PatientID="P9")],
    )
    rows = Catalog(both).read("drift").filter(pl.col("kind") == "differs")
    assert rows.select("source", "index_source", "index_value").rows() == [("card", "pacs", "P9")]
