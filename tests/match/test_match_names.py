from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonds.errors import DefinitionInvalid
from fonds.match import names
from fonds.match.components import components
from fonds.match.definition import Names
from fonds.project.definitions import load_yaml
from fonds.project.folders import shipped

FILE = shipped() / "matchers/tables/names.yaml"
NAMES = load_yaml(FILE, Names)
FOLDER = names.Folder(NAMES)


def _forms(name: str) -> set[str]:
    return set(FOLDER.forms.get(names.key("".join(names.words(name))), []))


@given(st.text(max_size=30))
def test_folding_any_text_gives_plain_words(text: str) -> None:
    family, first = FOLDER.family(text), FOLDER.given(text)
    found = [*names.words(text), *family["family_parts"], *first["given_tokens"]]
    found += [value for made in (family, first) for value in made.values() if isinstance(value, str)]
    assert all(word.isascii() and word.isalnum() and word == word.upper() for word in found)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40))
def test_taking_any_name_apart_gives_one_row_of_plain_text(text: str) -> None:
    (row,) = components(pl.Series([text, text]), FOLDER).to_dicts()
    assert row["family_text"].isascii()
    assert row["given_text"].isascii()
    assert "=" not in row["shown_family"] + row["shown_given"]
    assert row["family_text"] or row["given_text"] or row["native"] or row["name_why"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bob", "Robert"), ("Käthe", "Katharina"), ("Pepe", "José"), ("Gigi", "Luigi"),
        ("Mehmet", "Muhammad"), ("محمد", "Mohamed"), ("Sasha", "Александр"), ("Олена", "Helena"),
        ("Giannis", "Ιωάννης"),
        ("Małgorzata", "Margarete"), ("Pista", "István"), ("Jirka", "Georg"), ("Kees", "Cornelis"), ("Lasse", "Lars"),
        ("Concha", "Concepción"), ("Yusuf", "Josef"), ("Ayşe", "Aisha"), ("Nuno", "Nunes"), ("Toon", "Anton"),
    ],
)  # fmt: skip
def test_forms_of_one_name_share_a_line(one: str, other: str) -> None:
    same = names.key("".join(names.words(one))) == names.key("".join(names.words(other)))
    assert same or _forms(one) & _forms(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna", "Eva"), ("Lena", "Eva"), ("Lara", "Lea"), ("Martin", "Matthias"), ("Jürgen", "Günter"),
        ("Olga", "Helga"),
        ("Dieter", "Dietmar"), ("Maria", "Martha"), ("Paul", "Peter"), ("Ahmed", "Mehmet"), ("Ali", "Alina"),
        ("Hasan", "Hüseyin"), ("Karl", "Kurt"), ("Marie", "Margarete"), ("Sofia", "Stefanie"), ("Jan", "Jakob"),
        ("Albert", "Herbert"), ("Lea", "Lia"), ("Waldemar", "Wladimir"), ("Nikola", "Nina"), ("Peter", "Petra"),
    ],
)  # fmt: skip
def test_two_names_of_siblings_share_no_line(one: str, other: str) -> None:
    assert _forms(one)
    assert _forms(other)
    assert not _forms(one) & _forms(other)


def test_the_table_says_nothing_twice() -> None:
    lines = [frozenset(names.key("".join(names.words(word))) for word in line.split()) for line in NAMES.given]
    assert len(lines) > 1500
    assert [line for line, count in Counter(lines).items() if count > 1] == []
    assert all(len(line) == len(text.split()) for line, text in zip(lines, NAMES.given, strict=True))
    assert all(len(word) > 1 for line in lines for word in line)


@pytest.mark.parametrize(
    ("name", "family", "first", "why"),
    [
        ("BABY BOY SMITH", "SMITH", "", "newborn"), ("SMITH^BABYGIRL A", "SMITH", "", "newborn"),
        ("Schmidt^Neugeborenes", "SCHMIDT", "", "newborn"), ("B/O Smith", "SMITH", "", "newborn"),
        ("Sohn von Schmidt", "SCHMIDT", "", "newborn"), ("García^RN de María", "GARCIA", "", "newborn"),
        ("Noworodek Kowalska", "KOWALSKA", "", "newborn"), ("UNKNOWN^Maria", "", "MARIA", None),
        ("Smith^Unbekannt", "SMITH", "", "unknown"), ("Baby^Maria", "BABY", "MARIA", None),
        ("Test^Otto", "TEST", "OTTO", None), ("Testa^Anna", "TESTA", "ANNA", None),
        ("Girlach^Eva", "GIRLACH", "EVA", None), ("Blank^Anna", "BLANK", "ANNA", None),
        ("Li^Na", "LI", "NA", None), ("Sohn^Eva", "SOHN", "EVA", None),
        ("Weidinger^Konstanze", "WEIDINGER", "KONSTANZE", None),
    ],
)  # fmt: skip
def test_what_is_left_of_a_name(name: str, family: str, first: str, why: str | None) -> None:
    (row,) = components(pl.Series([name]), FOLDER).to_dicts()
    assert (row["family_text"], row["given_text"], row["given_why"]) == (family, first, why)
    assert row["name_why"] is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("TEST^PATIENT", "test"), ("Test", "test"), ("Müller^Test", "test"), ("PHANTOM^QA", "test"),
        ("DOE^JOHN", "alias"),
        ("John Doe", "alias"), ("Trauma 17", "trauma"), ("Schockraum^Nord", "trauma"), ("НЕИЗВЕСТНЫЙ", "unknown"),
        ("N.N.", "unknown"), ("UNKNOWN^MALE", "unknown"), ("Anonymous^Anonymous", "anonymous"),
        ("BABY^GIRL", "newborn"),
        ("do not use^Weidinger", "withdrawn"), ("<script>^x", "markup"), ("^^^", "absent"), ("???", "unknown"),
        ("NOTFALL^MAENNLICH", "trauma"), ("TEST^BABY", "test"), ("Unknown^Baby", "unknown"),
    ],
)  # fmt: skip
def test_what_names_nobody_says_what_it_is(name: str, why: str) -> None:
    (row,) = components(pl.Series([name]), FOLDER).to_dicts()
    assert (row["family_text"], row["given_text"], row["name_why"]) == ("", "", why)


def test_twins_without_a_name_keep_their_letter() -> None:
    made = components(pl.Series(["SMITH^BABY BOY A", "SMITH^TWIN B", "SMITH^BABYGIRL2", "SMITH^BABY"]), FOLDER)
    assert dict(made.select("PatientName", "twin").rows()) == {
        "SMITH^BABY BOY A": "1", "SMITH^TWIN B": "2", "SMITH^BABYGIRL2": "2", "SMITH^BABY": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("    markup: ['(']", "unclosed group"),
        ("    markup: ['(?=a)']", "look-around"),
        ("    markup: ['X*']", "found in every value"),
        ("    markup: ['a{1000}{1000}']", "size limit"),
    ],
)
def test_a_pattern_that_cannot_be_answered_is_refused_by_line(tmp_path: Path, written: str, message: str) -> None:
    head = FILE.read_text(encoding="utf-8").partition("given: |")[0]
    place = head.splitlines().index("    markup:")
    lines = head.splitlines()
    (tmp_path / "names.yaml").write_text("\n".join([*lines[:place], written, *lines[place + 2 :], "given: |", "  Ada"]))
    with pytest.raises(DefinitionInvalid, match=message) as refused:
        load_yaml(tmp_path / "names.yaml", Names)
    assert refused.value.mistakes[0][0] == place + 1


def test_marks_between_names_are_refused_by_line(tmp_path: Path) -> None:
    head = FILE.read_text(encoding="utf-8").partition("given: |")[0]
    (tmp_path / "names.yaml").write_text(head + "given: |\n  Ada\n  # a remark\n  Bob, Robert\n")
    with pytest.raises(DefinitionInvalid, match="line 3 of this text"):
        load_yaml(tmp_path / "names.yaml", Names)
