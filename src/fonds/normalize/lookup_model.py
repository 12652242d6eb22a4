"""The typed model of a procedure dictionary, and of the rule that looks descriptions up in one."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from fonds.catalog.store import literal
from fonds.normalize.basis import Action, At, FileName, Keyword, Value
from fonds.project.definitions import Definition

LONGEST_DICTIONARY = 20_000
STUDY_MODALITIES = "ModalitiesInStudy"
FUNCTION = "procedure_of"

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,15}$")]  # a code value is SH: PS3.5 6.2
Word = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Modality = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2,16}$")]
Side = Literal["", "L", "R", "B"]
Contrast = Literal["", "with", "without", "both"]


class CodeMap(Definition):
    """One code of a standard that a local procedure stands for, and who says so."""

    system: Literal["loinc", "rsna"] = Field(description="loinc, or rsna for a Playbook RPID")
    code: str = Field(pattern=r"^(RPID)?[0-9]{1,8}(-[0-9])?$", description="LOINC number or RPID")
    by: str = Field(min_length=1, max_length=120, description="who mapped it: a person, a committee, a published map")
    at: date = Field(description="day of the mapping, YYYY-MM-DD")
    how: Literal["exact", "broader", "narrower"] = Field("exact", description="what the code is to the procedure")


class Entry(Definition):
    """A procedure as the house calls it, with all that it is also called."""

    code: Code = Field(description="the local code; a decision names it")
    meaning: str = Field(min_length=1, max_length=64, description="what StudyDescription then says (LO)")
    spellings: tuple[Value, ...] = Field(default=(), max_length=200, description="what it is also called")
    modality: tuple[Modality, ...] = Field(default=(), description="only studies with one of these; all when left out")
    body_part: str = Field("", max_length=64, description="term of PS3.16 Annex L; for readers, nothing is filled")
    laterality: Side = Field("", description="L, R or B; the meaning and every spelling must say it")
    contrast: Contrast = Field("", description="with, without or both; the meaning and every spelling must say it")
    maps: tuple[CodeMap, ...] = Field(default=(), description="codes of LOINC or the RSNA Playbook")


class DictionaryFile(Definition):
    """The procedures of a house, and the words and abbreviations its descriptions are written in."""

    description: str = ""
    words: dict[Word, tuple[Word, ...]] = Field(default={}, description="word: [abbreviations, other languages]")
    modalities: dict[Word, tuple[Modality, ...]] = Field(
        default={}, description="word that names a kind of examination: [modalities it can have]"
    )
    ignore: tuple[Word, ...] = Field(default=(), description="words that say nothing about the procedure")
    procedures: tuple[Entry, ...] = Field(min_length=1, max_length=LONGEST_DICTIONARY)

    @field_validator("procedures")
    @classmethod
    def _codes_differ(cls, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        for what, named in (("code", [e.code for e in entries]), ("meaning", [e.meaning for e in entries])):
            if len(set(named)) < len(named):
                doubled = next(one for number, one in enumerate(named) if one in named[:number])
                raise ValueError(f"two procedures have the {what} '{doubled}'")
        return entries


class Lookup(Action):
    """A description becomes the meaning of the procedure it names in a dictionary of the pack."""

    action: Literal["lookup"]
    dictionary: FileName = Field(description="file of the pack with the procedures")
    texts: tuple[Keyword, ...] = Field(
        default=(), max_length=4, description="attributes to read, the one that counts most first; else its own"
    )
    accept: float = Field(0.92, gt=0, le=1, description="from this likeness on a procedure counts as meant")
    ask: float = Field(0.7, gt=0, le=1, description="from this likeness on a person is asked; below nothing is done")
    margin: float = Field(0.08, ge=0, le=1, description="how far the second best must lie behind to accept")
    above: Literal["steward", "none"] = Field("steward", description="none: what is accepted needs no steward")

    @model_validator(mode="after")
    def _ordered(self) -> Lookup:
        if self.ask > self.accept:
            raise ValueError("ask must not lie above accept")
        if len(self.attributes) > 1:
            raise ValueError("a lookup changes one attribute")
        return self

    def read_texts(self) -> tuple[str, ...]:
        """The attributes whose text is looked up."""
        return self.texts or self.attributes

    def looks_at(self) -> tuple[str, ...]:
        """The texts and the modalities of the study."""
        others = (word for word in self.read_texts() if word not in self.attributes)
        return (*others, STUDY_MODALITIES)

    def fills_or_empties(self) -> bool:
        """It fills when it reads other attributes than its own."""
        return set(self.read_texts()) != set(self.attributes)

    def sql(self, at: At) -> str:
        """The meaning of the procedure that was found."""
        return f"coalesce({self._found(at)}.value, {at.value})"

    def choices(self, at: At) -> str:
        """The procedures that come into question, the likest first."""
        return f"{self._found(at)}.candidates"

    def doubts(self, at: At) -> str:
        """Whether this answer waits for a steward, and how like the text is to what was found."""
        found = self._found(at)
        return f"{{'waits': {found}.waits, 'score': {found}.score}}"

    def _found(self, at: At) -> str:
        texts = ", ".join(at.value if word == at.word else at.column(word) for word in self.read_texts())
        return f"{FUNCTION}({literal(at.key)}, [{texts}], {at.column(STUDY_MODALITIES)})"
