"""A pack is data from outside: whatever is written in it, nothing runs, nothing else is read, and loading ends soon."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from fonds.catalog.store import Catalog
from fonds.errors import DefinitionInvalid
from fonds.normalize import normalize
from fonds.normalize.definition import load, settings_file
from fonds.normalize.examples import check
from fonds.project.settings import Project
from tests.normalize.acting import a_rule, answers
from tests.normalize.packs import configured, site_pack

INJECTION = "x'); DROP TABLE instances; SELECT read_text('/etc/passwd'); --"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
FILES = {
    "anchors that multiply": BOMB + "rules: *i\n",
    "an object of Python": "rules: !!python/object/apply:os.system ['touch /tmp/fonds-hostile']\n",
    "a module of Python": "rules: !!python/name:os.system\n",
    "deep lists": "rules: " + "[" * 300 + "]" * 300 + "\n",
    "deep mappings": "".join(" " * depth + "a:\n" for depth in range(200)),
    "a huge file": "rules: [" + "x, " * 800_000 + "]\n",
    "bytes that are no text": b"rules: \xff\xfe\x00",
    "a null sign": b"rules: [\x00]\n",
    "a merge of itself": "rules: &r\n  - <<: *r\n",
    "nothing": "",
    "a number": "1e999\n",
    "two documents": "rules: []\n---\nrules: []\n",
    "a key twice": "rules: []\nrules: []\n",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_pack_is_a_mistake_and_costs_little(make: Any, tmp_path: Path, name: str) -> None:
    content = FILES[name]
    site_pack(tmp_path, "site", "")
    (tmp_path / "rules" / "site" / "theme.yaml").write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )
    started = time.process_time()
    with pytest.raises(DefinitionInvalid) as caught:
        _site(make())
    assert time.process_time() - started < 10
    assert "theme.yaml" in str(caught.value)
    assert not Path("/tmp/fonds-hostile").exists()


# what each key says to a text that is SQL, and to numbers and sizes beyond all bounds
REFUSED = [
    ('action: code; terms: ["X\'; DROP TABLE instances"]', "terms"),
    ("action: name-titles; prefixes: [\"Dr' || read_text('/etc/passwd')\"]", "prefixes"),
    ("action: name-titles; suffixes: ['(a+)+$']", "suffixes"),
    ('action: name-case; needs: steward; particles: ["x\'); --"]', "particles"),
    ("action: short-date; needs: steward; pivot: 99999999999999999999999", "pivot"),
    ("action: short-date; needs: steward; pivot: -1", "pivot"),
    ('action: short-date; needs: steward; pivot: 1; not_after: "StudyDate\'; --"', "not_after"),
    ("action: short-date; pivot: 30", "steward"),
    ("action: name-swap; table: {ANNA: []}", "steward"),
    ("action: name-swap; needs: steward; table: ../../../etc/passwd", "table"),
    ('action: flag; needs: steward; values: [x]; propose: "a\\\\b"', "propose"),
    ("action: zeros; pad: 1000000000", "pad"),
    ("action: zeros; pad: 8; strip: true", "exactly one"),
    ("action: datetime; confidence: .nan", "confidence"),
    ("action: datetime; confidence: 1e400", "confidence"),
    ("action: datetime; version: 0x7fffffffffffffffffffffff; late: 7", "late"),
    ("action: misread; needs: nobody", "needs"),
    ("action: uid; needs: steward; replac: x", "replac"),
    ("action: regex; replacements: [{pattern: a, replace: '" + r"\0" * 21 + "'}]", "20 times"),
    ("action: charset-candidates; needs: steward; terms: [EBCDIC]", "terms"),
    ("action: issuer-split; needs: steward; forms: [ISSUER^ID]", "IssuerOfPatientID, PatientID"),
    ("action: issuer-split; needs: steward; forms: ['(.*)']", "forms"),
    ("action: other-ids", "OtherPatientIDsSequence"),
    ('action: issuer-qualifiers; issuers: {A: {id: "1\'2", type: ISO}}', "issuers"),
    ("action: 'map''; DROP TABLE x'; table: {A: [b]}", "action"),
]


@pytest.mark.parametrize(("rest", "says"), REFUSED, ids=[rest[:60] for rest, _ in REFUSED])
def test_a_hostile_value_is_a_mistake_with_its_line(make: Any, rest: str, says: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        a_rule(make(), "StationName", rest)
    assert any(line is not None and says in text for line, text in caught.value.mistakes), caught.value.mistakes


TEXTS = {
    "map": f'action: map; table: {{"{INJECTION}": [evil]}}',
    "flag": f'action: flag; needs: steward; values: ["{INJECTION}", evil]; propose: "{INJECTION}"',
    "regex": f'action: regex; replacements: [{{pattern: evil, replace: "{INJECTION}"}}]',
}


@pytest.mark.parametrize("action", TEXTS)
def test_sql_in_a_text_stays_text(make: Any, action: str) -> None:
    # `; ` parts the lines of a_rule
    placed = a_rule(make(), "StationName", TEXTS[action].replace(INJECTION, INJECTION.replace("; ", ";")))
    assert answers(placed, ["evil"]) == [INJECTION.replace("; ", ";")]


def test_sql_in_titles_names_and_reasons_reaches_no_query(make: Any, tmp_path: Path) -> None:
    theme = (
        f'rules:\n  - id: site.one\n    title: "{INJECTION}"\n    attributes: [StationName]\n    action: code\n'
        f'    examples:\n      - {{name: "{INJECTION}", before: "a", after: A, given: {{StudyID: "{INJECTION}"}}}}\n'
    )
    site_pack(tmp_path, "site", theme, description=f'"{INJECTION}"')
    project = make([{"StationName": "ct"}], radiology=configured({"packs": ["base@1", "site@1"]}))
    normalize(project)
    assert Catalog(project).read("changes").filter(attribute="StationName")["after"].to_list() == ["CT"]
    assert Catalog(project).read("instances").height == 1


def test_a_pattern_cannot_make_a_value_grow_without_end(make: Any) -> None:
    doubling = ", ".join([r"{pattern: '(?s)^(.+)$', replace: '\1\1\1\1\1\1\1\1'}"] * 50)
    placed = a_rule(make(), "StationName", f"action: regex; replacements: [{doubling}]")
    started = time.process_time()
    assert answers(placed, ["x" * 1000] * 60 + [None, ""]) == ["x" * 1000] * 60 + [None, ""]
    assert time.process_time() - started < 20


def test_a_text_longer_than_any_value_is_left_alone(make: Any) -> None:
    placed = a_rule(make(), "PatientComments", "action: regex; replacements: [{pattern: '^x', replace: ''}]")
    long = "x" * 20_000
    assert answers(placed, ["xy", long]) == ["y", long]


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("conditon: 'true'", "condition"), ("sourc: [radiology]", "source")],
)
def test_a_mistyped_key_is_told_with_the_nearest_one(make: Any, wrong: str, near: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        a_rule(make(), "StationName", f"action: code; scope: {{{wrong}}}")
    assert any(line == 6 and f"did you mean '{near}'" in text for line, text in caught.value.mistakes)


def _site(project: Project) -> None:
    check(load(project, ("site@1",), settings_file(project))["site"].rules)
