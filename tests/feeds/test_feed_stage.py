"""`fonds feed`: both tables follow the files, in one commit each, and stay when nothing has changed or a load fails."""

from __future__ import annotations

import json
import os
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from fonds.catalog.store import Catalog
from fonds.cli import examine
from fonds.cli.app import app
from fonds.cli.exits import Exit
from fonds.errors import DefinitionInvalid
from fonds.feed import feed
from fonds.feed import run as stage
from fonds.operations.runs import runs
from fonds.project.settings import Project, load
from tests.feeds.telling import SECRET, ndjson, pairs, project

FEEDS = {
    "mpi": {"format": "csv", "path": "mpi/*.csv", "merges": "merges.csv", "issuer": "MPI"},
    "kis": {"format": "fhir", "path": "kis.ndjson"},
}
FILES = {
    "mpi/a.csv": "patient_id,PatientName\n1,A\n",
    "mpi/b.csv": "patient_id,PatientName\n2,B\n3,C\n",
    "merges.csv": "retired_id,patient_id\n2,1\n3,2\n",
    "kis.ndjson": ndjson({"identifier": [{"system": "KIS", "value": "9"}]}),
}


def rows(opened: Project) -> list[tuple[str, str]]:
    return Catalog(opened).read("feed_patients").select("feed", "patient_id").rows()


def versions(opened: Project) -> tuple[int, ...]:
    return tuple(version for name, version in Catalog(opened).versions().items() if name.startswith("feed_"))


def test_tables_follow_the_files(tmp_path: Path) -> None:
    opened = project(tmp_path, FEEDS, FILES)
    first = feed(opened)
    assert (first.status, first.left, set(first.tables)) == ("done", (), set(stage.OUTPUTS))
    assert first.counts == {
        **{"feeds": 2, "rows": 6, "unreadable": 0, "patients": 4, "merges": 2, "chains": 1, "cycles": 0},
        **{"orders": 0, "reports": 0},
    }
    assert rows(opened) == [("kis", "9"), ("mpi", "1"), ("mpi", "2"), ("mpi", "3")]
    written = versions(opened)
    assert feed(opened).status == "unchanged"

    # the same content in a newer file is read, and nothing is written
    os.utime(tmp_path / "kis.ndjson", ns=(1, 1))
    again = feed(opened)
    assert (again.status, again.tables, versions(opened)) == ("done", (), written)

    (tmp_path / "mpi" / "b.csv").unlink()
    assert feed(opened).tables == ("feed_patients",)
    assert rows(opened) == [("kis", "9"), ("mpi", "1")]

    without = project(tmp_path, {"kis": FEEDS["kis"]}, {})
    assert feed(without).counts["patients"] == 1
    assert pairs(Catalog(without).read("feed_merges").to_dicts()) == []


def test_a_feed_that_is_not_there_keeps_what_it_said_and_is_told_again(tmp_path: Path) -> None:
    opened = project(tmp_path, FEEDS, FILES)
    feed(opened)
    before = rows(opened)
    (tmp_path / "kis.ndjson").rename(tmp_path / "gone")
    (tmp_path / "mpi" / "a.csv").write_text(f"patient_id,PatientName\n1,A\n,{SECRET}\n")
    for _ in range(2):  # the second time nothing is new, but for what is still wrong
        result = feed(opened)
        assert result.status == "partial"
        assert [line.partition(":")[0] for line in result.left] == ["feed kis", "mpi"]
        assert "what the feed said before stays" in result.left[0]
        assert SECRET not in " ".join(result.left)
    assert rows(opened) == before
    assert result.counts["patients"] == 4


def test_orders_and_reports_follow_their_files(tmp_path: Path) -> None:
    given = {"format": "csv", "orders": "orders.csv", "reports": "reports/*.csv"}
    files = {"orders.csv": "accession,status\nA1,open\nA2,open\n", "reports/a.csv": "report_id,accession\nR1,A1\n"}
    opened = project(
        tmp_path, {"ris": given, "kis": {**given, "orders": "more.csv"}}, {**files, "more.csv": files["orders.csv"]}
    )
    first = feed(opened)
    assert (first.status, first.counts["orders"], first.counts["reports"], first.counts["rows"]) == ("done", 4, 2, 6)
    assert feed(opened).status == "unchanged"

    # what isn't there any more keeps its rows, of that feed and of all its tables
    (tmp_path / "more.csv").unlink()
    (tmp_path / "orders.csv").write_text("accession,status\nA1,performed\n")
    again = feed(opened)
    assert (again.status, again.tables) == ("partial", ("feed_orders",))
    read = Catalog(opened).read("feed_orders").select("feed", "order_id", "status").rows()
    assert sorted(read) == [("kis", "A1", "open"), ("kis", "A2", "open"), ("ris", "A1", "performed")]

    without = feed(project(tmp_path, {"ris": {"format": "csv", "reports": "reports"}}, {}))
    assert (without.status, without.counts["orders"], without.counts["reports"]) == ("done", 0, 1)


def test_a_load_that_is_killed_leaves_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = project(tmp_path, {"mpi": FEEDS["mpi"]}, FILES)
    feed(opened)
    before, written = rows(opened), versions(opened)
    (tmp_path / "mpi" / "a.csv").write_text("patient_id,PatientName\n77,A\n")

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(stage, "_write", killed)
        with pytest.raises(Killed):
            feed(opened)
    assert (rows(opened), versions(opened)) == (before, written)
    assert runs(opened).filter(stage="feed")["status"].to_list() == ["done", "failed"]


def test_a_mistake_in_one_feed_writes_nothing(tmp_path: Path) -> None:
    opened = project(tmp_path, FEEDS, {**FILES, "merges.csv": "retired,patient_id\n2,1\n"})
    with pytest.raises(DefinitionInvalid, match=r"no retired_id or MRG-1 \(nearest: retired\)"):
        feed(opened)
    assert versions(opened) == ()


def test_the_command_and_the_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(tmp_path, FEEDS, {**FILES, "merges.csv": "retired_id,patient_id\n2,1\n1,2\n3,\n"})
    runner = CliRunner()
    done = runner.invoke(app, ["feed", "--project", str(tmp_path), "--json"])
    assert done.exit_code == Exit.PARTIAL
    told = json.loads(done.stdout)
    assert (told["counts"]["cycles"], told["counts"]["unreadable"]) == (1, 1)
    assert any("lead back to where they began" in line for line in told["left"])
    table = runner.invoke(app, ["sql", "from feed_patients order by all", "--csv", "--project", str(tmp_path)])
    read = pl.read_csv(table.stdout.encode()).select("patient_id", "other_ids", "status").rows()
    assert read == [(9, "[]", "active"), (1, "[]", "merged"), (2, "[]", "merged"), (3, "[]", "active")]
    (tmp_path / "merges.csv").write_text("retired_id,patient_id,issuerr\n2,1,x\n")
    for other in ("_catalog", "_definitions", "_sources", "_store"):
        monkeypatch.setattr(examine, other, lambda _: iter(()))  # their looks take seconds
    looks = json.loads(runner.invoke(app, ["doctor", "--project", str(tmp_path), "--json"]).stdout)
    of_feeds = {look["what"]: look["fix"] for look in looks if look["what"].startswith("feed ")}
    assert of_feeds == {
        "feed mpi has columns that may be called wrongly": "merges.csv: column issuerr isn't taken; is it issuer?",
        "feed kis can be read": "",
    }


def test_a_feed_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(DefinitionInvalid, match=r"feeds.a: a source is called so"):
        project(tmp_path, {"a": FEEDS["kis"]}, {})
    with pytest.raises(DefinitionInvalid, match="did you mean 'mapping'"):
        project(tmp_path, {"b": {**FEEDS["kis"], "maping": "x"}}, {})


def test_a_project_without_feeds_has_nothing_to_read(tmp_path: Path) -> None:
    opened = project(tmp_path, {}, {})
    assert feed(opened).counts["feeds"] == 0
    assert load(tmp_path).settings.feeds == {}
    assert (
        Catalog(opened).read("feed_patients").equals(pl.DataFrame(schema=Catalog(opened).read("feed_patients").schema))
    )
