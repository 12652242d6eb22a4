"""Folds a description into what is compared: plain words, the kind of examination, the side, the contrast."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from fonds.normalize.lookup_model import DictionaryFile

UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "oe"})
# what every dictionary understands; a dictionary's own words come first
SIDES = {
    "L": ("links", "linke", "linker", "linkes", "linken", "left", "gauche", "li", "lt", "l"),
    "R": ("rechts", "rechte", "rechter", "rechtes", "rechten", "right", "droit", "droite", "re", "rt", "r"),
    "B": ("beidseits", "beidseitig", "bds", "beide", "beider", "bilateral", "bilaterale", "bilat", "both"),
}
WITH, WITHOUT, AGENT, PLAIN, AND = "mit", "ohne", "kontrastmittel", "nativ", "und"
CONTRAST = {
    WITH: ("with", "avec", "m", "w"),
    WITHOUT: ("without", "sans", "o", "wo", "w o", "non", "no", "kein", "keine"),
    AND: ("and", "et", "u"),
    AGENT: (
        *("km", "kontrast", "contrast", "contraste", "contrast agent", "contrast medium", "ce", "gadolinium", "gd"),
        *("enhanced", "iv kontrast", "iv km", "iv contrast", "post km", "post contrast", "nach km", "avec injection"),
    ),
    PLAIN: (
        *("native", "unenhanced", "noncontrast", "kontrastlos", "km frei", "kontrastfrei", "sans injection"),
        *("pre km", "prae km", "vor km", "pre contrast", "before contrast"),
    ),
}
# signs that are lost when punctuation goes: C+ and C-; a minus at KM may be a hyphen and says nothing for sure
SIGNS = (
    (re.compile(r"\bc ?\+ ?/ ?-"), f" {WITHOUT} {WITH} {AGENT} "),
    (re.compile(r"\bc ?\+"), f" {AGENT} "),
    (re.compile(r"\bc ?-(?=\s|$)"), f" {WITHOUT} {AGENT} "),
    (re.compile(r"(?<=\s)-\s*(?:km|kontrastmittel|contrast)\b|\b(?:km|kontrastmittel|contrast)\s*-(?=\s|$)"), " ?km "),
)
UNCLEAR = "?"
SHORTEST_PART = 4
NOT_A_WORD = re.compile(r"[^\w?]+|_+")
ORDERED = frozenset({WITH, WITHOUT, "vor", "nach", "before", "after"})


@dataclass(frozen=True, slots=True)
class Text:
    """A description folded: `words` without kind, side and contrast; `folded` with them, as decisions name it."""

    folded: str
    words: tuple[str, ...]
    kinds: frozenset[str]
    side: str
    contrast: str

    @property
    def key(self) -> tuple[str, ...]:
        """Equal for texts of the same words; their order counts only where a word refers to the next."""
        return self.words if ORDERED & set(self.words) else tuple(sorted(self.words))

    @property
    def line(self) -> str:
        """The words in alphabetical order, as likeness is measured."""
        return " ".join(sorted(self.words))


class Folding:
    """How the descriptions of one dictionary are folded."""

    def __init__(self, file: DictionaryFile) -> None:
        self._kinds = {plain(word): frozenset(named) for word, named in file.modalities.items()}
        self._ignored = frozenset(plain(word) for word in file.ignore)
        phrases: dict[str, str] = {}
        for word, others in file.words.items():
            for other in others:
                phrases.setdefault(plain(other), plain(word))
        for word in (*map(plain, file.words), *self._kinds):
            phrases.pop(word, None)
        # no dictionary takes a side or contrast away from a text; of one or two letters it may say what they mean here
        for table in (CONTRAST, {f"side:{side}": names for side, names in SIDES.items()}):
            for word, others in table.items():
                phrases |= {plain(one): word for one in others if len(one) > 2 or plain(one) not in phrases}
        self._phrases = phrases
        self._known = {*phrases, *map(plain, file.words), *self._kinds}
        self._longest = max((len(one.split()) for one in phrases), default=1)
        self.fold = lru_cache(maxsize=200_000)(self._fold)

    def modalities(self, kind: str) -> frozenset[str]:
        """The modalities an examination of this kind can have."""
        return self._kinds[kind]

    def _fold(self, text: str) -> Text:
        tokens = self._translated([part for token in plain(text).split() for part in self._parted(token)])
        sides = {token.removeprefix("side:") for token in tokens if token.startswith("side:")}
        kinds = frozenset(token for token in tokens if token in self._kinds)
        words = [token for token in tokens if not token.startswith("side:") and token not in self._kinds]
        contrast, words = _contrast(words)
        kept = tuple(word for word in words if word not in self._ignored)
        folded = " ".join(token.removeprefix("side:") for token in tokens if token not in self._ignored)
        return Text(folded, kept, kinds, sides.pop() if len(sides) == 1 else UNCLEAR * bool(sides), contrast)

    def _parted(self, token: str) -> list[str]:
        """A compound of two known words apart: roentgenthorax, thoraxct."""
        if token in self._known or len(token) <= SHORTEST_PART:
            return [token]
        for at in range(len(token) - 2, SHORTEST_PART - 1, -1):
            if token[:at] in self._known and token[at:] in self._known:
                return [token[:at], token[at:]]
        return [token]

    def _translated(self, tokens: list[str]) -> list[str]:
        """The tokens with the longest phrases of the tables first put into their word."""
        made: list[str] = []
        at = 0
        while at < len(tokens):
            for length in range(min(self._longest, len(tokens) - at), 0, -1):
                found = self._phrases.get(" ".join(tokens[at : at + length]))
                if found is not None or length == 1:
                    made += [found] if found and found.startswith("side:") else (found or tokens[at]).split()
                    at += length
                    break
        return made


def plain(text: str) -> str:
    """Lower case, umlauts as two letters, no accents, words apart by single spaces; `?km` where a sign is unclear."""
    lower = unicodedata.normalize("NFC", text).casefold().translate(UMLAUTS)
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(sign))
    bare = bare.replace("?", " ")
    for sign, meant in SIGNS:
        bare = sign.sub(meant, bare)
    return " ".join(NOT_A_WORD.sub(" ", bare).split())


def _contrast(words: list[str]) -> tuple[str, list[str]]:
    """What is said of contrast, and the words without those that say it: `mit`, `ohne` right before the agent."""
    said: set[str] = set()
    kept: list[str] = []
    for number, word in enumerate(words):
        if word == AGENT:
            before: set[str] = set()
            while kept and kept[-1] in {WITH, WITHOUT, AND}:
                before.add(kept.pop())
            said |= {WITHOUT} & before | ({WITH} if WITH in before or WITHOUT not in before else set())
            # "KM: ohne" and "mit KM, ohne ..." can't be told apart
            said |= {UNCLEAR} if words[number + 1 : number + 2] == [WITHOUT] else set()
        elif word in (PLAIN, "?km"):
            said.add(WITHOUT if word == PLAIN else UNCLEAR)
        else:
            kept.append(word)
    while said and kept and kept[-1] in {AND, WITH}:
        kept.pop()
    if UNCLEAR in said:
        return UNCLEAR, kept
    return {(): "", (WITH,): "with", (WITHOUT,): "without"}.get(tuple(sorted(said)), "both"), kept
