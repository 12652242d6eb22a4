"""Faults that need more than a value: copies, moved and lost objects, odd UIDs, conflicting sequences."""

from __future__ import annotations

from functools import partial

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from fonds.samples import documents
from fonds.samples.broken import BROKEN
from fonds.samples.inject import Block, Maker, last_image, put
from fonds.samples.media import directory, strangers
from fonds.samples.objects import Exam, Extra, Planned, noise
from fonds.samples.recipe import Fault, Where

Touched = list[Planned | Extra]
_ROOT = "1.2.826.0.1.3680043.8.498"


def _aside(planned: Planned, word: str) -> str:
    return planned.location.replace(".dcm", f"-{word}.dcm")


def _set(ds: Dataset, **texts: str) -> None:
    for keyword, text in texts.items():
        put(ds, keyword, text)


def _new_sop(ds: Dataset, uid: str) -> None:
    put(ds, "SOPInstanceUID", uid)
    put(ds.file_meta, "MediaStorageSOPInstanceUID", uid)


def _copy(exam: Exam, planned: Planned, word: str) -> Planned:
    copy = planned.copy(_aside(planned, word))
    exam.objects.append(copy)
    return copy


def foreign_picture(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Move another person's last image into this study."""
    donor = block.pick(Where(source=exam.source, kinds=(exam.kind,), least=2), f"{fault.id}-donor", avoid=exam)
    if donor is None:
        return []
    moved = last_image(donor)
    moved.edits.append(
        partial(_set, StudyInstanceUID=exam.study_uid, SeriesInstanceUID=exam.uid("foreign"), SeriesNumber="90")
    )
    return [moved, *exam.objects]


def issuer_conflict(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Issuer of Patient ID Qualifiers Sequence that names another authority."""

    def edit(ds: Dataset) -> None:
        item = Dataset()
        item.UniversalEntityID, item.UniversalEntityIDType = "1.2.276.0.76.3.1.999", "ISO"
        ds.IssuerOfPatientIDQualifiersSequence = Sequence([item])

    for planned in exam.objects:
        planned.edits.append(edit)
    return list(exam.objects)


def sex_word(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Male, weiblich."""
    word = {"M": "male", "F": "weiblich"}[exam.record.sex]
    for planned in exam.objects:
        planned.edits.append(partial(_set, PatientSex=word))
    return list(exam.objects)


def spaced_name(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Spaces before the name and around its first separator."""
    for planned in exam.objects:
        planned.edits.append(partial(_set, PatientName=" " + exam.record.name.replace("^", " ^ ", 1)))
    return list(exam.objects)


def phantom(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A phantom in the place of the person."""
    for planned in exam.objects:
        planned.edits.append(
            partial(_set, PatientName="PHANTOM^CT", PatientID=f"QA-{exam.person.index}", PatientBirthDate="")
        )
        planned.person = f"phantom-{exam.person.index:07d}"
    return list(exam.objects)


def colons(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Study and series time as HH:MM:SS."""
    text = f"{exam.time[:2]}:{exam.time[2:4]}:{exam.time[4:]}"
    for planned in exam.objects:
        planned.edits.append(partial(_set, StudyTime=text, SeriesTime=text))
    return list(exam.objects)


def other_pixels(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A copy of the last image with other pixels under the same UID."""

    def edit(ds: Dataset) -> None:
        ds.PixelData = noise(f"other {ds.SOPInstanceUID}", (len(ds.PixelData),), 1 << 8, "u1")

    image = last_image(exam)
    copy = _copy(exam, image, "second")
    copy.edits.append(edit)
    return [image, copy]


def two_series(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last image once more in a series of its own."""
    image = last_image(exam)
    copy = _copy(exam, image, "series")
    copy.edits.append(partial(_set, SeriesInstanceUID=exam.uid("second series"), SeriesNumber="91"))
    return [image, copy]


def new_uids(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The whole study once more, every UID a new one."""
    touched: Touched = list(exam.objects)
    for planned in list(exam.objects):
        copy = _copy(exam, planned, "retrieved")

        def edit(ds: Dataset) -> None:
            _new_sop(ds, exam.uid("retrieved", ds.SOPInstanceUID))
            _set(
                ds,
                StudyInstanceUID=exam.uid("retrieved", "study"),
                SeriesInstanceUID=exam.uid("retrieved", ds.SeriesInstanceUID),
            )

        copy.edits.append(edit)
        touched.append(copy)
    return touched


def same_pixels(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last image saved again under a new UID."""
    image = last_image(exam)
    copy = _copy(exam, image, "again")
    copy.edits.append(lambda ds: _new_sop(ds, exam.uid("again")))
    return [image, copy]


def exact_copy(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last image's file twice."""
    image = last_image(exam)
    return [image, _copy(exam, image, "resent")]


def copied_archive(block: Block, exam: Exam, fault: Fault) -> Touched:
    """All files of the study in another archive, too."""
    touched: Touched = list(exam.objects)
    for planned in list(exam.objects):
        copy = _copy(exam, planned, f"from-{exam.source}")
        copy.source = str(fault.where.also)
        touched.append(copy)
    return touched


def other_syntax(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The first image once more in implicit VR, the last one once more as RLE."""
    touched: Touched = []
    for image, syntax in ((exam.objects[0], ImplicitVRLittleEndian), (last_image(exam), RLELossless)):
        image.syntax = str(ExplicitVRLittleEndian)
        copy = _copy(exam, image, "coded")
        copy.syntax = str(syntax)
        touched += [image, copy]
    return touched


def edited_copy(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last image once more with another description."""
    image = last_image(exam)
    copy = _copy(exam, image, "edited")
    copy.edits.append(partial(_set, SeriesDescription="T1 axial KORREKTUR"))
    return [image, copy]


def leading_zero(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A UID component 007 in the last image."""
    image = last_image(exam)
    image.edits.append(lambda ds: _new_sop(ds, f"{_ROOT}.{exam.person.index + 1}.007.{exam.number + 1}"))
    return [image]


def long_uid(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A UID of 70 characters in the last image."""
    image = last_image(exam)
    image.edits.append(lambda ds: _new_sop(ds, f"{_ROOT}.{exam.person.index + 1}.{exam.uid('long')[5:]}9999"[:70]))
    return [image]


def one_uid(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Study, series and object of one UID."""
    image = last_image(exam)

    def edit(ds: Dataset) -> None:
        _new_sop(ds, exam.study_uid)
        put(ds, "SeriesInstanceUID", exam.study_uid)

    image.edits.append(edit)
    return [image]


def other_meta(block: Block, exam: Exam, fault: Fault) -> Touched:
    """File meta with another object's UID."""
    image = last_image(exam)
    image.edits.append(lambda ds: put(ds.file_meta, "MediaStorageSOPInstanceUID", exam.uid("meta")))
    return [image]


def lost_picture(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Remove the last image, which the study's documents point to."""
    image = last_image(exam)
    exam.objects.remove(image)
    return [planned for planned in exam.objects if planned.series != image.series]


def second_study(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The study's documents under another Study Instance UID."""
    images = exam.objects[0].series
    moved = [planned for planned in exam.objects if planned.series != images]
    for planned in moved:
        planned.edits.append(partial(_set, StudyInstanceUID=exam.uid("second study")))
    return [*moved]


def half_series(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The second half of the images under another Study Instance UID."""
    moved = exam.objects[(len(exam.objects) + 1) // 2 :]
    for planned in moved:
        planned.edits.append(partial(_set, StudyInstanceUID=exam.uid("second study")))
    return list(exam.objects)


def split_archive(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last image, as a series of its own, only in oncology's archive."""
    image = last_image(exam)
    image.edits.append(partial(_set, SeriesInstanceUID=exam.uid("late series"), SeriesNumber="92"))
    image.source, image.location = "oncology", _aside(image, f"from-{exam.source}")
    return list(exam.objects)


def private_data(block: Block, exam: Exam, fault: Fault) -> Touched:
    """66 kB in one private element of an implicit VR object."""

    def edit(ds: Dataset) -> None:
        ds.private_block(0x0019, "FONDS SAMPLES", create=True).add_new(1, "OB", b"fonds " * 11000)

    image = last_image(exam)
    image.syntax = str(ImplicitVRLittleEndian)
    image.edits.append(edit)
    return [image]


def padded_pixels(block: Block, exam: Exam, fault: Fault) -> Touched:
    """64 bytes more than rows and columns need."""

    def edit(ds: Dataset) -> None:
        ds.PixelData += b"\0" * 64

    image = last_image(exam)
    image.syntax = str(ExplicitVRLittleEndian)
    image.edits.append(edit)
    return [image]


def reused_accession(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The accession number of an examination of somebody else."""
    donor = block.pick(Where(source=exam.source), f"{fault.id}-donor", avoid=exam)
    if donor is None or donor.accession is None:
        return []
    for planned in exam.objects:
        planned.edits.append(partial(_set, AccessionNumber=donor.accession))
    return [*exam.objects, *donor.objects]


def rejection_note(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A key object note that rejects the last image."""
    image = last_image(exam)
    series = (exam.uid("note series"), 93, "KO", "Rejected")
    made = partial(documents.kos, exam, series, exam.uid("note"), exam.targets[-1:], documents.REJECTED)
    note = Planned(exam, exam.location("KO93", 1), made, series[0])
    exam.objects.append(note)
    return [image, note]


def original_attributes(block: Block, exam: Exam, fault: Fault) -> Touched:
    """An item of Original Attributes Sequence that another system left (PS3.3 C.12.1.1.9)."""

    def edit(ds: Dataset) -> None:
        before, item = Dataset(), Dataset()
        before.PatientID, before.IssuerOfPatientID = f"OLD-{exam.person.index}", "OLD-CVIS"
        item.ModifiedAttributesSequence = Sequence([before])
        item.AttributeModificationDateTime = f"{exam.day:%Y%m%d}{exam.time}"
        item.ModifyingSystem, item.SourceOfPreviousValues = "CVIS", "CARD-ARCHIVE"
        item.ReasonForTheAttributeModification = "COERCE"
        ds.OriginalAttributesSequence = Sequence([item])

    for planned in exam.objects:
        planned.edits.append(edit)
    return list(exam.objects)


def other_request(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Request Attributes Sequence that names another order."""

    def edit(ds: Dataset) -> None:
        item = Dataset()
        item.AccessionNumber, item.RequestedProcedureID = f"Z{exam.person.index:09d}", "1"
        item.ScheduledProcedureStepID = "1"
        ds.RequestAttributesSequence = Sequence([item])

    for planned in exam.objects:
        planned.edits.append(edit)
    return list(exam.objects)


def no_mime(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A document of no declared type."""
    documents_ = [planned for planned in exam.objects if planned.series != exam.objects[0].series]
    for planned in documents_:
        planned.edits.append(partial(_set, MIMETypeOfEncapsulatedDocument=""))
    return list(documents_)


MAKERS: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        foreign_picture,
        issuer_conflict,
        sex_word,
        spaced_name,
        phantom,
        colons,
        other_pixels,
        two_series,
        new_uids,
        same_pixels,
        exact_copy,
        copied_archive,
        other_syntax,
        edited_copy,
        leading_zero,
        long_uid,
        one_uid,
        other_meta,
        lost_picture,
        second_study,
        half_series,
        split_archive,
        private_data,
        padded_pixels,
        reused_accession,
        rejection_note,
        original_attributes,
        directory,
        strangers,
        other_request,
        no_mime,
    )
} | BROKEN
