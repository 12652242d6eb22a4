"""Faults that need more than a value: moved and lost objects, odd UIDs, conflicting sequences."""

from __future__ import annotations

from functools import partial

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from fonds.samples.broken import BROKEN
from fonds.samples.edits import Touched, aside, new_sop, set_values
from fonds.samples.inject import Block, Maker, last_image, put
from fonds.samples.media import directory, strangers
from fonds.samples.objects import Exam
from fonds.samples.pointing import POINTING
from fonds.samples.recipe import Fault, Where
from fonds.samples.rekeyed import REKEYED
from fonds.samples.twice import TWICE

_ROOT = "1.2.826.0.1.3680043.8.498"


def foreign_picture(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Move another person's last image into this study."""
    donor = block.pick(Where(source=exam.source, kinds=(exam.kind,), least=2), f"{fault.id}-donor", avoid=exam)
    if donor is None:
        return []
    moved = last_image(donor)
    moved.edits.append(
        partial(set_values, StudyInstanceUID=exam.study_uid, SeriesInstanceUID=exam.uid("foreign"), SeriesNumber="90")
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
        planned.edits.append(partial(set_values, PatientSex=word))
    return list(exam.objects)


def spaced_name(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Spaces before the name and around its first separator."""
    for planned in exam.objects:
        planned.edits.append(partial(set_values, PatientName=" " + exam.record.name.replace("^", " ^ ", 1)))
    return list(exam.objects)


def phantom(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A phantom in the place of the person."""
    for planned in exam.objects:
        planned.edits.append(
            partial(set_values, PatientName="PHANTOM^CT", PatientID=f"QA-{exam.person.index}", PatientBirthDate="")
        )
        planned.person = f"phantom-{exam.person.index:07d}"
    return list(exam.objects)


def colons(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Study and series time as HH:MM:SS."""
    text = f"{exam.time[:2]}:{exam.time[2:4]}:{exam.time[4:]}"
    for planned in exam.objects:
        planned.edits.append(partial(set_values, StudyTime=text, SeriesTime=text))
    return list(exam.objects)


def leading_zero(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A UID component 007 in the last image."""
    image = last_image(exam)
    image.edits.append(lambda ds: new_sop(ds, f"{_ROOT}.{exam.person.index + 1}.007.{exam.number + 1}"))
    return [image]


def long_uid(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A UID of 70 characters in the last image."""
    image = last_image(exam)
    image.edits.append(lambda ds: new_sop(ds, f"{_ROOT}.{exam.person.index + 1}.{exam.uid('long')[5:]}9999"[:70]))
    return [image]


def one_uid(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Study, series and object of one UID."""
    image = last_image(exam)

    def edit(ds: Dataset) -> None:
        new_sop(ds, exam.study_uid)
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
        planned.edits.append(partial(set_values, StudyInstanceUID=exam.uid("second study")))
    return [*moved]


def half_series(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The second half of the images under another Study Instance UID."""
    moved = exam.objects[(len(exam.objects) + 1) // 2 :]
    for planned in moved:
        planned.edits.append(partial(set_values, StudyInstanceUID=exam.uid("second study")))
    return list(exam.objects)


def split_archive(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last image, as a series of its own, only in oncology's archive."""
    image = last_image(exam)
    image.edits.append(partial(set_values, SeriesInstanceUID=exam.uid("late series"), SeriesNumber="92"))
    image.source, image.location = "oncology", aside(image, f"from-{exam.source}")
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
        planned.edits.append(partial(set_values, AccessionNumber=donor.accession))
    return [*exam.objects, *donor.objects]


def other_site(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The accession number that another department gave to another patient, in the examination of fault `of`."""
    donors = (donor for name in str(fault.options["of"]).split() for donor in block.chosen.get(name, ()))
    donor = next((donor for donor in donors if donor.person is not exam.person), None)
    if donor is None or donor.accession is None:
        return []
    for planned in exam.objects:
        planned.edits.append(partial(set_values, AccessionNumber=donor.accession))
    return [*exam.objects, *donor.objects]


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
        planned.edits.append(partial(set_values, MIMETypeOfEncapsulatedDocument=""))
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
        other_site,
        original_attributes,
        directory,
        strangers,
        other_request,
        no_mime,
    )
}
MAKERS |= BROKEN | TWICE | REKEYED | POINTING
