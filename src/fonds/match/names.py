"""Folds name components to comparable keys: transliteration, titles, particles, maiden names, forms of given names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

import polars as pl
from anyascii import anyascii

from fonds.match.definition import Names

# Letters that anyascii would write in a way no registration desk does: umlauts the German way, Greek ου as ou.
_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae", "œ": "oe", "đ": "d"})
_DIGRAPHS = (("ου", "ou"), ("αυ", "au"), ("ευ", "eu"), ("γγ", "ng"), ("μπ", "b"), ("ντ", "nt"))
# ue and u, oe and o, ae and a, aa and a are one letter to the matcher: Müller, Mueller and Muller have one key.
SAME = (("AE", "A"), ("OE", "O"), ("UE", "U"), ("AA", "A"))
# One name in the spellings of several languages: Шевченко is Shevchenko and Schewtschenko, Sergej is Sergey.
_SPELLINGS = (
    *(("SCHTSCH", "S"), ("SHCH", "S"), ("TSCH", "CH"), ("SCH", "S"), ("SH", "S"), ("ZH", "S"), ("KH", "K")),
    *(("CH", "K"), ("CK", "K"), ("TS", "S"), ("TZ", "S"), ("KS", "X"), ("PH", "F"), ("OU", "U"), ("EE", "I")),
)
_GREEK = re.compile("[\u0370-\u03ff]")
_MARKS = re.compile("[\u0300-\u036f]+")
_WORD = re.compile("[A-Z]+")
_AGAIN = re.compile(r"(.)\1+")
_LETTERS = str.maketrans("WYJQCZ", "VIIKKS")
_SOUNDS = str.maketrans(
    {
        **dict.fromkeys("AEIOUH", ""),
        **dict.fromkeys("BPFV", "1"),
        **dict.fromkeys("GKX", "2"),
        "S": "3",
        **dict.fromkeys("DT", "4"),
        "L": "5",
        **dict.fromkeys("MN", "6"),
        "R": "7",
    }
)
FAMILY = {
    "family": pl.String(),
    "family_parts": pl.List(pl.String()),
    "family_forms": pl.List(pl.String()),
    "family_code": pl.String(),
    "family_spelling": pl.String(),
}
GIVEN = {
    "given": pl.String(),
    "given_first": pl.String(),
    "given_tokens": pl.List(pl.String()),
    "given_forms": pl.List(pl.String()),
    "given_code": pl.String(),
    "given_spelling": pl.String(),
    "given_known": pl.Boolean(),
    "middle": pl.String(),
}


def plain(text: str) -> str:
    """Text in ASCII capitals: transliterated, umlauts the German way; marks and digits stay."""
    if text.isascii():
        return text.upper()
    lower = unicodedata.normalize("NFC", text).lower()
    if _GREEK.search(lower):
        lower = _MARKS.sub("", unicodedata.normalize("NFD", lower))
        for pair, latin in _DIGRAPHS:
            lower = lower.replace(pair, latin)
    lower = lower.translate(_SPELLED)
    # accents go at once; anyascii looks every letter up
    bare = _MARKS.sub("", unicodedata.normalize("NFD", lower))
    written: str = bare if bare.isascii() else anyascii(lower)
    return written.upper()


def words(text: str) -> list[str]:
    """Upper-case ASCII words of a name component; apostrophes join, other marks separate."""
    return _WORD.findall(plain(text).replace("'", "").replace("`", ""))


def capitals(column: pl.Series) -> pl.Series:
    """`plain` of a whole column. A loop in Python over what isn't ASCII: transliteration exists nowhere else."""
    foreign = column.filter(column.str.len_bytes() != column.str.len_chars()).unique().to_list()
    upper = column.str.to_uppercase()
    if not foreign:
        return upper
    return column.replace({text: plain(text) for text in foreign}).str.to_uppercase()


def key(word: str) -> str:
    """A word as it is compared: the ways to write an umlaut are one."""
    for long, short in SAME:
        word = word.replace(long, short)
    return word


def spelled(word: str) -> str:
    """A key word in one spelling for all languages: letters that stand for one sound are one, doubled ones single."""
    for written, plain in _SPELLINGS:
        word = word.replace(written, plain)
    word = word.translate(_LETTERS)
    return _AGAIN.sub(r"\1", word[:1] + word[1:].replace("H", ""))


def code(spelling: str) -> str:
    """How a word in one spelling sounds, roughly: its first vowel and up to four consonant classes."""
    sounds = _AGAIN.sub(r"\1", spelling.translate(_SOUNDS))
    first = {"E": "I", "O": "U"}.get(spelling[:1], spelling[:1])
    return (first if first in ("A", "I", "U", "H") else "") + sounds[:4]


class Folder:
    """Folds family and given components by a names table; results depend on nothing but the text."""

    def __init__(self, names: Names) -> None:
        self.table = names
        self.titles = frozenset(names.titles)
        self.particles = frozenset(names.particles)
        self.born = re.compile(rf"\b(?:{'|'.join(names.born)})\b\.?")
        groups: dict[str, set[str]] = {}
        for number, forms in enumerate(names.given):
            for form in forms.split():
                groups.setdefault(key("".join(words(form))), set()).add(f"{number}")
        self.forms = {form: sorted(numbers) for form, numbers in groups.items()}

    def family(self, text: str) -> dict[str, Any]:
        """A family component: key, the words it shares with a double-barrelled or maiden form, sound."""
        # née is found whether the accent was typed or not
        now, _, maiden = self.born.sub("\0", plain(text)).partition("\0")
        found = self._words(now)
        main = [word for word in found if word not in self.particles]
        parts = {key(word) for word in main if len(word) > 2}
        if maiden:
            parts |= {key(word) for word in self._words(maiden) if word not in self.particles and len(word) > 2}
        whole = key("".join(found))
        spelling = spelled(whole)
        sound = code(spelling if len(found) < 2 or not main else spelled(key(main[0])))
        return {
            "family": whole or None,
            "family_parts": sorted(parts),
            "family_forms": self.forms.get(whole, []),
            "family_code": sound or None,
            "family_spelling": spelling or None,
        }

    def given(self, text: str) -> dict[str, Any]:
        """Given and middle components joined by `^`: first name's key, all names, forms, sound, the names after it."""
        first, _, rest = plain(text).partition("^")
        found = self._words(first)
        if not found:
            first, rest = rest, ""
            found = self._words(first)
        # Jan-Erik is one name and not Jan; Ji-woo and Ji-won have nothing in common but a syllable
        hyphened = next((words for part in first.split() if (words := self._words(part))), [])
        tokens = [key(word) for word in found + self._words(rest)] if rest else [key(word) for word in found]
        lead = key("".join(hyphened))
        forms = self.forms.get(lead, [])
        spelling = spelled(lead)
        return {
            "given": key("".join(found)) or None,
            "given_first": lead or None,
            "given_tokens": tokens,
            "given_forms": forms,
            "given_code": code(spelling) or None,
            "given_spelling": spelling or None,
            "given_known": bool(forms),
            "middle": "".join(tokens[len(hyphened) :]) or None,
        }

    def _words(self, text: str) -> list[str]:
        return [word for word in words(text) if word not in self.titles]


def folded(
    values: pl.Series, fold: Callable[[str], dict[str, Any]], column: str, schema: dict[str, pl.DataType]
) -> pl.DataFrame:
    """Distinct values folded, a frame to join on `column`. A loop in Python: transliteration exists nowhere else, and
    distinct components are far fewer than records."""
    distinct = values.drop_nulls().unique().sort()
    rows = [fold(value) for value in distinct.to_list()]
    return pl.DataFrame({column: distinct, **{name: _made(rows, name, kind) for name, kind in schema.items()}})


def _made(rows: list[dict[str, Any]], name: str, kind: pl.DataType) -> pl.Series:
    if kind != pl.List(pl.String):
        return pl.Series(name, [row[name] for row in rows], dtype=kind)
    # words have no blanks: a text that is split makes a column of lists ten times as fast as lists do
    joint = pl.Series(name, [" ".join(row[name]) for row in rows], dtype=pl.String)
    split = pl.when(joint == "").then(pl.lit([], pl.List(pl.String))).otherwise(joint.str.split(" "))
    return pl.select(split.alias(name)).to_series()
