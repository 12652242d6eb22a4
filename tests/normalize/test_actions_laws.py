from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fonds.assess.definition import Check, Example, Examples
from fonds.assess.definition import load_all as load_checks
from fonds.assess.examples import wrong_examples
from fonds.catalog import schema
from fonds.normalize.basis import StewardAction
from fonds.normalize.compile import load_tables
from fonds.normalize.definition import SETTINGS, Placed, load_all, read_pack
from fonds.normalize.document import actions
from fonds.normalize.rules import Map
from fonds.project.folders import shipped
from fonds.project.settings import Project, load
from tests.normalize.acting import run

WORDS = st.sampled_from(
    [
        *(
            "MUELLER",
            "hans",
            "Dr.",
            "Prof",
            "Jr",
            "van",
            "O'NEILL",
            "ß",
            "山田",
            "たろう",
            "홍",
            "Anna",
            "TEST",
            "UNKNOWN",
        ),
        *("RAD-NORD", "4711", "0042", "1.2.840.0113619", "MÃ¼ller", "left", "LINKS", "yes", "axial", "ISO IR 100"),
    ]
)
SIGNS = st.sampled_from(["", " ", "  ", "^", "^^", "=", "\\", ",", ", ", "-", ".", "/", "@", "_", ":", "Z", "+01:00"])
DIGITS = st.from_regex(r"[0-9]{1,2}[-./:]?[0-9]{2}[-./:]?[0-9]{2}([0-9]{2})?([ T][0-9]{2}:[0-9]{2})?", fullmatch=True)
MIXED = st.lists(st.one_of(WORDS, SIGNS, DIGITS), max_size=7).map("".join)
PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
# a counterexample is found in a list of a hundred texts; shrinking it takes minutes and the message names the rule
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
CONTEXTS: list[dict[str, Any]] = [
    {},
    {"date_order": "us", "issuer": "RAD-NORD", "PatientID": "RAD-NORD^4711", "IssuerOfPatientID": "RAD-NORD"},
    {"date_order": "european", "StudyDate": "20190307", "OtherPatientIDs": "A\\B\\\\A", "charset": "ISO_IR 100"},
    {"issuer": "RAD-NORD", "accession_issuer": "RIS", "PatientID": "4711@RAD-NORD", "PatientName": "TEST^A"},
    {"doubtful_text": "PatientName=4dfc6c6c6572", "AccessionNumber": "A1", "accession_issuer": "RIS"},
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("laws")
    (root / "fonds.yaml").write_text("name: laws\nsources: {}\n", encoding="utf-8")
    return load(root)


@pytest.fixture(scope="module")
def rules(project: Project) -> list[Placed]:
    """Every shipped rule and the documented rule of every action; a lookup has tests of its own."""
    documented = read_pack(project, shipped() / "docs" / "actions").rules
    found = [*(placed for pack in load_all(project).values() for placed in pack.rules), *documented]
    assert {placed.rule.action for placed in found} == set(actions())
    return [placed for placed in found if placed.rule.action != "lookup"]


@pytest.fixture(scope="module")
def connection(rules: list[Placed]) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as opened:
        opened.execute("SET threads = 1")
        load_tables(opened, rules)
        yield opened


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(texts=st.lists(st.one_of(MIXED, PLAIN), min_size=60, max_size=120), context=st.sampled_from(CONTEXTS))
def test_a_rule_run_on_its_own_answer_changes_nothing(
    connection: duckdb.DuckDBPyConnection, rules: list[Placed], texts: list[str], context: dict[str, Any]
) -> None:
    for placed in rules:
        named = [example.before for example in placed.rule.examples]
        for word in placed.rule.attributes:
            # a list of items is JSON, which no text of an object is
            values = [None, "", *named] if word.endswith("Sequence") else [None, "", *named, *texts]
            rest = {name: value for name, value in context.items() if name != word}
            once = run(connection, placed, values, word, **rest)
            assert run(connection, placed, once, word, **rest) == once, (placed.rule.id, word)


def test_absent_stays_absent_and_empty_empty_unless_the_rule_fills(
    connection: duckdb.DuckDBPyConnection, rules: list[Placed]
) -> None:
    for placed in rules:
        empties = isinstance(placed.rule, Map) and "" in (placed.table or {})
        if not placed.rule.fills_or_empties() and not empties:
            for word in placed.rule.attributes:
                assert run(connection, placed, [None, ""], word) == [None, ""], (placed.rule.id, word)


LEGAL = {
    "DA": st.dates(datetime.date(1900, 1, 1)).map(lambda day: day.strftime("%Y%m%d")),
    "TM": st.times().map(lambda time: time.strftime("%H%M%S.%f")),
    "DT": st.dates(datetime.date(1900, 1, 1)).map(lambda day: day.strftime("%Y%m%d") + "140509.25+0100"),
    "CS": st.from_regex(r"[A-Z][A-Z0-9_]{0,13}[A-Z0-9](\\[A-Z]{2,16})?", fullmatch=True),
    "UI": st.from_regex(r"1(\.(0|[1-9][0-9]{0,8})){2,6}", fullmatch=True),
    "PN": st.from_regex(r"[B-V]{4,9}(-[B-V]{3,5})?\^[B-V][a-z]{7,9}(\^[B-V][a-z]{5,8})?", fullmatch=True),
    "id": st.from_regex(r"[A-Z]{0,2}[1-9][0-9]{2,8}", fullmatch=True),
}
KINDS = {
    "date": "DA",
    "short-date": "DA",
    "time": "TM",
    "datetime": "DT",
    "code": "CS",
    "uid": "UI",
    "trim": "PN",
    "split-name": "PN",
    "name-titles": "PN",
    "name-swap": "PN",
    "name-groups": "PN",
    "name-components": "PN",
    "flag": "PN",
    "misread": "PN",
    "issuer-split": "id",
}


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(values=st.fixed_dictionaries({kind: st.lists(one, min_size=40, max_size=40) for kind, one in LEGAL.items()}))
def test_what_is_right_is_left_alone_to_the_byte(
    connection: duckdb.DuckDBPyConnection, rules: list[Placed], values: dict[str, list[str]]
) -> None:
    tried = set()
    for placed in rules:
        kind = KINDS.get(placed.rule.action)
        if kind is not None:
            tried.add(placed.rule.action)
            for word in placed.rule.attributes:
                answer = run(connection, placed, values[kind], word, issuer="RAD-NORD", date_order="european")
                assert answer == values[kind], placed.rule.id
    assert tried == set(KINDS)


def test_what_only_proposes_needs_a_steward(rules: list[Placed]) -> None:
    asking = [placed for placed in rules if isinstance(placed.rule, StewardAction)]
    assert {"flag", "name-swap", "short-date", "uid", "misread"} <= {placed.rule.action for placed in asking}
    assert all(placed.rule.needs == "steward" for placed in asking)


def test_what_a_rule_fixed_passes_the_check_that_names_it(
    project: Project, connection: duckdb.DuckDBPyConnection, rules: list[Placed]
) -> None:
    """The examples of the rule, and the failing examples of the check once the rule has acted on them."""
    by_id = {placed.rule.id: placed for placed in rules}
    fixed, tried = [], 0
    for found in load_checks(project):
        if found.fix is None or found.fix not in by_id:
            continue  # none, another pack's, or what a person can do
        cases = [*_of_rule(by_id[found.fix], found, project), *_of_check(connection, by_id[found.fix], found)]
        tried += bool(cases)
        fixed.append(found.model_copy(update={"examples": Examples.model_construct(passes=tuple(cases), fails=())}))
    assert tried >= 10
    wrong = [line for line in wrong_examples(project, fixed) if "entities should fail" in line]
    assert wrong == []


def _of_rule(placed: Placed, found: Check, project: Project) -> Iterator[Example]:
    columns = set(schema.table(project, "instances").schema)
    for one in placed.rule.examples:
        word = one.of or placed.rule.attributes[0]
        if one.before != one.after and one.after and word in columns and word in _about(found):
            row = {name: value for name, value in one.given.items() if name in columns} | {word: one.after}
            told = {name: value for name, value in one.given.items() if name in SETTINGS}
            yield Example(name=f"{placed.rule.id}: {one.name}"[:120], rows=(row,), settings=told)


def _of_check(connection: duckdb.DuckDBPyConnection, placed: Placed, found: Check) -> Iterator[Example]:
    for one in found.examples.fails:
        rows, changed = [], False
        for row in one.rows:
            new = dict(row)
            for word in placed.rule.attributes:
                if word in row:
                    told = {key: value for key, value in {**one.settings, **row}.items() if isinstance(value, str)}
                    told.pop(word, None)
                    (new[word],) = run(connection, placed, [row[word]], word, **told)  # type: ignore[list-item]
            changed |= new != dict(row)
            rows.append(new)
        if changed and one.attribute in placed.rule.attributes:
            yield Example(name=one.name, rows=tuple(rows), settings=one.settings)


def _about(found: Check) -> set[str]:
    return {word for test in found.tests for word in test.attributes}
