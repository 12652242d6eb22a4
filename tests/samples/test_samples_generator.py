"""The generator: the same arguments give the same bytes, blocks stand alone, settings agree, clean objects validate."""

from __future__ import annotations

import csv
import hashlib
import subprocess
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian
from ruamel.yaml import YAML

from fonds.errors import DefinitionInvalid
from fonds.project.folders import shipped
from fonds.project.settings import Settings
from fonds.samples import SOURCES, generate
from fonds.samples.__main__ import SMALL as SETTINGS
from fonds.samples.recipe import load_recipe
from tests.parts import require

SMALL = shipped() / "data_samples" / "small"


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("again")
    generate(folder, **SETTINGS)
    return folder


def test_the_committed_set_is_what_the_generator_writes(again: Path) -> None:
    assert digests(again) == digests(SMALL)


def test_blocks_are_written_alike_by_several_processes(again: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    counts = generate(more, patients=80, instances_per_study=1, seed=1, faults=False, workers=2)
    generate(tmp_path / "one", patients=80, instances_per_study=1, seed=1, faults=False)
    assert digests(more) == digests(tmp_path / "one")
    # beside the files: the tables of the truth, the export, the index, orders and reports
    assert counts["files"] == counts["persons"] == len(digests(more)) - 18
    assert counts["faults"] == 0


def test_another_seed_is_another_population(tmp_path: Path) -> None:
    generate(tmp_path / "a", patients=3, instances_per_study=1, seed=1)
    generate(tmp_path / "b", patients=3, instances_per_study=1, seed=2)
    assert not set(digests(tmp_path / "a").values()) & {
        # of three persons no identifier may have been merged: then that table is its header
        digest
        for name, digest in digests(tmp_path / "b").items()
        if not name.startswith(("truth/", "feeds/merges"))
    }


def test_what_lay_there_is_replaced(tmp_path: Path) -> None:
    stale = tmp_path / "radiology" / "stale.dcm"
    stale.parent.mkdir()
    stale.write_bytes(b"old")
    generate(tmp_path, patients=1, instances_per_study=1)
    assert not stale.exists()


def test_the_demo_names_the_same_sources() -> None:
    raw = YAML(typ="safe").load((shipped() / "data_samples" / "demo.yaml").read_text(encoding="utf-8"))
    demo = Settings.model_validate(raw)
    assert [name for name in demo.sources if name in SOURCES] == list(SOURCES)
    for name, settings in SOURCES.items():
        want = {**settings, "path": f"${{samples}}/{settings['path']}", "packs": tuple(settings["packs"])}
        assert demo.sources[name].model_dump(include=set(want)) == want


def test_recipe_mistakes_are_told_together(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "faults:\n- {id: X1, title: a, means: b, chekcs: [IN-01], set: {PatientID: x}}\n"
        "- {id: X2, title: a, means: b, where: {source: kitchen}, set: {PatientID: x}}\nnot_shown: {}\n",
        encoding="utf-8",
    )
    with pytest.raises(DefinitionInvalid) as caught:
        load_recipe(recipe)
    text = str(caught.value)
    assert "did you mean 'checks'" in text
    assert "kitchen" in text


def clean_samples() -> list[Path]:
    """One file of every department, kind of object and transfer syntax that no fault was put into."""
    with (SMALL / "truth" / "faults.csv").open(encoding="utf-8", newline="") as file:
        faulty = {SMALL / row["source"] / row["location"] for row in csv.DictReader(file)}
    kinds: dict[tuple[str, str, str], Path] = {}
    for path in sorted(SMALL.rglob("*.dcm")):
        if path not in faulty:
            ds = pydicom.dcmread(path, specific_tags=["SOPClassUID"])
            kinds.setdefault((path.parts[-3], ds.SOPClassUID, ds.file_meta.TransferSyntaxUID), path)
    return list(kinds.values())


def test_clean_objects_satisfy_dciodvfy(tmp_path: Path) -> None:
    require("dciodvfy", "dicom3tools")
    errors = []
    samples = clean_samples()
    assert len(samples) > 20
    for path in samples:
        ds = pydicom.dcmread(path)
        checked = path
        if ds.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:  # dciodvfy doesn't inflate
            ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            checked = tmp_path / "inflated.dcm"
            ds.save_as(checked)
        answer = subprocess.run(["dciodvfy", str(checked)], capture_output=True, check=False)
        lines = (answer.stdout + answer.stderr).decode("utf-8", "replace").splitlines()
        errors += [f"{path.relative_to(SMALL)}: {line}" for line in lines if line.startswith("Error")]
    assert not errors
