from __future__ import annotations

import csv
import math
import random
import shutil
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from pydicom.data import get_palette_files, get_testdata_file

from fonds.assess.definition import Check, load_with_files
from fonds.assess.measure import measure_all
from fonds.assess.vocabulary import project_vocabularies, templates
from fonds.catalog.store import Catalog
from fonds.crawl import crawl
from fonds.project.expressions import Vocabulary, expand, parse, sql
from fonds.project.settings import Project, load

SAMPLES = Path(__file__).parents[2] / "data_samples" / "small"
CT = "1.2.840.10008.5.1.4.1.1.2"
# Files nobody here wrote, and all that the checks of objects and series say about them. Each line was read by hand
# against the file (docs/checks-read.md): a change here is a change of a check's meaning.
PINNED = """
693_J2KI.dcm: IN-43 SE-05 SE-11 SE-14 SE-16
CT_small.dcm: IN-48 SE-05 SE-10 SE-11 SE-16 SE-18
ExplVR_BigEnd.dcm: IN-14 IN-15 IN-42 SE-10
JPEG-lossy.dcm: IN-42 IN-43 IN-48 SE-06 SE-10 SE-18
MR_small.dcm: IN-16 SE-05 SE-10 SE-11
MR_truncated.dcm: IN-07 IN-16 SE-05 SE-10 SE-11
SC_rgb_rle_2frame.dcm: IN-23 IN-42 SE-10
SC_rgb_small_odd_jpeg.dcm: IN-42 IN-67 SE-10
badVR.dcm: IN-04 IN-11 IN-23 SE-10
examples_ybr_color.dcm: IN-16 IN-42 IN-43 SE-10 SE-16
liver_1frame.dcm: IN-23 SE-18
nested_priv_SQ.dcm: IN-03 IN-06 IN-21 IN-65 SE-01 SE-02 SE-10 SE-12
reportsi.dcm: IN-35
rtdose_1frame.dcm: IN-04 SE-10
rtplan.dcm: IN-04 SE-10
rtstruct.dcm: IN-02 SE-10
waveform_ecg.dcm: SE-10 SE-12 SE-16
"""


def _project(folder: Path, sources: str) -> Project:
    (folder / "fonds.yaml").write_text(f"name: x\nsources:\n{sources}", encoding="utf-8")
    return load(folder)


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> list[Check]:
    project = _project(tmp_path_factory.mktemp("checks"), "  a: {path: a, department: radiology}\n")
    return [check for _, check in load_with_files(project) if check.id.startswith(("IN-", "SE-", "RF-"))]


def _judge(project: Project, checks: list[Check]) -> pl.DataFrame:
    with Catalog(project).connect() as connection:
        measured = measure_all(connection, checks, [""] * len(checks), project_vocabularies(project))
    assert measured.broken == ()
    return measured.findings


def _rows(project: Project, checks: list[Check], rows: list[dict[str, Any]]) -> pl.DataFrame:
    whole = {"source": "a", "read_status": "ok", "SOPClassUID": CT, "StudyInstanceUID": "1.1"}
    frame = pl.DataFrame(
        [
            {**whole, "location": f"{number}.dcm", "SOPInstanceUID": f"1.3.{number}", **row}
            for number, row in enumerate(rows)
        ]
    )
    Catalog(project).replace("instances", frame)
    return _judge(project, checks)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return _project(tmp_path, "  a: {path: a, department: radiology}\n")


def test_real_files_are_judged_as_a_person_read_them(project: Project, checks: list[Check]) -> None:
    pinned = [line for line in PINNED.split("\n") if line]
    (project.root / "a").mkdir()
    for line in pinned:
        name = line.partition(":")[0]
        shutil.copyfile(str(get_testdata_file(name)), project.root / "a" / name)
    crawl(project, workers=1)
    findings, objects = _judge(project, checks), Catalog(project).read("instances")
    found = []
    for location, *above in objects.select("location", "SeriesInstanceUID", "StudyInstanceUID").sort("location").rows():
        here = findings.filter(pl.col("entity").is_in([location, *(uid or "" for uid in above)]))
        found.append(f"{location}: {' '.join(here['check_id'].unique().sort())}")
    assert found == pinned


def test_palettes_belong_to_no_patient(project: Project, checks: list[Check]) -> None:
    (project.root / "a").mkdir()
    for path in get_palette_files("*.dcm"):
        shutil.copy(path, project.root / "a")
    crawl(project, workers=1)
    assert Catalog(project).read("instances").height > 0
    assert _judge(project, checks).rows() == []


def test_samples_that_no_fault_touched_are_clean(tmp_path: Path, checks: list[Check]) -> None:
    names = ("radiology", "cardiology", "oncology", "pathology", "surgery")
    project = _project(
        tmp_path, "".join(f"  {name}: {{path: {SAMPLES / name}, department: {name}}}\n" for name in names)
    )
    crawl(project, workers=1)
    findings, objects = _judge(project, checks), Catalog(project).read("instances")
    with (SAMPLES / "truth" / "faults.csv").open(encoding="utf-8") as file:
        touched = pl.DataFrame([(row["source"], row["location"]) for row in csv.DictReader(file)], orient="row")
    touched.columns = ["source", "location"]
    faulty = objects.join(touched, on=["source", "location"])
    known = {*touched["location"], *faulty["SeriesInstanceUID"], *faulty["StudyInstanceUID"], "", None}
    with (SAMPLES / "truth" / "findings.csv").open(encoding="utf-8") as file:
        told = {(row["check_id"], row["entity"]) for row in csv.DictReader(file)}
    # the sample machines don't say whether names are burned in: that is how such machines are
    strange = findings.filter(~pl.col("entity").is_in(known), pl.col("check_id") != "IN-42")
    assert [row for row in strange.select("check_id", "entity").rows() if row not in told] == []


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("Knie links ap", "L"),
        ("RE. HANDGELENK", "R"),
        ("Schulter li", "L"),
        ("linkes Knie und rechter Fuß", "LR"),
        ("Hände bds.", "LR"),
        ("Bilateral hips", "LR"),
        ("RT wrist, lateral", "R"),
        ("L-MLO", "L"),
        ("RCC", "R"),
        ("RT Dose", ""),
        ("rt_struct", ""),
        ("LI-RADS 4", ""),
        ("Re-CT der Leber", ""),
        ("KNIE_LI", "L"),
        ("Linksherzkatheter", ""),
        ("Lightning recon", ""),
        ("rechteckig kollimiert", ""),
    ],
)
def test_sides_are_read_from_german_and_english(text: str, sides: str) -> None:
    assert _value("sides_in(SeriesDescription)", text) == sides


@pytest.mark.parametrize(
    ("part", "text", "other"),
    [
        ("CHEST", "Röntgen Thorax pa", False),
        ("CHEST", "CT Schädel", True),
        ("HEAD", "CCT nativ", False),
        ("CSPINE", "HWS seitlich", False),
        ("LSPINE", "LWS", False),
        ("FOOT", "Fuß rechts", False),
        ("HAND", "Fuß rechts", True),
        ("KNEE", "Polytrauma Spirale, Schädel", False),
        ("PELVIS", "Hüfte links", False),
        ("HEART", "Echokardiographie", False),
        ("LIVER", "Abdomen KM", False),
        ("BREAST", "Mammographie", False),
        ("SHOULDER", "surface coil", False),
        ("ARTERY", "CT Schädel", False),
        ("PELVIS", "Bestrahlungsplanung", False),
        ("HEART", "LAO 30 cranial 20", False),
        ("CHEST", "PET/CT fusion", False),
        ("HEART", "Sinusrhythmus", False),
        ("ELBOW", "radial head", False),
        ("HIP", "femoral neck", False),
        ("FOOT", "Vorfuß dp", False),
        ("ABDOMEN", "delivery, KNIE_RE", True),
    ],
)
def test_regions_are_read_from_german_and_english(part: str, text: str, other: bool) -> None:
    assert _value(f"names_other_region('{part}', SeriesDescription)", text) is other


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Abdomen nativ", "without"),
        ("CT o. B.", ""),
        ("T1 post Gd", "with"),
        ("w/o and with contrast", "both"),
        ("kmr", ""),
        ("T1 without fat sat", ""),
    ],
)
def test_contrast_is_read_from_german_and_english(text: str, said: str) -> None:
    assert _value("contrast_in(SeriesDescription)", text) == said


def test_however_a_stack_lies_only_a_missing_slice_is_noticed(project: Project, checks: list[Check]) -> None:
    draw = random.Random(4)
    rows = []
    for number in range(30):
        across, down, normal = _turned(draw)
        step, count = draw.choice((0.6, 1.25, 3.0, 5.0)), draw.randrange(4, 9)
        start = [draw.uniform(-200, 200) for _ in range(3)]
        gone = draw.randrange(1, count - 1) if number % 2 else None
        places = [place for place in range(count) if place != gone]
        draw.shuffle(places)
        for place in places:
            at = [round(start[axis] + place * step * normal[axis], 4) for axis in range(3)]
            rows.append(
                {
                    "SeriesInstanceUID": f"1.2.{number}",
                    "ImageOrientationPatient": "\\".join(f"{value:.6f}" for value in (*across, *down)),
                    "ImagePositionPatient": "\\".join(map(str, at)),
                    "InstanceNumber": str(place + 1),
                    "pixel_length": 2,
                }
            )
    findings = _rows(project, checks, rows)
    odd = {f"1.2.{number}" for number in range(1, 30, 2)}
    assert set(findings.filter(check_id="SE-23")["entity"]) == odd
    assert set(findings.filter(check_id="SE-13")["entity"]) == odd
    assert findings.filter(pl.col("check_id").is_in(["SE-24", "SE-25", "IN-20"])).is_empty()


def test_an_incomplete_phase_and_a_copy_under_another_uid_are_noticed(project: Project, checks: list[Check]) -> None:
    def slices(series: str, places: list[int], phases: int) -> list[dict[str, Any]]:
        flat = {"SeriesInstanceUID": series, "ImageOrientationPatient": r"1\0\0\0\1\0"}
        return [
            {
                **flat,
                "ImagePositionPatient": rf"0\0\{place}",
                "AcquisitionNumber": str(phase),
                "InstanceNumber": str(place),
            }
            for phase in range(phases)
            for place in places
        ]

    whole, partial = slices("1.2.1", [1, 2, 3, 4], 3), slices("1.2.2", [1, 2, 3, 4], 3)[:-1]
    copied = [*slices("1.2.3", [1, 2, 3], 1), slices("1.2.3", [3], 1)[0]]
    findings = _rows(project, checks, [*whole, *partial, *copied])
    assert findings.filter(check_id="SE-24").select("entity", "value").sort("entity").rows() == [
        ("1.2.2", "11 images at 4 places"),
        ("1.2.3", "4 images at 3 places"),
    ]
    assert findings.filter(check_id="SE-25")["entity"].to_list() == ["1.2.3"]


def test_what_cannot_be_read_as_numbers_breaks_no_check(project: Project, checks: list[Check]) -> None:
    junk = ["", " ", "x", r"\\", r"1\x", "1e999", "nan", "-inf", "ä" * 80, "\x1b$B", "0" * 400]
    words = (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "Rows",
        "BitsAllocated",
        "HighBit",
        "KVP",
    )
    words += ("InstanceNumber", "NumberOfFrames", "WindowWidth", "SliceThickness", "ImageType", "AcquisitionDateTime")
    findings = _rows(
        project,
        checks,
        [
            {"SeriesInstanceUID": "1.2", "pixel_length": 2, "BitsStored": "12", **dict.fromkeys(words, text)}
            for text in junk
        ],
    )
    blamed = set(findings.filter(check_id="IN-20")["entity"])
    assert blamed == {f"{number}.dcm" for number in range(len(junk))}


def test_a_missing_or_contradicting_side_is_never_mended_by_a_rule(checks: list[Check]) -> None:
    sided = {c.id: c.fix for c in checks if any("Laterality" in word for test in c.tests for word in test.attributes)}
    # a word for the side may become its letter; nothing else
    assert sided.pop("IN-50") == "laterality.series"
    assert {"SE-08", "SE-09", "IN-17"} <= sided.keys()
    assert set(sided.values()) == {None}


def _value(expression: str, text: str) -> object:
    vocabulary = Vocabulary("a series", frozenset({"SeriesDescription"}), templates=templates())
    plain = sql(expand(parse(expression, vocabulary), templates()))
    with duckdb.connect() as connection:
        row = connection.execute(f"SELECT {plain} FROM (SELECT ? AS SeriesDescription)", [text]).fetchone()
    assert row is not None
    return row[0]


def _turned(draw: random.Random) -> tuple[list[float], list[float], list[float]]:
    """Two unit vectors at right angles and their cross product, turned by chance."""
    a, b, c = (draw.uniform(0, 2 * math.pi) for _ in range(3))
    across = [math.cos(a) * math.cos(b), math.sin(a) * math.cos(b), -math.sin(b)]
    side = [-math.sin(a), math.cos(a), 0.0]
    other = [math.cos(a) * math.sin(b), math.sin(a) * math.sin(b), math.cos(b)]
    down = [math.cos(c) * side[axis] + math.sin(c) * other[axis] for axis in range(3)]
    normal = [-math.sin(c) * side[axis] + math.cos(c) * other[axis] for axis in range(3)]
    return across, down, normal
