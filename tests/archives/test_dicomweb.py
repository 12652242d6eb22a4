"""QIDO-RS as a source: not one study is lost to caps, paging or odd answers, and nothing is asked twice."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from fonds.archives.base import Batch
from fonds.archives.dicomweb import QidoIndex
from fonds.archives.qido_json import attributes
from fonds.catalog.schema import TABLES, conform
from fonds.errors import ArchiveUnreachable
from fonds.project.settings import DicomwebSourceSettings
from tests.archives.nodes import orthanc, rest
from tests.archives.qido_server import Archive, encoded, serving, study

STUDIES = [study(number) for number in range(230)]
ENTRIES = TABLES["entries"]


class Known:
    """A crawl's memory of plain frames."""

    def __init__(self, known: pl.DataFrame | None = None, done: dict[str, pl.DataFrame] | None = None) -> None:
        self.known = ENTRIES_EMPTY if known is None else known
        self.done = done or {}

    def finished(self, key: str) -> pl.DataFrame | None:
        """What was finished before."""
        return self.done.get(key)


ENTRIES_EMPTY = pl.DataFrame(schema=ENTRIES.schema).drop("source")


def crawl(url: str, known: Known | None = None, **settings: Any) -> tuple[pl.DataFrame, list[str], list[Batch]]:
    """All rows, all problems, all batches."""
    given = DicomwebSourceSettings.model_validate({"kind": "dicomweb", "url": url, "depth": "study", **settings})
    batches = list(QidoIndex("pacs", given).batches(known or Known()))
    rows = pl.concat([ENTRIES_EMPTY, *(batch.rows for batch in batches)])
    conform(ENTRIES, rows.with_columns(source=pl.lit("pacs")))
    return rows, [batch.problem for batch in batches if batch.problem], batches


def uids(rows: pl.DataFrame) -> set[str]:
    """Studies found."""
    return set(rows.filter(level="STUDY")["study_uid"])


EVERY = {one["StudyInstanceUID"] for one in STUDIES}


@pytest.mark.parametrize(
    ("behaviour", "page"),
    [
        pytest.param({}, 500, id="plain"),
        pytest.param({}, 7, id="small pages"),
        pytest.param({"ignores_limit": True}, 50, id="ignores limit"),
        pytest.param({"ignores_limit": True, "ignores_offset": True}, 50, id="ignores limit and offset"),
        pytest.param({"ignores_offset": True}, 20, id="ignores offset"),
        pytest.param({"cap": 20}, 500, id="silent cap"),
        pytest.param({"cap": 20, "warns": True}, 500, id="cap told by Warning 299"),
        pytest.param({"page_limit": 20}, 500, id="a limit of its own for pages"),
        pytest.param({"page_limit": 20, "warns": True}, 500, id="such pages with Warning 299"),
        pytest.param({"unstable": True}, 15, id="unstable order"),
        pytest.param({"empty": "404"}, 500, id="404 is none"),
        pytest.param({"empty": "list"}, 500, id="an empty list"),
        pytest.param({"fails_above": 25}, 500, id="413 for large answers"),
        pytest.param({"refuses_fields": ("*",)}, 500, id="knows only includefield=all"),
        pytest.param({"refuses_fields": ("*", "all")}, 500, id="knows no includefield"),
        pytest.param({"busy": 3}, 500, id="503 with Retry-After"),
    ],
)
def test_no_study_is_lost(behaviour: dict[str, Any], page: int) -> None:
    with serving(Archive(STUDIES, **behaviour)) as url:
        rows, problems, _ = crawl(url, page=page)
    assert uids(rows) == EVERY
    assert rows.filter(level="STUDY").height == len(EVERY)
    assert not problems
    said = json.loads(rows.filter(study_uid="1.2.3.7")["attributes"][0])
    assert (said["PatientName"], said["PatientID"], said["ModalitiesInStudy"]) == ("Test^7", "P0007", "MR")


def test_studies_without_a_date_are_found_behind_a_cap() -> None:
    dateless = [study(number, StudyDate="", StudyTime="") for number in range(1000, 1030)]
    with serving(Archive(STUDIES + dateless, cap=25)) as url:
        rows, problems, _ = crawl(url)
    assert uids(rows) == EVERY | {one["StudyInstanceUID"] for one in dateless}
    assert "empty-date" in rows.filter(study_uid="1.2.3.1004")["note"][0]
    assert not problems


def test_what_no_key_tells_apart_is_named() -> None:
    alike = [
        study(number, StudyDate="20200101", StudyTime="080000", PatientID="A", PatientName="B", ModalitiesInStudy="CT")
        for number in range(60)
    ]
    with serving(Archive(alike, cap=50)) as url:
        rows, problems, _ = crawl(url)
    assert len(uids(rows)) == 50
    assert problems
    assert not any("080000" in problem or "2020" in problem for problem in problems)


def test_an_interrupted_crawl_asks_only_for_the_rest() -> None:
    archive = Archive(STUDIES, cap=40)
    with serving(archive) as url:
        rows, _, batches = crawl(url)
        done = {batch.key: batch.rows for batch in batches}
        first = len(archive.asked)
        again, _, _ = crawl(url, Known(done=done))
    assert again.sort("location").equals(rows.sort("location"))
    assert len(archive.asked) - first < first * 2 / 3


def series_of(number: int) -> dict[str, list[dict[str, Any]]]:
    """Two series with two objects each."""
    uid = f"1.2.3.{number}"
    series = [{"SeriesInstanceUID": f"{uid}.{s}", "Modality": "CT"} for s in (1, 2)]
    below = {f"{uid}/series": [encoded(one) for one in series]}
    objects = [{"SeriesInstanceUID": f"{uid}.{s}", "SOPInstanceUID": f"{uid}.{s}.{o}"} for s in (1, 2) for o in (1, 2)]
    below[f"{uid}/instances"] = [encoded(one) for one in objects]
    for s in (1, 2):
        of_it = [encoded(one) for one in objects if one["SeriesInstanceUID"] == f"{uid}.{s}"]
        below[f"{uid}/series/{uid}.{s}/instances"] = of_it
    return below


def test_below_a_study_only_what_changed_is_asked() -> None:
    counted = [study(number, NumberOfStudyRelatedInstances="4", NumberOfStudyRelatedSeries="2") for number in range(5)]
    archive = Archive(counted, below={place: rows for number in range(5) for place, rows in series_of(number).items()})
    with serving(archive) as url:
        rows, problems, _ = crawl(url, depth="instance")
        assert not problems
        assert dict(rows.group_by("level").len().iter_rows()) == {"STUDY": 5, "SERIES": 10, "INSTANCE": 20}
        assert "1.2.3.4/1.2.3.4.2/1.2.3.4.2.1" in set(rows["location"])
        archive.asked.clear()
        archive.studies[0] = counted[0] | {"NumberOfStudyRelatedInstances": "5"}
        again, told, _ = crawl(url, Known(known=rows), depth="instance")
    assert {
        path.split("?")[0].split("/studies/")[1].split("/")[0] for path in archive.asked if "/studies/" in path
    } == {"1.2.3.0"}
    assert set(again["location"]) == set(rows["location"])
    assert told == ["1 studies have fewer series or instances than the server counts"]


def test_a_study_cut_off_is_asked_series_by_series() -> None:
    counted = [study(1, NumberOfStudyRelatedInstances="4")]
    below = series_of(1)
    below["1.2.3.1/instances"] = below["1.2.3.1/instances"][:3]
    with serving(Archive(counted, below=below)) as url:
        rows, problems, _ = crawl(url, depth="instance")
    assert rows.filter(level="INSTANCE").height == 4
    assert not problems


def test_answers_without_a_uid_are_counted_not_fatal() -> None:
    rows = [encoded(study(1)), {"00100020": {"vr": "LO", "Value": ["X"]}}, "nonsense", {"0020000D": {"vr": "UI"}}]
    with serving(Archive([], raw=json.dumps(rows).encode())) as url:
        found, problems, _ = crawl(url)
    assert uids(found) == {"1.2.3.1"}
    assert any("3 answer(s) without a Study Instance UID" in problem for problem in problems)


def test_broken_json_is_a_problem_without_values() -> None:
    archive = Archive(STUDIES)
    index = QidoIndex("pacs", DicomwebSourceSettings(kind="dicomweb", url="http://127.0.0.1:9", timeout=1))
    with pytest.raises(ArchiveUnreachable, match=r"pacs at 127.0.0.1:9"):
        index.check()
    archive.raw = b'[{"0020000D'
    with serving(archive) as url, pytest.raises(ArchiveUnreachable, match="JSONDecodeError"):
        crawl(url)


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = DicomwebSourceSettings(
        kind="dicomweb", url="http://127.0.0.1:9", headers_from={"Authorization": "PACS_TOKEN"}
    )
    with pytest.raises(ArchiveUnreachable, match="PACS_TOKEN isn't set"):
        QidoIndex("pacs", settings).check()


@pytest.mark.parametrize(
    ("element", "text"),
    [
        ({"vr": "LO", "Value": ["a", None, "b"]}, "a\\\\b"),
        ({"vr": "LO"}, ""),
        ({"vr": "LO", "Value": []}, ""),
        ({"vr": "LO", "Value": "plain"}, "plain"),
        ("plain", "plain"),
        ({"vr": "IS", "Value": [12.0]}, "12"),
        ({"vr": "DS", "Value": [0.5, 2]}, "0.5\\2"),
    ],
)
def test_values_as_servers_write_them(element: Any, text: str) -> None:
    assert attributes({"00081030": element}) == {"StudyDescription": text}


def test_names_keep_their_groups() -> None:
    name = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    assert attributes({"00100010": {"vr": "PN", "Value": [name]}}) == {
        "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう"
    }
    assert attributes({"00100010": {"vr": "PN", "Value": [{"Phonetic": "x"}]}}) == {"PatientName": "==x"}
    assert attributes({"00100010": {"vr": "PN", "Value": ["A^B"]}, "00081140": {"vr": "SQ", "Value": [{}]}}) == {
        "PatientName": "A^B"
    }


@pytest.fixture(scope="module")
def capped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An Orthanc with 120 studies that answers no more than 100."""
    plugin = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
    options: dict[str, object] = {
        "Plugins": [str(plugin)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "LimitFindResults": 100,
        "LimitFindInstances": 100,
    }
    if not plugin.is_file():
        pytest.skip("the DICOMweb plugin is missing; install it with: apt install orthanc-dicomweb")
    with orthanc(tmp_path_factory.mktemp("orthanc") / "node", options) as (_, http):
        for one in STUDIES[:120]:
            rest(http, "/instances", "POST", file_of(one))
        yield f"http://127.0.0.1:{http}/dicom-web"


def file_of(one: dict[str, str]) -> bytes:
    """A stored object of a study."""
    data = Dataset()
    for word in ("StudyInstanceUID", "StudyDate", "StudyTime", "PatientID", "PatientName"):
        setattr(data, word, one[word])
    data.Modality = one["ModalitiesInStudy"]
    data.SeriesInstanceUID = one["StudyInstanceUID"] + ".1"
    data.SOPInstanceUID = one["StudyInstanceUID"] + ".1.1"
    data.SOPClassUID = SecondaryCaptureImageStorage
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    stream = io.BytesIO()
    data.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def test_orthanc_that_caps_at_a_hundred_loses_no_study(capped: str) -> None:
    rows, problems, _ = crawl(capped, depth="series")
    assert uids(rows) == {one["StudyInstanceUID"] for one in STUDIES[:120]}
    assert dict(rows.group_by("level").len().iter_rows()) == {"STUDY": 120, "SERIES": 120}
    assert not problems
    said = json.loads(rows.filter(location="1.2.3.7")["attributes"][0])
    assert said["NumberOfStudyRelatedInstances"] == "1"
    assert said["ModalitiesInStudy"] == "MR"
