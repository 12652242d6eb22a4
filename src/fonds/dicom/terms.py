"""Defined terms of the standard as plain tables: modalities, body parts, transfer syntaxes, character sets, VRs."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from pydicom.uid import UID_dictionary

from fonds.errors import ContentNotFound

# PS3.3 C.7.3.1.1.1
_CURRENT = (
    "ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT "
    "IVUS KER KO LEN LS M3D MG MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG "
    "RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US "
    "VA VIDD XA XAPROTOCOL XC"
)
MODALITIES: tuple[str, ...] = tuple(_CURRENT.split())
"""Defined terms of Modality that are current."""
# PS3.3 C.7.3.1.1.1: retired terms and what they are today, where the standard says so
RETIRED_MODALITIES: dict[str, str | None] = {
    "AS": None,
    "CD": "US",
    "CF": "RF",
    "CP": None,
    "CS": None,
    "DD": "US",
    "DF": "RF",
    "DM": None,
    "DS": "XA",
    "EC": "US",
    "FA": "OP",
    "FS": "OP",
    "HSG": None,
    "LP": None,
    "MA": "MR",
    "MS": "MR",
    "OPR": "OP",
    "PLR": None,
    "ST": "NM",
    "VF": "RF",
}

# PS3.3 C.12.1.1.2: Tables C.12-2 (single byte, no extension), C.12-5 (multi-byte, no extension)
CHARACTER_SETS: tuple[str, ...] = (
    *(f"ISO_IR {n}" for n in (100, 101, 109, 110, 144, 127, 126, 138, 148, 203, 13, 166, 192)),
    "GB18030",
    "GBK",
)
# PS3.3 C.12.1.1.2: Tables C.12-3 and C.12-4, only in a value with code extensions
EXTENDED_CHARACTER_SETS: tuple[str, ...] = tuple(
    f"ISO 2022 IR {n}" for n in (6, 100, 101, 109, 110, 144, 127, 126, 138, 148, 203, 13, 166, 87, 159, 149, 58)
)

# PS3.5 6.2; the first need four bytes of length in explicit VR (PS3.5 7.1.2)
_LONG = "OB OD OF OL OV OW SQ SV UC UN UR UT UV"
_SHORT = "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US"
LONG_VRS: frozenset[str] = frozenset(_LONG.split())
SHORT_VRS: frozenset[str] = frozenset(_SHORT.split())

NATIVE_SYNTAXES: frozenset[str] = frozenset(
    ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")
)


class TransferSyntax(NamedTuple):
    """A registered transfer syntax (PS3.6 Table A-1)."""

    uid: str
    name: str
    retired: bool


class BodyPart(NamedTuple):
    """A term of PS3.16 Annex L for Body Part Examined, its SNOMED code, and whether it is a paired structure."""

    term: str
    code: str
    meaning: str
    paired: bool


@cache
def transfer_syntaxes() -> tuple[TransferSyntax, ...]:
    """Every registered transfer syntax, retired ones included."""
    return tuple(
        TransferSyntax(uid, name, retired == "Retired")
        for uid, (name, kind, _, retired, _) in UID_dictionary.items()
        if kind == "Transfer Syntax"
    )


@cache
def retired_classes() -> tuple[str, ...]:
    """UIDs of the SOP classes the standard retired (PS3.6 Table A-1)."""
    return tuple(
        uid for uid, (_, kind, _, retired, _) in UID_dictionary.items() if kind == "SOP Class" and retired == "Retired"
    )


@cache
def body_parts() -> tuple[BodyPart, ...]:
    """PS3.16 Annex L (highdicom's extract of it)."""
    # found, not imported: highdicom takes a second to import, and only its table is wanted
    spec = find_spec("highdicom")
    if spec is None or not spec.submodule_search_locations:
        raise ContentNotFound("PS3.16 Annex L comes with highdicom, which isn't installed", name="highdicom")
    folder = Path(next(iter(spec.submodule_search_locations)))
    table = json.loads((folder / "_standard" / "anatomic_regions.json").read_text(encoding="utf-8"))
    return tuple(BodyPart(term, code, meaning, paired) for term, (_, code, meaning, paired) in table.items())
