"""Named tests about objects: what kind a SOP class is, numbers, places and transfer syntaxes."""

from __future__ import annotations

from collections.abc import Mapping

from fonds.assess.people_tests import among
from fonds.assess.word_tests import word_tests
from fonds.catalog.store import literal
from fonds.dicom import terms
from fonds.project.expressions import Template

_ROOT = "1.2.840.10008.5.1.4.1.1."
# SOP classes the checks tell apart (PS3.4 B.5), below the root
KINDS: dict[str, str] = {
    "CR": "1",
    "DX": "1.1 1.1.1",
    "MG": "1.2 1.2.1",
    "IO": "1.3 1.3.1",
    "CT": "2",
    "enhanced CT": "2.1 2.2",
    "US loop": "3.1",
    "MR": "4",
    "enhanced MR": "4.1 4.3 4.4",
    "US": "6.1",
    "SC": "7",
    "SC multi-frame": "7.1 7.2 7.3 7.4",
    "ECG": "9.1.1 9.1.2 9.1.3",
    "PR": "11.1 11.2 11.3 11.4 11.5",
    "XA": "12.1",
    "RF": "12.2",
    "tomosynthesis": "13.1.3",
    "NM": "20",
    "SEG": "66.4",
    "ES": "77.1.1",
    "ES video": "77.1.1.1",
    "GM": "77.1.2",
    "GM video": "77.1.2.1",
    "XC": "77.1.4",
    "XC video": "77.1.4.1",
    "SM": "77.1.6",
    "SR": "88.11 88.22 88.33 88.34 88.35 88.50 88.65 88.67 88.68 88.69 88.72",
    "KO": "88.59",
    "PDF": "104.1",
    "CDA": "104.2",
    "STL": "104.3",
    "OBJ": "104.4",
    "MTL": "104.5",
    "PT": "128",
    "enhanced PT": "128.1 130",
    "RTIMAGE": "481.1",
    "RTDOSE": "481.2",
    "RTSTRUCT": "481.3",
    "RTPLAN": "481.5 481.8",
}
KIND_MEANING = f"what the SOP class stands for: {', '.join(KINDS)}; NULL for other classes"
KIND_COLUMN = (
    "CASE i.SOPClassUID "
    + " ".join(
        f"WHEN {literal(_ROOT + tail)} THEN {literal(kind)}" for kind, tails in KINDS.items() for tail in tails.split()
    )
    + " END AS kind"
)
"""The column of a level's relation that says the kind, worked out once a row; `i` is the table of instances."""

# PS3.3 A.1.4: objects outside the model of the real world's patient, study and series
_NO_PATIENT = (
    *("1.2.840.10008.5.1.4.38.1", "1.2.840.10008.5.1.4.39.1", "1.2.840.10008.5.1.4.43.1", "1.2.840.10008.5.1.4.44.1"),
    *("1.2.840.10008.5.1.4.45.1", f"{_ROOT}200.1", f"{_ROOT}200.3", f"{_ROOT}200.7", f"{_ROOT}201.1"),
)
OF_A_PATIENT = "coalesce(i.SOPClassUID, '') NOT IN (" + ", ".join(literal(uid) for uid in _NO_PATIENT) + ")"
"""Which rows of `i` belong to a patient: not colour palettes, hanging protocols, implant templates, inventories."""

# PS3.5 A.4.1: always lossy
_JPEG_LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
_VIDEO_NAMES = ("MPEG2", "MPEG-4", "HEVC")
# PS3.3 C.7.6.3.1.2, retired terms included
_SAMPLES = {
    1: ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"),
    3: (
        *("RGB", "HSV", "XYB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420"),
        *("YBR_ICT", "YBR_RCT"),
    ),
    4: ("ARGB", "CMYK"),
}


def object_tests() -> Mapping[str, Template]:
    """The named tests, in the order the documentation lists them."""
    return {
        **_numbers(),
        **_uids(),
        "samples_of": Template(
            ("x",),
            "CASE " + " ".join(f"WHEN x IN {among(names)} THEN {count}" for count, names in _SAMPLES.items()) + " END",
            "samples a pixel a photometric interpretation needs; NULL for none that is defined (PS3.3 C.7.6.3.1.2)",
        ),
        "points_to": Template(
            ("x",),
            'length(list_filter("references", lambda one: one.sop_uid = x)) > 0',
            "whether the object refers to the SOP Instance UID",
        ),
        **word_tests(),
    }


def _numbers() -> dict[str, Template]:
    return {
        "number": Template(("x",), "try_cast(trim(x) AS DOUBLE)", "the value as a number; NULL when it is none"),
        "count_parts": Template(
            ("x",), "length(string_split(x, '\\'))", "how many backslash-separated values there are"
        ),
        "unit_vectors": Template(
            ("x",),
            f"list_transform([{_doubles('x')}], lambda v: {_UNIT})[1]",
            "whether six numbers are two vectors of length 1 at right angles, within 0.01; NULL when they aren't six",
        ),
        "slice_place": Template(
            (),
            f"list_transform([{{'o': {_doubles('ImageOrientationPatient')}, 'p': {_doubles('ImagePositionPatient')}}}],"
            f" lambda s: round({_PLACE}, 1))[1]",
            "where the slice lies along the normal of its plane, mm to one place; NULL when that isn't said",
        ),
        "widest_step": Template(
            ("x",),
            f"list_max({_STEPS})",
            "widest step between the group's different numbers in order; NULL of fewer than two",
            groups=True,
        ),
        "narrowest_step": Template(("x",), f"list_min({_STEPS})", "narrowest of those steps", groups=True),
    }


def _uids() -> dict[str, Template]:
    videos = [syntax.uid for syntax in terms.transfer_syntaxes() if any(word in syntax.name for word in _VIDEO_NAMES)]
    return {
        "is_retired_class": Template(
            ("x",), f"x IN {among(terms.retired_classes())}", "a SOP class the standard retired (PS3.6 A)"
        ),
        "is_video_syntax": Template(("x",), f"x IN {among(videos)}", "a transfer syntax of moving pictures"),
        "is_lossy_syntax": Template(
            ("x",), f"x IN {among([*_JPEG_LOSSY, *videos])}", "a transfer syntax that always loses something"
        ),
        "is_native_syntax": Template(
            ("x",), f"x IN {among(terms.NATIVE_SYNTAXES)}", "a transfer syntax without compressed pixels"
        ),
    }


def _doubles(column: str) -> str:
    return f"list_transform(string_split({column}, '\\'), lambda v: try_cast(trim(v) AS DOUBLE))"


_UNIT = (
    "CASE WHEN length(v) = 6 THEN abs(v[1]*v[1] + v[2]*v[2] + v[3]*v[3] - 1) < 0.01 "
    "AND abs(v[4]*v[4] + v[5]*v[5] + v[6]*v[6] - 1) < 0.01 AND abs(v[1]*v[4] + v[2]*v[5] + v[3]*v[6]) < 0.01 END"
)
# position times (row direction x column direction), PS3.3 C.7.6.2.1.1
_PLACE = (
    "(s.o[2]*s.o[6] - s.o[3]*s.o[5]) * s.p[1] + (s.o[3]*s.o[4] - s.o[1]*s.o[6]) * s.p[2] "
    "+ (s.o[1]*s.o[5] - s.o[2]*s.o[4]) * s.p[3]"
)
_SORTED = "list_sort(list_distinct(list(x)))"
_STEPS = f"list_transform({_SORTED}[2:], lambda v, n: round(v - {_SORTED}[n], 3))"
