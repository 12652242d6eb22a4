"""Private attributes in a project's attributes.yaml become columns; their mistakes are told."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from fonds.catalog.schema import Attributes, instances
from fonds.dicom.parsed import wanted
from fonds.dicom.private import PrivateAttribute
from fonds.errors import DefinitionInvalid
from fonds.project.definitions import load_yaml

GANTRY = '{name: GantryPeriod, tag: "(0019,xx27)", creator: GEMS_ACQU_01, vr: DS}'


def names(folder: Path, *entries: str) -> tuple[str, ...]:
    path = folder / "attributes.yaml"
    path.write_text("attributes:\n" + "".join(f"  - {entry}\n" for entry in entries), encoding="utf-8")
    return load_yaml(path, Attributes).names


def test_a_private_tag_is_a_column_of_its_name(tmp_path: Path) -> None:
    found = names(tmp_path, "PatientID", GANTRY)
    assert found == ("PatientID", "GantryPeriod")
    assert [name for name in instances(found).schema if name in found] == ["PatientID", "GantryPeriod"]
    private = pickle.loads(pickle.dumps(found))[1]
    assert isinstance(private, PrivateAttribute)
    assert private.definition == ("GantryPeriod", "(0019,xx27)", "GEMS_ACQU_01", "DS")


def test_the_same_name_for_another_element_is_another_definition(tmp_path: Path) -> None:
    one, other = names(tmp_path, GANTRY), names(tmp_path, GANTRY.replace("xx27", "xx28"))
    assert one != other
    assert wanted(one).private != wanted(other).private


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ((GANTRY, GANTRY), "named twice: GantryPeriod"),
        ((GANTRY.replace("0019", "0018"),), "tag"),
        ((GANTRY.replace("DS", "SQ"),), "SQ"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, entries: tuple[str, ...], what: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        wanted(names(tmp_path, *entries))
    assert any(what in text for _, text in caught.value.mistakes)
