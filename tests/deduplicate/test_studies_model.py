from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from fonds.deduplicate.study_groups import groups
from fonds.deduplicate.study_model import StudyMatcher
from fonds.deduplicate.study_words import compare
from fonds.errors import DefinitionInvalid
from fonds.project.definitions import load_yaml
from fonds.project.folders import shipped

FILE = shipped() / "matchers/study.yaml"
MODEL = load_yaml(FILE, StudyMatcher)


def members(*edges: tuple[str, str, float, str, int, int]) -> list[tuple[list[str], float, str]]:
    found = groups(edges).group_by("group_id").agg(pl.col("study_uid").sort(), pl.col("score", "band").first())
    return sorted(found.select("study_uid", "score", "band").rows())


def test_a_chain_does_not_become_one_group() -> None:
    chain = [(f"1.{n}", f"1.{n + 1}", 0.5 + n / 100, "possible", 1, 1) for n in range(5)]
    assert [studies for studies, _, _ in members(*chain)] == [
        ["1.0", "1.1"],
        ["1.2", "1.3"],
        ["1.4", "1.5"],
    ]


def test_a_group_is_as_sure_as_its_weakest_pair() -> None:
    three = [
        ("1.1", "1.2", 1.0, "certain", 9, 9),
        ("1.1", "1.3", 0.9, "possible", 9, 9),
        ("1.2", "1.3", 0.8, "possible", 9, 9),
    ]
    assert members(*three) == [(["1.1", "1.2", "1.3"], 0.8, "possible")]
    assert members(*three[:2]) == [(["1.1", "1.2"], 1.0, "certain")]


def test_parts_of_one_study_hang_together_though_they_share_nothing() -> None:
    parts = [("1.1", "1.2", 1.0, "certain", 9, 4), ("1.1", "1.3", 1.0, "certain", 9, 5)]
    assert members(*parts) == [(["1.1", "1.2", "1.3"], 1.0, "certain")]
    assert members(parts[0], ("1.1", "1.3", 1.0, "certain", 9, 8)) == [(["1.1", "1.2"], 1.0, "certain")]


def test_a_groups_name_follows_from_its_members_alone() -> None:
    one, other = groups([("1.1", "1.2", 1.0, "certain", 1, 1)]), groups([("1.1", "1.2", 0.5, "possible", 3, 1)])
    assert one["group_id"].to_list() == other["group_id"].to_list()
    assert groups([("1.1", "1.3", 1.0, "certain", 1, 1)])["group_id"][0] != one["group_id"][0]
    assert groups([]).is_empty()


@pytest.mark.parametrize(
    ("a", "b", "least", "most", "words"),
    [
        ("CT CHEST", "CT THORAX", 100, 100, "agree"),
        ("CT HEAD W CONTRAST", "CT HEAD W O CONTRAST", 0, 100, "opposed"),
        ("CT HEAD W WO CONTRAST", "CT HEAD W O CONTRAST", 0, 100, "agree"),
        ("MRT KNIE LI", "MR KNEE RIGHT", 0, 100, "opposed"),
        ("ECHO REST", "ECHO STRESS", 0, 100, "opposed"),
        ("CT CHEST ABDOMEN", "CT ABDOMEN", 70, 99, "agree"),
        ("LWS 2 EBENEN", "L SPINE 2 VIEWS", 50, 90, "agree"),
        ("ALPHA", "OMEGA", 0, 50, None),
    ],
)
def test_words_of_two_languages_are_one_and_sides_are_told_apart(
    a: str, b: str, least: float, most: float, words: str | None
) -> None:
    [found] = compare(pl.DataFrame({"text_a": [a], "text_b": [b]}), MODEL).to_dicts()
    assert least <= found["description"] <= most
    assert found["words"] == words


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("is: [padding]", "is: [padded]", "accession is never padded"),
        ("{name: near, at_most: 20, weight: -1}", "{name: near, weight: -1}", "each level of minutes needs one of"),
        ("when: {side: [other]}", "when: {side: [left]}", "side has no level left"),
        ("certain: 0.99", "certain: 0.2", "bands need keep <= possible < certain"),
        ("same: pixels", "same: picture", "'candidates.3.same'"),
        ("  - name: side\n    levels", "  - name: device\n    levels", "a comparison stands twice"),
        ("right: [RIGHT,", "right: [LEFT,", "a word of the side vocabulary has two meanings"),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "study.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DefinitionInvalid, match=message.replace("[", r"\[")):
        load_yaml(file, StudyMatcher)
