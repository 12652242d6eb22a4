from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonds.archives.base import Kind
from fonds.archives.folder_target import key_of
from fonds.archives.storescu import StoreTarget, echo
from fonds.archives.upper_layer import Association
from fonds.dicom.compare import pixel_digest
from fonds.errors import ArchiveUnreachable
from fonds.migrate import migrate
from fonds.project.settings import DicomTarget
from fonds.reconcile import reconcile
from tests.archives.nodes import free_port, orthanc, rest, storescp, target_yaml
from tests.migrate.moving import approve, collide, ct, ledger, project, save, scp, tree

CHANGES = (
    ("PatientID", "P1", "P001", "CORRECT"),
    ("IssuerOfPatientID", None, "NORD", "COERCE"),
)


@given(st.text(max_size=300), st.text(max_size=80), st.text(max_size=80))
def test_no_uid_leaves_the_folder_or_makes_a_name_too_long(study: str, series: str, sop: str) -> None:
    parts = key_of(study, series, sop).split("/")
    assert len(parts) == 3
    for part in parts:
        assert part not in ("", ".", "..")
        assert len(part) <= 68
        assert all(sign.isascii() and (sign.isalnum() or sign in "._dcm") for sign in part)
    assert os.path.normpath("/".join(parts)) == "/".join(parts)


def test_different_uids_have_different_names_also_where_case_doesnt_count() -> None:
    keys = [key_of("1.2", "1.3", uid).lower() for uid in ("1.4", "A", "a", "../1.4", "1.4/", "1.4 ", "")]
    assert len(set(keys)) == len(keys)


def test_all_that_is_sent_arrives_in_orthanc_with_its_old_values(tmp_path: Path) -> None:
    with orthanc(tmp_path / "orthanc") as (port, http):
        made = project(tmp_path, target=target_yaml(port, "ORTHANC"))
        collide(made)
        approve(made, *CHANGES)
        assert migrate(made).counts["sent"] == 17
        assert set(ledger(made).values()) == {("sent", None)}
        there = json.loads(rest(http, "/instances"))
        assert len(there) == 17
        back: dict[str, pydicom.Dataset] = {}
        for one in there:
            (tmp_path / "back.dcm").write_bytes(rest(http, f"/instances/{one}/file"))
            ds = pydicom.dcmread(tmp_path / "back.dcm")
            back[ds.SOPInstanceUID] = ds
            assert (ds.PatientID, ds.IssuerOfPatientID, ds.PatientName) == ("P001", "NORD", "Müller^Änne")
            kept = {item.ReasonForTheAttributeModification: item for item in ds.OriginalAttributesSequence}
            old = kept["CORRECT"].ModifiedAttributesSequence[0]
            assert (old.PatientID, old.IssuerOfPatientID) == ("P1", "")
            number = int(ds.InstanceNumber)
            if ds.Modality == "CT":
                assert ds.PixelData == bytes((number * 7 + i) % 251 for i in range(128))
        # two images of one UID arrived under two, and what named the second one names it still
        assert (back["1.2.3.1.1.1"].InstanceNumber, back["2.25.7"].InstanceNumber) == (1, 99)
        kept_one, moved = back["1.2.3.1.3.1"].CurrentRequestedProcedureEvidenceSequence
        assert named(kept_one) == ("1.2.3.1", "1.2.3.1.1", "1.2.3.1.1.1")
        assert named(moved) == ("2.25.9", "2.25.8", "2.25.7")
        assert (back["2.25.7"].StudyInstanceUID, back["2.25.7"].SeriesInstanceUID) == ("2.25.9", "2.25.8")
        assert reconcile(made).counts["verified"] == 17
        assert reconcile(made).status == "unchanged"

        rest(http, f"/instances/{there[0]}", "DELETE")
        found = reconcile(made)
        assert (found.status, found.counts["verified"], found.counts["failed"]) == ("partial", 16, 1)
        assert sorted(ledger(made).values(), key=str)[0] == ("failed", "missing-at-target")
        assert migrate(made).counts["sent"] == 1
        assert reconcile(made).counts["verified"] == 17


def named(study: pydicom.Dataset) -> tuple[str, str, str]:
    (series,) = study.ReferencedSeriesSequence
    (sop,) = series.ReferencedSOPSequence
    return study.StudyInstanceUID, series.SeriesInstanceUID, sop.ReferencedSOPInstanceUID


def test_an_archive_that_answers_no_query_counts_by_its_word_only_when_the_project_says_so(tmp_path: Path) -> None:
    with storescp(tmp_path / "received") as port:
        made = project(tmp_path, target=target_yaml(port, "STORESCP"))
        approve(made, *CHANGES)
        assert migrate(made).counts["sent"] == 15
        received = tree(tmp_path / "received")
        assert len(received) == 15
        found = reconcile(made)
        assert (found.counts["verified"], found.counts["failed"]) == (0, 15)
        assert migrate(made).counts["sent"] == 0

        settings = (tmp_path / "fonds.yaml").read_text().replace("query: get", "query: none")
        (tmp_path / "fonds.yaml").write_text(settings)
        from fonds.project.settings import load

        assert reconcile(load(tmp_path)).counts["verified"] == 15
    for path in (tmp_path / "received").iterdir():
        assert pydicom.dcmread(path).PatientID == "P001"


def test_a_target_that_isnt_there_is_named(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(ArchiveUnreachable, match=str(port)):
        echo(DicomTarget(kind="dicom", host="127.0.0.1", port=port, called_ae="NONE", timeout=2))


def test_a_full_disk_fails_one_object_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = project(tmp_path)
    real = os.rename

    def rename(old: Any, new: Any) -> None:
        if str(new).endswith("1.2.3.2.1.3.dcm"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(old, new)

    monkeypatch.setattr("fonds.archives.folder_target.os.rename", rename)
    result = migrate(made)
    assert (result.status, result.counts["sent"], result.counts["failed"]) == ("partial", 14, 1)
    assert ledger(made)["s2/i3.dcm"] == ("failed", "target-full")
    monkeypatch.undo()
    assert migrate(made).counts["sent"] == 1


def test_what_lies_at_the_target_is_never_replaced(tmp_path: Path) -> None:
    made = project(tmp_path)
    there = made.target_root() / key_of("1.2.3.1", "1.2.3.1.1", "1.2.3.1.1.1")
    there.parent.mkdir(parents=True)
    there.write_bytes(b"another object")
    assert migrate(made).counts["failed"] == 1
    assert there.read_bytes() == b"another object"
    assert ledger(made)["s1/i1.dcm"] == ("failed", "other-content-there")


def test_the_larger_an_object_the_longer_a_target_may_take_to_answer(tmp_path: Path) -> None:
    port = free_port()

    def slow(event: Any) -> int:
        time.sleep(1.5)
        return 0x0000

    settings = DicomTarget(kind="dicom", host="127.0.0.1", port=port, called_ae="TARGET", timeout=1)
    kind = Kind("1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.1.2")
    with scp(slow, port):
        association = Association(settings, [kind])
        assert association.store(kind, "1.2.3", 20_000_000, [bytes(20_000_000)]) == 0
        with pytest.raises(TimeoutError):
            association.store(kind, "1.2.4", 1000, [bytes(1000)])
        association.abort()


def test_what_is_read_back_is_never_in_memory_as_a_whole_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    ds = ct(1)
    ds.Rows, ds.Columns, ds.NumberOfFrames = 1024, 1024, "20"
    ds.PixelData = bytes(1024 * 1024 * 2 * 20)
    raw = save(ds, tmp_path / "large.dcm").read_bytes()
    kind = Kind(str(ds.SOPClassUID), "1.2.840.10008.1.2.1")
    with orthanc(tmp_path / "orthanc") as (port, http):
        rest(http, "/instances", "POST", raw)
        settings = DicomTarget(kind="dicom", host="127.0.0.1", port=port, called_ae="ORTHANC", timeout=20)
        keys = {str(ds.SOPInstanceUID): ""}
        back = []
        tracemalloc.start()
        for uid, stream in StoreTarget(settings).retrieve(str(ds.StudyInstanceUID), keys, {kind}, len(raw)):
            back.append((uid, pixel_digest(stream)))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert back == [(ds.SOPInstanceUID, hashlib.sha256(ds.PixelData).hexdigest())]
    assert peak < len(raw) / 2
    assert not list((tmp_path / "temporary").iterdir())
