"""One examination under two Study Instance UIDs, and examinations that only look as if they were one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from pydicom.dataset import Dataset

from fonds.samples.edits import Touched, aside, new_sop, paint, set_values
from fonds.samples.inject import Block, Maker
from fonds.samples.objects import Exam, Planned
from fonds.samples.people import record
from fonds.samples.recipe import Fault
from fonds.samples.sources import CHARSETS, SOURCES


def rekeyed(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Images of the examination under a new Study Instance UID, registered by hand a second time.

    They say when they were made as before, unless `clock` says that this clock is another one. Options: `images`, how
    many of them (all); `minutes` later; `accession` and `description`, templates with {v} for the value before and {n}
    for the person's number; `pixels: other` for images processed anew; `to` another archive, under its identifiers.
    """
    touched: Touched = list(exam.objects)
    for planned in exam.objects:
        planned.edits.append(_one_by_one)
    for copy in _anew(exam, fault, "rekeyed"):
        touched.append(copy)
        exam.objects.append(copy)
    return touched


def lookalike(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Another examination of the same person, as like this one as a hospital makes them: never the same one twice.

    Options as of `rekeyed`, and `days` later; `laterality`, `body` and `series` of the other examination.
    """
    touched: Touched = list(exam.objects)
    other = replace(
        exam,
        number=exam.number + 10,
        study_uid=exam.uid(fault.id, "study"),
        accession=str(fault.options.get("accession", "{v}")).format(v=exam.accession, n=exam.person.index),
        day=exam.day + timedelta(days=int(fault.options.get("days", "0"))),
        objects=[],
        touched=True,
    )
    block.further.append(other)
    for copy in _anew(exam, fault, "lookalike"):
        copy.examination = other.name
        copy.edits.append(partial(_another, exam=exam, fault=fault))
        touched.append(copy)
        exam.objects.append(copy)
    return touched


def _anew(exam: Exam, fault: Fault, word: str) -> list[Planned]:
    told = {name: str(value) for name, value in fault.options.items()}
    images = [planned for planned in exam.objects if planned.series == exam.objects[0].series]
    images = images[: int(told.get("images", len(images)))]
    words: tuple[str, ...] = ("StudyTime", "SeriesTime")
    if word == "lookalike" or told.get("clock"):  # made at another time, or by another clock
        words += ("AcquisitionTime", "ContentTime")
    edit = partial(_written_anew, exam=exam, fault=fault, told=told, times=words)
    found = []
    for planned in images:
        copy = planned.copy(aside(planned, f"{word}-from-{exam.source}" if "to" in told else word))
        copy.source = told.get("to", exam.source)
        copy.edits.append(edit)
        found.append(copy)
    return found


def _written_anew(ds: Dataset, *, exam: Exam, fault: Fault, told: dict[str, str], times: tuple[str, ...]) -> None:
    later = timedelta(minutes=int(told.get("minutes", "0")), days=int(told.get("days", "0")))
    for word in times:
        date = word.replace("Time", "Date")
        if word in ds and date in ds:
            moment = datetime.strptime(f"{ds[date].value}{ds[word].value}", "%Y%m%d%H%M%S") + later  # noqa: DTZ007
            set_values(ds, **{date: f"{moment:%Y%m%d}", word: f"{moment:%H%M%S}"})
    new_sop(ds, exam.uid(fault.id, ds.SOPInstanceUID))
    set_values(
        ds,
        StudyInstanceUID=exam.uid(fault.id, "study"),
        SeriesInstanceUID=exam.uid(fault.id, ds.SeriesInstanceUID),
        AccessionNumber=told.get("accession", "{v}").format(v=ds.AccessionNumber, n=exam.person.index),
        StudyDescription=told.get("description", "{v}").format(v=ds.StudyDescription),
        StudyID=f"{exam.number + 1}0",
    )
    for name, word in (("series", "SeriesDescription"), ("body", "BodyPartExamined"), ("laterality", "Laterality")):
        if name in told:
            set_values(ds, **{word: told[name]})
    if told.get("pixels") == "other":
        paint(ds, ds.SOPInstanceUID)
    if "to" in told:
        _registered(ds, exam, told["to"])


def _one_by_one(ds: Dataset) -> None:
    """Each image is made at its own time, seven seconds after the one before."""
    made = datetime.strptime(ds.StudyTime, "%H%M%S") + timedelta(seconds=7 * int(ds.InstanceNumber))  # noqa: DTZ007
    set_values(ds, AcquisitionTime=f"{made:%H%M%S}", ContentTime=f"{made:%H%M%S}")


def _another(ds: Dataset, *, exam: Exam, fault: Fault) -> None:
    paint(ds, ds.SOPInstanceUID)
    if "FrameOfReferenceUID" in ds:
        set_values(ds, FrameOfReferenceUID=exam.uid(fault.id, "frame"))


def _registered(ds: Dataset, exam: Exam, source: str) -> None:
    """The patient, the institution and the character set as the other department writes them."""
    noted = record(exam.seed, exam.person, source)
    set_values(ds, SpecificCharacterSet=CHARSETS[source], InstitutionName=str(SOURCES[source]["institution"]))
    set_values(ds, PatientName=noted.name, PatientID=noted.patient_id, PatientBirthDate=noted.birth)
    if noted.issuer is None:
        del ds.IssuerOfPatientID
    else:
        set_values(ds, IssuerOfPatientID=noted.issuer)
    if "IssuerOfAccessionNumberSequence" in ds:
        del ds.IssuerOfAccessionNumberSequence


REKEYED: dict[str, Maker] = {maker.__name__: maker for maker in (rekeyed, lookalike)}
