"""What the actions write into `changes`: sequences, candidates, rules that act late, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fonds.catalog import schema
from fonds.catalog.store import Catalog
from fonds.errors import DefinitionInvalid
from fonds.normalize import normalize
from fonds.normalize.charsets import charset_candidates
from fonds.normalize.order import pipelines
from fonds.project.settings import Project
from tests.normalize.acting import a_rule, answers
from tests.normalize.packs import a_map, configured, site_pack

NAMES = [
    ("Prof. Dr. med. Mueller^Hans", "Mueller^Hans^^Prof. Dr. med."),
    ("Prof.Dr.Mueller^Hans", "Prof.Dr.Mueller^Hans"),
    ("MUELLER DR^HANS", "MUELLER^HANS^^DR"),
    ("Mueller, Dr. Hans", "Mueller^Hans^^Dr."),
    ("DR MUELLER", "MUELLER^^^DR"),
    ("King^Martin Luther Jr.", "King^Martin Luther^^^Jr."),
    ("Mueller^Hans III", "Mueller^Hans^^^III"),
    ("Frau^Anna", "Frau^Anna"),
    ("Dräger^Herrmann", "Dräger^Herrmann"),
    ("Mueller^Hans^^^^Dr.^x", "Mueller^Hans^^^Dr. x"),
    ("Herr Dr. Yamada^Taro=山田^太郎", "Yamada^Taro^^Herr Dr.=山田^太郎"),
    ("山田^太郎=YAMADA^TARO=ヤマダ^タロウ", "YAMADA^TARO=山田^太郎=ヤマダ^タロウ"),
    ("HONG^GILDONG=홍^길동", "HONG^GILDONG==홍^길동"),
    ("Anna^Mueller", "Mueller^Anna"),
    ("^^^", ""),
    ("unknown", ""),
    ("MÃ¼ller^JÃ¶rg", "Müller^Jörg"),
    ("A^B\\Dr. C^D", "A^B\\Dr. C^D"),
]


def test_names(make: Any) -> None:
    project = make([{"PatientName": before} for before, _ in NAMES])
    normalize(project)
    made = _after(project, "PatientName")
    assert [made.get(f"o{number}", before) for number, (before, _) in enumerate(NAMES)] == [after for _, after in NAMES]


def test_capitals_change_only_when_a_sites_pack_asks(make: Any) -> None:
    project = make([{"PatientName": "VAN DER BERG^ANNA"}])
    normalize(project)
    assert _after(project, "PatientName") == {}
    placed = a_rule(project, "PatientName", "action: name-case; needs: steward")
    given = ["VAN DER BERG^ANNA", "VAN^ANNA", "D'ANGELO-MCKAY^IAN JR=山田", "ÖZ^ÇELİK", "MacKay^IAN", "X^Y", "17", ""]
    wanted = ["van der Berg^Anna", "Van^Anna", "D'Angelo-McKay^Ian Jr=山田", "Öz^Çelik", "MacKay^IAN", "X^Y", "17", ""]
    assert [text and text.replace("i̇", "i") for text in answers(placed, given)] == wanted


def test_other_patient_ids_join_the_items_that_are_there(make: Any) -> None:
    project = make([{"OtherPatientIDs": "17\\A9"}, {"OtherPatientIDs": "17"}, {"OtherPatientIDs": ""}, {}])
    _with(project, "OtherPatientIDsItems", [[{"id": "17", "issuer": 'M"PI', "type": None}], [], None, None])
    normalize(project)
    rows = {row["location"]: row for row in _rows(project, "OtherPatientIDsSequence")}
    assert set(rows) == {"o0", "o1"}
    there = {"PatientID": "17", "IssuerOfPatientID": 'M"PI'}
    assert rows["o0"]["path"] == "(0010,1002)"
    assert json.loads(rows["o0"]["before"]) == [there]
    assert json.loads(rows["o0"]["after"]) == [there, {"PatientID": "A9", "TypeOfPatientID": "TEXT"}]
    assert rows["o1"]["before"] is None
    assert json.loads(rows["o1"]["after"]) == [{"PatientID": "17", "TypeOfPatientID": "TEXT"}]


def test_a_known_issuer_is_named_in_the_qualifiers_unless_there_are_some(make: Any, tmp_path: Path) -> None:
    theme = (
        "rules:\n  - id: site.issuer\n    title: Issuer\n    attributes: [IssuerOfPatientIDQualifiersSequence]\n"
        "    action: issuer-qualifiers\n    issuers: {RAD-NORD: {id: 1.2.276.9, type: ISO}}\n    examples:\n"
        "      - {name: unknown, before: null, after: null, given: {IssuerOfPatientID: MPI}}\n"
    )
    site_pack(tmp_path, "site", theme)
    project = make(
        [{"PatientID": "1"}, {"PatientID": "1", "IssuerQualifiersEntityID": "1.9"}, {}],
        radiology=configured({"packs": ["base@1", "site@1"]}),
    )
    normalize(project)
    (row,) = _rows(project, "IssuerOfPatientIDQualifiersSequence")
    # the issuer itself was only filled in by a rule before
    assert (row["location"], row["path"], row["before"]) == ("o0", "(0010,0024)", None)
    assert json.loads(row["after"]) == [{"UniversalEntityID": "1.2.276.9", "UniversalEntityIDType": "ISO"}]


def test_a_glued_issuer_goes_to_its_own_attribute(make: Any) -> None:
    ids = ["RAD-NORD^4711", "4711@rad-nord", "MPI^4711", "4711", "RAD-NORD^"]
    project = make([{"PatientID": one} for one in ids])
    normalize(project)
    assert _after(project, "PatientID") == {"o0": "4711", "o1": "4711"}
    rows = {row["location"]: row for row in _rows(project, "IssuerOfPatientID")}
    assert [rows[f"o{number}"]["rule"] for number in range(3)] == [
        *("patient-id.glued", "patient-id.glued", "patient-id.issuer")
    ]
    assert {row["after"] for row in rows.values()} == {"RAD-NORD"}
    assert {row["needs"] for row in rows.values() if row["rule"] == "patient-id.glued"} == {"steward"}


def test_character_sets_are_shown_side_by_side(make: Any) -> None:
    project = make([{"SpecificCharacterSet": "ISO_IR 192"}, {}, {"SpecificCharacterSet": "ISO_IR 100"}])
    _with(project, "doubtful", [["PatientName", "StudyDescription"], ["PatientName"], None])
    cyrillic = "Иванов^Олег".encode("iso8859_5").hex()
    _with(
        project,
        "doubtful_bytes",
        [["Müller^Hans".encode("latin-1").hex(), "Schädel".encode("latin-1").hex()], [cyrillic], None],
    )
    normalize(project)
    rows = {row["location"]: row for row in _rows(project, "SpecificCharacterSet")}
    assert {place: (row["before"], row["after"], row["state"]) for place, row in rows.items()} == {
        "o0": ("ISO_IR 192", "ISO_IR 100", "proposed"),
        "o1": (None, "ISO_IR 144", "proposed"),
    }
    shown = json.loads(rows["o0"]["candidates"])
    assert shown[0]["value"] == rows["o0"]["after"]
    assert "PatientName would read 'Müller^Hans'" in shown[0]["why"]
    assert "StudyDescription would read 'Schädel'" in shown[0]["why"]
    assert [one["score"] for one in shown] == sorted((one["score"] for one in shown), reverse=True)
    other = {one["value"]: one for one in json.loads(rows["o1"]["candidates"])}
    assert "Иванов^Олег" in other["ISO_IR 144"]["why"]
    assert other["ISO_IR 144"]["score"] > other["ISO_IR 100"]["score"]


@pytest.mark.parametrize(
    ("text", "encoding", "term"),
    [
        ("Müller^Jörg", "utf-8", "ISO_IR 192"),
        ("Müller^Jörg", "latin-1", "ISO_IR 100"),
        ("Łukasz^Wójcik", "iso8859_2", "ISO_IR 101"),
        ("Иванов^Олег", "iso8859_5", "ISO_IR 144"),
        ("张^伟", "gb18030", "GB18030"),
        ("ﾔﾏﾀﾞ^ﾀﾛｳ", "shift_jis", "ISO_IR 13"),
    ],
)
def test_the_right_character_set_is_among_the_candidates_and_mostly_the_first(
    text: str, encoding: str, term: str
) -> None:
    terms = "ISO_IR 192|ISO_IR 100|ISO_IR 101|ISO_IR 144|GB18030|ISO_IR 13"
    shown = json.loads(charset_candidates(f"PatientName={text.encode(encoding).hex()}", "", terms))
    right = next(one for one in shown if one["value"] == term)
    assert f"'{text}'" in right["why"]
    assert right["score"] >= shown[0]["score"] - 0.5
    # half-width kana are Latin-2's capitals with marks, too: nobody can tell from the bytes
    assert (shown[0]["value"] == term) == (encoding != "shift_jis")


def test_a_placeholder_may_be_kept(make: Any) -> None:
    project = make([{"PatientName": "UNKNOWN^PATIENT"}, {"PatientName": "MUELLER^HANS"}])
    normalize(project)
    (row,) = _rows(project, "PatientName")
    assert (row["after"], row["state"]) == ("", "proposed")
    assert [one["value"] for one in json.loads(row["candidates"])] == ["", "UNKNOWN^PATIENT"]
    assert {row["candidates"] for row in _rows(project, "IssuerOfPatientID")} <= {None}


def test_test_patients_are_marked_not_renamed(make: Any, tmp_path: Path) -> None:
    # the site's own rule on names stands in a later pack: the base rule that looks at names acts after it
    site_pack(tmp_path, "site", a_map("PatientName", "TEST^NORD", "nord^gerät"))
    project = make(
        [{"PatientName": "Nord^Gerät"}, {"PatientName": "TEST^PATIENT"}, {"PatientName": "TESTARD^ANNA"}],
        radiology=configured({"packs": ["base@1", "site@1"]}),
    )
    normalize(project)
    assert _after(project, "QualityControlSubject") == {"o0": "YES", "o1": "YES"}
    assert _after(project, "PatientName") == {"o0": "TEST^NORD"}
    acting = [placed.rule.id for placed in pipelines(project).rules["radiology"]]
    assert acting.index("names.test") > acting.index("site.one")


def test_birth_years_are_never_after_the_study(make: Any) -> None:
    project = make(
        [
            {"PatientBirthDate": "070358", "StudyDate": "2019.03.07"},
            {"PatientBirthDate": "07.03.08", "StudyDate": "20190307"},
            {"PatientBirthDate": "07.03.20", "StudyDate": "20190307"},
            {"PatientBirthDate": "07.03.58"},
        ],
        radiology=configured({"date_order": "european"}),
    )
    normalize(project)
    # 070358 is read as a year first: 2007 has no third month's 58th day
    assert _after(project, "PatientBirthDate") == {"o1": "20080307", "o2": "19200307"}
    assert {row["state"] for row in _rows(project, "PatientBirthDate")} == {"proposed"}


def test_moments_keep_their_zone(make: Any) -> None:
    project = make(
        [
            {"AcquisitionDateTime": "2019-03-07T23:30:00-05:00", "TimezoneOffsetFromUTC": "-05:00"},
            {"AcquisitionDateTime": "2019-03-07T23:30:00"},
            {"AcquisitionDateTime": "20190307233000.5-0500", "TimezoneOffsetFromUTC": "-0500"},
            {"AcquisitionDateTime": "2019"},
        ]
    )
    normalize(project)
    assert _after(project, "AcquisitionDateTime") == {"o0": "20190307233000-0500", "o1": "20190307233000"}
    assert _after(project, "TimezoneOffsetFromUTC") == {"o0": "-0500"}


LATERALITY = """\
rules:
  - id: site.words
    title: Side from words
    attributes: [{attribute}]
    scope: {{condition: "{condition}"}}
    action: fill
    value: L
    needs: {needs}
    examples:
      - {{name: kept, before: R, after: R}}
"""


@pytest.mark.parametrize("attribute", ["Laterality", "ImageLaterality", "BodyPartExamined"])
def test_a_side_comes_from_free_text_only_by_way_of_a_person(make: Any, tmp_path: Path, attribute: str) -> None:
    settings = configured({"packs": ["base@1", "site@1"]})
    words = LATERALITY.format(attribute=attribute, condition="contains(SeriesDescription, 'left')", needs="none")
    site_pack(tmp_path, "site", words)
    with pytest.raises(DefinitionInvalid, match=rf"site\.words changes {attribute} by what SeriesDescription says"):
        pipelines(make(radiology=settings))
    site_pack(tmp_path, "site", words.replace("needs: none", "needs: steward"))
    last = [placed for placed in pipelines(make(radiology=settings)).rules["radiology"] if not placed.rule.late][-1]
    assert (last.rule.id, last.rule.needs) == ("site.words", "steward")


def test_free_text_does_not_reach_a_side_by_way_of_another_attribute(make: Any, tmp_path: Path) -> None:
    first = LATERALITY.format(attribute="ViewPosition", condition="contains(ProtocolName, 'left')", needs="none")
    second = LATERALITY.format(attribute="Laterality", condition="ViewPosition = 'L'", needs="none")
    site_pack(tmp_path, "site", first + second.replace("rules:\n", "").replace("site.words", "site.side"))
    project = make(radiology=configured({"packs": ["base@1", "site@1"]}))
    with pytest.raises(DefinitionInvalid, match=r"site\.side changes Laterality by what ViewPosition says"):
        pipelines(project)


def test_a_rule_that_looks_at_what_a_later_action_changes_is_refused(make: Any, tmp_path: Path) -> None:
    late = (
        "rules:\n  - id: one.birth\n    title: Birth\n    attributes: [PatientBirthDate]\n    action: short-date\n"
        "    pivot: 30\n    not_after: ContentDate\n    needs: steward\n    examples:\n"
        "      - {name: absent, before: null, after: null}\n"
    )
    site_pack(tmp_path, "one", late)
    site_pack(tmp_path, "two", a_map("ContentDate", "'20190101'", "unknown", "two.date"))
    with pytest.raises(DefinitionInvalid, match=r"one\.birth looks at ContentDate, which the later rule two\.date"):
        pipelines(make(radiology=configured({"packs": ["one@1", "two@1"]})))


def test_flagged_creators_are_told_and_nothing_is_removed(make: Any, tmp_path: Path) -> None:
    shipped = make().find("rules/base/attributes.yaml").read_text(encoding="utf-8")
    folder = tmp_path / "rules" / "base"
    folder.mkdir(parents=True)
    (folder / "attributes.yaml").write_text(
        shipped + '  - {name: Scratch, tag: "(0011,xx01)", creator: ACME, vr: LO}\n', encoding="utf-8"
    )
    (folder / "private.yaml").write_text("flag:\n  - {creator: ACME, why: notes with names}\n", encoding="utf-8")
    project = make([{"Scratch": "x"}, {"Scratch": None}, {"Scratch": ""}])
    result = normalize(project)
    assert any("private attributes of ACME, kept: 2 (notes with names)" in line for line in result.left)
    assert _rows(project, "Scratch") == []
    (folder / "private.yaml").write_text("delete: [ACME]\n", encoding="utf-8")
    with pytest.raises(DefinitionInvalid, match="'delete' is not a key here"):
        normalize(project)


def _with(project: Project, column: str, values: list[Any]) -> None:
    frame = Catalog(project).read("instances").sort("location")
    kind = schema.table(project, "instances").schema[column]
    Catalog(project).replace("instances", frame.with_columns(pl.Series(column, values, dtype=kind)))


def _rows(project: Project, attribute: str) -> list[dict[str, Any]]:
    return Catalog(project).read("changes").filter(attribute=attribute).sort("location").to_dicts()


def _after(project: Project, attribute: str) -> dict[str, Any]:
    return {row["location"]: row["after"] for row in _rows(project, attribute)}
