"""Named tests about the words of descriptions, German and English: regions of the body, sides, contrast medium."""

from __future__ import annotations

from collections.abc import Mapping

from fonds.catalog.store import literal
from fonds.project.expressions import Template

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


def word_tests() -> Mapping[str, Template]:
    """The named tests, in the order the documentation lists them."""
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


def _first_and_last(*columns: str) -> str:
    return ", ".join(f"min({column}), max({column})" for column in columns)


def _is_word(column: str, words: str) -> str:
    return f"{column} IN ({', '.join(literal(word) for word in sorted(words.split()))})"


def _sided() -> str:
    return f"regexp_replace({_PLAIN_TEXT}, {literal(_NO_SIDE)}, ' ', 'g')"
