"""Actions on text in a wrong character set. Both only propose; bytes decide nothing by themselves."""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import duckdb
from pydantic import Field, model_validator

from fonds.catalog.store import literal
from fonds.dicom.charset import codec, repair
from fonds.normalize.basis import At, StewardAction

ATTRIBUTE = "SpecificCharacterSet"
# "KEYWORD=HEX KEYWORD=HEX": the values of an object whose bytes don't decode, as one text (see RAW in definition.py)
DOUBTFUL = "doubtful_text"
Term = Literal[
    "ISO_IR 192", "ISO_IR 100", "ISO_IR 101", "ISO_IR 109", "ISO_IR 110", "ISO_IR 126", "ISO_IR 127", "ISO_IR 138",
    "ISO_IR 144", "ISO_IR 148", "ISO_IR 166", "ISO_IR 203", "ISO_IR 13", "GB18030", "GBK",
]  # fmt: skip
_MOST_PROBABLE: tuple[Term, ...] = ("ISO_IR 192", "ISO_IR 100", "ISO_IR 101", "ISO_IR 144", "GB18030", "ISO_IR 13")
_MISREAD = literal("[ÂÃÄÅÎÏÐÑà-ï][\u0080-\u00bf‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ€]")
_SHOWN = 3


class CharsetCandidates(StewardAction):
    """Text that doesn't decode in the declared character set is read in several, and a person picks the right one.

    Every value of the object whose bytes don't decode is read in each of `terms`. What reads without a control sign,
    in letters of one script, comes first; `candidates` holds all that are possible, with what the text would say.
    Sets that read the bytes alike are one candidate. The set proposed is the first; when none reads the bytes, nothing
    is proposed. A rule with this action changes Specific Character Set and must need a steward.
    """

    action: Literal["charset-candidates"]
    terms: tuple[Term, ...] = Field(
        default=_MOST_PROBABLE, min_length=1, description="character sets to try; of equal ones the first is taken"
    )

    @model_validator(mode="after")
    def _its_own(self) -> CharsetCandidates:
        if self.attributes != (ATTRIBUTE,):
            raise ValueError(f"attributes must be [{ATTRIBUTE}]")
        return self

    def fills_or_empties(self) -> bool:
        """It fills."""
        return True

    def looks_at(self) -> tuple[str, ...]:
        """The bytes that don't decode."""
        return (DOUBTFUL,)

    def sql(self, at: At) -> str:
        """The best candidate's term."""
        return f"coalesce(json_extract_string({self.choices(at)}, '$[0].value'), {at.value})"

    def choices(self, at: At) -> str:
        """All candidates, the best first."""
        terms = literal("|".join(self.terms))
        doubtful = f"nullif({at.column(DOUBTFUL)}, '')"
        return f"nullif(charset_candidates({doubtful}, coalesce({at.value}, ''), {terms}), '')"


class Misread(StewardAction):
    """Text in UTF-8 that was read as Latin-1 and stored so is read again: `MÃ¼ller` becomes `Müller`.

    Only where each sign has a byte in Latin-1 or Windows-1252, the bytes are UTF-8, and the text gets shorter. It may
    have been meant as it stands: a rule with this action must need a steward.
    """

    action: Literal["misread"]

    def sql(self, at: At) -> str:
        """The text read again, where the signs of it are there."""
        return f"CASE WHEN regexp_matches({at.value}, {_MISREAD}) THEN reread({at.value}) ELSE {at.value} END"

    def choices(self, at: At) -> str:
        """The text read again, and as it is."""
        one = f"{{'value': reread({at.value}), 'score': 0.9, 'why': 'UTF-8 that was read as Latin-1'}}"
        other = f"{{'value': {at.value}, 'score': 0.1, 'why': 'as it is'}}"
        return f"to_json([{one}, {other}])::VARCHAR"


def functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Give the connection the two functions SQL has no words for: DuckDB knows no other encodings than UTF-8.

    They see each distinct text once: the rules run over distinct values, and equal answers are remembered.
    """
    known = connection.sql("SELECT 1 FROM duckdb_functions() WHERE function_name = 'reread'").fetchall()
    if not known:
        text = duckdb.sqltype("VARCHAR")
        connection.create_function("reread", reread, [text], text)
        connection.create_function("charset_candidates", charset_candidates, [text, text, text], text)


@lru_cache(maxsize=65536)
def reread(text: str) -> str:
    """UTF-8 that was read as Latin-1 or Windows-1252, read as UTF-8; any other text as it is."""
    for encoding in ("latin-1", "cp1252"):
        try:
            made = text.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        if len(made) < len(text) and not _controls(made):
            return made
    return text


@lru_cache(maxsize=65536)
def charset_candidates(doubtful: str, declared: str, terms: str) -> str:
    """JSON list of {value, score, why}, best first; empty when no other set reads the bytes."""
    raw = {word: bytes.fromhex(digits) for word, _, digits in (one.partition("=") for one in doubtful.split(" "))}
    present = repair(declared)
    if not any(codec(present).decode(value)[1] for value in raw.values()):
        return ""
    seen: dict[tuple[str, ...], dict[str, object]] = {}
    for place, term in enumerate(terms.split("|")):
        texts = [codec(term).decode(value) for value in raw.values()]
        if any(broken for _, broken in texts):
            continue
        read = tuple(text for text, _ in texts)
        score = round(min(plausible(text) for text in read) - 0.01 * place, 2)
        told = "; ".join(f"{word} would read '{text[:80]}'" for word, text in zip(raw, read, strict=True))
        seen.setdefault(read, {"value": term, "score": max(score, 0.0), "why": told})
    best = sorted(seen.values(), key=lambda one: -float(str(one["score"])))
    return json.dumps(best, ensure_ascii=False) if best else ""


def plausible(text: str) -> float:
    """0 to 1: how much a text looks like one that a person wrote.

    Controls and unassigned signs rule it out; letters of two scripts in one word, signs that are no letters inside a
    word, and a capital behind a small letter speak against it.
    """
    if _controls(text):
        return 0.0
    words = re.findall(r"[^\s^=\\,;:/()\[\].0-9-]+", text)
    if not words:
        return 0.5
    return round(sum(_plausible(word) for word in words) / len(words), 2)


def _plausible(word: str) -> float:
    scripts = {_script(sign) for sign in word if unicodedata.category(sign)[0] in "LM"}
    odd = sum(unicodedata.category(sign)[0] not in "LM" and sign not in "'’&+*#_\"" for sign in word)
    turns = sum(a.islower() and b.isupper() for a, b in pairwise(word))
    return max(0.0, 1.0 - 0.5 * (len(scripts) > 1) - 0.4 * odd - 0.2 * turns)


def _script(sign: str) -> str:
    name = unicodedata.name(sign, "?").split(" ")[0]
    # Japanese and Korean mix their scripts in one word
    return "CJK" if name in ("HIRAGANA", "KATAKANA", "HALFWIDTH", "KATAKANA-HIRAGANA", "HANGUL") else name


def _controls(text: str) -> bool:
    return any(unicodedata.category(sign) in ("Cc", "Cn", "Co", "Cs") or sign == "\ufffd" for sign in text)
