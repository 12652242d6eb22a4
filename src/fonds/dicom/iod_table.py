"""Which attributes the IOD of a SOP class asks for: highdicom's extract of PS3.3, kept with Fonds (decision 0009)."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple


class Asked(NamedTuple):
    """One attribute of a module: its tag, its type (1, 1C, 2, 2C, 3) and what the items of a sequence hold."""

    tag: int
    type: str
    items: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class Module:
    """One module of an IOD; `usage` is M, C or U, `own` are top-level tags that no other module of the IOD has."""

    key: str
    usage: str
    attributes: tuple[Asked, ...]
    own: frozenset[int]

    @property
    def title(self) -> str:
        """Its name as people write it, such as General Series."""
        return " ".join(_WORDS.get(word, word.capitalize()) for word in self.key.split("-"))


@dataclass(frozen=True, slots=True)
class Iod:
    """An Information Object Definition."""

    key: str
    modules: tuple[Module, ...]

    @property
    def tags(self) -> frozenset[int]:
        """Top-level tags of all its modules."""
        return frozenset(asked.tag for module in self.modules for asked in module.attributes)


_UPPER = "3d ct dx ecg ie icc io ivoct ko lut mg mr nm pet rt sc sop sr uid us vl voi xa xrf"
_WORDS = {word: word.upper() for word in _UPPER.split()} | {"of": "of", "and": "and", "for": "for"}


def source() -> str:
    """Where the table comes from, with the version."""
    return str(_table()["source"])


@cache
def iod(sop_class: str) -> Iod | None:
    """The IOD of a SOP class UID; None when the table doesn't know it."""
    table = _table()
    key = table["sop_classes"].get(sop_class)
    if key not in table["iods"]:
        return None
    shapes = [(name, usage, _shape(table["modules"][name]))
              for name, usage in table["iods"][key] if name in table["modules"]]  # fmt: skip
    tags = [frozenset(asked.tag for asked in shape) for _, _, shape in shapes]
    modules = tuple(
        Module(name, usage, shape, tags[at].difference(*tags[:at], *tags[at + 1 :]))
        for at, (name, usage, shape) in enumerate(shapes)
    )
    return Iod(key, modules)


@cache
def _table() -> dict[str, Any]:
    packed = (files("fonds.dicom") / "tables" / "iod.json.gz").read_bytes()
    table: dict[str, Any] = json.loads(gzip.decompress(packed))
    return table


@cache
def _shape(number: int) -> tuple[Asked, ...]:
    if number < 0:
        return ()
    return tuple(Asked(tag, kind, _shape(items)) for tag, kind, items in _table()["shapes"][number])
