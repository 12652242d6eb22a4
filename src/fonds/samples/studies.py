"""The examinations of a block of persons, department by department, with every object they consist of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from fonds.samples import documents, images
from fonds.samples.documents import Target
from fonds.samples.images import Series
from fonds.samples.objects import Exam, Planned, exam_day
from fonds.samples.people import Person, Record, block_persons, record, seeded
from fonds.samples.sources import CHARSETS, INSTITUTIONS, SOURCES

Build = Callable[[Exam, Series, str, int], Dataset]
Point = Callable[[Exam, Series, str, list[Target]], Dataset]

KINDS: dict[str, tuple[str, ...]] = {
    "radiology": ("ct", "mr", "cr"),
    "cardiology": ("echo", "xa", "ecg"),
    "oncology": ("plan", "staging", "lesion"),
    "pathology": ("slide",),
    "surgery": ("endoscopy", "capture"),
}
"""Kinds of examination of each department; a person's first one there is taken in turn, so that a block has all."""

_TEXTS = {
    "ct": ("CT Thorax", "Axial 3mm"),
    "mr": ("MR Kopf", "T1 axial"),
    "cr": ("Röntgen Thorax", "AP"),
    "echo": ("Echocardiography", "Apical 4 chamber"),
    "xa": ("Coronary angiography", "LCA"),
    "ecg": ("Resting ECG", "12 lead"),
    "plan": ("Bestrahlungsplanung", "Planning CT"),
    "staging": ("PET Staging", "Whole body"),
    "lesion": ("CT Verlaufskontrolle", "Axial venös"),
    "slide": ("Histologie", "HE"),
    "endoscopy": ("Gastroskopie", "Stills"),
    "capture": ("Laparoskopische Cholezystektomie", "Capture"),
}

_SYNTAXES = (
    (0.80, str(ExplicitVRLittleEndian)),
    (0.94, str(ImplicitVRLittleEndian)),
    (0.96, str(RLELossless)),
    (0.98, str(DeflatedExplicitVRLittleEndian)),
    (1.01, str(ExplicitVRBigEndian)),
)


def block_exams(seed: int, block: int, size: int, per_study: int) -> list[Exam]:
    """All examinations of a block's first `size` persons, about `per_study` images each, and what points to them."""
    exams = []
    turn = dict.fromkeys(KINDS, block)
    for person in block_persons(seed, block, size):
        for source in person.departments:
            rng = seeded(seed, "exams", person.index, source)
            for number in range(rng.choice((2, 2, 2, 3, 3))):
                kind = KINDS[source][turn[source] % len(KINDS[source])]
                turn[source] += 1
                exam = _exam(seed, person, record(seed, person, source), number, kind)
                _fill(exam, per_study, rng.random())
                exams.append(exam)
    return exams


def _exam(seed: int, person: Person, noted: Record, number: int, kind: str) -> Exam:
    rng = seeded(seed, "exam", person.index, noted.source, number)
    source = noted.source
    institution = str(SOURCES[source]["institution"])
    charset: str | list[str] = CHARSETS[source]
    if source == "radiology" and "=" in noted.name:
        charset = ["ISO 2022 IR 100", "ISO 2022 IR 87"]
    exam = Exam(
        seed,
        source,
        kind,
        person,
        noted,
        number,
        day=exam_day(person, rng.random()),
        time=f"{rng.randrange(7, 19):02d}{rng.randrange(60):02d}{rng.randrange(60):02d}",
        study_uid="",
        accession=f"{source[0].upper()}{person.index * 4 + number:09d}",
        description=_TEXTS[kind][0],
        institution=institution if rng.random() < 0.88 else rng.choice(INSTITUTIONS[institution]),
        charset=charset,
    )
    exam.study_uid = exam.uid("study")
    exam.syntax = _syntax(source, rng.random())
    return exam


def _syntax(source: str, draw: float) -> str:
    # A department's machines store in one or two syntaxes; the rare ones are old radiology and cardiology machines.
    if source in ("pathology", "oncology"):
        return str(ExplicitVRLittleEndian if draw < 0.85 else ImplicitVRLittleEndian)
    return next(name for limit, name in _SYNTAXES if draw < limit)


def _fill(exam: Exam, per_study: int, draw: float) -> None:
    name, few = _TEXTS[exam.kind][1], max(1, per_study // 2)
    match exam.kind:
        case "ct":
            pelvis = draw < 0.25
            exam.description = "CT Becken" if pelvis else exam.description
            _images(exam, ("CT", name), partial(images.ct, body="BECKEN" if pelvis else "CHEST"), per_study)
        case "mr":
            _images(exam, ("MR", name), partial(images.mr, body="SCHAEDEL" if draw < 0.2 else "HEAD"), per_study)
        case "cr":
            _radiographs(exam, min(per_study, 2), draw)
        case "staging":
            _images(exam, ("PT", name), partial(images.pt, slices=per_study), per_study)
        case "ecg":
            exam.syntax = str(ExplicitVRLittleEndian)
            _images(exam, ("ECG", name), images.ecg, 1)
        case "slide" | "capture":
            modality, build = ("SM", images.wsi) if exam.kind == "slide" else ("OT", images.sc)
            _images(exam, (modality, name), build, few)
        case _:
            modality, plain = _PLAIN[exam.kind]
            _images(exam, (modality, name), plain, per_study)
    for modality, title, point, first in _DOCUMENTS.get(exam.kind, ()):
        _document(exam, (modality, title), point, exam.targets[:first])


def _radiographs(exam: Exam, count: int, draw: float) -> None:
    if draw > 0.7:
        exam.description = "Röntgen Knie"
        body = "KNIE" if draw > 0.9 else "KNEE"
        _images(exam, ("CR", "Knie ap"), partial(images.cr, body=body), count)
    else:
        _images(exam, ("CR", _TEXTS["cr"][1]), images.cr, count)


def _images(exam: Exam, texts: tuple[str, str], build: Build, count: int) -> None:
    place = len({item.series for item in exam.objects}) + 1
    series: Series = (exam.uid("series", place), place, *texts)
    for number in range(1, count + 1):
        sop_uid = exam.uid("object", place, number)
        made = partial(build, exam, series, sop_uid, number)
        location = exam.location(f"{texts[0]}{place}", number)
        exam.objects.append(Planned(exam, location, made, series[0], exam.syntax, sop_uid=sop_uid, number=number))
        exam.targets.append(Target(_CLASSES[texts[0]], sop_uid, series[0]))


def _document(exam: Exam, texts: tuple[str, str], build: Point, to: list[Target]) -> None:
    place = len({item.series for item in exam.objects}) + 1
    series: Series = (exam.uid("series", place), place, *texts)
    made = partial(build, exam, series, exam.uid("object", place, 1), to)
    exam.objects.append(Planned(exam, exam.location(f"{texts[0]}{place}", 1), made, series[0]))


_PLAIN: dict[str, tuple[str, Build]] = {
    "echo": ("US", images.us),
    "xa": ("XA", images.xa),
    "plan": ("CT", images.ct),
    "lesion": ("CT", images.ct),
    "endoscopy": ("ES", images.es),
}

_DOCUMENTS: dict[str, tuple[tuple[str, str, Point, int | None], ...]] = {
    "echo": (("SR", "Measurements", documents.sr, None),),
    "plan": (("RTSTRUCT", "Structures", documents.rtstruct, None),),
    "staging": (("KO", "Key images", documents.kos, 2),),
    "lesion": (("SEG", "Lesion mask", documents.seg, None), ("PR", "Annotations", documents.pr, 1)),
    "endoscopy": (("DOC", "Report", documents.pdf, None),),
    "capture": (("DOC", "Report", documents.pdf, None),),
}
"""Documents of each kind of examination: modality, series description, builder, how many images they point to."""

_CLASSES: dict[str, str] = {
    "CT": images.CT,
    "MR": images.MR,
    "CR": images.CR,
    "US": images.US,
    "XA": images.XA,
    "ECG": images.ECG,
    "PT": images.PT,
    "SM": images.WSI,
    "ES": images.ES,
    "OT": images.SC,
}
