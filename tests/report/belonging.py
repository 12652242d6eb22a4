"""The hand-made catalog after duplicates, new UIDs, references, orders and reports were looked at."""

from __future__ import annotations

from typing import Any

import polars as pl

from fonds.catalog.publish import publish
from fonds.catalog.store import Catalog
from fonds.operations.runs import mirrored
from fonds.project.settings import Project

STUDY = "1.2.3.0.0.0"  # of radiology, Anna's first
OTHER = "1.2.3.3.0.1"
KEY_OBJECT = "1.2.840.10008.5.1.4.1.1.88.59"


def with_belonging(project: Project) -> Project:
    """Groups of six classes, studies twice, planned and refused UIDs, an order and reports, two rejection notes."""
    catalog = Catalog(project)
    notes = catalog.read("instances").filter(pl.col("StudyInstanceUID") == OTHER).head(2)
    whole = catalog.read("instances")
    note = pl.col("SOPInstanceUID").is_in(notes["SOPInstanceUID"].implode())
    changed = {"SOPClassUID": KEY_OBJECT, "Modality": "KO", "DocumentTitleCode": "113001"}
    catalog.replace(
        "instances",
        whole.with_columns(
            pl.when(note).then(pl.lit(value)).otherwise(name).alias(name) for name, value in changed.items()
        ),
    )
    catalog.replace("duplicates", pl.DataFrame(_duplicates(whole), infer_schema_length=None))
    catalog.replace("study_pairs", pl.DataFrame(_pairs()))
    catalog.replace("remaps", pl.DataFrame(_remaps(), infer_schema_length=None))
    catalog.replace("rewrites", pl.DataFrame(_rewrites(), infer_schema_length=None))
    catalog.replace("links", pl.DataFrame(_links(notes), infer_schema_length=None))
    catalog.replace("gaps", pl.DataFrame(_gaps()))
    catalog.replace("feed_orders", pl.DataFrame([
        {"feed": "ris", "order_id": f"O{n}", "scheduled": f"2009-01-1{n}T08:00:00", "status": "performed",
         "description": "Thorax of Anna Müller", "accession": f"SECRET-{n}"} for n in range(4)
    ]))  # fmt: skip
    catalog.replace("feed_reports", pl.DataFrame([{"feed": "ris", "report_id": "B1", "issued": "2009-01-11T10:00:00"}]))
    catalog.replace("feed_links", pl.DataFrame([
        {"feed": "ris", "kind": kind, "id": one, "study_uid": study, "how": how, "state": state, "person_id": "P0r",
         "same_patient": same}
        for kind, one, study, how, state, same in (
            ("order", "O0", STUDY, "study-uid", "linked", True),
            ("order", "O1", "1.2.3.0.0.1", "accession", "linked", False),
            ("order", "O2", None, None, "none", None),
            ("order", "O3", OTHER, "patient-and-day", "suggested", True),
            ("report", "B1", STUDY, "order", "linked", True),
        )
    ], infer_schema_length=None))  # fmt: skip
    publish(catalog, mirrored(project))
    return project


def _duplicates(whole: pl.DataFrame) -> list[dict[str, Any]]:
    files = whole.filter(pl.col("source") == "radiology").head(8).to_dicts()
    a, b = files[0], files[1]
    given = [
        ("a", "G1", a, "keep", "source-order"), ("a", "G1", b, "drop-copy", "source-order"),
        # the same copy told in another class is one file that stays behind
        ("e", "G9", b, "drop-copy", "decided: keep"), ("e", "G9", files[2], "keep", "location"),
        ("d", "G2", files[3], "hold", "location"), ("d", "G2", files[4], "hold", "location"),
        ("c", "G2", files[5], "hold", "newer"), ("d", "G3", files[6], "remap", "decided: remap"),
        ("d", "G3", files[7], "keep", "decided: remap"),
    ]  # fmt: skip
    rows = [
        {"class": letter, "group_id": group, "level": "instance", "source": one["source"], "member": one["location"],
         "sop_uid": one["SOPInstanceUID"], "study_uid": one["StudyInstanceUID"], "disposition": what, "why": why,
         "differs": ["Rows", "PatientName"] if letter == "d" else [], "evidence": "PatientName: Müller^Anna"}
        for letter, group, one, what, why in given
    ]  # fmt: skip
    studies = [
        ("h", "S1", "radiology", "certain", "hold", "policy"), ("h", "S1", "surgery", "certain", "hold", "policy"),
        ("h", "S2", "radiology", "possible", "unite", "decided: unite"),
        ("g", "S3", "oncology", None, "hold", "policy"),
    ]  # fmt: skip
    rows += [
        {"class": letter, "group_id": group, "level": "study", "source": source, "member": f"1.2.3.{group}",
         "differs": [], "study_uid": f"1.2.3.{group}", "band": band, "disposition": what, "why": why}
        for letter, group, source, band, what, why in studies
    ]  # fmt: skip
    return rows


def _pairs() -> list[dict[str, Any]]:
    """Anna's two studies of radiology, one of hers with one of cardiology, and two examinations."""
    given = [
        ("1.2.3.0.0.0", "1.2.3.0.0.1", 0.9999, "certain", 3, "P0"),
        ("1.2.3.0.0.0", "1.2.3.0.1.0", 0.95, "possible", 0, None),
        ("1.2.3.3.0.0", "1.2.3.3.0.1", 0.2, "no", 0, "P3"),
    ]
    return [
        {"study_a": a, "study_b": b, "person_id": person, "score": score, "band": band, "same_pixels": pixels}
        for a, b, score, band, pixels, person in given
    ]  # fmt: skip


def _remaps() -> list[dict[str, Any]]:
    given = [
        ("1", "SOPInstanceUID", "G3", "d", "planned", None), ("2", "SOPInstanceUID", "G4", "d", "refused", "dangling"),
        ("3", "SOPInstanceUID", "G5", "f", "refused", "odd-reason"),
        ("1", "StudyInstanceUID", "uids.mend", "", "planned", None),
    ]  # fmt: skip
    return [
        {"source": "radiology", "location": f"{place}.dcm", "attribute": attribute, "path": "(0008,0018)",
         "before": f"1.{place}", "after": f"2.25.{place}", "cause": cause, "class": letter, "state": state,
         "reason": reason, "detail": "a word"}
        for place, attribute, cause, letter, state, reason in given
    ]  # fmt: skip


def _rewrites() -> list[dict[str, Any]]:
    return [
        {"source": source, "location": "k.dcm", "to_study_uid": "1", "to_series_uid": "1", "to_sop_uid": f"1.{number}",
         "to_frame_of_reference_uid": "", "new_sop_uid": "2.25.1", "cause": cause, "state": state, "reason": reason}
        for number, (source, cause, state, reason) in enumerate((
            ("radiology", "G3", "planned", None), ("surgery", "G3", "planned", None),
            ("surgery", "G1", "planned", None),
            ("oncology", "G4", "refused", "dangling"),
        ))
    ]  # fmt: skip


def _links(notes: pl.DataFrame) -> list[dict[str, Any]]:
    first, second = notes.to_dicts()
    given = [
        (first, "evidence", "1.1", "resolved-here", True), (first, "content", "1.1", "resolved-here", True),
        (first, "evidence", "1.2", "dangling", True), (second, "evidence", "1.3", "resolved-other-archive", False),
    ]  # fmt: skip
    return [
        {"source": note["source"], "location": note["location"], "from_sop_uid": note["SOPInstanceUID"],
         "study_uid": OTHER, "relation": relation, "to_study_uid": "1", "to_series_uid": "1", "to_sop_uid": to,
         "to_frame_of_reference_uid": "", "state": state, "rejects": rejects}
        for note, relation, to, state, rejects in given
    ]  # fmt: skip


def _gaps() -> list[dict[str, Any]]:
    given = [
        ("dangling-reference", "critical", "radiology", STUDY), ("dangling-reference", "major", "radiology", OTHER),
        ("images-without-report", "minor", "radiology", "1.2.3.0.0.1"),
        ("study-without-order", "minor", "radiology", OTHER),
    ]  # fmt: skip
    return [
        {
            "kind": kind,
            "severity": severity,
            "source": source,
            "study_uid": study,
            "entity": study,
            "message": "missing",
        }
        for kind, severity, source, study in given
    ]
