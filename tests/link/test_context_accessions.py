from __future__ import annotations

import pytest

from fonds.catalog.store import Catalog
from fonds.project.settings import Project
from tests.handmade import write
from tests.link.around import gaps, linked, make, numbers, order, report, study

RULES = """
reports: {kinds: [report]}
accessions:
  placeholders: [NONE]
  crowd: 4
  one_issuer: [[RIS, "1.2.276.9"]]
sources:
  card: {prefixes: [C, "CV-"], suffix: '[-.][0-9]{1,3}'}
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Spellings and clashes side by side, each with persons of its own."""
    project = make(tmp_path_factory.mktemp("accessions") / "p", RULES)
    studies = [
        # one number, spelled in five ways
        study("rad", "1.1", "A", "A-000123"),
        study("old", "1.1", "A", " a123 "),
        study("old", "1.2", "A", "A 0123"),
        # separators between digits hold numbers apart, until a person has both
        study("rad", "1.3", "B", "1-23"),
        study("rad", "1.4", "C", "12-3"),
        study("rad", "1.5", "D", "2021-00123"),
        study("old", "1.6", "D", "202100123"),
        # what is declared before and behind
        study("card", "2.1", "E", "CV-0815-2"),
        study("card", "2.2", "F", "C0816.001"),
        study("card", "2.3", "G", "CX77"),
        # words, zeros, a repeated digit and a crowd
        study("rad", "3.1", "H", "none"),
        study("rad", "3.2", "H", "0000"),
        *(study("rad", f"3.3{one}", f"I{one}", "99999") for one in range(3)),
        *(study("rad", f"3.4{one}", f"J{one}", "4711") for one in range(5)),
        study("rad", "3.5", "K", "5555"),
        # one number on two persons: settled, not settled, of two issuers, of two archives nobody knows the issuer of
        study("rad", "4.1", "L", "600"),
        study("rad", "4.2", "M", "0600"),
        study("rad", "4.3", "L", "601"),
        study("rad", "4.4", "OPEN", "601"),
        study("rad", "4.5", "L", "602"),
        study("card", "4.6", "M", "602"),
        study("old", "4.7", "L", "603"),
        study("rad", "4.8", "M", "603", IssuerOfAccessionNumberEntityID="1.2.276.9"),
        study("old", "4.9", "L", "604", IssuerOfAccessionNumberEntityID="1.2.276.9"),
        study("rad", "4.10", "M", "604"),
        # one person in two archives, two studies under one number, one study twice
        study("rad", "5.1", "L", "700"),
        study("card", "5.1", "L", "700"),
        study("rad", "5.2", "L", "701"),
        study("rad", "5.3", "L", "701"),
        # numbers of Request Attributes Sequence, and one that a rule mended
        study("rad", "6.1", "L", "", RequestAccessionNumbers=["800", "0801 "]),
        study("rad", "6.2", "M", None, RequestAccessionNumbers=["801"]),
        study("rad", "6.3", "L", "88-wrong"),
    ]
    change = {"source": "rad", "location": "6.3-CT", "attribute": "AccessionNumber", "path": "(0008,0050)"}
    write(project, "changes", [{**change, "after": "802", "state": "approved"}])
    linked(project, studies, [order("o", accession="cv-0815")], unsettled=("OPEN",))
    return project


def test_spellings_of_one_number_have_one_key(told: Project) -> None:
    found = numbers(told)
    assert {key for (_, text), (key, _, _) in found.items() if "123" in text and "a" in text.lower()} == {"A123"}
    assert found["rad", "A-000123"][1] == "padding"
    assert found["rad", "1-23"][0] != found["rad", "12-3"][0]
    assert found["rad", "2021-00123"][0] == found["old", "202100123"][0]
    assert found["rad", "802"][:2] == ("802", "as-written")
    assert ("rad", "88-wrong") not in found
    assert ("rad", "0801 ") in found


def test_only_what_is_declared_goes_before_and_behind(told: Project) -> None:
    found = numbers(told)
    assert found["card", "CV-0815-2"][:2] == ("815", "prefix")
    assert found["card", "C0816.001"][:2] == ("816", "prefix")
    assert found["card", "CX77"][:2] == ("X77", "prefix")
    # the feed ris declares nothing
    assert found["ris", "cv-0815"][0] == "CV815"


def test_what_stands_where_no_number_was_known_is_none(told: Project) -> None:
    found = numbers(told)
    for text in ("none", "0000", "99999", "4711"):
        assert found["rad", text] == (None, "placeholder", None), text
    assert found["rad", "5555"][0] == "5555"


def test_a_number_on_two_persons_is_told_only_when_they_are_two(told: Project) -> None:
    found = numbers(told)
    assert found["rad", "600"][2] == found["rad", "0600"][2] == "two-patients"
    assert found["rad", "601"][2] == "several-studies"
    assert found["rad", "602"][2] == found["card", "602"][2] == "site-collision"
    assert found["old", "603"][2] == found["rad", "603"][2] == "site-collision"
    # two names of one issuer
    assert found["old", "604"][2] == found["rad", "604"][2] == "two-patients"
    assert found["rad", "700"][2] is found["card", "700"][2] is None
    assert found["rad", "701"][2] == "several-studies"
    assert found["rad", "801"][2] == found["rad", "0801 "][2] == "two-patients"
    assert gaps(told, "accession-on-two-patients") == {
        ("accession-on-two-patients", "rad", "4.1", "600"),
        ("accession-on-two-patients", "rad", "4.2", "600"),
        ("accession-on-two-patients", "old", "4.9", "604"),
        ("accession-on-two-patients", "rad", "4.10", "604"),
        ("accession-on-two-patients", "rad", "6.1", "801"),
        ("accession-on-two-patients", "rad", "6.2", "801"),
    }
    assert {gap[2] for gap in gaps(told, "accession-collision")} == {"4.5", "4.6", "4.7", "4.8"}


def test_counts_and_messages_tell_no_number(told: Project) -> None:
    rows = Catalog(told).read("accessions").to_dicts()
    of = {(row["source"], row["accession"]): row for row in rows}
    assert (of["rad", "701"]["studies"], of["rad", "701"]["persons"]) == (2, 1)
    assert (of["ris", "cv-0815"]["studies"], of["ris", "cv-0815"]["problem"]) == (0, None)
    messages = {row["message"] for row in Catalog(told).read("gaps").to_dicts() if "accession-" in row["kind"]}
    assert messages
    assert not [text for text in messages if any(sign.isdigit() for sign in text)]


LETTERS = {"R": (1000, 3, 0), "S": (2000, 2, 0), "T": (3000, 3, 3)}
"""Prefix: first number, how many meet the same person, how many another one."""


@pytest.fixture(scope="module")
def learning(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """An archive that writes letters before numbers which the RIS writes bare."""
    project = make(tmp_path_factory.mktemp("learning") / "p")
    same = {"StudyDate": "20210304", "IssuerOfAccessionNumberEntityID": "RIS"}
    studies, told = [], []
    for prefix, (first, meets, misses) in LETTERS.items():
        # and one that meets nobody
        studies.append(study("old", f"{first}.9", "P9", f"{prefix}{first + 900}", **same))
        told.append(report(f"late{prefix}", None, accession=str(first + 900), issued="2021-03-05"))
        for one in range(meets + misses):
            studies.append(study("old", f"{first}.{one}", f"P{prefix}{one}", f"{prefix}{first + one}", **same))
            whose = f"P{prefix}{one}" if one < meets else "P9"
            told.append(report(f"{prefix}{one}", whose, accession=f"00{first + one}", issued="2021-03-05T08:00:00"))
    linked(project, studies, [], told)
    return project


@pytest.mark.parametrize(("prefix", "learned"), [("R", True), ("S", False), ("T", False)])
def test_a_prefix_is_learned_from_many_that_meet(learning: Project, prefix: str, learned: bool) -> None:
    found, first = numbers(learning), LETTERS[prefix][0]
    written = f"{prefix}{first}"
    assert found["old", written][:2] == ((str(first), "prefix") if learned else (written, "as-written"))
    # then it counts for numbers that meet nobody, too
    assert (found["old", f"{prefix}{first + 900}"][0] == found["ris", str(first + 900)][0]) is learned
