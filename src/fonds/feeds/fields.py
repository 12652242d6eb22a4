"""What the columns of a feed's tables can be: our own names and HL7 v2 fields, for each kind of table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one kind of table."""

    names: dict[str, str]
    """field: what it is; our own names, and HL7 v2 fields whose text has parts or that are read beside our own"""
    aliases: dict[str, str]
    """HL7 v2 fields, and parts of them, that are one of `names`"""
    needed: tuple[tuple[str, ...], ...]
    """of each of these one at least"""

    def known(self) -> tuple[str, ...]:
        """All names a column may have."""
        return (*self.names, *self.aliases)

    def field(self, name: str) -> str:
        """The field of `names` that a name stands for."""
        return self.aliases.get(name, name)


_WHOSE = {"patient_id": "identifier of the patient", "issuer": "its assigning authority"}
_PID_3 = {"PID-3": "identifiers (CX, repetitions by ~)"}
_PID_3_PARTS = {"PID-3.1": "patient_id", "PID-3.4": "issuer"}

_PATIENT = Fields(
    {
        **_WHOSE,
        "other_ids": "further identifiers, written as PID-3 is",
        "PatientName": "name as a PN value (PS3.5 6.2.1)",
        "PatientBirthName": "name at birth as a PN value",
        "PatientBirthDate": "birth date",
        "PatientSex": "sex",
        "phone": "telephone",
        "street": "street and number",
        "postcode": "postal code",
        "city": "place",
        "mother": "mother's maiden name",
        "national_id": "insurance or national number",
        "status": "active | inactive",
        "deceased": "date of death, or true",
        "multiple_birth": "born with brothers or sisters",
        "changed": "when the row was changed, or the event happened",
        "event": "HL7 event code, such as A08 or A40",
        "retired_id": "identifier that was merged into the patient's",
        "retired_issuer": "its assigning authority",
        **_PID_3,
        "PID-5": "names (XPN, repetitions by ~)",
        "PID-5.1": "family name",
        "PID-5.2": "given name",
        "PID-5.3": "further given names",
        "PID-5.4": "suffix",
        "PID-5.5": "prefix",
        "PID-5.6": "degree",
        "PID-6": "mother's maiden name (XPN)",
        "PID-11": "address (XAD)",
        "PID-13": "telephone (XTN)",
        "MRG-1": "identifiers that were merged (CX)",
    },
    {
        **_PID_3_PARTS, "PID-7": "PatientBirthDate", "PID-8": "PatientSex",
        "PID-11.1": "street", "PID-11.3": "city", "PID-11.5": "postcode", "PID-13.1": "phone", "PID-19": "national_id",
        "PID-24": "multiple_birth", "PID-29": "deceased", "PID-30": "deceased",
        "PID-33": "changed", "EVN-1": "event", "EVN-2": "changed", "EVN-6": "changed", "MSH-7": "changed",
        "MSH-9": "event", "MSH-9.2": "event", "MRG-1.1": "retired_id", "MRG-1.4": "retired_issuer", "at": "changed",
    },
    (("patient_id", "PID-3"),),
)  # fmt: skip

_EXAMINATION = {
    **_WHOSE,
    "accession": "accession number, with its assigning authority where one is told (EI)",
    "accession_issuer": "assigning authority of the accession number",
    "placer_order": "placer order number (EI)",
    "filler_order": "filler order number (EI)",
    "study_uid": "Study Instance UID, or a pointer that begins with it (RP)",
    "code": "code of the procedure",
    "description": "its text",
    "modality": "modality",
    "changed": "when the row was changed, or the message was sent",
    **_PID_3,
    "MSH-9": "type of the message",
    "OBR-2": "placer order number, where ORC-2 is empty",
    "OBR-3": "filler order number, where ORC-3 is empty",
    "OBR-4": "procedure (CE or CWE)",
    "OBR-24": "diagnostic section (HL7 table 0074), or modality",
    "OBR-25": "status of the results (HL7 table 0123)",
    "IPC-1": "accession number (EI), where OBR-18 is empty",
    "IPC-3": "Study Instance UID (EI), where ZDS-1 is empty",
}
_EXAMINATION_PARTS = {
    **_PID_3_PARTS, "MSH-7": "changed", "MSH-9.1": "MSH-9", "OBR-18": "accession", "OBR-18.1": "accession",
    "OBR-18.2": "accession_issuer", "ORC-2": "placer_order", "ORC-2.1": "placer_order", "ORC-3": "filler_order",
    "ORC-3.1": "filler_order", "OBR-2.1": "OBR-2", "OBR-3.1": "OBR-3", "OBR-4.1": "code", "OBR-4.2": "description",
    "ZDS-1": "study_uid", "ZDS-1.1": "study_uid", "IPC-1.1": "IPC-1", "IPC-3.1": "IPC-3", "IPC-5": "modality",
    "IPC-5.1": "modality",
}  # fmt: skip
_NUMBERS = ("accession", "filler_order", "placer_order", "OBR-3", "OBR-2", "IPC-1")

FIELDS = {
    "patients": _PATIENT,
    "merges": Fields(_PATIENT.names, _PATIENT.aliases, (*_PATIENT.needed, ("retired_id", "MRG-1"))),
    "orders": Fields(
        {
            **_EXAMINATION,
            "ordered": "when it was ordered",
            "scheduled": "when it is or was to be done",
            "control": "order control (HL7 table 0119)",
            "status": "status of the order (HL7 table 0038), or a word for it",
            "ORC-7": "quantity and timing (TQ), whose start counts",
            "ORC-9": "when the transaction happened",
            "OBR-6": "when it was requested",
            "TQ1-7": "start, where OBR-36 is empty",
        },
        {**_EXAMINATION_PARTS, "ORC-1": "control", "ORC-5": "status", "OBR-36": "scheduled"},
        (_NUMBERS,),
    ),
    "reports": Fields(
        {
            **_EXAMINATION,
            "report_id": "identifier of the report",
            "issued": "when it was issued",
            "status": "status of the report, a word or as OBR-25",
            "form": "text | pdf | link | none",
            "OBR-7": "when the observation was made, where OBR-22 is empty",
            "OBX-2": "type of the value",
            "OBX-3": "what is observed (CE or CWE)",
            "OBX-5": "the value: only its form, and a Study Instance UID, are taken",
            "OBX-11": "status of the observation (HL7 table 0085), where OBR-25 is empty",
        },
        {**_EXAMINATION_PARTS, "OBR-22": "issued"},
        (("report_id", *_NUMBERS),),
    ),
}
"""Kind of table: what its columns can be."""
EVENTS = {"patients": ("event",), "orders": ("control",), "reports": ("OBR-25", "OBX-5", "OBX-11", "MSH-9")}
"""Kind of table: the fields of which one says that its rows are events, not states."""
