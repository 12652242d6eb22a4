"""What a changed object says of itself: old values, whoever they broke the rules of, items of sequences, waves."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from typer.testing import CliRunner

from fonds.cli.app import app
from fonds.dicom.compare import pixel_digest, unexplained
from fonds.dicom.tags import tag_path
from fonds.dicom.write import Author, Change, Identity, originals, prepare
from fonds.errors import CoercionRefused
from tests.migrate.moving import CT, ct, save
from tests.parts import require

FIRST = Author("FONDS", "pacs", "20261124180000.000000+0000")
SECOND = Author("FONDS", "pacs", "20261201093000.000000+0100")
SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
OTHER_IDS, QUALIFIERS, PROCEDURE = "(0010,1002)", "(0010,0024)", "(0008,1032)"


def stored(tmp_path: Path, ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    return save(ds, tmp_path / "one.dcm", syntax).read_bytes()


def written(raw: bytes, *changes: Change, author: Author = FIRST) -> bytes:
    stream = io.BytesIO(raw)
    ready = prepare(stream, Identity(CT, "1.2.3", ExplicitVRLittleEndian), changes, author)
    return ready.prefix + b"".join(ready.data_set(stream))


def read(raw: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(raw))


def change(word: str, before: str | None, after: str | None, reason: Any = "CORRECT") -> Change:
    return Change(tag_path(word), before, after, reason)


def said(raw: bytes) -> dict[str, str | None]:
    return {one.keyword: one.text for one in originals(io.BytesIO(raw))}


def explained(raw: bytes, new: bytes, *changes: Change) -> bool:
    return unexplained(io.BytesIO(raw), io.BytesIO(new), changes, exact=True) == []


def issuer(universal: str, local: str = "") -> Dataset:
    ds = Dataset()
    ds.UniversalEntityID, ds.UniversalEntityIDType = universal, "ISO"
    if local:
        ds.LocalNamespaceEntityID = local
    return ds


def other(number: str, comment: str = "") -> Dataset:
    ds = Dataset()
    ds.PatientID, ds.TypeOfPatientID = number, "TEXT"
    if comment:
        ds.PatientComments = comment  # what the catalog doesn't know of
    return ds


def test_a_patient_id_is_listed_with_its_issuer_and_the_issuers_qualifiers(tmp_path: Path) -> None:
    raw = stored(tmp_path, ct(1, IssuerOfPatientID="RAD", IssuerOfPatientIDQualifiersSequence=[issuer("1.2")]))
    (item,) = read(written(raw, change("PatientID", "P1", "P001"))).OriginalAttributesSequence
    (old,) = item.ModifiedAttributesSequence
    assert (old.PatientID, old.IssuerOfPatientID) == ("P1", "RAD")
    assert old.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityID == "1.2"
    absent = read(written(stored(tmp_path, ct(1)), change("PatientID", "P1", "P001")))
    old = absent.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert len(old.IssuerOfPatientIDQualifiersSequence) == 0
    assert "IssuerOfPatientIDQualifiersSequence" not in absent


def test_every_nonconforming_value_has_its_selector_and_its_bytes(tmp_path: Path) -> None:
    raw = stored(tmp_path, ct(1, StudyDate="20210304", PatientSex="male"))
    raw = raw.replace(b"\x08\x00\x20\x00DA\x08\x0020210304", b"\x08\x00\x20\x00DA\x08\x0004.03.21")
    changes = [change("StudyDate", "04.03.21", "20210304"), change("PatientSex", "male", "M")]
    new = read(written(raw, *changes))
    kept = [item for item in new.OriginalAttributesSequence if "NonconformingModifiedAttributesSequence" in item]
    found = {}
    for item in kept:
        (broken,) = item.NonconformingModifiedAttributesSequence
        assert broken.SelectorValueNumber == 0
        assert item.ModifiedAttributesSequence[0][broken.SelectorAttribute].is_empty
        found[int(broken.SelectorAttribute)] = broken.NonconformingDataElementValue
    assert found == {0x00080020: b"04.03.21", 0x00100040: b"male"}
    assert said(written(raw, *changes)) == {"StudyDate": "04.03.21", "PatientSex": "male"}
    assert explained(raw, written(raw, *changes), *changes)


def test_more_values_than_the_multiplicity_allows_are_nonconforming_too(tmp_path: Path) -> None:
    raw = stored(tmp_path, ct(1)).replace(b"P1", b"P\\")
    (item,) = read(written(raw, change("PatientID", "P\\", "P1"))).OriginalAttributesSequence
    assert item.NonconformingModifiedAttributesSequence[0].NonconformingDataElementValue.rstrip() == b"P\\"
    assert item.ModifiedAttributesSequence[0].PatientID == ""
    two = written(stored(tmp_path, ct(1, OtherPatientNames="A^B\\C^D")), change("OtherPatientNames", "A^B\\C^D", "A^B"))
    assert "NonconformingModifiedAttributesSequence" not in read(two).OriginalAttributesSequence[0]


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("undefined", [False, True])
def test_items_of_a_sequence_stay_to_the_byte_and_new_ones_come_after(
    tmp_path: Path, syntax: str, undefined: bool
) -> None:
    there = Sequence([other("17", "not catalogued")])
    ds = ct(1)
    ds.OtherPatientIDsSequence = there
    ds["OtherPatientIDsSequence"].is_undefined_length = there[0].is_undefined_length_sequence_item = undefined
    raw = stored(tmp_path, ds, syntax)
    before = [{"PatientID": "17", "TypeOfPatientID": "TEXT"}]
    more = {"PatientID": "Ä4711", "IssuerOfPatientID": "RAD", "TypeOfPatientID": "TEXT"}
    wanted = Change(OTHER_IDS, json.dumps(before), json.dumps([*before, more]), "CORRECT")
    new = written(raw, wanted)
    items = read(new).OtherPatientIDsSequence
    assert [item.PatientID for item in items] == ["17", "Ä4711"]
    assert (items[0].PatientComments, items[1].IssuerOfPatientID) == ("not catalogued", "RAD")
    old = read(new).OriginalAttributesSequence[0].ModifiedAttributesSequence[0].OtherPatientIDsSequence
    assert (len(old), old[0].PatientComments) == (1, "not catalogued")
    assert said(new)["OtherPatientIDsSequence"] == "1 item"
    assert explained(raw, new, wanted)
    spoiled = new.replace(b"not catalogued", b"not_catalogued", 1)
    if syntax != DeflatedExplicitVRLittleEndian:
        assert unexplained(io.BytesIO(raw), io.BytesIO(spoiled), [wanted], exact=True) == [OTHER_IDS]


@pytest.mark.parametrize("syntax", SYNTAXES[:2])
def test_a_target_that_writes_sequences_anew_is_heard_and_one_that_changes_them_found_out(
    tmp_path: Path, syntax: str
) -> None:
    raw = stored(tmp_path, ct(1, OtherPatientIDsSequence=[other("17", "not catalogued")]))
    before = [{"PatientID": "17", "TypeOfPatientID": "TEXT"}]
    wanted = Change(OTHER_IDS, json.dumps(before), json.dumps([*before, {"PatientID": "18"}]), "CORRECT")
    ds = read(written(raw, wanted, change("PatientID", "P1", "P2")))
    asked = [wanted, change("PatientID", "P1", "P2")]

    def anew() -> bytes:
        for sequence in (ds.OtherPatientIDsSequence, ds.OriginalAttributesSequence):
            for item in sequence:
                item.is_undefined_length_sequence_item = True
        (old,) = ds.OriginalAttributesSequence[0].ModifiedAttributesSequence
        old["OtherPatientIDsSequence"].is_undefined_length = ds["OtherPatientIDsSequence"].is_undefined_length = True
        return stored(tmp_path, ds, syntax)

    assert unexplained(io.BytesIO(raw), io.BytesIO(anew()), asked, exact=False) == []
    ds.OtherPatientIDsSequence[0].PatientComments = "changed"
    assert unexplained(io.BytesIO(raw), io.BytesIO(anew()), asked, exact=False) == [OTHER_IDS]


def test_a_sequence_that_was_absent_is_made_and_recorded_empty(tmp_path: Path) -> None:
    raw = stored(tmp_path, ct(1))
    code = {"CodeValue": "RPID16", "CodingSchemeDesignator": "RADLEX", "CodeMeaning": "CT HEAD"}
    changes = [
        Change(PROCEDURE, None, json.dumps([code]), "CORRECT"),
        Change(QUALIFIERS, None, json.dumps([{"UniversalEntityID": "1.2", "UniversalEntityIDType": "ISO"}]), "COERCE"),
    ]
    new = written(raw, *changes)
    assert read(new).ProcedureCodeSequence[0].CodeMeaning == "CT HEAD"
    assert read(new).IssuerOfPatientIDQualifiersSequence[0].UniversalEntityIDType == "ISO"
    assert said(new) == {"IssuerOfPatientIDQualifiersSequence": None, "ProcedureCodeSequence": None}
    assert explained(raw, new, *changes)
    assert not explained(
        raw, new, changes[0], Change(QUALIFIERS, None, json.dumps([{"UniversalEntityID": "9"}]), "COERCE")
    )


def test_an_attribute_is_removed_and_what_it_said_is_kept(tmp_path: Path) -> None:
    raw = stored(tmp_path, ct(1, StationName="OLD"))
    wanted = change("StationName", "OLD", None)
    new = written(raw, wanted)
    assert "StationName" not in read(new)
    assert said(new) == {"StationName": "OLD"}
    assert explained(raw, new, wanted)


def test_an_emptied_character_set_is_removed_for_it_may_not_be_empty(tmp_path: Path) -> None:
    raw = stored(tmp_path, ct(1, PatientName="Doe^Ann", SpecificCharacterSet="Not Supplied"))
    wanted = change("SpecificCharacterSet", "Not Supplied", "")
    assert "SpecificCharacterSet" not in read(written(raw, wanted))
    assert explained(raw, written(raw, wanted), wanted)


def test_japanese_text_goes_into_a_set_of_code_extensions(tmp_path: Path) -> None:
    ds = ct(1, PatientName="Yamada^Tarou")
    ds.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    new = read(written(stored(tmp_path, ds), change("PatientName", "Yamada^Tarou", "Yamada^Tarou==やまだ^たろう")))
    assert new.PatientName.phonetic == "やまだ^たろう"
    assert new.SpecificCharacterSet == ["", "ISO 2022 IR 87"]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (change("PatientName", "Müller^Änne", None), "required"),
        (change("Modality", "CT", ""), "required"),
        (change("StudyInstanceUID", "1.2.3.1", None), "uid"),
        (change("StudyInstanceUID", "1.2.3.1", "1.2.x"), "uid"),
        (change("FrameOfReferenceUID", None, "1.2.4"), "uid"),
        (Change("(0009,1001)", None, None, "CORRECT"), "private"),
        (
            Change(OTHER_IDS, json.dumps([{"PatientID": "1"}]), json.dumps([{"PatientID": "1"}]), "CORRECT"),
            "before-differs",
        ),
        (Change(OTHER_IDS, None, json.dumps([{"NoSuchKeyword": "1"}]), "CORRECT"), "nested"),
        (Change(OTHER_IDS, None, "4711", "CORRECT"), "nested"),
        (Change(OTHER_IDS, json.dumps([{"PatientID": "1"}]), json.dumps([{"PatientID": "2"}]), "CORRECT"), "nested"),
        (Change(PROCEDURE, None, json.dumps([{"CodeMeaning": "Łódź"}]), "CORRECT"), "charset"),
    ],
)
def test_what_no_rule_may_change_is_refused(tmp_path: Path, wanted: Change, reason: str) -> None:
    with pytest.raises(CoercionRefused) as refused:
        written(stored(tmp_path, ct(1)), wanted)
    assert refused.value.attributes["reason"] == reason


@pytest.mark.parametrize("syntax", SYNTAXES[:3])
def test_a_second_wave_keeps_the_items_of_the_first_to_the_byte(tmp_path: Path, syntax: str) -> None:
    once = written(stored(tmp_path, ct(1), syntax), change("PatientName", "Müller^Änne", "Mueller^Anne"))
    second = [change("PatientName", "Mueller^Anne", "MUELLER^ANNE"), change("StudyID", "1", "2", "COERCE")]
    twice = written(once, *second, author=SECOND)
    for tag in (0x04000561, 0x0018A001):
        assert items_of(once, tag) in twice
    texts = [(one.keyword, one.text, one.when) for one in originals(io.BytesIO(twice))]
    assert texts == [
        ("PatientName", "Müller^Änne", FIRST.when),
        ("InstanceCoercionDateTime", FIRST.when, SECOND.when),
        ("StudyID", "1", SECOND.when),
        ("PatientName", "Mueller^Anne", SECOND.when),
    ]
    assert read(twice).InstanceCoercionDateTime == SECOND.when
    assert explained(once, twice, *second)


def items_of(raw: bytes, tag: int) -> bytes:
    """The bytes of a top-level sequence's items."""
    from fonds.dicom.elements import Walker
    from fonds.dicom.framing import open_frame

    walker = Walker(open_frame(io.BytesIO(raw)))
    (element,) = [one for one in walker.top()[0] if one.tag == tag]
    return walker.raw(element)


WORDS = (
    "StudyDate",
    "AccessionNumber",
    "InstitutionName",
    "PatientName",
    "PatientID",
    "PatientSex",
    "BodyPartExamined",
)
VALUES = {
    "StudyDate": ["20210304", "04.03.21", ""],
    "AccessionNumber": ["A1", "", "A" * 20],
    "InstitutionName": ["Klinikum Süd", "Nord\\Ost", ""],
    "PatientName": ["Müller^Änne", "A^B^C^D^E^F", "Doe, Jane"],
    "PatientID": ["P1", "P\\1", " 17"],
    "PatientSex": ["F", "male", ""],
    "BodyPartExamined": ["HEAD", "Schädel", ""],
}
AFTER = ["X1", "Köln", "", "O"]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(WORDS), st.tuples(st.integers(-1, 2), st.integers(0, 3)), min_size=1),
    st.sampled_from(SYNTAXES),
    st.sampled_from(["COERCE", "CORRECT"]),
)
def test_any_changes_in_any_encoding_are_made_kept_and_explained(
    tmp_path_factory: pytest.TempPathFactory, chosen: dict[str, tuple[int, int]], syntax: str, reason: str
) -> None:
    ds = ct(1)
    changes = []
    for number, (word, (old, new)) in enumerate(chosen.items()):
        before = VALUES[word][old] if old >= 0 else None
        after = AFTER[new] if word in ("InstitutionName", "PatientName") or AFTER[new].isascii() else "X1"
        if word in ds:
            del ds[word]
        if before is not None:
            vr = pydicom.datadict.dictionary_VR(word)
            ds.add_new(word, vr, before.split("\\") if "\\" in before else before)
        kind: Any = reason if number % 2 else "CORRECT"
        changes.append(change(word, before, after, kind))
    raw = stored(tmp_path_factory.mktemp("any"), ds, syntax)
    new_raw = written(raw, *changes)
    after_all = read(new_raw)
    told = {one.keyword: one for one in originals(io.BytesIO(new_raw))}
    for made in changes:
        word = pydicom.datadict.keyword_for_tag(made.tag)
        assert str(after_all.get(word) or "") == made.after
        assert told[word].text == ((made.before or "").rstrip(" ") or None)
        assert told[word].reason == made.reason
    assert pixel_digest(io.BytesIO(new_raw)) == pixel_digest(io.BytesIO(raw))
    assert explained(raw, new_raw, *changes)


REAL = [
    "CT_small.dcm",
    "MR_small.dcm",
    "rtplan.dcm",
    "reportsi.dcm",
    "waveform_ecg.dcm",
    "JPEG2000.dcm",
    "ExplVR_BigEnd.dcm",
]


@pytest.mark.parametrize("name", REAL)
def test_dciodvfy_finds_no_new_error_on_real_files(tmp_path: Path, name: str) -> None:
    program = require("dciodvfy", "dicom3tools")
    raw = Path(get_testdata_file(name)).read_bytes()
    ds = read(raw)
    before = {
        word: None if word not in ds else str(ds[word].value or "") for word in ("PatientID", "PatientSex", "StudyID")
    }
    new = written(
        raw,
        change("PatientID", before["PatientID"], "NEW1"),
        change("PatientSex", before["PatientSex"], "O"),
        change("StudyID", before["StudyID"], "7", "COERCE"),
        Change("(0008,0051)", None, "RIS", "COERCE"),
        Change(QUALIFIERS, None, json.dumps([{"UniversalEntityID": "1.2", "UniversalEntityIDType": "ISO"}]), "COERCE"),
    )
    broken = written(new, change("PatientSex", "O", "male"), change("StudyID", "7", "a" * 40), author=SECOND)
    mended = written(broken, change("PatientSex", "male", "M"), change("StudyID", "a" * 40, "7"), author=SECOND)

    def errors(content: bytes) -> set[str]:
        (tmp_path / "x.dcm").write_bytes(content)
        done = subprocess.run([program, str(tmp_path / "x.dcm")], capture_output=True, check=False)
        return {line for line in (done.stdout + done.stderr).decode("latin-1").splitlines() if line.startswith("Error")}

    assert errors(new) <= errors(raw)
    assert errors(mended) <= errors(raw)


def test_the_command_tells_what_a_file_said_before(tmp_path: Path) -> None:
    file = tmp_path / "new.dcm"
    file.write_bytes(written(stored(tmp_path, ct(1)), change("PatientName", "Müller^Änne", "Mueller^Anne")))
    shown = CliRunner().invoke(app, ["explain", "--object", str(file)])
    assert shown.exit_code == 0
    assert "Müller^Änne" in shown.stdout
    (one,) = json.loads(CliRunner().invoke(app, ["explain", "--object", str(file), "--json"]).stdout)
    assert (one["keyword"], one["text"], one["source"]) == ("PatientName", "Müller^Änne", "pacs")
    plain = CliRunner().invoke(app, ["explain", "--object", str(save(ct(1), tmp_path / "plain.dcm"))])
    assert "says nothing of earlier values" in plain.stdout
