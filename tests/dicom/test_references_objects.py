"""One object of each kind, by highdicom's builders where it has one: exactly what it points to, by both readers."""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from highdicom import sr
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, UID_dictionary
from ruamel.yaml import YAML

from fonds.dicom.iod_table import Asked, iod
from fonds.dicom.relations import (
    FACTS,
    FRAMES,
    FRAMEWISE,
    POINTING,
    SERIES,
    SOP_CLASS,
    SOPS,
    STUDY,
    UID_CONCEPTS,
    UID_VALUE,
    WALKED,
    keyword_of,
)
from tests.dicom.made import encoded, wheel_file
from tests.dicom.oracle import pointed_at
from tests.dicom.readers import at_once, one_by_one
from tests.dicom.test_differential import real_files

CT_STUDY = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"
CT_SERIES = "1.3.6.1.4.1.5962.1.3.1.1.20040119072730.12322"
CT_FRAME = "1.3.6.1.4.1.5962.1.4.1.1.20040119072730.12322"
FIRST, SECOND = "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322", "1.2.9.2"
STORAGE = "1.2.840.10008.5.1.4.1.1."

Found = list[tuple[str, str, str | None, str | None, str | None, str | None]]
"""Carrier, relation, study, series, object and frame of reference of each reference."""


def pointed(data: bytes) -> Found:
    """What both readers find, the compiled one where it takes the object."""
    (slow,), (fast,) = one_by_one([data]), at_once([data])
    assert isinstance(slow, dict)
    assert fast is None or fast == slow
    keys = ("carrier", "relation", "study_uid", "series_uid", "sop_uid", "frame_of_reference_uid")
    return [tuple(reference[key] for key in keys) for reference in slow["references"]]


@pytest.fixture(scope="module")
def slices() -> list[Dataset]:
    """Two slices of pydicom's CT."""
    found = [pydicom.dcmread(wheel_file("CT_small.dcm")) for _ in range(2)]
    found[1].SOPInstanceUID, found[1].ImagePositionPatient = SECOND, [0, 0, 10]
    return found


OWN = {"series_instance_uid": "1.9.1", "series_number": 1, "sop_instance_uid": "1.9.2", "instance_number": 1,
       "manufacturer": "M"}  # fmt: skip
DEVICE = {"manufacturer_model_name": "m", "software_versions": "1", "device_serial_number": "1"}


def segmentation(slices: list[Dataset]) -> Dataset:
    algorithm = hd.AlgorithmIdentificationSequence("x", codes.cid7162.ArtificialIntelligence, "1")
    automatic = hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC
    tissue = hd.seg.SegmentDescription(1, "a", codes.SCT.Tissue, codes.SCT.Tissue, automatic, algorithm)
    return hd.seg.Segmentation(
        slices, np.ones((2, 128, 128), dtype=np.uint8), hd.seg.SegmentationTypeValues.BINARY, [tissue], **OWN, **DEVICE
    )


def map_of(slices: list[Dataset]) -> Dataset:
    mapping = hd.pm.RealWorldValueMapping("1", "x", codes.UCUM.NoUnits, (0.0, 1.0), slope=1, intercept=0)
    return hd.pm.ParametricMap(
        slices[:1], np.ones((128, 128), dtype=np.float32), contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping], window_center=1, window_width=1, **OWN, **DEVICE
    )  # fmt: skip


def report(slices: list[Dataset]) -> Dataset:
    """A measurement report (TID 1500) of a segment of a series, and of a region of a frame of reference."""
    made = segmentation(slices)
    segment = sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        referenced_segment=sr.ReferencedSegment(made.SOPClassUID, made.SOPInstanceUID, 1,
                                                source_series=sr.SourceSeriesForSegmentation(CT_SERIES)),
        tracking_identifier=sr.TrackingIdentifier(uid="1.7", identifier="a"), measurements=[],
    )  # fmt: skip
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]])
    region = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        referenced_region=sr.ImageRegion3D(sr.GraphicTypeValues3D.POLYGON, corners, CT_FRAME),
        tracking_identifier=sr.TrackingIdentifier(uid="1.8", identifier="b"),
    )
    device = sr.ObserverContext(codes.DCM.Device, sr.DeviceObserverIdentifyingAttributes(uid="1.2.3.99"))
    tree = sr.MeasurementReport(sr.ObservationContext(observer_device_context=device),
                                codes.LN.CTUnspecifiedBodyRegion, imaging_measurements=[segment, region])  # fmt: skip
    return sr.Comprehensive3DSR([slices[0], made], tree[0], **OWN)


def key_objects(slices: list[Dataset]) -> Dataset:
    tree = hd.ko.KeyObjectSelection(codes.DCM.OfInterest, slices[:1])
    return hd.ko.KeyObjectSelectionDocument(slices[:1], tree, **OWN)


def presentation(slices: list[Dataset]) -> Dataset:
    layer = hd.pr.GraphicLayer("L", 1)
    point = hd.pr.GraphicObject(hd.pr.GraphicTypeValues.POINT, np.array([[1.0, 1.0]]), "PIXEL")
    drawn = hd.pr.GraphicAnnotation(slices[:1], layer, graphic_objects=[point])
    return hd.pr.GrayscaleSoftcopyPresentationState(
        slices, **OWN, **DEVICE, content_label="X", graphic_annotations=[drawn], graphic_layers=[layer]
    )


_EVIDENCE = "CurrentRequestedProcedureEvidenceSequence.ReferencedSeriesSequence.ReferencedSOPSequence"
_GROUP = "ContentSequence.ContentSequence.ContentSequence"
BUILT = {
    segmentation: [
        ("ReferencedSeriesSequence.ReferencedInstanceSequence", "segmentation-source", None, CT_SERIES, FIRST, None),
        ("ReferencedSeriesSequence.ReferencedInstanceSequence", "segmentation-source", None, CT_SERIES, SECOND, None),
        ("SourceImageSequence", "segmentation-source", None, None, FIRST, None),
        ("SourceImageSequence", "segmentation-source", None, None, SECOND, None),
    ],
    map_of: [
        ("ReferencedSeriesSequence.ReferencedInstanceSequence", "referenced-instance", None, CT_SERIES, FIRST, None),
        ("SourceImageSequence", "source-image", None, None, FIRST, None),
    ],
    report: [
        (_EVIDENCE, "evidence", CT_STUDY, CT_SERIES, FIRST, None),
        (_EVIDENCE, "evidence", CT_STUDY, "1.9.1", "1.9.2", None),
        (f"{_GROUP}.ReferencedSOPSequence", "content", None, None, "1.9.2", None),
        (_GROUP, "content", None, CT_SERIES, None, None),  # of type UIDREF: 121232, Source series for segmentation
        (_GROUP, "content", None, None, None, CT_FRAME),
    ],
    key_objects: [
        (_EVIDENCE, "evidence", CT_STUDY, CT_SERIES, FIRST, None),
        ("ContentSequence.ReferencedSOPSequence", "content", None, None, FIRST, None),
    ],
    presentation: [
        ("ReferencedSeriesSequence.ReferencedImageSequence", "presentation", None, CT_SERIES, FIRST, None),
        ("ReferencedSeriesSequence.ReferencedImageSequence", "presentation", None, CT_SERIES, SECOND, None),
        ("GraphicAnnotationSequence.ReferencedImageSequence", "presentation", None, None, FIRST, None),
    ],
}  # fmt: skip


@pytest.mark.parametrize("build", BUILT, ids=lambda build: str(build.__name__))
def test_objects_of_highdicom(build: Any, slices: list[Dataset]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom's CT, whose names highdicom would write in another way
        made, out = build(slices), BytesIO()
        made.save_as(out)
    assert pointed(out.getvalue()) == BUILT[build]


CASES: dict[str, dict[str, Any]] = YAML(typ="safe").load((Path(__file__).parent / "references.yaml").read_text())


def ds(values: dict[str, Any]) -> Dataset:
    """A data set; sequences are lists of the same."""
    made = Dataset()
    for word, value in values.items():
        setattr(made, word, [ds(item) for item in value] if isinstance(value, list) else value)
    return made


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian], ids=["explicit", "implicit"])
@pytest.mark.parametrize("case", CASES)
def test_one_object_of_each_kind(case: str, syntax: str) -> None:
    made = ds({"SOPClassUID": STORAGE + CASES[case]["class"], "SOPInstanceUID": "1.2.3", **CASES[case]["holds"]})
    expected = [
        (one["carrier"], one["relation"], *(one.get(word) for word in ("study", "series", "sop", "frame")))
        for one in CASES[case]["points_to"]
    ]
    found = pointed(encoded(made, syntax))
    assert len(found) == len(expected)
    assert set(found) == set(expected)


@pytest.mark.parametrize("listed", [True, False], ids=["listed", "not listed"])
def test_frames_are_asked_only_where_no_list_names_an_object(listed: bool) -> None:
    source = [{"ReferencedSOPInstanceUID": "1.4"}]
    groups = [{"DerivationImageSequence": [{"SourceImageSequence": source}]}]
    names = [{"ReferencedSOPInstanceUID": "1.3"}] if listed else []
    lists = [{"SeriesInstanceUID": "1.2", "ReferencedInstanceSequence": names}]
    for sop_class in (*FRAMEWISE, STORAGE + "2"):
        made = ds({"SOPClassUID": sop_class, "SOPInstanceUID": "1.9", "ReferencedSeriesSequence": lists,
                   "PerFrameFunctionalGroupsSequence": groups})  # fmt: skip
        found = {row[4] for row in pointed(encoded(made))} - {None}
        assert found == ({"1.3"} if listed else {"1.4"} if sop_class in FRAMEWISE else set()), sop_class


LEFT_OUT: dict[str, tuple[str, ...]] = {
    "steps, patients and visits, which aren't stored": (
        "ReferencedPerformedProcedureStepSequence", "InstanceLevelReferencedPerformedProcedureStepSequence",
        "ReferencedPatientSequence",
    ),
    "definitions without a patient: protocols, hanging protocols, implants, palettes": (
        "ReferencedDefinedProtocolSequence", "ReferencedPerformedProtocolSequence", "PredecessorProtocolSequence",
        "AcquisitionProtocolElementSequence", "ReconstructionProtocolElementSequence", "StorageProtocolElementSequence",
        "ApprovalSequence", "ApprovalSubjectSequence", "SourceHangingProtocolSequence", "DisplaySetsSequence",
        "ComponentTypesSequence", "ImplantTemplateGroupMembersSequence", "DerivationImplantAssemblyTemplateSequence",
        "DerivationImplantTemplateSequence", "OriginalImplantAssemblyTemplateSequence",
        "OriginalImplantTemplateSequence", "ReplacedImplantAssemblyTemplateSequence",
        "ReplacedImplantTemplateGroupSequence", "ReplacedImplantTemplateSequence",
    ),
    "inventories, which list whole archives": ("InventoriedStudiesSequence", "IncorporatedInventoryInstanceSequence"),
    "documents outside of DICOM, by a UID of their own": ("HL7StructuredDocumentReferenceSequence",),
    "parameters that are content items, never objects in practice": (
        "AcquisitionInitiationSequence", "AdditionalRTAccessoryDeviceSequence", "CTImagingAcquisitionParameterSequence",
        "DeviceSpecificAcquisitionParameterSequence", "DosimetricObjectiveParameterSequence",
        "ImagingEquipmentToTreatmentDeliveryDeviceRelationshipSequence", "MVImagingGenerationParametersSequence",
        "MultienergyCTCharacteristicsSequence", "PatientSupportDisplacementSequence",
        "PatientToEquipmentRelationshipSequence", "PatientTreatmentPreparationProcedureSequence",
        "PerformedProtocolCodeSequence", "ProjectionImagingAcquisitionParameterSequence",
        "RTImageFrameImagingDevicePositionSequence", "RTImageFrameRadiationAcquisitionSequence",
        "RTPatientPositionSequence", "RTSegmentAnnotationSequence", "RTToleranceSetSequence",
        "RadiationDeviceConfigurationAndCommissioningKeySequence", "RadiationGenerationModeSequence",
        "RealWorldValueMappingSequence", "ReferencedBeamSequence", "ScanStartPositionSequence",
        "ScanStopPositionSequence", "ScheduledProtocolCodeSequence", "TreatmentPositionSequence",
        "TreatmentToleranceViolationSequence", "VisualFieldGlobalResultsIndexSequence",
        "VisualFieldTestReliabilityGlobalIndexSequence",
    ),
}  # fmt: skip
"""Sequences of PS3.3 that are not looked into, though a reference may stand in them."""


def test_every_way_to_a_reference_in_the_standard_is_walked_or_left_out_for_a_reason() -> None:
    left_out = {tag_for_keyword(word) for words in LEFT_OUT.values() for word in words}
    assert not left_out & (POINTING | WALKED)
    met: set[int] = set()
    walked = 0
    shapes = [module.attributes for found in map(iod, UID_dictionary) if found for module in found.modules]
    for path in {path for shape in shapes for path in _ways(shape, ())}:
        unknown = [tag for place, tag in enumerate(path) if tag not in (WALKED if place else POINTING)]
        assert not unknown or unknown[0] in left_out, [keyword_of(tag) for tag in path]
        met |= set(unknown[:1])
        walked += not unknown
    assert met == left_out
    assert walked > 280


def _ways(attributes: tuple[Asked, ...], above: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    for asked in attributes:
        if above and asked.tag in (STUDY, SERIES, *SOPS, *FRAMES):
            yield above
        yield from _ways(asked.items, (*above, asked.tag))


IN_PRIVATE = {"UN_sequence.dcm"}
"""Real files with a reference inside a private sequence, which is the maker's own affair."""


def test_whatever_names_an_object_in_a_real_file_is_found() -> None:
    counts: Counter[bool] = Counter()
    for path in real_files():
        data = path.read_bytes()
        (row,) = one_by_one([data])
        if not isinstance(row, dict) or path.name == "DICOMDIR":  # an index, whose records are no references
            continue
        found = {uid for one in row["references"] for name, uid in one.items() if name.endswith("_uid")}
        assert not pointed_at(data) - found or path.name in IN_PRIVATE, path
        counts[bool(found - {None})] += 1
    assert counts[True] > 150


def test_the_readers_agree_on_sequences_in_any_order() -> None:
    dice = random.Random(6)
    inside = [keyword_of(tag) for tag in sorted(WALKED)] + ["ConceptNameCodeSequence", "ContentSequence"] * 20
    tops = [keyword_of(tag) for tag in sorted(POINTING | FACTS)]
    classes = (*FRAMEWISE, *(f"{STORAGE}{end}" for end in ("11.1", "88.22", "2", "66.1") * 4))
    leaves = [keyword_of(tag) for tag in (STUDY, SERIES, SOP_CLASS, *SOPS, *FRAMES, UID_VALUE)]

    def item(depth: int) -> dict[str, Any]:
        words: dict[str, Any] = {
            word: dice.choice(["1.2.3", "1.2.4", ""]) for word in dice.sample(leaves, dice.randint(0, 4))
        }
        words["CodeValue"] = dice.choice([*UID_CONCEPTS, "1"])
        below = dice.sample(inside, dice.choice([0, 1, 1, 2])) if depth < 4 else []
        return words | {word: [item(depth + 1) for _ in range(dice.randint(0, 2))] for word in below}

    objects = []
    for number in range(200):
        content: dict[str, Any] = {
            word: [item(0) for _ in range(dice.randint(0, 2))] for word in dice.sample(tops, dice.randint(1, 4))
        }
        if number % 5 == 0:
            content["SOPInstanceUIDOfConcatenationSource"] = "1.2.5"
        made = ds({"SOPClassUID": dice.choice(classes), "SOPInstanceUID": "1.2", **content})
        objects.append(encoded(made, dice.choice([ExplicitVRLittleEndian, ImplicitVRLittleEndian])))
    # few at a time: a batch has room for as many ways of nesting as archives have, not for those of 200 such objects
    fast = [row for start in range(0, 200, 40) for row in at_once(objects[start : start + 40])]
    for slow, row in zip(one_by_one(objects), fast, strict=True):
        assert isinstance(slow, dict)
        assert row is None or row == slow
    assert sum(row is not None for row in fast) > 70
