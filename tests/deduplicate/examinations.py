"""A labelled set of examinations, drawn from a seed: copies under other UIDs, and what only looks like them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from fonds.catalog.store import Catalog
from fonds.project.settings import Project
from tests.handmade import write

ARCHIVES = ("north", "south")
# by archive: what one house and the other call it; modality, body part, series as (description, objects, rows)
KINDS: dict[str, tuple[tuple[str, str], str, str, tuple[tuple[str, int, int], ...]]] = {
    "chest": (("CR Chest AP", "Röntgen Thorax a.p."), "CR", "CHEST", (("AP", 1, 2048),)),
    "ct-chest": (
        ("CT CHEST W CONTRAST", "CT Thorax mit KM"),
        "CT",
        "CHEST",
        (("Topo", 1, 512), ("Lung 1.0", 4, 512), ("Med 5.0", 2, 512)),
    ),
    "ct-abdomen": (
        ("CT ABDOMEN W CONTRAST", "CT Abdomen mit KM"),
        "CT",
        "ABDOMEN",
        (("Topo", 1, 512), ("Abd 5.0", 3, 512)),
    ),
    "ct-head": (("CT HEAD WO CONTRAST", "CCT nativ"), "CT", "HEAD", (("Head 4.0", 3, 512), ("Bone", 2, 512))),
    "mr-knee": (("MR KNEE", "MRT Knie"), "MR", "KNEE", (("t1_tse", 3, 384), ("pd_fs", 3, 384), ("t2", 2, 320))),
    "mammo": (("MG Screening", "Mammographie Screening"), "MG", "BREAST", (("CC", 1, 3328), ("MLO", 1, 3328))),
    "echo": (("ECHO TTE", "Echo transthorakal"), "US", "HEART", (("", 5, 600),)),
    "us": (("US ABDOMEN", "Sono Abdomen"), "US", "ABDOMEN", (("", 4, 768),)),
}


@dataclass(frozen=True)
class Picture:
    series: int
    number: int
    at: float  # seconds after the study began
    digest: str
    rows: int
    description: str
    sop: str
    modality: str


@dataclass(frozen=True)
class Study:
    uid: str
    archive: str
    person: int
    modality: str
    body_part: str
    description: str
    accession: str
    start: datetime | None  # as Study Date and Time say
    began: datetime  # as the objects say
    pictures: tuple[Picture, ...]
    study_id: str
    station: str
    serial: str = ""
    side: str = ""
    syntax: str = "1.2.840.10008.1.2.1"
    lossy: str = ""
    digests: bool = True
    instants: str = "acquisition"  # acquisition | content | study (all are the study's) | none
    timed: bool = True


@dataclass
class Labelled:
    studies: list[Study] = field(default_factory=list)
    same: dict[frozenset[str], str] = field(default_factory=dict)
    told_apart: dict[frozenset[str], str] = field(default_factory=dict)


class Draw:
    """Draws examinations, deterministically."""

    def __init__(self, seed: int, root: str = "1.2.826") -> None:
        self.random = random.Random(seed)
        self.root = root
        self.number = 0

    def uid(self) -> str:
        self.number += 1
        return f"{self.root}.{self.number}"

    def study(self, person: int, kind: str, *, archive: str | None = None, start: datetime | None = None) -> Study:
        draw = self.random
        names, modality, part, series = KINDS[kind]
        archive = archive or draw.choice(ARCHIVES)
        start = start or datetime(2015, 1, 1, tzinfo=UTC) + timedelta(seconds=draw.randrange(8 * 365 * 86400))
        if draw.random() < 0.1:
            start = start.replace(second=0)
        at, pictures = draw.uniform(5, 60), []
        for place, (description, objects, rows) in enumerate(series, 1):
            for number in range(1, objects + draw.randrange(2) * (objects > 1) + 1):
                pictures.append(Picture(place, number, at, f"p{self.uid()}", rows, description, self.uid(), modality))
                at += draw.uniform(0.5, 20)
            at += draw.uniform(10, 120)
        device = draw.randrange(3)
        described = names[ARCHIVES.index(archive)] if draw.random() < 0.95 else ""
        return Study(
            self.uid(),
            archive,
            person,
            modality,
            part,
            described,
            self.accession(archive),
            start,
            start,
            tuple(pictures),
            str(draw.randrange(10**6)),
            f"{modality}{device}{archive[0].upper()}" if draw.random() < 0.85 else "",
            f"SN{modality}{device}{archive}" if draw.random() < 0.7 else "",
            syntax="1.2.840.10008.1.2.1",
            digests=draw.random() < 0.65,
            instants=draw.choices(("acquisition", "content", "study", "none"), (70, 12, 10, 8))[0],
            timed=draw.random() < 0.97,
        )

    def accession(self, archive: str) -> str:
        if self.random.random() < 0.07:
            return ""
        number = self.random.randrange(10**6, 10**7)
        return f"{number:010d}" if archive == "north" else f"RS{number}"

    def again(self, of: Study, *, minutes: float, **changes: Any) -> Study:
        """Another examination of the same kind, `minutes` later: other pictures at other times."""
        other = self.study(of.person, kind_of(of), archive=of.archive, start=of.began + timedelta(minutes=minutes))
        kept = {
            "station": of.station,
            "serial": of.serial,
            "digests": of.digests,
            "instants": of.instants,
            "timed": of.timed,
        }
        return replace(other, description=of.description, **{**kept, **changes})

    def copied(self, of: Study, **changes: Any) -> Study:
        """The same examination under new UIDs."""
        pictures = tuple(replace(one, sop=self.uid()) for one in changes.pop("pictures", of.pictures))
        return replace(of, uid=self.uid(), pictures=pictures, **changes)

    def elsewhere(self, of: Study) -> dict[str, Any]:
        """How the other archive tells it: its own description, accession padded, prefixed, new or missing."""
        archive = ARCHIVES[1 - ARCHIVES.index(of.archive)]
        names = KINDS[kind_of(of)][0]
        digits = of.accession.lstrip("RS0")
        spelled = [digits, digits.zfill(12), f"X-{digits}", of.accession, ""] if digits else [""]
        told: dict[str, Any] = {
            "archive": archive,
            "description": self.random.choice(
                (names[ARCHIVES.index(archive)], of.description, of.description.upper(), "")
            ),
            "accession": self.random.choice(spelled),
        }
        # what a transfer or an import loses
        for lost, share in (("station", 0.1), ("study_id", 0.3), ("body_part", 0.15)):
            if self.random.random() < share:
                told[lost] = ""
        if self.random.random() < 0.1:
            told["instants"] = "none"
        if self.random.random() < 0.2:
            told["digests"] = False
        return told


def kind_of(study: Study) -> str:
    return next(
        kind
        for kind, (_, modality, _, series) in KINDS.items()
        if modality == study.modality
        and study.pictures[0]
        and study.pictures[0].description == series[0][0]
        and (study.modality != "CT" or any(one.description == series[1][0] for one in study.pictures))
        and (study.modality != "US" or study.pictures[0].rows == series[0][2])
    )


def recoded(study: Study, *, lossy: bool) -> Study:
    pictures = tuple(replace(one, digest=f"coded {one.digest}") for one in study.pictures)
    syntax = "1.2.840.10008.1.2.4.91" if lossy else "1.2.840.10008.1.2.4.70"
    return replace(study, pictures=pictures, syntax=syntax, lossy="01" if lossy else "")


def part_of(draw: Draw, study: Study) -> tuple[Picture, ...]:
    numbers = sorted({one.series for one in study.pictures})
    if len(numbers) == 1:
        return study.pictures[: max(1, len(study.pictures) * 2 // 3)]
    kept = set(draw.random.sample(numbers, draw.random.randrange(1, len(numbers))))
    return tuple(one for one in study.pictures if one.series in kept)


Case = Callable[[Draw, Study], Study]
SAME: dict[str, Case] = {
    "sent again under new UIDs": lambda d, s: d.copied(s),
    "from disc, own accession": lambda d, s: d.copied(
        s, accession=f"IMP{d.random.randrange(10**6)}", station=s.station
    ),
    "from disc, no accession": lambda d, s: d.copied(s, accession="", archive=d.random.choice(ARCHIVES)),
    "re-keyed": lambda d, s: d.copied(s, **d.elsewhere(s)),
    "re-keyed, a minute off": lambda d, s: d.copied(
        s, **d.elsewhere(s), start=s.start and s.start + timedelta(seconds=d.random.choice((-60, -37, 22, 60)))
    ),
    "re-keyed, an hour off": lambda d, s: _shifted(d.copied(s, **d.elsewhere(s)), hours=d.random.choice((-1, 1, 2))),
    "part of it": lambda d, s: d.copied(s, **d.elsewhere(s), pictures=part_of(d, s)),
    "lossy": lambda d, s: recoded(d.copied(s, **d.elsewhere(s)), lossy=True),
    "other encoding": lambda d, s: recoded(d.copied(s, **d.elsewhere(s)), lossy=False),
    "no digests": lambda d, s: d.copied(s, **{**d.elsewhere(s), "digests": False}),
    "part of it, lossy": lambda d, s: recoded(d.copied(s, **d.elsewhere(s), pictures=part_of(d, s)), lossy=True),
}


def _shifted(study: Study, *, hours: int) -> Study:
    delta = timedelta(hours=hours)
    return replace(study, start=study.start and study.start + delta, began=study.began + delta)


def _contrast(study: Study, word: str) -> Study:
    return replace(study, description=f"CT HEAD {word} CONTRAST")


def _stressed(study: Study) -> Study:
    return replace(study, description=study.description.replace("TTE", "STRESS").replace("transthorakal", "Belastung"))


def apart(draw: Draw, study: Study) -> dict[str, tuple[Study, Study]]:
    """Pairs that are two examinations, by what they are."""
    pick, uid = draw.random, draw.again
    knee = draw.study(study.person, "mr-knee", start=study.began)
    head = draw.study(study.person, "ct-head", start=study.began)
    chest = draw.study(study.person, "ct-chest", start=study.began)
    mammo = draw.study(study.person, "mammo", start=study.began)
    echo = draw.study(study.person, "echo", start=study.began)
    abdomen = draw.study(
        study.person, "ct-abdomen", archive=chest.archive, start=chest.began + timedelta(minutes=pick.choice((0, 3)))
    )
    right = uid(knee, minutes=25, accession=knee.accession)
    other = ARCHIVES[1 - ARCHIVES.index(study.archive)]
    reused = draw.study(study.person, pick.choice(list(KINDS)), archive=other)
    return {
        "control film after 10 minutes": (
            study,
            uid(study, minutes=10, accession=pick.choice((study.accession, draw.accession(study.archive)))),
        ),
        "an hour later": (study, uid(study, minutes=pick.choice((60, 61, 120)))),
        "hours later": (study, uid(study, minutes=pick.uniform(120, 600))),
        "days later": (study, uid(study, minutes=1440 * pick.randrange(1, 10))),
        "retake": (study, uid(study, minutes=pick.uniform(1, 4), accession=study.accession)),
        "before and after contrast": (
            _contrast(head, "WO"),
            _contrast(uid(head, minutes=12, accession=head.accession), "W"),
        ),
        "two procedures of one order": (
            chest,
            replace(abdomen, accession=chest.accession, station=chest.station, serial=chest.serial),
        ),
        "both knees": (
            replace(knee, side="L", description="MR KNEE LEFT"),
            replace(right, side="R", description="MR KNEE RIGHT", start=pick.choice((knee.start, right.start))),
        ),
        "both breasts": (replace(mammo, side="L"), replace(uid(mammo, minutes=4, accession=mammo.accession), side="R")),
        "rest and stress": (echo, _stressed(uid(echo, minutes=20, accession=echo.accession))),
        "accession used at two sites": (study, replace(reused, accession=study.accession)),
    }


def population(seed: int, people: int) -> Labelled:
    """`people` persons: each has a few examinations and one case, of either sort by turns; some a chain of films."""
    draw, found = Draw(seed), Labelled()
    same = list(SAME.items())
    for person in range(people):
        plain = [draw.study(person, draw.random.choice(list(KINDS))) for _ in range(draw.random.randrange(1, 5))]
        found.studies += plain
        if person % 2:
            first = draw.study(person, draw.random.choice(list(KINDS)))
            name, case = same[person // 2 % len(same)]
            copy = case(draw, first)
            found.studies += [first, copy]
            found.same[frozenset((first.uid, copy.uid))] = name
        else:
            pairs = apart(draw, draw.study(person, draw.random.choice(("chest", "us", "ct-head", "mr-knee"))))
            names = list(pairs)
            name = names[person // 2 % len(names)]
            found.studies += pairs[name]
            found.told_apart[frozenset(one.uid for one in pairs[name])] = name
        if person % 10 == 0:
            film = draw.study(person, "chest")
            found.studies += [film, *(draw.again(film, minutes=60 * hour) for hour in range(1, 5))]
    return found


def rows(studies: list[Study]) -> Iterator[dict[str, Any]]:
    """Rows of `instances`."""
    for study in studies:
        for place, one in enumerate(study.pictures):
            at = study.began + timedelta(seconds=one.at if study.instants != "study" else 0)
            acquired, created = study.instants in ("acquisition", "study"), study.instants != "none"
            yield {
                "source": study.archive,
                "location": f"{study.uid}/{place}",
                "size": 1000,
                "mtime_ns": 0,
                "read_status": "ok",
                "transfer_syntax": study.syntax,
                "pixel_length": 5000,
                "digest_object": f"o {study.uid} {place}",
                "digest_header": f"h {study.uid} {place}",
                "digest_pixels": one.digest if study.digests else None,
                "StudyInstanceUID": study.uid,
                "SeriesInstanceUID": f"{study.uid}.{one.series}",
                "SOPInstanceUID": one.sop,
                "Modality": one.modality,
                "PatientID": f"{study.archive[0]}{study.person}",
                "PatientName": "Doe^Ann",
                "StudyDate": study.start.strftime("%Y%m%d") if study.start else None,
                "StudyTime": study.start.strftime("%H%M%S") if study.start and study.timed else None,
                "StudyID": study.study_id,
                "StudyDescription": study.description,
                "AccessionNumber": study.accession,
                "SeriesNumber": str(one.series),
                "SeriesDescription": one.description,
                "InstanceNumber": str(one.number),
                "StationName": study.station,
                "DeviceSerialNumber": study.serial,
                "BodyPartExamined": study.body_part,
                "Laterality": study.side,
                "Rows": str(one.rows),
                "Columns": str(one.rows),
                "BitsAllocated": "16",
                "LossyImageCompression": study.lossy or None,
                "AcquisitionDate": at.strftime("%Y%m%d") if acquired else None,
                "AcquisitionTime": at.strftime("%H%M%S.%f") if acquired else None,
                "ContentDate": at.strftime("%Y%m%d") if created else None,
                "ContentTime": at.strftime("%H%M%S") if created else None,
            }


def put(project: Project, studies: list[Study]) -> None:
    """Write instances and persons: one person for the records of both archives."""
    write(project, "instances", list(rows(studies)))
    with Catalog(project).connect() as connection:
        records = connection.sql("SELECT record_id, PatientID FROM patient_records").pl()
    Catalog(project).replace(
        "persons",
        records.select(
            "record_id", person_id="M" + pl.col("PatientID").str.slice(1), cluster_size=pl.lit(2), settled=pl.lit(True)
        ),
    )
