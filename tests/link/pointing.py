"""A small archive with what duplicates bring: a collision, a study on two patients, an examination twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from tests.migrate.moving import CT, ct, save

KOS, SR = "1.2.840.10008.5.1.4.1.1.88.59", "1.2.840.10008.5.1.4.1.1.88.33"
PR, SEG = "1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.66.4"
STRUCTURES, REG = "1.2.840.10008.5.1.4.1.1.481.3", "1.2.840.10008.5.1.4.1.1.66.1"
STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
FRAME = "1.2.3.77"
Target = tuple[str, str]
"""Series and object."""


def of(**values: Any) -> Dataset:
    """An item."""
    ds = Dataset()
    for name, value in values.items():
        setattr(ds, name, value)
    return ds


def image(number: int, study: int, **values: Any) -> Dataset:
    """A CT image of patient P1 whose pixels follow from its number and study."""
    values = {"PatientID": "P1", "PatientName": "Doe^Ann", "FrameOfReferenceUID": FRAME, **values}
    pixels = values.pop("PixelData", bytes((number * 31 + study * 57 + i) % 251 for i in range(128)))
    about = {"AccessionNumber": f"A{study}", "StudyDescription": f"CT Thorax {study}", "StudyDate": f"2021030{study}"}
    return ct(number, study, PixelData=pixels, **{**about, **values})


def pointer(kind: str, modality: str, number: int, study: int, targets: list[Target], **values: Any) -> Dataset:
    """An object without pixels that points to images of its study, as its kind does."""
    ds = image(number, study, **{"SOPClassUID": kind, "Modality": modality, **values})
    ds.SOPInstanceUID, ds.SeriesInstanceUID = f"1.2.3.{study}.{number}.1", f"1.2.3.{study}.{number}"
    for word in ("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel"):
        delattr(ds, word)
    images = [of(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=sop) for _, sop in targets]
    series = {
        uid: [item for item, (of_it, _) in zip(images, targets, strict=True) if of_it == uid] for uid, _ in targets
    }

    def listed(word: str) -> list[Dataset]:
        return [of(SeriesInstanceUID=uid, **{word: items}) for uid, items in series.items()]

    if kind in (KOS, SR):
        ds.CurrentRequestedProcedureEvidenceSequence = [
            of(StudyInstanceUID=ds.StudyInstanceUID, ReferencedSeriesSequence=listed("ReferencedSOPSequence"))
        ]
        ds.ContentSequence = [of(ValueType="IMAGE", ReferencedSOPSequence=[item]) for item in images]
    elif kind == PR:
        ds.ReferencedSeriesSequence = listed("ReferencedImageSequence")
    elif kind == SEG:
        ds.ReferencedSeriesSequence = listed("ReferencedInstanceSequence")
        ds.PerFrameFunctionalGroupsSequence = [
            of(DerivationImageSequence=[of(SourceImageSequence=[item])]) for item in images
        ]
    elif kind == STRUCTURES:
        inside = of(ReferencedSOPClassUID=STUDY_CLASS, ReferencedSOPInstanceUID=ds.StudyInstanceUID)
        inside.RTReferencedSeriesSequence = listed("ContourImageSequence")
        ds.ReferencedFrameOfReferenceSequence = [of(FrameOfReferenceUID=FRAME, RTReferencedStudySequence=[inside])]
        ds.ROIContourSequence = [
            of(ReferencedROINumber="1", ContourSequence=[of(ContourImageSequence=[item]) for item in images])
        ]
    else:
        ds.RegistrationSequence = [of(FrameOfReferenceUID=FRAME, ReferencedImageSequence=images)]
        ds.StudiesContainingOtherReferencedInstancesSequence = [
            of(StudyInstanceUID=ds.StudyInstanceUID, ReferencedSeriesSequence=listed("ReferencedInstanceSequence"))
        ]
    return ds


def archive(root: Path) -> None:
    """The files of the sources rad and card.

    Study 1: one UID with two contents, in either archive, with six kinds of objects that point to each. Study 2: on two
    patients, with key objects of both. Studies 3 and 4: one examination; of the images of 4 the first three have the
    pixels of the first three of 3, and a key object points to one of these and to the fourth. Study 5: on two patients,
    and a key object points to an image that is nowhere. Study 6: nothing is wrong with it. Study 7: one UID
    with two contents; a key object that points to the second has the UID in a private attribute, too.
    """
    kinds = ((PR, "PR"), (KOS, "KO"), (SR, "SR"), (SEG, "SEG"), (STRUCTURES, "RTSTRUCT"), (REG, "REG"))
    shared = [("1.2.3.1.1", "1.2.3.1.1.1")]
    for place, first, content in (("rad", 10, 1), ("card", 20, 99)):
        save(image(content, 1, SOPInstanceUID="1.2.3.1.1.1", InstanceNumber="1"), root / place / "s1/i1.dcm")
        for number, (kind, modality) in enumerate(kinds, first):
            save(pointer(kind, modality, number, 1, shared), root / place / f"s1/{modality}.dcm")
    other = {"PatientID": "P2", "PatientName": "Roe^Max", "PatientBirthDate": "19550505", "PatientSex": "M"}
    for study in (2, 5):
        for number in (1, 2, 3):
            save(image(number, study, **(other if number == 3 else {})), root / f"rad/s{study}/i{number}.dcm")
        own, theirs = [[(f"1.2.3.{study}.1", f"1.2.3.{study}.1.{n}") for n in many] for many in ((1, 2), (3,))]
        if study == 5:
            theirs.append(("1.2.3.5.1", "1.2.3.5.1.9"))
        save(pointer(KOS, "KO", 10, study, own), root / f"rad/s{study}/ko1.dcm")
        save(pointer(KOS, "KO", 11, study, theirs, **other), root / f"rad/s{study}/ko2.dcm")
    again = {"AccessionNumber": "A3", "StudyDescription": "CT Thorax 3", "StudyDate": "20210303"}
    for number in range(1, 7):
        save(image(number, 3), root / f"rad/s3/i{number}.dcm")
    for number in (1, 2, 3):
        save(image(number, 4, PixelData=image(number, 3).PixelData, **again), root / f"rad/s4/i{number}.dcm")
    save(image(4, 4, **again), root / "rad/s4/i4.dcm")
    both = [("1.2.3.4.1", f"1.2.3.4.1.{number}") for number in (1, 4)]
    save(pointer(KOS, "KO", 10, 4, both, **again), root / "rad/s4/ko.dcm")
    save(image(1, 6), root / "rad/s6/i1.dcm")
    for place, content in (("rad", 1), ("card", 99)):
        save(image(content, 7, SOPInstanceUID="1.2.3.7.1.1", InstanceNumber="1"), root / place / "s7/i1.dcm")
    hidden = pointer(KOS, "KO", 10, 7, [("1.2.3.7.1", "1.2.3.7.1.1")])
    hidden.private_block(0x0009, "HOUSE", create=True).add_new(1, "UI", "1.2.3.7.1.1")
    save(hidden, root / "card/s7/ko.dcm")
