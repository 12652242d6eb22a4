"""Actions on identifiers and on who issued them (PS3.3 C.7.1.1, C.7.2.3)."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from fonds.catalog.store import literal
from fonds.normalize.basis import Action, At, Spellings, StewardAction, Value, checked_table, let, spelled
from fonds.project.definitions import Definition

OTHER_IDS, QUALIFIERS = "OtherPatientIDsSequence", "IssuerOfPatientIDQualifiersSequence"
_PAIRS = (("IssuerOfPatientID", "PatientID"), ("IssuerOfAccessionNumberSequence", "AccessionNumber"))
# form of a glued identifier, and which groups are the issuer and the number
_GLUED = {
    "ISSUER^ID": (literal(r"^([^\^@]+)\^([^\^@]+)$"), 1, 2),
    "ID^ISSUER": (literal(r"^([^\^@]+)\^([^\^@]+)$"), 2, 1),
    "ID@ISSUER": (literal(r"^([^\^@]+)@([^\^@]+)$"), 2, 1),
    "ISSUER-ID": (literal(r"^([^-]+)-([^-]+)$"), 1, 2),
    "ISSUER/ID": (literal(r"^([^/]+)/([^/]+)$"), 1, 2),
}
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:/_-]{1,200}$")]


class IssuerSplit(StewardAction):
    """An issuer glued to an identifier goes to the attribute that is its own: `RAD^4711` becomes `4711` of `RAD`.

    Only an issuer that is known counts: the source's own (`issuer` or `accession_issuer` in fonds.yaml), and those of
    `issuers`, each with its spellings. An identifier that another issuer qualifies already is left alone. The rule
    names both attributes, the issuer first; approve or reject both changes. It must need a steward.
    """

    action: Literal["issuer-split"]
    forms: tuple[Literal["ISSUER^ID", "ID^ISSUER", "ID@ISSUER", "ISSUER-ID", "ISSUER/ID"], ...] = Field(
        min_length=1, description="how the two are glued together"
    )
    issuers: Spellings = Field(default={}, max_length=500, description="issuers besides the source's own: [spellings]")

    @field_validator("issuers")
    @classmethod
    def _unambiguous(cls, issuers: Spellings) -> Spellings:
        return checked_table(issuers)

    @model_validator(mode="after")
    def _both(self) -> IssuerSplit:
        if self.attributes not in _PAIRS:
            raise ValueError(f"attributes must be {' or '.join(f'[{a}, {b}]' for a, b in _PAIRS)}")
        return self

    def fills_or_empties(self) -> bool:
        """It fills the issuer."""
        return True

    def looks_at(self) -> tuple[str, ...]:
        """Both attributes, each for the other."""
        return self.attributes

    def sql(self, at: At) -> str:
        """Of the issuer: the one found, where there is none. Of the identifier: its number, where it is its issuer."""
        issuer, number = self.attributes
        glued = at.column(number)
        if at.word == issuer:
            found = self._parts(glued, at, issuer=True)
            empty = f"coalesce(trim({at.value}, ' '), '') = ''"
            return f"CASE WHEN {empty} THEN coalesce({found}, {at.value}) ELSE {at.value} END"
        same = f"{self._parts(glued, at, issuer=True)} = trim({at.column(issuer)}, ' ')"
        return f"CASE WHEN {same} THEN {self._parts(glued, at, issuer=False)} ELSE {at.value} END"

    def _parts(self, glued: str, at: At, *, issuer: bool) -> str:
        """The known issuer inside, or the number beside it; NULL when there is none."""
        own = at.column("issuer" if self.attributes == _PAIRS[0] else "accession_issuer")
        known = spelled(self.issuers)
        cases = []
        for form in self.forms:
            pattern, who, which = _GLUED[form]
            name = f"trim(regexp_extract({glued}, {pattern}, {who}), ' ')"
            whens = " ".join(f"WHEN {literal(spelling)} THEN {literal(term)}" for spelling, term in known.items())
            table = f"CASE lower({name}) {whens} END" if known else "NULL"
            found = f"CASE WHEN {name} <> '' AND lower({name}) = lower({own}) THEN {own} ELSE {table} END"
            number = f"nullif(trim(regexp_extract({glued}, {pattern}, {which}), ' '), '')"
            cases.append(
                f"CASE WHEN {number} IS NOT NULL THEN {found} END"
                if issuer
                else f"CASE WHEN {found} IS NOT NULL THEN {number} END"
            )
        return f"coalesce({', '.join([*cases, 'NULL'])})"


class Zeros(Action):
    """A number gets leading zeros up to a length, or loses them; a value with any other sign is left alone.

    With `issuers` only where Issuer of Patient ID is one of these: each issuer counts in its own way.
    """

    action: Literal["zeros"]
    pad: int | None = Field(None, ge=2, le=64, description="length to fill up to")
    strip: bool = Field(False, description="take leading zeros away instead")
    issuers: tuple[Value, ...] = Field(default=(), max_length=200, description="only identifiers of these issuers")

    @model_validator(mode="after")
    def _one(self) -> Zeros:
        if (self.pad is None) != self.strip:
            raise ValueError("zeros needs exactly one of: pad, strip")
        return self

    def looks_at(self) -> tuple[str, ...]:
        """The issuer, when it counts."""
        return ("IssuerOfPatientID",) if self.issuers else ()

    def sql(self, at: At) -> str:
        """The number in its other length."""
        made = (
            f"regexp_replace({at.value}, '^0+([0-9])', '\\1')"
            if self.pad is None
            else f"CASE WHEN length({at.value}) < {self.pad} THEN lpad({at.value}, {self.pad}, '0') ELSE {at.value} END"
        )
        where = f"regexp_matches({at.value}, '^[0-9]+$')"
        if self.issuers:
            issuers = ", ".join(literal(one) for one in self.issuers)
            where += f" AND trim({at.column('IssuerOfPatientID')}, ' ') IN ({issuers})"
        return f"CASE WHEN {where} THEN {made} ELSE {at.value} END"


class OtherIds(Action):
    """Identifiers of the retired Other Patient IDs (0010,1000) become items of Other Patient IDs Sequence.

    Items that are there stay as they are, first and in their order; an identifier that one of them has already is not
    added again. The retired attribute stays too. The text of the change is the list of items as JSON.
    """

    action: Literal["other-ids"]
    type: Literal["TEXT", "RFID", "BARCODE"] = Field("TEXT", description="Type of Patient ID of the new items")
    issuer: Value = Field("", description="issuer of the identifiers, when all have the same")

    @model_validator(mode="after")
    def _its_own(self) -> OtherIds:
        if self.attributes != (OTHER_IDS,):
            raise ValueError(f"attributes must be [{OTHER_IDS}]")
        return self

    def fills_or_empties(self) -> bool:
        """It fills."""
        return True

    def looks_at(self) -> tuple[str, ...]:
        """The retired attribute."""
        return ("OtherPatientIDs",)

    def sql(self, at: At) -> str:
        """The items there are, and one more for each identifier that none has."""
        ids = f"list_transform(string_split({at.column('OtherPatientIDs')}, '\\'), lambda one: trim(one, ' '))"
        items = f"nullif({at.value}, '')"
        there = f"coalesce(json_extract_string({items}, '$[*].PatientID'), []::VARCHAR[])"
        new = (
            "list_filter(ids, lambda one, place: one <> '' AND list_position(ids, one) = place "
            "AND NOT list_contains(there, one))"
        )
        issuer = f", 'IssuerOfPatientID', {literal(self.issuer)}" if self.issuer else ""
        item = f"json_object('PatientID', one{issuer}, 'TypeOfPatientID', {literal(self.type)})::VARCHAR"
        added = f"array_to_string(list_transform(new, lambda one: {item}), ',')"
        begun = f"coalesce(left({items}, length({items}) - 1) || ',', '[')"
        made = f"CASE WHEN len(new) > 0 THEN {begun} || {added} || ']' ELSE {at.value} END"
        return let(ids, "ids", let(there, "there", let(new, "new", made)))


class Entity(Definition):
    """The name of an issuer that is unique in the world."""

    id: Identifier = Field(description="Universal Entity ID (0040,0032)")
    type: Literal["DNS", "EUI64", "ISO", "URI", "UUID", "X400", "X500"] = Field(
        description="Universal Entity ID Type (0040,0033)"
    )


class IssuerQualifiers(Action):
    """A patient ID of a known issuer says who that is in the whole world, in the qualifiers sequence (0010,0024).

    `issuers` gives each Issuer of Patient ID its universal entity. An object that has qualifiers keeps them. The text
    of the change is the list of items as JSON.
    """

    action: Literal["issuer-qualifiers"]
    issuers: dict[Value, Entity] = Field(min_length=1, max_length=500, description="issuer: {id, type}")

    @model_validator(mode="after")
    def _its_own(self) -> IssuerQualifiers:
        if self.attributes != (QUALIFIERS,):
            raise ValueError(f"attributes must be [{QUALIFIERS}]")
        return self

    def fills_or_empties(self) -> bool:
        """It fills."""
        return True

    def looks_at(self) -> tuple[str, ...]:
        """The issuer as text."""
        return ("IssuerOfPatientID",)

    def sql(self, at: At) -> str:
        """One item, where there is none."""
        whens = " ".join(f"WHEN {literal(issuer)} THEN {literal(_item(one))}" for issuer, one in self.issuers.items())
        return f"coalesce({at.value}, CASE trim({at.column('IssuerOfPatientID')}, ' ') {whens} END)"


def _item(entity: Entity) -> str:
    item = {"UniversalEntityID": entity.id, "UniversalEntityIDType": entity.type}
    return json.dumps([item], separators=(",", ":"))
