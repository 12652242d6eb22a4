"""A site's own codes, what the dictionary lacks, and how it grows from decisions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from fonds.catalog.store import Catalog
from fonds.cli.app import app
from fonds.errors import DefinitionInvalid
from fonds.normalize import normalize
from fonds.operations import decisions
from fonds.project.folders import shipped
from tests.normalize.test_lookup import SITE, SMALL, study, theme

# made up in the form of the published files: the numbers have right check digits, the names are ours
LOINC = """LOINC_NUM,COMPONENT,CLASS,STATUS,LONG_COMMON_NAME
99901-1,Test region,RAD,ACTIVE,Our region CT
99902-9,Test region,RAD,DEPRECATED,Our old region CT
99903-7,Salt,CHEM,ACTIVE,Our salt
"""
PLAYBOOK = """LoincNumber,LongCommonName,PartNumber,PartTypeName,PartName,RPID,LongName
99901-1,Our region CT,LP1,Rad.Modality,CT,RPID901,CT OUR REGION
99901-1,Our region CT,LP2,Rad.Anatomic Location,Our,RPID901,CT OUR REGION
"""
PAGE = shipped() / "docs" / "procedures.md"


def run(project: Any, *arguments: str) -> Any:
    done = CliRunner().invoke(app, ["dictionary", *arguments, "--project", str(project.root)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


def test_loaded_codes_are_checked_against_the_maps_of_the_dictionary(make: Any, tmp_path: Path) -> None:
    mapped = "maps: [{system: loinc, code: 99901-1, by: Radiology board, at: 2024-05-02}]"
    gone = "maps: [{system: loinc, code: 99902-9, by: Radiology board, at: 2024-05-02, how: broader}]"
    more = f"  - {{code: E, meaning: CT Region, {mapped}}}\n  - {{code: F, meaning: CT Gegend, {gone}}}\n"
    theme(tmp_path, SMALL + more)
    project = make(study(1, "CT Region", "CT"), **SITE)
    Catalog(project).replace("changes", pl.DataFrame())

    def listed() -> dict[str, tuple[str, str, int]]:
        return {
            row["code"]: (row["known"], row["name"], row["studies"])
            for row in json.loads(run(project, "list", "--json"))
        }

    assert listed()["E"] == ("not loaded", "", 1)
    (tmp_path / "Loinc.csv").write_text(LOINC, encoding="utf-8")
    told = json.loads(run(project, "load", str(tmp_path / "Loinc.csv"), "--as", "loinc", "--json"))
    assert told == {"codes": 1, "rows left out": 2}
    assert listed()["E"] == ("yes", "Our region CT", 1)
    assert listed()["F"] == ("no", "", 0)
    assert listed()["A"] == ("", "", 0)


def test_the_playbook_file_has_both_codes(make: Any, tmp_path: Path) -> None:
    project = make(**SITE)
    (tmp_path / "playbook.csv").write_text(PLAYBOOK, encoding="utf-8")
    run(project, "load", str(tmp_path / "playbook.csv"), "--as", "loinc")
    run(project, "load", str(tmp_path / "playbook.csv"), "--as", "rsna")
    tables = tmp_path / "rules" / "site" / "tables"
    assert (tables / "loinc.csv").read_text().splitlines() == ["code,name,rpid", "99901-1,Our region CT,RPID901"]
    assert (tables / "rsna.csv").read_text().splitlines()[1].startswith("RPID901,CT OUR REGION")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("NUMBER,NAME\n1,2\n", "line 1: has no column LOINC_NUM or LoincNumber"),
        (LOINC.replace("99901-1", "99901-2"), "line 2: column LOINC_NUM: is no loinc code"),
        (LOINC.replace("RAD", "CHEM"), "has no row of radiology"),
        ("", "is no CSV"),
    ],
)
def test_a_file_of_other_codes_is_refused_and_nothing_is_kept(make: Any, tmp_path: Path, text: str, wrong: str) -> None:
    project = make(**SITE)
    (tmp_path / "wrong.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DefinitionInvalid, match=re.escape(wrong)):
        run(project, "load", str(tmp_path / "wrong.csv"), "--as", "loinc")
    assert not (tmp_path / "rules" / "site" / "tables" / "loinc.csv").exists()


def test_what_the_dictionary_lacks_is_listed_with_its_studies(make: Any, tmp_path: Path) -> None:
    theme(tmp_path)
    rows = study(1, "CT Herz", "CT", "SR") + study(2, "CT Herz", "CT", "SR") + study(3, "MR Fuss", "MR")
    project = make(rows + study(4, "CT Wirbelkanal", "CT") + study(5, "CT Wirbelkanal dorsal", "CT"), **SITE)
    normalize(project)
    assert json.loads(run(project, "unmapped", "--json")) == [
        {"text": "CT Herz", "modalities": "CT\\SR", "studies": 2},
        {"text": "MR Fuss", "modalities": "MR", "studies": 1},
    ]


def test_the_dictionary_grows_by_what_was_decided_and_then_needs_no_decision(make: Any, tmp_path: Path) -> None:
    theme(tmp_path, SMALL + "# the end of the house's list\n")
    project = make(study(1, "CT Wirbelkanal dorsal", "CT"), **SITE)
    text = json.dumps({"spelling": "ct wirbelkanal dorsal", "value": "C", "modalities": "CT"})
    number = decisions.record(project, "mapping", "site.procedures", text, verdict="map", who="Ann")
    table = tmp_path / "rules" / "site" / "tables" / "procedures.yaml"
    printed = run(project, "export")
    assert "# the end of the house's list" in printed
    entries = {entry["code"]: entry for entry in YAML(typ="safe").load(printed)["procedures"]}
    assert entries["C"]["spellings"] == ["ct wirbelkanal dorsal"]
    assert entries["B"]["spellings"] == ["CT spinal canal"]
    run(project, "export", "--out", str(table))
    decisions.undo(project, number, "Ann")
    normalize(project)
    found = Catalog(project).read("changes").filter(pl.col("attribute") == "StudyDescription").to_dicts()
    assert [(row["after"], row["state"], row["confidence"]) for row in found] == [
        ("CT Wirbelkanal zervikal", "approved", 1.0)
    ]
    assert run(project, "export") == table.read_text(encoding="utf-8"), "nothing is added twice"


def test_the_documented_example_is_so(make: Any, tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    rule = next(block for block in blocks if "\nrules:" in f"\n{block}")
    dictionary = next(block for block in blocks if "\nprocedures:" in f"\n{block}")
    folder = tmp_path / "rules" / "site"
    (folder / "tables").mkdir(parents=True)
    (folder / "pack.yaml").write_text("name: site\nversion: 1.0.0\nfiles: [procedures.yaml]\n", encoding="utf-8")
    (folder / "procedures.yaml").write_text(rule, encoding="utf-8")
    (folder / "tables" / "procedures.yaml").write_text(dictionary, encoding="utf-8")
    cells = re.findall(r"^\| `([^`]*)` \| `([^`]*)` \| (.*?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(cells) >= 6
    rows = [row for n, (text, of, _) in enumerate(cells) for row in study(n, text, *of.split(", "))]
    project = make(rows, **SITE)
    normalize(project)
    changes = {row["study_uid"]: row for row in Catalog(project).read("changes").to_dicts()}
    for number, (text, _, told) in enumerate(cells):
        change = changes.get(f"1.{number}")
        made = "left alone" if not change else f"`{change['after']}`"
        asked = ", a person is asked" if change and change["state"] == "proposed" else ""
        assert told == made + asked, text
