"""Faults of objects that point to others, and rejection notes (IHE IOCM) of every title."""

from __future__ import annotations

from functools import partial

from pydicom.dataset import Dataset

from fonds.samples import chains, documents, images
from fonds.samples.documents import Target
from fonds.samples.edits import Touched, aside, copied, paint
from fonds.samples.inject import Block, Maker, last_image
from fonds.samples.objects import Exam, Planned
from fonds.samples.recipe import Fault, Where


def _added(exam: Exam, place: int, modality: str, text: str) -> tuple[Planned, tuple[str, int, str, str], str]:
    """A further object of the examination in a series of its own, not yet built: with its series and its UID."""
    series = (exam.uid("added series", place), place, modality, text)
    planned = Planned(exam, exam.location(f"{modality}{place}", 1), Dataset, series[0])
    exam.objects.append(planned)
    return planned, series, exam.uid("added", place)


def rejection_note(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A key object note that takes the last image back, with `all` every image.

    Options: `title`, a code of CID 7011; `collision`, another picture lies under the image's UID; `to`, the
    archive the note lies in.
    """
    rejected = [planned for planned in exam.objects if planned.series == exam.objects[0].series]
    targets = exam.targets[: len(rejected)]
    if not fault.options.get("all"):
        rejected, targets = rejected[-1:], targets[-1:]
    touched: Touched = [*rejected]
    if fault.options.get("collision"):
        other = copied(exam, rejected[-1], "other")
        other.edits.append(lambda ds: paint(ds, f"other {ds.SOPInstanceUID}"))
        touched.append(other)
    code = str(fault.options.get("title", "113001"))
    series = (exam.uid("note series"), 93, "KO", "Rejected")
    title = (code, documents.REJECTED[code])
    made = partial(documents.kos, exam, series, exam.uid("note"), targets, title=title)
    note = Planned(exam, exam.location("KO93", 1), made, series[0])
    if "to" in fault.options:
        note.source, note.location = str(fault.options["to"]), aside(note, f"from-{exam.source}")
    exam.objects.append(note)
    return [*touched, note]


def other_patient(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Key objects that name another person's image."""
    donor = block.pick(Where(source=exam.source, kinds=(exam.kind,)), f"{fault.id}-donor", avoid=exam)
    if donor is None:
        return []
    note, series, uid = _added(exam, 94, "KO", "Key images")
    note.build = partial(documents.kos, exam, series, uid, donor.targets[-1:], study_uid=donor.study_uid)
    return [note, last_image(donor)]


def missing_study(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Key objects in a study that no archive holds."""
    note, series, uid = _added(exam, 94, "KO", "Key images")
    lost = Target(exam.targets[0].sop_class, exam.uid("prior image"), exam.uid("prior series"))
    note.build = partial(documents.kos, exam, series, uid, [lost], study_uid=exam.uid("prior study"))
    return [note]


def missing_prior(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Key objects that name an image another study of the person should have."""
    other = block.sibling(exam)
    if other is None:
        return []
    note, series, uid = _added(exam, 94, "KO", "Key images")
    lost = Target(exam.targets[0].sop_class, other.uid("lost image"), other.uid("series", 1))
    note.build = partial(documents.kos, exam, series, uid, [lost], study_uid=other.study_uid)
    return [note]


def no_evidence(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A report that does not list as evidence what its content shows."""
    report = next(planned for planned in exam.objects if planned.series != exam.objects[0].series)
    report.edits.append(lambda ds: ds.pop("CurrentRequestedProcedureEvidenceSequence"))
    return [report]


def lost_image(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A presentation state whose only image no archive holds."""
    state, series, uid = _added(exam, 95, "PR", "Annotations")
    lost = Target(exam.targets[0].sop_class, exam.uid("lost image"), exam.uid("lost series"))
    state.build = partial(documents.pr, exam, series, uid, [lost])
    return [state]


def state_elsewhere(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A presentation state that lies in another archive than its image."""
    state, series, uid = _added(exam, 96, "PR", "Annotations")
    state.build = partial(documents.pr, exam, series, uid, exam.targets[:1])
    state.source, state.location = str(fault.options["to"]), aside(state, f"from-{exam.source}")
    return [state]


def wrong_class(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The study's presentation state names its image as one of another SOP class."""

    def edit(ds: Dataset) -> None:
        for series in ds.ReferencedSeriesSequence:
            for item in series.ReferencedImageSequence:
                item.ReferencedSOPClassUID = images.MR

    state = exam.objects[-1]
    state.edits.append(edit)
    return [state]


def radiotherapy(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Plan and dose on the study's structure set, which point to each other."""
    structures = next(planned for planned in exam.objects if planned.series != exam.objects[0].series)
    set_uid = str(structures.dataset().SOPInstanceUID)
    plan, plan_series, plan_uid = _added(exam, 97, "RTPLAN", "Plan")
    dose, dose_series, dose_uid = _added(exam, 98, "RTDOSE", "Dose")
    plan.build = partial(
        chains.rtplan,
        exam,
        plan_series,
        plan_uid,
        Target(documents.RTSTRUCT, set_uid, structures.series),
        Target(chains.RTDOSE, dose_uid, dose_series[0]),
    )
    dose.build = partial(chains.rtdose, exam, dose_series, dose_uid, Target(chains.RTPLAN, plan_uid, plan_series[0]))
    return [plan, dose]


def lost_plan(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A dose whose plan is not there."""
    dose, series, uid = _added(exam, 98, "RTDOSE", "Dose")
    plan = Target(chains.RTPLAN, exam.uid("lost plan"), exam.uid("lost plan series"))
    dose.build = partial(chains.rtdose, exam, series, uid, plan)
    return [dose]


def lost_frame(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A registration to a frame of reference no image has."""
    fusion, series, uid = _added(exam, 99, "REG", "Fusion")
    fusion.build = partial(chains.registration, exam, series, uid, list(exam.targets), exam.uid("lost frame"))
    return [fusion]


def marked_slide(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Bulk annotations of a slide."""
    marks, series, uid = _added(exam, 94, "ANN", "Nuclei")
    marks.build = partial(chains.slide_annotations, exam, series, uid, exam.targets[0])
    return [marks]


def read_trace(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A report on the study's waveform."""
    report, series, uid = _added(exam, 94, "SR", "ECG report")
    report.build = partial(chains.ecg_report, exam, series, uid, exam.targets[0])
    return [report]


POINTING: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        rejection_note,
        other_patient,
        missing_study,
        missing_prior,
        no_evidence,
        lost_image,
        state_elsewhere,
        wrong_class,
        radiotherapy,
        lost_plan,
        lost_frame,
        marked_slide,
        read_trace,
    )
}
