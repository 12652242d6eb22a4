from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from fonds.normalize.basis import BaseRule
from fonds.normalize.definition import load_all, read_pack
from fonds.normalize.document import SHOWN_ORDER, action_pages, actions
from fonds.normalize.examples import check
from fonds.project.folders import shipped
from tests.normalize.packs import configured

HOME = shipped()
PAGE = HOME / "docs" / "rules.md"


@pytest.mark.parametrize("name", SHOWN_ORDER)
def test_every_shipped_file_names_its_schema(name: str) -> None:
    for path in sorted((HOME / "rules" / name).rglob("*.yaml")):
        if path.name == "attributes.yaml":
            continue
        first = path.read_text(encoding="utf-8").splitlines()[0]
        schema = first.removeprefix("# yaml-language-server: $schema=")
        assert (path.parent / schema).is_file(), path


def test_the_documented_rules_are_a_pack_that_loads(make: Any, tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    themes = [block for block in blocks if "\nrules:\n" in f"\n{block}"]
    assert len(themes) >= 2
    folder = tmp_path / "rules" / "site"
    folder.mkdir(parents=True)
    names = [f"theme{number}.yaml" for number in range(len(themes))]
    for name, block in zip(names, themes, strict=True):
        (folder / name).write_text(block, encoding="utf-8")
    with (folder / "pack.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"name": "site", "version": "1.0.0", "extends": ["base@1"], "files": names}, file)
    project = make(radiology=configured({"packs": ["base@1", "radiology@1", "site@1"]}))
    assert len(load_all(project)["site"].rules) == len(themes)


def test_every_action_has_a_page_with_a_rule_that_does_what_it_says(make: Any) -> None:
    project = make()
    documented = read_pack(project, HOME / "docs" / "actions")
    check(documented.rules)
    shown = {placed.rule.action for placed in documented.rules} | {"lookup"}
    assert shown == set(actions())
    pages = action_pages(load_all(project), documented)
    for placed in documented.rules:
        page = pages[placed.rule.action]
        assert f"- id: {placed.rule.id}\n" in page
        assert all(example.name in page for example in placed.rule.examples)
        own = set(type(placed.rule).model_fields) - set(BaseRule.model_fields) - {"action"}
        assert all(f"| `{key}` | " in page and f"| `{key}` |  |" not in page for key in own), placed.rule.action


def test_the_documented_table_file_loads() -> None:
    from fonds.normalize.rules import TableFile

    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    tables = [YAML(typ="safe").load(block) for block in blocks if "\nterms:\n" in block]
    assert [set(TableFile.model_validate(table).terms) for table in tables] == [{"CT-RAUM-2", "MR-RAUM-1"}]
