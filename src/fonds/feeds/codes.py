"""What codes of HL7 v2 and words of FHIR say of an order or a report, and which section is which modality."""

from __future__ import annotations

CONTROLS = {
    **dict.fromkeys(("CA", "OC", "CR", "DC", "OD", "DR", "RP", "RU", "RQ"), "cancelled"),
    **dict.fromkeys(("NW", "RO", "UC", "UD"), "opens"),
    "RE": "performed",
    **dict.fromkeys(("XO", "XX", "XR", "UX", "UM", "SC", "SR", "SS", "SN", "NA", "OK", "UA", "PA", "CH", "CN"), ""),
    **dict.fromkeys(("RR", "HD", "OH", "HR", "UH", "RL", "OE", "OR", "UR", "PR", "DE", "LI", "UN", "MC"), ""),
    **dict.fromkeys(("RF", "AF", "DF", "FU", "OF", "UF", "OP", "PX", "PY", ""), ""),
}  # fmt: skip
"""Order control (HL7 table 0119). `opens`: an order that was cancelled is open again; '': it says nothing of that."""
ORDERS = {
    **dict.fromkeys(("OPEN", "IP", "SC", "HD", "ORDERED", "REQUESTED", "PLANNED", "SCHEDULED", "BOOKED"), "open"),
    **dict.fromkeys(("ACTIVE", "ON-HOLD", "DRAFT", "IN-PROGRESS", "ARRIVED"), "open"),
    **dict.fromkeys(("PERFORMED", "CM", "A", "COMPLETED", "COMPLETE", "DONE", "FINISHED"), "performed"),
    **dict.fromkeys(("CANCELLED", "CANCELED", "CA", "DC", "RP", "REVOKED", "DISCONTINUED", "REPLACED"), "cancelled"),
    **dict.fromkeys(("ENTERED-IN-ERROR", "ABORTED"), "cancelled"),
    **dict.fromkeys(("UNKNOWN", "ER", '""', ""), ""),
}
"""Status of an order: HL7 table 0038, FHIR request-status, and usual words; '' says nothing."""
RESULTS_OF_ORDERS = {
    **dict.fromkeys(("A", "C", "F", "M", "N", "P", "R"), "performed"),
    **dict.fromkeys(("I", "O", "S"), "open"),
    "X": "cancelled",
    **dict.fromkeys(("Y", "Z", '""', ""), ""),
}
"""Result status (HL7 table 0123) as it tells whether an order was carried out."""
REPORTS = {
    **dict.fromkeys(("FINAL", "F", "U", "SIGNED", "VERIFIED"), "final"),
    **dict.fromkeys(("AMENDED", "C", "CORRECTED", "APPENDED", "ADDENDED", "ADDENDUM"), "amended"),
    **dict.fromkeys(("PRELIMINARY", "P", "R", "A", "M", "PARTIAL", "DRAFT", "DICTATED", "TRANSCRIBED"), "preliminary"),
    **dict.fromkeys(("CANCELLED", "CANCELED", "X", "W", "ENTERED-IN-ERROR", "DELETED"), "cancelled"),
    **dict.fromkeys(("REGISTERED", "SCHEDULED", "I", "N", "O", "S", "Y", "Z"), "absent"),
    **dict.fromkeys(("UNKNOWN", '""', ""), ""),
}
"""Status of a report: HL7 table 0123, FHIR diagnostic-report-status, and usual words; `absent`: there is none yet."""
OBSERVATIONS = {
    **{"F": "final", "U": "final", "V": "final", "A": "amended", "B": "amended", "C": "amended"},
    **{"P": "preliminary", "R": "preliminary", "S": "preliminary", "W": "cancelled", "X": "cancelled"},
    **dict.fromkeys(("I", "N", "O"), "absent"),
    **dict.fromkeys(("D", '""', ""), ""),
}
"""Observation result status (HL7 table 0085) as the status of its report. D deletes one observation, not the report."""
FORMS = {
    **dict.fromkeys(("PDF", "APPLICATION/PDF"), "pdf"),
    **dict.fromkeys(("TEXT", "TXT", "HTML", "XML", "RTF", "CDA"), "text"),
    **dict.fromkeys(("TEXT/PLAIN", "TEXT/HTML", "TEXT/XML", "TEXT/RTF"), "text"),
    **dict.fromkeys(("LINK", "URL"), "link"),
    **dict.fromkeys(("NONE", '""', ""), ""),
}  # fmt: skip
UNKNOWN = "?"
"""Stands for a code that no table knows, until it has been counted."""
SECTIONS = {"NMR": "MR", "MRI": "MR", "NMS": "NM", "RUS": "US", "VUS": "US", "CUS": "US", "OUS": "US", "EC": "ECG"}
"""Diagnostic sections (HL7 table 0074) that are a modality."""
MODALITIES = (
    *("AR", "BDUS", "BI", "BMD", "CR", "CT", "DG", "DX", "ECG", "EEG", "EMG", "EOG", "EPS", "ES", "GM", "HC", "IO"),
    *("IVOCT", "IVUS", "LS", "MG", "MR", "NM", "OAM", "OCT", "OP", "OPM", "OPT", "PT", "PX", "RF", "RG", "SM", "TG"),
    *("US", "VA", "XA", "XC"),
)
"""Modalities that acquire (PS3.3 C.7.3.1.1.1); a section that is called so is one."""
LABORATORY = (
    *("BG", "BLB", "CG", "CH", "HM", "IMM", "LAB", "MB", "MCB", "MYC", "OSL", "PAR", "PHR", "TX", "URN", "VR"),
    *("LABORATORY", "108252007"),
)
"""Sections (HL7 table 0074) and categories (FHIR observation-category, SNOMED CT) that are no imaging."""
MESSAGES = {
    "orders": ("ORM", "OMI", "OMG", "OML", "ORR", "ORI", "ORG", "ORL", "OSR"),
    "reports": ("ORU", "OUL", "MDM", "ORF"),
}
"""Types of messages (MSH-9.1) that tell of orders and of reports."""
