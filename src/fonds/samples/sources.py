"""The five sample archives: who runs them, which issuers and institutions they use, how they spell things."""

from __future__ import annotations

from typing import Any

DEPARTMENTS = ("radiology", "cardiology", "oncology", "pathology", "surgery")

SOURCES: dict[str, dict[str, Any]] = {
    "radiology": {
        "kind": "folder",
        "path": "radiology",
        "department": "radiology",
        "issuer": "RAD-NORD",
        "accession_issuer": "RIS-NORD",
        "institution": "Klinikum Nord",
        "charset": "ISO_IR 100",
        "date_order": "iso",
        "packs": ["base@1", "radiology@1", "sites@1"],
    },
    "cardiology": {
        "kind": "folder",
        "path": "cardiology",
        "department": "cardiology",
        "issuer": "CARD-HEART",
        "accession_issuer": "CVIS-HEART",
        "institution": "Heart Center Riverside",
        "charset": "ISO_IR 100",
        "date_order": "us",
        "packs": ["base@1", "cardiology@1", "sites@1"],
    },
    "oncology": {
        "kind": "folder",
        "path": "oncology",
        "department": "oncology",
        "issuer": "ONK-ZENTRUM",
        "accession_issuer": "OIS-ZENTRUM",
        "institution": "Onkologisches Zentrum",
        "charset": "ISO_IR 192",
        "date_order": "iso",
        "packs": ["base@1", "oncology@1", "sites@1"],
    },
    "pathology": {
        "kind": "folder",
        "path": "pathology",
        "department": "pathology",
        "issuer": "PATH-LIS",
        "accession_issuer": "PATH-LIS",
        "institution": "Institut für Pathologie",
        "charset": "ISO_IR 192",
        "date_order": "iso",
        "packs": ["base@1", "pathology@1", "sites@1"],
    },
    "surgery": {
        "kind": "folder",
        "path": "surgery",
        "department": "surgery",
        "issuer": "SURG-ENDO",
        "accession_issuer": "SURG-OR",
        "institution": "Chirurgie am See",
        "charset": "ISO_IR 100",
        "date_order": "iso",
        "packs": ["base@1", "surgery@1", "sites@1"],
    },
}

# What the machines of a site really write; a site table must map every spelling to the key.
INSTITUTIONS: dict[str, tuple[str, ...]] = {
    "Klinikum Nord": ("KLINIKUM NORD", "Klinikum-Nord", "Klinik Nord GmbH"),
    "Heart Center Riverside": ("Heart Ctr Riverside", "HEART CENTER RIVERSIDE"),
    "Onkologisches Zentrum": ("Onko-Zentrum", "ONKOLOGISCHES ZENTRUM"),
    "Institut für Pathologie": ("Institut fuer Pathologie", "INST. F. PATHOLOGIE"),
    "Chirurgie am See": ("CHIRURGIE AM SEE", "Chir. am See"),
}

# Character set a department's system declares.
CHARSETS = {
    "radiology": "ISO_IR 100",
    "cardiology": "ISO_IR 100",
    "oncology": "ISO_IR 192",
    "pathology": "ISO_IR 192",
    "surgery": "ISO_IR 100",
}

# Body part as these departments spell it -> term of PS3.16 Annex L.
BODY_PART_SYNONYMS = {
    "Thorax": "CHEST",
    "THORAX": "CHEST",
    "Chest": "CHEST",
    "Abdomen": "ABDOMEN",
    "Schaedel": "HEAD",
    "SCHAEDEL": "HEAD",
    "Becken": "PELVIS",
    "BECKEN": "PELVIS",
    "Knie": "KNEE",
    "KNIE": "KNEE",
}
BODY_PARTS = frozenset({"CHEST", "ABDOMEN", "HEAD", "BRAIN", "KNEE", "PELVIS", "HEART", "NECK", "STOMACH"})
PAIRED_BODY_PARTS = frozenset({"KNEE"})

# Retired modality -> present one (PS3.3 C.7.3.1.1.1).
RETIRED_MODALITIES = {
    "DS": "XA",
    "DF": "RF",
    "CF": "RF",
    "VF": "RF",
    "EC": "US",
    "CD": "US",
    "DD": "US",
    "ST": "NM",
    "MA": "MR",
    "MS": "MR",
    "FA": "OP",
    "FS": "OP",
    "OPR": "OP",
}
MODALITIES = frozenset(
    {"CT", "MR", "CR", "US", "XA", "ECG", "SR", "PT", "RTSTRUCT", "SEG", "KO", "PR", "SM", "ES", "OT", "DOC"}
    | {"RTPLAN", "RTDOSE", "REG", "ANN"}
)

# Modality as a department's machines write it -> defined term.
MODALITY_HABITS: dict[str, dict[str, str]] = {
    "radiology": {"MRI": "MR", "CAT": "CT", "XRAY": "CR"},
    "cardiology": {"ECHO": "US", "CATH": "XA", "EKG": "ECG"},
    "oncology": {"RTSS": "RTSTRUCT", "PET": "PT"},
    "pathology": {"WSI": "SM", "MICRO": "SM"},
    "surgery": {"ENDO": "ES", "VIDEO": "ES"},
}
