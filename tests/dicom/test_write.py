from __future__ import annotations

import contextlib
import io
import subprocess
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from fonds.dicom.compare import pixel_digest, unexplained
from fonds.dicom.write import Author, Change, Identity, prepare
from fonds.errors import CoercionRefused, UnreadableHeader
from tests.migrate.moving import CT, ct, save
from tests.parts import require

AUTHOR = Author("FONDS", "pacs", "20261124180000.000000+0000")
NAME = Change("(0010,0010)", "Müller^Änne", "Mueller^Anne", "CORRECT")


def stored(tmp_path: Path, ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    return save(ds, tmp_path / "one.dcm", syntax).read_bytes()


def written(raw: bytes, *changes: Change) -> bytes:
    stream = io.BytesIO(raw)
    ready = prepare(stream, Identity(CT, "1.2.3", ExplicitVRLittleEndian), changes, AUTHOR)
    return ready.prefix + b"".join(ready.data_set(stream))


def read(raw: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(raw))


def kept(ds: Dataset, reason: str) -> Dataset:
    (item,) = [i for i in ds.OriginalAttributesSequence if i.ReasonForTheAttributeModification == reason]
    (old,) = item.ModifiedAttributesSequence
    return old


def test_an_object_without_changes_goes_byte_for_byte(tmp_path: Path) -> None:
    raw = stored(tmp_path, ct(1))
    assert written(raw) == raw


def test_a_value_of_odd_length_is_padded_in_what_is_changed_anyway(tmp_path: Path) -> None:
    ds = ct(1)
    ds.StudyDescription = "Thorax"
    raw = stored(tmp_path, ds)
    place = raw.index(b"\x08\x00\x30\x10LO")
    length = int.from_bytes(raw[place + 6 : place + 8], "little")
    odd = raw[:place] + b"\x08\x00\x30\x10LO\x05\x00Chest" + raw[place + 8 + length :]
    assert len(odd) % 2
    assert written(odd) == odd
    new = written(odd, NAME)
    assert len(new) % 2 == 0
    assert read(new).StudyDescription == "Chest"
    assert unexplained(io.BytesIO(odd), io.BytesIO(new), [NAME], exact=True) == []


def test_a_sequence_whose_items_are_of_odd_length_stays_as_it_is() -> None:
    raw = Path(get_testdata_file("nested_priv_SQ.dcm")).read_bytes()  # (0001,0001), undefined length, 97 bytes
    new = written(raw, Change("(0010,0020)", None, "NEW", "CORRECT"))
    before, after = read(raw), read(new)
    assert after[0x0001, 0x0001] == before[0x0001, 0x0001]
    assert after.PatientID == "NEW"
    start = raw.index(b"\1\0\1\0\xff\xff\xff\xff")
    assert raw[start : raw.index(b"\xfe\xff\xdd\xe0") + 8] in new


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_new_value_in_old_value_kept_rest_untouched(tmp_path: Path, syntax: str) -> None:
    raw = stored(tmp_path, ct(1), syntax)
    new = written(raw, NAME, Change("(0008,0080)", "Klinikum Nord", "Klinikum Süd", "COERCE"))
    ds = read(new)
    assert (ds.PatientName, ds.InstitutionName) == ("Mueller^Anne", "Klinikum Süd")
    assert kept(ds, "CORRECT").PatientName == "Müller^Änne"
    assert kept(ds, "COERCE").InstitutionName == "Klinikum Nord"
    item = ds.OriginalAttributesSequence[0]
    assert (item.ModifyingSystem, item.SourceOfPreviousValues) == ("FONDS", "pacs")
    assert item.AttributeModificationDateTime == ds.InstanceCoercionDateTime == AUTHOR.when
    code = ds.ContributingEquipmentSequence[-1].PurposeOfReferenceCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("109103", "DCM")
    assert pixel_digest(io.BytesIO(new)) == pixel_digest(io.BytesIO(raw))
    changes = (NAME, Change("(0008,0080)", "Klinikum Nord", "Klinikum Süd", "COERCE"))
    assert unexplained(io.BytesIO(raw), io.BytesIO(new), changes, exact=True) == []
    assert unexplained(io.BytesIO(raw), io.BytesIO(new), changes[:1], exact=True) == ["(0008,0080)"]


def test_the_same_change_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    raw = stored(tmp_path, ct(1))
    assert written(raw, NAME) == written(raw, NAME)


def test_patient_id_is_kept_with_its_issuer_even_when_that_is_absent(tmp_path: Path) -> None:
    new = read(written(stored(tmp_path, ct(1)), Change("(0010,0020)", "P1", "P001", "CORRECT")))
    old = kept(new, "CORRECT")
    assert (old.PatientID, old.IssuerOfPatientID) == ("P1", "")
    assert "IssuerOfPatientID" not in new


def test_items_that_were_there_stay_before_ours(tmp_path: Path) -> None:
    first = read(written(stored(tmp_path, ct(1)), NAME))
    raw = stored(tmp_path, first)
    again = read(written(raw, Change("(0010,0010)", "Mueller^Anne", "MUELLER^ANNE", "CORRECT")))
    assert again.OriginalAttributesSequence[0] == first.OriginalAttributesSequence[0]
    olds = [str(item.ModifiedAttributesSequence[0].PatientName) for item in again.OriginalAttributesSequence]
    assert olds == ["Müller^Änne", "Mueller^Anne"]
    assert len(again.ContributingEquipmentSequence) == 2


def test_a_value_that_breaks_its_vr_is_kept_as_bytes(tmp_path: Path) -> None:
    ds = ct(1)
    ds.add_new("StudyDate", "DA", "")
    raw = stored(tmp_path, ds).replace(b"\x08\x00\x20\x00DA\x00\x00", b"\x08\x00\x20\x00DA\x0a\x002021-03-04")
    new = read(written(raw, Change("(0008,0020)", "2021-03-04", "20210304", "CORRECT")))
    assert new.StudyDate == "20210304"
    (item,) = new.OriginalAttributesSequence
    assert item.ModifiedAttributesSequence[0].StudyDate == ""
    (broken,) = item.NonconformingModifiedAttributesSequence
    assert (broken.SelectorAttribute, broken.NonconformingDataElementValue) == (0x00080020, b"2021-03-04")


def test_a_nested_change_keeps_the_whole_prior_sequence(tmp_path: Path) -> None:
    change = Change("(0008,0051)", None, "RIS-NORD", "COERCE")
    absent = read(written(stored(tmp_path, ct(1)), change))
    assert absent.IssuerOfAccessionNumberSequence[0].LocalNamespaceEntityID == "RIS-NORD"
    assert len(kept(absent, "COERCE").IssuerOfAccessionNumberSequence) == 0
    before = Dataset()
    before.UniversalEntityIDType = "DNS"
    there = read(written(stored(tmp_path, ct(1, IssuerOfAccessionNumberSequence=[before])), change))
    assert kept(there, "COERCE").IssuerOfAccessionNumberSequence[0].UniversalEntityIDType == "DNS"


def test_a_declaration_mended_leaves_the_bytes_and_the_old_name_readable(tmp_path: Path) -> None:
    raw = stored(tmp_path, ct(1)).replace(b"ISO_IR 100", b"ISO-IR 100")
    new = written(raw, Change("(0008,0005)", "ISO-IR 100", "ISO_IR 100", "CORRECT"))
    ds = read(new)
    assert (ds.SpecificCharacterSet, ds.PatientName) == ("ISO_IR 100", "Müller^Änne")
    assert "Müller^Änne".encode("latin-1") in new


def test_plain_ascii_objects_become_utf_8_when_a_new_value_needs_it(tmp_path: Path) -> None:
    ds = ct(1, PatientName="Doe^Ann")
    del ds.SpecificCharacterSet
    new = read(written(stored(tmp_path, ds), Change("(0008,0080)", "Klinikum Nord", "Klinik Łódź", "COERCE")))
    assert (new.SpecificCharacterSet, new.InstitutionName) == ("ISO_IR 192", "Klinik Łódź")
    assert kept(new, "COERCE").SpecificCharacterSet in ("", None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Change("(0008,0080)", "Klinikum Nord", "Klinik Łódź", "COERCE"), "charset"),
        (Change("(0008,0080)", "Another", "X", "COERCE"), "before-differs"),
        (Change("(0028,0010)", "8", "9", "CORRECT"), "vr"),
        (Change("(0010,1002)[0]", None, "9", "CORRECT"), "path"),
    ],
)
def test_what_cant_be_changed_safely_is_refused(tmp_path: Path, change: Change, reason: str) -> None:
    with pytest.raises(CoercionRefused) as refused:
        written(stored(tmp_path, ct(1)), change)
    assert refused.value.attributes["reason"] == reason


def test_no_preamble_gets_one_and_the_data_set_stays(tmp_path: Path) -> None:
    raw = stored(tmp_path, ct(1))
    start = raw.index(b"\x08\x00\x05\x00CS")
    bare = raw[start:]
    assert written(bare).endswith(bare)
    assert read(written(bare)).PatientName == "Müller^Änne"


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "rtplan.dcm", "ExplVR_BigEnd.dcm"])
def test_real_files_differ_only_where_changed(name: str) -> None:
    raw = Path(get_testdata_file(name)).read_bytes()
    before = read(raw)
    old = before.get("PatientSex")
    new = written(raw, Change("(0010,0040)", old, "O" if old != "O" else "F", "CORRECT"))
    after = read(new)
    changed = {e.tag for e in before if e != after.get(e.tag)} | {e.tag for e in after if e.tag not in before}
    changed = {tag for tag in changed if tag.element}  # group lengths count anew
    assert changed - {0x00080015, 0x0018A001, 0x04000561} == {0x00100040}
    assert pixel_digest(io.BytesIO(new)) == pixel_digest(io.BytesIO(raw))


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 400))
def test_damaged_headers_are_refused_or_changed_but_never_crash(noise: bytes, at: int) -> None:
    raw = bytearray(Path(get_testdata_file("CT_small.dcm")).read_bytes())
    raw[400 + at : 400 + at + len(noise)] = noise
    with contextlib.suppress(CoercionRefused, UnreadableHeader):
        assert len(written(bytes(raw), Change("(0010,0040)", "O", "F", "CORRECT"))) > len(raw)


def test_dciodvfy_finds_no_new_error(tmp_path: Path) -> None:
    program = require("dciodvfy", "dicom3tools")
    raw = Path(get_testdata_file("CT_small.dcm")).read_bytes()
    new = written(raw, Change("(0010,0020)", "1CT1", "1CT2", "CORRECT"), Change("(0010,0021)", None, "X", "COERCE"))

    def errors(content: bytes) -> set[str]:
        (tmp_path / "x.dcm").write_bytes(content)
        done = subprocess.run([program, str(tmp_path / "x.dcm")], capture_output=True, text=True, check=False)
        return {line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")}

    assert errors(new) <= errors(raw)
