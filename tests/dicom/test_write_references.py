"""New UIDs of an object and references that follow them: exact, told in the object, reversible, or refused."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from fonds.dicom.compare import unexplained
from fonds.dicom.elements import Walker
from fonds.dicom.framing import open_frame
from fonds.dicom.headers import read_header
from fonds.dicom.tags import tag_number
from fonds.dicom.write import Author, Change, Identity, prepare
from fonds.errors import CoercionRefused
from tests.dicom.made import encoded, wheel_file
from tests.parts import require

AUTHOR = Author("FONDS", "pacs", "20261124180000.000000+0000")
SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
IMAGE, STORAGE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1."
Names = tuple[str | None, str | None, str | None, str | None]


def item(**values: object) -> Dataset:
    ds = Dataset()
    for name, value in values.items():
        setattr(ds, name, value)
    return ds


def sop(uid: str) -> Dataset:
    return item(ReferencedSOPClassUID=IMAGE, ReferencedSOPInstanceUID=uid)


def plain(sop_class: str) -> Dataset:
    return item(
        SpecificCharacterSet="ISO_IR 100", SOPClassUID=STORAGE + sop_class, SOPInstanceUID="1.2.7.1", PatientName="Ü^A",
        PatientID="P1", StudyInstanceUID="1.2.7", SeriesInstanceUID="1.2.7.2", Modality="OT",
    )  # fmt: skip


Listed = list[tuple[str, str, str]]
"""Study, series and object of each reference."""


def nested(listed: Listed, inner: str) -> list[Dataset]:
    studies = list(dict.fromkeys(study for study, _, _ in listed))
    return [item(StudyInstanceUID=study, ReferencedSeriesSequence=series(listed, study, inner)) for study in studies]


def series(listed: Listed, study: str, inner: str) -> list[Dataset]:
    names = dict.fromkeys(one for of, one, _ in listed if of == study)
    return [
        item(SeriesInstanceUID=name, **{inner: [sop(uid) for of, one, uid in listed if (of, one) == (study, name)]})
        for name in names
    ]


def report(listed: Listed) -> Dataset:
    ds = plain("88.33")
    ds.CurrentRequestedProcedureEvidenceSequence = nested(listed, "ReferencedSOPSequence")
    image = [item(ValueType="IMAGE", ReferencedSOPSequence=[sop(uid)]) for _, _, uid in listed]
    ds.ContentSequence = [*image, item(ValueType="TEXT", TextValue="Grüße", ContentSequence=image)]
    return ds


def key_objects(listed: Listed) -> Dataset:
    ds = report(listed)
    ds.SOPClassUID = STORAGE + "88.59"
    ds.IdenticalDocumentsSequence = nested(listed, "ReferencedSOPSequence")
    return ds


def presentation(listed: Listed) -> Dataset:
    ds = plain("11.1")
    ds.ReferencedSeriesSequence = [
        one for study in nested(listed, "ReferencedImageSequence") for one in study[0x00081115]
    ]
    return ds


def segmentation(listed: Listed) -> Dataset:
    ds = plain("66.4")
    ds.ReferencedSeriesSequence = [
        one for study in nested(listed, "ReferencedInstanceSequence") for one in study[0x00081115]
    ]
    ds.PerFrameFunctionalGroupsSequence = [
        item(DerivationImageSequence=[item(SourceImageSequence=[sop(uid)])]) for _, _, uid in listed
    ]
    return ds


def structures(listed: Listed) -> Dataset:
    ds = plain("481.3")
    studies = [
        item(
            ReferencedSOPClassUID="1.2.3", ReferencedSOPInstanceUID=study.StudyInstanceUID,
            RTReferencedSeriesSequence=list(study.ReferencedSeriesSequence),
        )
        for study in nested(listed, "ContourImageSequence")
    ]  # fmt: skip
    ds.ReferencedFrameOfReferenceSequence = [item(FrameOfReferenceUID="1.2.9", RTReferencedStudySequence=studies)]
    contours = [item(ContourImageSequence=[sop(uid)], ContourData=["1", "2", "3"]) for _, _, uid in listed]
    ds.ROIContourSequence = [item(ContourSequence=contours)]
    return ds


def registration(listed: Listed) -> Dataset:
    ds = plain("66.1")
    ds.RegistrationSequence = [
        item(FrameOfReferenceUID=f"1.2.9.{number}", ReferencedImageSequence=[sop(uid)])
        for number, (_, _, uid) in enumerate(listed)
    ]
    ds.StudiesContainingOtherReferencedInstancesSequence = nested(listed, "ReferencedInstanceSequence")
    return ds


KINDS: tuple[Callable[[Listed], Dataset], ...] = (
    report, key_objects, presentation, segmentation, structures, registration,
)  # fmt: skip


def written(raw: bytes, *changes: Change) -> bytes:
    stream = io.BytesIO(raw)
    ready = prepare(stream, Identity(IMAGE, "1.2.7.1", ExplicitVRLittleEndian), changes, AUTHOR)
    return ready.prefix + b"".join(ready.data_set(stream))


def named(raw: bytes) -> list[Names]:
    found = read_header(io.BytesIO(raw), (), digest=False).references
    return list(
        dict.fromkeys((one.study_uid, one.series_uid, one.sop_uid, one.frame_of_reference_uid) for one in found)
    )


def change(pairs: dict[Names, Names]) -> Change:
    return Change("references", json.dumps(list(pairs)), json.dumps(list(pairs.values())), "COERCE", "remap.D1")


def top(raw: bytes) -> dict[int, bytes]:
    """Top-level elements by tag, without what tells of the change."""
    walker = Walker(open_frame(io.BytesIO(raw)))
    return {
        one.tag: walker.bytes_at(one.start, one.end - one.start)
        for one in walker.top()[0]
        if one.tag not in (0x00080015, 0x0018A001, 0x04000561)
    }


def explained(raw: bytes, new: bytes, *changes: Change, exact: bool = True) -> list[str]:
    return unexplained(io.BytesIO(raw), io.BytesIO(new), changes, exact=exact)


def refusal(raw: bytes, *changes: Change) -> object:
    with pytest.raises(CoercionRefused) as refused:
        written(raw, *changes)
    return refused.value.attributes["reason"]


def undefined(ds: Dataset, which: Callable[[], bool]) -> None:
    """Give some sequences and items undefined lengths."""
    for element in ds:
        if element.VR == "SQ":
            element.is_undefined_length = which()
            for one in element.value:
                one.is_undefined_length_sequence_item = which()
                undefined(one, which)


UIDS = st.tuples(*(st.sampled_from(("1", "22", "333")),) * 3)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_references_follow_exactly_and_come_back_to_the_byte(data: st.DataObject) -> None:
    listed = [
        (f"1.2.{a}", f"1.2.{a}.{b}", f"1.2.{a}.{b}.{c}")
        for a, b, c in data.draw(st.lists(UIDS, min_size=1, max_size=5, unique=True))
    ]
    ds = data.draw(st.sampled_from(KINDS))(listed)
    undefined(ds, lambda: data.draw(st.booleans()))
    raw = encoded(ds, data.draw(st.sampled_from(SYNTAXES)))
    # one old UID becomes one new UID, of another length
    chosen = {uid for uids in listed for uid in uids if data.draw(st.booleans())}
    pairs: dict[Names, Names] = {}
    for names in named(raw):
        study, after, uid = (f"2.25.{len(one)}{one[4:]}" if one in chosen and one else one for one in names[:3])
        if (study, after, uid) != names[:3]:
            pairs[names] = (study, after, uid, names[3])
    if not pairs:
        return
    new = written(raw, change(pairs))
    assert named(new) == [pairs.get(names, names) for names in named(raw)]
    assert all(uid.encode() + end not in b"".join(top(new).values()) for uid in chosen for end in (b"\0", b"\x08"))
    assert explained(raw, new, change(pairs)) == explained(raw, new, change(pairs), exact=False) == []
    back = written(new, change({after: before for before, after in pairs.items()}))
    assert top(back) == top(raw)
    # what the object said before is its history, and hinders nothing
    assert top(written(back, change(pairs))) == top(new)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_an_item_whose_objects_part_is_divided_and_nothing_is_lost(data: st.DataObject) -> None:
    places = data.draw(st.lists(UIDS, min_size=1, max_size=6, unique=True))
    listed = [(f"1.2.{a}", f"1.2.{a}.{b}", f"1.2.{a}.{b}.{c}") for a, b, c in places]
    ds = data.draw(st.sampled_from(KINDS))(listed)
    raw = encoded(ds, data.draw(st.sampled_from(SYNTAXES)))
    # every object goes where it will
    goes = {
        uid: data.draw(st.none() | st.tuples(*(st.sampled_from(("7.1", "8.22", "9.333")),) * 2)) for _, _, uid in listed
    }
    pairs: dict[Names, Names] = {}
    for study, one, uid, frame in named(raw):
        where = goes.get(uid or "")
        if where is not None:
            new_names = (study and f"1.{where[0]}", one and f"1.{where[0]}.{where[1]}", f"2.25.{uid}", frame)
            pairs[study, one, uid, frame] = new_names
    if not pairs:
        return
    new = written(raw, change(pairs))
    assert sorted(named(new), key=repr) == sorted((pairs.get(one, one) for one in named(raw)), key=repr)
    assert explained(raw, new, change(pairs)) == []
    (told,) = pydicom.dcmread(io.BytesIO(new)).OriginalAttributesSequence
    was = pydicom.dcmread(io.BytesIO(raw))
    (prior,) = told.ModifiedAttributesSequence
    assert all(was[element.tag] == element for element in prior)
    assert told.ReasonForTheAttributeModification == "COERCE"


MOVES: dict[Names, Names] = {
    ("1.2.1", "1.2.1.1", "1.2.1.1.1", None): ("1.2.5", "1.2.5.5", "1.2.5.5.5", None),
    (None, None, "1.2.1.1.1", None): (None, None, "1.2.5.5.5", None),
}
ONE = [("1.2.1", "1.2.1.1", "1.2.1.1.1")]
TWO = [*ONE, ("1.2.1", "1.2.1.1", "1.2.1.1.2")]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_an_object_gets_new_uids_in_its_meta_too(syntax: str) -> None:
    raw = encoded(report(TWO), syntax)
    own = [
        Change("(0008,0018)", "1.2.7.1", "2.25.77", "COERCE", "remap.D1"),
        Change("(0020,000D)", "1.2.7", "2.25.78", "COERCE", "remap.D1"),
        Change("(0020,000E)", "1.2.7.2", "2.25.7900", "COERCE", "remap.D1"),
    ]
    new = written(raw, *own, change(MOVES))
    ds = pydicom.dcmread(io.BytesIO(new))
    assert ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID == "2.25.77"
    assert (ds.StudyInstanceUID, ds.SeriesInstanceUID) == ("2.25.78", "2.25.7900")
    start = open_frame(io.BytesIO(new)).stored_start
    assert ds.file_meta.FileMetaInformationGroupLength == start - 132 - 12
    (old,) = ds.OriginalAttributesSequence[0].ModifiedAttributesSequence
    assert (old.SOPInstanceUID, old.StudyInstanceUID, old.SeriesInstanceUID) == ("1.2.7.1", "1.2.7", "1.2.7.2")
    evidence = ds.CurrentRequestedProcedureEvidenceSequence
    assert [one.StudyInstanceUID for one in evidence] == ["1.2.5", "1.2.1"]
    assert explained(raw, new, *own, change(MOVES)) == []
    assert "(0008,0018)" in explained(raw, new, *own[1:], change(MOVES))


def test_an_object_without_a_meta_gets_one_with_its_new_uid() -> None:
    raw = encoded(report(ONE))
    bare = raw[open_frame(io.BytesIO(raw)).stored_start :]
    new = pydicom.dcmread(io.BytesIO(written(bare, Change("(0008,0018)", "1.2.7.1", "2.25.77", "COERCE"))))
    assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID == "2.25.77"


def test_sequences_stored_as_unknown_are_read_and_keep_their_form() -> None:
    raw = encoded(presentation(ONE))
    implicit = top(encoded(presentation(ONE), ImplicitVRLittleEndian))
    tag = tag_number("ReferencedSeriesSequence")
    explicit, content = top(raw)[tag], implicit[tag][8:]
    head = b"\x08\x00\x15\x11UN\0\0"
    ending = b"\xfe\xff\xdd\xe0\0\0\0\0"
    pairs: dict[Names, Names] = {(None, "1.2.1.1", "1.2.1.1.1", None): (None, "1.2.5.5", "1.2.5.5.5.5", None)}
    for form in (
        head + b"\xff\xff\xff\xff" + content + ending,
        head + len(content).to_bytes(4, "little") + content,
        head + explicit[8:],
    ):
        unknown = raw.replace(explicit, form)
        assert named(unknown) == list(pairs)
        new = written(unknown, change(pairs))
        assert named(new) == list(pairs.values())
        assert top(new)[tag][:8] == head
        assert explained(unknown, new, change(pairs)) == []


def test_group_lengths_in_items_count_anew() -> None:
    ds = presentation(ONE)
    inner = ds.ReferencedSeriesSequence[0].ReferencedImageSequence[0]
    inner.add_new(0x00080001, "UL", 8 + 26 + 8 + 10)  # pydicom writes no group length: its tag comes afterwards
    raw = encoded(ds).replace(b"\x08\0\1\0UL", b"\x08\0\0\0UL")
    new = written(raw, change({(None, "1.2.1.1", "1.2.1.1.1", None): (None, "1.2.1.1", "1.2.1.1.10001", None)}))
    got = pydicom.dcmread(io.BytesIO(new)).ReferencedSeriesSequence[0].ReferencedImageSequence[0]
    assert got[0x00080000].value == 8 + 26 + 8 + 14


def test_frames_follow_the_short_list_and_are_refused_where_it_has_two() -> None:
    raw = encoded(segmentation(TWO))
    pairs: dict[Names, Names] = {(None, "1.2.1.1", "1.2.1.1.1", None): (None, "1.2.5.5", "1.2.5.5.5", None)}
    new = pydicom.dcmread(io.BytesIO(written(raw, change(pairs))))
    sources = [
        one.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        for one in new.PerFrameFunctionalGroupsSequence
    ]
    assert sources == ["1.2.5.5.5", "1.2.1.1.2"]
    twice = segmentation([*ONE, ("1.2.1", "1.2.1.9", "1.2.1.1.1")])
    assert refusal(encoded(twice), change(pairs)) == "reference-ambiguous"


def private(ds: Dataset, vr: str, value: object) -> Dataset:
    ds.add_new(0x00110010, "LO", "SOMEONE")
    ds.add_new(0x00111001, vr, value)
    return ds


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_what_would_leave_an_old_uid_behind_is_refused(syntax: str) -> None:
    for vr, value in (("UI", "1.2.1.1.1"), ("UN", b"\0\1" + b"1.2.1.1.1\0"), ("SQ", [item(UID="1.2.1.1.1")])):
        assert refusal(encoded(private(report(ONE), vr, value), syntax), change(MOVES)) == "uid-elsewhere"
    for vr, value in (("UI", "1.2.1.1.1.5"), ("UN", b"11.2.1.1.1")):
        assert written(encoded(private(report(ONE), vr, value), syntax), change(MOVES))
    unknown = report(ONE)
    unknown.ContentSequence[0].UID = "1.2.1.1.1"  # a content item that names something by no known concept
    assert refusal(encoded(unknown, syntax), change(MOVES)) == "uid-elsewhere"
    own = Change("(0008,0018)", "1.2.7.1", "2.25.77", "COERCE")
    assert refusal(encoded(private(report(ONE), "UI", "1.2.7.1"), syntax), own) == "uid-elsewhere"


def test_an_item_that_cannot_be_divided_is_refused() -> None:
    ds = plain("11.2")
    ds.BlendingSequence = [
        item(StudyInstanceUID="1.2.1", ReferencedSeriesSequence=series(TWO, "1.2.1", "ReferencedImageSequence"))
    ]
    raw = encoded(ds)
    first, second = named(raw)
    one = ("1.2.5", "1.2.5.5", first[2], None)
    assert refusal(raw, change({first: one})) == "reference-split"
    both = change({first: one, second: ("1.2.5", "1.2.5.6", second[2], None)})
    new = pydicom.dcmread(io.BytesIO(written(raw, both)))
    (blended,) = new.BlendingSequence
    assert blended.StudyInstanceUID == "1.2.5"
    assert [one.SeriesInstanceUID for one in blended.ReferencedSeriesSequence] == ["1.2.5.5", "1.2.5.6"]


def test_what_the_object_does_not_point_to_or_what_is_no_uid_is_refused() -> None:
    raw = encoded(report(ONE))
    (names, *_) = named(raw)
    absent: Names = ("1.2.1", "1.2.1.1", "1.2.1.1.9", None)
    assert refusal(raw, change({absent: (*absent[:2], "1.2.3", None)})) == "before-differs"
    assert refusal(raw, change({names: (*names[:2], "no uid", None)})) == "uid"
    assert refusal(raw, Change("references", "[[1]]", "[[2]]", "COERCE")) == "references"


def tampered(new: bytes, edit: Callable[[Dataset], None]) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(new))
    edit(ds)
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def test_every_other_difference_is_named() -> None:
    raw = encoded(report(TWO))
    new = written(raw, change(MOVES))
    evidence, content = "(0040,A375)", "(0040,A730)"

    def stays(ds: Dataset) -> None:
        ds.ContentSequence[2].ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.1.1.1"

    def another(ds: Dataset) -> None:
        ds.CurrentRequestedProcedureEvidenceSequence[0].StudyInstanceUID = "1.2.6"

    def lost(ds: Dataset) -> None:
        del ds.CurrentRequestedProcedureEvidenceSequence[1]

    def unrelated(ds: Dataset) -> None:
        ds.ContentSequence[2].TextValue = "Grüsse"

    def forgotten(ds: Dataset) -> None:
        del ds.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].ContentSequence

    for exact in (True, False):
        assert explained(raw, tampered(new, lambda ds: None), change(MOVES), exact=exact) == []
        for edit, tag in ((stays, content), (another, evidence), (lost, evidence), (unrelated, content)):
            assert explained(raw, tampered(new, edit), change(MOVES), exact=exact) == [tag]
        assert explained(raw, tampered(new, forgotten), change(MOVES), exact=exact) == [content]
    # lengths written anew are no difference, where the target may encode as it likes
    anew = tampered(new, lambda ds: undefined(ds, lambda: True))
    assert explained(raw, anew, change(MOVES), exact=False) == []
    # a reference that was to stay and a change nobody asked for
    assert explained(raw, new, exact=False) == ["(0008,0015)", "(0018,A001)", evidence, content, "(0400,0561)"]


REAL = ("test-SR.dcm", "reportsi.dcm", "rtplan.dcm", "liver_1frame.dcm")


@pytest.mark.parametrize("name", REAL)
def test_real_objects_follow_and_dciodvfy_finds_no_new_error(name: str, tmp_path: Path) -> None:
    raw = wheel_file(name).read_bytes()
    pairs: dict[Names, Names] = {
        names: (names[0], names[1] and "2.25.1", names[2] and f"2.25.9{number}", names[3])
        for number, names in enumerate(named(raw))
        # others are no UIDs of this world: `0`, and one that a content item holds too
        if names[2] and len(names[2]) > 12
    }
    own = Change("(0008,0018)", pydicom.dcmread(io.BytesIO(raw)).SOPInstanceUID, "2.25.4711", "COERCE")
    new = written(raw, own, *([change(pairs)] if pairs else []))
    assert named(new) == [pairs.get(names, names) for names in named(raw)]
    assert explained(raw, new, own, *([change(pairs)] if pairs else [])) == []
    program = require("dciodvfy", "dicom3tools")

    def errors(content: bytes) -> set[str]:
        (tmp_path / "x.dcm").write_bytes(content)
        done = subprocess.run([program, str(tmp_path / "x.dcm")], capture_output=True, text=True, check=False)
        return {line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")}

    assert errors(new) <= errors(raw)
