"""Named tests about objects: what kind a SOP class is, numbers and places, and the words of descriptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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

# Coarse regions: the terms of Body Part Examined that go with them, and the words for them (lower case, no accents)
_REGIONS: tuple[tuple[str, str, str], ...] = (
    (
        "head",
        "HEAD SKULL BRAIN FACE ORBIT SELLA IAC EAR EYE JAW TMJ MANDIBLE MAXILLA MASTOID NOSE ZYGOMA INTRACRANIAL "
        "HEADNECK NECK",
        r"\bhead|skull|brain|\bcranium|neurocran|intracran|kopf|schadel|schaedel|hirn|\bcct\b|\borbit|paranasal|nasenneben"
        r"|\bnnh\b|\bface\b|facial|gesicht|kiefer|mandib|felsenbein|mastoid|\bsella",
    ),
    (
        "neck",
        "NECK HEADNECK CSPINE THYROID LARYNX PHARYNX CAROTID NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV",
        r"\bneck|\bhals|cervical|zervikal|\bhws\b|\bc-?spine|thyroid|schilddrus|schilddrues|carotis|carotid|larynx",
    ),
    (
        "chest",
        "CHEST THORAX LUNG HEART RIB STERNUM MEDIASTINUM BRONCHUS ESOPHAGUS CORONARYARTERY TSPINE BREAST CHESTABDOMEN "
        "CHESTABDPELVIS NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV",
        r"chest|thora|\blung|herz|heart|cardi|kardi|coronary|koronar|\brippe|\bribs?\b|\bstern|mediastin|esoph|osoph|bronch"
        r"|\bbrust",
    ),
    (
        "abdomen",
        "ABDOMEN ABDOMENPELVIS LIVER KIDNEY PANCREAS SPLEEN STOMACH COLON GALLBLADDER ADRENAL PELVIS LSPINE LSSPINE "
        "CHESTABDOMEN CHESTABDPELVIS NECKCHESTABDOMEN NECKCHESTABDPELV",
        r"abdom|bauch|\bliver|\bleber|hepat|kidney|niere|renal|pancrea|pankrea|spleen|milz|stomach|\bmagen|gastr|\bcolon|kolon"
        r"|\bgalle|gallbl|cholez|cholec|darm|bowel|enterogra|\bmrcp|urogra",
    ),
    (
        "pelvis",
        "PELVIS HIP PROSTATE BLADDER UTERUS SIJOINT RECTUM SSPINE ABDOMEN ABDOMENPELVIS CHESTABDPELVIS "
        "NECKCHESTABDPELV PELVISLOWEXTREMT",
        r"pelvi|becken|prostat|bladder|blase|uterus|\bhips?\b|huft|hueft|sacr|sakr|\bisg\b|rectum|rektum",
    ),
    (
        "spine",
        "SPINE CSPINE TSPINE LSPINE LSSPINE CTSPINE TLSPINE SSPINE COCCYX NECK",
        r"spine|spinal|\b[hbl]ws\b|wirbel|lumbal|lumbar|myelo",
    ),
    ("breast", "BREAST CHEST THORAX", r"breast|\bmamm|\bbrust"),
    (
        "arm",
        "SHOULDER CLAVICLE SCAPULA ACJOINT HUMERUS UPPERARM ELBOW FOREARM RADIUS ULNA RADIUSULNA WRIST HAND FINGER "
        "THUMB UPPERLIMB EXTREMITY",
        r"shoulder|schulter|clavic|klavik|schlusselbein|scapula|humer|oberarm|elbow|ellbog|ellenbog|forearm|unterarm"
        r"|\bradius|\bulna|wrist|\bhand(s|e|en|gelenk|wurzel)?\b|finger|thumb|daumen|upper (limb|extr)|obere extr"
        r"|metacarp|radial head",
    ),
    (
        "leg",
        "HIP FEMUR THIGH KNEE PATELLA LOWERLEG TIBIA FIBULA TIBIAFIBULA CALF ANKLE FOOT TOE CALCANEUS LOWERLIMB PELVIS "
        "PELVISLOWEXTREMT EXTREMITY",
        r"\bhips?\b|huft|hueft|femur|femor|thigh|oberschenkel|knee|knie|patell|lower leg|unterschenkel|tibia|fibula"
        r"|\bcalf|ankle|sprunggelenk|\bosg\b|\bfoot|\bfeet|fuß|fuss(\b|es|wurzel)|\btoes?\b|\bzehe|calcane|kalkane|ferse"
        r"|metatars|schienbein|wadenbein|\bwade|lower (limb|extr)|untere extr|\bbein",
    ),
)
_WHOLE = r"whole ?body|ganzkorper|ganzkoerper|total body|polytrauma|skelet"
_DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "StudyDescription", "RequestedProcedureDescription")
_PLAIN_TEXT = "replace(lower(strip_accents(text)), '_', ' ')"
# what looks like a side and is none: objects of radiotherapy, reporting systems
_NO_SIDE = r"\brt[ _-]?(plan|dose|struct|image|sim|ct|mr)[a-z]*|\b[a-z]+-?rads\b"
_SIDES = {
    "L": r"\b(left|links|linke[rsnm]?|lt)\b|\bli(\.|\s|$)|\bl[ _-]?(cc|mlo|ml|lm|xccl)\b",
    "R": r"\b(right|rechts|rechte[rsnm]?|rt)\b|\bre(\.|\s|$)|\br[ _-]?(cc|mlo|ml|lm|xccl)\b",
}
_BOTH = r"\bbilat|\bboth\b|\bbeide|\bbds\b|\bbd\."
_WITHOUT = (
    r"\bnativ|\bohne (km|kontrast)|\bwithout (iv |i\.v\. )?contrast|\bw/?o (iv )?(contrast|gd|km|and)\b"
    r"|\bnon[ -]?contrast|unenhanced|\bplain\b|\bpre[ -]?(contrast|km|gd)"
)
_WITH = (
    r"\bmit (km|kontrast)|\bwith (iv |i\.v\. )?contrast|\bpost[ -]?(contrast|km|gd|gad)|[+] ?(c|km|gd)\b"
    r"|contrast[ -]enhanced|\bnach km\b"
)


def object_tests() -> Mapping[str, Template]:
    """The named tests, in the order the documentation lists them."""
    return {
        **_numbers(),
        **_uids(),
        "samples_of": Template(
            ("x",),
            "CASE " + " ".join(f"WHEN x IN {_among(names)} THEN {count}" for count, names in _SAMPLES.items()) + " END",
            "samples a pixel a photometric interpretation needs; NULL for none that is defined (PS3.3 C.7.6.3.1.2)",
        ),
        "points_to": Template(
            ("x",),
            'length(list_filter("references", lambda one: one.sop_uid = x)) > 0',
            "whether the object refers to the SOP Instance UID",
        ),
        **_words(),
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
            ("x",), f"x IN {_among(terms.retired_classes())}", "a SOP class the standard retired (PS3.6 A)"
        ),
        "is_video_syntax": Template(("x",), f"x IN {_among(videos)}", "a transfer syntax of moving pictures"),
        "is_lossy_syntax": Template(
            ("x",), f"x IN {_among([*_JPEG_LOSSY, *videos])}", "a transfer syntax that always loses something"
        ),
        "is_native_syntax": Template(
            ("x",), f"x IN {_among(terms.NATIVE_SYNTAXES)}", "a transfer syntax without compressed pixels"
        ),
    }


def _words() -> dict[str, Template]:
    # a part of one region or more: none of them may be named
    known = " OR ".join(_is_word("part", names) for _, names, _ in _REGIONS)
    named = " OR ".join(
        f"({_is_word('part', names)} AND regexp_matches({_PLAIN_TEXT}, {literal(words)}))"
        for _, names, words in _REGIONS
    )
    said = f"WHEN {known} THEN NOT ({named})"
    anything = literal("|".join(words for _, _, words in _REGIONS))
    return {
        "series_words": Template(
            (),
            f"concat_ws(' ', {_first_and_last(*_DESCRIPTIONS[:2])})",
            "series description and protocol of the group as one text",
            groups=True,
        ),
        "all_words": Template(
            (),
            f"concat_ws(' ', {_first_and_last(*_DESCRIPTIONS)})",
            "the same with study description and requested procedure",
            groups=True,
        ),
        "names_other_region": Template(
            ("part", "text"),
            f"CASE WHEN NOT regexp_matches({_PLAIN_TEXT}, {anything}) THEN false "
            f"WHEN regexp_matches({_PLAIN_TEXT}, {literal(_WHOLE)}) THEN false {said} ELSE false END",
            "whether the text (German or English) names regions of the body, and none the body part belongs to",
        ),
        "sides_in": Template(
            ("text",),
            f"CASE WHEN regexp_matches({_PLAIN_TEXT}, {literal(_BOTH)}) THEN 'LR' ELSE concat("
            + ", ".join(
                f"CASE WHEN regexp_matches({_sided()}, {literal(words)}) THEN '{side}' ELSE '' END"
                for side, words in _SIDES.items()
            )
            + ") END",
            "sides the text (German or English) names: L, R, LR or ''",
        ),
        "names_only_other_side": Template(
            ("side", "text"),
            "sides_in(text) = CASE side WHEN 'L' THEN 'R' WHEN 'R' THEN 'L' END",
            "whether the text names one side, and the coded side is the other",
        ),
        "contrast_in": Template(
            ("text",),
            f"CASE WHEN regexp_matches({_PLAIN_TEXT}, {literal(_WITHOUT)}) "
            f"THEN CASE WHEN regexp_matches({_PLAIN_TEXT}, {literal(_WITH)}) THEN 'both' ELSE 'without' END "
            f"WHEN regexp_matches({_PLAIN_TEXT}, {literal(_WITH)}) THEN 'with' ELSE '' END",
            "what the text (German or English) says of contrast medium: with, without, both or ''",
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


def _among(values: Iterable[str]) -> str:
    return "(" + ", ".join(literal(value) for value in sorted(values)) + ")"


def _first_and_last(*columns: str) -> str:
    return ", ".join(f"min({column}), max({column})" for column in columns)


def _is_word(column: str, words: str) -> str:
    return f"{column} IN {_among(words.split())}"


def _sided() -> str:
    return f"regexp_replace({_PLAIN_TEXT}, {literal(_NO_SIDE)}, ' ', 'g')"
