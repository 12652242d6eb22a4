"""Actions on coded strings and on UIDs (CS and UI of PS3.5 6.2)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from fonds.catalog.store import literal
from fonds.normalize.basis import Action, At, StewardAction

Term = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9_ ]{1,16}$")]
_LEGAL = literal(r"^[A-Z0-9_ ]{0,16}$")
_LETTERS = {"Ä": "AE", "Ö": "OE", "Ü": "UE", "ẞ": "SS", "ß": "SS", "É": "E", "È": "E", "Ç": "C"}
_ILLEGAL = literal("[^A-Z0-9_ ]+")
_UID = literal(r"^[0-9. \x00]*[0-9][0-9. \x00]*$")
_ZEROS = literal(r"(^|\.)0+([0-9])")
_LEGAL_UID = literal("^(0|[1-9][0-9]*)([.](0|[1-9][0-9]*))+$")


class Code(Action):
    """A coded string gets the signs it may have: capitals, digits, blank and underscore, at most sixteen.

    Small letters become capitals, umlauts two letters, and each run of other signs one underscore. A legal value is
    left alone, and so is one that would stay illegal. With `terms` only what becomes one of them changes, also by
    writing its blanks as underscores. The values of a multi-valued attribute are treated one by one.
    """

    action: Literal["code"]
    terms: tuple[Term, ...] = Field(default=(), max_length=500, description="the only results allowed; all when empty")

    def sql(self, at: At) -> str:
        """Value by value."""
        plain = "upper(trim(part, ' '))"
        for letter, instead in _LETTERS.items():
            plain = f"replace({plain}, {literal(letter)}, {literal(instead)})"
        made = f"trim(regexp_replace({plain}, {_ILLEGAL}, '_', 'g'), '_')"
        if self.terms:
            terms = ", ".join(literal(term) for term in self.terms)
            found = f"list_filter([{made}, replace({made}, ' ', '_')], lambda one: one IN ({terms}))[1]"
            done = f"part IN ({terms})"
            one = f"CASE WHEN {done} THEN part ELSE coalesce({found}, part) END"
        else:
            fits = f"regexp_matches({made}, {_LEGAL}) AND {made} <> ''"
            one = f"CASE WHEN regexp_matches(part, {_LEGAL}) THEN part WHEN {fits} THEN {made} ELSE part END"
        return f"array_to_string(list_transform(string_split({at.value}, '\\'), lambda part: {one}), '\\')"


class Uid(StewardAction):
    """An illegal UID loses its blanks, null signs and leading zeros; a legal one is kept.

    That is a proposal: another object may refer to the UID as it was written. A rule with this action must need a
    steward. What stays illegal (letters, more than 64 signs, an empty component) is left alone: to give new UIDs is
    not the work of a rule.
    """

    action: Literal["uid"]

    def sql(self, at: At) -> str:
        """Digits and points."""
        bare = f"regexp_replace(regexp_replace({at.value}, '[ \\x00]+', '', 'g'), {_ZEROS}, '\\1\\2', 'g')"
        fits = f"regexp_matches({bare}, {_LEGAL_UID}) AND length({bare}) <= 64"
        return f"CASE WHEN regexp_matches({at.value}, {_UID}) AND {fits} THEN {bare} ELSE {at.value} END"
