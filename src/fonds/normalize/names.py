r"""Actions on person names: FAMILY^GIVEN^MIDDLE^PREFIX^SUFFIX in up to three groups parted by ``=`` (PS3.5 6.2.1).

None touches a value with a backslash: it holds several names.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from fonds.catalog.store import literal
from fonds.normalize.basis import Action, At, FileName, Spellings, StewardAction, Value, checked_table, let, tabled

Word = Annotated[str, StringConstraints(pattern=r"^[\p{L}\p{M}][\p{L}\p{M}.' -]{0,29}$")]
Particle = Annotated[str, StringConstraints(pattern=r"^[\p{L}\p{M}]{1,10}$")]
_PARTICLES = (
    *("af", "al", "am", "da", "dal", "de", "del", "della", "den", "der", "des", "di", "do", "dos", "du", "el", "im"),
    *("la", "le", "ten", "ter", "van", "vom", "von", "zu", "zum", "zur"),
)
_HAN = literal(r"\p{Han}")
_HANGUL = literal(r"\p{Hangul}")
_SOUNDS = literal(r"[\p{Hiragana}\p{Katakana}\p{Hangul}]")
_WORDS = literal(r"[\p{L}\p{M}]+ ?|[^\p{L}\p{M}]+")
_CAPITALS = literal(r"\p{Lu}{2}")
_SCOT = literal(r"^MC[\p{L}]{2,} ?$")
_FIRST_TWO = literal(r"(?s)^([^=^]+)\^([^=^]+)([=^].*)?$")


def _one_name(at: At, made: str) -> str:
    return f"CASE WHEN contains({at.value}, '\\') THEN {at.value} ELSE {made} END"


class NameTitles(Action):
    """Titles and suffixes written into the family or given name move to the component that is theirs.

    A title stands before or behind the name (`Dr. MUELLER^HANS`), a suffix behind it. Words are compared without case,
    a point at the end may be missing. They are moved as written, and what stands in the component already is kept.
    Only the first group of a name is looked at; a word with nothing beside it is left alone, it may be a name.
    """

    action: Literal["name-titles"]
    prefixes: tuple[Word, ...] = Field(default=(), max_length=200, description="words that belong to the prefix")
    suffixes: tuple[Word, ...] = Field(default=(), max_length=200, description="words that belong to the suffix")

    def sql(self, at: At) -> str:
        """Five components, the words taken out of the first two."""
        prefix, suffix = _run(self.prefixes), _run(self.suffixes)
        before = literal(rf"(?i)^({prefix}) +([^ ].*)$")
        behind = literal(rf"(?i)^([^,]*[^, ]),? +({prefix})$")
        last = literal(rf"(?i)^([^,]*[^, ]),? +({suffix})$")

        def parted(text: str) -> str:
            """{name, lead, tail, suffix}: the suffix goes first, then the title behind, then the one before."""
            bare = f"regexp_replace({text}, {last}, '\\1')"
            core = f"regexp_replace({bare}, {behind}, '\\1')"
            return (
                f"{{'name': regexp_replace({core}, {before}, '\\2'), 'lead': regexp_extract({core}, {before}, 1), "
                f"'tail': regexp_extract({bare}, {behind}, 2), 'suffix': regexp_extract({text}, {last}, 2)}}"
            )

        def joined(*parts: str) -> str:
            return f"array_to_string(list_filter([{', '.join(parts)}], lambda part: part <> ''), ' ')"

        titles = joined("f.lead", "f.tail", "g.lead", "g.tail", "coalesce(c[4], '')")
        suffixes = joined("coalesce(c[5], '')", "g.suffix", "f.suffix")
        five = f"array_to_string([f.name, g.name, coalesce(c[3], ''), {titles}, {suffixes}], '^')"
        moved = "f.lead || f.tail || f.suffix || g.lead || g.tail || g.suffix <> ''"
        made = f"CASE WHEN len(c) < 6 AND {moved} THEN rtrim({five}, '^') ELSE array_to_string(c, '^') END"
        parts = let(parted("c[1]"), "f", let(parted("coalesce(c[2], '')"), "g", made))
        first = f"split_part({at.value}, '=', 1)"
        rest = f"substr({at.value}, length({first}) + 1)"
        made = let(f"string_split({first}, '^')", "c", parts)
        return _one_name(at, f"{made} || {rest}")


class NameSwap(StewardAction):
    """Given and family name change places where a table says that they stand the wrong way round.

    That is when the family name is one of the table's given names and the given name is none of them. Titles and other
    groups stay where they are. It is evidence, not proof: a rule with this action must need a steward.
    """

    action: Literal["name-swap"]
    table: Spellings | FileName = Field(description="given names, each with its spellings; or a table file in the pack")

    @field_validator("table")
    @classmethod
    def _unambiguous(cls, table: Spellings | str) -> Spellings | str:
        return table if isinstance(table, str) else checked_table(table)

    def sql(self, at: At) -> str:
        """The first two components of the first group in the other order."""
        family, given = (f"regexp_extract({at.value}, {_FIRST_TWO}, {number})" for number in (1, 2))
        swapped = f"regexp_replace({at.value}, {_FIRST_TWO}, '\\2^\\1\\3')"
        evidence = f"{tabled(at.key, family)} IS NOT NULL AND {tabled(at.key, given)} IS NULL"
        fits = f"regexp_matches({at.value}, {_FIRST_TWO}) AND {evidence}"
        return _one_name(at, f"CASE WHEN {fits} THEN {swapped} ELSE {at.value} END")


class NameCase(StewardAction):
    """A name all in capitals gets capital initials: `VAN DER BERG^ANNA` becomes `van der Berg^Anna`.

    Particles before another word are written small, `O'NEILL` becomes `O'Neill`, `MCDONALD` `McDonald`; words of
    `keep` stay as they are. Only the first group changes, and only when no small letter is in it. How a person writes
    her name nobody can see from capitals: no shipped pack does this, and a rule with this action must need a steward.
    """

    action: Literal["name-case"]
    particles: tuple[Particle, ...] = Field(default=_PARTICLES, max_length=100, description="small before another word")
    keep: tuple[Particle, ...] = Field(
        default=("II", "III", "IV", "MD"), max_length=100, description="words that stay in capitals"
    )

    def sql(self, at: At) -> str:
        """Word by word; a word takes the blank behind it with it, by which a particle is known."""
        particles = ", ".join(literal(word.lower()) for word in self.particles)
        keep = ", ".join(literal(word.upper()) for word in self.keep)
        small = f"list_contains([{particles}]::VARCHAR[], lower(rtrim(w, ' '))) AND right(w, 1) = ' '"
        kept = f"list_contains([{keep}]::VARCHAR[], rtrim(w, ' '))"
        scot = f"regexp_matches(w, {_SCOT})"
        cased = (
            f"CASE WHEN {kept} THEN w WHEN {small} THEN lower(w) "
            f"WHEN {scot} THEN 'Mc' || substr(w, 3, 1) || lower(substr(w, 4)) "
            f"ELSE left(w, 1) || lower(substr(w, 2)) END"
        )
        first = f"split_part({at.value}, '=', 1)"
        words = f"regexp_extract_all({first}, {_WORDS})"
        made = f"array_to_string(list_transform({words}, lambda w: {cased}), '')"
        rest = f"substr({at.value}, length({first}) + 1)"
        capitals = f"{first} = upper({first}) AND regexp_matches({first}, {_CAPITALS})"
        return _one_name(at, f"CASE WHEN {capitals} THEN {made} || {rest} ELSE {at.value} END")


class NameGroups(StewardAction):
    """Groups of a name stand as alphabetic=ideographic=phonetic, told apart by their script.

    A group with Han signs is the ideographic one; one with kana or Hangul and no Han the phonetic one. A name of two
    groups of one kind is left alone, and so is a Hangul name that stands alone. A rule with this action must need a
    steward.
    """

    action: Literal["name-groups"]

    def sql(self, at: At) -> str:
        """Each kind of group in its place, empty groups at the end left out."""
        han, sound = f"regexp_matches(g, {_HAN})", f"regexp_matches(g, {_SOUNDS})"
        kinds = (f"NOT {han} AND NOT {sound}", han, f"{sound} AND NOT {han}")
        groups = "list_filter(gs, lambda g: g <> '')"
        sorted_ = [f"list_filter(gs, lambda g: g <> '' AND {kind})" for kind in kinds]
        placed = ", ".join(f"coalesce({one}[1], '')" for one in sorted_)
        single = " AND ".join(f"len({one}) <= 1" for one in sorted_)
        hangul = f"(len({groups}) = 1 AND regexp_matches(gs[1], {_HANGUL}))"
        new = f"rtrim(array_to_string([{placed}], '='), '=')"
        fits = f"len(gs) <= 3 AND {single} AND NOT {hangul} AND {new} <> rtrim(array_to_string(gs, '='), '=')"
        made = f"CASE WHEN {fits} THEN {new} ELSE array_to_string(gs, '=') END"
        return _one_name(at, let(f"string_split({at.value}, '=')", "gs", made))


class NameComponents(StewardAction):
    """More than five components become five: what is too much joins the suffix, with a blank between.

    A rule with this action must need a steward.
    """

    action: Literal["name-components"]

    def sql(self, at: At) -> str:
        """Group by group."""
        last = "array_to_string(list_filter(c[5:], lambda part: part <> ''), ' ')"
        five = f"rtrim(array_to_string(list_append(c[1:4], {last}), '^'), '^')"
        made = let("string_split(g, '^')", "c", f"CASE WHEN len(c) > 5 THEN {five} ELSE g END")
        return _one_name(at, f"array_to_string(list_transform(string_split({at.value}, '='), lambda g: {made}), '=')")


class Flag(StewardAction):
    """A value that is no value, such as UNKNOWN^PATIENT, is shown to a person, with what it could become.

    Compared without case, and `^`, `_`, points and doubled blanks count as one blank. The person may take the proposed
    text or keep the value as it is; nothing happens before. A rule with this action must need a steward.
    """

    action: Literal["flag"]
    values: tuple[Value, ...] = Field(min_length=1, max_length=2000, description="placeholders; '' stands for only ^")
    propose: Value = Field("", description="what is proposed instead; empty when left out")

    def fills_or_empties(self) -> bool:
        """It empties, unless it proposes something."""
        return self.propose == ""

    def sql(self, at: At) -> str:
        """The proposed text where the value is one of those."""
        return f"CASE WHEN {self._is(at)} THEN {literal(self.propose)} ELSE {at.value} END"

    def choices(self, at: At) -> str:
        """The proposed text, and the value as it is."""
        one = f"{{'value': {literal(self.propose)}, 'score': 0.5, 'why': 'a placeholder, nobody is called so'}}"
        other = f"{{'value': {at.value}, 'score': 0.5, 'why': 'as it is: it means somebody'}}"
        return f"to_json([{one}, {other}])::VARCHAR"

    def _is(self, at: At) -> str:
        values = ", ".join(literal(" ".join(re.sub(r"[\^_.=]", " ", value).lower().split())) for value in self.values)
        folded = rf"trim(regexp_replace(lower({at.value}), '[\^_.= ]+', ' ', 'g'), ' ')"
        return f"{at.value} <> {literal(self.propose)} AND {folded} IN ({values})"


def _run(words: tuple[str, ...]) -> str:
    """A pattern for one or more of the words, each with its point or without; no words: never matches."""
    stems = sorted({word.rstrip(".") for word in words}, key=lambda stem: (-len(stem), stem))
    one = "|".join(re.escape(stem).replace(r"\ ", " +") for stem in stems)
    return rf"(?:{one})\.?(?:(?: +|\b)(?:{one})\.?)*" if stems else r"[^\x00-\x{10FFFF}]"
