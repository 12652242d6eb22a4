"""`fonds match` and its commands, `fonds explain pair` and `person`, as a user meets them."""

from __future__ import annotations

import json
from collections.abc import Callable

import polars as pl
import pytest

from fonds.catalog.store import Catalog
from fonds.cli import main
from fonds.operations import decisions
from fonds.project.settings import Project
from tests.match.people import matched, person

ROWS = [
    person("rad", "A1", "Weidinger^Ursula", "19610409"),
    person("card", "B1", "EICHINGER^URSULA", "19610409"),
    person("onk", "S1", "Sandmeier^Klara", "19540302"),
]
COSTS = ("--false-merge", "5000", "--missed-merge", "200", "--minute", "1")
Fonds = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return matched(tmp_path_factory.mktemp("cli_match"), ROWS)[0]


@pytest.fixture
def fonds(hospital: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fonds:
    """Run a command in the project; exit code, stdout, stderr."""
    monkeypatch.chdir(hospital.root)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("signal.signal", lambda *_: None)  # main's handler would outlive the test

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["fonds", *words])
        with pytest.raises(SystemExit) as left:
            main()
        told = capsys.readouterr()
        return int(left.value.code or 0), told.out, told.err

    return run


def _waiting(project: Project) -> tuple[str, str]:
    pairs = Catalog(project).read("pairs").filter(band="review")
    return pairs["record_a"][0], pairs["record_b"][0]


def test_match_alone_runs_the_stage(fonds: Fonds) -> None:
    code, out, _ = fonds("match", "--json")
    assert code == 0
    assert json.loads(out)["stage"] == "match"


def test_an_option_before_the_command_is_refused_not_ignored(fonds: Fonds) -> None:
    code, _, err = fonds("match", "--project", "elsewhere", "evaluate")
    assert code == 2
    assert "behind the command" in " ".join(err.split())


def test_sample_label_evaluate_advise(hospital: Project, fonds: Fonds) -> None:
    code, out, _ = fonds("match", "evaluate")
    assert code == 0
    assert "nobody has checked it" in out
    assert "fonds match sample" in out
    code, out, _ = fonds("match", "sample", "--size", "10")
    assert code == 0
    assert "wait for a label" in out
    drawn = Catalog(hospital).read("match_sample")
    for a, b, probability in drawn.select("record_a", "record_b", "probability").rows():
        verdict = "link" if probability is None or probability > 0.9 else "not_same"
        decisions.record(hospital, "pair", a, b, verdict=verdict, who="ann")
    code, out, _ = fonds("match", "evaluate", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["checked"]
    assert told["labelled"] == drawn.height
    assert told["current"]["precision"]["low"] <= told["current"]["precision"]["value"]
    _, out, _ = fonds("match", "evaluate", "--picture", "calibration.svg")
    assert "precision" in out
    assert "Calibration" in out
    assert (hospital.root / "calibration.svg").read_text().startswith("<svg")
    code, out, _ = fonds("match", "advise", *COSTS)
    assert code == 0
    assert all(name in out for name in ("current", "advised", "stricter", "looser", "hours"))
    assert "matchers/patient.yaml" in out
    code, out, _ = fonds("match", "sample", "--size", "10", "--json")
    assert sum(stratum["labelled"] for stratum in json.loads(out)) == drawn.height


def test_labels_of_a_file_that_say_nothing_are_refused_by_their_line(hospital: Project, fonds: Fonds) -> None:
    (hospital.root / "labels.csv").write_text("record_a,record_b,same\nR1,R2,perhaps\n")
    code, _, err = fonds("match", "evaluate", "--labels", "labels.csv")
    assert code == 2
    assert "labels.csv, line 2" in err


def test_a_pair_is_told_as_a_waterfall_that_ends_at_its_weight(hospital: Project, fonds: Fonds) -> None:
    a, b = _waiting(hospital)
    code, out, _ = fonds("explain", "pair", b, a)
    assert code == 0
    assert all(
        word in out for word in ("Weidinger", "EICHINGER", "prior", "family", "birth date", "Found by", "review")
    )
    assert "█" in out
    told = json.loads(fonds("explain", "pair", a, b, "--json")[1])
    assert told["compared"]
    assert told["steps"][0]["comparison"] == "prior"
    assert told["steps"][-1]["sum"] == pytest.approx(told["weight"])
    assert {record["record_id"] for record in told["records"]} == {a, b}
    assert [event["kind"] for event in told["events"]] == ["created", "created"]
    fonds("explain", "pair", a, b, "--picture", "pair.svg")
    assert "family: differs" in (hospital.root / "pair.svg").read_text()


def test_a_pair_is_told_whatever_it_weighs_and_whether_or_not_it_was_compared(hospital: Project, fonds: Fonds) -> None:
    far = Catalog(hospital).read("match_records").filter(pl.col("PatientID").is_in(["A1", "S1"]))["record_id"].sort()
    told = json.loads(fonds("explain", "pair", *far, "--json")[1])
    assert (told["compared"], told["blocked_by"]) == (False, [])
    assert told["weight"] < -10
    assert told["steps"][-1]["sum"] == pytest.approx(told["weight"])
    assert {step["label"] for step in told["steps"]} >= {"differs"}
    assert "no blocking rule finds it" in fonds("explain", "pair", *far)[1]


def test_a_person_is_told_with_its_weakest_link(hospital: Project, fonds: Fonds) -> None:
    persons = Catalog(hospital).read("persons").filter(cluster_size=2)
    code, out, _ = fonds("explain", "person", persons["person_id"][0])
    assert code == 0
    assert "2 records" in out
    assert "holds it together" in out
    assert "weakest link" in out
    assert all(record in out for record in persons.filter(person_id=persons["person_id"][0])["record_id"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pair", "R1", "R2"), "there is no record R1"),
        (("person", "nobody"), "there is no person nobody"),
        (("pair", "R1"), "fonds explain pair RECORD_A RECORD_B"),
        (("person", "P1", "--picture", "x.svg"), "--picture belongs to"),
    ],
)
def test_what_cannot_be_told_says_what_can(fonds: Fonds, words: tuple[str, ...], said: str) -> None:
    code, _, err = fonds("explain", *words)
    assert code == 2
    assert said in err
    assert "Traceback" not in err
