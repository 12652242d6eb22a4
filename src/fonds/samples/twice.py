"""Faults that put an object, a series or a study into the archives twice."""

from __future__ import annotations

from functools import partial

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from fonds.samples.edits import Touched, copied, new_sop, paint, set_values
from fonds.samples.inject import Block, Maker, last_image
from fonds.samples.objects import Exam, Planned, find, noise
from fonds.samples.recipe import Fault, Where


def other_pixels(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A copy of the last image with other pixels under the same UID."""

    def edit(ds: Dataset) -> None:
        ds.PixelData = noise(f"other {ds.SOPInstanceUID}", (len(ds.PixelData),), 1 << 8, "u1")

    image = last_image(exam)
    copy = copied(exam, image, "second")
    copy.edits.append(edit)
    return [image, copy]


def two_series(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last image once more in a series of its own."""
    image = last_image(exam)
    copy = copied(exam, image, "series")
    copy.edits.append(partial(set_values, SeriesInstanceUID=exam.uid("second series"), SeriesNumber="91"))
    return [image, copy]


def new_uids(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The whole study once more, every UID a new one; with a `trace`, an attribute names the object it came from."""
    touched: Touched = list(exam.objects)
    trace = _TRACES.get(str(fault.options.get("trace")))
    for planned in list(exam.objects):
        copy = copied(exam, planned, "retrieved")

        def edit(ds: Dataset) -> None:
            before = (ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID)
            new_sop(ds, exam.uid("retrieved", ds.SOPInstanceUID))
            set_values(
                ds,
                StudyInstanceUID=exam.uid("retrieved", "study"),
                SeriesInstanceUID=exam.uid("retrieved", ds.SeriesInstanceUID),
            )
            if trace is not None:
                trace(ds, *before)

        if trace is not None and planned.number:  # stored otherwise, too: only what it says tells where it came from
            planned.syntax, copy.syntax = str(ExplicitVRLittleEndian), str(RLELossless)
        copy.edits.append(edit)
        touched.append(copy)
    return touched


def _as_source_image(ds: Dataset, study: str, series: str, sop_uid: str) -> None:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ds.SOPClassUID, sop_uid
    ds.SourceImageSequence = Sequence([item])


def _as_original_attributes(ds: Dataset, study: str, series: str, sop_uid: str) -> None:
    before, item = Dataset(), Dataset()
    before.StudyInstanceUID, before.SeriesInstanceUID, before.SOPInstanceUID = study, series, sop_uid
    item.ModifiedAttributesSequence = Sequence([before])
    item.AttributeModificationDateTime = f"{ds.StudyDate}235900"
    item.ModifyingSystem, item.SourceOfPreviousValues = "GATEWAY", ""
    item.ReasonForTheAttributeModification = "COERCE"
    ds.OriginalAttributesSequence = Sequence([item])


_TRACES = {"source image": _as_source_image, "original attributes": _as_original_attributes}


def same_pixels(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last image saved again under a new UID."""
    image = last_image(exam)
    copy = copied(exam, image, "again")
    copy.edits.append(lambda ds: new_sop(ds, exam.uid("again")))
    return [image, copy]


def exact_copy(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last image's file twice."""
    image = last_image(exam)
    return [image, copied(exam, image, "resent")]


def copied_archive(block: Block, exam: Exam, fault: Fault) -> Touched:
    """All files of the study in another archive, too."""
    touched: Touched = list(exam.objects)
    for planned in list(exam.objects):
        copy = copied(exam, planned, f"from-{exam.source}")
        copy.source = str(fault.where.also)
        touched.append(copy)
    return touched


def other_syntax(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The first image once more in implicit VR, the last one once more as RLE."""
    touched: Touched = []
    for image, syntax in ((exam.objects[0], ImplicitVRLittleEndian), (last_image(exam), RLELossless)):
        image.syntax = str(ExplicitVRLittleEndian)
        copy = copied(exam, image, "coded")
        copy.syntax = str(syntax)
        touched += [image, copy]
    return touched


def edited_copy(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last image once more with another description."""
    image = last_image(exam)
    copy = copied(exam, image, "edited")
    copy.edits.append(partial(set_values, SeriesDescription="T1 axial KORREKTUR"))
    return [image, copy]


def encodings(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last image once more in every way to store it that changes nothing it says."""
    image = last_image(exam)
    image.syntax = str(ExplicitVRLittleEndian)
    touched: Touched = [image]
    for word, syntax in (("big-endian", ExplicitVRBigEndian), ("jpeg-ls", JPEGLSLossless)):
        copy = copied(exam, image, word)
        copy.syntax = str(syntax)
        touched.append(copy)
    lengths = copied(exam, image, "lengths")
    lengths.edits.append(_undefined_lengths)
    padded = copied(exam, image, "padded")
    padded.edits.append(lambda ds: set_values(ds, ProtocolName=f"{ds.ProtocolName}  "))
    padded.bytes_edits += [_group_length, lambda data: data + b"\xfc\xff\xfc\xffOB\0\0\x10\0\0\0" + bytes(16)]
    meta = copied(exam, image, "meta")
    meta.edits.append(lambda ds: set_values(ds.file_meta, ImplementationVersionName="OLD_ARCHIVE_2"))
    meta.bytes_edits.append(lambda data: b"II*\0" + data[4:])
    return [*touched, lengths, padded, meta]


def _undefined_lengths(ds: Dataset) -> None:
    for sequence in ds:
        if sequence.VR == "SQ":
            sequence.is_undefined_length = True
            for item in sequence.value:
                item.is_undefined_length_sequence_item = True
                _undefined_lengths(item)


def _group_length(data: bytes) -> bytes:
    """The retired group length of group 8 (PS3.5 7.2)."""
    start = 144 + int.from_bytes(data[140:144], "little")
    end, _ = find(data, 0x0010, 0x0010, at=start)
    length = b"\x08\0\0\0UL\x04\0" + (end - start).to_bytes(4, "little")
    return data[:start] + length + data[start:]


def other_charset(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last image once more, its text in UTF-8."""
    image = last_image(exam)
    copy = copied(exam, image, "utf-8")
    copy.edits.append(partial(set_values, SpecificCharacterSet="ISO_IR 192"))
    return [image, copy]


def richer_copy(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last image once more, written a month later with more attributes."""
    image = last_image(exam)
    day = f"{exam.day:%Y%m%d}"
    image.edits.append(partial(set_values, InstanceCreationDate=day, InstanceCreationTime=exam.time))
    copy = copied(exam, image, "richer")
    later = f"{exam.day.replace(day=28):%Y%m%d}"
    copy.edits.append(
        partial(
            set_values,
            InstanceCreationDate=max(later, day),
            InstanceCreationTime="235959",
            PatientSize="1.74",
            PatientWeight="71",
            ContrastBolusAgent="Gadobutrol",
            AdditionalPatientHistory="Kontrolle",
        )
    )
    return [image, copy]


def edited_document(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The study's document once more under another title."""
    document = next(planned for planned in exam.objects if planned.series != exam.objects[0].series)
    copy = copied(exam, document, "titled")
    copy.edits.append(partial(set_values, DocumentTitle="Operation report, corrected"))
    return [document, copy]


def same_coded(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last image saved again under a new UID, compressed."""
    image = last_image(exam)
    image.syntax = str(ExplicitVRLittleEndian)
    copy = copied(exam, image, "saved")
    copy.syntax = str(RLELossless)
    copy.edits.append(lambda ds: new_sop(ds, exam.uid("saved")))
    return [image, copy]


def same_elsewhere(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last image's pixels in another person's study."""
    donor = block.pick(Where(source=exam.source, kinds=(exam.kind,)), f"{fault.id}-donor", avoid=exam)
    if donor is None:
        return []
    image, other = last_image(exam), last_image(donor)
    for planned in (image, other):
        planned.edits.append(lambda ds: paint(ds, exam.uid("same elsewhere")))
    return [image, other]


def blank(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The first and the last image black."""

    def edit(ds: Dataset) -> None:
        ds.PixelData = bytes(len(ds.PixelData))

    images: list[Planned] = [exam.objects[0], last_image(exam)]
    for planned in images:
        planned.edits.append(edit)
    return [*images]


def two_studies(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last image once more, under its own UID, in another study of the same person."""
    other = block.sibling(exam)
    if other is None or other.accession is None:
        return []
    other.touched = True
    image = last_image(exam)
    copy = copied(exam, image, "filed")
    copy.examination = other.name
    copy.edits.append(
        partial(
            set_values,
            StudyInstanceUID=other.study_uid,
            SeriesInstanceUID=other.uid("filed"),
            AccessionNumber=other.accession,
            StudyID=str(other.number + 1),
        )
    )
    return [image, copy]


def one_study_uid(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Another person's examination, key objects and all, under this Study Instance UID."""
    donor = block.pick(Where(source=exam.source, kinds=(exam.kind,), least=2), f"{fault.id}-donor", avoid=exam)
    if donor is None:
        return []
    donor.study_uid = exam.study_uid
    return [*exam.objects, *donor.objects]


TWICE: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        other_pixels,
        two_series,
        new_uids,
        same_pixels,
        exact_copy,
        copied_archive,
        other_syntax,
        edited_copy,
        encodings,
        other_charset,
        richer_copy,
        edited_document,
        same_coded,
        same_elsewhere,
        blank,
        two_studies,
        one_study_uid,
    )
}
