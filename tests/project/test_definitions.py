from __future__ import annotations

from pathlib import Path

import pytest

from fonds.errors import DefinitionInvalid, ProjectNotFound
from fonds.project.definitions import read_yaml
from fonds.project.settings import load


def _project(folder: Path, text: str) -> Path:
    (folder / "fonds.yaml").write_text(text, encoding="utf-8")
    return folder


def test_every_mistake_is_listed_with_its_line_and_the_nearest_key(tmp_path: Path) -> None:
    _project(
        tmp_path,
        "name: x\nsources:\n  rad:\n    path: a\n    departmnt: radiology\ntarget:\n  kind: dicom\n  host: h\n"
        "  port: 99999\n  called_ae: A\n",
    )
    with pytest.raises(DefinitionInvalid) as caught:
        load(tmp_path)
    lines = dict(caught.value.mistakes)
    assert "did you mean 'department'" in lines[5]
    assert "65535" in lines[9]


@pytest.mark.parametrize(
    "hostile",
    [
        "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e]\n",
        "[" * 5000,
        "a: !!python/object/apply:os.system ['true']\n",
        "a: 1\na: 2\n",
        "\x00\x01",
    ],
)
def test_hostile_yaml_is_a_listed_mistake(tmp_path: Path, hostile: str) -> None:
    with pytest.raises(DefinitionInvalid):
        load(_project(tmp_path, hostile))


def test_yaml_that_is_not_text_is_a_listed_mistake(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(DefinitionInvalid, match="UTF-8"):
        read_yaml(tmp_path / "x.yaml")


def test_a_folder_without_settings_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ProjectNotFound, match="fonds init"):
        load(tmp_path)
