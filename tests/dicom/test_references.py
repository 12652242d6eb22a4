"""References and nested facts, by kind of object."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from tests.dicom.made import encoded, read, wheel_file

IMAGE = "1.2.840.10008.5.1.4.1.1.2"


def item(**values: object) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def sop(uid: str) -> Dataset:
    return item(ReferencedSOPClassUID=IMAGE, ReferencedSOPInstanceUID=uid)


def evidence(study: str, series: str, *uids: str) -> Dataset:
    inner = item(SeriesInstanceUID=series, ReferencedSOPSequence=[sop(uid) for uid in uids])
    return item(StudyInstanceUID=study, ReferencedSeriesSequence=[inner])


@pytest.fixture
def plain(ct: Dataset) -> Dataset:
    del ct.PixelData
    return ct


def pointed(ds: Dataset) -> list[tuple[str | None, ...]]:
    rows = [tuple(reference) for reference in read(encoded(ds)).references]
    ds.remove_private_tags()
    assert [tuple(reference) for reference in read(encoded(ds, ImplicitVRLittleEndian)).references] == rows
    return rows


def test_a_report_points_by_its_evidence_and_by_its_content(plain: Dataset) -> None:
    plain.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.22"
    plain.CurrentRequestedProcedureEvidenceSequence = [evidence("1.1", "1.2", "1.3", "1.4")]
    shown = item(ValueType="IMAGE", ReferencedSOPSequence=[sop("1.3")])
    plain.ContentSequence = [item(ValueType="CONTAINER", ContentSequence=[shown, shown])]
    carrier = "CurrentRequestedProcedureEvidenceSequence.ReferencedSeriesSequence.ReferencedSOPSequence"
    assert pointed(plain) == [
        (carrier, "evidence", "1.1", "1.2", IMAGE, "1.3", None),
        (carrier, "evidence", "1.1", "1.2", IMAGE, "1.4", None),
        ("ContentSequence.ContentSequence.ReferencedSOPSequence", "content", None, None, IMAGE, "1.3", None),
    ]


def test_a_presentation_state_and_a_segmentation_name_what_they_show(plain: Dataset) -> None:
    plain.ReferencedSeriesSequence = [item(SeriesInstanceUID="1.2", ReferencedImageSequence=[sop("1.3")])]
    plain.SOPClassUID = "1.2.840.10008.5.1.4.1.1.11.1"
    carrier = "ReferencedSeriesSequence.ReferencedImageSequence"
    assert pointed(plain) == [(carrier, "presentation", None, "1.2", IMAGE, "1.3", None)]
    plain.ReferencedSeriesSequence = [item(SeriesInstanceUID="1.2", ReferencedInstanceSequence=[sop("1.3")])]
    plain.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    carrier = "ReferencedSeriesSequence.ReferencedInstanceSequence"
    assert pointed(plain) == [(carrier, "segmentation-source", None, "1.2", IMAGE, "1.3", None)]


def test_a_segmentation_without_a_list_is_asked_for_its_frames_sources(plain: Dataset) -> None:
    derivation = item(DerivationImageSequence=[item(SourceImageSequence=[sop("1.3")])])
    plain.PerFrameFunctionalGroupsSequence = [derivation, derivation]
    assert pointed(plain) == []
    plain.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    assert [(row[1], row[5]) for row in pointed(plain)] == [("segmentation-source", "1.3")]


def test_a_structure_set_names_study_series_images_and_frame_of_reference(plain: Dataset) -> None:
    series = item(SeriesInstanceUID="1.2", ContourImageSequence=[sop("1.3")])
    study = item(ReferencedSOPClassUID="1.2.3", ReferencedSOPInstanceUID="1.1", RTReferencedSeriesSequence=[series])
    frame = item(FrameOfReferenceUID="1.9", RTReferencedStudySequence=[study])
    plain.ReferencedFrameOfReferenceSequence = [frame, item(FrameOfReferenceUID="1.10")]
    carrier = (
        "ReferencedFrameOfReferenceSequence.RTReferencedStudySequence.RTReferencedSeriesSequence.ContourImageSequence"
    )
    assert pointed(plain) == [
        (carrier, "rt-image", "1.1", "1.2", IMAGE, "1.3", "1.9"),
        ("ReferencedFrameOfReferenceSequence", "rt-image", None, None, None, None, "1.10"),
    ]


def test_plans_documents_and_images(plain: Dataset) -> None:
    plain.ReferencedStructureSetSequence = [sop("1.3")]
    plain.ReferencedRTPlanSequence = [sop("1.4")]
    plain.SourceInstanceSequence = [sop("1.5")]
    plain.SourceImageSequence = [sop("1.6")]
    plain.ReferencedImageSequence = [sop("1.7")]
    plain.ReferencedStudySequence = [sop("1.1")]
    assert {(row[1], row[2], row[5]) for row in pointed(plain)} == {
        ("rt-structure", None, "1.3"),
        ("rt-plan", None, "1.4"),
        ("document-source", None, "1.5"),
        ("source-image", None, "1.6"),
        ("referenced-image", None, "1.7"),
        ("referenced-study", "1.1", None),
    }


def test_nested_facts(plain: Dataset) -> None:
    plain.RequestAttributesSequence = [item(AccessionNumber="A1"), item(AccessionNumber="A2")]
    plain.ReferencedRequestSequence = [item(AccessionNumber="A2"), item(AccessionNumber="A3")]
    plain.OtherPatientIDsSequence = [item(PatientID="Ü7", IssuerOfPatientID="WARD", TypeOfPatientID="TEXT")]
    plain.IssuerOfPatientIDQualifiersSequence = [item(UniversalEntityID="1.2.9", UniversalEntityIDType="ISO")]
    plain.IssuerOfAccessionNumberSequence = [item(LocalNamespaceEntityID="RIS")]
    plain.ConceptNameCodeSequence = [item(CodeValue="113000", CodingSchemeDesignator="DCM")]
    plain.OriginalAttributesSequence = [item(SourceOfPreviousValues="X")]
    nested = read(encoded(plain)).nested
    assert nested == {
        "RequestAccessionNumbers": ["A1", "A2", "A3"],
        "OtherPatientIDsItems": [{"id": "Ü7", "issuer": "WARD", "type": "TEXT"}],
        "IssuerQualifiersEntityID": "1.2.9",
        "IssuerQualifiersEntityType": "ISO",
        "IssuerOfAccessionNumberEntityID": "RIS",
        "HasOriginalAttributes": True,
        "DocumentTitleCode": "113000",
    }


def test_real_objects() -> None:
    ids = read(wheel_file("CT_small.dcm")).nested["OtherPatientIDsItems"]
    assert [one["id"] for one in ids] == ["ABCD1234", "1234ABCD"]
    assert read(wheel_file("reportsi.dcm")).nested["DocumentTitleCode"] == "IHE.01"
    assert [reference.relation for reference in read(wheel_file("rtplan.dcm")).references] == [
        "rt-plan",
        "rt-structure",
    ]
    assert {reference.relation for reference in read(wheel_file("test-SR.dcm")).references} == {
        "predecessor",
        "content",
    }
