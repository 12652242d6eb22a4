from __future__ import annotations

from pathlib import Path

import pytest

from tests.match.people import band, matched, people, person

SAME = {
    "umlaut the German way": (("Müller^Jürgen", "19610409", "M"), ("MUELLER^JUERGEN", "19610409", "M")),
    "umlaut dropped": (("Größl^Björn", "19610409", "M"), ("GROSSL^BJORN", "19610409", "M")),
    "components swapped": (("Weidinger^Inês", "19610409", "F"), ("INES^WEIDINGER", "19610409", "F")),
    "slip of the pen": (("Weidinger^Ursula", "19610409", "F"), ("WIEDINGER^URSULA", "19610409", "F")),
    "day and month": (("Weidinger^Ursula", "19610409", "F"), ("WEIDINGER^URSULA", "19610904", "F")),
    "title": (("Weidinger^Ursula^^Dr.", "19610409", "F"), ("WEIDINGER, URSULA", "19610409", "F")),
    "double-barrelled": (("Weidinger-Eich^Ursula", "19610409", "F"), ("Weidinger^Ursula", "19610409", "F")),
    "maiden name told": (("Weidinger geb. Eichinger^Ursula", "19610409", "F"), ("Eichinger^Ursula", "19610409", "F")),
    "Greek": (("Papadopoulos^Eleni", "19610409", "F"), ("Παπαδοπούλου^Ελένη", "19610409", "F")),
    "ideographic": (("Yamada^Tarou=山田^太郎", "19610409", "M"), ("山田^太郎", "19610409", "M")),
    "hyphen or space": (("Weidinger^Hans-Peter", "19610409", "M"), ("WEIDINGER^HANS^PETER", "19610409", "M")),
    "no carets": (("van der Berg^Ursula", "19610409", "F"), ("VAN DER BERG URSULA", "19610409", "F")),
}  # fmt: skip

APART = {
    "twins": (("Weidinger^Lena", "19900101", "F"), ("WEIDINGER^EVA", "19900101", "F"), "reject"),
    "brother and sister": (("Weidinger^Martin", "19900203", "M"), ("WEIDINGER^MARTINA", "19900203", "F"), "reject"),
    "father and son": (("Weidinger^Karl", "19400314", "M"), ("WEIDINGER^KARL", "19690411", "M"), "reject"),
    "father and son, one digit": (("Weidinger^Karl", "19400314", "M"), ("WEIDINGER^KARL", "19700314", "M"), "reject"),
    "default date": (("Weidinger^Ursula", "19610409", "F"), ("WEIDINGER^URSULA", "19000101", "F"), "review"),
    "two default dates": (("Weidinger^Ursula", "19000101", "F"), ("WEIDINGER^URSULA", "19000101", "F"), "review"),
    "no date": (("Weidinger^Ursula", "19610409", "F"), ("WEIDINGER^URSULA", "", "F"), "review"),
    "married": (("Weidinger^Ursula", "19610409", "F"), ("EICHINGER^URSULA", "19610409", "F"), "review"),
    "other sex": (("Weidinger^Sascha", "19610409", "F"), ("WEIDINGER^SASCHA", "19610409", "M"), "review"),
    "compound names of twins": (("Weidinger^Ji-won", "19900203", "F"), ("WEIDINGER^JI-WOO", "19900203", "F"), "review"),
    "compound and simple name": (("Weidinger^Jan-Erik", "19900203", "M"), ("WEIDINGER^JAN", "19900203", "M"), "review"),
    "second names differ": (("Weidinger^Anna Eva", "19900203", "F"), ("WEIDINGER^ANNA IDA", "19900203", "F"), "review"),
    "forms one letter apart": (("Weidinger^Maria", "19900203", "F"), ("WEIDINGER^MARIE", "19900203", "F"), "review"),
    "unknown names alike": (("Weidinger^Kayla", "19900203", "F"), ("WEIDINGER^KYLA", "19900203", "F"), "review"),
    "one sound, two spellings": (("Weidinger^Aly", "19900203", "M"), ("WEIDINGER^ALI", "19900203", "M"), "review"),
    "nickname": (("Weidinger^Katharina", "19610409", "F"), ("WEIDINGER^KAETHE", "19610409", "F"), "review"),
    "twins of one name": (("Weidinger^Hans", "19900203", "M"), ("WEIDINGER^JOHANNES", "19900203", "M"), "review"),
    "twins of one spelling": (("Haddad^Tarik", "19900203", "M"), ("HADDAD^TARIQ", "19900203", "M"), "review"),
    "Cyrillic, two ways": (("Schewtschenko^Sergej", "19610409", "M"), ("ШЕВЧЕНКО^SERGEY", "19610409", "M"), "review"),
    "Cyrillic, swapped": (("Schukow^Sergej", "19610409", "M"), ("СЕРГЕЙ^ЖУКОВ", "19610409", "M"), "review"),
    "names alike, both known": (("Weidinger^Lara", "19900203", "F"), ("WEIDINGER^LEA", "19900203", "F"), "reject"),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_one_person_spelled_in_two_ways_is_linked(tmp_path: Path, case: str) -> None:
    (name, birth, sex), (other, other_birth, other_sex) = SAME[case]
    _, found = matched(
        tmp_path, [person("rad", "A1", name, birth, sex), person("card", "B1", other, other_birth, other_sex)]
    )
    persons = dict(found.select("id", "person_id").rows())
    assert persons["A1"] == persons["B1"]
    assert found["settled"].all()
    assert found["person_id"].n_unique() == 9


@pytest.mark.parametrize("case", APART)
def test_what_is_not_sure_is_never_linked(tmp_path: Path, case: str) -> None:
    (name, birth, sex), (other, other_birth, other_sex), expected = APART[case]
    project, found = matched(
        tmp_path, [person("rad", "A1", name, birth, sex), person("card", "B1", other, other_birth, other_sex)]
    )
    persons = dict(found.select("id", "person_id").rows())
    assert persons["A1"] != persons["B1"]
    assert band(project, "A1", "B1")[0] == expected
    assert dict(found.select("id", "settled").rows())["A1"] == (expected == "reject")


def test_one_identifier_with_two_peoples_demographics_is_an_overlay(tmp_path: Path) -> None:
    project, found = matched(
        tmp_path,
        [person("rad", "A1", "Weidinger^Ursula", "19610409"), person("rad", "A1", "Kowalski^Hans", "19330212", "M")],
    )
    overlaid = found.filter(found["id"] == "A1")
    assert overlaid["person_id"].n_unique() == 2
    assert overlaid["reason"].to_list() == ["overlay", "overlay"]
    assert band(project, "A1", "A1") == ("review", "overlay")


def test_one_identifier_without_contradiction_is_one_person(tmp_path: Path) -> None:
    _, found = matched(
        tmp_path,
        [
            person("rad", "A1", "Weidinger^Ursula", "19610409"),
            person("rad", "A1", "WEIDINGER^URSULA^MARIA", "19000101"),
            person("rad", "A1", "", "19610409"),
        ],
    )
    mine = found.filter(found["id"] == "A1")
    assert mine["person_id"].n_unique() == 1
    assert mine["settled"].all()


def test_two_identifiers_of_one_issuer_wait_for_a_person(tmp_path: Path) -> None:
    project, found = matched(
        tmp_path,
        [person("rad", "A1", "Weidinger^Ursula", "19610409"), person("rad", "A2", "Weidinger^Ursula", "19610409")],
    )
    assert found.filter(found["name"] == "Weidinger^Ursula")["person_id"].n_unique() == 2
    assert band(project, "A1", "A2") == ("review", "two identifiers of one issuer")


def test_a_cluster_with_two_identifiers_of_one_issuer_goes_to_people_whole(tmp_path: Path) -> None:
    project, found = matched(
        tmp_path,
        [
            person("rad", "A1", "Weidinger^Ursula", "19610409"),
            person("rad", "A2", "Weidinger^Ursula", "19610409"),
            person("card", "B1", "WEIDINGER^URSULA", "19610409"),
        ],
    )
    mine = found.filter(found["id"].is_in(["A1", "A2", "B1"]))
    assert mine["person_id"].n_unique() == 3
    assert not mine["settled"].any()
    verdict, note = band(project, "A1", "B1")
    assert verdict == "review"
    assert "weakest link" in str(note)


@pytest.mark.parametrize(
    "name", ["BABY^GIRL", "TRAUMA^Schockraum", "UNKNOWN^UNKNOWN", "TEST^PATIENT", "^^^^", "DOE^JOHN"]
)
def test_a_placeholder_name_joins_nobody(tmp_path: Path, name: str) -> None:
    _, found = matched(tmp_path, [person("rad", "A1", name, "19610409"), person("card", "B1", name, "19610409")])
    persons = dict(found.select("id", "person_id").rows())
    assert persons["A1"] != persons["B1"]


@pytest.mark.parametrize("number", ["UNKNOWN", "0000", "TEST", ""])
def test_a_placeholder_identifier_joins_nobody(tmp_path: Path, number: str) -> None:
    project, _ = matched(
        tmp_path,
        [
            person("rad", number, "Weidinger^Ursula", "19610409"),
            person("rad", number, "Kowalski^Hans", "19330212", "M"),
        ],
    )
    mine = people(project).filter(people(project)["id"] == number)
    assert mine["person_id"].n_unique() == 2
    assert mine["settled"].all()
